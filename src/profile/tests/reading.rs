//! Wire values to what a signal means.

use super::worked::compile;
use crate::profile::{Signal, SignalValue};
use crate::telemetry::Scalar;

const SIGNALS: &str = r#"[profile]
model = "x"
kind = "toilet"
name = { en = "X", zh = "X" }
version = "1"
[signals]
out = { from = "out", unit = "°C", range = [-25, 120], no_value = [-9999], stale_after = "1 min" }
raw = { from = "raw", unit = "L/min", scale = 0.1, offset = -1, stale_after = "1 min" }
wet = { from = "wet", bool = true, default = false, cadence = "change" }
mode = { from = "mode", enum = ["idle", "wash"], cadence = "change" }
word = { from = "word", bits = ["heater", "leak"], cadence = "change" }
text = { from = "text", store_text = true, cadence = "change" }
"#;

fn signal(name: &str) -> Signal {
    let profiles = compile(SIGNALS).unwrap_or_else(|list| panic!("{list}"));
    let program = profiles.iter().next().expect("a program");
    let signal = program.signals.iter().find(|s| s.name == name);
    signal.expect("the signal").clone()
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

#[track_caller]
fn reads(name: &str, value: &Scalar, expected: SignalValue) {
    assert_eq!(signal(name).read(value), expected, "{value:?}");
}

#[test]
fn numbers_may_come_as_text_and_null_or_an_error_code_is_no_value() {
    reads("out", &Scalar::Number(37.5), SignalValue::Value(37.5));
    reads("out", &text(" 37.5 "), SignalValue::Value(37.5));
    for value in [
        Scalar::Null,
        text("nan"),
        text("inf"),
        text(""),
        text("--"),
        Scalar::Number(-9999.0),
        text("-9999"),
    ] {
        reads("out", &value, SignalValue::NoValue);
    }
}

#[test]
fn a_value_outside_the_range_is_told_as_such_and_the_ends_belong_to_it() {
    reads("out", &Scalar::Number(120.0), SignalValue::Value(120.0));
    reads(
        "out",
        &Scalar::Number(120.1),
        SignalValue::OutOfRange(120.1),
    );
    reads("out", &Scalar::Number(-25.0), SignalValue::Value(-25.0));
    reads(
        "out",
        &Scalar::Number(-40.0),
        SignalValue::OutOfRange(-40.0),
    );
}

#[test]
fn scale_and_offset_come_before_the_unit() {
    let raw = signal("raw");
    let Some(own) = raw.wire_value(&Scalar::Number(30.0)) else {
        panic!("no value");
    };
    assert!((own - 2.0).abs() < 1e-12);
    let SignalValue::Value(base) = raw.read(&Scalar::Number(30.0)) else {
        panic!("no value");
    };
    assert!((base - 2.0 / 60_000.0).abs() < 1e-15);
}

#[test]
fn truth_may_come_as_word_or_number() {
    for value in [
        Scalar::Bool(true),
        Scalar::Number(1.0),
        text("True"),
        text("on"),
        text("1"),
    ] {
        reads("wet", &value, SignalValue::Value(1.0));
    }
    for value in [
        Scalar::Bool(false),
        Scalar::Number(0.0),
        text("off"),
        text("FALSE"),
    ] {
        reads("wet", &value, SignalValue::Value(0.0));
    }
    for value in [Scalar::Number(2.0), text("maybe"), Scalar::Null] {
        reads("wet", &value, SignalValue::NoValue);
    }
    assert_eq!(signal("wet").default, Some(0.0));
}

#[test]
fn words_are_known_by_name_or_index() {
    for value in [text("wash"), text("WASH"), Scalar::Number(1.0), text("1")] {
        reads("mode", &value, SignalValue::Value(1.0));
    }
    for value in [
        text("dry"),
        Scalar::Number(2.0),
        Scalar::Number(0.5),
        Scalar::Bool(true),
    ] {
        reads("mode", &value, SignalValue::NoValue);
    }
}

#[test]
fn bit_fields_are_whole_numbers_also_in_hexadecimal() {
    reads("word", &Scalar::Number(66.0), SignalValue::Value(66.0));
    reads("word", &text("0x42"), SignalValue::Value(66.0));
    for value in [
        Scalar::Number(1.5),
        Scalar::Number(-1.0),
        Scalar::Number(1e17),
        text("0xzz"),
    ] {
        reads("word", &value, SignalValue::NoValue);
    }
}

#[test]
fn text_that_is_only_stored_is_no_value() {
    assert!(signal("text").store_text);
    reads("text", &text("E04"), SignalValue::NoValue);
}
