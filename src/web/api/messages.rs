//! `GET /devices/{model}/{serial}/messages`: what a device said last, as it came.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::{IntoParams, ToSchema};

use crate::decode::Hint;
use crate::store::{PAYLOAD_KEPT_BYTES, RejectedRow};
use crate::telemetry::{Position, Timestamp};
use crate::web::WebState;
use crate::web::backend::HeardMessage;
use crate::web::extract::{Params, PathOf, page_size, parsed, path_device};
use crate::web::problem::Problem;

use super::decode::HintShape;
use super::rejected::{hex, text_of};

/// How many, and from where.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessageParams {
    /// 1 to 500; 50 unless told.
    limit: Option<usize>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A message as it came.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageAnswer {
    /// Its place in the journal.
    position: u64,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Which connection it came over.
    #[schema(value_type = String)]
    source: SmolStr,
    #[schema(value_type = String)]
    topic: SmolStr,
    /// The broker had it retained.
    retained: bool,
    /// Size of the payload in bytes.
    size: u64,
    /// The beginning of the payload, when it is text.
    payload_text: Option<String>,
    /// The beginning of the payload in hexadecimal digits, when it is not text.
    payload_hex: Option<String>,
    /// The payload is longer than what is shown here.
    payload_cut: bool,
    /// What of it could not be used, and why; empty when it was understood or received before.
    refused: Vec<RefusedAnswer>,
    /// What is probably wrong with it.
    #[schema(value_type = Vec<HintShape>)]
    hints: Vec<Hint>,
}

/// Why a message, or one record of it, could not be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Refused)]
pub(super) struct RefusedAnswer {
    /// Index of the record in its batch; null when the whole message was refused.
    item: Option<u32>,
    #[schema(value_type = String, example = "invalid_json")]
    reason: SmolStr,
    /// What exactly was wrong.
    detail: String,
}

/// A page of messages.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MessageList)]
pub(super) struct MessagesAnswer {
    items: Vec<MessageAnswer>,
    /// For `after=`; null when the journal has no older ones. A page may be short and yet have a next one: only so much of the
    /// journal is looked through at once.
    next: Option<String>,
}

/// The messages of a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{model}/{serial}/messages", tag = "devices",
    params(("model" = String, Path), ("serial" = String, Path), MessageParams),
    responses((status = 200, body = MessagesAnswer), (status = 400, description = "a parameter cannot be read")))]
pub(super) async fn messages(
    State(state): State<WebState>,
    PathOf((model, serial)): PathOf<(String, String)>,
    Params(params): Params<MessageParams>,
) -> Result<Json<MessagesAnswer>, Problem> {
    let device = path_device(&model, &serial)?;
    let limit = page_size(params.limit)?;
    let before = params
        .after
        .map(|after| parsed::<u64>("after", &after))
        .transpose()?;
    let page = state
        .backend
        .messages(&device, before.map(Position), limit)
        .await
        .map_err(|error| Problem::unavailable(error.to_string()))?;
    let positions: Vec<Position> = page.items.iter().map(|item| item.position).collect();
    let mut refused: BTreeMap<Position, Vec<RefusedAnswer>> = BTreeMap::new();
    for row in state.store.rejected_at(&positions).await? {
        refused.entry(row.position).or_default().push(row.into());
    }
    let items = page.items.into_iter().map(|heard| {
        let refused = refused.remove(&heard.position).unwrap_or_default();
        MessageAnswer::new(heard, refused)
    });
    Ok(Json(MessagesAnswer {
        items: items.collect(),
        next: page.next.map(|next| next.0.to_string()),
    }))
}

impl MessageAnswer {
    fn new(heard: HeardMessage, refused: Vec<RefusedAnswer>) -> Self {
        let message = heard.message;
        let whole = &message.payload[..];
        let shown = whole.get(..PAYLOAD_KEPT_BYTES).unwrap_or(whole);
        let text = text_of(shown).map(str::to_owned);
        let size = message.oversize.unwrap_or(whole.len() as u64);
        Self {
            position: heard.position.0,
            received_at: heard.received_at,
            retained: message.retained,
            size,
            payload_hex: text.is_none().then(|| hex(shown)),
            payload_text: text,
            payload_cut: size > shown.len() as u64,
            refused,
            hints: heard.hints,
            source: message.source,
            topic: message.topic,
        }
    }
}

impl From<RejectedRow> for RefusedAnswer {
    fn from(row: RejectedRow) -> Self {
        Self {
            item: row.item,
            reason: row.reason,
            detail: row.detail,
        }
    }
}
