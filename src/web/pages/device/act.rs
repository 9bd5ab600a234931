//! What a person does with a device in a form: a part was replaced, it is retired or adopted, its refused messages are tried again.
//!
//! The same controls as the API's; each form is done once, however often its button is pressed.

use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use serde_json::json;

use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::Position;
use crate::telemetry::Text;
use crate::web::WebState;
use crate::web::once::Answer;
use crate::web::once::Asked;
use crate::web::once::once;
use crate::web::once::replay as replay_these;
use crate::web::once::submit;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Posted;

use super::overview;
use super::overview::Mistake;
use super::subject::Subject;

/// Longest lot, in characters; the API takes as much.
const LOT_CHARS: usize = 64;

/// `POST /devices/{model}/{serial}/actions`.
pub(super) async fn act(
    State(state): State<WebState>,
    Path((model, serial)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let subject = match Subject::of(&state, &model, &serial).await {
        Ok(subject) => subject,
        Err(refusal) => return refusal.on(&posted.visit, &state).await,
    };
    match read(&subject, &posted) {
        Ok(action) => done(&state, &subject, &posted, action).await,
        Err(mistake) => overview::with_mistake(&state, &posted, subject, mistake).await,
    }
}

/// What the form asks for.
fn read(subject: &Subject, posted: &Posted) -> Result<DeviceAction, Mistake> {
    let (fields, t) = (&posted.fields, posted.visit.texts());
    let mistake = |field: &'static str, key: &'static str| Mistake {
        field,
        words: t.say(key).to_string(),
    };
    match fields.get("action") {
        Some("part_replaced") => {
            let parts = subject.program.iter().flat_map(|program| &program.parts);
            let asked = fields.get("part");
            let part = parts
                .map(|part| part.number.clone())
                .find(|number| Some(number.as_str()) == asked)
                .ok_or_else(|| mistake("part", "device-choose-part"))?;
            let lot = fields.get("lot");
            if lot.is_some_and(|lot| {
                lot.chars().count() > LOT_CHARS || lot.chars().any(char::is_control)
            }) {
                return Err(mistake("lot", "device-lot-long"));
            }
            Ok(DeviceAction::PartReplaced {
                part,
                lot: lot.map(Into::into),
            })
        }
        Some("retire") if fields.get("sure").is_some() => Ok(DeviceAction::Retire),
        Some("retire") => Err(mistake("sure", "device-retire-sure")),
        Some("adopt") => Ok(DeviceAction::Adopt),
        _ => Err(mistake("action", "device-choose-action")),
    }
}

async fn done(
    state: &WebState,
    subject: &Subject,
    posted: &Posted,
    action: DeviceAction,
) -> Response {
    let path = format!("{}/actions", subject.address());
    let control = Control::Device {
        device: subject.id.clone(),
        action,
        by: posted.visit.caller.name.clone(),
    };
    let body = format!("{control:?}");
    let headers = key_of(posted);
    let asked = Asked {
        caller: &posted.visit.caller,
        headers: &headers,
        path: &path,
        body: body.as_bytes(),
    };
    let answered = once(state, asked, async |_| {
        let done = submit(state, control).await?.is_some();
        Ok(answer(done))
    })
    .await;
    back(state, posted, answered, &subject.address()).await
}

/// `POST /devices/{model}/{serial}/replay`: decodes what is still refused of the device once more.
pub(super) async fn replay(
    State(state): State<WebState>,
    Path((model, serial)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let subject = match Subject::of(&state, &model, &serial).await {
        Ok(subject) => subject,
        Err(refusal) => return refusal.on(&posted.visit, &state).await,
    };
    let path = format!("{}/replay", subject.address());
    let headers = key_of(&posted);
    let asked = Asked {
        caller: &posted.visit.caller,
        headers: &headers,
        path: &path,
        body: b"",
    };
    let mut lost = 0;
    let answered = once(&state, asked, async |_| {
        let (first, device) = (state.backend.first_kept(), Some(&subject.id));
        // What the journal does not have any more takes no place of what can be replayed.
        let before = Position(0)..first;
        let (gone, _) = state.store.oldest_rejected(None, device, before).await?;
        let kept = first..Position(u64::MAX);
        let (positions, _) = state.store.oldest_rejected(None, device, kept).await?;
        let (done, replayed) = replay_these(&state, positions).await?;
        lost = gone.len() + replayed.gone.len();
        Ok(answer(done.is_some()))
    })
    .await;
    let page = format!("{}/messages", subject.address());
    let page = if lost > 0 {
        format!("{page}?gone={lost}")
    } else {
        page
    };
    back(&state, &posted, answered, &page).await
}

fn answer(done: bool) -> Answer {
    let status = if done {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Answer {
        status,
        body: json!({ "done": done }),
    }
}

/// The form's key as the header that `once` reads.
fn key_of(posted: &Posted) -> HeaderMap {
    let key = posted.fields.get("key").unwrap_or_default();
    let value = HeaderValue::from_str(key).ok().filter(|_| !key.is_empty());
    value
        .map(|value| (HeaderName::from_static("idempotency-key"), value))
        .into_iter()
        .collect()
}

/// Back to the page with what became of it.
async fn back(
    state: &WebState,
    posted: &Posted,
    answered: Result<Response, crate::web::problem::Problem>,
    page: &str,
) -> Response {
    let join = if page.contains('?') { '&' } else { '?' };
    match answered {
        Ok(response) if response.status() == StatusCode::ACCEPTED => {
            Redirect::to(&format!("{page}{join}taken=1")).into_response()
        }
        Ok(_) => Redirect::to(&format!("{page}{join}saved=1")).into_response(),
        Err(problem) => {
            let status = problem.into_response().status();
            let words = Text::new(
                "It was not taken: the journal takes nothing now, or the same form is still under way. Nothing was changed. Try again in a minute.",
                "未被接受：日志暂时无法写入，或同一表单仍在处理中。未做任何更改，请一分钟后重试。",
            );
            Refusal::said(status, words).on(&posted.visit, state).await
        }
    }
}
