//! Stateful function calls: each is one node with its own slot of state. Leaves how they are evaluated to detection.

use smol_str::SmolStr;

use super::{Cond, DeriveIdx, EventIdx, Num, SessionIdx, SignalIdx, SlotHash, Unit};

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
