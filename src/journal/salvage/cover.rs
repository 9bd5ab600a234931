//! Which positions of a segment lie in which whole block.
//!
//! Pure. Keeps: a position is covered once; what was added first stays.

use std::collections::BTreeMap;

/// Ranges of positions, each with the block that it is read from.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// By beginning: the end (exclusive) and the block.
    ranges: BTreeMap<u64, (u64, usize)>,
}

/// A run of positions from `first` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) block: usize,
}

impl Cover {
    /// Adds a block for whatever of `first..end` no other block covers yet.
    pub(super) fn add(&mut self, first: u64, end: u64, block: usize) {
        let mut from = first;
        while from < end {
            let before = self.ranges.range(..=from).next_back();
            if let Some((_, &(until, _))) = before
                && until > from
            {
                from = until;
                continue;
            }
            let next = self.ranges.range(from..).next();
            let until = next.map_or(end, |(next, _)| (*next).min(end));
            self.ranges.insert(from, (until, block));
            from = until;
        }
    }

    /// What is covered, in rising order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> {
        let range = |(&first, &(end, block)): (&u64, &(u64, usize))| Range { first, end, block };
        self.ranges.iter().map(range)
    }

    /// What is not covered of `first..end`, in rising order.
    pub(super) fn holes(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut next = first;
        for range in self.ranges() {
            if range.first > next && next < end {
                holes.push((next, range.first.min(end)));
            }
            next = next.max(range.end);
        }
        if next < end {
            holes.push((next, end));
        }
        holes
    }

    /// The position after the last that is covered.
    pub(super) fn end(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(_, (end, _))| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_first_stays_and_the_rest_fills_the_holes() {
        let mut cover = Cover::default();
        cover.add(5, 8, 0);
        cover.add(10, 12, 1);
        cover.add(1, 11, 2);
        let ranges: Vec<_> = cover.ranges().map(|r| (r.first, r.end, r.block)).collect();
        assert_eq!(ranges, [(1, 5, 2), (5, 8, 0), (8, 10, 2), (10, 12, 1)]);
        assert_eq!(cover.holes(0, 14), [(0, 1), (12, 14)]);
        assert_eq!(cover.end(), Some(12));
    }

    #[test]
    fn holes_end_where_the_segment_ends() {
        let mut cover = Cover::default();
        cover.add(5, 8, 0);
        assert_eq!(cover.holes(1, 3), [(1, 3)]);
        assert_eq!(cover.holes(5, 8), []);
    }
}
