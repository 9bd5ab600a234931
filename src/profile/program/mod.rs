//! A fault profile, checked and typed: what the profile language compiles to and what detection executes.
//!
//! `profile` builds it from TOML and refuses every mistake; `detect` turns it into closures over slots. Plain data, so that it can
//! be hashed, printed and tested on its own. All numbers inside are in base units (SI: m, kg, s, A, K; temperatures in °C); a
//! [`Unit`] converts at the edges. Indexes point into the lists of the same [`Program`].

mod expression;

mod fault;

mod input;

mod node;

pub use expression::*;
pub use fault::*;
pub use input::*;
pub use node::*;

use smol_str::SmolStr;

use crate::telemetry::Text;

/// A measuring unit, as written in the profile, with its factor to base units.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// One spelling, as shown to people (`°C`, `L/min`, `mΩ`; empty for pure numbers).
    pub symbol: SmolStr,
    /// value in this unit × scale = value in base units.
    pub scale: f64,
    /// Exponents of m, kg, s, A, K, mol-free; all 0 for pure numbers.
    pub dim: Dim,
}

/// A physical dimension: exponents of length, mass, time, current and temperature.
///
/// `absolute` marks a temperature on the Celsius scale (°C), which is not a temperature difference (K).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim {
    /// Exponents of m, kg, s, A, K.
    pub exponents: [i8; 5],
    /// A point on the Celsius scale rather than a difference.
    pub absolute: bool,
}

/// Index of a signal.
pub type SignalIdx = usize;
/// Index of an event.
pub type EventIdx = usize;
/// Index of a session kind.
pub type SessionIdx = usize;
/// Index of a derive.
pub type DeriveIdx = usize;
/// Index of a node (one stateful function call).
pub type NodeIdx = usize;
/// Index of a limit.
pub type LimitIdx = usize;
/// Index of a term (one comparison that a reason can name).
pub type TermIdx = usize;
/// Index of a fault.
pub type FaultIdx = usize;

/// Content hash of a rule with, transitively, all it reads (DESIGN section 5, "unchanged"): equal hash, state is kept.
pub type SlotHash = u64;

/// A compiled profile.
#[derive(Clone, Debug)]
pub struct Program {
    /// Model, such as `ts-flash5`.
    pub model: SmolStr,
    /// Kind of appliance, as the profile says.
    pub kind: SmolStr,
    /// Name for people.
    pub name: Text,
    /// The real device that it is modelled on, as its maintainers call it.
    pub archetype: Option<SmolStr>,
    /// Who keeps the profile.
    pub maintainers: Vec<SmolStr>,
    /// The version its maintainers gave it.
    pub version: SmolStr,
    /// First 12 hex digits of the SHA-256 of the profile without comments and cases.
    pub profile_version: SmolStr,
    /// How far before receipt a device time may lie, ms (default 45 d).
    pub plausible_past_ms: i64,
    /// How far after receipt a device time may lie, ms (default 10 min).
    pub plausible_future_ms: i64,
    /// Named limits.
    pub limits: Vec<Limit>,
    /// Signals.
    pub signals: Vec<Signal>,
    /// Occurrences.
    pub events: Vec<Event>,
    /// Session kinds.
    pub sessions: Vec<Session>,
    /// Derived values.
    pub derives: Vec<Derive>,
    /// Every stateful function call, each once per distinct content.
    pub nodes: Vec<Node>,
    /// The order in which one record updates nodes, sessions and derives: what a step reads stands before it.
    pub steps: Vec<Step>,
    /// Comparisons that a reason can name.
    pub terms: Vec<Term>,
    /// Faults.
    pub faults: Vec<Fault>,
    /// Replaceable parts.
    pub parts: Vec<Part>,
}

/// One step of the evaluation order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Update this node.
    Node(NodeIdx),
    /// Look whether this session starts, ends or is aborted.
    Session(SessionIdx),
    /// Evaluate this derive: at its session's end, at each sample, or when its day is over.
    Derive(DeriveIdx),
}
