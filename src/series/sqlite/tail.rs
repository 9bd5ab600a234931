//! Fresh values in memory, as the log in the file has them: what is not in blocks yet.
//!
//! Two generations: `fresh` takes what is written; when it is full it becomes `sealing`, whose values move into blocks bit by bit
//! with the following writes. Leaves that moving to `seal`. Invariant: a value is in the log, and so here, until it is in a block;
//! where both know an instant, `fresh` is newer than `sealing`, and `sealing` newer than (or the same as) the block.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::ops::Range;

use crate::telemetry::FieldValue;

use super::codec::log::Fresh;

/// Values of one series by instant, ms.
pub(super) type Values = BTreeMap<i64, FieldValue>;

/// How much may wait to be sealed: how much memory that takes (50 to 100 bytes a value, twice), and how much is read at a start.
#[derive(Clone, Copy, Debug)]
pub struct SqliteLimits {
    /// Values, however few series there are.
    pub values: usize,
    /// Values when there are many series: so many for each, so that a block is not written anew for every few values…
    pub values_per_series: usize,
    /// …but never more than these.
    pub values_at_most: usize,
    /// Bytes of text.
    pub text_bytes: usize,
    /// Rows of the log, each the points of one write.
    pub rows: usize,
    /// Values that a write seals at least while there are some to seal. A write of more seals twice its own, so that sealing is done
    /// long before the next generation is full, and no write has to do all of it.
    pub sealed_per_write: usize,
}

impl Default for SqliteLimits {
    /// Fit for a home (two days of ten devices, 20 MB) and for a fleet (150 MB at most).
    fn default() -> Self {
        Self {
            values: 256 * 1_024,
            values_per_series: 64,
            values_at_most: 2 * 1_024 * 1_024,
            text_bytes: 4 * 1_024 * 1_024,
            rows: 64 * 1_024,
            // One block of each of some series: a millisecond.
            sealed_per_write: 2_048,
        }
    }
}

/// One generation of fresh values.
#[derive(Debug, Default)]
pub(super) struct Generation {
    /// By series.
    pub(super) series: BTreeMap<i64, Values>,
    /// Values written, also those that were written over.
    values: usize,
    text_bytes: usize,
    rows: usize,
    /// Number of its last row in the log.
    pub(super) last_row: i64,
}

impl Generation {
    fn take(&mut self, row: i64, entries: impl IntoIterator<Item = Fresh>) {
        self.last_row = row;
        self.rows += 1;
        for entry in entries {
            self.values += 1;
            if let FieldValue::Text(text) = &entry.value {
                self.text_bytes += text.len();
            }
            let values = self.series.entry(entry.series).or_default();
            values.insert(entry.at, entry.value);
        }
    }

    fn is_full(&self, limits: &SqliteLimits) -> bool {
        let per_series = self.series.len().saturating_mul(limits.values_per_series);
        let values = per_series.max(limits.values).min(limits.values_at_most);
        self.values >= values || self.text_bytes >= limits.text_bytes || self.rows >= limits.rows
    }
}

/// All that is not in blocks yet.
#[derive(Debug, Default)]
pub(super) struct Tail {
    fresh: Generation,
    sealing: Option<Generation>,
}

impl Tail {
    /// Takes what was just committed as `row` of the log.
    pub(super) fn take(&mut self, row: i64, entries: impl IntoIterator<Item = Fresh>) {
        self.fresh.take(row, entries);
    }

    /// The generation that is to be sealed; begins one when the fresh one is full and none is under way.
    pub(super) fn turn(&mut self, limits: &SqliteLimits) {
        if self.sealing.is_none() && self.fresh.is_full(limits) {
            self.sealing = Some(std::mem::take(&mut self.fresh));
        }
    }

    /// The generation that is being sealed.
    pub(super) const fn sealing(&self) -> Option<&Generation> {
        self.sealing.as_ref()
    }

    /// Whether sealing fell behind: both generations are full.
    pub(super) fn is_behind(&self, limits: &SqliteLimits) -> bool {
        self.sealing.is_some() && self.fresh.is_full(limits)
    }

    /// Forgets what a committed transaction sealed: of each series the values before an instant. All of them: the generation ends.
    pub(super) fn sealed(&mut self, done: &[(i64, i64)]) {
        let Some(sealing) = &mut self.sealing else {
            return;
        };
        for (series, before) in done {
            if let Some(values) = sealing.series.get_mut(series) {
                let rest = values.split_off(before);
                if rest.is_empty() {
                    sealing.series.remove(series);
                } else {
                    *values = rest;
                }
            }
        }
        if sealing.series.is_empty() {
            self.sealing = None;
        }
    }

    /// Whether anything of a series is here.
    pub(super) fn knows(&self, series: i64) -> bool {
        self.generations()
            .any(|generation| generation.series.contains_key(&series))
    }

    /// A copy of the values of a series in a span of time.
    pub(super) fn values(&self, series: i64, span: Range<i64>) -> Values {
        let mut values = Values::new();
        if span.start >= span.end {
            return values;
        }
        for generation in self.generations() {
            if let Some(known) = generation.series.get(&series) {
                let inside = known.range(span.clone());
                values.extend(inside.map(|(at, value)| (*at, value.clone())));
            }
        }
        values
    }

    /// The newest value of a series in a span of time, and only that.
    pub(super) fn newest(&self, series: i64, span: Range<i64>) -> Option<(i64, FieldValue)> {
        if span.start >= span.end {
            return None;
        }
        let span = (Bound::Included(span.start), Bound::Excluded(span.end));
        let newest = self
            .generations()
            .filter_map(|generation| generation.series.get(&series)?.range(span).next_back());
        // Of the same instant, the later generation's.
        newest
            .max_by_key(|(at, _)| **at)
            .map(|(at, value)| (*at, value.clone()))
    }

    /// The earlier one first.
    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.sealing.iter().chain(std::iter::once(&self.fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SqliteLimits = SqliteLimits {
        values: 3,
        values_per_series: 2,
        values_at_most: 6,
        text_bytes: 10,
        rows: 4,
        sealed_per_write: 1,
    };

    fn fresh(series: i64, at: i64, value: f64) -> Fresh {
        Fresh {
            series,
            at,
            value: FieldValue::Float(value),
        }
    }

    #[test]
    fn the_later_value_wins_in_and_between_generations() {
        let mut tail = Tail::default();
        tail.take(1, [fresh(1, 5, 1.0), fresh(1, 5, 2.0), fresh(1, 6, 3.0)]);
        tail.turn(&LIMITS);
        assert!(tail.sealing().is_some());
        tail.take(2, [fresh(1, 6, 4.0), fresh(1, 7, 5.0)]);
        let values = tail.values(1, 0..7);
        let read: Vec<_> = values.into_iter().collect();
        assert_eq!(
            read,
            [(5, FieldValue::Float(2.0)), (6, FieldValue::Float(4.0))]
        );
        assert_eq!(tail.newest(1, 0..7), Some((6, FieldValue::Float(4.0))));
        assert_eq!(tail.newest(1, 7..7), None);
        let (from, to) = (9, 3);
        assert!(tail.values(1, from..to).is_empty());
    }

    #[test]
    fn a_generation_ends_with_its_last_sealed_value() {
        let mut tail = Tail::default();
        tail.take(
            1,
            [(1, 5), (1, 6), (1, 7), (2, 5)].map(|(series, at)| fresh(series, at, 1.0)),
        );
        tail.turn(&LIMITS);
        tail.sealed(&[(1, 6)]);
        assert_eq!(tail.values(1, 0..10).len(), 2);
        tail.sealed(&[(1, 8), (2, 6)]);
        assert!(tail.sealing().is_none());
        assert!(!tail.knows(1) && !tail.knows(2));
    }

    #[test]
    fn a_generation_is_full_by_values_texts_or_rows() {
        let is_full = |take: &dyn Fn(&mut Generation)| {
            let mut generation = Generation::default();
            take(&mut generation);
            generation.is_full(&LIMITS)
        };
        assert!(!is_full(
            &|g| g.take(1, [fresh(1, 1, 1.0), fresh(1, 2, 1.0)])
        ));
        assert!(is_full(&|g| g.take(1, (0..3).map(|at| fresh(1, at, 1.0)))));
        assert!(is_full(&|g| g.take(1, (0..3).map(|_| fresh(1, 1, 1.0)))));
        assert!(!is_full(
            &|g| g.take(1, (0..3).map(|series| fresh(series, 1, 1.0)))
        ));
        assert!(is_full(
            &|g| g.take(1, (0..6).map(|series| fresh(series, 1, 1.0)))
        ));
        assert!(is_full(&|g| (0..4).for_each(|row| g.take(row, []))));
        let text = Fresh {
            series: 1,
            at: 1,
            value: FieldValue::Text("0123456789".into()),
        };
        assert!(is_full(&|g| g.take(1, [text.clone()])));
    }
}
