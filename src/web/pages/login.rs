//! The way in and out: the admin token in, a signed cookie out.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use crate::web::WebState;
use crate::web::extract::BODY_LIMIT_BYTES;

use super::frame::Frame;
use super::page;
use super::visit::Fields;
use super::visit::Posted;
use super::visit::Wanted;
use super::visit::own_path;

#[derive(Template)]
#[template(path = "login.html", config = "src/web/pages/askama.toml")]
struct LoginPage {
    frame: Frame,
    return_to: String,
    /// Why the last try failed, in words.
    refused: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Back {
    return_to: Option<String>,
}

/// `GET /login`.
pub(super) async fn show(
    State(state): State<WebState>,
    wanted: Wanted,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Response {
    let return_to = own_path(back.return_to.as_deref());
    if state.sessions.read(&headers, state.backend.now()).is_some() {
        return Redirect::to(&return_to).into_response();
    }
    page(&LoginPage {
        frame: wanted.frame(&state),
        return_to,
        refused: None,
    })
}

/// `POST /login`. There is no login yet that a foreign form could misuse, so that it needs no `csrf`.
pub(super) async fn enter(State(state): State<WebState>, wanted: Wanted, body: Bytes) -> Response {
    let fields = Fields::read(
        body.get(..BODY_LIMIT_BYTES.min(body.len()))
            .unwrap_or_default(),
    );
    let return_to = own_path(fields.get("return_to"));
    let now = state.backend.now();
    let t = wanted.texts();
    let refused = match state.sessions.pause(wanted.peer, now) {
        Some(left) => t
            .say("login-paused")
            .with("wait", wanted.show(&state).duration(left + 59_999)),
        None => match state.tokens.caller(fields.get("token").unwrap_or_default()) {
            Some(caller) => {
                state.sessions.right(wanted.peer);
                let jar = state.sessions.begin(&caller.name, now);
                return (jar, Redirect::to(&return_to)).into_response();
            }
            None => match state.sessions.wrong(wanted.peer, now) {
                0 => t.say("login-paused").with(
                    "wait",
                    wanted.show(&state).duration(super::session::PAUSE_MS),
                ),
                left => t.say("login-wrong").num("left", left),
            },
        },
    };
    let answer = page(&LoginPage {
        frame: wanted.frame(&state),
        return_to,
        refused: Some(refused.to_string()),
    });
    (StatusCode::UNPROCESSABLE_ENTITY, answer).into_response()
}

/// `POST /logout`.
pub(super) async fn leave(
    State(state): State<WebState>,
    headers: HeaderMap,
    _: Posted,
) -> Response {
    (state.sessions.end(&headers), Redirect::to("/login")).into_response()
}
