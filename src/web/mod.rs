//! The HTTP API and the pages: what people and programs read, and what they ask for.
//!
//! It decides nothing: reads come from the store, from handles of the running daemon ([`Backend`]) and from the series
//! ([`SeriesRead`]); what a person does becomes a control in the journal. Invariants: nothing but health, metrics and the API's
//! description is answered without a token; every refusal is a problem document; every body, list and wait has a limit.

mod backend;

mod connection;

mod auth;

mod problem;

mod extract;

mod fresh;

mod guard;

mod live;

mod once;

mod api;

mod pages;

mod serve;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::response::Response;
use chrono_tz::Tz;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, watch};

use crate::store::Store;

use problem::Problem;

pub use auth::{ADMIN_TOKEN_FILE, Caller, TokenError, Tokens};
pub use backend::{
    ActionOutcome, Backend, Backlog, Behind, Check, FaultCounts, HeardError, HeardMessage,
    HeardPage, HeldBack, JournalHolder, LiveClock, LiveDerive, LiveDevice, LiveFault, LiveSignal,
    RefusalKind, Said, SeriesAround, SeriesQuery, SeriesRead, SeriesReadError, SeriesSample,
    SignalState, SubmitError, Traffic, TrafficBucket, TrafficCounts, Understood, Unwritten,
    WordList,
};
pub use connection::LiveConnection;
pub use serve::serve;

/// What the web is given.
pub struct WebHandles {
    /// The running daemon.
    pub backend: Arc<dyn Backend>,
    /// Tickets, devices and the rest.
    pub store: Store,
    /// The series.
    pub series: Arc<dyn SeriesRead>,
    /// Who may ask.
    pub tokens: Tokens,
    /// What `/metrics` tells.
    pub registry: Arc<Registry>,
    /// Becomes true when the daemon closes: those who follow events are let go.
    pub closing: watch::Receiver<bool>,
    /// What pages say of the place.
    pub site: Site,
}

/// The place that the pages speak of.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Zone that times are shown in.
    pub timezone: Tz,
}

/// What every request works with; a cheap handle.
#[derive(Clone)]
struct WebState {
    backend: Arc<dyn Backend>,
    store: Store,
    series: Arc<dyn SeriesRead>,
    tokens: Tokens,
    registry: Arc<Registry>,
    closing: watch::Receiver<bool>,
    keys: once::KeysUnderWay,
    answer_wait: Duration,
    requests: Arc<Semaphore>,
    actions: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    sessions: pages::Sessions,
    site: Site,
}

/// All addresses.
pub fn router(handles: WebHandles) -> Router {
    assemble(handles, once::ANSWER_WAIT)
}

fn assemble(handles: WebHandles, answer_wait: Duration) -> Router {
    let state = WebState {
        sessions: pages::Sessions::new(handles.tokens.clone()),
        site: handles.site,
        backend: handles.backend,
        store: handles.store,
        series: handles.series,
        tokens: handles.tokens,
        registry: handles.registry,
        closing: handles.closing,
        keys: once::KeysUnderWay::default(),
        answer_wait,
        requests: Arc::new(Semaphore::new(guard::REQUESTS_LIMIT)),
        actions: Arc::new(Semaphore::new(once::ACTIONS_LIMIT)),
        followers: Arc::new(Semaphore::new(api::FOLLOWERS_LIMIT)),
    };
    let add = |router: Router<WebState>, route: api::Route| router.route(route.path, route.handler);
    let protected = api::protected().into_iter().fold(Router::new(), add);
    // Inside out: the token is looked at first, then the request counts as under way.
    let protected = protected
        .route_layer(from_fn_with_state(state.clone(), guard::bound))
        .route_layer(from_fn_with_state(state.clone(), auth::require_token));
    api::open()
        .into_iter()
        .fold(protected, add)
        .merge(pages::routes(&state))
        .fallback(unknown_address)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn(guard::headers))
        .with_state(state)
}

/// A program gets a problem, a person a page.
async fn unknown_address(State(state): State<WebState>, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(120).collect();
    if pages::is_wanted_by(request.headers()) && !path.starts_with("/api/") {
        return pages::unknown(&state, request, path).await;
    }
    Problem::not_found(format!(
        "there is nothing at {path}; /api/v1/openapi.json describes every address"
    ))
    .into_response()
}
