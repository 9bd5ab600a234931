//! The pages: server-rendered, in English and Simplified Chinese, light and dark, without a script but for live updates.
//!
//! How a page is made: its handler takes a [`Visit`] (who asks, in which language; a visitor without a login is sent to `/login`
//! before the handler runs), gathers what it shows into a struct that derives `askama::Template` with the template in `html/` and a
//! field `frame: Frame` ([`Visit::frame`]), and returns [`page`] of it. Templates extend `frame.html` and fill its blocks `title`,
//! `content` and, rarely, `after`. Words come from `texts/en/*.ftl` and `texts/zh/*.ftl`, one file per page and language with equal
//! keys: `{{ frame.t.say("queue-lead").num("n", cases) }}`. Numbers, durations and times are written by [`show::Show`]
//! (`frame.show`), severities, statuses and device texts by `parts`. What a device said is never trusted: askama escapes it, and
//! `parts::told` cuts it and keeps its direction from spilling over.
//!
//! Forms: every one posts back a hidden `csrf` (`frame.csrf`), and actions an `expected_version` and a `key` (`frame.key()`); a handler reads them with
//! [`Posted`], which refuses a form that does not come from one of our own pages. After a success: `303` to the page (`saved`).
//! A failure is [`Refusal`]: a page of its own that says what was looked for and what to do.
//!
//! Invariants: no inline style or script, no request to another host (the policy in `headers` forbids it); every page answers in
//! both languages; nothing is shown to a stranger but the login.

mod act;

mod device;

mod fleet;

mod frame;

mod headers;

mod login;

mod parts;

mod preferences;

mod profile;

mod queue;

mod refusal;

mod session;

mod assets;

mod show;

mod texts;

mod ticket;

mod visit;

use axum::Router;
use axum::extract::FromRequestParts as _;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header;
use axum::middleware::from_fn;
use axum::middleware::from_fn_with_state;
use axum::response::Html;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;

use super::WebState;
use super::guard;

use refusal::Refusal;
pub(super) use session::Sessions;
use visit::Visit;

/// The pages' own addresses; everything but the login and the assets needs a login.
pub(super) fn routes(state: &WebState) -> Router<WebState> {
    Router::new()
        .route("/", get(queue::show))
        .route("/tickets/actions", post(queue::act))
        .route("/tickets/{id}", get(ticket::show))
        .route("/tickets/{id}/actions", post(act::act))
        .route("/tickets/{id}/values.csv", get(ticket::values))
        .route("/fleet", get(fleet::show))
        .route("/devices", get(fleet::devices))
        .route("/rejected/replay", post(fleet::replay))
        .route("/profiles", get(profile::first))
        .route("/profiles/{model}", get(profile::show))
        .route("/login", get(login::show).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/preferences", post(preferences::save))
        .merge(device::routes())
        .route_layer(from_fn(preferences::remember_language))
        .route_layer(from_fn_with_state(state.clone(), guard::bound))
        .route("/assets/{name}", get(assets::asset))
        .route_layer(from_fn(headers::policy))
}

/// Whether an answer is for a person with a browser.
pub(super) fn is_wanted_by(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"))
}

/// The page of an address that is none.
pub(super) async fn unknown(state: &WebState, request: Request, path: String) -> Response {
    let (mut parts, _) = request.into_parts();
    match Visit::from_request_parts(&mut parts, state).await {
        Ok(visit) => Refusal::no_page(path).on(&visit, state).await,
        Err(to_login) => to_login,
    }
}

/// A template as an answer.
fn page(template: &impl askama::Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            Refusal::failed().into_response()
        }
    }
}
