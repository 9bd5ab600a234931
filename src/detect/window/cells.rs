//! Values in a window as cells: for every function but medians and slopes.
//!
//! Exact while they are few, in a bounded number of time cells when they are many. Invariant: cells stand in rising order of time
//! and never overlap; there are never more than [`CELL_LIMIT`]; what is known of all of them is what looking at each would give.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{next_of, seconds};
use crate::profile::WindowFn;

/// Most cells of one window. Up to here every value has its own cell and the window is exact; beyond, neighbours share cells of
/// a [`SLOTS`]th of the window, so that what leaves it is off by at most that much.
pub(super) const CELL_LIMIT: usize = 128;
/// Cells left after sharing.
const SLOTS: i64 = 64;

/// A stretch of values.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// One value. The two zeros are one here: which of them is the least of both must not depend on their order.
    pub(super) fn of(at: i64, value: f64) -> Self {
        let value = value + 0.0;
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
    pub(super) fn join(&mut self, later: &Self) {
        self.to = later.to;
        self.count = self.count.saturating_add(later.count);
        self.sum += later.sum;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.last = later.last;
    }

    /// Takes in a value that lies inside it or beside it, without touching its ends' values.
    fn mix(&mut self, value: f64) {
        let value = value + 0.0;
        self.count = self.count.saturating_add(1);
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// What the function gives over its values.
    pub(super) fn value(&self, func: WindowFn) -> Option<f64> {
        match func {
            WindowFn::Last => Some(self.last),
            WindowFn::First => Some(self.first),
            WindowFn::Mean => Some(self.sum / f64::from(self.count.max(1))),
            WindowFn::Min => Some(self.min),
            WindowFn::Max => Some(self.max),
            WindowFn::Sum => Some(self.sum),
            WindowFn::Count => Some(f64::from(self.count)),
            WindowFn::Increase { .. } | WindowFn::Integral => Some(self.last - self.first),
            WindowFn::Rate => {
                let span = self.to - self.from;
                (span > 0).then(|| (self.last - self.first) / seconds(span))
            }
            WindowFn::Median | WindowFn::Quantile(_) | WindowFn::Slope => None,
        }
    }
}

/// A cell as it is saved: most hold one value, and then that and its time are all there is to save.
#[derive(Serialize, Deserialize)]
enum Saved {
    /// One value, so many ms after the end of the cell before.
    One(i64, f64),
    /// Several: the same, then how long after its beginning it ends, and the rest.
    Many {
        after: i64,
        span: i64,
        count: u32,
        sum: f64,
        extremes: (f64, f64),
        ends: (f64, f64),
    },
}

impl Saved {
    fn of(cell: &Cell, before: i64) -> Self {
        let after = cell.from.wrapping_sub(before);
        let one = Cell::of(cell.from, cell.first);
        let alike = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let single = cell.to == cell.from
            && cell.count == 1
            && alike(cell.sum, one.sum)
            && alike(cell.min, one.min)
            && alike(cell.max, one.max)
            && alike(cell.last, one.last);
        if single {
            return Self::One(after, cell.first);
        }
        Self::Many {
            after,
            span: cell.to.wrapping_sub(cell.from),
            count: cell.count,
            sum: cell.sum,
            extremes: (cell.min, cell.max),
            ends: (cell.first, cell.last),
        }
    }

    fn cell(self, before: i64) -> Cell {
        match self {
            Self::One(after, value) => Cell::of(before.wrapping_add(after), value),
            Self::Many {
                after,
                span,
                count,
                sum,
                extremes: (min, max),
                ends: (first, last),
            } => {
                let from = before.wrapping_add(after);
                Cell {
                    from,
                    to: from.wrapping_add(span),
                    count,
                    sum,
                    min,
                    max,
                    first,
                    last,
                }
            }
        }
    }
}

/// What is known of all cells together. Neither depends on the order in which it was put together, so that it may be put together
/// anew at any time.
#[derive(Clone, Copy, Debug)]
struct Overall {
    count: u32,
    /// The least and the greatest value; `None` after one of them left.
    extremes: Option<(f64, f64)>,
}

/// The cells of a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Saved>", into = "Vec<Saved>")]
pub(in crate::detect) struct Cells {
    cells: VecDeque<Cell>,
    overall: Option<Overall>,
}

/// What is known of all cells follows from them.
impl PartialEq for Cells {
    fn eq(&self, other: &Self) -> bool {
        self.cells == other.cells
    }
}

impl From<Vec<Saved>> for Cells {
    fn from(saved: Vec<Saved>) -> Self {
        let mut before = 0;
        let cells = saved.into_iter().map(|saved| {
            let cell = saved.cell(before);
            before = cell.to;
            cell
        });
        Self {
            cells: cells.collect(),
            overall: None,
        }
    }
}

impl From<Cells> for Vec<Saved> {
    fn from(cells: Cells) -> Self {
        let mut before = 0;
        let saved = cells.cells.iter().map(|cell| {
            let saved = Saved::of(cell, before);
            before = cell.to;
            saved
        });
        saved.collect()
    }
}

impl Cells {
    /// Forgets everything.
    pub(in crate::detect) fn clear(&mut self) {
        self.cells.clear();
        self.overall = None;
    }

    /// Adds a value at the end. One that is older than the end is left out; see [`Cells::insert`].
    pub(in crate::detect) fn push(&mut self, at: i64, value: f64) {
        if self.cells.back().is_some_and(|last| at < last.to) {
            return;
        }
        self.cells.push_back(Cell::of(at, value));
        self.entered(value);
        if self.cells.len() > CELL_LIMIT {
            self.share();
        }
    }

    /// Adds a late value where it belongs: its count, least and greatest are then right.
    pub(in crate::detect) fn insert(&mut self, at: i64, value: f64) {
        self.entered(value);
        let place = self.cells.partition_point(|cell| cell.from <= at);
        if let Some(cell) = place.checked_sub(1).and_then(|i| self.cells.get_mut(i))
            && at <= cell.to
            && cell.from != cell.to
        {
            cell.mix(value);
            return;
        }
        self.cells.insert(place, Cell::of(at, value));
        if self.cells.len() > CELL_LIMIT {
            self.share();
        }
    }

    /// Drops what ended at or before this moment.
    pub(in crate::detect) fn forget_until(&mut self, until: i64) {
        while let Some(cell) = self.cells.front().filter(|cell| cell.to <= until) {
            if let Some(overall) = &mut self.overall {
                // A count that was cut off at the largest number cannot be counted down again.
                match overall.count.checked_sub(cell.count) {
                    Some(count) if overall.count < u32::MAX => overall.count = count,
                    _ => self.overall = None,
                }
            }
            if let Some(overall) = &mut self.overall
                && let Some((min, max)) = overall.extremes
                && (cell.min <= min || cell.max >= max)
            {
                overall.extremes = None;
            }
            self.cells.pop_front();
        }
    }

    /// What the function gives over the values after `after` and up to `up_to`, and how many they are.
    pub(in crate::detect) fn value(
        &mut self,
        func: WindowFn,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let (Some(first), Some(last)) = (self.cells.front(), self.cells.back()) else {
            return nothing(func);
        };
        if first.to <= after || last.from > up_to {
            return self.part(func, after, up_to);
        }
        let mut all = Cell {
            to: last.to,
            last: last.last,
            ..*first
        };
        let overall = self.overall(matches!(func, WindowFn::Min | WindowFn::Max));
        all.count = overall.count;
        if let Some((min, max)) = overall.extremes {
            (all.min, all.max) = (min, max);
        }
        if matches!(func, WindowFn::Sum | WindowFn::Mean) {
            all.sum = self.sum();
        }
        (all.value(func), all.count)
    }

    /// The same where not all cells are asked for, or by one who may change nothing.
    pub(in crate::detect) fn part(
        &self,
        func: WindowFn,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let inside = |cell: &&Cell| cell.to > after && cell.from <= up_to;
        let mut cells = self.cells.iter().filter(inside);
        let Some(first) = cells.next() else {
            return nothing(func);
        };
        let mut all = *first;
        for cell in cells {
            all.join(cell);
        }
        (all.value(func), all.count)
    }

    /// The first moment after `now` at which a cell leaves (`span` after its end) or enters (`ago` after its start).
    pub(in crate::detect) fn next_change(&self, now: i64, span: i64, ago: i64) -> i64 {
        let leaves = self.cells.iter().map(|cell| cell.to + ago + span);
        let enters = self.cells.iter().map(|cell| cell.from + ago);
        next_of(leaves, (ago != 0).then_some(enters), now)
    }

    /// When the oldest value came.
    pub(in crate::detect) fn oldest(&self) -> Option<i64> {
        self.cells.front().map(|cell| cell.from)
    }

    fn entered(&mut self, value: f64) {
        let value = value + 0.0;
        if let Some(overall) = &mut self.overall {
            overall.count = overall.count.saturating_add(1);
            overall.extremes = overall
                .extremes
                .map(|(min, max)| (min.min(value), max.max(value)));
        }
    }

    fn overall(&mut self, with_extremes: bool) -> Overall {
        if let Some(overall) = self.overall
            && (overall.extremes.is_some() || !with_extremes)
        {
            return overall;
        }
        let mut found = Overall {
            count: 0,
            extremes: None,
        };
        let mut extremes = (f64::INFINITY, f64::NEG_INFINITY);
        for cell in &self.cells {
            found.count = found.count.saturating_add(cell.count);
            extremes = (extremes.0.min(cell.min), extremes.1.max(cell.max));
        }
        found.extremes = (!self.cells.is_empty()).then_some(extremes);
        *self.overall.insert(found)
    }

    /// From the first to the last, each time: the sum of numbers depends on their order, and must not depend on when the state
    /// was saved.
    fn sum(&self) -> f64 {
        let mut cells = self.cells.iter();
        let first = cells.next().map_or(0.0, |cell| cell.sum);
        cells.fold(first, |sum, cell| sum + cell.sum)
    }

    fn share(&mut self) {
        let (Some(first), Some(last)) = (self.cells.front(), self.cells.back()) else {
            return;
        };
        let width = ((last.to - first.from) / SLOTS).max(1);
        let mut shared: VecDeque<Cell> = VecDeque::with_capacity(CELL_LIMIT);
        for cell in &self.cells {
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
        self.cells = shared;
    }
}

/// Of no values.
fn nothing(func: WindowFn) -> (Option<f64>, u32) {
    (matches!(func, WindowFn::Count).then_some(0.0), 0)
}
