//! A ticket: one fault of one device that a person has to deal with, and all that happened to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::detect::Evidence;
use crate::profile::{Severity, Stage};
use crate::telemetry::{DeviceId, Text, Timestamp, Verdict, WaitFor};

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Nobody has seen it.
    New,
    /// Seen.
    Acknowledged,
    /// Being worked on.
    InProgress,
    /// Waiting for a customer, a part or a visit.
    Waiting,
    /// Done, with a verdict; the repair is being watched.
    Resolved,
    /// Over.
    Closed,
    /// Over without work: cleared before anyone acted, rule withdrawn, absorbed, device retired.
    Cancelled,
}

impl TicketStatus {
    /// Any status but closed and cancelled; the unique index on (device, fault) covers exactly these.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Cancelled)
    }

    /// The name in API, database and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for TicketStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Needs a person, or only tells one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketKind {
    /// Needs a person.
    Ticket,
    /// S4: consumables, planned maintenance. Never in the queue.
    Notice,
}

/// What it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// For what.
    #[serde(rename = "for")]
    pub reason: WaitFor,
    /// Until when at most.
    pub until: Timestamp,
}

/// One fault of one device that a person has to deal with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// `T-1`, `T-2`, … in journal order.
    pub id: SmolStr,
    /// Grows by one with each change.
    pub version: u64,
    /// Ticket or notice.
    pub kind: TicketKind,
    /// The fault's short code.
    pub code: SmolStr,
    /// Whose.
    pub device: DeviceId,
    /// Which fault.
    pub fault: SmolStr,
    /// The fault's title.
    pub title: Text,
    /// Stage it stands at.
    pub stage: Stage,
    /// Never falls by itself.
    pub severity: Severity,
    /// Where it stands.
    pub status: TicketStatus,
    /// User name.
    pub assignee: Option<SmolStr>,
    /// When it was opened, by the journal's time.
    pub opened_at: Timestamp,
    /// When the condition became true, by the device's time.
    pub event_time: Timestamp,
    /// Since when the proof goes back.
    pub first_event_time: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When the condition was over; `None` while it holds.
    pub cleared_at: Option<Timestamp>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When it was closed or cancelled.
    pub closed_at: Option<Timestamp>,
    /// How often it was raised.
    pub occurrences: u32,
    /// It was decided from late or caught-up data.
    pub late: bool,
    /// The sentence with its numbers.
    pub reason: Text,
    /// The terms behind it.
    pub evidence: Vec<Evidence>,
    /// Version of the profile that opened it.
    pub profile_version: SmolStr,
    /// Probable cause: a word of `words/`.
    pub cause: SmolStr,
    /// What a person is to do: a word of `words/`.
    pub action: SmolStr,
    /// Part numbers to bring.
    pub parts: Vec<SmolStr>,
    /// Customer message: a word of `words/`.
    pub message: Option<SmolStr>,
    /// Lot of the device, else of the first part named that has one.
    pub lot: Option<SmolStr>,
    /// Firmware.
    pub firmware: Option<SmolStr>,
    /// Region.
    pub region: Option<SmolStr>,
    /// While it waits.
    pub waiting: Option<Waiting>,
    /// Set at resolve.
    pub verdict: Option<Verdict>,
    /// Parts that were fitted, set at resolve.
    pub fitted: Vec<SmolStr>,
    /// The ticket before it on the same fault, or the one that absorbed it.
    pub linked: Option<SmolStr>,
    /// Id of the newest change, for `GET /tickets?updated_after=`; the whole timeline lies in the audit.
    pub last_change: Change,
}

impl Ticket {
    /// Open, by its status.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.status.is_open()
    }
}

/// What changed a ticket. The first six are what `replay` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was opened.
    Opened,
    /// `warn` became `fault`.
    Worsened,
    /// `fault` became `warn`; the severity stays.
    Eased,
    /// The condition is over.
    Cleared,
    /// It ended without work.
    Cancelled,
    /// It was taken up again.
    Reopened,
    /// A person did something; or a recheck closed it. The action stands beside it.
    Acted,
}

impl Change {
    /// The name in recordings, API, database and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worsened => "worsened",
            Self::Eased => "eased",
            Self::Cleared => "cleared",
            Self::Cancelled => "cancelled",
            Self::Reopened => "reopened",
            Self::Acted => "acted",
        }
    }
}

/// One line of a ticket's timeline (and of the audit).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketChange {
    /// When, by the journal's time.
    pub at: Timestamp,
    /// What happened.
    pub change: Change,
    /// Which action (`acknowledge`, …, or `recheck_passed`, `absorbed`, `rule_withdrawn`, `device_retired`, `repair_did_not_help`);
    /// empty when the change says it all.
    pub what: SmolStr,
    /// Who; `None` for Foremend itself.
    pub by: Option<SmolStr>,
    /// Blob id of the text that a person wrote.
    pub blob: Option<SmolStr>,
    /// When the event behind it happened, by the device's time.
    pub event_time: Timestamp,
    /// The ticket after the change.
    pub ticket: Ticket,
}
