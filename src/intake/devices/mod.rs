//! Many devices that speak MQTT as real ones do: the engine of `foremend simulate` and of the demo's live part.
//!
//! Each has a connection of its own with its will, up to [`CONNECTIONS`]; beyond, several share one, as behind a gateway. What they
//! say comes from outside ([`Script`]): in its own time, at a rate, or prepared for as much as the server takes ([`flood`]).
//! Everything is published at QoS 1. Invariant: each message is acknowledged, refused, or counted as unanswered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use smol_str::SmolStr;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client;
use super::settings::BrokerSettings;
use super::settings::MqttVersion;
use super::settings::SettingsError;
use super::tls;
use crate::telemetry::Timestamp;

mod flood;

mod line;

mod tally;

mod wire;

pub use flood::flood;
pub use tally::Latency;
pub use tally::Tally;
pub use wire::Will;

use line::DRAIN;
use line::Ended;
use line::Line;
use line::Shared;
use line::Source;
use line::told;
use wire::Flags;
use wire::Hello;

/// Connections at most: the usual bound of open files is 1,024. More devices share them.
pub const CONNECTIONS: usize = 1_000;
/// How many may be connecting at once: fewer than the shortest listen backlog in use, so that no SYN waits a second.
const CONNECTING: usize = 64;
/// Batches that wait for a connection that does not take them. When full, the whole fleet waits for it.
const WAITING_BATCHES: usize = 64;
/// Messages taken from the script in one round.
const ROUND: usize = 4_096;
/// How often the clock is looked at, at least: a script may want something earlier than it said.
const LOOK: Duration = Duration::from_millis(200);
/// Messages of a rate are dealt out this often; finer than any commit interval, coarse enough to cost little.
const BEAT: Duration = Duration::from_millis(10);
/// How long the start waits until all connections stand, so that a rate is not measured on half of them.
const ALL_UP: Duration = Duration::from_secs(30);

/// Where to, and how.
#[derive(Clone, Debug)]
pub struct DevicesOptions {
    /// The server. Its name, filters and session expiry are of no use here; its client id names the first attempt.
    pub server: BrokerSettings,
    /// Connections at most; devices share them when there are more.
    pub connections: usize,
    /// Publishes on their way at once, per connection.
    pub window: u16,
    /// Stop after this time; `None`: with the script.
    pub limit: Option<Duration>,
}

/// One device.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Its client id.
    pub client_id: String,
    /// What is published for it when its connection breaks. Without effect when it shares a connection.
    pub will: Will,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Index of the device that says it.
    pub speaker: usize,
    /// Topic.
    pub topic: SmolStr,
    /// Payload.
    pub payload: Bytes,
    /// To be retained by a broker.
    pub retain: bool,
}

/// What devices say, in rising time.
pub trait Script: Send {
    /// When the next message is due; `None` at the end.
    fn next_at(&mut self) -> Option<Timestamp>;
    /// The next message.
    fn next(&mut self) -> Option<Message>;
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each message at its time.
    Live,
    /// So many a second, whatever their times.
    PerSecond(f64),
}

/// What became of everything.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Messages sent, each counted once.
    pub sent: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Answered with a refusal.
    pub refused: u64,
    /// Never answered.
    pub unanswered: u64,
    /// Connections.
    pub connections: usize,
    /// Connections made anew after a loss.
    pub reconnects: u64,
    /// From the first message to the last answer.
    pub took: Duration,
    /// How long answers took.
    pub latency: Latency,
    /// Why connections ended before they were done; each reason once, at most [`REASONS`].
    pub troubles: Vec<String>,
}

/// Reasons that a report names.
pub const REASONS: usize = 5;

/// Nothing could be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum DevicesError {
    /// How to reach the server cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It cannot be reached, or does not want us.
    #[error("no connection to {address}: {reason}")]
    NoConnection {
        /// Its address.
        address: String,
        /// Why, in words.
        reason: String,
    },
}

/// Lets devices speak until the script ends, the limit is reached, or `stop` becomes true; then waits for what is on its way.
///
/// # Errors
/// When the first attempt at a connection fails. Later losses are survived; see [`Report`].
pub async fn play(
    options: &DevicesOptions,
    speakers: &[Speaker],
    script: &mut dyn Script,
    pace: Pace,
    tally: &Arc<Tally>,
    stop: watch::Receiver<bool>,
) -> Result<Report, DevicesError> {
    let (finish, finishing) = watch::channel(false);
    let shared = shared(options, tally, finishing).await?;
    let mut lines = JoinSet::new();
    let mut inboxes = Vec::new();
    for hello in hellos(options, speakers)? {
        let (inbox, batches) = mpsc::channel(WAITING_BATCHES);
        inboxes.push(inbox);
        let source = Inbox {
            batches,
            rest: Vec::new(),
            version: options.server.version,
        };
        lines.spawn(Line::new(Arc::clone(&shared), hello, source).run());
    }
    all_up(tally, inboxes.len(), &stop).await;
    let started = Instant::now();
    deal(script, pace, (options.limit, started), &inboxes, stop).await;
    drop(inboxes);
    Ok(collect(lines, &finish, started, tally).await)
}

/// Deals messages out to connections as they are due.
async fn deal(
    script: &mut dyn Script,
    pace: Pace,
    (limit, started): (Option<Duration>, Instant),
    inboxes: &[mpsc::Sender<Vec<Message>>],
    mut stop: watch::Receiver<bool>,
) {
    let work = async {
        let mut dealt = 0_u64;
        loop {
            let mut room = match pace {
                Pace::Live => ROUND,
                Pace::PerSecond(rate) => due(rate, started.elapsed(), dealt),
            };
            let now = now();
            let mut batches: BTreeMap<usize, Vec<Message>> = BTreeMap::new();
            while room > 0 {
                let Some(at) = script.next_at() else { break };
                if pace == Pace::Live && at > now {
                    break;
                }
                let Some(message) = script.next() else { break };
                let line = message.speaker % inboxes.len();
                batches.entry(line).or_default().push(message);
                dealt += 1;
                room -= 1;
            }
            for (line, batch) in batches {
                if let Some(inbox) = inboxes.get(line) {
                    // A connection ends only after it was told to; then this loop is told too.
                    drop(inbox.send(batch).await);
                }
            }
            let Some(next) = script.next_at() else { return };
            let pause = match pace {
                Pace::Live => {
                    Duration::from_millis(u64::try_from(next.since(self::now())).unwrap_or(0))
                }
                Pace::PerSecond(_) => BEAT,
            };
            if room > 0 || pause > Duration::ZERO {
                tokio::time::sleep(pause.min(LOOK)).await;
            }
        }
    };
    let over = async {
        match limit {
            Some(limit) => tokio::time::sleep_until(started + limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = work => {}
        () = over => {}
        () = told(&mut stop) => {}
    }
}

/// How many more messages a rate wants by now, at most [`ROUND`].
fn due(rate: f64, elapsed: Duration, dealt: u64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive, and its product with a run's length far below 2^52"
    )]
    let wanted = (rate * elapsed.as_secs_f64()) as u64;
    usize::try_from(wanted.saturating_sub(dealt)).map_or(ROUND, |more| more.min(ROUND))
}

/// What all connections share; fails when a first attempt does.
async fn shared(
    options: &DevicesOptions,
    tally: &Arc<Tally>,
    stop: watch::Receiver<bool>,
) -> Result<Arc<Shared>, DevicesError> {
    let server = &options.server;
    server.check_connection()?;
    let fail = |reason| DevicesError::NoConnection {
        address: server.address.to_string(),
        reason,
    };
    let tls = if server.address.tls {
        let config = tls::client_config(&server.tls).map_err(fail)?;
        Some(tokio_rustls::TlsConnector::from(Arc::new(config)))
    } else {
        None
    };
    let shared = Shared {
        address: server.address.clone(),
        version: server.version,
        tls,
        keep_alive: server.limits.keep_alive,
        window: options.window.max(1),
        tally: Arc::clone(tally),
        doors: Semaphore::new(CONNECTING),
        stop,
    };
    let hello = hello(options, server.client_id.clone(), None)?;
    line::try_once(&shared, &hello).await.map_err(fail)?;
    Ok(Arc::new(shared))
}

/// Who connects: each device, or as many gateways as there may be connections.
fn hellos(options: &DevicesOptions, speakers: &[Speaker]) -> Result<Vec<Hello>, DevicesError> {
    let connections = options.connections.clamp(1, speakers.len().max(1));
    if connections >= speakers.len() {
        let each = speakers.iter().map(|speaker| {
            let will = Some(speaker.will.clone());
            hello(options, speaker.client_id.clone(), will)
        });
        return each.collect();
    }
    // An MQTT client has one will; that of one of many devices would be a lie about the others.
    (0..connections)
        .map(|number| {
            let client_id = format!("{}-{number}", options.server.client_id);
            hello(options, client_id, None)
        })
        .collect()
}

fn hello(
    options: &DevicesOptions,
    client_id: String,
    will: Option<Will>,
) -> Result<Hello, DevicesError> {
    let server = &options.server;
    let login = client::login(server).map_err(|reason| DevicesError::NoConnection {
        address: server.address.to_string(),
        reason,
    })?;
    Ok(Hello {
        client_id,
        login,
        keep_alive_s: u16::try_from(server.limits.keep_alive.as_secs()).unwrap_or(u16::MAX),
        will,
    })
}

/// Waits until all connections stand, but not for ever.
async fn all_up(tally: &Tally, lines: usize, stop: &watch::Receiver<bool>) {
    let patience = Instant::now() + ALL_UP;
    while tally.up() < lines as u64 && Instant::now() < patience && !*stop.borrow() {
        tokio::time::sleep(BEAT).await;
    }
}

/// Waits for the connections to end. Each does so by itself once its source is dry, at the latest after [`DRAIN`]; one that waits
/// for a server to come back is told to.
async fn collect(
    mut lines: JoinSet<Ended>,
    finish: &watch::Sender<bool>,
    started: Instant,
    tally: &Tally,
) -> Report {
    let mut report = Report {
        connections: lines.len(),
        ..Report::default()
    };
    let patience = Instant::now() + DRAIN;
    loop {
        let ended = tokio::select! {
            ended = lines.join_next() => ended,
            () = tokio::time::sleep_until(patience), if !*finish.borrow() => {
                finish.send_replace(true);
                continue;
            }
        };
        match ended {
            None => break,
            Some(Ok(ended)) => {
                report.unanswered += ended.unanswered;
                report.latency.merge(&ended.latency);
                if let Some(trouble) = ended.trouble
                    && report.troubles.len() < REASONS
                    && !report.troubles.contains(&trouble)
                {
                    report.troubles.push(trouble);
                }
            }
            Some(Err(error)) => report.troubles.push(error.to_string()),
        }
    }
    report.took = started.elapsed();
    report.sent = tally.sent.load(Relaxed);
    report.acknowledged = tally.acknowledged.load(Relaxed);
    report.refused = tally.refused.load(Relaxed);
    report.reconnects = tally.reconnects.load(Relaxed);
    report
}

/// What was dealt out to one connection.
struct Inbox {
    batches: mpsc::Receiver<Vec<Message>>,
    /// What there was no room for yet, the next one last.
    rest: Vec<Message>,
    version: MqttVersion,
}

impl Source for Inbox {
    type Item = Message;

    async fn more(&mut self, room: usize) -> Option<Vec<Message>> {
        if self.rest.is_empty() {
            self.rest = self.batches.recv().await?;
            self.rest.reverse();
        }
        let kept = self.rest.len().saturating_sub(room);
        let mut items = self.rest.split_off(kept);
        items.reverse();
        Some(items)
    }

    fn write(&mut self, item: &Message, id: u16, dup: bool, out: &mut BytesMut) {
        let flags = Flags {
            retain: item.retain,
            dup,
        };
        wire::publish(self.version, (&item.topic, &item.payload), flags, id, out);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "devices that speak in real time follow the wall clock"
)]
fn now() -> Timestamp {
    Timestamp::from_ms(chrono::Utc::now().timestamp_millis())
}
