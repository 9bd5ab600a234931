//! What the web needs of the rest of the daemon, as handles that are given to it.
//!
//! The web decides nothing: a person's action becomes a control in the journal, and the answer is what the pipeline decided,
//! after the store's commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use smol_str::SmolStr;

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

    /// For each fault of a model, how the devices of the last 30 days stand; absent where nothing was counted.
    fn fault_counts(&self, model: &str) -> BoxFuture<'static, BTreeMap<SmolStr, FaultCounts>>;

    /// The newest messages of a device before a position (else of all), newest first, as far back as one look goes.
    fn messages(
        &self,
        device: &DeviceId,
        before: Option<Position>,
        limit: usize,
    ) -> BoxFuture<'static, Result<HeardPage, HeardError>>;

    /// What has to work before the daemon is ready, beside the store.
    fn readiness(&self) -> Vec<Check>;

    /// The wall clock.
    fn now(&self) -> Timestamp;
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

/// What detection knows of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveDevice {
    /// Last values, in the profile's order.
    pub signals: Vec<LiveSignal>,
    /// Its faults, in the profile's order.
    pub faults: Vec<LiveFault>,
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
}

/// How the devices of a model stand with one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Devices that it judges.
    pub judged: u64,
    /// Devices whose baseline is still being learnt.
    pub learning: u64,
    /// Devices that it cannot judge.
    pub blind: u64,
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
