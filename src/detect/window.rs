//! Values in a window: exact while they are few, in a bounded number of time cells when they are many.
//!
//! Leaves to `node` which values enter and when. Invariant: cells stand in rising order of time and never overlap; a window
//! never holds more than [`CELL_LIMIT`] cells or [`POINT_LIMIT`] points.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::profile::WindowFn;

/// Most cells of one window. Up to here every value has its own cell and the window is exact; beyond, neighbours share cells of
/// a [`SLOTS`]th of the window, so that what leaves it is off by at most that much.
pub(super) const CELL_LIMIT: usize = 128;
/// Cells left after sharing.
const SLOTS: i64 = 64;
/// Most values kept for a median; beyond, every second one is kept.
pub(super) const POINT_LIMIT: usize = 256;
/// Most points of a slope: 2,016 pairs, some 10 µs.
pub(super) const SLOPE_LIMIT: usize = 64;
/// Fewest points of a slope: two points have no robust one.
const SLOPE_LEAST: usize = 3;

/// A stretch of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    from: i64,
    to: i64,
    count: u32,
    sum: f64,
    min: f64,
    max: f64,
    first: f64,
    last: f64,
}

impl Cell {
    fn of(at: i64, value: f64) -> Self {
        Self {
            from: at,
            to: at,
            count: 1,
            sum: value,
            min: value,
            max: value,
            first: value,
            last: value,
        }
    }

    /// Takes in a later one.
    fn join(&mut self, later: &Self) {
        self.to = later.to;
        self.count = self.count.saturating_add(later.count);
        self.sum += later.sum;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.last = later.last;
    }

    /// Takes in a value that lies inside it or beside it, without touching its ends' values.
    fn mix(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// Values as cells: for every function but medians and slopes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cells(VecDeque<Cell>);

impl Cells {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a value at the end. One that is older than the end is left out; see [`Cells::insert`].
    pub(super) fn push(&mut self, at: i64, value: f64) {
        if self.0.back().is_some_and(|last| at < last.to) {
            return;
        }
        self.0.push_back(Cell::of(at, value));
        if self.0.len() > CELL_LIMIT {
            self.share();
        }
    }

    /// Adds a late value where it belongs: its count, least and greatest are then right.
    pub(super) fn insert(&mut self, at: i64, value: f64) {
        let place = self.0.partition_point(|cell| cell.from <= at);
        if let Some(cell) = place.checked_sub(1).and_then(|i| self.0.get_mut(i))
            && at <= cell.to
            && cell.from != cell.to
        {
            cell.mix(value);
            return;
        }
        self.0.insert(place, Cell::of(at, value));
        if self.0.len() > CELL_LIMIT {
            self.share();
        }
    }

    /// Drops what ended at or before this moment.
    pub(super) fn forget_until(&mut self, until: i64) {
        while self.0.front().is_some_and(|cell| cell.to <= until) {
            self.0.pop_front();
        }
    }

    /// What the function gives over the values after `after` and up to `up_to`, how many they are, and the next moment at which
    /// that changes by time alone, given that the window's ends move with time.
    pub(super) fn value(&self, func: WindowFn, after: i64, up_to: i64) -> (Option<f64>, u32) {
        let mut all: Option<Cell> = None;
        for cell in self
            .0
            .iter()
            .filter(|cell| cell.to > after && cell.from <= up_to)
        {
            match &mut all {
                None => all = Some(*cell),
                Some(all) => all.join(cell),
            }
        }
        let Some(all) = all else {
            return (matches!(func, WindowFn::Count).then_some(0.0), 0);
        };
        let value = match func {
            WindowFn::Last => Some(all.last),
            WindowFn::First => Some(all.first),
            WindowFn::Mean => Some(all.sum / f64::from(all.count.max(1))),
            WindowFn::Min => Some(all.min),
            WindowFn::Max => Some(all.max),
            WindowFn::Sum => Some(all.sum),
            WindowFn::Count => Some(f64::from(all.count)),
            WindowFn::Increase { .. } | WindowFn::Integral => Some(all.last - all.first),
            WindowFn::Rate => rate(&all),
            WindowFn::Median | WindowFn::Quantile(_) | WindowFn::Slope => None,
        };
        (value, all.count)
    }

    /// The first moment after `now` at which a cell leaves (`span` after its end) or enters (`ago` after its start).
    pub(super) fn next_change(&self, now: i64, span: i64, ago: i64) -> i64 {
        let leaves = self.0.iter().map(|cell| cell.to + ago + span);
        let enters = self.0.iter().map(|cell| cell.from + ago);
        next_of(leaves, (ago != 0).then_some(enters), now)
    }

    /// When the oldest value came.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.0.front().map(|cell| cell.from)
    }

    fn share(&mut self) {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else {
            return;
        };
        let width = ((last.to - first.from) / SLOTS).max(1);
        let mut shared: VecDeque<Cell> = VecDeque::with_capacity(CELL_LIMIT);
        for cell in &self.0 {
            match shared.back_mut() {
                Some(before)
                    if before.from.div_euclid(width) == cell.from.div_euclid(width)
                        || cell.from == before.to =>
                {
                    before.join(cell);
                }
                _ => shared.push_back(*cell),
            }
        }
        self.0 = shared;
    }
}

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

fn rate(all: &Cell) -> Option<f64> {
    let span = all.to - all.from;
    (span > 0).then(|| (all.last - all.first) / seconds(span))
}

/// Milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "spans of device time are far below 2^53 ms"
)]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Single values: for medians, quantiles, slopes, and for every function over the last so many values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Points {
    values: VecDeque<(i64, f64)>,
    /// Every so many values one is kept.
    stride: u32,
    /// How many have been left out since the last one kept.
    skipped: u32,
    /// How many came, kept or not, since the last clearing.
    seen: u32,
}

impl Default for Points {
    fn default() -> Self {
        Self {
            values: VecDeque::new(),
            stride: 1,
            skipped: 0,
            seen: 0,
        }
    }
}

impl Points {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds one of the last `limit` values; the oldest goes.
    pub(super) fn push_last(&mut self, at: i64, value: f64, limit: usize) {
        if self.values.back().is_some_and(|last| at < last.0) {
            return;
        }
        self.values.push_back((at, value));
        while self.values.len() > limit {
            self.values.pop_front();
        }
    }

    /// Adds a value to a window that keeps at most `limit`: when full, every second one stays.
    pub(super) fn push_thinned(&mut self, at: i64, value: f64, limit: usize) {
        if self.values.back().is_some_and(|last| at < last.0) {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        if self.stride > 1 && self.values.len() < limit / 4 {
            self.stride /= 2;
        }
        self.skipped += 1;
        if self.skipped < self.stride && !self.values.is_empty() {
            return;
        }
        self.skipped = 0;
        self.values.push_back((at, value));
        if self.values.len() > limit {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.saturating_mul(2);
        }
    }

    /// Adds a late value where it belongs, in a window whose order does not matter.
    pub(super) fn insert(&mut self, at: i64, value: f64, limit: usize) {
        let place = self.values.partition_point(|point| point.0 <= at);
        if self.values.len() < limit {
            self.values.insert(place, (at, value));
            self.seen = self.seen.saturating_add(1);
        }
    }

    /// Drops what lies at or before this moment.
    pub(super) fn forget_until(&mut self, until: i64) {
        while self.values.front().is_some_and(|point| point.0 <= until) {
            self.values.pop_front();
        }
    }

    /// The values after `after` and up to `up_to`.
    fn inside(&self, after: i64, up_to: i64) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.values
            .iter()
            .copied()
            .filter(move |(at, _)| *at > after && *at <= up_to)
    }

    /// What the function gives over the values after `after` and up to `up_to`, and how many they are.
    pub(super) fn value(&self, func: WindowFn, after: i64, up_to: i64) -> (Option<f64>, u32) {
        let mut count = 0_u32;
        match func {
            WindowFn::Median | WindowFn::Quantile(_) => {
                let share = if let WindowFn::Quantile(share) = func {
                    share
                } else {
                    0.5
                };
                let mut values: Vec<f64> = self.inside(after, up_to).map(|(_, v)| v).collect();
                count = u32::try_from(values.len()).unwrap_or(u32::MAX);
                (quantile(&mut values, share), count)
            }
            WindowFn::Slope => {
                let points: Vec<(i64, f64)> = self.inside(after, up_to).collect();
                count = u32::try_from(points.len()).unwrap_or(u32::MAX);
                (slope(&points), count)
            }
            _ => {
                let mut all: Option<Cell> = None;
                for (at, value) in self.inside(after, up_to) {
                    count += 1;
                    let cell = Cell::of(at, value);
                    match &mut all {
                        None => all = Some(cell),
                        Some(all) => all.join(&cell),
                    }
                }
                let cells = Cells(all.into_iter().collect());
                (cells.value(func, i64::MIN, i64::MAX).0, count)
            }
        }
    }

    /// See [`Cells::next_change`].
    pub(super) fn next_change(&self, now: i64, span: i64, ago: i64) -> i64 {
        let leaves = self.values.iter().map(|(at, _)| at + ago + span);
        let enters = self.values.iter().map(|(at, _)| at + ago);
        next_of(leaves, (ago != 0).then_some(enters), now)
    }

    /// When the oldest value came.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.values.front().map(|point| point.0)
    }
}

/// The quantile at `share`, by linear interpolation between the two values around it; `None` without values. The values are
/// sorted no further than that asks for.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "at most a few thousand values")]
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = libm::floor(place);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the index of the last value"
    )]
    let index = below as usize;
    let (_, low, above) = values.select_nth_unstable_by(index.min(last), f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * (place - below))
}

/// The median.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Theil–Sen: the median of the slopes of all pairs, per second.
fn slope(points: &[(i64, f64)]) -> Option<f64> {
    if points.len() < SLOPE_LEAST {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (place, early) in points.iter().enumerate() {
        for late in points.iter().skip(place + 1) {
            if late.0 > early.0 {
                slopes.push((late.1 - early.1) / seconds(late.0 - early.0));
            }
        }
    }
    median(&mut slopes)
}

/// A running sum that makes counters and integrals into values whose difference is what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Running {
    before: Option<(i64, f64)>,
    total: f64,
}

impl Running {
    /// Growth of a counter so far, through resets and roll-over.
    ///
    /// A fall is a roll-over when the counter has a roll-over value and the growth this would mean is under half of it; else the
    /// counter restarted at 0. A counter that counts down and rises was refilled, which is no use.
    pub(super) fn counter(
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
    pub(super) fn integral(&mut self, at: i64, value: f64, longest_gap: i64) -> f64 {
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
