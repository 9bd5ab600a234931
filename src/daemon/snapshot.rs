//! When a snapshot of the pipeline's state begins, how far it is, and how much of it may wait for the disk.
//!
//! Pure: it is told the time and what became of the rows. Leaves the rows to the pipeline and the order of all work to `stage`.
//! Keeps: one snapshot at a time; what is handed over and not yet written is bounded, and what is full is said: slices wait first,
//! and only then the path.

use super::stage::Place;
use crate::telemetry::Position;
use crate::telemetry::SECOND_MS;

/// A snapshot of the state is written this often while records come in.
pub(super) const SNAPSHOT_EVERY_MS: i64 = 30 * SECOND_MS;
/// Or after this many entries, so that a restart never replays for long.
const SNAPSHOT_EVERY_ENTRIES: u64 = 200_000;
/// After one that took long there is a pause as long, so that half the time at most goes to snapshots; but no longer than this.
const LONGEST_PAUSE_MS: i64 = 120 * SECOND_MS;

/// How much of a snapshot is done at once, and how much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows of a slice: a millisecond or two, during which the path waits.
    pub(super) rows: usize,
    /// Entries of a batch while a snapshot is taken: each may make a copy of a device.
    pub(super) entries: usize,
    /// Bytes of rows that wait to be written; while there are more, no further slice is taken.
    pub(super) ahead: usize,
    /// The same of what changes before its turn has come: while there are more, nothing is read either. That is no worse than
    /// waiting for a whole snapshot.
    pub(super) held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 128,
            entries: 1_024,
            ahead: 16 << 20,
            held: 64 << 20,
        }
    }
}

/// The snapshot under way, and when the next one is due.
#[derive(Debug)]
pub(super) struct Snapshots {
    limits: Limits,
    phase: Phase,
    /// Bytes of rows that were handed over and are not written yet.
    ahead: usize,
    /// A slice comes before the next batch.
    is_turn: bool,
    /// When the newest one was wanted,
    wanted_at: i64,
    /// and when the next one may be, for the time that it took.
    not_before: i64,
    /// What the newest one on the disk holds for.
    position: Position,
    /// The newest one was refused.
    is_refused: bool,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Idle,
    /// It begins as soon as it may.
    Wanted,
    /// Its rows are taken.
    Taken(Place),
    /// All rows were handed over; it is to be committed.
    Closed(Place),
    /// It is on the disk; the journal is to be told.
    Saved(Place),
}

impl Snapshots {
    /// None under way, and the newest one holds for `position`.
    pub(super) fn new(limits: Limits, position: Position, now: i64) -> Self {
        Self {
            limits,
            phase: Phase::Idle,
            ahead: 0,
            is_turn: false,
            wanted_at: now,
            not_before: now,
            position,
            is_refused: false,
        }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// What the newest one on the disk holds for.
    pub(super) const fn position(&self) -> Position {
        self.position
    }

    /// The newest one that was tried is on the disk.
    pub(super) const fn is_saved(&self) -> bool {
        !self.is_refused
    }

    /// One is due, at this position of the pipeline.
    pub(super) fn is_due(&self, now: i64, at: Position) -> bool {
        let since = at.0.saturating_sub(self.position.0);
        // While the disk refuses, time alone counts.
        let is_long = since >= SNAPSHOT_EVERY_ENTRIES && !self.is_refused;
        let is_late = now - self.wanted_at >= SNAPSHOT_EVERY_MS;
        self.phase == Phase::Idle && now >= self.not_before && (is_late || is_long)
    }

    /// One is to begin, if anything is new since the last one; the one under way is first.
    pub(super) fn want(&mut self, now: i64, at: Position) {
        if self.phase == Phase::Idle {
            self.wanted_at = now;
            if at != self.position {
                self.phase = Phase::Wanted;
            }
        }
    }

    /// It holds for this place.
    pub(super) fn begun(&mut self, place: Place) {
        self.phase = Phase::Taken(place);
        self.is_turn = true;
        self.ahead = 0;
    }

    /// A batch was stepped: a slice may be taken, and what the batch changed is to be handed over.
    pub(super) fn stepped(&mut self) {
        self.is_turn = true;
    }

    /// How many rows are to be taken now, when the path has nothing to do or something.
    pub(super) const fn slice(&self, path_rests: bool) -> Option<usize> {
        let has_room = self.ahead < self.limits.ahead;
        match (self.is_turn, has_room) {
            (true, true) => Some(self.limits.rows),
            // Only what was copied before a change.
            (true, false) => Some(0),
            (false, true) if path_rests => Some(self.limits.rows),
            (false, _) => None,
        }
    }

    /// Rows of so many bytes were handed over.
    pub(super) fn handed(&mut self, bytes: usize) {
        self.is_turn = false;
        self.ahead = self.ahead.saturating_add(bytes);
    }

    /// So many bytes of rows were written.
    pub(super) fn absorbed(&mut self, bytes: usize) {
        self.ahead = self.ahead.saturating_sub(bytes);
    }

    /// The path has to wait until rows are written.
    pub(super) const fn is_too_far_ahead(&self) -> bool {
        self.ahead >= self.limits.held
    }

    /// All rows were handed over.
    pub(super) fn closed(&mut self, place: Place) {
        self.phase = Phase::Closed(place);
    }

    /// It is on the disk.
    pub(super) fn saved(&mut self, now: i64) {
        if let Phase::Closed(place) = self.phase {
            self.phase = Phase::Saved(place);
            self.position = place.position;
            self.is_refused = false;
            self.ahead = 0;
            self.not_before = now + (now - self.wanted_at).min(LONGEST_PAUSE_MS);
        }
    }

    /// The disk refused it.
    pub(super) fn refused(&mut self, now: i64) {
        self.phase = Phase::Idle;
        self.is_refused = true;
        self.ahead = 0;
        self.wanted_at = now;
    }

    /// The journal was told.
    pub(super) fn based(&mut self) {
        self.phase = Phase::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Timestamp;

    const LIMITS: Limits = Limits {
        rows: 5,
        entries: 3,
        ahead: 100,
        held: 300,
    };

    fn place(position: u64) -> Place {
        Place {
            position: Position(position),
            received_at: Timestamp::from_ms(0),
        }
    }

    fn begun() -> Snapshots {
        let mut snapshots = Snapshots::new(LIMITS, Position(0), 0);
        snapshots.want(0, Position(7));
        snapshots.begun(place(7));
        snapshots
    }

    #[test]
    fn slices_wait_first_and_only_then_the_path() {
        let mut snapshots = begun();
        assert_eq!(snapshots.slice(false), Some(5));
        snapshots.handed(99);
        assert_eq!(snapshots.slice(false), None, "a batch is next");
        assert_eq!(snapshots.slice(true), Some(5), "there is none");
        snapshots.stepped();
        assert_eq!(snapshots.slice(false), Some(5));
        snapshots.handed(1);
        assert_eq!(snapshots.slice(true), None, "there is no room");
        snapshots.stepped();
        assert_eq!(snapshots.slice(true), Some(0), "what was copied goes on");
        snapshots.handed(199);
        assert!(!snapshots.is_too_far_ahead());
        snapshots.handed(1);
        assert!(snapshots.is_too_far_ahead());
        snapshots.absorbed(201);
        assert!(!snapshots.is_too_far_ahead());
        assert_eq!(snapshots.slice(true), Some(5), "there is room again");
    }

    #[test]
    fn the_next_one_waits_as_long_as_the_one_before_took() {
        let mut snapshots = begun();
        snapshots.closed(place(7));
        assert!(!snapshots.is_due(70_000, Position(300_000)), "under way");
        snapshots.saved(70_000);
        assert_eq!(snapshots.position(), Position(7));
        assert!(!snapshots.is_due(70_000, Position(300_000)), "not told yet");
        snapshots.based();
        assert!(!snapshots.is_due(139_999, Position(300_000)));
        assert!(snapshots.is_due(140_000, Position(8)));
    }

    #[test]
    fn after_many_entries_it_is_sooner_but_not_while_the_disk_refuses() {
        let mut snapshots = begun();
        snapshots.closed(place(7));
        snapshots.saved(10);
        snapshots.based();
        assert!(!snapshots.is_due(1_000, Position(200_006)));
        assert!(snapshots.is_due(1_000, Position(200_007)));
        snapshots.want(1_000, Position(200_007));
        snapshots.begun(place(200_007));
        snapshots.refused(2_000);
        assert!(!snapshots.is_saved());
        assert_eq!(snapshots.position(), Position(7));
        assert!(!snapshots.is_due(31_999, Position(500_000)));
        assert!(snapshots.is_due(32_000, Position(200_008)));
    }

    #[test]
    fn nothing_new_begins_no_snapshot() {
        let mut snapshots = Snapshots::new(LIMITS, Position(7), 0);
        snapshots.want(0, Position(7));
        assert_eq!(snapshots.phase(), Phase::Idle);
    }
}
