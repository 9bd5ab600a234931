//! What the web needs of the rest of the daemon, as handles that are given to it.
//!
//! The web decides nothing: a person's action becomes a control in the journal, and the answer is what the pipeline decided,
//! after the store's commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use smol_str::SmolStr;

use super::connection::LiveConnection;
use crate::decode::{Hint, Understanding};
use crate::detect::{Blind, StageView, TermView};
use crate::profile::{Program, Stage};
use crate::telemetry::{Control, DeviceId, Measurement, Position, RawMessage, Text, Timestamp};

/// The running daemon, as the web sees it.
pub trait Backend: Send + Sync + 'static {
    /// Writes a control to the journal and tells what the pipeline made of it, once its effects are in the store.
    ///
    /// The future is run to its end even when nobody waits for it any more.
    fn submit(&self, control: Control) -> BoxFuture<'static, Result<ActionOutcome, SubmitError>>;

    /// Decodes rejected messages once more, as of the time they came, and tells when their effects are in the store.
    fn replay(
        &self,
        positions: Vec<Position>,
    ) -> BoxFuture<'static, Result<ActionOutcome, SubmitError>>;

    /// The profiles in force, by model.
    fn profiles(&self) -> Vec<Arc<Program>>;

    /// The profile of one model.
    fn profile(&self, model: &str) -> Option<Arc<Program>>;

    /// What a word of `words/` says; `None` when the list has no such word.
    fn word(&self, list: WordList, name: &str) -> Option<Text>;

    /// What to do for an action, step by step; empty when nothing is written.
    fn guide(&self, action: &str) -> Vec<Text>;

    /// What detection knows of a device now; `None` when it has no state for it.
    fn live(&self, device: &DeviceId) -> BoxFuture<'static, Option<LiveDevice>>;

    /// What was heard of these devices since they were last written to the store; a device that only goes on speaking is written
    /// every few minutes. Absent where nothing was heard since.
    fn unwritten(
        &self,
        devices: Vec<DeviceId>,
    ) -> BoxFuture<'static, BTreeMap<DeviceId, Unwritten>>;

    /// For each fault of a model, how the devices of the last 30 days stand; absent where nothing was counted.
    fn fault_counts(&self, model: &str) -> BoxFuture<'static, BTreeMap<SmolStr, FaultCounts>>;

    /// The newest messages of a device before a position (else of all), newest first, as far back as one look goes.
    fn messages(
        &self,
        device: &DeviceId,
        before: Option<Position>,
        limit: usize,
    ) -> BoxFuture<'static, Result<HeardPage, HeardError>>;

    /// What arrived over the last day, or since the start.
    fn traffic(&self) -> Traffic;

    /// How far behind the daemon's own work is, and how full its journal.
    fn backlog(&self) -> Backlog;

    /// The clients of the built-in listener that last spoke for a device; none while there is no listener, or none connected.
    fn connections(&self, _device: &DeviceId) -> Vec<LiveConnection> {
        Vec::new()
    }

    /// What would be understood of a message that came now; nothing is stored.
    fn decode(&self, message: &RawMessage, received_at: Timestamp) -> Understanding;

    /// What has to work before the daemon is ready, beside the store.
    fn readiness(&self) -> Vec<Check>;

    /// The wall clock.
    fn now(&self) -> Timestamp;
}

/// What arrived, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Since when it was counted.
    pub since: Timestamp,
    /// Width of a bucket, ms.
    pub bucket_ms: i64,
    /// In rising time; the newest is not full yet.
    pub buckets: Vec<TrafficBucket>,
}

/// What arrived in a span of time that begins at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficBucket {
    /// Its beginning.
    pub at: Timestamp,
    /// What arrived.
    pub counts: TrafficCounts,
}

/// Messages by what became of them; received is the sum of the others once the pipeline is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Taken from the journal.
    pub received: u64,
    /// Understood.
    pub decoded: u64,
    /// Refused.
    pub rejected: u64,
    /// Received before.
    pub duplicate: u64,
}

impl TrafficCounts {
    /// What was added since `before`.
    #[must_use]
    pub const fn less(self, before: Self) -> Self {
        Self {
            received: self.received.saturating_sub(before.received),
            decoded: self.decoded.saturating_sub(before.decoded),
            rejected: self.rejected.saturating_sub(before.rejected),
            duplicate: self.duplicate.saturating_sub(before.duplicate),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            received: self.received.saturating_add(more.received),
            decoded: self.decoded.saturating_add(more.decoded),
            rejected: self.rejected.saturating_add(more.rejected),
            duplicate: self.duplicate.saturating_add(more.duplicate),
        }
    }
}

impl Traffic {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> TrafficCounts {
        let counts = self.buckets.iter().map(|bucket| bucket.counts);
        counts.fold(TrafficCounts::default(), TrafficCounts::plus)
    }
}

/// What is not done yet, and how full the journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records that detection has not seen yet.
    pub detection: u64,
    /// Records whose points are not in the series store yet.
    pub series: u64,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
}

/// Messages as they lie in the journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeardPage {
    /// Newest first.
    pub items: Vec<HeardMessage>,
    /// What was not looked at lies before this; `None` when nothing does.
    pub next: Option<Position>,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct HeardMessage {
    /// Its place in the journal.
    pub position: Position,
    /// When it came.
    pub received_at: Timestamp,
    /// The message itself.
    pub message: RawMessage,
    /// What decoding makes of it.
    pub understood: Understood,
    /// What is probably wrong with it.
    pub hints: Vec<Hint>,
}

/// What decoding makes of a message when it looks once more. Whether it was refused then is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Understood {
    /// Nothing.
    #[default]
    Nothing,
    /// It is the same as one shortly before it.
    Repeated,
    /// This.
    Said(Said),
}

/// What a message said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Records in it.
    pub records: usize,
    /// Values in these.
    pub values: usize,
    /// The occurrence that it told, when it told only one record.
    pub event: Option<SmolStr>,
    /// It told whether the device is online.
    pub online: Option<bool>,
    /// It told what the device is.
    pub identity: bool,
}

/// The journal cannot be read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be read there; foremend journal verify says more")]
pub struct HeardError;

/// Reading the series of a device.
pub trait SeriesRead: Send + Sync + 'static {
    /// The numbers of one field in rising time: each alone while there are at most `points`, else one per window.
    fn range(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<Vec<SeriesSample>, SeriesReadError>>;
}

/// Which numbers are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Of which measurement.
    pub measurement: Measurement,
    /// Of which device.
    pub device: DeviceId,
    /// Of which field.
    pub field: SmolStr,
    /// From this instant on, inclusive.
    pub from: Timestamp,
    /// Up to this instant, exclusive.
    pub to: Timestamp,
    /// At most so many.
    pub points: u32,
}

/// One value, or what lies in a window that begins at `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesSample {
    /// When.
    pub at: Timestamp,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
}

/// The series cannot be read now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the series store does not answer: {reason}")]
pub struct SeriesReadError {
    /// Why; shown to the caller, so without addresses and secrets.
    pub reason: String,
}

/// What the pipeline made of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Done, and in the store.
    Done,
    /// Not done; nothing changed.
    Refused {
        /// What kind of refusal.
        kind: RefusalKind,
        /// The reason for people.
        reason: Text,
    },
}

/// Kinds of refusals, by what the caller does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such thing.
    Unknown,
    /// The caller saw an older version: look again.
    Stale {
        /// The version now.
        current: u64,
    },
    /// The state of the thing does not allow it.
    Conflict,
    /// What was asked for can never be done.
    Invalid,
}

/// A control was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The journal takes nothing more now.
    #[error("the journal is full; try again in {} s", retry_after.as_secs())]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// The daemon is shutting down, or its pipeline stopped.
    #[error("foremend is shutting down")]
    Closing,
}

/// A list of words of `words/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordList {
    /// Probable causes.
    Cause,
    /// What a person is to do.
    Action,
    /// What a customer is told.
    Message,
}

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

/// How the devices of a model stand with one fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Devices that it judges.
    pub judged: u64,
    /// Devices of which it has too few values so far.
    pub learning: u64,
    /// Devices that it cannot judge.
    pub blind: u64,
    /// Those by reason, such as `stale` or `no_signal`.
    pub blind_by: BTreeMap<SmolStr, u64>,
    /// Devices where it is about to rise.
    pub pending: u64,
    /// Devices where it is active.
    pub active: u64,
}

/// One thing that has to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, such as `journal` or `broker plant`.
    pub name: SmolStr,
    /// It works.
    pub ok: bool,
    /// In a few words, without addresses and secrets: everyone may read it.
    pub detail: String,
}
