//! The short way gives the record of the long way, or nothing.

use proptest::prelude::*;

use super::message;
use crate::decode::long_way;
use crate::decode::native::Content;
use crate::decode::quick::Names;
use crate::decode::quick::tele;
use crate::decode::topic::Kind;
use crate::decode::topic::Route;
use crate::properties::cases;

const DEVICE: &str = "ts-flash5/F5-1";

/// Both ways agree; true when the short one had an answer.
fn agree(payload: &[u8]) -> bool {
    let route = Route::Native {
        device: DEVICE,
        kind: Kind::Tele,
    };
    let mut names = Names::default();
    let Some(short) = tele(payload, &mut names) else {
        return false;
    };
    let long = long_way(&route, &message(super::TELE, payload));
    let text = String::from_utf8_lossy(payload);
    assert_eq!(long, Ok(Content::Single(short)), "{text}");
    true
}

#[test]
fn what_devices_usually_say_goes_the_short_way() {
    for payload in [
        r#"{"ts":1772347269.120,"s":{"water.out_c":37.8}}"#,
        r#"{"ts":1772347269,"seq":7,"boot":3,"s":{"a":1,"b":true,"c":"on","d":null,"e":"NaN","f":-0.0,"g":1e300}}"#,
        r#" {"s":{},"note":"x","seq":0}"#,
        r#"{"s":{"a":1,"a":2,"a-very-long-name-of-a-signal-of-some-device":3}}"#,
    ] {
        assert!(agree(payload.trim_start().as_bytes()), "{payload}");
    }
}

#[test]
fn what_is_wrong_or_rare_goes_the_long_way() {
    for payload in [
        "",
        "[]",
        "{}",
        r#"{"s":1}"#,
        r#"{"ts":"1772347269","s":{}}"#,
        r#"{"ts":null,"s":{}}"#,
        r#"{"ts":1,"ts":2,"s":{}}"#,
        r#"{"seq":1.5,"s":{}}"#,
        r#"{"seq":-1,"s":{}}"#,
        r#"{"s":{"a":{"b":1}}}"#,
        r#"{"s":{"a":[1]}}"#,
        r#"{"s":{"":1}}"#,
        r#"{"s":{"a\u0007":1}}"#,
        r#"{"s":{},"deep":{"er":1}}"#,
        r#"{"s":{"a":1}} x"#,
        r#"{"s":{"a":1}"#,
    ] {
        assert!(!agree(payload.as_bytes()), "{payload}");
    }
    assert!(!agree(b"\xef\xbb\xbf{\"s\":{}}"));
    assert!(!agree(b"{\"s\":{\"\xff\":1}}"));
}

fn field() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["ts", "seq", "boot", "s", "x", "e", "s "]);
    let number = prop_oneof![
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "1e400",
            "18446744073709551616",
            "9007199254740993",
            "-0"
        ])
        .prop_map(str::to_owned),
    ];
    let single = prop_oneof![
        number,
        prop::sample::select(vec![
            "null",
            "true",
            "\"nan\"",
            "\"7\"",
            "\"\\u6c34\"",
            "{}",
            "[]"
        ])
        .prop_map(str::to_owned),
    ];
    let signals = prop::collection::vec(("[a-c. \u{7f}\u{e9}]{0,40}", single.clone()), 0..6)
        .prop_map(|list| {
            let list: Vec<_> = list
                .into_iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", list.join(","))
        });
    (name, prop_oneof![single, signals]).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn both_ways_agree_on_any_object(fields in prop::collection::vec(field(), 0..6)) {
        agree(format!("{{{}}}", fields.join(",")).as_bytes());
    }
}
