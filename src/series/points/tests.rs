//! What telemetry becomes in the series.

use std::sync::Arc;

use super::*;
use crate::profile::Profiles;
use crate::telemetry::ProfileText;
use crate::telemetry::TelemetryRecord;
use crate::telemetry::Timestamp;

const PROFILE: &str = r#"
[profile]
model = "m"
kind = "x"
name = { en = "x", zh = "x" }
version = "1"
[signals]
tenths = { from = "t", unit = "°C", scale = 0.1, offset = -40, no_value = [32767], label = { en = "t", zh = "t" } }
running = { from = "on", bool = true, label = { en = "on", zh = "on" } }
mode = { from = "mode", enum = ["idle", "wash"], label = { en = "mode", zh = "mode" } }
error = { from = "error", store_text = true, label = { en = "error", zh = "error" } }
"#;

fn program() -> Arc<Program> {
    let text = ProfileText {
        name: "m.toml".into(),
        text: PROFILE.into(),
    };
    let profiles = Profiles::compile(&[text], &[]).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    Arc::clone(profiles.get("m").expect("the model"))
}

fn telemetry(device: &str, records: &[(i64, &[(&str, Scalar)])]) -> Telemetry {
    Telemetry {
        device: device.parse().unwrap(),
        retained: false,
        batch: false,
        lag_ms: None,
        records: records
            .iter()
            .map(|(ms, readings)| TelemetryRecord {
                event_time: Timestamp::from_ms(*ms),
                clock_suspect: false,
                time_unknown: false,
                seq: None,
                event: None,
                readings: readings
                    .iter()
                    .map(|(path, value)| Reading {
                        path: (*path).into(),
                        value: value.clone(),
                    })
                    .collect(),
            })
            .collect(),
        availability: None,
        identity: None,
        bad_records: Vec::new(),
        duplicate_records: 0,
        seq_restarted: false,
        new_device: false,
    }
}

/// The field that one reading becomes with the profile above.
fn field(path: &str, value: Scalar) -> Option<FieldValue> {
    let mut points = Vec::new();
    let said = telemetry("m/1", &[(1, &[(path, value)])]);
    PointMaker::default().points(&said, Some(&program()), &mut points);
    points.pop().map(|point| point.fields[0].1.clone())
}

#[test]
fn a_number_is_stored_in_the_signals_own_unit() {
    for (value, expected) in [
        (Scalar::Number(925.0), Some(52.5)),
        (Scalar::Text(" 925 ".into()), Some(52.5)),
        (Scalar::Text("925.0".into()), Some(52.5)),
        (Scalar::Number(32_767.0), None),
        (Scalar::Text("32767".into()), None),
        (Scalar::Text("warm".into()), None),
        (Scalar::Text("nan".into()), None),
        (Scalar::Text("inf".into()), None),
        (Scalar::Null, None),
    ] {
        let expected = expected.map(FieldValue::Float);
        assert_eq!(field("t", value.clone()), expected, "{value:?}");
    }
}

#[test]
fn booleans_and_enumerations_become_numbers() {
    for (path, value, expected) in [
        ("on", Scalar::Bool(true), Some(1.0)),
        ("on", Scalar::Text("OFF".into()), Some(0.0)),
        ("on", Scalar::Number(1.0), Some(1.0)),
        ("mode", Scalar::Text("wash".into()), Some(1.0)),
        ("mode", Scalar::Number(0.0), Some(0.0)),
        ("mode", Scalar::Text("spin".into()), None),
    ] {
        let expected = expected.map(FieldValue::Float);
        assert_eq!(field(path, value.clone()), expected, "{path} {value:?}");
    }
}

#[test]
fn text_is_stored_only_where_the_profile_asks_and_then_always_as_text() {
    for (path, value, expected) in [
        ("error", Scalar::Text("E4".into()), Some("E4")),
        ("error", Scalar::Number(4.0), Some("4")),
        ("error", Scalar::Bool(false), Some("false")),
        ("error", Scalar::Null, None),
        ("unknown", Scalar::Text("E4".into()), None),
        ("unknown", Scalar::Text("12".into()), None),
    ] {
        let expected = expected.map(|text| FieldValue::Text(text.into()));
        assert_eq!(field(path, value.clone()), expected, "{path} {value:?}");
    }
}

#[test]
fn each_record_is_one_point_at_its_own_time() {
    let on = ("on", Scalar::Bool(true));
    let x = ("x", Scalar::Number(7.0));
    let said = telemetry("m/1", &[(10, &[on.clone(), x]), (20, &[]), (30, &[on])]);
    let mut points = Vec::new();
    PointMaker::default().points(&said, Some(&program()), &mut points);
    let shape: Vec<_> = points
        .iter()
        .map(|point| (point.at.ms(), point.fields.len()))
        .collect();
    assert_eq!(shape, [(10, 2), (30, 1)]);
    assert_eq!(points[0].fields[1], ("x".into(), FieldValue::Float(7.0)));
    assert_eq!(
        (points[0].measurement, points[0].tags.len()),
        (Measurement::Telemetry, 0)
    );
}

#[test]
fn a_record_of_unknown_time_is_stored_and_a_retained_copy_is_not() {
    let mut said = telemetry("m/1", &[(10, &[("on", Scalar::Bool(true))])]);
    said.records[0].time_unknown = true;
    let mut points = Vec::new();
    PointMaker::default().points(&said, Some(&program()), &mut points);
    assert_eq!(points.len(), 1);
    said.retained = true;
    PointMaker::default().points(&said, Some(&program()), &mut points);
    assert_eq!(points.len(), 1);
}

#[test]
fn a_device_has_sixty_four_unknown_paths_and_no_more_also_after_a_restart() {
    let mut maker = PointMaker::default();
    let mut points = Vec::new();
    for place in 0..66 {
        let path = format!("x{place}");
        let said = telemetry("m/1", &[(1, &[(path.as_str(), Scalar::Number(1.0))])]);
        maker.points(&said, None, &mut points);
    }
    assert_eq!(points.len(), 64);
    assert_eq!((maker.take_refused(), maker.take_refused()), (2, 0));

    let mut maker = PointMaker::restore(&maker.snapshot()).expect("its own bytes");
    let old = ("x63", Scalar::Number(1.0));
    let new = ("x64", Scalar::Number(1.0));
    let known = ("on", Scalar::Bool(true));
    points.clear();
    let said = telemetry("m/1", &[(1, &[old, new.clone(), known])]);
    maker.points(&said, Some(&program()), &mut points);
    assert_eq!(points[0].fields.len(), 2, "one of old, one of the profile");
    let new = [new];
    maker.points(&telemetry("m/2", &[(1, &new)]), None, &mut points);
    assert_eq!(points.len(), 2, "another device has its own");
    maker.forget(&"m/1".parse().unwrap());
    maker.points(&telemetry("m/1", &[(1, &new)]), None, &mut points);
    assert_eq!(points.len(), 3);
    assert!(PointMaker::restore(&[0xff; 9]).is_err());
}

#[test]
fn points_of_one_instant_unite_and_the_later_value_wins() {
    let at = |ms: i64, field: &str, value: f64| Point {
        measurement: Measurement::Telemetry,
        device: "m/1".parse().unwrap(),
        tags: Vec::new(),
        at: Timestamp::from_ms(ms),
        fields: vec![(field.into(), FieldValue::Float(value))],
    };
    let mut tagged = at(5, "a", 9.0);
    tagged.tags = vec![("mode".into(), "1".into())];
    let mut other = at(5, "a", 8.0);
    other.measurement = Measurement::Derived;
    let united = unite(vec![
        at(5, "a", 1.0),
        tagged,
        at(4, "a", 2.0),
        other,
        at(5, "b", 3.0),
        at(5, "a", 4.0),
    ]);
    assert_eq!(united.len(), 4);
    assert_eq!(united[0].at.ms(), 4);
    let fields = [
        ("a".into(), FieldValue::Float(4.0)),
        ("b".into(), FieldValue::Float(3.0)),
    ];
    assert_eq!(united[1].fields, fields);
}
