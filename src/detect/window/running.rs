//! Counters through resets and roll-over, and integrals, as running sums.
//!
//! Invariant: the sum of a counter never falls.

use serde::{Deserialize, Serialize};

use super::seconds;

/// A running sum that makes counters and integrals into values whose difference is what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::detect) struct Running {
    before: Option<(i64, f64)>,
    total: f64,
}

impl Running {
    /// Growth of a counter so far, through resets and roll-over.
    ///
    /// A fall is a roll-over when the counter has a roll-over value and the growth this would mean is under half of it; else the
    /// counter restarted at 0. A counter that counts down and rises was refilled, which is no use.
    pub(in crate::detect) fn counter(
        &mut self,
        at: i64,
        value: f64,
        roll_over: Option<f64>,
        counts_down: bool,
    ) -> f64 {
        if let Some((_, before)) = self.before {
            let growth = if counts_down {
                before - value
            } else {
                value - before
            };
            self.total += if growth >= 0.0 {
                growth
            } else {
                match roll_over {
                    Some(end) if growth + end < end / 2.0 && growth + end >= 0.0 => growth + end,
                    Some(end) if counts_down => (end - value).max(0.0),
                    None if counts_down => 0.0,
                    _ => value.max(0.0),
                }
            };
        }
        self.before = Some((at, value));
        self.total
    }

    /// Integral so far, by trapezoids, in value × s; a gap of more than `longest_gap` ms (0: none is too long) adds nothing.
    pub(in crate::detect) fn integral(&mut self, at: i64, value: f64, longest_gap: i64) -> f64 {
        if let Some((then, before)) = self.before {
            let gap = at - then;
            if gap > 0 && (longest_gap == 0 || gap <= longest_gap) {
                self.total += f64::midpoint(value, before) * seconds(gap);
            }
        }
        self.before = Some((at, value));
        self.total
    }
}
