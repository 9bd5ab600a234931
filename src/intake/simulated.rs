//! Lines that messages come in by, stepped on the caller's thread: for simulations of everything behind them.
//!
//! What is modelled is the network and who speaks at its other end. What decides (which acknowledgement is owed to whom, and
//! when) is the source's own clerk and lane here, and in the listener's module its clerk, its clients and their accounts.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::ack::AckHandle;
use super::ack::AckLane;
use super::ack::Acks;
use super::handover::Backlog;
use super::handover::Clerk;
use super::handover::Item;
use super::handover::size;
use super::settings::Limits;
use super::sink::Sink;
use super::status::SourceStatus;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

pub(crate) use super::listener::simulated::ListenerLine;

/// A way in for messages of QoS 1.
pub(crate) trait Line {
    /// A new connection; what comes in belongs to it from now on.
    fn connect(&mut self);
    /// The connection breaks.
    fn disconnect(&mut self);
    /// A message arrives under this packet id.
    fn receive(&mut self, message: RawMessage, id: u16);
    /// Hands to the journal what came.
    fn work(&mut self);
    /// The acknowledgements that went out on the open connection since the last call.
    fn acknowledged(&mut self) -> Vec<u16>;
    /// The connection has to end.
    fn is_over(&self) -> bool;
    /// Nothing is under way, and no budget is held.
    fn is_settled(&self) -> bool;
}

/// The connection to a broker.
pub(crate) struct BrokerLine {
    clerk: Clerk,
    waiting: Vec<Item>,
    generation: u64,
    sent: Sent,
}

type Sent = Arc<Mutex<Vec<u16>>>;

/// Acknowledgements that the wire takes before they are read: few, so that some have to wait.
const WIRE_ROOM: usize = 4;

/// Takes acknowledgements as long as somebody listens.
struct Wire(Sent);

impl Acks for Wire {
    fn try_ack(&self, pkid: u16, qos: u8) -> bool {
        assert_eq!(qos, 1);
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = sent.len() < WIRE_ROOM;
        if has_room {
            sent.push(pkid);
        }
        has_room
    }
}

impl BrokerLine {
    pub(crate) fn new(sink: Arc<dyn Sink>) -> Self {
        let status = Arc::new(SourceStatus::new("plant"));
        Self {
            clerk: Clerk {
                sink,
                lane: Arc::new(AckLane::new(Arc::clone(&status))),
                backlog: Arc::new(Backlog::new(Limits::default())),
                status,
            },
            waiting: Vec::new(),
            generation: 0,
            sent: Sent::default(),
        }
    }
}

impl Line for BrokerLine {
    fn connect(&mut self) {
        self.generation += 1;
        // Whatever is sent on an earlier wire reaches nobody.
        self.sent = Sent::default();
        let wire = Wire(Arc::clone(&self.sent));
        self.clerk.lane.open(self.generation, wire);
    }

    fn disconnect(&mut self) {
        self.clerk.lane.close();
        self.sent = Sent::default();
    }

    fn receive(&mut self, message: RawMessage, id: u16) {
        let record = Record::Message(message);
        self.clerk.backlog.add(size(&record));
        self.waiting.push(Item {
            generation: self.generation,
            record,
            ack: Some(AckHandle {
                generation: self.generation,
                pkid: id,
                qos: 1,
            }),
            probe: None,
        });
    }

    fn work(&mut self) {
        self.clerk.lane.send_on();
        self.clerk.step(self.waiting.drain(..));
    }

    fn acknowledged(&mut self) -> Vec<u16> {
        std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_over(&self) -> bool {
        !self.clerk.lane.accepts(self.generation)
    }

    fn is_settled(&self) -> bool {
        self.clerk.backlog.is_empty() && !self.clerk.lane.is_waiting()
    }
}
