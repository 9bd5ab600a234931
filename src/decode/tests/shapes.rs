//! What good messages give.

use super::*;
use crate::telemetry::{SourceSetting, TelemetryRecord};

fn readings(record: &TelemetryRecord) -> Vec<(String, Scalar)> {
    record
        .readings
        .iter()
        .map(|reading| (reading.path.to_string(), reading.value.clone()))
        .collect()
}

#[test]
fn a_tele_message_gives_its_samples_at_its_time() {
    let telemetry = taken(
        TELE,
        r#"{"ts":1772347268.2504,"seq":4711,"s":{"water.out_c":37.8,"function":"wash","seat":{"occupied":true},"zones":[1,"x",null]}}"#,
    );
    assert_eq!(telemetry.device.as_str(), "ts-flash5/F5-1");
    assert!(telemetry.new_device && !telemetry.retained && !telemetry.batch);
    assert_eq!(telemetry.lag_ms, Some(870));
    let record = &telemetry.records[0];
    assert_eq!(record.event_time.ms(), 1_772_347_268_250);
    assert_eq!(
        (record.seq, record.clock_suspect, record.time_unknown),
        (Some(4711), false, false)
    );
    assert_eq!(
        readings(record),
        [
            ("water.out_c".into(), number(37.8)),
            ("function".into(), Scalar::Text("wash".into())),
            ("seat.occupied".into(), Scalar::Bool(true)),
            ("zones.0".into(), number(1.0)),
            ("zones.1".into(), Scalar::Text("x".into())),
            ("zones.2".into(), Scalar::Null),
        ]
    );
}

#[test]
fn half_a_millisecond_rounds_away_from_zero() {
    for (ts, ms) in [
        ("1772347268.2505", 251),
        ("1772347268.2504", 250),
        ("\"1772347268.25\"", 250),
    ] {
        let telemetry = taken(TELE, &format!(r#"{{"ts":{ts},"s":{{}}}}"#));
        assert_eq!(
            telemetry.records[0].event_time.ms(),
            1_772_347_268_000 + ms,
            "{ts}"
        );
    }
}

#[test]
fn an_event_gives_an_occurrence_and_samples_under_its_name() {
    let telemetry = taken(
        EVENT,
        r#"{"ts":1772347268,"seq":1,"e":"session","d":{"duration_s":128,"zones":[1,2],"a":{"b":"True"}}}"#,
    );
    let record = &telemetry.records[0];
    assert_eq!(record.event.as_deref(), Some("session"));
    assert_eq!(
        readings(record),
        [
            ("session.duration_s".into(), number(128.0)),
            ("session.zones.0".into(), number(1.0)),
            ("session.zones.1".into(), number(2.0)),
            ("session.a.b".into(), Scalar::Text("True".into())),
        ]
    );
    let bare = taken(EVENT, r#"{"ts":1772347268,"e":"rcd_trip"}"#);
    assert_eq!(bare.records[0].event.as_deref(), Some("rcd_trip"));
    assert!(bare.records[0].readings.is_empty());
}

#[test]
fn cbor_gives_the_same_as_json() {
    use ciborium::cbor;
    let value = cbor!({
        "ts" => 1_772_347_268.25, "seq" => 7,
        "s" => { "a" => 1.5, "b" => [true, null, "x"], "n" => f64::NAN, "neg" => -3 }
    })
    .expect("a value");
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).expect("bytes");
    let from_cbor = taken_at(&mut DecodeState::new(), NOW, &message(TELE, &bytes));
    let from_json = taken(
        TELE,
        r#"{"ts":1772347268.25,"seq":7,"s":{"a":1.5,"b":[true,null,"x"],"n":"NaN","neg":-3}}"#,
    );
    assert_eq!(from_cbor, from_json);
}

#[test]
fn a_cbor_tag_is_skipped_and_the_content_type_counts() {
    // {"s": {"a": 1(5)}} with a map of indefinite length, and the same behind the self-description tag 55799.
    let plain = [0xBF, 0x61, b's', 0xA1, 0x61, b'a', 0xC1, 0x05, 0xFF];
    assert_eq!(
        readings(&taken_at(&mut DecodeState::new(), NOW, &message(TELE, plain)).records[0]),
        [("a".into(), number(5.0))]
    );
    let mut tagged = message(TELE, [&[0xD9, 0xD9, 0xF7][..], &plain[..]].concat());
    tagged.content_type = Some("application/CBOR; x=1".into());
    assert_eq!(
        taken_at(&mut DecodeState::new(), NOW, &tagged).records[0]
            .readings
            .len(),
        1
    );
}

#[test]
fn of_a_name_that_stands_twice_the_last_one_counts() {
    let telemetry = taken(
        TELE,
        r#"{"ts":1,"ts":1772347268,"s":{"a":1,"b.c":2,"a":3,"b":{"c":4}}}"#,
    );
    assert_eq!(telemetry.records[0].event_time.ms(), 1_772_347_268_000);
    assert_eq!(
        readings(&telemetry.records[0]),
        [("a".into(), number(3.0)), ("b.c".into(), number(4.0))]
    );
    let many: Vec<String> = (0..60)
        .map(|index| format!(r#""k{}":{index}"#, index % 50))
        .collect();
    let telemetry = taken(TELE, &format!(r#"{{"s":{{{}}}}}"#, many.join(",")));
    assert_eq!(telemetry.records[0].readings.len(), 50);
    assert!(readings(&telemetry.records[0]).contains(&("k3".into(), number(53.0))));
}

#[test]
fn numbers_as_text_stay_text_and_nan_is_no_value() {
    let telemetry = taken(
        TELE,
        r#"{"s":{"a":"52.6","b":"nan","c":"NaN","d":null,"e":1e300}}"#,
    );
    assert_eq!(
        readings(&telemetry.records[0]),
        [
            ("a".into(), Scalar::Text("52.6".into())),
            ("b".into(), Scalar::Null),
            ("c".into(), Scalar::Null),
            ("d".into(), Scalar::Null),
            ("e".into(), number(1e300)),
        ]
    );
}

#[test]
fn a_batch_comes_sorted_and_its_bad_records_alone_are_refused() {
    let telemetry = taken(
        BATCH,
        r#"{"sent":1772347269,"recs":[{"ts":1772347260,"seq":2,"s":{"a":2}},{"seq":9,"s":{"a":1}},
            {"ts":1772347250,"seq":1,"e":"x"},7,{"ts":1772347250,"seq":0,"s":{"a":0}},{"ts":1772347251},{"ts":"soon","s":{}}]}"#,
    );
    assert!(telemetry.batch);
    let order: Vec<_> = telemetry.records.iter().map(|record| record.seq).collect();
    assert_eq!(order, [Some(0), Some(1), Some(2)]);
    let bad: Vec<_> = telemetry
        .bad_records
        .iter()
        .map(|bad| (bad.index, bad.rejection.reason))
        .collect();
    assert_eq!(
        bad,
        [
            (1, RejectReason::NoTime),
            (3, RejectReason::InvalidShape),
            (5, RejectReason::InvalidShape),
            (6, RejectReason::InvalidShape)
        ]
    );
    assert!(
        telemetry.bad_records[0]
            .rejection
            .detail
            .starts_with("recs[1]: ts is missing")
    );
    assert_eq!(telemetry.lag_ms, Some(9_120));
}

#[test]
fn an_empty_batch_is_understood() {
    assert!(taken(BATCH, r#"{"recs":[]}"#).records.is_empty());
}

#[test]
fn state_tells_presence_in_any_form_of_a_boolean() {
    for (word, online) in [
        ("true", true),
        ("\"on\"", true),
        ("1", true),
        ("\"False\"", false),
        ("0", false),
    ] {
        let telemetry = taken(
            STATE,
            &format!(r#"{{"online":{word},"fw":"1.4.2","boot":17}}"#),
        );
        let availability = telemetry.availability.expect("presence");
        assert_eq!(availability.online, online, "{word}");
        assert_eq!(
            (availability.fw.as_deref(), availability.boot),
            (Some("1.4.2"), Some(17))
        );
        assert!(telemetry.records.is_empty());
    }
    assert!(
        !taken(STATE, r#"{"online":false}"#)
            .availability
            .expect("a will")
            .online
    );
}

#[test]
fn ident_tells_identity() {
    let telemetry = taken(
        IDENT,
        r#"{"serial":"F5-1","model":"ts-flash5","hw":"B2","made":"2026-01-14","lots":{"heater":"H2511","board":null},"tz":"Asia/Shanghai","via":"gw-0007","hardness":14}"#,
    );
    let identity = telemetry.identity.expect("identity");
    assert_eq!(identity.hw.as_deref(), Some("B2"));
    assert_eq!(identity.lots.len(), 1);
    assert_eq!(identity.via.as_deref(), Some("gw-0007"));
}

#[test]
fn the_empty_payload_says_nothing_on_state_and_ident() {
    for topic in [STATE, IDENT] {
        let telemetry = taken(topic, "");
        assert_eq!((telemetry.availability, telemetry.identity), (None, None));
        assert!(telemetry.records.is_empty());
    }
}

#[test]
fn a_message_without_a_time_takes_that_of_receipt_and_out_of_a_queue_none() {
    let live = taken(TELE, r#"{"s":{"a":1}}"#);
    assert_eq!((live.records[0].event_time, live.lag_ms), (NOW, None));
    assert!(!live.records[0].time_unknown && !live.records[0].clock_suspect);
    let mut queued = message(TELE, r#"{"s":{"a":1}}"#);
    queued.queued = true;
    assert!(taken_at(&mut DecodeState::new(), NOW, &queued).records[0].time_unknown);
    let mut with_time = tele(NOW - HOUR_MS);
    with_time.queued = true;
    let telemetry = taken_at(&mut DecodeState::new(), NOW, &with_time);
    assert!(!telemetry.records[0].time_unknown);
    assert_eq!(telemetry.lag_ms, Some(HOUR_MS));
}

fn plain_state(time: Option<&str>) -> DecodeState {
    let mut state = DecodeState::new();
    state.configure(&Settings {
        sources: vec![
            SourceSetting::native(),
            SourceSetting {
                filter: "tele/+/SENSOR".into(),
                convention: "json".into(),
                topic: Some("tele/plug_{serial}/SENSOR".into()),
                model: Some("ts-flash5".into()),
                time: time.map(Into::into),
            },
            SourceSetting {
                filter: "shop/#".into(),
                convention: "json".into(),
                topic: Some("shop/{model}/{serial}/+".into()),
                model: None,
                time: None,
            },
            SourceSetting {
                filter: "far/#".into(),
                convention: "homie".into(),
                topic: None,
                model: None,
                time: None,
            },
        ],
        ..Settings::default()
    });
    state
}

#[test]
fn plain_json_is_flattened_and_its_topic_names_the_device() {
    let telemetry = taken_at(
        &mut plain_state(Some("when.at")),
        NOW,
        &message(
            "tele/plug_wc/SENSOR",
            r#"{"when":{"at":"2026-03-01T14:41:09+08:00"},"ENERGY":{"Power":52},"list":[{"a":1},2],"Unit":"C"}"#,
        ),
    );
    assert_eq!(telemetry.device.as_str(), "ts-flash5/wc");
    assert_eq!(telemetry.records[0].event_time, NOW - 120);
    let paths: Vec<_> = telemetry.records[0]
        .readings
        .iter()
        .map(|r| r.path.as_str())
        .collect();
    assert_eq!(paths, ["ENERGY.Power", "list.0.a", "list.1", "Unit"]);
    let both = taken_at(
        &mut plain_state(None),
        NOW,
        &message("shop/tb-iq9/7/x", r#"{"a":1}"#),
    );
    assert_eq!(both.device.as_str(), "tb-iq9/7");
}

#[test]
fn a_plain_time_may_be_seconds_milliseconds_or_text_but_no_local_time() {
    for (time, expected, suspect) in [
        ("1772347268", NOW - 1_120, false),
        ("1772347268000", NOW - 1_120, false),
        ("\"1772347268\"", NOW - 1_120, false),
        ("\"2026-03-01T06:41:08Z\"", NOW - 1_120, false),
        ("\"2026-03-01T06:41:08\"", NOW, true),
        ("true", NOW, true),
        ("null", NOW, false),
    ] {
        let telemetry = taken_at(
            &mut plain_state(Some("Time")),
            NOW,
            &message("tele/plug_wc/SENSOR", format!(r#"{{"Time":{time},"a":1}}"#)),
        );
        let record = &telemetry.records[0];
        assert_eq!(
            (record.event_time, record.clock_suspect),
            (expected, suspect),
            "{time}"
        );
        assert_eq!(record.readings.len(), 1, "{time}");
    }
}

#[test]
fn a_source_setting_that_cannot_be_used_says_so() {
    for (topic, word) in [
        ("far/a", "'homie'"),
        ("tele/other/SENSOR", "does not have the form"),
        ("shop/a", "does not have the form"),
        ("elsewhere", "no source setting"),
    ] {
        match decode_at(&mut plain_state(None), NOW, &message(topic, "{}")) {
            Decoded::Rejected(rejection) => {
                assert_eq!(rejection.reason, RejectReason::UnknownTopic, "{topic}");
                assert!(rejection.detail.contains(word), "{}", rejection.detail);
            }
            other => panic!("{topic} gave {other:?}"),
        }
    }
}

#[test]
fn topic_filters_match_as_mqtt_has_them() {
    for (filter, topic, expected) in [
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/+", "a/b", true),
        ("a/+", "a", false),
        ("a/+", "a/b/c", false),
        ("+/b", "/b", true),
        ("#", "a/b", true),
        ("#", "$SYS/x", false),
        ("+/x", "$SYS/x", false),
        ("$SYS/#", "$SYS/x", true),
        ("a", "ab", false),
    ] {
        assert_eq!(
            crate::decode::topic::matches(filter, topic),
            expected,
            "{filter} {topic}"
        );
    }
}

#[test]
fn a_prefix_in_front_of_a_native_topic_is_no_matter() {
    let mut state = DecodeState::new();
    let mut settings = Settings::default();
    settings.sources[0].filter = "site7/#".into();
    state.control(NOW, &Control::Settings(settings));
    let telemetry = taken_at(
        &mut state,
        NOW,
        &message(&format!("site7/{TELE}"), r#"{"s":{}}"#),
    );
    assert_eq!(telemetry.device.as_str(), "ts-flash5/F5-1");
}
