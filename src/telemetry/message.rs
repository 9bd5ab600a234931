//! A message as it arrived, and as it was understood.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{DeviceId, Identity, Timestamp};

/// The name of the built-in listener as a source; no `[[broker]]` may have it.
pub const LISTENER: &str = "listener";

/// An MQTT application message as intake took it, before anyone understood it.
///
/// The time of receipt is not here: the journal's writer gives it ([`super::Entry::received_at`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawMessage {
    /// Which connection it came over: the name of a `[[broker]]`, [`LISTENER`], or `recording`.
    pub source: SmolStr,
    /// The MQTT topic.
    pub topic: SmolStr,
    /// The payload, untouched.
    #[serde(with = "payload")]
    pub payload: Bytes,
    /// MQTT quality of service, 0 to 2.
    pub qos: u8,
    /// The MQTT DUP flag.
    pub dup: bool,
    /// A retained copy: what an external broker sends upon subscribing. It gives identity and state only.
    pub retained: bool,
    /// It came out of the broker's queue before the fence: a record without a time of its own has an unknown one.
    pub queued: bool,
    /// The MQTT 5 content type.
    pub content_type: Option<SmolStr>,
    /// Set when the message was over the size limit: its full length in bytes. `payload` then holds the first 4 KiB.
    pub oversize: Option<u64>,
}

/// Bytes in binary formats, hexadecimal text in JSON.
mod payload {
    use bytes::Bytes;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return bytes.serialize(serializer);
        }
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
        let text: String = bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
            .collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        if !deserializer.is_human_readable() {
            return Bytes::deserialize(deserializer);
        }
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let wrong = || D::Error::custom("a payload is written as pairs of hexadecimal digits");
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        pairs
            .collect::<Option<Vec<u8>>>()
            .map(Bytes::from)
            .ok_or_else(wrong)
    }
}

/// One value as the wire carried it; the profile gives it unit and meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Scalar {
    /// A finite number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// Text, possibly a number or a truth value in writing.
    Text(SmolStr),
    /// Explicitly no value (`null`, `"nan"`).
    Null,
}

/// One value of one path at one instant (the field's word: sample).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The wire path, such as `water.out_c`.
    pub path: SmolStr,
    /// The value.
    pub value: Scalar,
}

/// What a device was doing at one instant: samples, and possibly an occurrence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TelemetryRecord {
    /// When it happened, by the rules of DESIGN section 6.
    pub event_time: Timestamp,
    /// `event_time` is not what the device said (implausible, corrected, or taken from receipt).
    pub clock_suspect: bool,
    /// The device gave no time and the message came out of a queue: it updates last values, but moves no timer, rate or count.
    pub time_unknown: bool,
    /// The device's record counter.
    pub seq: Option<u64>,
    /// The occurrence's name, when this record is an event.
    pub event: Option<SmolStr>,
    /// The samples; for an event its fields, under `event.field`.
    pub readings: Vec<Reading>,
}

/// The device says (or its will says) whether it is online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// On the air.
    pub online: bool,
    /// Firmware it reports.
    pub fw: Option<SmolStr>,
    /// Its restart counter.
    pub boot: Option<u64>,
}

/// One MQTT message, understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Which device it speaks of.
    pub device: DeviceId,
    /// A retained copy: identity and state only, `records` is empty.
    pub retained: bool,
    /// It came as a batch (offline back-fill): applied whole before anything is decided.
    pub batch: bool,
    /// How much later than usual for this device it arrived, in ms: receipt minus corrected event time of its newest record.
    /// `None` when it carried no time.
    pub lag_ms: Option<i64>,
    /// The records, sorted by (event time, seq).
    pub records: Vec<TelemetryRecord>,
    /// Presence, when the message tells it.
    pub availability: Option<Availability>,
    /// Identity, when the message tells it.
    pub identity: Option<Identity>,
    /// Records of a batch that were refused; each alone.
    pub bad_records: Vec<BadRecord>,
    /// Records of a batch that had been received before.
    pub duplicate_records: u32,
    /// The device's counter was found to have restarted without a new `boot`.
    pub seq_restarted: bool,
    /// This message made the device known.
    pub new_device: bool,
}

/// A record of a batch that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRecord {
    /// Its index in the batch, from 0.
    pub index: u32,
    /// Why.
    pub rejection: Rejection,
}

/// Why a message or a record was not used, in a closed list (also the metric's label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// No source setting claims the topic, or it has the wrong parts.
    UnknownTopic,
    /// The last part of a native topic is none of the five kinds.
    UnknownKind,
    /// No profile knows the model.
    UnknownModel,
    /// A device that is not (yet) accepted: over the strangers' budget, or `unknown = "quarantine"`.
    UnknownDevice,
    /// The payload is over the size limit.
    TooLarge,
    /// More records than one batch may have.
    TooManyRecords,
    /// Nested deeper than allowed.
    TooDeep,
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON.
    InvalidJson,
    /// Not CBOR.
    InvalidCbor,
    /// JSON or CBOR, but not of the shape that the kind asks for.
    InvalidShape,
    /// A record of a batch without a time.
    NoTime,
    /// Serial or model in the payload differ from the topic.
    IdentityMismatch,
    /// The empty payload that deletes a retained message, on a kind where it means nothing.
    Empty,
    /// A fault of our own; the message is kept so that it can be replayed after a fix.
    InternalError,
}

impl RejectReason {
    /// The name used in the API, in metrics and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTopic => "unknown_topic",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownModel => "unknown_model",
            Self::UnknownDevice => "unknown_device",
            Self::TooLarge => "too_large",
            Self::TooManyRecords => "too_many_records",
            Self::TooDeep => "too_deep",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::InvalidCbor => "invalid_cbor",
            Self::InvalidShape => "invalid_shape",
            Self::NoTime => "no_time",
            Self::IdentityMismatch => "identity_mismatch",
            Self::Empty => "empty",
            Self::InternalError => "internal_error",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Longest sentence of a refusal, in characters. What is longer, because a reader's error repeats what the device wrote, loses its end.
const DETAIL_CHARS: usize = 390;

/// A refusal with the sentence that tells the person what was wrong, where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The class of the refusal.
    pub reason: RejectReason,
    /// What exactly, at most 390 characters, and a mark where it was cut.
    pub detail: String,
}

impl Rejection {
    /// A refusal with its sentence.
    pub fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_CHARS) {
            detail.truncate(end);
            detail.push('…');
        }
        Self { reason, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_never_longer_than_a_person_reads() {
        let long = Rejection::new(RejectReason::InvalidShape, "错".repeat(10_000));
        assert_eq!(long.detail.chars().count(), DETAIL_CHARS + 1);
        assert!(long.detail.ends_with("错…"));
        let fits = "错".repeat(DETAIL_CHARS);
        assert_eq!(
            Rejection::new(RejectReason::InvalidShape, fits.clone()).detail,
            fits
        );
    }
}
