//! What one connection has under way: messages that are not yet durable, and QoS 2 exchanges that are not yet finished.
//!
//! It only keeps account. Invariants: acknowledgements leave in the order in which their messages came; none leaves before
//! the batch of its message is durable; a QoS 2 message whose packet id is open is known, so it is stored once.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use super::answer;
use super::packet::Version;
use super::settings::Limits;

/// Room that an empty queue may keep; a burst's memory goes back.
const KEPT: usize = 16;

/// What is owed to the client for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Nothing: QoS 0.
    Nothing,
    /// PUBACK with a reason.
    Puback(u8),
    /// PUBREC with a reason.
    Pubrec(u8),
}

#[derive(Debug)]
struct Waiting {
    batch: u64,
    bytes: u32,
    id: u16,
    owed: Owed,
}

/// The account.
#[derive(Debug, Default)]
pub(super) struct Inflight {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// QoS 2: taken, PUBREL not yet come.
    open: BTreeSet<u16>,
    /// QoS 1 and 2 whose exchange is not finished: what MQTT 5's receive maximum counts.
    unfinished: usize,
}

impl Inflight {
    /// One more may be taken. With MQTT 5 a client knows its bound for QoS 1 and 2 and is told when it breaks it; so reading
    /// pauses for what that bound does not count, a second measure of QoS 0.
    pub(super) fn has_room(&self, version: Version, limits: &Limits) -> bool {
        let messages = if version == Version::V5 {
            2 * usize::from(limits.inflight_messages)
        } else {
            limits.inflight_messages.into()
        };
        self.waiting.len() < messages && self.bytes < limits.inflight_bytes
    }

    /// Another message of QoS 1 or 2 would break the receive maximum.
    pub(super) fn is_exceeded(&self, limits: &Limits) -> bool {
        self.unfinished >= usize::from(limits.inflight_messages)
    }

    /// This QoS 2 exchange is open: the message is here already.
    pub(super) fn is_open(&self, id: u16) -> bool {
        self.open.contains(&id)
    }

    /// QoS 2 exchanges that wait for the client.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A message belongs to a batch. `bytes` is what it costs until it is durable.
    pub(super) fn take(&mut self, batch: u64, id: u16, bytes: u32, owed: Owed) {
        match owed {
            Owed::Nothing => {}
            // A repetition is one exchange still.
            Owed::Pubrec(0) => self.unfinished += usize::from(self.open.insert(id)),
            Owed::Puback(_) | Owed::Pubrec(_) => self.unfinished += 1,
        }
        self.bytes += bytes as usize;
        self.waiting.push_back(Waiting {
            batch,
            bytes,
            id,
            owed,
        });
    }

    /// The client released a QoS 2 exchange; false when it was not open.
    pub(super) fn release(&mut self, id: u16) -> bool {
        let known = self.open.remove(&id);
        self.unfinished -= usize::from(known);
        known
    }

    /// Everything up to this batch is durable: writes what is owed, and returns for how many messages.
    pub(super) fn settle(&mut self, durable: u64, out: &mut Vec<u8>) -> u64 {
        let mut acked = 0;
        while let Some(first) = self.waiting.pop_front_if(|first| first.batch <= durable) {
            self.bytes -= first.bytes as usize;
            match first.owed {
                Owed::Nothing => continue,
                Owed::Puback(reason) => {
                    self.unfinished -= 1;
                    answer::puback(out, first.id, reason);
                }
                Owed::Pubrec(reason) => {
                    // A refusal ends the exchange; otherwise PUBREL does.
                    self.unfinished -= usize::from(reason != 0);
                    answer::pubrec(out, first.id, reason);
                }
            }
            acked += 1;
        }
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = VecDeque::new();
        }
        acked
    }

    /// Nothing waits for the journal.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages of QoS 0 that wait: what is lost when the journal refuses them.
    pub(super) fn unacknowledged(&self) -> u64 {
        let count = self.waiting.iter().filter(|one| one.owed == Owed::Nothing);
        count.count() as u64
    }
}
