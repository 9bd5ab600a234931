//! Acknowledgements, and the one rule that keeps them honest: an acknowledgement belongs to the connection that brought its
//! message.
//!
//! Packet ids begin anew with each connection. One sent late, on the next connection, would make the broker discard a message
//! that nobody has read. Each connection has a generation; a handle of an earlier one is dropped and counted.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

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

/// The way of acknowledgements to the connection that is open now, if one is.
pub(super) struct AckLane {
    open: Mutex<Open>,
    troubled: Notify,
    status: Arc<SourceStatus>,
}

#[derive(Default)]
struct Open {
    generation: u64,
    requests: Option<Box<dyn Acks>>,
    trouble: Option<Trouble>,
}

/// Why the open connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The journal refused messages of it.
    Journal(SinkError),
    /// An acknowledgement found no room.
    Stuck,
}

impl AckLane {
    /// A lane that leads nowhere yet.
    pub(super) fn new(status: Arc<SourceStatus>) -> Self {
        Self {
            open: Mutex::default(),
            troubled: Notify::new(),
            status,
        }
    }

    /// From here on acknowledgements of this generation are sent, and all others dropped.
    pub(super) fn open(&self, generation: u64, requests: impl Acks + 'static) {
        *self.lock() = Open {
            generation,
            requests: Some(Box::new(requests)),
            trouble: None,
        };
    }

    /// The connection is gone: what comes now is late.
    pub(super) fn close(&self) {
        self.lock().requests = None;
    }

    /// Whether messages of this generation may still be kept: false once the journal refused one of them, because a
    /// later one must not overtake it.
    pub(super) fn accepts(&self, generation: u64) -> bool {
        let open = self.lock();
        open.generation != generation || open.trouble.is_none()
    }

    /// Sends acknowledgements, in the order given.
    pub(super) fn acknowledge(&self, handles: &[AckHandle]) {
        let mut open = self.lock();
        let (mut acked, mut stale, mut stuck) = (0, 0, false);
        for handle in handles {
            match &open.requests {
                Some(requests) if handle.generation == open.generation => {
                    // Full only with a broker that sends more than the receive maximum (mosquitto 2.0.11 does while it empties
                    // a queue of more than 65,000): the client reads up to nine packets for each acknowledgement it
                    // writes. A new connection is then the only way not to lose the acknowledgement for good.
                    if requests.try_ack(handle.pkid, handle.qos) {
                        acked += 1;
                    } else {
                        stuck = true;
                    }
                }
                _ => stale += 1,
            }
        }
        if stuck {
            open.trouble = Some(Trouble::Stuck);
            self.troubled.notify_one();
        }
        drop(open);
        add(&self.status.acked, acked);
        add(&self.status.stale_acks, stale);
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
