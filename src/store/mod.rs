//! Tickets, their audit, devices, rejected messages, the outbox and people's texts, in SQLite.
//!
//! It decides nothing: what a ticket becomes is the desk's word, when a delivery is tried again is its sender's. Invariants: the
//! effects of a batch and its journal position are one transaction; a batch at or below that position changes nothing; at most one
//! ticket per (device, fault) is open, held by a unique index; and a file of another journal is refused.

mod open;

mod error;

mod words;

mod apply;

mod tickets;

mod timeline;

mod cursor;

mod devices;

mod fleet;

mod queue;

mod rejected;

mod outbox;

mod blobs;

mod actions;

mod counts;

#[cfg(test)]
mod contract;

pub use actions::RememberedAction;
pub use blobs::BLOB_LIMIT_BYTES;
pub use counts::Counts;
pub use devices::{DeviceFilter, DeviceRow};
pub use error::StoreError;
pub use fleet::{ModelCounts, RejectedCounts};
pub use open::Store;
pub use outbox::OutboxRow;
pub use queue::{QUEUE_LIMIT, QueueLine, QueueView};
pub use rejected::{RejectedFilter, RejectedRow};
pub use tickets::{AssigneeFilter, TicketFilter, TicketSort};
pub use timeline::TimelineEntry;
pub use words::{
    Applied, Batch, DeviceStanding, DeviceUpdate, OutboxItem, PAGE_LIMIT, PAYLOAD_KEPT_BYTES, Page,
    RECOMPUTABLE, RejectedMessage, SERIES_CHANNEL,
};
