//! Small sets of indexes: which signals a record touched, which ones a rule reads.
//!
//! Leaves meaning to its users. Invariant: an index that does not fit reads as absent and is ignored when set.

/// A fixed-size set of indexes. Up to 64 take no memory of their own: several such sets are made for every message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// Indexes 0 to 63.
    low: u64,
    /// The others, 64 a word.
    more: Vec<u64>,
    room: usize,
}

/// Indexes of a word.
const WORD: usize = 64;

impl Bits {
    /// An empty set with room for `count` indexes.
    pub(super) fn with_room(count: usize) -> Self {
        Self {
            low: 0,
            more: vec![0; count.div_ceil(WORD).saturating_sub(1)],
            room: count,
        }
    }

    /// Adds an index.
    pub(super) fn set(&mut self, index: usize) {
        if index < WORD.min(self.room) {
            self.low |= 1 << index;
        } else if let Some(word) = self.more.get_mut((index / WORD).wrapping_sub(1)) {
            *word |= 1 << (index % WORD);
        }
    }

    /// True when the index is in the set.
    pub(super) fn has(&self, index: usize) -> bool {
        if index < WORD {
            return self.low & (1 << index) != 0;
        }
        self.more
            .get(index / WORD - 1)
            .is_some_and(|word| word & (1 << (index % WORD)) != 0)
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.low = 0;
        self.more.fill(0);
    }

    /// True when nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.low == 0 && self.more.iter().all(|word| *word == 0)
    }

    /// True when both hold a common index.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.low & other.low != 0 || self.more.iter().zip(&other.more).any(|(a, b)| a & b != 0)
    }

    /// Adds all of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        self.low |= other.low;
        for (mine, theirs) in self.more.iter_mut().zip(&other.more) {
            *mine |= theirs;
        }
    }

    /// The indexes, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let words = std::iter::once(self.low).chain(self.more.iter().copied());
        words.enumerate().flat_map(|(at, word)| {
            (0..WORD)
                .filter(move |bit| word & (1u64 << bit) != 0)
                .map(move |bit| at * WORD + bit)
        })
    }
}
