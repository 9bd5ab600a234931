//! What no device should send, and some do.

use proptest::prelude::*;

use super::*;
use crate::properties::cases;
use crate::telemetry::RejectReason as Reason;

fn check(topic: &str, payload: impl AsRef<[u8]>, reason: Reason, words: &str) {
    let rejection = refused(topic, &payload);
    assert_eq!(rejection.reason, reason, "{rejection:?}");
    assert!(rejection.detail.contains(words), "{}", rejection.detail);
    assert!(rejection.detail.len() < 400, "{}", rejection.detail);
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    check(
        TELE,
        b"{\"s\":{\"a\":\"\xff\"}}",
        Reason::InvalidUtf8,
        "offset 11",
    );
}

#[test]
fn truncated_and_wrong_json_is_refused_with_its_place() {
    check(TELE, r#"{"ts":1,"s":{"a":1"#, Reason::InvalidJson, "of 18");
    check(TELE, "{\"s\":\n {a:1}}", Reason::InvalidJson, "near byte 8");
    check(
        TELE,
        r#"{"s":{"a":NaN}}"#,
        Reason::InvalidJson,
        "near byte 10",
    );
    check(TELE, r#"{"s":{}} x"#, Reason::InvalidJson, "trailing");
    check(
        TELE,
        r#"{"s":{"a":1e999}}"#,
        Reason::InvalidJson,
        "number out of range",
    );
    check(TELE, "offline", Reason::InvalidJson, "expected");
}

#[test]
fn truncated_and_wrong_cbor_is_refused_with_its_place() {
    check(TELE, [0xA1, 0x61, b's'], Reason::InvalidCbor, "cut off");
    check(
        TELE,
        [0xA1, 0x61, b's', 0xA0, 0x00],
        Reason::InvalidCbor,
        "1 bytes follow",
    );
    check(
        TELE,
        [0xA1, 0x61, b's', 0x1C],
        Reason::InvalidCbor,
        "byte 3",
    );
    check(
        TELE,
        [0xA1, 0x61, b's', 0x41, 0x00],
        Reason::InvalidShape,
        "byte string",
    );
    check(TELE, [0xA1, 0x01, 0x02], Reason::InvalidShape, "CBOR");
    // The name of a value is the number 1.2e296.
    check(
        TELE,
        [0xA1, 0xFB, 0x7D, 0x64, 0, 0, 0, 0, 0, 0],
        Reason::InvalidShape,
        "a number, expected a name as text",
    );
    // A text that says it has 2^60 bytes.
    check(
        TELE,
        [0xA1, 0x7B, 0x10, 0, 0, 0, 0, 0, 0, 0],
        Reason::InvalidCbor,
        "cut off",
    );
}

#[test]
fn deep_documents_are_refused() {
    check(TELE, "[".repeat(100_000), Reason::TooDeep, "16 levels");
    check(TELE, "{\"a\":".repeat(17), Reason::TooDeep, "16 levels");
    let mut cbor = vec![0xA1, 0x61, b's'];
    cbor.extend(std::iter::repeat_n(0x81, 100_000));
    check(TELE, cbor, Reason::TooDeep, "near byte");
    check(TELE, vec![0xC1; 1_000], Reason::InvalidUtf8, "offset 0");
    let five = r#"{"s":{"n":{"a":{"b":{"c":{"d":{"e":1}}}}}}}"#;
    check(TELE, five, Reason::TooDeep, "'n.a.b.c.d'");
    let four = r#"{"s":{"n":{"a":{"b":{"c":{"d":1}}}}}}"#;
    assert_eq!(taken(TELE, four).records[0].readings[0].path, "n.a.b.c.d");
}

#[test]
fn huge_payloads_are_refused_by_their_size() {
    let head = r#"{"s":{}}"#;
    let fits = format!("{head}{}", " ".repeat(256 * 1024 - head.len()));
    assert_eq!(taken(TELE, &fits).records.len(), 1);
    check(
        TELE,
        format!("{fits} "),
        Reason::TooLarge,
        "262145 bytes; at most 262144",
    );
    check(TELE, vec![b'x'; 1_000_000], Reason::TooLarge, "1000000");
    let mut cut = message(TELE, "{\"s\":");
    cut.oversize = Some(5_000_000);
    match decode_at(&mut DecodeState::new(), NOW, &cut) {
        Decoded::Rejected(rejection) => assert!(rejection.detail.contains("5000000 bytes")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arrays_and_batches_have_their_limits() {
    let array = |count: usize| format!(r#"{{"s":{{"a":[{}]}}}}"#, vec!["1"; count].join(","));
    assert_eq!(taken(TELE, &array(64)).records[0].readings.len(), 64);
    check(
        TELE,
        array(65),
        Reason::InvalidShape,
        "65 elements; at most 64",
    );
    check(
        TELE,
        r#"{"s":{"a":[1,[2]]}}"#,
        Reason::InvalidShape,
        "'a'.1: an array inside",
    );
    let batch = |count: usize| {
        format!(
            r#"{{"recs":[{}]}}"#,
            vec![r#"{"ts":1,"s":{}}"#; count].join(",")
        )
    };
    assert_eq!(taken(BATCH, &batch(1_000)).records.len(), 1_000);
    check(
        BATCH,
        batch(1_001),
        Reason::TooManyRecords,
        "1001 records; at most 1000",
    );
}

#[test]
fn names_have_their_limits() {
    let tele = |name: &str| format!(r#"{{"s":{{"{name}":1}}}}"#);
    assert_eq!(
        taken(TELE, &tele(&"n".repeat(128))).records[0]
            .readings
            .len(),
        1
    );
    check(
        TELE,
        tele(&"n".repeat(129)),
        Reason::InvalidShape,
        "129 bytes; at most 128",
    );
    check(TELE, tele(""), Reason::InvalidShape, "empty name");
    check(
        TELE,
        r#"{"s":{"a\n":1}}"#,
        Reason::InvalidShape,
        "control character",
    );
    check(
        EVENT,
        r#"{"e":""}"#,
        Reason::InvalidShape,
        "no name of an event",
    );
}

#[test]
fn a_number_where_text_belongs_is_no_longer_than_text() {
    let identity = |fw: &str| format!(r#"{{"serial":"F5-1","model":"ts-flash5","fw":{fw}}}"#);
    for (fw, told) in [("2.5", "2.5"), ("1e300", "1e300"), ("1e-300", "1e-300")] {
        let identity = taken(IDENT, &identity(fw)).identity.expect("identity");
        assert_eq!(identity.fw.as_deref(), Some(told));
    }
    check(
        TELE,
        r#"{"seq":1e-300,"s":{}}"#,
        Reason::InvalidShape,
        "seq is 1e-300; expected",
    );
}

#[test]
fn messages_of_another_shape_are_refused_with_the_field() {
    for (topic, payload, words) in [
        (TELE, "[]", "the payload is an array; expected an object"),
        (TELE, "{}", "s is missing"),
        (TELE, r#"{"s":7}"#, "s is a number"),
        (
            TELE,
            r#"{"ts":"soon","s":{}}"#,
            "ts is 'soon'; expected seconds",
        ),
        (TELE, r#"{"ts":{},"s":{}}"#, "ts is an object"),
        (
            TELE,
            r#"{"seq":-1,"s":{}}"#,
            "seq is -1; expected an integer from 0 to 2^53",
        ),
        (TELE, r#"{"seq":1.5,"s":{}}"#, "seq is 1.5"),
        (
            TELE,
            r#"{"seq":9007199254740994,"s":{}}"#,
            "seq is 9007199254740994",
        ),
        (TELE, r#"{"boot":"x","s":{}}"#, "boot is 'x'"),
        (EVENT, r#"{"ts":1}"#, "e is missing"),
        (EVENT, r#"{"e":"x","d":[1]}"#, "d is an array"),
        (STATE, r#"{"ts":1}"#, "online is missing"),
        (
            STATE,
            r#"{"online":"maybe"}"#,
            "online is 'maybe'; expected true or false",
        ),
        (BATCH, r#"{"sent":1}"#, "recs is missing"),
        (BATCH, r#"{"recs":{}}"#, "recs is an object"),
        (IDENT, r#"{"serial":"F5-1"}"#, "model is missing"),
        (
            IDENT,
            r#"{"serial":"F5-1","model":"ts-flash5","made":"2026-00-00"}"#,
            "made is '2026-00-00'",
        ),
        (
            IDENT,
            r#"{"serial":"F5-1","model":"ts-flash5","lots":{"":"L"}}"#,
            "no name of a part",
        ),
        (
            IDENT,
            r#"{"serial":"F5-1","model":"ts-flash5","via":"a b"}"#,
            "via is 'a b'",
        ),
    ] {
        check(topic, payload, Reason::InvalidShape, words);
    }
}

#[test]
fn a_counter_may_reach_its_end() {
    let telemetry = taken(TELE, r#"{"seq":9007199254740992,"s":{}}"#);
    assert_eq!(telemetry.records[0].seq, Some(1 << 53));
}

#[test]
fn an_identity_that_is_not_the_topics_is_refused() {
    check(
        IDENT,
        r#"{"serial":"F5-2","model":"ts-flash5"}"#,
        Reason::IdentityMismatch,
        "serial is 'F5-2', but the topic says 'F5-1'",
    );
    check(
        IDENT,
        r#"{"serial":"F5-1","model":"tb-iq9"}"#,
        Reason::IdentityMismatch,
        "model is 'tb-iq9'",
    );
    let lots = |count: usize| {
        let lots: Vec<String> = (0..count).map(|n| format!(r#""p{n}":"L""#)).collect();
        format!(
            r#"{{"serial":"F5-1","model":"ts-flash5","lots":{{{}}}}}"#,
            lots.join(",")
        )
    };
    assert_eq!(
        taken(IDENT, &lots(16))
            .identity
            .expect("identity")
            .lots
            .len(),
        16
    );
    check(
        IDENT,
        lots(17),
        Reason::InvalidShape,
        "17 entries; at most 16",
    );
}

#[test]
fn unknown_topics_kinds_and_models_are_refused() {
    check(
        "appl/v1/ts-flash5/F5-1/telemetry",
        "{}",
        Reason::UnknownKind,
        "'telemetry' is no kind",
    );
    check(
        "appl/v1/ts-flash5/F5-1",
        "{}",
        Reason::UnknownTopic,
        "expected appl/v1/",
    );
    check(
        "appl/v1/ts-flash5/F5-1/tele/x",
        "{}",
        Reason::UnknownTopic,
        "wrong parts",
    );
    check(
        "appl/v1/ts-flash5/F5 1/tele",
        "{",
        Reason::UnknownTopic,
        "does not name a device",
    );
    check(
        "appl/v2/ts-flash5/F5-1/tele",
        "{}",
        Reason::UnknownTopic,
        "'appl/v1/#'",
    );
    check(
        "appl/v1/ts-flash9/F5-1/tele",
        "{}",
        Reason::UnknownModel,
        "'ts-flash9'",
    );
    assert_eq!(
        taken("appl/v1/gateway/gw-1/tele", r#"{"s":{"rssi":-60}}"#)
            .records
            .len(),
        1
    );
}

#[test]
fn an_empty_payload_means_nothing_on_the_other_kinds() {
    for topic in [TELE, EVENT, BATCH] {
        check(topic, "", Reason::Empty, "the payload is empty");
    }
}

#[test]
fn a_rejected_message_registers_no_device() {
    let mut state = DecodeState::new();
    assert!(matches!(
        decode_at(&mut state, NOW, &message(TELE, "{")),
        Decoded::Rejected(_)
    ));
    assert!(taken_at(&mut state, NOW, &message(TELE, r#"{"s":{}}"#)).new_device);
}

fn topics() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(TELE.to_owned()),
        Just(EVENT.to_owned()),
        Just(BATCH.to_owned()),
        Just(STATE.to_owned()),
        Just(IDENT.to_owned()),
        "appl/v1/[a-z5-]{0,9}/.{0,9}/(tele|batch|x)",
        ".{0,40}",
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let json = "[\\[\\]{}:,\"a-e0-9.tsqrecn-]{0,60}".prop_map(String::into_bytes);
    let record = (any::<f64>(), any::<u64>(), any::<i64>()).prop_map(|(ts, seq, value)| {
        format!(r#"{{"ts":{ts:e},"sent":{value},"online":1,"e":"x","seq":{},"s":{{"a":{value}}},"recs":[{{"ts":{ts:e},"seq":{},"s":{{}}}},{{"ts":{value},"e":"y"}}]}}"#, seq % 64, seq % 9).into_bytes()
    });
    let cbor = prop::collection::vec(any::<u8>(), 0..60).prop_map(|mut bytes| {
        bytes.insert(0, 0xA1);
        bytes
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        json,
        record,
        cbor
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn no_message_is_lost_and_none_panics(
        messages in prop::collection::vec((topics(), payloads(), any::<[bool; 3]>(), 0..3 * HOUR_MS), 1..12),
    ) {
        let mut state = DecodeState::new();
        let (mut decoded, mut rejected, mut duplicate) = (0, 0, 0);
        let mut at = NOW;
        for (topic, payload, [dup, retained, queued], pause) in &messages {
            at = at + *pause;
            let mut message = message(topic, payload);
            (message.dup, message.retained, message.queued) = (*dup, *retained, *queued);
            match decode_at(&mut state, at, &message) {
                Decoded::Telemetry(telemetry) => {
                    decoded += 1;
                    for record in &telemetry.records {
                        let before = at.since(record.event_time);
                        prop_assert!((-10 * MINUTE_MS..=45 * DAY_MS).contains(&before));
                    }
                    prop_assert!(!telemetry.retained || telemetry.records.is_empty());
                }
                Decoded::Rejected(rejection) => {
                    prop_assert!(rejection.detail.chars().count() < 400);
                    rejected += 1;
                }
                Decoded::Duplicate(_) => duplicate += 1,
            }
        }
        prop_assert_eq!(messages.len(), decoded + rejected + duplicate);
        let again = DecodeState::restore(&state.snapshot());
        prop_assert_eq!(again.map(|again| again.snapshot()), Ok(state.snapshot()));
    }
}
