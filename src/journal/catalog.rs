//! Which segments there are, and what each holds.
//!
//! Keeps: the segments follow each other without a hole, and each ends where the next begins. After a failed commit the file
//! of the older one may hold entries that were written again to the newer one; those do not count.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::segment::Kind;
use super::segment::file_name;

/// One segment, as far as it counts.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first: Position,
    pub(super) count: u64,
    pub(super) kind: Kind,
    /// Takes no more commits.
    pub(super) closed: bool,
    /// Sealing found damage; it stays as it is.
    pub(super) unsealable: bool,
    /// On disk, about while it is live.
    pub(super) bytes: u64,
    pub(super) received_first: Timestamp,
    pub(super) received_last: Timestamp,
}

/// All segments by their first position.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    segments: BTreeMap<Position, Segment>,
}

impl Segment {
    /// A segment without entries.
    pub(super) fn new(first: Position, kind: Kind) -> Self {
        Self {
            first,
            count: 0,
            kind,
            closed: kind == Kind::Sealed,
            unsealable: false,
            bytes: 0,
            received_first: Timestamp::default(),
            received_last: Timestamp::default(),
        }
    }

    /// The position after its last one.
    pub(super) fn end(&self) -> Position {
        Position(self.first.0 + self.count)
    }

    /// Its last position; the one before `first` when it holds nothing.
    pub(super) fn last(&self) -> Position {
        Position(self.end().0.saturating_sub(1))
    }

    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(file_name(self.first, self.kind))
    }
}

impl Catalog {
    pub(super) fn insert(&mut self, segment: Segment) {
        self.segments.insert(segment.first, segment);
    }

    pub(super) fn remove(&mut self, first: Position) {
        self.segments.remove(&first);
    }

    pub(super) fn get_mut(&mut self, first: Position) -> Option<&mut Segment> {
        self.segments.get_mut(&first)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.segments.values()
    }

    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The segment that holds a position.
    pub(super) fn holding(&self, position: Position) -> Option<&Segment> {
        let (_, segment) = self.segments.range(..=position).next_back()?;
        (position < segment.end()).then_some(segment)
    }

    pub(super) fn newest(&self) -> Option<&Segment> {
        self.segments.values().next_back()
    }

    /// The first position that is kept, or the one that will be written first.
    pub(super) fn first(&self) -> Position {
        let first = self.segments.values().next();
        first.map_or(Position(1), |segment| segment.first)
    }

    /// The last position; the one before the first when the journal is empty.
    pub(super) fn last(&self) -> Position {
        self.newest().map_or(Position(0), Segment::last)
    }

    /// Time of the newest entry.
    pub(super) fn received_last(&self) -> Option<Timestamp> {
        let holding = self.segments.values().rev().find(|one| one.count > 0);
        holding.map(|segment| segment.received_last)
    }

    /// Time of the oldest entry.
    pub(super) fn received_first(&self) -> Option<Timestamp> {
        let holding = self.segments.values().find(|one| one.count > 0);
        holding.map(|segment| segment.received_first)
    }

    /// All bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }
}
