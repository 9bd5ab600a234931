//! `[[case]]` lines become typed instants, values and expectations.

use super::worked::{BRUSH, FLASH, compile};
use crate::profile::{Case, Expect, Given, Say, Stage, When, Wire};
use crate::telemetry::{DAY_MS, HOUR_MS, Scalar};

fn case(base: &str, given: &str, expect: &str) -> Case {
    let text = format!("{base}\n[[case]]\nname = \"c\"\ngiven = [{given}]\nexpect = [{expect}]\n");
    let profiles = compile(&text).unwrap_or_else(|list| panic!("{list}"));
    profiles.cases().last().expect("a case").clone()
}

fn says(given: &Given) -> (When, &[Say]) {
    match given {
        Given::At { when, says } => (*when, says),
        Given::Csv { file } => panic!("a table: {file}"),
    }
}

#[test]
fn the_case_of_the_language_is_read() {
    let profiles = compile(FLASH).unwrap_or_else(|list| panic!("{list}"));
    let [case] = profiles.cases() else {
        panic!("one case");
    };
    assert_eq!(
        (case.name.as_str(), case.given.len()),
        ("one spike is not a scald", 3)
    );
    assert_eq!(case.model, "ts-flash5");
    let (when, said) = says(&case.given[2]);
    assert_eq!(when.instants().count(), 50);
    assert_eq!(said.len(), 1);
    assert_eq!(case.expect, [Expect::Quiet { fault: 0 }]);
}

#[test]
fn values_are_in_the_form_the_device_sends() {
    let case = case(
        FLASH,
        "\"0 s: flow = 0.5 L/min, function = 'wash', wet = true, out = null, rcd_trip\"",
        "\"quiet leakage\"",
    );
    let (when, said) = says(&case.given[0]);
    assert_eq!(when.instants().collect::<Vec<_>>(), [0]);
    let values: Vec<Scalar> = said
        .iter()
        .filter_map(|say| match say {
            Say::Sample { value, .. } => Some(value.at(0, when)),
            Say::Event { .. } | Say::Session { .. } => None,
        })
        .collect();
    let Scalar::Number(flow) = values[0] else {
        panic!("{values:?}");
    };
    assert!((flow - 0.5).abs() < 1e-12);
    assert_eq!(
        values[1..],
        [
            Scalar::Text("wash".into()),
            Scalar::Bool(true),
            Scalar::Null
        ]
    );
    assert!(matches!(said[4], Say::Event { event: 0 }));
}

#[test]
fn a_ramp_goes_in_a_straight_line_from_the_first_instant_to_the_last() {
    let case = case(
        BRUSH,
        "\"1 d..40 d every 12 h: brush(rint = ramp(120..260 mΩ))\"",
        "\"raised rint_high.warn within 20 d..30 d\"",
    );
    let (when, said) = says(&case.given[0]);
    assert_eq!(
        (when.from_ms, when.to_ms, when.every_ms),
        (DAY_MS, 40 * DAY_MS, 12 * HOUR_MS)
    );
    let [Say::Session { derives, .. }] = said else {
        panic!("{said:?}");
    };
    let at = |ms: i64| match derives[0].1.at(ms, when) {
        Scalar::Number(value) => value,
        other => panic!("{other:?}"),
    };
    assert!((at(DAY_MS) - 0.12).abs() < 1e-12);
    assert!((at(40 * DAY_MS) - 0.26).abs() < 1e-12);
    assert!((at(41 * DAY_MS / 2) - 0.19).abs() < 1e-12);
    assert_eq!(
        case.expect,
        [Expect::Raised {
            fault: 0,
            stage: Some(Stage::Warn),
            within_ms: Some((20 * DAY_MS, 30 * DAY_MS)),
        }]
    );
}

#[test]
fn tables_and_the_other_expectations_are_read() {
    let case = case(
        FLASH,
        "\"csv scale.csv\"",
        "\"raised scale\", \"cleared scale by 50 d\", \"cleared scale\", \"unknown scale\"",
    );
    assert_eq!(
        case.given,
        [Given::Csv {
            file: "scale.csv".to_owned()
        }]
    );
    assert_eq!(
        case.expect[1..],
        [
            Expect::Cleared {
                fault: 1,
                by_ms: Some(50 * DAY_MS)
            },
            Expect::Cleared {
                fault: 1,
                by_ms: None
            },
            Expect::Unknown { fault: 1 },
        ]
    );
    let fixed = Wire::Fixed(Scalar::Null);
    let now = When {
        from_ms: 0,
        to_ms: 0,
        every_ms: 0,
    };
    assert_eq!(fixed.at(0, now), Scalar::Null);
}
