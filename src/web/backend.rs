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
use crate::profile::Program;
use crate::telemetry::{Control, DeviceId, Measurement, Position, RawMessage, Text, Timestamp};

pub use super::live::{
    LiveClock, LiveDerive, LiveDevice, LiveFault, LiveSignal, SignalState, Unwritten,
};

/// The running daemon, as the web sees it.
pub trait Backend: Send + Sync + 'static {
    /// Writes a control to the journal and tells what the pipeline made of it, once its effects are in the store.
    ///
    /// The future is run to its end even when nobody waits for it any more.
    fn submit(&self, control: Control) -> BoxFuture<'static, Result<ActionOutcome, SubmitError>>;

    /// Decodes rejected messages once more, as of the time they came, and tells when their effects are in the store: which of
    /// them the journal could not give any more.
    fn replay(
        &self,
        positions: Vec<Position>,
    ) -> BoxFuture<'static, Result<Vec<Position>, SubmitError>>;

    /// The first position that the journal still has; what was rejected before it cannot be replayed.
    fn first_kept(&self) -> Position;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records that detection has not seen yet.
    pub detection: Behind,
    /// Records whose points are not in the series store yet.
    pub series: Behind,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// What retention should remove and must not; `None` while nothing holds it up.
    pub held: Option<HeldBack>,
}

/// How far a consumer of the journal is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Records that it has not seen yet.
    pub records: u64,
    /// Records a second that it worked off lately.
    pub per_second: u64,
    /// When it will have caught up if all goes on so; `None` when it is not getting nearer.
    pub left: Option<Duration>,
}

impl Behind {
    /// From this many records on, people are told that it is catching up: some seconds of a large fleet.
    pub const TOLD_FROM: u64 = 10_000;

    /// Whether people are told.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.records >= Self::TOLD_FROM
    }
}

/// A part of the journal that is old or large enough to be removed, but that someone has not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Whose reading it waits for.
    pub holder: JournalHolder,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Who holds the journal's retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalHolder {
    /// The series writer: its store is away or behind.
    Series,
    /// The saved state: it cannot be written.
    State,
    /// Another consumer, by name.
    Other(SmolStr),
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

    /// What lies around a range: the newest number before it, and how far the field reaches.
    fn around(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<SeriesAround, SeriesReadError>>;
}

/// What lies around a range of a field. With it a chart of a seldom sent signal begins with a value, and knows where to scroll.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeriesAround {
    /// The newest number before the range.
    pub before: Option<(Timestamp, f64)>,
    /// When the first and the last value of the field are, inside the range or not.
    pub extent: Option<(Timestamp, Timestamp)>,
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
