//! Who is connected: one entry per client id, and the way in which one connection tells another to go.
//!
//! Leaves the packets to the connection. Invariants: a client id has one entry; a connection removes only its own; whoever waits for
//! a connection to be gone is woken however that connection ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use smol_str::SmolStr;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::packet::Version;
use super::settings::Limits;
use super::status::ClientSnapshot;
use super::status::has_passed;
use crate::intake::status::now;
use crate::telemetry::Timestamp;

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on.
    Stay = 0,
    /// Go: we stop.
    Stop = 1,
    /// Go: another connection has this client id now.
    MakeWay = 2,
}

/// A connection as others see it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: SmolStr,
    pub(super) user: Option<SmolStr>,
    pub(super) peer: SocketAddr,
    pub(super) version: Version,
    pub(super) tls: bool,
    pub(super) keep_alive: u16,
    since: Timestamp,
    pub(super) messages: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) granted: AtomicU64,
    pub(super) refused: AtomicU64,
    last_topic: Mutex<Option<SmolStr>>,
    /// Its connection is gone, only its will waits.
    is_away: AtomicBool,
    /// The last batch that is durable.
    durable: AtomicU64,
    /// The journal did not take a batch.
    failed: AtomicBool,
    order: AtomicU8,
    /// Something of the above changed.
    pub(super) wake: Notify,
    /// Closed when it is gone, its will handed to the journal.
    gone: Semaphore,
    fight: Mutex<Fight>,
}

/// How often this client id was taken over lately.
#[derive(Clone, Copy, Debug)]
struct Fight {
    since: Instant,
    takeovers: u32,
    was_told: bool,
}

/// Who a client is.
pub(super) struct Introduction {
    pub(super) id: SmolStr,
    pub(super) user: Option<SmolStr>,
    pub(super) peer: SocketAddr,
    pub(super) version: Version,
    pub(super) tls: bool,
    pub(super) keep_alive: u16,
}

impl Client {
    pub(super) fn new(who: Introduction) -> Self {
        let Introduction {
            id,
            user,
            peer,
            version,
            tls,
            keep_alive,
        } = who;
        Self {
            id,
            user,
            peer,
            version,
            tls,
            keep_alive,
            since: now(),
            messages: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            last_topic: Mutex::default(),
            is_away: AtomicBool::new(false),
            durable: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            order: AtomicU8::new(Order::Stay as u8),
            wake: Notify::new(),
            gone: Semaphore::new(0),
            fight: Mutex::new(Fight {
                since: Instant::now(),
                takeovers: 0,
                was_told: false,
            }),
        }
    }

    /// Tells it to go. An order to make way stands against one to stop: its will is still due.
    pub(super) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// What it was told.
    pub(super) fn ordered(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Stay,
            1 => Order::Stop,
            _ => Order::MakeWay,
        }
    }

    /// Everything up to this batch is durable.
    pub(super) fn settled(&self, batch: u64) {
        self.durable.fetch_max(batch, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// The last batch that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// A batch was lost: nothing after it may be acknowledged either.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// See [`Client::fail`].
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Its connection is gone; its will waits.
    pub(super) fn away(&self) {
        self.is_away.store(true, Ordering::Relaxed);
    }

    /// See [`Client::away`].
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// It is gone.
    pub(super) fn leave(&self) {
        self.gone.close();
    }

    /// Returns once it is gone.
    pub(super) async fn until_gone(&self) {
        // Never holds a permit: it only ever closes.
        drop(self.gone.acquire().await);
    }

    /// It published to this topic.
    pub(super) fn published(&self, topic: &SmolStr) {
        let mut last = lock(&self.last_topic);
        if last.as_ref() != Some(topic) {
            *last = Some(topic.clone());
        }
    }

    /// Another connection is about to take the client id: `Some(tell it)` when that happens so often that two clients must
    /// have it.
    pub(super) fn is_contested(&self, limits: &Limits) -> Option<bool> {
        let mut fight = lock(&self.fight);
        if has_passed(fight.since, limits.fight_window) {
            *fight = Fight {
                since: Instant::now(),
                takeovers: 0,
                was_told: false,
            };
        }
        fight.takeovers += 1;
        if fight.takeovers < limits.fight_takeovers {
            return None;
        }
        Some(!std::mem::replace(&mut fight.was_told, true))
    }

    fn inherit(&self, before: &Self) {
        let fight = *lock(&before.fight);
        *lock(&self.fight) = fight;
    }

    fn snapshot(&self) -> ClientSnapshot {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClientSnapshot {
            client_id: self.id.clone(),
            user: self.user.clone(),
            peer: self.peer,
            protocol: self.version.as_str(),
            tls: self.tls,
            since: self.since,
            keep_alive: self.keep_alive,
            messages: count(&self.messages),
            denied: count(&self.denied),
            last_topic: lock(&self.last_topic).clone(),
            subscriptions_granted: count(&self.granted),
            subscriptions_refused: count(&self.refused),
        }
    }
}

/// Everyone who is connected, by client id.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_id: Mutex<HashMap<SmolStr, Arc<Client>>>,
}

impl Clients {
    /// Who has this id now.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Client>> {
        lock(&self.by_id).get(id).cloned()
    }

    /// A client takes its id. Returns who had it, already told to make way.
    pub(super) fn enter(&self, client: &Arc<Client>) -> Option<Arc<Client>> {
        let before = lock(&self.by_id).insert(client.id.clone(), Arc::clone(client))?;
        client.inherit(&before);
        before.order(Order::MakeWay);
        Some(before)
    }

    /// A client is gone.
    pub(super) fn leave(&self, client: &Arc<Client>) {
        let mut by_id = lock(&self.by_id);
        if by_id
            .get(&client.id)
            .is_some_and(|entry| Arc::ptr_eq(entry, client))
        {
            by_id.remove(&client.id);
        }
        drop(by_id);
        client.leave();
    }

    /// Everyone is told.
    pub(super) fn order_all(&self, order: Order) {
        for client in lock(&self.by_id).values() {
            client.order(order);
        }
    }

    /// Those whose last topic, if they published to one, is asked for; by id.
    pub(super) fn snapshots(&self, wanted: impl Fn(Option<&str>) -> bool) -> Vec<ClientSnapshot> {
        let mut found: Vec<ClientSnapshot> = lock(&self.by_id)
            .values()
            .filter(|client| !client.is_away())
            .filter(|client| wanted(lock(&client.last_topic).as_deref()))
            .map(|client| client.snapshot())
            .collect();
        found.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
