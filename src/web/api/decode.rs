//! `POST /decode`: what would be understood of a message, for the one who connects a device. Nothing is stored.

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use smol_str::SmolStr;
use utoipa::ToSchema;

use crate::decode::Understanding;
use crate::telemetry::{RawMessage, Timestamp};
use crate::web::WebState;
use crate::web::extract::{JsonBody, read_fields};
use crate::web::problem::Problem;

use super::answer::TextShape;

/// Longest topic; MQTT allows 65,535 bytes.
const TOPIC_LIMIT: usize = 65_535;

/// A message to look at.
#[derive(Deserialize, ToSchema)]
#[schema(as = DecodeRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct DecodeRequest {
    #[schema(example = "appl/v1/model-a/SERIAL-1/tele")]
    topic: String,
    /// Text as it is sent, or a JSON value as it would be sent.
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
    /// Instead of `payload`, for what is no text: hexadecimal digits.
    payload_hex: Option<String>,
    /// When it came; now unless told.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
    /// It is a broker's retained copy.
    #[serde(default)]
    retained: bool,
    /// MQTT 5 content type.
    content_type: Option<String>,
}

/// What is probably wrong, and what was perhaps meant.
#[derive(ToSchema)]
#[schema(as = Hint)]
#[expect(
    dead_code,
    reason = "only described: the answers carry decode's Hint, which has the same fields"
)]
pub(super) struct HintShape {
    /// `ts_in_milliseconds`, `ts_is_local_time`, `ts_not_plausible`, `seq_restarted`, `unknown_path`, `always_retained`,
    /// `unknown_kind`, `unknown_model`, `unknown_topic`, `out_of_range` or `no_value`.
    name: String,
    text: TextShape,
    did_you_mean: Option<String>,
    /// The piece of topic or payload that it is about.
    mark: Option<String>,
}

/// What is understood of a message.
#[derive(ToSchema)]
#[schema(as = Understanding)]
#[expect(
    dead_code,
    reason = "only described: the answer is decode's Understanding, which has the same fields"
)]
pub(super) struct UnderstandingShape {
    convention: Option<String>,
    kind: Option<String>,
    device: Option<String>,
    model_known: bool,
    #[schema(format = DateTime)]
    received_at: String,
    /// `decoded`, `duplicate` or `rejected`.
    result: String,
    reason: Option<String>,
    detail: Option<String>,
    retained: bool,
    online: Option<bool>,
    identity: Option<Value>,
    /// Event time and why, counter, event, and each path with alias, label, value and what it reads.
    records: Vec<Value>,
    records_left_out: usize,
    bad_records: Vec<Value>,
    hints: Vec<HintShape>,
}

/// Looks at a message as if it came now.
#[utoipa::path(post, path = "/api/v1/decode", tag = "devices", request_body = DecodeRequest,
    responses((status = 200, body = UnderstandingShape), (status = 422, description = "the message cannot be read")))]
pub(super) async fn decode(
    State(state): State<WebState>,
    body: JsonBody,
) -> Result<Json<Understanding>, Problem> {
    let request: DecodeRequest = read_fields("a message", body.fields)?;
    if request.topic.is_empty() || request.topic.len() > TOPIC_LIMIT {
        return Err(Problem::invalid("topic: expected 1 to 65,535 bytes"));
    }
    let payload: Bytes = match (request.payload, request.payload_hex) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "payload and payload_hex: give one of the two",
            ));
        }
        (Some(Value::String(text)), None) => text.into(),
        (Some(value), None) => value.to_string().into(),
        (None, Some(digits)) => unhex(&digits)
            .ok_or_else(|| Problem::invalid("payload_hex: expected pairs of hexadecimal digits"))?
            .into(),
        (None, None) => Bytes::new(),
    };
    let message = RawMessage {
        source: SmolStr::new_static("decode"),
        topic: request.topic.into(),
        payload,
        qos: 1,
        dup: false,
        retained: request.retained,
        queued: false,
        content_type: request.content_type.map(SmolStr::from),
        oversize: None,
    };
    let received_at = request.received_at.unwrap_or_else(|| state.backend.now());
    Ok(Json(state.backend.decode(&message, received_at)))
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes();
    let pairs = bytes.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}
