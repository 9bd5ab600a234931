//! What the pipeline hands over: the effects of one batch of journal records.

use bytes::Bytes;
use smol_str::SmolStr;

use crate::desk::TicketChange;
use crate::telemetry::{DeviceId, Identity, Position, RejectReason, Timestamp};

/// How much of a rejected payload is kept: enough to see what it was; the whole lies in the journal while that reaches back.
pub const PAYLOAD_KEPT_BYTES: usize = 4 * 1024;
/// Most rows one page of a list has. A larger wish is cut to it; the cursor leads on.
pub const PAGE_LIMIT: usize = 500;
/// The outbox channel of points for the series store: derived values and ticket changes.
pub const SERIES_CHANNEL: &str = "series";
/// How the key of a delivery begins that can be worked out again from the journal: these go first when the outbox is full.
pub const RECOMPUTABLE: &str = "derived/";

/// Effects of the journal's records up to `position`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// The last record whose effects these are; it becomes the store's position.
    pub position: Position,
    /// When that record was received.
    pub received_at: Timestamp,
    /// Ticket changes in the order they were decided.
    pub changes: &'a [TicketChange],
    /// Messages, or single records of batches, that could not be used.
    pub rejected: &'a [RejectedMessage],
    /// Positions of rejected messages that this batch decoded once more. Those refused again stand in `rejected` too.
    pub replayed: &'a [Position],
    /// What was seen of devices.
    pub devices: &'a [DeviceUpdate],
    /// What is to be delivered.
    pub outbox: &'a [OutboxItem],
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Its effects are committed.
    Now,
    /// It lay at or below the store's position: its effects were committed before, and nothing was written.
    Before,
}

/// A message (or one record of a batch) that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedMessage {
    /// Where it lies in the journal.
    pub position: Position,
    /// When it was received.
    pub received_at: Timestamp,
    /// Which connection it came over.
    pub source: SmolStr,
    /// The MQTT topic.
    pub topic: SmolStr,
    /// The class of the refusal.
    pub reason: RejectReason,
    /// What exactly was wrong.
    pub detail: String,
    /// The payload; [`PAYLOAD_KEPT_BYTES`] of it are kept.
    pub payload: Bytes,
    /// The device, when the topic told it.
    pub device: Option<DeviceId>,
    /// Index of the record in its batch, from 0; `None` when the whole message was refused.
    pub item: Option<u32>,
}

/// What a batch of records told about a device. Counts are added to those of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUpdate {
    /// Which device.
    pub device: DeviceId,
    /// Received time of its first record here; the earliest of all is kept.
    pub first_seen: Timestamp,
    /// Received time of its last record here; the latest of all is kept.
    pub last_seen: Timestamp,
    /// Its presence; `None` when it is not known, or not any more.
    pub online: Option<bool>,
    /// What it (or the registry) said it is; fields that are given replace those of before.
    pub identity: Option<Identity>,
    /// Whether it is in service; `None` when nothing changed.
    pub standing: Option<DeviceStanding>,
    /// Messages understood.
    pub messages: u64,
    /// Messages refused.
    pub rejected: u64,
    /// Messages received twice.
    pub duplicates: u64,
    /// Times its record counter restarted without a new boot.
    pub seq_restarts: u64,
}

impl DeviceUpdate {
    /// A device seen at one instant, nothing more.
    #[must_use]
    pub const fn seen(device: DeviceId, at: Timestamp) -> Self {
        Self {
            device,
            first_seen: at,
            last_seen: at,
            online: None,
            identity: None,
            standing: None,
            messages: 0,
            rejected: 0,
            duplicates: 0,
            seq_restarts: 0,
        }
    }
}

/// Whether a device is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStanding {
    /// Its messages are judged.
    InService,
    /// Held until a person adopts it.
    Quarantined,
    /// Out of service.
    Retired,
}

impl DeviceStanding {
    /// The name in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::Quarantined => "quarantined",
            Self::Retired => "retired",
        }
    }

    /// The standing of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::InService, Self::Quarantined, Self::Retired]
            .into_iter()
            .find(|standing| standing.as_str() == name)
    }
}

/// One thing to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    /// Which sender takes it, such as [`SERIES_CHANNEL`].
    pub channel: SmolStr,
    /// Idempotency key: a second item with the same key is the same delivery and is not stored.
    pub key: SmolStr,
    /// What the sender reads, at most 64 KiB.
    pub payload: String,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// Its rows, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}
