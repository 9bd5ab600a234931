//! What the listener is doing and who is connected, readable at any time by pages, metrics and the API.
//!
//! Leaves judging to others: it only counts and remembers. Counters never go back while the process lives. Invariant: what is
//! listed of clients is bounded by the connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use smol_str::SmolStr;
use tokio::time::Instant;

use super::clients::Clients;
use super::door::Door;
use super::settings::LOG_EVERY;
use crate::intake::status::SourceStatus;
use crate::telemetry::Timestamp;

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As many connections as there may be.
    Full,
    /// As many connections without a login as there may be.
    Strangers,
    /// As many connections from this address as there may be.
    PeerFull,
    /// As many without a login from this address as there may be.
    PeerStrangers,
    /// TLS was not agreed upon.
    Tls,
    /// No CONNECT in time.
    Handshake,
    /// The first packet is no CONNECT that we understand.
    Malformed,
    /// A version that we do not speak.
    Version,
    /// A client id that cannot be used.
    ClientId,
    /// Wrong user name or password.
    Credentials,
    /// Its will goes to a topic that it may not publish to.
    WillTopic,
    /// An authentication method was asked for.
    Method,
    /// Too busy: logins, or an earlier connection of that client that does not end.
    Busy,
    /// The client went before it was let in.
    Gone,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The client said so.
    Disconnect,
    /// The client closed without a word, or the network did.
    Lost,
    /// Nothing came within one and a half of its keep-alive.
    KeepAlive,
    /// What came is against the protocol.
    Protocol,
    /// A packet over the limit.
    TooLarge,
    /// More under way than announced.
    ReceiveMaximum,
    /// A publish that it may not make (MQTT 3, which has no other answer).
    NotPermitted,
    /// Another connection took the client id.
    TakenOver,
    /// It did not read what we sent.
    Unread,
    /// The journal did not take its messages.
    Journal,
    /// We stop.
    Stopping,
}

/// Every [`Refusal`], by its name in metrics.
const REFUSALS: [&str; 14] = [
    "full",
    "unauthenticated_full",
    "address_full",
    "address_unauthenticated_full",
    "tls",
    "handshake_timeout",
    "malformed",
    "version",
    "client_id",
    "credentials",
    "will_topic",
    "method",
    "busy",
    "gone",
];

/// Every [`Closing`], by its name in metrics.
const CLOSINGS: [&str; 11] = [
    "disconnect",
    "lost",
    "keep_alive",
    "protocol",
    "too_large",
    "receive_maximum",
    "not_permitted",
    "taken_over",
    "unread",
    "journal",
    "stopping",
];

/// Counters and clients of the listener. Shared between the listener and its readers.
pub struct ListenerStatus {
    source: Arc<SourceStatus>,
    pub(super) clients: Clients,
    door: OnceLock<Arc<Door>>,
    pub(super) plain: OnceLock<SocketAddr>,
    pub(super) tls: OnceLock<SocketAddr>,
    refused: [AtomicU64; REFUSALS.len()],
    closed: [AtomicU64; CLOSINGS.len()],
    pub(super) connects: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) wills: AtomicU64,
    pub(super) wills_cancelled: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) refusals_log: Quiet,
    pub(super) denials_log: Quiet,
    pub(super) closings_log: Quiet,
}

/// A copy of the listener's numbers at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListenerSnapshot {
    /// Where clients without TLS connect; `None` when there is no such address, or before the start.
    pub listen: Option<SocketAddr>,
    /// Where clients with TLS connect.
    pub tls_listen: Option<SocketAddr>,
    /// Connections now, in handshake or not.
    pub connections: usize,
    /// Of these, without a login yet.
    pub unauthenticated: usize,
    /// Connections that were let in.
    pub connects: u64,
    /// Connections that were not let in, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Connections that ended after they were let in, by reason.
    pub closed: Vec<(&'static str, u64)>,
    /// Publishes outside the rights of their client; not kept.
    pub denied: u64,
    /// Repetitions of a QoS 2 publish on the same connection; kept once.
    pub repeated: u64,
    /// Wills published.
    pub wills: u64,
    /// Wills with a delay, within which the client came back.
    pub wills_cancelled: u64,
    /// Bytes on their way to the journal.
    pub waiting_bytes: u64,
    /// Bytes read from clients after they were let in.
    pub received_bytes: u64,
}

/// One client as it is connected now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientSnapshot {
    /// Client id.
    pub client_id: SmolStr,
    /// User name, or the name in its certificate; `None`: anonymous.
    pub user: Option<SmolStr>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// `3.1`, `3.1.1` or `5`.
    pub protocol: &'static str,
    /// Over TLS.
    pub tls: bool,
    /// Since when.
    pub since: Timestamp,
    /// Keep-alive in seconds, as it asked for; 0: none.
    pub keep_alive: u16,
    /// Messages taken on this connection.
    pub messages: u64,
    /// Publishes outside its rights on this connection.
    pub denied: u64,
    /// The topic that it published to last.
    pub last_topic: Option<SmolStr>,
    /// Subscriptions granted (and never served).
    pub subscriptions_granted: u64,
    /// Subscriptions refused.
    pub subscriptions_refused: u64,
}

impl Default for ListenerStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl ListenerStatus {
    /// The status of a listener that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self {
            source: Arc::new(SourceStatus::new(super::SOURCE)),
            clients: Clients::default(),
            door: OnceLock::new(),
            plain: OnceLock::new(),
            tls: OnceLock::new(),
            refused: Default::default(),
            closed: Default::default(),
            connects: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            wills: AtomicU64::new(0),
            wills_cancelled: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            refusals_log: Quiet::default(),
            denials_log: Quiet::default(),
            closings_log: Quiet::default(),
        }
    }

    /// The listener seen as a source like any broker.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceStatus> {
        &self.source
    }

    /// All numbers at once.
    #[must_use]
    pub fn snapshot(&self) -> ListenerSnapshot {
        let (connections, unauthenticated) = self.door.get().map_or((0, 0), |door| door.inside());
        ListenerSnapshot {
            listen: self.plain.get().copied(),
            tls_listen: self.tls.get().copied(),
            connections,
            unauthenticated,
            connects: self.connects.load(Ordering::Relaxed),
            refused: named(&REFUSALS, &self.refused),
            closed: named(&CLOSINGS, &self.closed),
            denied: self.denied.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            wills: self.wills.load(Ordering::Relaxed),
            wills_cancelled: self.wills_cancelled.load(Ordering::Relaxed),
            waiting_bytes: self.waiting.load(Ordering::Relaxed),
            received_bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Every client that is connected now, by client id.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientSnapshot> {
        self.clients.snapshots(|_| true)
    }

    /// The clients whose last topic is one of those asked for, by client id.
    #[must_use]
    pub fn clients_publishing(&self, wanted: impl Fn(&str) -> bool) -> Vec<ClientSnapshot> {
        self.clients.snapshots(|topic| topic.is_some_and(&wanted))
    }

    pub(super) fn set_door(&self, door: &Arc<Door>) {
        // A status belongs to one listener; a second one would only count less.
        self.door.set(Arc::clone(door)).ok();
    }

    pub(super) fn count_refused(&self, why: Refusal) {
        count(&self.refused, why as usize);
    }

    pub(super) fn count_closed(&self, why: Closing) {
        count(&self.closed, why as usize);
    }
}

fn count(counters: &[AtomicU64], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn named(names: &[&'static str], counters: &[AtomicU64]) -> Vec<(&'static str, u64)> {
    let counts = counters
        .iter()
        .map(|counter| counter.load(Ordering::Relaxed));
    names.iter().copied().zip(counts).collect()
}

/// Keeps the log readable while thousands misbehave: one line in [`LOG_EVERY`], and how many were left out.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    state: Mutex<(Option<Instant>, u64)>,
}

impl Quiet {
    /// `Some(left out)` when a line may be written now.
    pub(super) fn may_speak(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state
            .0
            .is_some_and(|last| now.duration_since(last) < LOG_EVERY)
        {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

/// Whether so much time has passed.
pub(super) fn has_passed(since: Instant, time: Duration) -> bool {
    Instant::now().duration_since(since) >= time
}
