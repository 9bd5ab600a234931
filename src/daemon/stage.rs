//! What the worker does next, decided without doing it: batches, commits and snapshots in their order.
//!
//! Pure but for the pipeline that it steps: it is told the time and what became of each task, and reads, writes and waits for
//! nothing. Leaves the doing to whoever drives it. What was decoded it hands over to the series, if they want it, and never waits for
//! them. Keeps: entries are stepped once, in order; nobody is told of effects that are not committed; the store is never behind a
//! snapshot, and a snapshot never behind the base that the journal is kept for. How far a snapshot is, `snapshot` knows.

use super::handover::Batch;
use super::handover::Giver;
use super::snapshot::Limits;
use super::snapshot::Phase as SnapshotPhase;
use super::snapshot::Snapshots;
use crate::pipeline::Effects;
use crate::pipeline::Hearing;
use crate::pipeline::Pipeline;
use crate::pipeline::TakenRow;
use crate::telemetry::Entry;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Position;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Entries of one batch at most: enough to spread a commit over, few enough to answer questions in between.
const BATCH_ENTRIES: usize = 4_096;
/// A tick is written at least this often (DESIGN section 6): it bounds how late a due thing is noticed.
const TICK_EVERY_MS: i64 = MINUTE_MS;
/// Without effects the store's position still moves this often.
const POSITION_EVERY_MS: i64 = SECOND_MS;

/// The pipeline between journal and store.
pub(super) struct Stage {
    pipeline: Pipeline,
    /// What the entries since the last telling caused.
    effects: Effects,
    phase: Phase,
    /// Effects up to here were in the store when the process started: a replay of them is not counted again.
    replay_until: Position,
    /// The store is known to have everything up to here.
    committed: Position,
    position_written_at: i64,
    /// When the newest entry was stepped.
    stepped_at: i64,
    snapshots: Snapshots,
    /// Where what was decoded goes.
    giver: Giver,
}

/// One thing to do. The same task is given again until its answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Read on: give [`Stage::step`] entries from here on, at most so many.
    Read {
        /// The first position that is wanted.
        from: Position,
        /// How many at most.
        entries: usize,
    },
    /// Commit [`Stage::effects`] with this place in one transaction; then [`Stage::committed`].
    Commit(Place),
    /// Tell everyone who waits for [`Stage::effects`], which are committed; then [`Stage::told`].
    Tell(Position),
    /// Commit this place without effects; then [`Stage::committed`].
    CommitPlace(Place),
    /// A snapshot that holds for this place begins: hand over what [`Stage::begin`] gives. Whenever the disk has refused it, call
    /// [`Stage::not_saved`], and tell of rows that were written ([`Stage::absorbed`]).
    Begin(Place),
    /// Hand over what [`Stage::take`] gives for so many rows.
    Take(usize),
    /// That was all: the snapshot is to be committed for this place. Then [`Stage::closed`], and when it is, [`Stage::saved`].
    Close(Place),
    /// Nothing, until rows that were handed over are written or the snapshot is refused; more entries are no reason.
    Await,
    /// A snapshot holds for this position: the journal need not be kept before it; then [`Stage::based`].
    Base(Position),
    /// Nothing, until more entries are durable.
    Rest,
}

/// The newest entry that was stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its position.
    pub(super) position: Position,
    /// When it was received.
    pub(super) received_at: Timestamp,
}

/// How far the work on a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Stepped,
    Committed,
}

impl Stage {
    /// Goes on from a restored pipeline, with a store that has the effects up to `store`. Times are of a monotonic clock, in ms.
    pub(super) fn new(
        pipeline: Pipeline,
        store: Position,
        giver: Giver,
        limits: Limits,
        now: i64,
    ) -> Self {
        Self {
            effects: Effects::default(),
            phase: Phase::Ready,
            replay_until: store,
            committed: store,
            position_written_at: 0,
            stepped_at: now,
            snapshots: Snapshots::new(limits, pipeline.position(), now),
            giver,
            pipeline,
        }
    }

    /// What is to be done now, when entries up to `durable` can be read.
    pub(super) fn task(&mut self, now: i64, durable: Position) -> Task {
        match (self.phase, self.place()) {
            (Phase::Stepped, Some(place)) if self.must_commit(now) => Task::Commit(place),
            (Phase::Stepped | Phase::Committed, Some(place)) => Task::Tell(place.position),
            (Phase::Ready, _) | (_, None) => self.save_or_read(now, durable),
        }
    }

    fn save_or_read(&mut self, now: i64, durable: Position) -> Task {
        let read = self.read_on(durable);
        // Also when nothing comes any more: a full journal may wait for nothing but this.
        if read == Task::Rest {
            self.want_due_snapshot(now);
        }
        match (self.snapshots.phase(), self.place()) {
            // The store's position first: a state that is ahead of it says at the next start that effects are missing.
            (SnapshotPhase::Wanted, Some(place)) if self.committed < place.position => {
                Task::CommitPlace(place)
            }
            (SnapshotPhase::Wanted, Some(place)) => Task::Begin(place),
            (SnapshotPhase::Taken(place), _) => {
                if !self.pipeline.is_row_left() {
                    return Task::Close(place);
                }
                if let Some(rows) = self.snapshots.slice(read == Task::Rest) {
                    return Task::Take(rows);
                }
                match read {
                    Task::Read { .. } if self.snapshots.is_too_far_ahead() => Task::Await,
                    Task::Read { from, entries } => Task::Read {
                        from,
                        entries: entries.min(self.snapshots.limits().entries),
                    },
                    other => other,
                }
            }
            (SnapshotPhase::Saved(place), _) => Task::Base(place.position),
            (SnapshotPhase::Idle | SnapshotPhase::Wanted | SnapshotPhase::Closed(_), _) => read,
        }
    }

    /// Applies entries; their effects are to be committed next.
    pub(super) fn step(&mut self, entries: &[Entry], now: i64) {
        let Some(last) = entries.last() else { return };
        let through = Place {
            position: last.position,
            received_at: last.received_at,
        };
        let after = self.pipeline.position();
        if self.giver.is_open(after, || self.pipeline.in_force()) {
            self.effects.hearing = Some(Hearing::of_entries(entries.len()));
        }
        for entry in entries {
            self.pipeline.step(entry, &mut self.effects);
        }
        if let Some(hearing) = self.effects.hearing.take() {
            self.giver.batch(Batch {
                after,
                through,
                heard: hearing.into_heard(),
            });
        }
        self.stepped_at = now;
        self.phase = Phase::Stepped;
        self.snapshots.stepped();
    }

    /// What the newest batch caused.
    pub(super) fn effects(&self) -> &Effects {
        &self.effects
    }

    /// The store has everything up to this place.
    pub(super) fn committed(&mut self, place: Place, now: i64) {
        self.committed = self.committed.max(place.position);
        self.position_written_at = now;
        if self.phase == Phase::Stepped {
            self.phase = Phase::Committed;
        }
    }

    /// Everyone was told; hands over the effects of the batch.
    pub(super) fn told(&mut self, now: i64) -> Effects {
        self.phase = Phase::Ready;
        self.want_due_snapshot(now);
        std::mem::take(&mut self.effects)
    }

    fn want_due_snapshot(&mut self, now: i64) {
        if self.snapshots.is_due(now, self.pipeline.position()) {
            self.want_snapshot(now);
        }
    }

    /// A snapshot is to be written next, if anything is new since the last one and none is under way.
    pub(super) fn want_snapshot(&mut self, now: i64) {
        self.snapshots.want(now, self.pipeline.position());
    }

    /// The first rows of a snapshot, which holds for the place of [`Task::Begin`].
    pub(super) fn begin(&mut self, place: Place) -> Vec<TakenRow> {
        let rows = self.pipeline.begin_snapshot();
        self.snapshots.begun(place);
        self.giver.begun(place);
        self.handed(rows)
    }

    /// Rows of devices that changed since the snapshot began, and of so many others.
    pub(super) fn take(&mut self, limit: usize) -> Vec<TakenRow> {
        let rows = self.pipeline.take_slice(limit);
        self.handed(rows)
    }

    fn handed(&mut self, rows: Vec<TakenRow>) -> Vec<TakenRow> {
        self.giver.rows(&rows);
        self.snapshots.handed(rows.iter().map(TakenRow::size).sum());
        rows
    }

    /// So many bytes of the rows that were handed over are written.
    pub(super) fn absorbed(&mut self, bytes: usize) {
        self.snapshots.absorbed(bytes);
    }

    /// The commit of [`Task::Close`] is ordered.
    pub(super) fn closed(&mut self, place: Place) {
        // Whether or not the disk takes them: what it refuses, the next snapshot has as well.
        self.giver.complete();
        self.snapshots.closed(place);
    }

    /// The snapshot is on the disk.
    pub(super) fn saved(&mut self, now: i64) {
        self.pipeline.end_snapshot(true);
        self.snapshots.saved(now);
    }

    /// The disk refused; the next snapshot has these rows too.
    pub(super) fn not_saved(&mut self, now: i64) {
        self.pipeline.end_snapshot(false);
        self.snapshots.refused(now);
    }

    /// A snapshot is wanted or under way.
    pub(super) fn is_saving(&self) -> bool {
        self.snapshots.phase() != SnapshotPhase::Idle
    }

    /// The newest snapshot that was tried is on the disk.
    pub(super) fn is_saved(&self) -> bool {
        self.snapshots.is_saved()
    }

    /// What the newest snapshot holds for.
    pub(super) fn snapshot_position(&self) -> Position {
        self.snapshots.position()
    }

    /// The journal was told of the snapshot. When it refused, the next one tells it.
    pub(super) fn based(&mut self) {
        self.snapshots.based();
    }

    /// How long until the journal should have a tick, in ms; not above zero: now. The journal's time goes on from the newest record,
    /// also when the wall clock was set back.
    pub(super) fn until_tick(&mut self, now: i64) -> i64 {
        let Some(last) = self.pipeline.last_received_at() else {
            return TICK_EVERY_MS;
        };
        let regular = last + TICK_EVERY_MS;
        let tick = self
            .pipeline
            .next_due()
            .map_or(regular, |due| due.min(regular));
        tick.since(last + (now - self.stepped_at))
    }

    /// Whether effects up to here were in the store already when the process started.
    pub(super) fn is_replay(&self, position: Position) -> bool {
        position <= self.replay_until
    }

    /// The pipeline, to look into.
    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    fn read_on(&self, durable: Position) -> Task {
        let from = self.pipeline.position().next();
        if from > durable {
            return Task::Rest;
        }
        // A batch ends where the store stood at the start, so that what was counted before is not counted again.
        let replayed = self.replay_until.0.checked_sub(from.0);
        let left = replayed.map_or(BATCH_ENTRIES as u64, |left| left + 1);
        let entries = usize::try_from(left).map_or(BATCH_ENTRIES, |left| left.min(BATCH_ENTRIES));
        Task::Read { from, entries }
    }

    fn must_commit(&self, now: i64) -> bool {
        !self.effects.is_empty() || now - self.position_written_at >= POSITION_EVERY_MS
    }

    fn place(&self) -> Option<Place> {
        self.pipeline.last_received_at().map(|received_at| Place {
            position: self.pipeline.position(),
            received_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::handover::Room;
    use super::super::handover::handover;
    use super::super::snapshot::SNAPSHOT_EVERY_MS;
    use super::*;
    use crate::telemetry::Record;

    #[test]
    fn a_snapshot_that_is_due_needs_no_further_entry() {
        // A full journal that keeps everything for the state on disk takes none until that state is newer.
        let (giver, _series) = handover(Room::default());
        let mut stage = Stage::new(Pipeline::new(), Position(0), giver, Limits::default(), 0);
        let last = Position(1);
        let place = Place {
            position: last,
            received_at: Timestamp::from_ms(0),
        };
        stage.step(
            &[Entry {
                position: last,
                received_at: place.received_at,
                record: Record::Tick,
            }],
            0,
        );
        assert_eq!(stage.task(0, last), Task::Tell(last));
        drop(stage.told(0));
        assert_eq!(stage.task(SNAPSHOT_EVERY_MS - 1, last), Task::Rest);
        assert_eq!(
            stage.task(SNAPSHOT_EVERY_MS, last),
            Task::CommitPlace(place)
        );
        stage.committed(place, SNAPSHOT_EVERY_MS);
        assert_eq!(stage.task(SNAPSHOT_EVERY_MS, last), Task::Begin(place));
    }
}
