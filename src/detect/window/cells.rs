//! Values in a window as cells: for every function but medians and slopes.
//!
//! What a function never asks for is not kept: of a session or a day one cell is all there is; of a greatest value only those that
//! no later one exceeds; of a growth one cell for values that stay the same. Else exact while they are few, and in a bounded number
//! of time cells when they are many. Invariant: cells stand in rising order of time and never overlap; there are never more than
//! [`CELL_LIMIT`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::cell::{Cell, Saved};
use super::next_of;
use crate::profile::{Window, WindowFn};

/// Most cells of one window. Up to here every value has its own cell and the window is exact; beyond, neighbours share cells of
/// a [`SLOTS`]th of the window, so that what leaves it is off by at most that much.
pub(super) const CELL_LIMIT: usize = 128;
/// Cells left after sharing.
const SLOTS: i64 = 64;

/// Which values a window keeps, and for what.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Keeping {
    func: WindowFn,
    kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// All of them as one: nothing leaves before everything does.
    Whole,
    /// The greatest, the least or the last, and what may become that when it leaves.
    Candidates,
    /// One for those that stay the same.
    Runs,
    /// Each.
    Each,
}

impl Keeping {
    /// What the function needs of this window.
    pub(in crate::detect) const fn of(func: WindowFn, window: &Window) -> Self {
        let kept = match (window, func) {
            (Window::Session(_) | Window::Day, _) => Kept::Whole,
            // In a shifted window a later value does not stand for an earlier one until it has entered.
            (Window::Span { ago_ms: 0, .. }, WindowFn::Min | WindowFn::Max | WindowFn::Last) => {
                Kept::Candidates
            }
            (Window::Span { .. }, WindowFn::Increase { .. } | WindowFn::Integral) => Kept::Runs,
            _ => Kept::Each,
        };
        Self { func, kept }
    }

    /// Only values that a later one does not stand for are kept: what the window was at an earlier moment cannot be told.
    pub(in crate::detect) fn is_of_now(self) -> bool {
        self.kept == Kept::Candidates
    }

    /// Whether the number of values is known.
    fn counts(self) -> bool {
        matches!(self.kept, Kept::Whole | Kept::Each)
    }

    /// A later value makes this one of no account.
    fn exceeds(self, later: f64, earlier: f64) -> bool {
        match self.func {
            WindowFn::Max => later >= earlier,
            WindowFn::Min => later <= earlier,
            _ => true,
        }
    }
}

/// The cells of a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Saved>", into = "Vec<Saved>")]
pub(in crate::detect) struct Cells {
    cells: VecDeque<Cell>,
    /// How many values are in all cells together; `None`: to be counted.
    count: Option<u32>,
}

/// How many they are follows from the cells.
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
            count: None,
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
        *self = Self::default();
    }

    /// Adds a value at the end. One that is older than the end is left out; see [`Cells::insert`].
    pub(in crate::detect) fn push(&mut self, at: i64, value: f64, keeping: Keeping) {
        if self.cells.back().is_some_and(|last| at < last.to) {
            return;
        }
        let cell = Cell::of(at, value);
        match (keeping.kept, self.cells.back_mut()) {
            (Kept::Whole, Some(all)) => {
                all.join(&cell, keeping.func);
                self.count = None;
                return;
            }
            (Kept::Whole, None) => self.cells.reserve_exact(1),
            (Kept::Runs, Some(run)) if run.goes_on(&cell) => {
                run.to = at;
                return;
            }
            (Kept::Candidates, _) => {
                while let Some(last) = self.cells.back()
                    && keeping.exceeds(cell.value, last.value)
                {
                    self.cells.pop_back();
                }
            }
            (Kept::Runs | Kept::Each, _) => {}
        }
        self.entered();
        self.cells.push_back(cell);
        if self.cells.len() > CELL_LIMIT {
            self.share(keeping.func);
        }
    }

    /// Adds a late value where it belongs: its count, sum, least and greatest are then right.
    pub(in crate::detect) fn insert(&mut self, at: i64, value: f64, keeping: Keeping) {
        let late = Cell::of(at, value);
        if let (Kept::Whole, Some(all)) = (keeping.kept, self.cells.front_mut()) {
            all.mix(&late, keeping.func);
            self.count = None;
            return;
        }
        let mut place = self.cells.partition_point(|cell| cell.from <= at);
        if keeping.kept == Kept::Candidates {
            let later = self.cells.get(place);
            if later.is_some_and(|later| keeping.exceeds(later.value, value)) {
                return;
            }
            while let Some(before) = place.checked_sub(1)
                && let Some(cell) = self.cells.get(before)
                && cell.to <= at
                && keeping.exceeds(value, cell.value)
            {
                self.cells.remove(before);
                place = before;
            }
        }
        if let Some(cell) = place.checked_sub(1).and_then(|i| self.cells.get_mut(i))
            && at <= cell.to
            && cell.from != cell.to
        {
            cell.mix(&late, keeping.func);
            self.count = None;
            return;
        }
        self.entered();
        self.cells.insert(place, late);
        if self.cells.len() > CELL_LIMIT {
            self.share(keeping.func);
        }
    }

    /// Drops what ended at or before this moment.
    pub(in crate::detect) fn forget_until(&mut self, until: i64) {
        while let Some(cell) = self.cells.front().filter(|cell| cell.to <= until) {
            // A count that was cut off at the largest number cannot be counted down again.
            self.count = self
                .count
                .filter(|count| *count < u32::MAX)
                .and_then(|count| count.checked_sub(cell.count));
            self.cells.pop_front();
        }
    }

    /// What the function gives over the values after `after` and up to `up_to`, and how many they are: 0 where that is not known.
    pub(in crate::detect) fn value(
        &mut self,
        keeping: Keeping,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let (Some(first), Some(last)) = (self.cells.front(), self.cells.back()) else {
            return nothing(keeping.func);
        };
        if first.to <= after || last.from > up_to {
            return self.part(keeping, after, up_to);
        }
        let mut all = *first;
        match keeping.func {
            // From the first to the last, each time: the sum of numbers depends on their order, and must not depend on when the
            // state was saved.
            WindowFn::Sum | WindowFn::Mean => {
                all.value = self
                    .cells
                    .iter()
                    .skip(1)
                    .fold(all.value, |sum, cell| sum + cell.value);
            }
            // Candidates stand in order: the greatest, the least is the first of them. Others have to be looked at.
            WindowFn::Min | WindowFn::Max if !keeping.is_of_now() => {
                for cell in self.cells.iter().skip(1) {
                    all.join(cell, keeping.func);
                }
            }
            WindowFn::Last => all.value = last.value,
            _ => {}
        }
        all.to = last.to;
        all.last = last.last;
        all.count = if keeping.counts() { self.counted() } else { 0 };
        (all.gives(keeping.func), all.count)
    }

    /// The same where not all cells are asked for, or by one who may change nothing.
    pub(in crate::detect) fn part(
        &self,
        keeping: Keeping,
        after: i64,
        up_to: i64,
    ) -> (Option<f64>, u32) {
        let inside = |cell: &&Cell| cell.to > after && cell.from <= up_to;
        let mut cells = self.cells.iter().filter(inside);
        let Some(first) = cells.next() else {
            return nothing(keeping.func);
        };
        let mut all = *first;
        for cell in cells {
            all.join(cell, keeping.func);
        }
        let count = if keeping.counts() { all.count } else { 0 };
        (all.gives(keeping.func), count)
    }

    /// The first moment after `now` at which a cell leaves (`span` after its end) or enters (`ago` after its start).
    pub(in crate::detect) fn next_change(&self, now: i64, span: i64, ago: i64) -> i64 {
        let leaves = self.cells.iter().map(|cell| cell.to + ago + span);
        let enters = self.cells.iter().map(|cell| cell.from + ago);
        next_of(leaves, (ago != 0).then_some(enters), now)
    }

    /// When the oldest value came that is kept.
    pub(in crate::detect) fn oldest(&self) -> Option<i64> {
        self.cells.front().map(|cell| cell.from)
    }

    /// When the newest value came that is kept.
    pub(in crate::detect) fn newest(&self) -> Option<i64> {
        self.cells.back().map(|cell| cell.to)
    }

    fn entered(&mut self) {
        self.count = self.count.map(|count| count.saturating_add(1));
    }

    fn counted(&mut self) -> u32 {
        let cells = &self.cells;
        *self.count.get_or_insert_with(|| {
            cells
                .iter()
                .fold(0_u32, |count, cell| count.saturating_add(cell.count))
        })
    }

    fn share(&mut self, func: WindowFn) {
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
                    before.join(cell, func);
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
