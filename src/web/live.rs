//! What is known of one device this moment: last values, derived values, how near each fault is, its clock.
//!
//! Leaves where it comes from to the daemon, and its shape on the wire and on paper to `api` and `pages`.

use smol_str::SmolStr;

use crate::detect::{Blind, StageView, TermView};
use crate::profile::Stage;
use crate::telemetry::{Text, Timestamp};

/// What was heard of a device and is not in the store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// Messages understood.
    pub messages: u64,
    /// Messages refused.
    pub rejected: u64,
    /// Messages received twice.
    pub duplicates: u64,
    /// Times its record counter restarted without a new boot.
    pub seq_restarts: u64,
}

/// What detection and decoding know of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveDevice {
    /// Last values, in the profile's order.
    pub signals: Vec<LiveSignal>,
    /// Derived values, in the profile's order.
    pub derives: Vec<LiveDerive>,
    /// Its faults, in the profile's order.
    pub faults: Vec<LiveFault>,
    /// Its newest record, by its own time.
    pub last_event: Option<Timestamp>,
    /// Over which connection it was last heard.
    pub source: SmolStr,
    /// A fault of our own froze it: nothing is judged until profiles are activated again.
    pub frozen: bool,
    /// What its clock is worth.
    pub clock: LiveClock,
    /// When which restart counter was first told, rising; the newest few.
    pub restarts: Vec<(Timestamp, u64)>,
}

/// What a device's clock is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveClock {
    /// By how much its times are moved, ms: 0 while its clock counts as right, negative when it is ahead.
    pub offset_ms: i64,
    /// Smallest and largest lag of its live messages within an hour, ms.
    pub lags_ms: Option<(i64, i64)>,
    /// When the newest of these came.
    pub at: Option<Timestamp>,
    /// Its times are not taken as it tells them.
    pub suspect: bool,
}

/// The last value of a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSignal {
    /// Name in the profile.
    pub name: SmolStr,
    /// Path on the wire.
    pub path: SmolStr,
    /// In words.
    pub label: Text,
    /// In the signal's own unit; `None` when it has none or it is no longer known.
    pub value: Option<f64>,
    /// The value as people read it (`49.2 °C`, `brewing`).
    pub shown: Option<String>,
    /// Unit; empty for pure numbers.
    pub unit: SmolStr,
    /// When it was measured.
    pub at: Option<Timestamp>,
    /// The last value that was told, even when it no longer counts or is out of range.
    pub last: Option<f64>,
    /// That value as people read it.
    pub last_shown: Option<String>,
    /// Whether it counts now.
    pub state: SignalState,
}

/// The last value of a derive.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveDerive {
    /// Name in the profile.
    pub name: SmolStr,
    /// In words.
    pub label: Text,
    /// Unit; empty for pure numbers.
    pub unit: SmolStr,
    /// Last value, in that unit.
    pub value: Option<f64>,
    /// When, by the device's time.
    pub at: Option<Timestamp>,
    /// The device's own normal: frozen median and robust spread.
    pub normal: Option<(f64, f64)>,
    /// Its values are in the series: those of sessions and days are, those of single samples follow from the signals.
    pub stored: bool,
}

/// Whether a signal's last value counts now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignalState {
    /// It was never told.
    #[default]
    Never,
    /// It counts.
    Fresh,
    /// It was told so long ago that it no longer counts, or the device told that it has none.
    Stale,
    /// It is outside what its sensor can deliver.
    Invalid,
}

impl SignalState {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Invalid => "invalid",
        }
    }
}

/// Where a fault of a device stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFault {
    /// Name in the profile.
    pub fault: SmolStr,
    /// `learning`, `normal`, `pending`, `active`, `clearing` or `blind`.
    pub state: SmolStr,
    /// The stage, while active.
    pub stage: Option<Stage>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why it is not judged.
    pub why: Option<Text>,
    /// The same, typed.
    pub blind: Option<Blind>,
    /// Its stages with their terms, and how far each is from its limit; worst last.
    pub stages: Vec<StageView>,
    /// A repair is being watched.
    pub rechecking: bool,
    /// Only recorded: it opens no ticket.
    pub shadow: bool,
}

impl LiveFault {
    /// How far it is from a limit: 0 at rest, 1 at the limit; that of the stage that is nearest.
    #[must_use]
    pub fn distance(&self) -> Option<f64> {
        self.nearest_stage().and_then(|stage| stage.distance)
    }

    /// The term that is nearest to its limit.
    #[must_use]
    pub fn nearest(&self) -> Option<&TermView> {
        let stage = self.nearest_stage()?;
        stage.terms.get(stage.nearest?)
    }

    /// Of equally near stages the worse one: what is over both limits is told by the higher.
    fn nearest_stage(&self) -> Option<&StageView> {
        let known = self.stages.iter().filter(|stage| stage.distance.is_some());
        let over = |stage: &StageView| stage.distance.unwrap_or(0.0).min(1.0);
        known.max_by(|a, b| over(a).total_cmp(&over(b)))
    }
}
