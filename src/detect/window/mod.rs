//! The arithmetic of windows: what a function gives over the values of a stretch of time.
//!
//! `cells` (of `cell`s) keeps values for counts, sums and extremes, `points` for medians and slopes, `running` makes counters and integrals into
//! values whose difference is asked for. Leaves to `windowed` which values enter. Invariant: what is kept has a bound, a window
//! gives the same whether or not its state was saved in between, and no result is NaN.

mod cell;

mod cells;

mod points;

mod running;

pub(super) use cells::{Cells, Keeping};
#[cfg(test)]
pub(super) use points::quantile;
pub(super) use points::{POINT_LIMIT, Points, SLOPE_LIMIT, median};
pub(super) use running::Running;

/// The first moment after `now` of times that rise: of those that leave, and, where there are such, of those that enter.
fn next_of(
    mut leaves: impl Iterator<Item = i64>,
    enters: Option<impl Iterator<Item = i64>>,
    now: i64,
) -> i64 {
    let leaves = leaves.find(|at| *at > now);
    let enters = enters.and_then(|mut enters| enters.find(|at| *at > now));
    leaves.into_iter().chain(enters).min().unwrap_or(i64::MAX)
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "spans of device time are far below 2^53 ms"
)]
pub(in crate::detect) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
