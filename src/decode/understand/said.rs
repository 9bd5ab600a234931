//! What the payload itself says of time, before any rule looks at it.

use serde_json::Value;

use crate::telemetry::RawMessage;

/// Times in a payload; more are of no use to a hint.
const TIMES_LIMIT: usize = 1_000;

/// What the payload says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// `ts` of the message, or of each record of a batch, as it stands there; `None` where there is none.
    pub(super) times: Vec<Option<f64>>,
}

impl Said {
    /// Reads a JSON or CBOR object; anything else says nothing.
    pub(super) fn of(message: &RawMessage) -> Self {
        let Some(object) = object(message) else {
            return Self::default();
        };
        let time = |record: &Value| {
            let told = record.get("ts")?;
            told.as_f64()
                .or_else(|| told.as_str().and_then(|text| text.trim().parse().ok()))
        };
        let times = match object.get("recs").and_then(Value::as_array) {
            Some(records) => records.iter().take(TIMES_LIMIT).map(time).collect(),
            None => vec![time(&object)],
        };
        Self { times }
    }
}

fn object(message: &RawMessage) -> Option<Value> {
    let json: Option<Value> = serde_json::from_slice(&message.payload).ok();
    json.or_else(|| ciborium::from_reader(&message.payload[..]).ok())
        .filter(Value::is_object)
}
