//! A stretch of values in a window: when it was, how many they were, and what the window's function asks of them.
//!
//! Invariant: joining cells from left to right gives what one cell over all their values would.

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::profile::WindowFn;

/// A stretch of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// When its first value came, ms of the device's time,
    pub(super) from: i64,
    /// and its last.
    pub(super) to: i64,
    pub(super) count: u32,
    /// What the function asks of it: the sum, the least, the greatest, the last or, for all others, the first value.
    pub(super) value: f64,
    /// The last value, for functions that compare the first with the last.
    pub(super) last: f64,
}

impl Cell {
    /// One value. The two zeros are one here: which of them is the least of both must not depend on their order.
    pub(super) fn of(at: i64, value: f64) -> Self {
        let value = value + 0.0;
        Self {
            from: at,
            to: at,
            count: 1,
            value,
            last: value,
        }
    }

    /// Takes in a later one.
    pub(super) fn join(&mut self, later: &Self, func: WindowFn) {
        self.to = later.to;
        self.last = later.last;
        self.mix(later, func);
        if matches!(func, WindowFn::Last) {
            self.value = later.value;
        }
    }

    /// Takes in one that lies inside it or before it, for a function that does not depend on the order.
    pub(super) fn mix(&mut self, other: &Self, func: WindowFn) {
        self.count = self.count.saturating_add(other.count);
        match func {
            WindowFn::Sum | WindowFn::Mean => self.value += other.value,
            WindowFn::Min => self.value = self.value.min(other.value),
            WindowFn::Max => self.value = self.value.max(other.value),
            _ => {}
        }
    }

    /// One value that stayed the same until the later one came.
    pub(super) fn goes_on(&self, later: &Self) -> bool {
        let alike = |a: f64, b: f64| a.to_bits() == b.to_bits();
        alike(self.value, self.last) && alike(self.last, later.value)
    }

    /// What the function gives over its values.
    pub(super) fn gives(&self, func: WindowFn) -> Option<f64> {
        match func {
            WindowFn::Last | WindowFn::First | WindowFn::Min | WindowFn::Max | WindowFn::Sum => {
                Some(self.value)
            }
            WindowFn::Mean => Some(self.value / f64::from(self.count.max(1))),
            WindowFn::Count => Some(f64::from(self.count)),
            WindowFn::Increase { .. } | WindowFn::Integral => Some(self.last - self.value),
            WindowFn::Rate => {
                let span = self.to - self.from;
                (span > 0).then(|| (self.last - self.value) / seconds(span))
            }
            WindowFn::Median | WindowFn::Quantile(_) | WindowFn::Slope => None,
        }
    }
}

/// A cell as it is saved: most hold one value, and then that and its time are all there is to save.
#[derive(Serialize, Deserialize)]
pub(super) enum Saved {
    /// One value, so many ms after the end of the cell before.
    One(i64, f64),
    /// Several: the same, then how long after its beginning it ends, and the rest.
    Many {
        after: i64,
        span: i64,
        count: u32,
        value: f64,
        last: f64,
    },
}

impl Saved {
    pub(super) fn of(cell: &Cell, before: i64) -> Self {
        let after = cell.from.wrapping_sub(before);
        let alike = cell.value.to_bits() == cell.last.to_bits();
        if cell.to == cell.from && cell.count == 1 && alike {
            return Self::One(after, cell.value);
        }
        Self::Many {
            after,
            span: cell.to.wrapping_sub(cell.from),
            count: cell.count,
            value: cell.value,
            last: cell.last,
        }
    }

    pub(super) fn cell(self, before: i64) -> Cell {
        match self {
            Self::One(after, value) => Cell::of(before.wrapping_add(after), value),
            Self::Many {
                after,
                span,
                count,
                value,
                last,
            } => {
                let from = before.wrapping_add(after);
                Cell {
                    from,
                    to: from.wrapping_add(span),
                    count,
                    value,
                    last,
                }
            }
        }
    }
}
