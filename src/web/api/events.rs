//! `GET /events`: changes of tickets as they happen, as server-sent events.
//!
//! Events are read from the audit, so a slow or reconnecting client misses none: `Last-Event-ID` says where to go on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::store::{Store, StoreError, TimelineEntry};
use crate::web::WebState;
use crate::web::problem::Problem;

/// Clients that follow at once; each holds a connection and now and then a reader. Further ones are told to come back.
pub(in crate::web) const FOLLOWERS_LIMIT: usize = 256;
/// Changes read at a time.
const READ_AT_ONCE: usize = 100;
/// A comment keeps proxies from closing a quiet connection; most close after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A client that follows.
struct Follower {
    store: Store,
    newest: watch::Receiver<i64>,
    closing: watch::Receiver<bool>,
    /// Line of the audit that was sent last.
    seen: i64,
    waiting: VecDeque<TimelineEntry>,
    /// Its place among the followers.
    _place: OwnedSemaphorePermit,
}

/// Changes of tickets from now on, or from after `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "tickets",
    params(("Last-Event-ID" = Option<i64>, Header, description = "the `id` of the last event that was seen")),
    responses((status = 200, description = "events `ticket`: {ticket, version, at, change, what, by, device, model, fault, severity, stage, status, assignee}",
        content_type = "text/event-stream")))]
pub(super) async fn events(
    State(state): State<WebState>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&state.followers)
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("too many clients follow the events"))?;
    let newest = state.store.newest_change();
    let seen = match headers.get("last-event-id") {
        Some(id) => id
            .to_str()
            .ok()
            .and_then(|id| id.trim().parse().ok())
            .ok_or_else(|| Problem::bad_request("Last-Event-ID: expected the id of an event"))?,
        None => *newest.borrow(),
    };
    let follower = Follower {
        store: state.store.clone(),
        newest,
        closing: state.closing.clone(),
        seen,
        waiting: VecDeque::new(),
        _place: place,
    };
    let stream = unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Follower {
    /// The next event; `None` when the daemon closes, or the store fails (the client comes back and goes on).
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return self.event(&line).await.ok();
            }
            self.newest.borrow_and_update();
            let lines = self
                .store
                .changes_after(self.seen, READ_AT_ONCE)
                .await
                .ok()?;
            if lines.is_empty() {
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    _ = self.closing.wait_for(|closing| *closing) => return None,
                }
            } else if *self.closing.borrow() {
                return None;
            }
            self.waiting = lines.into();
        }
    }

    async fn event(&mut self, line: &TimelineEntry) -> Result<Event, StoreError> {
        self.seen = line.seq;
        let mut fields = json!({
            "ticket": line.ticket,
            "version": line.version,
            "at": line.at,
            "change": line.change,
            "what": line.what,
            "by": line.by,
        });
        // As the ticket stands now, which may be later than the change.
        if let (Some(ticket), Some(fields)) = (
            self.store.ticket(&line.ticket).await?,
            fields.as_object_mut(),
        ) {
            fields.extend([
                ("device".to_owned(), json!(ticket.device)),
                ("model".to_owned(), json!(ticket.device.model())),
                ("fault".to_owned(), json!(ticket.fault)),
                ("severity".to_owned(), json!(ticket.severity)),
                ("stage".to_owned(), json!(ticket.stage)),
                ("status".to_owned(), json!(ticket.status)),
                ("assignee".to_owned(), json!(ticket.assignee)),
            ]);
        }
        Ok(Event::default()
            .event("ticket")
            .id(line.seq.to_string())
            .data(fields.to_string()))
    }
}
