//! Acknowledgements, and the one rule that keeps them honest: an acknowledgement belongs to the connection that brought its
//! message.
//!
//! Packet ids begin anew with each connection. One sent late, on the next connection, would make the broker discard a message
//! that nobody has read. Each connection has a generation; a handle of an earlier one is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use super::client::Requests;
use super::sink::SinkError;
use super::status::SourceStatus;
use super::status::add;

/// What it takes to acknowledge one message of QoS 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckHandle {
    /// Which connection brought the message.
    pub(super) generation: u64,
    /// The packet id on that connection.
    pub(super) pkid: u16,
    /// 1 or 2.
    pub(super) qos: u8,
}

/// Sends acknowledgements on one connection. A trait, so that a simulation can be the broker.
pub(super) trait Acks: Send {
    /// PUBACK (QoS 1) or PUBREC (QoS 2), without waiting; `false` when there was no room.
    fn try_ack(&self, pkid: u16, qos: u8) -> bool;
}

impl Acks for Requests {
    fn try_ack(&self, pkid: u16, qos: u8) -> bool {
        Self::try_ack(self, pkid, qos)
    }
}

/// Acknowledgements that may wait for room in the connection's queue, four bytes each. Only a broker that sends more than the receive
/// maximum makes any wait (mosquitto 2.0.11 does, while it empties a long queue): the client reads up to nine packets for each
/// acknowledgement that it writes. When it is full, the connection is given up; what was not acknowledged comes again.
const WAITING_LIMIT: usize = 1 << 20;

/// The way of acknowledgements to the connection that is open now, if one is.
pub(super) struct AckLane {
    open: Mutex<Open>,
    /// Some wait for room, as far as whoever does not hold the lock may know.
    is_waiting: AtomicBool,
    troubled: Notify,
    status: Arc<SourceStatus>,
}

#[derive(Default)]
struct Open {
    generation: u64,
    requests: Option<Box<dyn Acks>>,
    /// Packet ids and qualities of service of what found no room yet, in order.
    waiting: VecDeque<(u16, u8)>,
    trouble: Option<Trouble>,
}

/// Why the open connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The journal refused messages of it.
    Journal(SinkError),
    /// An acknowledgement found no room, and too many wait for it already.
    Stuck,
}

impl AckLane {
    /// A lane that leads nowhere yet.
    pub(super) fn new(status: Arc<SourceStatus>) -> Self {
        Self {
            open: Mutex::default(),
            is_waiting: AtomicBool::new(false),
            troubled: Notify::new(),
            status,
        }
    }

    /// From here on acknowledgements of this generation are sent, and all others dropped.
    pub(super) fn open(&self, generation: u64, requests: impl Acks + 'static) {
        let mut open = self.lock();
        self.forget_waiting(&mut open);
        *open = Open {
            generation,
            requests: Some(Box::new(requests)),
            ..Open::default()
        };
    }

    /// The connection is gone: what comes now is late.
    pub(super) fn close(&self) {
        let mut open = self.lock();
        open.requests = None;
        self.forget_waiting(&mut open);
    }

    fn forget_waiting(&self, open: &mut Open) {
        let late = std::mem::take(&mut open.waiting).len();
        self.is_waiting.store(false, Ordering::Release);
        add(&self.status.stale_acks, late as u64);
    }

    /// Whether messages of this generation may still be kept: false once the journal refused one of them, because a
    /// later one must not overtake it.
    pub(super) fn accepts(&self, generation: u64) -> bool {
        let open = self.lock();
        open.generation != generation || open.trouble.is_none()
    }

    /// Sends acknowledgements, in the order given; what finds no room waits for [`Self::send_on`].
    pub(super) fn acknowledge(&self, handles: &[AckHandle]) {
        let mut guard = self.lock();
        let open = &mut *guard;
        let (mut acked, mut stale) = (0, 0);
        for handle in handles {
            match &open.requests {
                Some(requests) if handle.generation == open.generation => {
                    // None overtakes those that wait.
                    if open.waiting.is_empty() && requests.try_ack(handle.pkid, handle.qos) {
                        acked += 1;
                    } else if open.waiting.len() < WAITING_LIMIT {
                        open.waiting.push_back((handle.pkid, handle.qos));
                        self.is_waiting.store(true, Ordering::Release);
                    } else {
                        open.trouble = Some(Trouble::Stuck);
                        self.troubled.notify_one();
                    }
                }
                _ => stale += 1,
            }
        }
        // Once more after it is known that some wait: if there is still no room, the connection has that much to write, and comes by.
        acked += self.send_waiting(open);
        drop(guard);
        add(&self.status.acked, acked);
        add(&self.status.stale_acks, stale);
    }

    /// Sends what waits, as far as there is room by now. To be called whenever the connection may have written something.
    pub(super) fn send_on(&self) {
        if !self.is_waiting() {
            return;
        }
        let acked = self.send_waiting(&mut self.lock());
        add(&self.status.acked, acked);
    }

    /// Returns how many were sent.
    fn send_waiting(&self, open: &mut Open) -> u64 {
        let mut acked = 0;
        while let (Some(requests), Some((pkid, qos))) = (&open.requests, open.waiting.front())
            && requests.try_ack(*pkid, *qos)
        {
            open.waiting.pop_front();
            acked += 1;
        }
        self.is_waiting
            .store(!open.waiting.is_empty(), Ordering::Release);
        acked
    }

    /// Some wait for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire)
    }

    /// The journal refused messages of this generation: the connection has to end, so that the broker sends them again.
    pub(super) fn fail(&self, generation: u64, error: SinkError) {
        let mut open = self.lock();
        if open.generation == generation {
            open.trouble = Some(Trouble::Journal(error));
            self.troubled.notify_one();
        }
    }

    /// Returns when the open connection has to end.
    pub(super) async fn troubled(&self) -> Trouble {
        loop {
            // A permit may be left from an earlier connection; what counts is the trouble of this one.
            self.troubled.notified().await;
            if let Some(trouble) = self.lock().trouble {
                return trouble;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// A connection's queue with so much room.
    #[derive(Clone, Default)]
    struct Narrow(Arc<Mutex<(usize, Vec<u16>)>>);

    impl Narrow {
        fn make_room(&self, room: usize) {
            self.0.lock().unwrap().0 = room;
        }

        fn sent(&self) -> Vec<u16> {
            self.0.lock().unwrap().1.clone()
        }
    }

    impl Acks for Narrow {
        fn try_ack(&self, pkid: u16, qos: u8) -> bool {
            assert_eq!(qos, 1);
            let mut inner = self.0.lock().unwrap();
            let has_room = inner.0 > 0;
            if has_room {
                inner.0 -= 1;
                inner.1.push(pkid);
            }
            has_room
        }
    }

    fn handles(generation: u64, pkids: impl IntoIterator<Item = u16>) -> Vec<AckHandle> {
        let of = |pkid| AckHandle {
            generation,
            pkid,
            qos: 1,
        };
        pkids.into_iter().map(of).collect()
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    #[test]
    fn what_finds_no_room_waits_and_nothing_overtakes_it() {
        let status = Arc::new(SourceStatus::new("plant"));
        let (lane, wire) = (AckLane::new(Arc::clone(&status)), Narrow::default());
        lane.open(1, wire.clone());
        wire.make_room(2);
        lane.acknowledge(&handles(1, 1..=5));
        lane.send_on();
        assert_eq!(wire.sent(), [1, 2]);
        assert!(lane.is_waiting());
        assert_eq!(count(&status.acked), 2);
        wire.make_room(1);
        lane.acknowledge(&handles(1, [6]));
        assert_eq!(wire.sent(), [1, 2, 3], "those before it are first");
        lane.send_on();
        assert_eq!(wire.sent(), [1, 2, 3]);
        wire.make_room(9);
        lane.send_on();
        assert_eq!(wire.sent(), [1, 2, 3, 4, 5, 6]);
        assert!(!lane.is_waiting() && lane.accepts(1));
        assert_eq!(count(&status.acked), 6);
    }

    #[test]
    fn what_waits_is_not_sent_on_another_connection() {
        let status = Arc::new(SourceStatus::new("plant"));
        let (lane, wire) = (AckLane::new(Arc::clone(&status)), Narrow::default());
        lane.open(1, wire.clone());
        lane.acknowledge(&handles(1, [1, 2]));
        lane.close();
        wire.make_room(9);
        lane.open(2, wire.clone());
        lane.send_on();
        lane.acknowledge(&handles(2, [7]));
        assert_eq!(wire.sent(), [7]);
        assert_eq!(count(&status.stale_acks), 2);
    }

    #[test]
    fn a_connection_with_more_than_may_wait_has_to_end() {
        let status = Arc::new(SourceStatus::new("plant"));
        let lane = AckLane::new(status);
        lane.open(1, Narrow::default());
        let all = handles(1, std::iter::repeat_n(3, WAITING_LIMIT));
        lane.acknowledge(&all);
        assert!(lane.accepts(1));
        lane.acknowledge(&handles(1, [4]));
        assert!(!lane.accepts(1));
    }
}
