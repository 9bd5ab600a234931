//! What a step of the pipeline wants done: by the store, by the series, by whoever waits for an answer.

use smol_str::SmolStr;

use super::heard::Hearing;
use crate::desk::Reply;
use crate::desk::TicketChange;
use crate::detect::DerivedValue;
use crate::telemetry::DeviceId;
use crate::telemetry::Identity;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::RejectReason;
use crate::telemetry::Rejection;
use crate::telemetry::Timestamp;

/// Everything that a batch of journal entries caused, in journal order.
#[derive(Debug, Default)]
pub struct Effects {
    /// Ticket changes; each is an audit entry too.
    pub changes: Vec<TicketChange>,
    /// Messages and records that were not used, each kept with its reason.
    pub rejected: Vec<Rejected>,
    /// Devices whose presence or identity is to be written.
    pub devices: Vec<Presence>,
    /// Derived values for the series.
    pub derived: Vec<DerivedValue>,
    /// Answers to people's actions, by the position of the action.
    pub answers: Vec<(Position, Answer)>,
    /// Rejected messages that were decoded after all, by the position at which they were rejected.
    pub replayed: Vec<Position>,
    /// Faults of the daemon itself that someone must look at.
    pub alerts: Vec<String>,
    /// How many messages went which way.
    pub counts: Counts,
    /// What was understood, for whoever asks for it by setting this before a step.
    pub hearing: Option<Hearing>,
}

impl Effects {
    /// True when the store has nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.rejected.is_empty()
            && self.devices.is_empty()
            && self.derived.is_empty()
            && self.replayed.is_empty()
    }

    /// Adds what later entries caused.
    pub fn append(&mut self, later: Self) {
        self.changes.extend(later.changes);
        self.rejected.extend(later.rejected);
        self.devices.extend(later.devices);
        self.derived.extend(later.derived);
        self.answers.extend(later.answers);
        self.replayed.extend(later.replayed);
        self.alerts.extend(later.alerts);
        self.counts.append(later.counts);
        if let Some(later) = later.hearing {
            self.hearing.get_or_insert_default().append(later);
        }
    }
}

/// What became of a person's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The desk's answer.
    Ticket(Reply),
    /// An action on a device was applied.
    Device,
}

/// received = decoded + rejected + duplicate, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages taken from the journal.
    pub received: u64,
    /// Understood, at least in part.
    pub decoded: u64,
    /// Refused whole.
    pub rejected: u64,
    /// Received before, whole.
    pub duplicate: u64,
    /// Single records of batches that were refused.
    pub records_rejected: u64,
    /// Refusals by reason, whole messages only.
    pub rejected_by: Vec<RejectReason>,
    /// Refusals of single records, by reason.
    pub records_rejected_by: Vec<RejectReason>,
}

impl Counts {
    /// Adds what came later.
    pub fn append(&mut self, later: Self) {
        self.received += later.received;
        self.decoded += later.decoded;
        self.rejected += later.rejected;
        self.duplicate += later.duplicate;
        self.records_rejected += later.records_rejected;
        self.rejected_by.extend(later.rejected_by);
        self.records_rejected_by.extend(later.records_rejected_by);
    }
}

/// A message, or one record of a batch, that was not used.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Where the message lies in the journal.
    pub position: Position,
    /// When it came.
    pub received_at: Timestamp,
    /// Index of the record in its batch; `None` for a whole message.
    pub index: Option<u32>,
    /// Whose it was, where that could be told.
    pub device: Option<DeviceId>,
    /// Why.
    pub rejection: Rejection,
    /// The message itself.
    pub message: RawMessage,
}

/// What is to be written about a device. Counts are those since it was last written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Presence {
    /// Whose.
    pub device: DeviceId,
    /// First message, by receipt.
    pub first_seen: Timestamp,
    /// Newest message, by receipt.
    pub last_seen: Timestamp,
    /// On the air, as it or its will said.
    pub online: Option<bool>,
    /// What it says it is.
    pub identity: Identity,
    /// Whether it is in service.
    pub standing: Standing,
    /// Messages understood.
    pub messages: u64,
    /// Messages and records refused.
    pub rejected: u64,
    /// Messages received before.
    pub duplicates: u64,
    /// How often its counter restarted without a new `boot`.
    pub seq_restarts: u64,
    /// Name of the source it speaks over.
    pub source: SmolStr,
}

/// Whether a device is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Standing {
    /// Its messages are judged.
    InService,
    /// Its messages are kept as rejected until a person adopts it.
    Quarantined,
    /// Out of service.
    Retired,
}
