//! Faults with their stages, and what is said about them. Leaves tickets to the desk.

use smol_str::SmolStr;

use super::{Cond, DeriveIdx, FaultIdx, NodeIdx, Num, SessionIdx, SignalIdx, SlotHash, Unit};
use crate::telemetry::Text;

/// A comparison, as a reason names it.
#[derive(Clone, Debug)]
pub struct Term {
    /// As written.
    pub text: SmolStr,
    /// Wire path of the signal, or `derive.NAME`, that the left side mainly reads.
    pub signal: Option<SmolStr>,
    /// In words.
    pub label: Text,
    /// Unit in which value and limit are shown.
    pub unit: Unit,
    /// Operator as written (`>=`).
    pub op: SmolStr,
    /// Node whose frozen baseline is shown beside it.
    pub baseline: Option<NodeIdx>,
}

/// Service severities, worst first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Severity {
    /// Danger to people or property: at once.
    S1,
    /// Does not work.
    S2,
    /// Works worse.
    S3,
    /// Notice: consumables, planned maintenance; no ticket in the queue.
    S4,
}

impl Severity {
    /// The name in profiles, API, database and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
        }
    }
}

/// Stages of a fault.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// An early sign.
    Warn,
    /// The fault itself.
    Fault,
}

impl Stage {
    /// The name in profiles, API, database and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Fault => "fault",
        }
    }
}

/// One stage of a fault.
#[derive(Clone, Debug)]
pub struct StageRule {
    /// Its condition, with `for` already in it.
    pub when: Cond,
    /// Judged only where this is true; else unknown.
    pub gate: Option<Cond>,
    /// Its severity.
    pub severity: Severity,
    /// Raised until a person or a replaced part clears it.
    pub latched: bool,
    /// What a person is to do: a word of `words/`.
    pub action: SmolStr,
    /// Customer message: a word of `words/`.
    pub message: Option<SmolStr>,
    /// Stays raised at least this long, ms.
    pub keep_ms: i64,
}

/// How long the repair is watched after a ticket was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// So many sessions of this kind.
    Sessions {
        /// Which.
        session: SessionIdx,
        /// How many.
        count: u32,
    },
    /// So long, ms.
    Span(i64),
}

/// Whether a fault may open tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// It may.
    Live,
    /// It is judged and recorded, and opens nothing.
    Shadow,
    /// It is not judged.
    Off,
}

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Name in the profile and everywhere else.
    pub name: SmolStr,
    /// Short code for service people (`TF3`).
    pub code: SmolStr,
    /// For people.
    pub title: Text,
    /// What it is called in explanations, where the title does not serve.
    pub label: Option<Text>,
    /// The early stage, if there is one.
    pub warn: Option<StageRule>,
    /// The fault stage, if there is one. At least one of the two is there.
    pub fault: Option<StageRule>,
    /// When it is over; the default of language.md section 4 is already worked in.
    pub clear: Cond,
    /// What is watched after a repair.
    pub recheck: Recheck,
    /// The sentence; absent: made from the terms that held.
    pub reason: Option<Template>,
    /// Probable cause: a word of `words/`.
    pub cause: SmolStr,
    /// Part numbers to bring.
    pub parts: Vec<SmolStr>,
    /// Faults whose open tickets this one closes into itself.
    pub absorbs: Vec<SmolStr>,
    /// Signals whose faults read unknown while this one is Pending or Active.
    pub sensor_of: Vec<SignalIdx>,
    /// Faults that keep this one from being judged while Active.
    pub inhibited_by: Vec<FaultIdx>,
    /// Whether it may open tickets.
    pub state: RuleState,
    /// Signals it reads, transitively.
    pub signals: Vec<SignalIdx>,
    /// Nodes it reads, transitively: what begins anew at a recheck.
    pub nodes: Vec<NodeIdx>,
    /// Its conditions as they stand in the profile, by key (`gate`, `when`, `warn`, `fault`, `clear`).
    pub written: Vec<(SmolStr, SmolStr)>,
    /// Content hash.
    pub hash: SlotHash,
}

/// A sentence with values in it, in both languages.
#[derive(Clone, Debug)]
pub struct Template {
    /// English.
    pub en: Vec<Piece>,
    /// Simplified Chinese.
    pub zh: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Text as it is.
    Text(SmolStr),
    /// A value, shown in `unit`; an unknown one as "–".
    Value {
        /// What is shown.
        value: Num,
        /// In which unit; seconds are shown in the natural one (3 min, 2 h, 14 d).
        unit: Unit,
    },
    /// A word of an enumeration; an unknown one as "–".
    Word {
        /// Its index.
        value: Num,
        /// The words.
        words: Vec<SmolStr>,
    },
}

/// A replaceable part.
#[derive(Clone, Debug)]
pub struct Part {
    /// Part number.
    pub number: SmolStr,
    /// For people.
    pub title: Text,
    /// Derives whose baselines are learnt anew when it is replaced.
    pub resets: Vec<DeriveIdx>,
}
