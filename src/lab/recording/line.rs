//! One line of a recording, read.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::tst::parse_tst;
use crate::telemetry::{Control, Position, RawMessage, Record, Timestamp};

/// The source that a message is given when its line names none.
const SOURCE: &str = "recording";

/// The fields of a line; what else a tool writes is passed over.
#[derive(Deserialize)]
struct Fields {
    tst: Option<Value>,
    topic: Option<SmolStr>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: Flag,
    #[serde(default)]
    dup: Flag,
    #[serde(default)]
    queued: Flag,
    /// Told apart from `null`, which `%J` prints for an empty payload.
    #[serde(default, deserialize_with = "present")]
    payload: Option<Value>,
    payloadlen: Option<u64>,
    payload_hex: Option<String>,
    source: Option<SmolStr>,
    content_type: Option<SmolStr>,
    /// MQTT 5 properties as `mosquitto_sub` prints them.
    properties: Option<Value>,
    oversize: Option<u64>,
    position: Option<Position>,
    control: Option<Control>,
}

/// `0`, `1`, `true`, `false`.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "Value")]
struct Flag(bool);

impl TryFrom<Value> for Flag {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match (value.as_bool(), value.as_u64()) {
            (Some(flag), _) => Ok(Self(flag)),
            (None, Some(0)) => Ok(Self(false)),
            (None, Some(1)) => Ok(Self(true)),
            (None, _) => Err("a flag is neither 0 nor 1".into()),
        }
    }
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a line holds.
pub(super) struct Parsed {
    /// The time of receipt, as it stands.
    pub(super) tst: Timestamp,
    /// The place in the journal that it was exported from.
    pub(super) position: Option<Position>,
    /// The record.
    pub(super) record: Record,
}

/// Reads a line; the error is the reason for skipping it.
pub(super) fn parse(line: &[u8]) -> Result<Parsed, String> {
    let fields: Fields = serde_json::from_slice(line)
        .map_err(|error| format!("it is not an object of a recording: {error}"))?;
    let tst = time(fields.tst.as_ref())?;
    let position = fields.position;
    let record = match (&fields.control, &fields.topic) {
        (Some(_), Some(_)) => return Err("it has both a topic and a control".into()),
        (None, None) => return Err("it has neither a topic nor a control".into()),
        (Some(control), None) => Record::Control(control.clone()),
        (None, Some(_)) => Record::Message(message(fields)?),
    };
    Ok(Parsed {
        tst,
        position,
        record,
    })
}

fn time(tst: Option<&Value>) -> Result<Timestamp, String> {
    let tst = tst.ok_or("it has no tst")?;
    let text = tst
        .as_str()
        .ok_or("its tst is not text such as 2026-03-01T06:41:09.120000Z+0000")?;
    parse_tst(text).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        format!("its tst is '{text}'; expected such as 2026-03-01T06:41:09.120000Z+0000")
    })
}

fn message(fields: Fields) -> Result<RawMessage, String> {
    if fields.qos > 2 {
        return Err(format!("its qos is {}; expected 0 to 2", fields.qos));
    }
    let payload = match (&fields.payload_hex, fields.payload) {
        (Some(hex), _) => from_hex(hex)?,
        (None, Some(Value::String(text))) => text.into_bytes(),
        // Four bytes that say null, or no bytes at all.
        (None, Some(Value::Null)) if fields.payloadlen != Some(4) => Vec::new(),
        (None, Some(value)) => value.to_string().into_bytes(),
        (None, None) => return Err("it has neither payload nor payload_hex".into()),
    };
    let content_type = fields
        .content_type
        .or_else(|| fields.properties.as_ref().and_then(content_type));
    Ok(RawMessage {
        source: fields.source.unwrap_or_else(|| SOURCE.into()),
        topic: fields.topic.unwrap_or_default(),
        payload: Bytes::from(payload),
        qos: fields.qos,
        dup: fields.dup.0,
        retained: fields.retain.0,
        queued: fields.queued.0,
        content_type,
        oversize: fields.oversize,
    })
}

fn content_type(properties: &Value) -> Option<SmolStr> {
    properties
        .as_object()?
        .iter()
        .find(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("content-type"))
        .and_then(|(_, value)| value.as_str())
        .map(SmolStr::new)
}

fn from_hex(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| "its payload_hex is not pairs of hexadecimal digits".to_owned())
}
