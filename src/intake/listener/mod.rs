//! The built-in MQTT listener: devices connect here when there is no broker.
//!
//! It takes publishes (MQTT 3.1, 3.1.1 and 5 on one port) and leaves everything else of a broker out: nothing is ever delivered to
//! a subscriber, nothing is retained, no session is kept. Invariants: a PUBACK or PUBREC leaves only after the journal made its
//! message durable; what strangers can hold is bounded before they have said who they are; a client that misbehaves costs
//! itself its connection and the others nothing.
//!
//! What is not passed on: message expiry (a message on a direct connection cannot have aged) and user properties, of which the
//! journal's messages have none. A retain flag on a publish is accepted and means nothing here: the message is live.

mod access;

mod answer;

mod buffer;

mod clients;

mod connection;

mod door;

mod finish;

mod handshake;

mod inflight;

mod lane;

mod packet;

mod settings;

#[cfg(test)]
pub(crate) mod simulated;

mod socket;

mod stamp;

mod status;

mod subject;

mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;

use clients::Order;
use door::Door;
use handshake::serve;
use lane::Lane;
use socket::Doorway;
use status::Refusal;

use super::IntakeError;
use super::sink::Sink;
use super::status::SourceState;
use crate::telemetry::Control;
use crate::telemetry::Record;

pub use access::Access;
pub use access::AccessError;
pub use access::AccessSettings;
pub use access::Denied;
pub use access::Grant;
pub use access::LoginAttempt;
pub use access::PasswordError;
pub use access::User;
pub use access::UsersError;
pub use access::UsersFile;
pub use access::What;
pub use access::WhatError;
pub use access::hash_password;
pub use settings::Limits;
pub use settings::ListenerSettings;
pub use settings::Subscribe;
pub use socket::Listener;
pub use socket::ListenerError;
pub use status::ClientSnapshot;
pub use status::ListenerSnapshot;
pub use status::ListenerStatus;
pub use tls::Certificate;
pub use tls::ListenerTls;
pub use tls::ListenerTlsError;
pub use tls::acceptor;
pub use tls::common_name;
pub use tls::open as open_tls;

/// The name of this source in messages, controls and metrics.
pub const SOURCE: &str = crate::telemetry::LISTENER;

/// How often progress towards the journal is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often those who are still there at a stop are told again: one may have entered meanwhile.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// What all connections share.
struct House {
    limits: Limits,
    subscribe: Subscribe,
    access: Access,
    status: Arc<ListenerStatus>,
    lane: Lane,
}

impl House {
    /// Someone was not let in.
    fn refused(&self, refusal: Refusal, peer: SocketAddr, why: &dyn fmt::Display) {
        self.status.count_refused(refusal);
        if let Some(left_out) = self.status.refusals_log.may_speak() {
            tracing::warn!(%peer, %why, left_out, "listener: a connection was not let in");
        }
    }
}

impl Listener {
    /// Takes connections until `shutdown` becomes true (or its sender is gone). Records go to `sink`: `SourceUp` first, each
    /// client's messages in their order, `SourceDown` last. What it is doing can be read from `status` at any time.
    ///
    /// # Errors
    /// When the operating system gives no thread. A client or the network is never a reason to end.
    pub async fn run(
        self,
        access: Access,
        sink: Arc<dyn Sink>,
        status: Arc<ListenerStatus>,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), IntakeError> {
        let Self { settings, doorway } = self;
        let limits = settings.limits;
        let (lane, ended) = Lane::start(limits, &status, sink).map_err(IntakeError::Thread)?;
        let door = Arc::new(Door::new(limits));
        status.set_door(&door);
        doorway.tell(&status);
        let house = Arc::new(House {
            limits,
            subscribe: settings.subscribe,
            access,
            status: Arc::clone(&status),
            lane,
        });
        let up = Control::SourceUp {
            source: SOURCE.into(),
        };
        house.lane.give(vec![Record::Control(up)], None).await;
        status.source().set(SourceState::Connected);
        let (stopping, stops) = watch::channel(false);
        let mut reception = Reception {
            house,
            door,
            doorway,
            tasks: JoinSet::new(),
            stops,
            watcher: Watcher::new(limits.stall),
        };
        reception.receive(&mut shutdown).await;
        stopping.send_replace(true);
        let Reception { house, tasks, .. } = reception;
        dismiss(&house, tasks).await;
        let down = Control::SourceDown {
            source: SOURCE.into(),
        };
        // Not for ever either; without it the next start's `Started` says the same.
        let told = house.lane.give(vec![Record::Control(down)], None);
        if tokio::time::timeout(limits.linger, told).await.is_err() {
            house.lane.give_up();
        }
        drop_lane(house, ended).await;
        status.source().set(SourceState::Stopped);
        Ok(())
    }
}

/// Where connections come in.
struct Reception {
    house: Arc<House>,
    door: Arc<Door>,
    doorway: Doorway,
    tasks: JoinSet<()>,
    stops: watch::Receiver<bool>,
    watcher: Watcher,
}

impl Reception {
    async fn receive(&mut self, shutdown: &mut watch::Receiver<bool>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop) => return,
                _ = look.tick() => self.watcher.look(&self.house),
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "listener: a connection failed; the others go on");
                    }
                }
                (socket, peer, tls) = self.doorway.accept() => match self.door.enter(peer.ip()) {
                    Ok(pass) => {
                        let house = Arc::clone(&self.house);
                        self.tasks.spawn(serve(house, socket, peer, pass, tls, self.stops.clone()));
                    }
                    Err(refusal) => self.house.refused(refusal, peer, &too_many(refusal, peer.ip())),
                },
            }
        }
    }
}

fn too_many(refusal: Refusal, peer: IpAddr) -> String {
    match refusal {
        Refusal::Full => "too many connections".to_owned(),
        Refusal::Strangers => "too many connections that have not logged in".to_owned(),
        Refusal::PeerFull => format!("too many connections from {peer}"),
        _ => format!("too many connections from {peer} that have not logged in"),
    }
}

/// Tells everyone to go, and waits for them; not for ever.
async fn dismiss(house: &House, mut tasks: JoinSet<()>) {
    // A client's own limits end before: settling, then the goodbye.
    let deadline = Instant::now() + house.limits.stop + house.limits.linger + house.limits.linger;
    let mut tell = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            _ = tell.tick() => house.status.clients.order_all(Order::Stop),
            ended = tasks.join_next() => if ended.is_none() {
                return;
            },
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    tracing::warn!(
        connections = tasks.len(),
        "listener: stopped before every message was acknowledged; clients send the rest again"
    );
    house.lane.give_up();
    tasks.shutdown().await;
}

/// Waits until everything handed on was appended; not for ever.
async fn drop_lane(house: Arc<House>, ended: tokio::sync::oneshot::Receiver<()>) {
    let limit = house.limits.stop;
    let mut ended = std::pin::pin!(ended);
    let Ok(House { lane, .. }) = Arc::try_unwrap(house) else {
        // Every task has ended, so nobody else can hold it.
        tracing::error!("listener: a connection outlived the stop");
        return;
    };
    let handle = lane.handle();
    drop(lane);
    if tokio::time::timeout(limit, &mut ended).await.is_err() {
        tracing::warn!(
            "listener: the journal did not take everything in time; what is not acknowledged comes again"
        );
        handle.give_up();
    }
}

/// Notices when nothing becomes durable any more, though something waits.
struct Watcher {
    limit: Duration,
    settled: u64,
    since: Instant,
    is_stalled: bool,
}

impl Watcher {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            settled: 0,
            since: Instant::now(),
            is_stalled: false,
        }
    }

    fn look(&mut self, house: &House) {
        let (given, settled) = house.lane.progress();
        if settled != self.settled || given == settled {
            self.settled = settled;
            self.since = Instant::now();
            if std::mem::take(&mut self.is_stalled) && !house.lane.is_refusing() {
                house.status.source().set(SourceState::Connected);
                tracing::info!("listener: the journal takes messages again");
            }
        } else if !self.is_stalled && status::has_passed(self.since, self.limit) {
            self.is_stalled = true;
            house.status.source().set(SourceState::Stalled);
            tracing::error!(
                waiting_bytes = house.status.snapshot().waiting_bytes,
                "listener: the journal takes nothing; nothing is acknowledged and reading pauses until it does"
            );
        }
    }
}
