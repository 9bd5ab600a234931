//! `POST /tickets/{id}/actions`: what a person does with a ticket.
//!
//! What a person wrote is kept first; the control in the journal names it by id only.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use smol_str::{SmolStr, format_smolstr};
use utoipa::ToSchema;

use crate::telemetry::{Control, TicketAction, Timestamp, Verdict, WaitFor};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::extract::{JsonBody, PathOf, if_match, read_fields, take_action};
use crate::web::once::{Answer, Asked, once, submit};
use crate::web::problem::Problem;

use super::tickets::{no_such_ticket, ticket_answer};

/// The actions, as a refusal lists them.
const ACTIONS: &str = "acknowledge, assign, start, wait, comment, resolve, close, reopen";
/// Longest user name or part number, in characters.
const NAME_LIMIT: usize = 64;
/// Most parts that one visit fits.
const PARTS_LIMIT: usize = 32;

/// What a person does with a ticket. Which fields belong to which action: `assign{to}` `wait{for,until,note}` `comment{text}`
/// `resolve{verdict,parts,note}` `reopen{reason}`; the others need none.
#[derive(ToSchema)]
#[schema(as = TicketActionRequest)]
#[expect(
    dead_code,
    reason = "only described: each action reads its own fields and refuses the others"
)]
pub(super) struct TicketActionShape {
    /// `acknowledge`, `assign`, `start`, `wait`, `comment`, `resolve`, `close` or `reopen`.
    #[schema(example = "resolve")]
    action: String,
    /// The version that the person saw; the same as `If-Match`.
    expected_version: Option<u64>,
    to: Option<String>,
    /// `customer`, `part` or `visit`.
    r#for: Option<String>,
    #[schema(format = DateTime)]
    until: Option<String>,
    text: Option<String>,
    /// `confirmed_fault consumable user_education environment no_fault_found sensor_error unreachable declined duplicate known_problem`.
    verdict: Option<String>,
    parts: Option<Vec<String>>,
    note: Option<String>,
    reason: Option<String>,
}

/// An action that was read, with the text that is not in the journal yet.
struct Asking {
    action: Draft,
    text: Option<String>,
    expected_version: Option<u64>,
}

/// An action before its text has an id.
enum Draft {
    Plain(TicketAction),
    /// The note becomes a comment of its own after it.
    Wait(WaitFields),
    Comment,
    Resolve(ResolveFields),
    Reopen,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignFields {
    to: SmolStr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitFields {
    r#for: WaitFor,
    until: Timestamp,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommentFields {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveFields {
    verdict: Verdict,
    #[serde(default)]
    parts: Vec<SmolStr>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReopenFields {
    reason: Option<String>,
}

/// Acts on a ticket. Answers with the ticket after the change, or with 202 when that takes longer than 2 s.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/actions", tag = "tickets",
    params(("id" = String, Path, example = "T-1"), ("If-Match" = Option<String>, Header, description = "the version that the person saw"),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key again gets the same answer")),
    request_body = TicketActionShape,
    responses((status = 200, body = super::answer::TicketAnswer), (status = 202, description = "on its way"),
        (status = 404, description = "there is no such ticket"), (status = 409, description = "its status does not allow it"),
        (status = 412, description = "it was changed meanwhile"), (status = 422, description = "the action cannot be used")))]
pub(super) async fn ticket_action(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    perform(&state, &caller, &id, &headers, body).await
}

/// Does what was asked, once per idempotency key; the form of a page asks the same way.
pub(in crate::web) async fn perform(
    state: &WebState,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    body: JsonBody,
) -> Result<Response, Problem> {
    let asking = read(body.fields, if_match(headers)?)?;
    if state.store.ticket(id).await?.is_none() {
        return Err(no_such_ticket(id));
    }
    let path = format!("/tickets/{id}/actions");
    let asked = Asked {
        caller,
        headers,
        path: &path,
        body: &body.raw,
    };
    once(state, asked, async |key| {
        act(state, caller, id, asking, key).await
    })
    .await
}

async fn act(
    state: &WebState,
    caller: &Caller,
    id: &str,
    asking: Asking,
    key: Option<SmolStr>,
) -> Result<Answer, Problem> {
    let blob = match &asking.text {
        Some(text) => Some(state.store.put_blob(text).await?),
        None => None,
    };
    let control = |action, expected_version, key| Control::Ticket {
        ticket: id.into(),
        action,
        by: caller.name.clone(),
        expected_version,
        key,
    };
    let (action, comment) = match asking.action {
        Draft::Plain(action) => (action, None),
        Draft::Comment => (
            TicketAction::Comment {
                blob: blob.unwrap_or_default(),
            },
            None,
        ),
        Draft::Resolve(ResolveFields { verdict, parts, .. }) => {
            let note = blob;
            (
                TicketAction::Resolve {
                    verdict,
                    parts,
                    note,
                },
                None,
            )
        }
        Draft::Reopen => (TicketAction::Reopen { reason: blob }, None),
        Draft::Wait(WaitFields {
            r#for: reason,
            until,
            ..
        }) => (TicketAction::Wait { reason, until }, blob),
    };
    let mut done = submit(state, control(action, asking.expected_version, key.clone())).await?;
    if let Some(blob) = comment {
        let key = key.map(|key| format_smolstr!("{key}/note"));
        let noted = submit(state, control(TicketAction::Comment { blob }, None, key)).await?;
        done = done.and(noted);
    }
    if done.is_none() {
        let body = json!({"accepted": true, "ticket": id, "detail": "the action is on its way; look at the ticket again"});
        return Ok(Answer {
            status: StatusCode::ACCEPTED,
            body,
        });
    }
    let (answer, _) = ticket_answer(state, id).await?;
    let body = serde_json::to_value(answer).map_err(|_| Problem::internal())?;
    Ok(Answer {
        status: StatusCode::OK,
        body,
    })
}

fn read(mut fields: Map<String, Value>, if_match: Option<u64>) -> Result<Asking, Problem> {
    let expected_version = read_version(fields.remove("expected_version"), if_match)?;
    let action = take_action(&mut fields, ACTIONS)?;
    let (action, text) = read_action(&action, fields)?;
    Ok(Asking {
        action,
        text,
        expected_version,
    })
}

fn read_action(
    action: &str,
    fields: Map<String, Value>,
) -> Result<(Draft, Option<String>), Problem> {
    let plain = |fields, draft| {
        read_fields::<NoFields>(action, fields).map(|NoFields {}| (Draft::Plain(draft), None))
    };
    match action {
        "acknowledge" => plain(fields, TicketAction::Acknowledge),
        "start" => plain(fields, TicketAction::Start),
        "close" => plain(fields, TicketAction::Close),
        "assign" => {
            let AssignFields { to } = read_fields(action, fields)?;
            check_name("to", &to)?;
            Ok((Draft::Plain(TicketAction::Assign { to }), None))
        }
        "wait" => {
            let mut wait: WaitFields = read_fields(action, fields)?;
            let note = written(wait.note.take());
            Ok((Draft::Wait(wait), note))
        }
        "comment" => {
            let CommentFields { text } = read_fields(action, fields)?;
            match written(Some(text)) {
                Some(text) => Ok((Draft::Comment, Some(text))),
                None => Err(Problem::invalid("comment: text is empty")),
            }
        }
        "resolve" => {
            let mut resolve: ResolveFields = read_fields(action, fields)?;
            if resolve.parts.len() > PARTS_LIMIT {
                let detail = format!("resolve: at most {PARTS_LIMIT} parts");
                return Err(Problem::invalid(detail));
            }
            resolve
                .parts
                .iter()
                .try_for_each(|part| check_name("parts", part))?;
            let note = written(resolve.note.take());
            Ok((Draft::Resolve(resolve), note))
        }
        "reopen" => {
            let ReopenFields { reason } = read_fields(action, fields)?;
            Ok((Draft::Reopen, written(reason)))
        }
        _ => {
            let shown: String = action.chars().take(40).collect();
            let detail = format!("action '{shown}': expected one of {ACTIONS}");
            Err(Problem::invalid(detail))
        }
    }
}

/// A text that says something.
fn written(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A user name or a part number.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if length == 0
        || length > NAME_LIMIT
        || name.trim() != name
        || name.chars().any(char::is_control)
    {
        return Err(Problem::invalid(format!(
            "{field}: expected 1 to {NAME_LIMIT} characters without spaces around them"
        )));
    }
    Ok(())
}

fn read_version(body: Option<Value>, header: Option<u64>) -> Result<Option<u64>, Problem> {
    let body = match body {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_u64().ok_or_else(|| {
            Problem::invalid("expected_version: expected the ticket's version, a whole number")
        })?),
    };
    match (body, header) {
        (Some(body), Some(header)) if body != header => Err(Problem::invalid(format!(
            "expected_version is {body} and If-Match is {header}; one of them is enough"
        ))),
        (body, header) => Ok(body.or(header)),
    }
}
