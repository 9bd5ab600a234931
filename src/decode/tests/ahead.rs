//! What was read ahead changes nothing.

use proptest::prelude::*;

use super::*;
use crate::decode::PayloadReader;
use crate::properties::cases;
use crate::telemetry::SourceSetting;

/// Settings under which the same topics go different ways.
fn settings(nth: usize) -> Settings {
    let plain = |time: Option<&str>| SourceSetting {
        filter: "appl/v1/#".into(),
        convention: "json".into(),
        topic: Some("appl/v1/ts-flash5/{serial}/#".into()),
        model: Some("ts-flash5".into()),
        time: time.map(Into::into),
    };
    let source = match nth {
        0 => SourceSetting::native(),
        1 => plain(None),
        2 => plain(Some("ts")),
        _ => plain(Some("sent")),
    };
    Settings {
        sources: vec![source],
        ..Settings::default()
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let usual = prop::sample::select(vec![
        "",
        "{",
        "[]",
        r#"{"ts":1772347269,"seq":7,"s":{"a":1,"a":2,"b":null}}"#,
        r#"{"ts":1772347269,"seq":8,"s":{"a":{"b":[1,2]}}}"#,
        r#"{"ts":1772347269,"e":"leak","d":{"ml":3}}"#,
        r#"{"sent":1772347269,"recs":[{"ts":1,"s":{"a":1}},{"ts":2}]}"#,
        r#"{"online":true,"boot":3,"ts":1772347269}"#,
        r#"{"serial":"F5-1","model":"ts-flash5"}"#,
        r#"{"serial":"F5-2","model":"ts-flash5"}"#,
    ]);
    prop_oneof![
        4 => usual.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn messages() -> impl Strategy<Value = Vec<RawMessage>> {
    let topic = prop::sample::select(vec![TELE, EVENT, BATCH, STATE, IDENT, "appl/v1/x", "other"]);
    let one = (
        topic,
        payload(),
        prop::option::weighted(0.1, Just(5_000_000)),
    );
    let one = one.prop_map(|(topic, payload, oversize)| RawMessage {
        oversize,
        ..message(topic, payload)
    });
    prop::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Also when it was read by other settings than it is decoded by.
    #[test]
    fn it_gives_what_decoding_in_its_turn_gives(messages in messages(), by in 0..4_usize, read_by in 0..4_usize) {
        let (mut plainly, mut ahead) = (DecodeState::new(), DecodeState::new());
        plainly.configure(&settings(by));
        ahead.configure(&settings(by));
        let mut reader = PayloadReader::new(&settings(read_by));
        for message in &messages {
            let read = reader.read(message);
            let decoded = ahead.decode_read(NOW, message, read, &TwoModels);
            prop_assert_eq!(decoded, decode_at(&mut plainly, NOW, message));
        }
        prop_assert_eq!(ahead, plainly);
    }
}

/// Nothing of the test above would notice a reader that leaves everything to decoding.
#[test]
fn a_reader_reads() {
    let mut reader = PayloadReader::new(&settings(0));
    for (topic, payload) in [
        (TELE, r#"{"s":{"a":1}}"#),
        (TELE, "{"),
        (STATE, ""),
        (EVENT, r#"{"e":"leak"}"#),
    ] {
        assert!(reader.read(&message(topic, payload)).is_some(), "{payload}");
    }
    assert!(reader.read(&message("other", "{}")).is_none());
    reader.configure(&settings(2));
    let read = reader.read(&message(TELE, "{}")).expect("read");
    let mut state = DecodeState::new();
    state.configure(&settings(2));
    let plain = state.decode_read(
        NOW,
        &message(TELE, r#"{"not":"looked at"}"#),
        Some(read),
        &TwoModels,
    );
    assert!(
        matches!(&plain, Decoded::Telemetry(telemetry) if telemetry.records[0].readings.is_empty()),
        "what was read is used: {plain:?}"
    );
}
