//! Single values in a window: for medians, quantiles, slopes, and for every function over the last so many values.
//!
//! Invariant: values stand in rising order of time; there are never more than the limit of their function; the sorted copy, where
//! there is one, holds the same values.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::{next_of, seconds};
use crate::profile::WindowFn;

/// Most values kept for a median; beyond, every second one is kept.
pub(in crate::detect) const POINT_LIMIT: usize = 256;
/// Most points of a slope: 2,016 pairs, some 10 µs.
pub(in crate::detect) const SLOPE_LIMIT: usize = 64;
/// Fewest points of a slope: two points have no robust one.
const SLOPE_LEAST: usize = 3;

/// The values of a window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::detect) struct Points {
    values: VecDeque<(i64, f64)>,
    /// Every so many values one is kept.
    stride: u32,
    /// How many have been left out since the last one kept.
    skipped: u32,
    /// How many came, kept or not, since the last clearing.
    seen: u32,
    /// The values from the least to the greatest, once a quantile was asked for: a new one is put in its place, so that nothing is
    /// sorted for each message.
    #[serde(skip)]
    sorted: Option<Vec<f64>>,
}

/// The sorted copy follows from the values.
impl PartialEq for Points {
    fn eq(&self, other: &Self) -> bool {
        let all = |points: &Self| (points.stride, points.skipped, points.seen);
        self.values == other.values && all(self) == all(other)
    }
}

impl Default for Points {
    fn default() -> Self {
        Self {
            values: VecDeque::new(),
            stride: 1,
            skipped: 0,
            seen: 0,
            sorted: None,
        }
    }
}

impl Points {
    /// Forgets everything.
    pub(in crate::detect) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds one of the last `limit` values; the oldest goes.
    pub(in crate::detect) fn push_last(&mut self, at: i64, value: f64, limit: usize) {
        if self.values.back().is_some_and(|last| at < last.0) {
            return;
        }
        self.values.push_back((at, value));
        self.entered(value);
        while self.values.len() > limit {
            self.drop_oldest();
        }
    }

    /// Adds a value to a window that keeps at most `limit`: when full, every second one stays.
    pub(in crate::detect) fn push_thinned(&mut self, at: i64, value: f64, limit: usize) {
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
        self.entered(value);
        if self.values.len() > limit {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.saturating_mul(2);
            self.sorted = None;
        }
    }

    /// Adds a late value where it belongs, in a window whose order does not matter.
    pub(in crate::detect) fn insert(&mut self, at: i64, value: f64, limit: usize) {
        let place = self.values.partition_point(|point| point.0 <= at);
        if self.values.len() < limit {
            self.values.insert(place, (at, value));
            self.entered(value);
            self.seen = self.seen.saturating_add(1);
        }
    }

    /// Drops what lies at or before this moment.
    pub(in crate::detect) fn forget_until(&mut self, until: i64) {
        while self.values.front().is_some_and(|point| point.0 <= until) {
            self.drop_oldest();
        }
    }

    fn entered(&mut self, value: f64) {
        if let Some(sorted) = &mut self.sorted {
            let place = sorted.partition_point(|known| known.total_cmp(&value).is_lt());
            sorted.insert(place, value);
        }
    }

    fn drop_oldest(&mut self) {
        let gone = self.values.pop_front();
        if let (Some((_, value)), Some(sorted)) = (gone, &mut self.sorted)
            && let Ok(place) = sorted.binary_search_by(|known| known.total_cmp(&value))
        {
            sorted.remove(place);
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
    pub(in crate::detect) fn value(
        &mut self,
        func: WindowFn,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let whole = self.values.front().is_some_and(|first| first.0 > after)
            && self.values.back().is_some_and(|last| last.0 <= up_to);
        let Some(share) = share(func).filter(|_| whole) else {
            return self.part(func, after, up_to);
        };
        let sorted = self.sorted.get_or_insert_with(|| {
            let mut sorted: Vec<f64> = self.values.iter().map(|point| point.1).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        });
        let count = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
        (of_sorted(sorted, share), count)
    }

    /// The same where not all values are asked for, or by one who may change nothing.
    pub(in crate::detect) fn part(
        &self,
        func: WindowFn,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(share) = share(func) {
            let mut values: Vec<f64> = self.inside(after, up_to).map(|(_, v)| v).collect();
            let count = counted(values.len());
            return (quantile(&mut values, share), count);
        }
        if matches!(func, WindowFn::Slope) {
            let points: Vec<(i64, f64)> = self.inside(after, up_to).collect();
            return (slope(&points), counted(points.len()));
        }
        let mut cells = self.inside(after, up_to).map(|(at, v)| Cell::of(at, v));
        let Some(mut all) = cells.next() else {
            return (matches!(func, WindowFn::Count).then_some(0.0), 0);
        };
        let mut count = 1;
        for cell in cells {
            all.join(&cell, func);
            count += 1;
        }
        (all.gives(func), count)
    }

    /// See [`super::Cells::next_change`].
    pub(in crate::detect) fn next_change(&self, now: i64, span: i64, ago: i64) -> i64 {
        let leaves = self.values.iter().map(|(at, _)| at + ago + span);
        let enters = self.values.iter().map(|(at, _)| at + ago);
        next_of(leaves, (ago != 0).then_some(enters), now)
    }

    /// When the oldest value came.
    pub(in crate::detect) fn oldest(&self) -> Option<i64> {
        self.values.front().map(|point| point.0)
    }
}

/// Which quantile the function asks for.
const fn share(func: WindowFn) -> Option<f64> {
    match func {
        WindowFn::Median => Some(0.5),
        WindowFn::Quantile(share) => Some(share),
        _ => None,
    }
}

/// The quantile at `share`, by linear interpolation between the two values around it; `None` without values. The values are
/// sorted no further than that asks for.
pub(in crate::detect) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let (index, part) = place(values.len(), share)?;
    let (_, low, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * part)
}

/// The same of values that rise.
fn of_sorted(values: &[f64], share: f64) -> Option<f64> {
    let (index, part) = place(values.len(), share)?;
    let low = *values.get(index)?;
    let high = values.get(index + 1).copied().unwrap_or(low);
    Some(low + (high - low) * part)
}

/// The index below a quantile, and how far it lies on the way to the next one.
fn place(count: usize, share: f64) -> Option<(usize, f64)> {
    let last = count.checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "at most a few thousand values")]
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = libm::floor(place);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the index of the last value"
    )]
    let index = below as usize;
    Some((index.min(last), place - below))
}

/// The median.
pub(in crate::detect) fn median(values: &mut [f64]) -> Option<f64> {
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
