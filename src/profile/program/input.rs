//! What a profile reads and derives: limits, signals, events, sessions, derived values. Leaves conditions and numbers to
//! `expression`. All numbers are in base units.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::{Cond, Num, SessionIdx, SignalIdx, SlotHash, Unit};
use crate::telemetry::Text;

/// A named number that `tune` may move.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Name in expressions.
    pub name: SmolStr,
    /// Unit it was written in.
    pub unit: Unit,
    /// Value in base units where no variant applies.
    pub default: f64,
    /// By hardware revision, in base units.
    pub by_hw: BTreeMap<SmolStr, f64>,
    /// By region, in base units.
    pub by_region: BTreeMap<SmolStr, f64>,
}

/// How long a value is known after it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleAfter {
    /// This many milliseconds.
    Ms(i64),
    /// For ever, while the device is online.
    Never,
    /// Known at its instant only (a field of an event).
    Instant,
}

/// How often a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Not said.
    Unknown,
    /// Every so many milliseconds.
    Ms(i64),
    /// When it changes: its value holds in between.
    Change,
}

/// What the numbers of a signal mean.
#[derive(Clone, Debug, PartialEq)]
pub enum SignalKind {
    /// A measured value.
    Gauge,
    /// True (1) or false (0).
    Bool,
    /// One of these words; the value is the word's index.
    Enum(Vec<SmolStr>),
    /// A bit field, up to 2^53, with named bits.
    Bits(BTreeMap<SmolStr, u8>),
    /// Grows (or falls, if `counts_down`), may restart at 0 or roll over at a fixed value (base units).
    Counter {
        /// The value at which it starts again from 0.
        roll_over: Option<f64>,
        /// It falls with use.
        counts_down: bool,
    },
}

/// A signal.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Name in expressions.
    pub name: SmolStr,
    /// Path on the wire (and in the API and InfluxDB).
    pub path: SmolStr,
    /// For people.
    pub label: Text,
    /// Unit on the wire, after `scale` and `offset`.
    pub unit: Unit,
    /// What its numbers mean.
    pub kind: SignalKind,
    /// Wire value × scale + offset = value in `unit`.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// What the sensor can deliver, in base units; outside is no value.
    pub range: Option<(f64, f64)>,
    /// Wire values that mean "no value".
    pub no_value: Vec<f64>,
    /// Value until first seen, in base units.
    pub default: Option<f64>,
    /// How often it is sent.
    pub cadence: Cadence,
    /// How long it stays known.
    pub stale_after: StaleAfter,
    /// Text is to be stored as a string field of the series.
    pub store_text: bool,
    /// Content hash.
    pub hash: SlotHash,
}

/// An occurrence.
#[derive(Clone, Debug)]
pub struct Event {
    /// Name in expressions.
    pub name: SmolStr,
    /// Name on the wire.
    pub path: SmolStr,
    /// For people.
    pub label: Text,
}

/// What happens when a session reaches its longest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtMax {
    /// It is forgotten.
    Drop,
    /// It ends there and counts, censored.
    Close,
    /// It ends there and counts, and a new one starts.
    Restart,
}

/// A span of use with a start and an end.
#[derive(Clone, Debug)]
pub struct Session {
    /// Name in expressions.
    pub name: SmolStr,
    /// Rising truth of this starts it.
    pub start: Cond,
    /// Truth of this ends it.
    pub end: Cond,
    /// Truth of this discards it; looked at before `end`.
    pub abort: Option<Cond>,
    /// Longest time, ms.
    pub max_ms: i64,
    /// What happens then.
    pub at_max: AtMax,
    /// Content hash.
    pub hash: SlotHash,
}

/// When a derive gives values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// At every sample of its inputs.
    Sample,
    /// Once for each of the device's local days, when the day is over.
    Day,
    /// Once for each session, at its end.
    Session(SessionIdx),
}

/// How a baseline is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaselineRule {
    /// At least this many values of one mode.
    pub samples: u32,
    /// And at least this long after the first of them, ms.
    pub span_ms: i64,
}

/// A derived value.
#[derive(Clone, Debug)]
pub struct Derive {
    /// Name in expressions.
    pub name: SmolStr,
    /// For people.
    pub label: Text,
    /// Unit it is shown in.
    pub unit: Unit,
    /// When it gives a value.
    pub per: Per,
    /// The value, in base units.
    pub value: Num,
    /// Gives a value only where this is true.
    pub filter: Option<Cond>,
    /// Splits its baseline: values are compared only with those of an equal mode (rounded to a whole number).
    pub mode: Option<Num>,
    /// How its baseline is learnt.
    pub baseline: Option<BaselineRule>,
    /// Signals it reads, transitively.
    pub signals: Vec<SignalIdx>,
    /// Content hash.
    pub hash: SlotHash,
}
