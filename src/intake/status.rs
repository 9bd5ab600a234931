//! What one source is doing, readable at any time by metrics and the API.
//!
//! It leaves judging to others: it only counts and remembers. Counters never go back while the process lives.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde::Serialize;
use smol_str::SmolStr;

use crate::telemetry::Timestamp;

/// Where a source stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SourceState {
    /// No connection yet, or none any more; the next attempt comes by itself.
    Connecting {
        /// Attempts since the last connection that lasted.
        attempt: u32,
        /// Why there is no connection, in words; `None` before the first attempt ended.
        error: Option<String>,
    },
    /// Messages may flow.
    Connected,
    /// The journal does not take what was received; reading is paused and the broker queues.
    Stalled,
    /// Another client took this session (MQTT 5 reason 0x8E). The source stays down until the daemon restarts.
    TakenOver,
    /// Stopped in order.
    Stopped,
}

/// Counters and state of one source. Shared between the source and its readers.
pub struct SourceStatus {
    name: SmolStr,
    life: Mutex<Life>,
    pub(super) received: AtomicU64,
    pub(super) acked: AtomicU64,
    pub(super) stale_acks: AtomicU64,
    pub(super) reconnects: AtomicU64,
    pub(super) oversize: AtomicU64,
    pub(super) qos0_dropped: AtomicU64,
    pub(super) fences: AtomicU64,
}

struct Life {
    state: SourceState,
    since: Timestamp,
    refused: Vec<String>,
}

/// A copy of a source's status at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceSnapshot {
    /// Name of the source.
    pub name: SmolStr,
    /// Where it stands.
    #[serde(flatten)]
    pub state: SourceState,
    /// Since when.
    pub since: Timestamp,
    /// Subscriptions that the broker refused, each with its reason.
    pub refused_filters: Vec<String>,
    /// Messages handed on to the journal.
    pub received: u64,
    /// Messages acknowledged to the broker.
    pub acked: u64,
    /// Acknowledgements dropped because their connection was gone; the broker sends those messages again.
    pub stale_acks: u64,
    /// Connections after the first one.
    pub reconnects: u64,
    /// Messages over the size limit, kept by their first bytes.
    pub oversize: u64,
    /// Messages of QoS 0 dropped: the journal's queue was full, the connection broke, or the source was stopping.
    pub qos0_dropped: u64,
    /// Fences that came back.
    pub fences: u64,
}

impl SourceStatus {
    /// The status of a source that has not begun.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            life: Mutex::new(Life {
                state: SourceState::Connecting {
                    attempt: 0,
                    error: None,
                },
                since: now(),
                refused: Vec::new(),
            }),
            received: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            stale_acks: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            oversize: AtomicU64::new(0),
            qos0_dropped: AtomicU64::new(0),
            fences: AtomicU64::new(0),
        }
    }

    /// Everything at once.
    #[must_use]
    pub fn snapshot(&self) -> SourceSnapshot {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        SourceSnapshot {
            name: self.name.clone(),
            state: life.state.clone(),
            since: life.since,
            refused_filters: life.refused.clone(),
            received: self.received.load(Ordering::Relaxed),
            acked: self.acked.load(Ordering::Relaxed),
            stale_acks: self.stale_acks.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            oversize: self.oversize.load(Ordering::Relaxed),
            qos0_dropped: self.qos0_dropped.load(Ordering::Relaxed),
            fences: self.fences.load(Ordering::Relaxed),
        }
    }

    /// Remembers a new state; `since` moves only when the kind of state changed.
    pub(super) fn set(&self, state: SourceState) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::discriminant(&life.state) != std::mem::discriminant(&state) {
            life.since = now();
        }
        life.state = state;
    }

    /// Remembers which subscriptions the broker refused on this connection.
    pub(super) fn set_refused(&self, refused: Vec<String>) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.refused = refused;
    }
}

impl fmt::Debug for SourceStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.snapshot(), out)
    }
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

#[expect(
    clippy::disallowed_methods,
    reason = "shown to people only; no decision rests on it"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::from_ms(chrono::Utc::now().timestamp_millis())
}
