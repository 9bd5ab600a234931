//! Numbers and conditions as trees. Leaves whatever needs memory to `node`. No tree is deeper than the parser allows.

use super::{DeriveIdx, EventIdx, FaultIdx, LimitIdx, NodeIdx, SessionIdx, SignalIdx, TermIdx};

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
