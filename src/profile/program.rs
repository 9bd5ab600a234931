//! A fault profile, checked and typed: what the profile language compiles to and what detection executes.
//!
//! `profile` builds it from TOML and refuses every mistake; `detect` turns it into closures over slots. Plain data, so that it can
//! be hashed, printed and tested on its own. All numbers inside are in base units (SI: m, kg, s, A, K; temperatures in °C); a
//! [`Unit`] converts at the edges. Indexes point into the lists of the same [`Program`].

use std::collections::BTreeMap;

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

/// A numeric expression. Any unknown operand makes it unknown; so does a result that is not finite.
#[derive(Clone, Debug, PartialEq)]
pub enum Num {
    /// A number in base units.
    Const(f64),
    /// The signal's value while it is known (booleans 0/1, enumerations by index).
    Signal(SignalIdx),
    /// The derive's last value. A per-sample derive is known at samples of its inputs and while they stay fresh.
    Derive(DeriveIdx),
    /// A limit, resolved for the device's hardware and region.
    Limit(LimitIdx),
    /// What a node gives.
    Node(NodeIdx, Field),
    /// Sign change.
    Neg(Box<Num>),
    /// Absolute value.
    Abs(Box<Num>),
    /// Two operands.
    Binary(NumOp, Box<Num>, Box<Num>),
}

/// An operator with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumOp {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a * b
    Mul,
    /// a / b; unknown when b is 0
    Div,
    /// The smaller
    Min,
    /// The larger
    Max,
}

/// Which of a node's outputs is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The only one, of every node but a baseline.
    Value,
    /// Baseline: value over the frozen median, median over the window.
    Ratio,
    /// Baseline: value minus the frozen median, median over the window.
    Delta,
    /// Baseline: delta in robust spreads.
    Z,
    /// Baseline: relative rise, 0 while within 3 robust spreads.
    Up,
    /// Baseline: relative fall (positive), 0 while within 3 robust spreads.
    Down,
    /// Baseline: the frozen median of the newest value's mode.
    Frozen,
}

/// A condition, in Kleene's three values.
#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    /// Always so.
    Const(bool),
    /// A boolean signal.
    Signal(SignalIdx),
    /// True at the instant of the occurrence, false at every other record.
    Event(EventIdx),
    /// The session is running (unknown never; at its own end it still counts as running).
    Running(SessionIdx),
    /// A comparison. `term` is what a reason says about it.
    Compare {
        /// Operator.
        op: CompareOp,
        /// Left side.
        left: Num,
        /// Right side.
        right: Num,
        /// What a reason says about it.
        term: TermIdx,
    },
    /// `low <= x and x <= high`.
    Within {
        /// The value.
        value: Num,
        /// Lower end.
        low: Num,
        /// Upper end.
        high: Num,
        /// What a reason says about it.
        term: TermIdx,
    },
    /// A node that gives truth.
    Node(NodeIdx),
    /// The baseline of this node's newest mode is frozen; never unknown.
    BaselineReady(NodeIdx),
    /// The signal's value is known; never unknown.
    Has(SignalIdx),
    /// The signal's newest reading was outside its range.
    Invalid(SignalIdx),
    /// This fault is Active.
    Raised(FaultIdx),
    /// Not.
    Not(Box<Cond>),
    /// And.
    All(Vec<Cond>),
    /// Or.
    Any(Vec<Cond>),
    /// `inner`, but unknown until this node (a count) has reached `count`.
    Requires {
        /// A node that counts values of a derive.
        node: NodeIdx,
        /// How many it needs.
        count: u32,
        /// What is then judged.
        inner: Box<Cond>,
    },
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// ==
    Equal,
    /// !=
    NotEqual,
    /// <
    Less,
    /// <=
    LessOrEqual,
    /// >
    Greater,
    /// >=
    GreaterOrEqual,
}

/// A stateful function call.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// As written, in the form `fmt` would write.
    pub text: SmolStr,
    /// Unit its numbers are shown in.
    pub unit: Unit,
    /// Signals it reads, transitively: freshness and "sampled or change" follow from them.
    pub signals: Vec<SignalIdx>,
    /// Largest finite `stale_after` among `signals`, ms; 0 when none is finite.
    pub stale_ms: i64,
    /// True when it reads at least one sampled (not `change`) signal: a hold then needs two samples.
    pub sampled: bool,
    /// Upper bound of its state per device, bytes (printed by `check`).
    pub state_bytes: u32,
    /// Content hash.
    pub hash: SlotHash,
}

/// Over which values a window function looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Window {
    /// The time before now, ms; shifted into the past by `ago_ms`.
    Span {
        /// Length.
        span_ms: i64,
        /// Shift.
        ago_ms: i64,
    },
    /// The last so many values.
    Last(u32),
    /// The running session, up to its own end.
    Session(SessionIdx),
    /// The device's local day so far (in a derive per day).
    Day,
}

/// What a window function gives over the values in its window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowFn {
    /// Newest value.
    Last,
    /// Oldest value.
    First,
    /// Arithmetic mean of the values.
    Mean,
    /// Median.
    Median,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// Number of values; 0 is known.
    Count,
    /// Quantile at this probability, 0 to 1.
    Quantile(f64),
    /// Growth of a counter through resets and roll-over (`roll_over` in base units).
    Increase {
        /// Value at which the counter starts again from 0.
        roll_over: Option<f64>,
        /// The counter falls with use.
        counts_down: bool,
    },
    /// Integral over time (value in base units × s), trapezoid between samples.
    Integral,
    /// Change per second between the ends of the window.
    Rate,
    /// Theil–Sen slope per second.
    Slope,
}

/// The kinds of nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A function over the values of `input` in a window. A value enters at each sample of a signal or derive that `input` reads.
    Window {
        /// What it gives.
        func: WindowFn,
        /// The values.
        input: Num,
        /// Over which.
        window: Window,
    },
    /// How often the event occurred in the window; 0 is known.
    CountEvent {
        /// Which event.
        event: EventIdx,
        /// In which window.
        window: Window,
    },
    /// How often the condition became true in the window; 0 is known.
    CountStarts {
        /// Which condition.
        cond: Cond,
        /// In which window.
        window: Window,
    },
    /// For how long (s) the condition was true in the window.
    Total {
        /// Which condition.
        cond: Cond,
        /// In which window.
        window: Window,
    },
    /// Truth: the condition was true for so long without a break (language.md section 4, `held`).
    HeldFor {
        /// Which condition.
        cond: Cond,
        /// For how long, ms.
        hold_ms: i64,
    },
    /// Truth: the condition was true for at least `k` of the last `n` values of one derive.
    HeldOf {
        /// Which condition; judged at each new value of `derive`.
        cond: Cond,
        /// Whose values count.
        derive: DeriveIdx,
        /// At least so many.
        k: u32,
        /// Of so many.
        n: u32,
    },
    /// Values of a derive against its frozen baseline; see [`Field`].
    Baseline {
        /// Which derive.
        derive: DeriveIdx,
        /// The median is taken over this window.
        window: Window,
    },
    /// How long the session has been running (s); unknown outside.
    Duration {
        /// Which session.
        session: SessionIdx,
    },
    /// The last value of `input` before the session's start, at most `max_age_ms` before it.
    Before {
        /// The value.
        input: Num,
        /// How old it may be.
        max_age_ms: i64,
        /// Which session.
        session: SessionIdx,
    },
    /// The value of `input` nearest to `offset_ms` after the session's start, within ±10 s.
    At {
        /// The value.
        input: Num,
        /// When.
        offset_ms: i64,
        /// Which session.
        session: SessionIdx,
    },
    /// Truth: the value differs from the one before.
    Changed {
        /// The value.
        input: Num,
    },
    /// Truth: the value did not change in the whole window, seen by at least three samples.
    Stuck {
        /// The value.
        input: Num,
        /// How long, ms.
        span_ms: i64,
    },
    /// Truth: this bit is set now and was not set in the sample before.
    Newly {
        /// The bit field.
        signal: SignalIdx,
        /// Which bit.
        bit: u8,
    },
    /// Time since the event (s); unknown until it occurred.
    Since {
        /// Which event.
        event: EventIdx,
    },
    /// Time since the device was first heard of (s).
    Age,
    /// Time since the last sample of the signal (s), by received time.
    SilentFor {
        /// Which signal.
        signal: SignalIdx,
    },
    /// Truth: at least `n` of the signs are true now or were within the window.
    AtLeast {
        /// How many.
        n: u32,
        /// The signs.
        signs: Vec<Cond>,
        /// For how long a sign counts after it was true, ms.
        span_ms: i64,
    },
}

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
