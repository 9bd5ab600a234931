//! `POST /tickets/actions`: one move for every case that was chosen in the queue.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use smol_str::SmolStr;
use smol_str::format_smolstr;

use crate::telemetry::Control;
use crate::telemetry::Text;
use crate::telemetry::TicketAction;
use crate::web::WebState;
use crate::web::once::submit;

use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Posted;
use crate::web::pages::visit::own_path;

/// Most tickets that one form acts on: those of a page.
const TICKETS_LIMIT: usize = 300;
/// Longest name of a person.
const NAME_CHARS: usize = 64;

/// Acts on every ticket of the chosen cases. What a ticket's status does not allow is left as it is and told.
pub(in crate::web::pages) async fn act(State(state): State<WebState>, posted: Posted) -> Response {
    match done(&state, &posted).await {
        Ok(response) => response,
        Err(refusal) => refusal.on(&posted.visit, &state).await,
    }
}

async fn done(state: &WebState, posted: &Posted) -> Result<Response, Refusal> {
    let fields = &posted.fields;
    let ids: Vec<SmolStr> = fields
        .all("ticket")
        .flat_map(str::split_whitespace)
        .map(SmolStr::new)
        .take(TICKETS_LIMIT)
        .collect();
    if ids.is_empty() {
        return Err(refused(
            "Choose at least one case first.",
            "请先选择至少一件。",
        ));
    }
    let action = match fields.get("action") {
        Some("acknowledge") => TicketAction::Acknowledge,
        Some("assign") => match fields.get("to") {
            Some(to) if to.chars().count() <= NAME_CHARS => TicketAction::Assign { to: to.into() },
            _ => return Err(refused("Choose a person first.", "请先选择负责人。")),
        },
        _ => return Err(refused("There is no such action.", "没有这个操作。")),
    };
    let key = fields.get("key").unwrap_or_default();
    let mut left = Vec::new();
    for id in &ids {
        let control = Control::Ticket {
            ticket: id.clone(),
            action: action.clone(),
            by: posted.visit.caller.name.clone(),
            expected_version: None,
            key: (!key.is_empty()).then(|| format_smolstr!("{key}/{id}")),
        };
        if submit(state, control).await.is_err() {
            left.push(id.as_str());
        }
    }
    if left.is_empty() {
        let back = own_path(fields.get("return_to"));
        let join = if back.contains('?') { '&' } else { '?' };
        return Ok(Redirect::to(&format!("{back}{join}saved=1")).into_response());
    }
    let list = left.join(", ");
    Err(refused(
        &format!("Done, but not for {list}: their status does not allow it."),
        &format!("已执行，但 {list} 的状态不允许此操作。"),
    ))
}

fn refused(en: &str, zh: &str) -> Refusal {
    Refusal::said(StatusCode::UNPROCESSABLE_ENTITY, Text::new(en, zh))
}
