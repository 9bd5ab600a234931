//! What the listener needs: addresses, what to do about subscriptions, and the bounds that no setting reaches.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

/// The built-in listener.
#[derive(Clone)]
pub struct ListenerSettings {
    /// Where clients without TLS connect; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Where clients with TLS connect, and how they are answered.
    pub tls: Option<(SocketAddr, TlsAcceptor)>,
    /// What a SUBSCRIBE is answered.
    pub subscribe: Subscribe,
    /// Bounds.
    pub limits: Limits,
}

/// What a SUBSCRIBE is answered. Nothing is ever delivered either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subscribe {
    /// Granted: many devices insist on a command topic and reconnect for ever without.
    #[default]
    Grant,
    /// Refused (0x80, with MQTT 5 0x87).
    Refuse,
}

/// The bounds of the listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, in handshake or not. One more is closed at once and counted.
    pub connections: usize,
    /// Of these, connections from one address (IPv6: one /64). One more is closed at once. High, since a whole site can stand behind one.
    pub per_peer: usize,
    /// Connections that have not logged in. One more is closed at once.
    pub strangers: usize,
    /// Of these, from one address.
    pub strangers_per_peer: usize,
    /// For TLS and CONNECT together.
    pub handshake: Duration,
    /// For checking a login, which may have to wait its turn.
    pub login: Duration,
    /// Longest CONNECT in bytes.
    pub connect_bytes: usize,
    /// Longest packet after it, in bytes.
    pub packet_bytes: usize,
    /// Messages of one connection that are not yet acknowledged. Then reading pauses; a client of MQTT 5 is told the number and closed beyond it.
    pub inflight_messages: u16,
    /// The same in bytes; reading pauses.
    pub inflight_bytes: usize,
    /// QoS 2 exchanges of one connection that wait for its PUBREL (MQTT 3, which has no receive maximum); closed beyond.
    pub open_exchanges: usize,
    /// Bytes of all connections on their way to the journal. Then reading pauses everywhere, in the order of asking.
    pub waiting_bytes: usize,
    /// Bytes that are appended to the journal at once.
    pub batch_bytes: usize,
    /// How long a client may take no byte of what we send.
    pub write: Duration,
    /// How long a client with keep-alive 0 may say nothing.
    pub idle: Duration,
    /// Longest delay of a will; a longer one is cut.
    pub will_delay: Duration,
    /// How long a newcomer waits for the connection whose client id it takes.
    pub takeover: Duration,
    /// Takeovers of one client id within `fight_window` that mean two clients with one id.
    pub fight_takeovers: u32,
    /// See `fight_takeovers`.
    pub fight_window: Duration,
    /// How long the newcomer of a fight waits before it takes over.
    pub fight_delay: Duration,
    /// Nothing became durable for so long although something waits: the listener counts as stalled.
    pub stall: Duration,
    /// The first pause before what the journal had no room for is tried again; each further one is twice as long.
    pub retry_first: Duration,
    /// The longest of these pauses.
    pub retry_most: Duration,
    /// How long a stop waits for what was taken to become durable and acknowledged, and then for the journal; both together stay
    /// below the time that the daemon gives each part.
    pub stop: Duration,
    /// How long a connection that is closed with a reason is kept for the client to read it.
    pub linger: Duration,
}

/// Files that the process needs besides connections: journal, stores, web.
const FILES_RESERVED: usize = 256;

/// Pending connections that the kernel keeps for us: a fleet that comes back after our restart would else be held up by the
/// resending of its first packets, a second each (measured: 128 let 200 connections a second in, 4,096 let 20,000).
pub(super) const BACKLOG: u32 = 4_096;

/// Read at once from a connection, in bytes: one buffer per worker thread.
pub(super) const READ_BYTES: usize = 32 * 1024;

/// What a record costs besides its topic and payload, in bytes: the record itself and bookkeeping.
pub(super) const RECORD_BYTES: usize = 256;

/// Pieces that wait for the thread towards the journal. `Limits::waiting_bytes` bounds them first, since each costs a record at least.
pub(super) const QUEUE: usize = 131_072 + 1_024;

/// How long accepting pauses when the process or the system has no file left: at once it would fail again, and spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// Log lines about one kind of misbehaviour: one in this time, with a count of what was left out.
pub(super) const LOG_EVERY: Duration = Duration::from_secs(10);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 50_000,
            per_peer: 20_000,
            strangers: 4_096,
            strangers_per_peer: 1_024,
            handshake: Duration::from_secs(5),
            login: Duration::from_secs(10),
            connect_bytes: 16 * 1024,
            packet_bytes: 257 * 1024,
            inflight_messages: 256,
            inflight_bytes: 512 * 1024,
            open_exchanges: 4_096,
            waiting_bytes: 32 * 1024 * 1024,
            batch_bytes: 1024 * 1024,
            write: Duration::from_secs(10),
            idle: Duration::from_hours(25),
            will_delay: Duration::from_mins(5),
            takeover: Duration::from_secs(5),
            fight_takeovers: 4,
            fight_window: Duration::from_mins(1),
            fight_delay: Duration::from_secs(2),
            stall: Duration::from_secs(5),
            retry_first: Duration::from_millis(50),
            retry_most: Duration::from_secs(2),
            stop: Duration::from_secs(6),
            linger: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// The same within the number of files that this process may open, where that is known: strangers must not take the
    /// files that the journal needs.
    #[must_use]
    pub fn within_open_files(self) -> Self {
        let Some(files) = open_files() else {
            return self;
        };
        let connections = self
            .connections
            .min(files.saturating_sub(FILES_RESERVED).max(16));
        let strangers = self.strangers.min((connections / 4).max(8));
        Self {
            connections,
            per_peer: self.per_peer.min(connections),
            strangers,
            strangers_per_peer: self.strangers_per_peer.min((strangers / 2).max(4)),
            ..self
        }
    }
}

/// How many files this process may have open; `None` where the system does not say.
fn open_files() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
