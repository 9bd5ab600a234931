//! What detection tells the desk, and what the desk asks of detection.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::profile::{Severity, Stage};
use crate::telemetry::{DeviceId, Identity, Text, Timestamp};

/// What happened to a fault of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultEventKind {
    /// From Normal to Active.
    Raised,
    /// Active, from `warn` to `fault`.
    Worsened,
    /// Active, from `fault` back to `warn`.
    Eased,
    /// No longer Active.
    Cleared,
    /// It rose and cleared inside a batch or a catch-up: history on the device's page, no ticket.
    Passed,
    /// It holds again while its ticket's repair was being watched.
    RecheckFailed,
    /// It stayed quiet through the recheck.
    RecheckPassed,
    /// Too little use within 30 d to judge the repair.
    RecheckUnverified,
    /// The rule was withdrawn (its profile no longer has it, or it is off or in shadow now).
    Withdrawn,
}

/// A change of a fault's state with its proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// Whose.
    pub device: DeviceId,
    /// Which fault of the device's profile.
    pub fault: SmolStr,
    /// What happened.
    pub kind: FaultEventKind,
    /// The stage reached (for `Cleared` and the like: the stage it had).
    pub stage: Stage,
    /// Severity of that stage.
    pub severity: Severity,
    /// The stage is latched.
    pub latched: bool,
    /// When it was decided, by the journal's time.
    pub at: Timestamp,
    /// When the condition became true (or was over), by the device's time.
    pub event_time: Timestamp,
    /// Since when the proof goes back: earliest `since` of the terms that held.
    pub first_event_time: Timestamp,
    /// Decided from late or caught-up data.
    pub late: bool,
    /// The sentence with its numbers.
    pub reason: Text,
    /// The terms, each with value and limit.
    pub evidence: Vec<Evidence>,
    /// Version of the profile that decided.
    pub profile_version: SmolStr,
    /// What was known of the device then.
    pub identity: Identity,
}

/// One term of the condition at the moment of the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The term as written in the profile.
    pub term: SmolStr,
    /// Wire path of the signal, or `derive.NAME`.
    pub signal: Option<SmolStr>,
    /// In words.
    pub label: Text,
    /// Value in `unit`; `None` when unknown.
    pub value: Option<f64>,
    /// Unit of value and limit.
    pub unit: SmolStr,
    /// Operator.
    pub op: SmolStr,
    /// The limit, in `unit`.
    pub limit: Option<f64>,
    /// The device's own frozen baseline, in the unit of the derive that was compared (a relative term is in %).
    pub baseline: Option<f64>,
    /// How many values stand behind it, where that is known.
    pub samples: Option<u32>,
    /// Since when it has held.
    pub since: Option<Timestamp>,
    /// Until when, if it is over.
    pub until: Option<Timestamp>,
    /// It held at the moment of the decision.
    pub held: bool,
}

/// What the desk asks of detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DetectCommand {
    /// The ticket was resolved: windows, counts and holds of the fault begin anew, the latch is released, baselines stay, and the
    /// fault's recheck begins.
    Recheck {
        /// Which fault.
        fault: SmolStr,
    },
    /// The ticket was closed: a latched fault is re-armed; a recheck that runs ends without a word.
    Rearm {
        /// Which fault.
        fault: SmolStr,
    },
    /// A part was replaced: baselines that it resets are learnt anew and latches of faults that name the part are released.
    PartReplaced {
        /// Part number.
        part: SmolStr,
    },
    /// The device is out of service: its state is dropped.
    Forget,
}

/// A derived value for the series.
#[derive(Clone, Debug, PartialEq)]
pub struct DerivedValue {
    /// Whose.
    pub device: DeviceId,
    /// The derive's name, or `NAME.baseline` when a baseline was frozen.
    pub name: SmolStr,
    /// Its mode, where the derive has one.
    pub mode: Option<i64>,
    /// When, by the device's time.
    pub at: Timestamp,
    /// In the derive's own unit.
    pub value: f64,
}
