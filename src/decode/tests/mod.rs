//! What decode promises, from topic and payload to telemetry.

mod ahead;

mod bad_input;

mod clocks;

mod repetition;

mod short_way;

mod shapes;

mod strangers;

use crate::telemetry::{
    Control, DAY_MS, HOUR_MS, MINUTE_MS, RawMessage, RejectReason, Rejection, SECOND_MS, Scalar,
    Settings, Telemetry, Timestamp,
};

use super::{DecodeState, Decoded, Models};

/// 2026-03-01T06:41:09.120Z.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_772_347_269_120);
pub(super) const TELE: &str = "appl/v1/ts-flash5/F5-1/tele";
pub(super) const EVENT: &str = "appl/v1/ts-flash5/F5-1/event";
pub(super) const BATCH: &str = "appl/v1/ts-flash5/F5-1/batch";
pub(super) const STATE: &str = "appl/v1/ts-flash5/F5-1/state";
pub(super) const IDENT: &str = "appl/v1/ts-flash5/F5-1/ident";

/// Two models with the usual window.
pub(super) struct TwoModels;

impl Models for TwoModels {
    fn plausible(&self, model: &str) -> Option<(i64, i64)> {
        matches!(model, "ts-flash5" | "tb-iq9").then_some((45 * DAY_MS, 10 * MINUTE_MS))
    }
}

pub(super) fn message(topic: &str, payload: impl AsRef<[u8]>) -> RawMessage {
    RawMessage {
        source: "listener".into(),
        topic: topic.into(),
        payload: bytes::Bytes::copy_from_slice(payload.as_ref()),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

pub(super) fn decode_at(state: &mut DecodeState, at: Timestamp, message: &RawMessage) -> Decoded {
    state.decode(at, message, &TwoModels)
}

/// Decodes what must be understood.
pub(super) fn taken_at(state: &mut DecodeState, at: Timestamp, message: &RawMessage) -> Telemetry {
    match decode_at(state, at, message) {
        Decoded::Telemetry(telemetry) => telemetry,
        other => panic!("{} was not taken: {other:?}", message.topic),
    }
}

pub(super) fn taken(topic: &str, payload: &str) -> Telemetry {
    taken_at(&mut DecodeState::new(), NOW, &message(topic, payload))
}

/// Decodes what must be refused.
pub(super) fn refused(topic: &str, payload: impl AsRef<[u8]>) -> Rejection {
    match decode_at(&mut DecodeState::new(), NOW, &message(topic, payload)) {
        Decoded::Rejected(rejection) => rejection,
        other => panic!("{topic} was not refused: {other:?}"),
    }
}

/// Seconds since 1970, as devices write them.
pub(super) fn seconds(at: Timestamp) -> String {
    format!(
        "{}.{:03}",
        at.ms().div_euclid(1_000),
        at.ms().rem_euclid(1_000)
    )
}

pub(super) fn tele(at: Timestamp) -> RawMessage {
    message(TELE, format!(r#"{{"ts":{},"s":{{"a":1}}}}"#, seconds(at)))
}

pub(super) fn counted(seq: u64, at: Timestamp) -> RawMessage {
    message(
        TELE,
        format!(r#"{{"ts":{},"seq":{seq},"s":{{"a":1}}}}"#, seconds(at)),
    )
}

pub(super) fn number(value: f64) -> Scalar {
    Scalar::Number(value)
}
