//! `POST /tickets/{id}/actions`: what a person does on a ticket's page; the same decisions as the API's, told as a page.
//!
//! A mistake brings the page back with the form as it was; someone who was faster leaves the person's own text where it is kept
//! and offered as a comment. After a success the browser goes to the page itself, so that a reload repeats nothing.

use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use chrono::NaiveDate;
use serde_json::Map;
use serde_json::Value;

use crate::store::BLOB_LIMIT_BYTES;
use crate::telemetry::Timestamp;
use crate::web::WebState;
use crate::web::api::act_on_ticket;
use crate::web::extract::JsonBody;

use super::texts::Texts;
use super::ticket;
use super::ticket::Tried;
use super::visit::Fields;
use super::visit::Posted;

/// Longest name of a person.
const NAME_CHARS: usize = 64;
/// When a wait ends on its day: at the start of work.
const WAIT_ENDS_HOUR: u32 = 9;

/// Does it.
pub(super) async fn act(
    State(state): State<WebState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let fields = match read(&state, &posted) {
        Ok(fields) => fields,
        Err(mistake) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return again(&state, &id, posted, status, Some(mistake)).await;
        }
    };
    let mut headers = HeaderMap::new();
    if let Some(key) = posted.fields.get("key")
        && let Ok(key) = HeaderValue::from_str(key)
    {
        headers.insert("idempotency-key", key);
    }
    let raw = Value::Object(fields.clone()).to_string().into();
    let body = JsonBody { raw, fields };
    match act_on_ticket(&state, &posted.visit.caller, &id, &headers, body).await {
        Ok(response) => {
            let note = if response.status() == StatusCode::ACCEPTED {
                "taken"
            } else {
                "saved"
            };
            Redirect::to(&format!("/tickets/{id}?{note}=1")).into_response()
        }
        Err(problem) => {
            let said = posted.visit.texts().one(&problem.text()).to_owned();
            again(&state, &id, posted, problem.status(), Some(said)).await
        }
    }
}

/// The page with the form as it was, and what was wrong with it.
async fn again(
    state: &WebState,
    id: &str,
    posted: Posted,
    status: StatusCode,
    mistake: Option<String>,
) -> Response {
    let was_late = status == StatusCode::PRECONDITION_FAILED;
    let Posted { visit, fields } = posted;
    let tried = Tried {
        fields,
        mistake: mistake.filter(|_| !was_late),
        stale: was_late,
        taken: false,
    };
    match ticket::draw(state, &visit, id, None, tried).await {
        Ok(page) => (status, page).into_response(),
        Err(refusal) => refusal.on(&visit, state).await,
    }
}

/// The form as the API's request; a mistake in the words of the page.
fn read(state: &WebState, posted: &Posted) -> Result<Map<String, Value>, String> {
    let (t, fields) = (posted.visit.texts(), &posted.fields);
    let say = |key: &'static str| t.say(key).to_string();
    let action = fields.get("action").unwrap_or_default();
    let mut out = Map::new();
    out.insert("action".to_owned(), action.into());
    // A remark is never too late: it changes nothing that someone else may have changed.
    let versioned = fields.get("expected_version");
    if let Some(version) = versioned.filter(|_| action != "comment") {
        let version: u64 = version.parse().map_err(|_| say("ticket-bad-version"))?;
        out.insert("expected_version".to_owned(), version.into());
    }
    match action {
        "assign" => {
            let to = fields.get("to").ok_or_else(|| say("ticket-bad-name"))?;
            if to.chars().count() > NAME_CHARS || to.chars().any(char::is_control) {
                return Err(say("ticket-bad-name"));
            }
            out.insert("to".to_owned(), to.into());
        }
        "wait" => {
            let reason = fields.get("for").ok_or_else(|| say("ticket-bad-wait"))?;
            out.insert("for".to_owned(), reason.into());
            let until = fields
                .get("until")
                .and_then(|day| wait_end(state, day))
                .ok_or_else(|| say("ticket-bad-until"))?;
            if until <= state.backend.now() {
                return Err(say("ticket-bad-until"));
            }
            out.insert("until".to_owned(), until.to_string().into());
            text(t, fields, "note", &mut out)?;
        }
        "comment" => {
            let written = text(t, fields, "text", &mut out)?;
            if !written {
                return Err(say("ticket-bad-comment"));
            }
        }
        "resolve" => {
            let verdict = fields.get("verdict");
            let verdict = verdict.ok_or_else(|| say("ticket-bad-verdict"))?;
            out.insert("verdict".to_owned(), verdict.into());
            let parts: Vec<Value> = fields.all("parts").map(Value::from).collect();
            out.insert("parts".to_owned(), parts.into());
            text(t, fields, "note", &mut out)?;
        }
        "reopen" => {
            text(t, fields, "reason", &mut out)?;
        }
        _ => {}
    }
    Ok(out)
}

/// Takes a text over; tells whether there was one.
fn text(
    t: Texts,
    fields: &Fields,
    name: &str,
    out: &mut Map<String, Value>,
) -> Result<bool, String> {
    let Some(text) = fields.get(name) else {
        return Ok(false);
    };
    if text.len() > BLOB_LIMIT_BYTES {
        let mistake = t
            .say("ticket-bad-text")
            .num("limit", BLOB_LIMIT_BYTES / 1024);
        return Err(mistake.to_string());
    }
    out.insert(name.to_owned(), text.into());
    Ok(true)
}

/// When a wait until this day ends: at the start of work, or at its last second when that is over.
fn wait_end(state: &WebState, day: &str) -> Option<Timestamp> {
    let day: NaiveDate = day.parse().ok()?;
    let local = |hour, minute, second| {
        let time = day.and_hms_opt(hour, minute, second)?;
        let time = time.and_local_timezone(state.site.timezone).earliest()?;
        Some(Timestamp::from_ms(time.timestamp_millis()))
    };
    let morning = local(WAIT_ENDS_HOUR, 0, 0)?;
    if morning > state.backend.now() {
        return Some(morning);
    }
    local(23, 59, 59)
}
