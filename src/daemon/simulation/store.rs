//! The store's contract on plain memory: one batch is one transaction, which can fail, or commit and lose its answer.
//!
//! What it holds outlives the processes. The real store keeps the same contract in `store/contract`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use crate::desk::Ticket;
use crate::store::Applied;
use crate::store::Batch;
use crate::store::DeviceUpdate;
use crate::store::OutboxItem;
use crate::store::StoreError;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// What goes wrong with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreFault {
    /// Nothing is written.
    Before,
    /// It is committed, and the answer is an error.
    After,
}

/// A store's file.
#[derive(Clone, Default)]
pub(super) struct ModelStore {
    position: Position,
    tickets: BTreeMap<String, Ticket>,
    audit: Vec<String>,
    versions: BTreeSet<(String, u64)>,
    rejected: BTreeMap<(Position, Option<u32>), String>,
    devices: BTreeMap<DeviceId, DeviceUpdate>,
    outbox: BTreeMap<i64, Delivery>,
    /// Everything that was ever to be delivered, in order.
    deliveries: Vec<OutboxItem>,
    faults: VecDeque<StoreFault>,
}

#[derive(Clone)]
struct Delivery {
    item: OutboxItem,
    due: Timestamp,
    is_taken: bool,
}

impl ModelStore {
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn plan(&mut self, fault: StoreFault) {
        self.faults.push_back(fault);
    }

    pub(super) fn repair(&mut self) {
        self.faults.clear();
    }

    /// An id of a ticket that is there, by any number.
    pub(super) fn ticket(&self, number: usize) -> Option<&Ticket> {
        let index = number.checked_rem(self.tickets.len())?;
        self.tickets.values().nth(index)
    }

    pub(super) fn apply(&mut self, batch: Batch<'_>) -> Result<Applied, StoreError> {
        let fault = self.faults.pop_front();
        if fault == Some(StoreFault::Before) {
            return Err(unavailable());
        }
        if batch.position <= self.position {
            return Ok(Applied::Before);
        }
        let mut after = self.clone();
        after.write(batch)?;
        *self = after;
        if fault == Some(StoreFault::After) {
            return Err(unavailable());
        }
        Ok(Applied::Now)
    }

    fn write(&mut self, batch: Batch<'_>) -> Result<(), StoreError> {
        for change in batch.changes {
            let ticket = &change.ticket;
            let id = ticket.id.to_string();
            if !self.versions.insert((id.clone(), ticket.version)) {
                let (ticket, version) = (id, ticket.version);
                return Err(StoreError::RepeatedVersion { ticket, version });
            }
            self.audit.push(format!("{change:?}"));
            self.tickets.insert(id, ticket.clone());
            let is_same = |other: &&Ticket| {
                other.is_open() && (&other.device, &other.fault) == (&ticket.device, &ticket.fault)
            };
            if self.tickets.values().filter(is_same).count() > 1 {
                return Err(StoreError::TwoOpenTickets {
                    device: ticket.device.clone(),
                    fault: ticket.fault.to_string(),
                    ticket: ticket.id.to_string(),
                });
            }
        }
        for message in batch.rejected {
            let key = (message.position, message.item);
            let before = self.rejected.insert(key, format!("{message:?}"));
            assert_eq!(before, None, "one message is refused once");
        }
        for update in batch.devices {
            self.device(update);
        }
        for item in batch.outbox {
            self.deliveries.push(item.clone());
            let is_known = self.outbox.values().any(|row| row.item.key == item.key);
            if !is_known {
                let id = i64::try_from(self.deliveries.len()).expect("a small number");
                let (item, due) = (item.clone(), batch.received_at);
                let is_taken = false;
                self.outbox.insert(
                    id,
                    Delivery {
                        item,
                        due,
                        is_taken,
                    },
                );
            }
        }
        self.position = batch.position;
        Ok(())
    }

    fn device(&mut self, update: &DeviceUpdate) {
        let Some(known) = self.devices.get_mut(&update.device) else {
            self.devices.insert(update.device.clone(), update.clone());
            return;
        };
        let before = std::mem::replace(known, update.clone());
        known.first_seen = known.first_seen.min(before.first_seen);
        known.last_seen = known.last_seen.max(before.last_seen);
        known.messages += before.messages;
        known.rejected += before.rejected;
        known.duplicates += before.duplicates;
        known.seq_restarts += before.seq_restarts;
    }

    /// Rows that are due, the oldest first; nobody else gets them for `lease_ms`.
    pub(super) fn take_outbox(
        &mut self,
        limit: usize,
        now: Timestamp,
        lease_ms: i64,
    ) -> Vec<(i64, String)> {
        let due = self.outbox.iter_mut().filter(|(_, row)| row.due <= now);
        due.take(limit)
            .map(|(id, row)| {
                row.due = now + lease_ms;
                row.is_taken = true;
                (*id, row.item.payload.clone())
            })
            .collect()
    }

    pub(super) fn outbox_done(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let fault = self.faults.pop_front();
        if fault != Some(StoreFault::Before) {
            for id in ids {
                self.outbox.remove(id);
            }
        }
        fault.map_or(Ok(()), |_| Err(unavailable()))
    }

    pub(super) fn release_outbox(&mut self, now: Timestamp) {
        for row in self.outbox.values_mut().filter(|row| row.is_taken) {
            row.due = row.due.min(now);
        }
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(super) fn deliveries(&self) -> &[OutboxItem] {
        &self.deliveries
    }

    pub(super) fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.values()
    }

    /// Everything that someone could see.
    pub(super) fn seen(&self) -> Vec<String> {
        let mut lines = self.audit.clone();
        lines.extend(self.tickets.values().map(|ticket| format!("{ticket:?}")));
        lines.extend(self.rejected.values().cloned());
        lines.extend(self.devices.values().map(|device| format!("{device:?}")));
        lines.extend(self.deliveries.iter().map(|item| format!("{item:?}")));
        lines
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolTimedOut)
}
