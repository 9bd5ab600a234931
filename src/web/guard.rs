//! What every request passes: a bound on requests under way, a time limit, and headers that keep answers out of caches.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::WebState;
use super::problem::Problem;

/// Requests under way at once; further ones are told to come back. The store has four readers, so more only wait.
pub(super) const REQUESTS_LIMIT: usize = 128;
/// Longest time until an answer begins, the reading of the body included. An action waits 2 s at most.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// Bounds a request in number and time.
pub(super) async fn bound(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let Ok(_permit) = state.requests.try_acquire() else {
        return Problem::unavailable("too many requests are under way").into_response();
    };
    match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable(format!(
            "the request took longer than {} s",
            REQUEST_LIMIT.as_secs()
        ))
        .into_response(),
    }
}

/// Answers hold what may be personal and change all the time: no cache keeps them, no browser guesses their type.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
