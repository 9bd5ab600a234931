//! `GET /rejected` and `POST /rejected/replay`: what could not be used, and decoding it once more after a fix.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use smol_str::SmolStr;
use utoipa::{IntoParams, ToSchema};

use crate::store::{PAGE_LIMIT, RejectedFilter, RejectedRow};
use crate::telemetry::{DeviceId, Position, Timestamp};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::extract::{JsonBody, Params, page_size, parsed, read_fields};
use crate::web::once::{Answer, Asked, Replayed, once, replay as replay_these};
use crate::web::problem::Problem;

/// Most messages of one replay: one page, so that the pipeline is not held up by one control.
const REPLAY_LIMIT: usize = PAGE_LIMIT;

/// Which rejected messages.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RejectedParams {
    /// Such as `unknown_model` or `invalid_json`.
    reason: Option<String>,
    /// `model/serial`.
    device: Option<String>,
    /// `true`: those that a replay has taken since; `false`: those still refused.
    replayed: Option<bool>,
    /// 1 to 500; 50 unless told.
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A message, or one record of a batch, that could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Rejected)]
pub(super) struct RejectedAnswer {
    /// Its place in the journal; what a replay asks for.
    position: u64,
    /// Index of the record in its batch; null when the whole message was refused.
    item: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Which connection it came over.
    #[schema(value_type = String)]
    source: SmolStr,
    #[schema(value_type = String)]
    topic: SmolStr,
    #[schema(value_type = String, example = "invalid_json")]
    reason: SmolStr,
    /// What exactly was wrong.
    detail: String,
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// The beginning of the payload, when it is text.
    payload_text: Option<String>,
    /// The beginning of the payload in hexadecimal digits, when it is not text.
    payload_hex: Option<String>,
    /// The payload is longer than what is shown here.
    payload_cut: bool,
    /// When a replay took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    replayed_at: Option<Timestamp>,
}

/// A page of rejected messages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RejectedList)]
pub(super) struct RejectedListAnswer {
    items: Vec<RejectedAnswer>,
    /// For `after=`; null on the last page.
    next: Option<String>,
}

/// What to decode once more: these positions, or all that are still refused for a reason or of a device.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayRequest)]
pub(super) struct ReplayFields {
    /// At most 500.
    positions: Option<Vec<u64>>,
    /// Such as `unknown_model`.
    reason: Option<String>,
    /// `model/serial`.
    device: Option<String>,
}

/// Rejected messages, newest first.
#[utoipa::path(get, path = "/api/v1/rejected", tag = "rejected", params(RejectedParams),
    responses((status = 200, body = RejectedListAnswer), (status = 400, description = "a filter cannot be read")))]
pub(super) async fn rejected(
    State(state): State<WebState>,
    Params(params): Params<RejectedParams>,
) -> Result<Json<RejectedListAnswer>, Problem> {
    let filter = RejectedFilter {
        reason: params.reason,
        device: read_device(params.device.as_deref())?,
        replayed: params.replayed,
        limit: page_size(params.limit)?,
        after: params.after,
    };
    let page = state.store.rejected(&filter).await?;
    Ok(Json(RejectedListAnswer {
        items: page.items.into_iter().map(RejectedAnswer::from).collect(),
        next: page.next,
    }))
}

/// Decodes rejected messages once more. `positions` in the answer are those taken up; at most 500 at a time, oldest first.
/// `gone` are those that the journal does not have any more: they stay refused.
#[utoipa::path(post, path = "/api/v1/rejected/replay", tag = "rejected", request_body = ReplayFields,
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key again gets the same answer")),
    responses((status = 200, description = "done"), (status = 202, description = "on its way"),
        (status = 422, description = "nothing was named")))]
pub(super) async fn replay(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let fields: ReplayFields = read_fields("replay", body.fields)?;
    let asked = Asked {
        caller: &caller,
        headers: &headers,
        path: "/rejected/replay",
        body: &body.raw,
    };
    once(&state, asked, async |_| {
        let (positions, more) = choose(&state, &fields).await?;
        let (done, Replayed { kept, gone }) = replay_these(&state, positions).await?;
        let numbers = |positions: Vec<Position>| -> Vec<u64> {
            positions.into_iter().map(|position| position.0).collect()
        };
        let done = done.is_some();
        let status = if done {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        Ok(Answer {
            status,
            body: json!({"positions": numbers(kept), "gone": numbers(gone), "more": more, "done": done}),
        })
    })
    .await
}

/// Positions to replay, oldest first, and whether others are left.
async fn choose(state: &WebState, fields: &ReplayFields) -> Result<(Vec<Position>, bool), Problem> {
    if let Some(positions) = &fields.positions {
        if fields.reason.is_some() || fields.device.is_some() {
            return Err(Problem::invalid(
                "replay: either positions, or reason and device",
            ));
        }
        if positions.is_empty() || positions.len() > REPLAY_LIMIT {
            let detail = format!("replay: expected 1 to {REPLAY_LIMIT} positions");
            return Err(Problem::invalid(detail));
        }
        let positions: Vec<Position> = positions.iter().copied().map(Position).collect();
        return Ok((state.store.still_rejected(&positions).await?, false));
    }
    if fields.reason.is_none() && fields.device.is_none() {
        return Err(Problem::invalid(
            "replay: name positions, a reason or a device",
        ));
    }
    let device = read_device(fields.device.as_deref())?;
    let (reason, device) = (fields.reason.as_deref(), device.as_ref());
    let first = state.backend.first_kept();
    // What is gone is told, and takes no place of what can be replayed.
    let before = Position(0)..first;
    let (mut positions, _) = state.store.oldest_rejected(reason, device, before).await?;
    let kept = first..Position(u64::MAX);
    let (found, more) = state.store.oldest_rejected(reason, device, kept).await?;
    positions.extend(found);
    Ok((positions, more))
}

fn read_device(device: Option<&str>) -> Result<Option<DeviceId>, Problem> {
    device.map(|device| parsed("device", device)).transpose()
}

impl From<RejectedRow> for RejectedAnswer {
    fn from(row: RejectedRow) -> Self {
        let (payload_text, payload_hex) = match text_of(&row.payload) {
            Some(text) => (Some(text.to_owned()), None),
            None => (None, Some(hex(&row.payload))),
        };
        Self {
            position: row.position.0,
            item: row.item,
            received_at: row.received_at,
            source: row.source,
            topic: row.topic,
            reason: row.reason,
            detail: row.detail,
            device: row.device,
            payload_text,
            payload_hex,
            payload_cut: row.payload_len > row.payload.len() as u64,
            replayed_at: row.replayed_at,
        }
    }
}

/// The payload as text; a character that the cut went through is left out.
pub(super) fn text_of(payload: &[u8]) -> Option<&str> {
    match std::str::from_utf8(payload) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => payload
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok()),
        Err(_) => None,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_as_text_or_as_digits() {
        assert_eq!(text_of("水温".as_bytes()), Some("水温"));
        assert_eq!(text_of(&"水温".as_bytes()[..4]), Some("水"));
        assert_eq!(text_of(&[0xff, 0x01]), None);
        assert_eq!(text_of(b""), Some(""));
        assert_eq!(hex(&[0xff, 0x01]), "ff01");
    }
}
