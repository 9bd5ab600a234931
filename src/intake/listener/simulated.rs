//! A client of the listener, stepped on the caller's thread: for simulations of everything behind it.
//!
//! The socket and the client are the simulation's. The clerk, the client's entry and the account of what is under way are real.

use std::net::SocketAddr;
use std::sync::Arc;

use super::clients::Client;
use super::clients::Introduction;
use super::inflight::Inflight;
use super::inflight::Owed;
use super::lane::Clerk;
use super::lane::Handed;
use super::lane::size;
use super::packet::Version;
use super::settings::Limits;
use super::status::ListenerStatus;
use crate::intake::simulated::Line;
use crate::intake::sink::Sink;
use crate::intake::sink::SinkError;
use crate::intake::status::add;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// A PUBACK without a reason has this many bytes.
const PUBACK_BYTES: usize = 4;

/// One client id, on one connection after the other.
pub(crate) struct ListenerLine {
    clerk: Clerk,
    status: Arc<ListenerStatus>,
    client: Arc<Client>,
    inflight: Inflight,
    /// The last batch handed on by this connection.
    batch: u64,
    arrived: Vec<Record>,
    /// Handed on and not yet taken by the journal, of this and of earlier connections.
    waiting: Vec<(Arc<Handed>, Vec<Record>)>,
}

impl ListenerLine {
    pub(crate) fn new(sink: Arc<dyn Sink>) -> Self {
        let status = Arc::new(ListenerStatus::new());
        Self {
            clerk: Clerk::new(Limits::default(), &status, sink),
            status,
            client: client(),
            inflight: Inflight::default(),
            batch: 0,
            arrived: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// The end of a read: one parcel to the clerk.
    fn hand_on(&mut self) {
        if self.arrived.is_empty() {
            return;
        }
        self.batch += 1;
        let records = std::mem::take(&mut self.arrived);
        let bytes = records.iter().map(size).sum();
        add(&self.status.waiting, bytes as u64);
        let owners = vec![(Arc::clone(&self.client), self.batch)];
        let handed = self.clerk.handed(bytes, 1, owners, None);
        self.waiting.push((handed, records));
    }
}

impl Line for ListenerLine {
    fn connect(&mut self) {
        self.client = client();
        self.inflight = Inflight::default();
        self.batch = 0;
    }

    fn disconnect(&mut self) {
        // What was read before the end is handed on still.
        self.hand_on();
        self.connect();
    }

    fn receive(&mut self, message: RawMessage, id: u16) {
        let record = Record::Message(message);
        let bytes = u32::try_from(size(&record)).unwrap_or(u32::MAX);
        self.arrived.push(record);
        let batch = self.batch + 1;
        self.inflight.take(batch, id, bytes, Owed::Puback(0));
    }

    fn work(&mut self) {
        self.hand_on();
        // As the clerk's thread: one after the other, the same one again while the journal refuses it.
        while let Some((handed, records)) = self.waiting.first() {
            match self.clerk.offer(handed, records) {
                Ok(()) => {}
                Err(SinkError::Closed) => handed.fail(),
                Err(SinkError::Full | SinkError::Failed) => return,
            }
            self.waiting.remove(0);
        }
    }

    fn acknowledged(&mut self) -> Vec<u16> {
        let mut out = Vec::new();
        self.inflight.settle(self.client.durable(), &mut out);
        let acks = out.chunks(PUBACK_BYTES);
        acks.filter_map(|ack| ack.get(2..4)?.try_into().ok())
            .map(u16::from_be_bytes)
            .collect()
    }

    fn is_over(&self) -> bool {
        self.client.has_failed()
    }

    fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.arrived.is_empty() && self.inflight.is_settled()
    }
}

fn client() -> Arc<Client> {
    Arc::new(Client::new(Introduction {
        id: "publisher".into(),
        user: None,
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        version: Version::V311,
        tls: false,
        keep_alive: 60,
    }))
}
