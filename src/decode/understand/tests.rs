//! One message each: what is understood, and which hint it gets.

use super::*;
use crate::profile::Profiles;
use crate::telemetry::ProfileText;

const NOW: Timestamp = Timestamp::from_ms(1_772_347_269_000);
/// Asia/Shanghai.
const OFFSET_S: i32 = 8 * 3_600;

fn profiles() -> Profiles {
    let text = |name: &str, text: &str| ProfileText {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let words = [
        text(
            "words/actions.toml",
            include_str!("../../../device-profiles/words/actions.toml"),
        ),
        text(
            "words/causes.toml",
            include_str!("../../../device-profiles/words/causes.toml"),
        ),
        text(
            "words/guides.toml",
            include_str!("../../../device-profiles/words/guides.toml"),
        ),
        text(
            "words/messages.toml",
            include_str!("../../../device-profiles/words/messages.toml"),
        ),
    ];
    let profile = text(
        "ts-flash5.toml",
        include_str!("../../../device-profiles/ts-flash5.toml"),
    );
    Profiles::compile(&[profile], &words).expect("no mistakes")
}

fn message(topic: &str, payload: &str) -> RawMessage {
    RawMessage {
        source: "test".into(),
        topic: topic.into(),
        payload: payload.as_bytes().to_vec().into(),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

fn ask(message: &RawMessage) -> Understanding {
    let profiles = profiles();
    let context = Context {
        profiles: &profiles,
        offset_s: OFFSET_S,
    };
    understand(&mut DecodeState::new(), context, NOW, message)
}

fn tele(payload: &str) -> Understanding {
    ask(&message("appl/v1/ts-flash5/TSF5-MADEUP-01/tele", payload))
}

fn names(understanding: &Understanding) -> Vec<&'static str> {
    understanding
        .hints
        .iter()
        .map(|hint| hint.name.as_str())
        .collect()
}

#[test]
fn a_good_message_is_told_path_by_path_and_gets_no_hint() {
    let told = tele(r#"{"ts":1772347268.5,"seq":7,"s":{"water.out_c":"37.8","function":"wash"}}"#);
    assert_eq!(names(&told), Vec::<&str>::new());
    assert_eq!(
        (told.result.as_str(), told.convention.as_deref()),
        ("decoded", Some("native"))
    );
    let record = &told.records[0];
    assert_eq!(record.event_time.to_string(), "2026-03-01T06:41:08.500Z");
    assert_eq!(record.event_time_why.en, "the device's own time");
    let shown: Vec<_> = record
        .readings
        .iter()
        .map(|reading| (reading.alias.as_deref(), reading.shown.as_deref()))
        .collect();
    assert!(shown.contains(&(Some("out"), Some("37.8 °C"))), "{shown:?}");
    assert!(
        shown.contains(&(Some("function"), Some("wash"))),
        "{shown:?}"
    );
}

#[test]
fn milliseconds_in_ts_are_named() {
    let told = tele(r#"{"ts":1772347268500,"s":{"water.out_c":37.8}}"#);
    assert_eq!(names(&told), ["ts_in_milliseconds"]);
    assert_eq!(told.hints[0].did_you_mean.as_deref(), Some("1772347268.5"));
    assert_eq!(told.records[0].event_time, NOW);
}

#[test]
fn local_time_sent_as_utc_is_named() {
    let local = NOW.ms() / 1_000 + i64::from(OFFSET_S);
    let told = tele(&format!(r#"{{"ts":{local},"s":{{"water.out_c":37.8}}}}"#));
    assert_eq!(names(&told), ["ts_is_local_time"]);
    let other = NOW.ms() / 1_000 + 3 * 3_600;
    let told = tele(&format!(r#"{{"ts":{other},"s":{{"water.out_c":37.8}}}}"#));
    assert_eq!(names(&told), ["ts_not_plausible"]);
}

#[test]
fn a_wrong_path_gets_the_one_that_was_meant() {
    let told = tele(r#"{"s":{"water.outc":24.8,"water.in_c":11.2}}"#);
    assert_eq!(names(&told), ["unknown_path"]);
    let hint = &told.hints[0];
    assert_eq!(hint.did_you_mean.as_deref(), Some("water.out_c"));
    assert_eq!(hint.mark.as_deref(), Some("water.outc"));
    assert_eq!(
        told.records[0].event_time_why.en,
        "it has no time: the time of receipt"
    );
}

#[test]
fn values_of_which_nothing_can_be_made_are_named() {
    let told = tele(r#"{"s":{"water.out_c":378,"water.in_c":"cold","leak.ma":null}}"#);
    assert_eq!(names(&told), ["out_of_range", "no_value"]);
}

#[test]
fn refusals_say_what_was_meant() {
    let kind = ask(&message("appl/v1/ts-flash5/TSF5-MADEUP-01/telemetry", "{}"));
    assert_eq!(
        (kind.result.as_str(), names(&kind)),
        ("rejected", vec!["unknown_kind"])
    );
    assert_eq!(kind.hints[0].did_you_mean.as_deref(), Some("tele"));
    let model = ask(&message(
        "appl/v1/ts-flash-5/TSF5-MADEUP-01/tele",
        "{\"s\":{}}",
    ));
    assert_eq!(names(&model), ["unknown_model"]);
    assert_eq!(model.hints[0].did_you_mean.as_deref(), Some("ts-flash5"));
    let topic = ask(&message("home/toilet", "{}"));
    assert_eq!(names(&topic), ["unknown_topic"]);
    let broken = tele("{\"ts\":");
    assert_eq!(broken.reason.as_deref(), Some("invalid_json"));
}

#[test]
fn a_counter_that_began_again_is_named() {
    let profiles = profiles();
    let context = Context {
        profiles: &profiles,
        offset_s: OFFSET_S,
    };
    let mut decode = DecodeState::new();
    let at = |seq: u64, ts: i64| {
        message(
            "appl/v1/ts-flash5/TSF5-MADEUP-01/tele",
            &format!(r#"{{"ts":{ts},"seq":{seq},"s":{{"water.out_c":30}}}}"#),
        )
    };
    let second = NOW.ms() / 1_000;
    for n in 0..5 {
        let told = understand(
            &mut decode,
            context,
            NOW + n * 1_000,
            &at(5_000 + n.cast_unsigned(), second + n),
        );
        assert_eq!(names(&told), Vec::<&str>::new());
    }
    let again = understand(&mut decode, context, NOW + 9_000, &at(5_002, second + 9));
    assert_eq!(names(&again), ["seq_restarted"]);
}

#[test]
fn samples_that_are_retained_are_named() {
    let mut copy = message(
        "appl/v1/ts-flash5/TSF5-MADEUP-01/tele",
        r#"{"s":{"water.out_c":30}}"#,
    );
    copy.retained = true;
    let told = ask(&copy);
    assert_eq!(names(&told), ["always_retained"]);
    assert!(told.records.is_empty());
}

#[test]
fn hostile_payloads_are_only_looked_at() {
    for payload in [
        "",
        "[]",
        "\u{0}",
        "{\"ts\":1e400}",
        "{\"recs\":[1,2,{}]}",
        "{\"ts\":{}}",
    ] {
        let told = tele(payload);
        assert!(told.hints.len() <= 20, "{payload}");
    }
}
