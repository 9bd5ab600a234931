//! Actions: handing a control to the pipeline, and doing a repeated request only once.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::store::RememberedAction;
use crate::telemetry::Control;
use crate::telemetry::Position;

use super::WebState;
use super::auth::Caller;
use super::backend::{ActionOutcome, SubmitError};
use super::problem::Problem;

/// How long a caller waits for the store's commit before it is told that the action is on its way.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Actions on their way to the store at once; further ones are told to come back.
pub(super) const ACTIONS_LIMIT: usize = 256;
/// Longest idempotency key, as other services allow.
const KEY_LIMIT: usize = 255;
/// The request header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// Keys of requests under way, so that two equal ones at once are done once.
#[derive(Clone, Debug, Default)]
pub(super) struct KeysUnderWay(Arc<Mutex<BTreeSet<String>>>);

/// A key is free again when this goes.
struct KeyHeld {
    keys: KeysUnderWay,
    key: String,
}

impl KeysUnderWay {
    fn hold(&self, key: &str) -> Option<KeyHeld> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned()).then(|| KeyHeld {
            keys: self.clone(),
            key: key.to_owned(),
        })
    }
}

impl Drop for KeyHeld {
    fn drop(&mut self) {
        let mut keys = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&self.key);
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let version = self.body.get("version").and_then(Value::as_u64);
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if let Some(version) = version {
            insert_etag(response.headers_mut(), version);
        }
        response
    }
}

/// The version as an entity tag.
pub(super) fn insert_etag(headers: &mut HeaderMap, version: u64) {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
}

/// A request as `once` tells it from others.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    pub(super) headers: &'a HeaderMap,
    /// What it acts on.
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// Does `work` once per idempotency key: the same request again gets the same answer, another one with that key is refused.
pub(super) async fn once<F>(
    state: &WebState,
    asked: Asked<'_>,
    work: impl FnOnce(Option<SmolStr>) -> F,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Answer, Problem>>,
{
    let Some(key) = read_key(asked.headers)? else {
        return Ok(work(None).await?.into_response());
    };
    let stored = format!("{}\n{}\n{key}", asked.caller.name, asked.path);
    let Some(_held) = state.keys.hold(&stored) else {
        return Err(Problem::conflict(
            "a request with this Idempotency-Key is still under way",
        ));
    };
    let fingerprint = fingerprint(&asked);
    if let Some(before) = state
        .store
        .recall_action(&stored, state.backend.now())
        .await?
    {
        return again(&before, &fingerprint);
    }
    let answer = work(Some(key)).await?;
    let action = RememberedAction {
        fingerprint,
        status: answer.status.as_u16(),
        reply: answer.body.to_string(),
    };
    state
        .store
        .remember_action(&stored, &action, state.backend.now())
        .await?;
    Ok(answer.into_response())
}

fn again(before: &RememberedAction, fingerprint: &str) -> Result<Response, Problem> {
    if before.fingerprint != fingerprint {
        return Err(Problem::invalid(
            "this Idempotency-Key was used for another request; a new request needs a new key",
        ));
    }
    let body = serde_json::from_str(&before.reply).map_err(|_| Problem::internal())?;
    let status = StatusCode::from_u16(before.status).map_err(|_| Problem::internal())?;
    let mut response = Answer { status, body }.into_response();
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn read_key(headers: &HeaderMap) -> Result<Option<SmolStr>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_LIMIT => Ok(Some(key.into())),
        Ok(_) | Err(_) => Err(Problem::bad_request(format!(
            "an Idempotency-Key has 1 to {KEY_LIMIT} visible ASCII characters"
        ))),
    }
}

fn fingerprint(asked: &Asked<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(asked.body);
    // The version asked for is part of the request; a body cannot end with this byte, for it is no UTF-8.
    hash.update([0xff]);
    if let Some(version) = asked.headers.get(header::IF_MATCH) {
        hash.update(version.as_bytes());
    }
    let hash: [u8; 32] = hash.finalize().into();
    format!("{:032x}", u128::from_be_bytes(first_half(hash)))
}

fn first_half(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// Hands a control to the pipeline. `None`: it is in the journal's hands, and its effects were not in the store within 2 s.
pub(super) async fn submit(state: &WebState, control: Control) -> Result<Option<()>, Problem> {
    outcome(state, state.backend.submit(control)).await
}

/// Waits for an action as long as a caller may be kept waiting; `None`: it goes on without this caller.
pub(super) async fn outcome(
    state: &WebState,
    work: BoxFuture<'static, Result<ActionOutcome, SubmitError>>,
) -> Result<Option<()>, Problem> {
    match waited(state, work).await? {
        None => Ok(None),
        Some(ActionOutcome::Done) => Ok(Some(())),
        Some(ActionOutcome::Refused { kind, reason }) => Err(Problem::refused(kind, &reason)),
    }
}

/// Replays rejected messages, those first that the journal still has; tells which it has no more. `None`: it goes on without this
/// caller, and what is told is what was known before.
pub(super) async fn replay(
    state: &WebState,
    positions: Vec<Position>,
) -> Result<(Option<()>, Replayed), Problem> {
    let first = state.backend.first_kept();
    let (mut gone, mut kept): (Vec<_>, Vec<_>) = positions
        .into_iter()
        .partition(|position| *position < first);
    if kept.is_empty() {
        return Ok((Some(()), Replayed { kept, gone }));
    }
    let unread = waited(state, state.backend.replay(kept.clone())).await?;
    let done = unread.as_ref().map(|_| ());
    for position in unread.unwrap_or_default() {
        kept.retain(|kept| *kept != position);
        gone.push(position);
    }
    Ok((done, Replayed { kept, gone }))
}

/// What became of a replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Replayed {
    /// Taken up.
    pub(super) kept: Vec<Position>,
    /// The journal does not have them any more.
    pub(super) gone: Vec<Position>,
}

async fn waited<T: Send + 'static>(
    state: &WebState,
    work: BoxFuture<'static, Result<T, SubmitError>>,
) -> Result<Option<T>, Problem> {
    let permit = Arc::clone(&state.actions)
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("too many actions are under way"))?;
    // A task of its own: it goes on when this caller gives up or hangs up.
    let task = tokio::spawn(async move {
        let outcome = work.await;
        drop(permit);
        outcome
    });
    match tokio::time::timeout(state.answer_wait, task).await {
        Err(_) => Ok(None),
        Ok(Err(error)) => {
            tracing::error!(%error, "an action failed");
            Err(Problem::internal())
        }
        Ok(Ok(outcome)) => Ok(Some(outcome?)),
    }
}
