//! What speaks at the other end of a line: it repeats what was not acknowledged, in order, on each new connection (QoS 1).

use std::collections::BTreeMap;
use std::collections::VecDeque;

use crate::telemetry::RawMessage;

/// Most messages on their way at once.
const WINDOW: usize = 8;

/// A publisher, or a broker with its session for us.
#[derive(Default)]
pub(super) struct Publisher {
    /// Every message it was ever given, in order, and how often it was sent.
    messages: Vec<(RawMessage, usize)>,
    /// Numbers of messages that wait to be sent.
    queue: VecDeque<usize>,
    /// Sent on this connection and not acknowledged, by packet id.
    under_way: BTreeMap<u16, usize>,
    next_id: u16,
    acknowledged: Vec<usize>,
}

impl Publisher {
    pub(super) fn give(&mut self, message: RawMessage) {
        self.queue.push_back(self.messages.len());
        self.messages.push((message, 0));
    }

    /// A new connection: packet ids begin anew, and what was not acknowledged comes first.
    pub(super) fn connect(&mut self) {
        let mut again: Vec<usize> = std::mem::take(&mut self.under_way).into_values().collect();
        again.sort_unstable();
        for number in again.into_iter().rev() {
            self.queue.push_front(number);
        }
        self.next_id = 1;
    }

    /// The next message on the wire.
    pub(super) fn send(&mut self) -> Option<(RawMessage, u16)> {
        if self.under_way.len() >= WINDOW {
            return None;
        }
        let number = self.queue.pop_front()?;
        let (message, sent) = &mut self.messages[number];
        let dup = *sent > 0;
        *sent += 1;
        let id = self.next_id;
        self.next_id += 1;
        self.under_way.insert(id, number);
        let message = message.clone();
        Some((RawMessage { dup, ..message }, id))
    }

    /// It is told that a message is safe, and forgets it.
    pub(super) fn acknowledge(&mut self, id: u16) -> Result<(), String> {
        let number = self.under_way.remove(&id);
        let number = number.ok_or_else(|| format!("packet {id} was acknowledged and not sent"))?;
        self.acknowledged.push(number);
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty() && self.under_way.is_empty()
    }

    /// Messages that it was told are safe.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &RawMessage> {
        let messages = &self.messages;
        self.acknowledged.iter().map(|number| &messages[*number].0)
    }

    /// All messages in their order, and how often each was sent.
    pub(super) fn messages(&self) -> &[(RawMessage, usize)] {
        &self.messages
    }
}
