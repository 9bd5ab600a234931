//! The one thread that writes: gives places and times, commits in groups, then calls back in order.
//!
//! Leaves sealing and retention to the housekeeper. Keeps: no callback says `Ok` before its records are fsynced; after a failed
//! commit the segment takes nothing more, and the same entries go to a new one; a position is given once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

use super::Done;
use super::block::Block;
use super::block::Encoded;
use super::catalog::Segment;
use super::clock::Stamper;
use super::disk::Live;
use super::error::AppendError;
use super::error::JournalError;
use super::options::RETRY_MAX;
use super::queue::Append;
use super::running::OpenLive;
use super::running::Shared;
use super::segment;
use super::segment::Kind;

/// The second attempt after an error; each further one waits twice as long, up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// A commit that took at least this long is told as a record: what was due meanwhile proves nothing, for nobody could be heard. As
/// long as the listener waits before it says that it stalls.
const STALL_MS: i64 = 5 * SECOND_MS;
/// Attempts that are still made when the journal is closed while the disk fails.
const CLOSING_ATTEMPTS: u32 = 2;

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) stamper: Stamper,
    pub(super) live: Option<OpenLive>,
    /// The position that the next record gets.
    pub(super) next: Position,
    /// A commit that failed and is tried again, before anything else is taken.
    pub(super) failed: Option<Unwritten>,
    /// The last commit took so long that it has to be told.
    pub(super) stalled: bool,
}

/// A commit as it is put together.
struct Commit {
    block: Block,
    entries: Vec<Entry>,
    /// Each with the last position of its append.
    dones: Vec<(Position, Done)>,
}

/// A commit that is not on the disk, tried so often in vain.
pub(super) struct Unwritten {
    commit: Commit,
    attempts: u32,
    /// When it was put together, by the monotonic clock, ms.
    began: i64,
}

/// What a step of the writer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One commit was written and its callers were told; `busy` when more came in meanwhile: then a group forms. What comes in
    /// upon the callbacks does not count: a caller who waits for each answer is never slowed down by the interval.
    Written { busy: bool },
    /// The disk refused, `attempts` times in a row: the same entries are due again after a pause.
    Refused { attempts: u32, pause: Duration },
    /// Nothing waits.
    Idle,
}

impl Writer {
    /// Until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut gather = None;
        while self.shared.queue.wait(gather) {
            gather = None;
            loop {
                match self.step() {
                    Step::Written { busy } => {
                        gather = busy.then_some(self.shared.options.commit_interval);
                        break;
                    }
                    Step::Refused { attempts, pause } => {
                        // While the journal closes there is no time to wait for a better disk.
                        if !self.shared.queue.pause(pause) && attempts >= CLOSING_ATTEMPTS {
                            self.give_up();
                            break;
                        }
                    }
                    Step::Idle => break,
                }
            }
        }
        self.live = None;
    }

    /// Writes one commit of what waits, or tries once more to write the one that failed; never waits.
    pub(super) fn step(&mut self) -> Step {
        let Some(Unwritten {
            commit,
            attempts,
            began,
        }) = self.failed.take().or_else(|| self.next_commit())
        else {
            return Step::Idle;
        };
        if !commit.block.is_empty()
            && let Err(error) = self.try_commit(&commit.block)
        {
            let attempts = attempts + 1;
            let pause = self.refused(&error, attempts);
            self.failed = Some(Unwritten {
                commit,
                attempts,
                began,
            });
            return Step::Refused { attempts, pause };
        }
        if !commit.block.is_empty() {
            self.went_well(attempts);
            self.stalled |= self.stamper.monotonic_ms() - began >= STALL_MS;
        }
        let busy = self.finish(commit, &Ok(()));
        Step::Written { busy }
    }

    /// What waits, as a commit that was not tried yet.
    fn next_commit(&mut self) -> Option<Unwritten> {
        let appends = self.shared.queue.take();
        if appends.is_empty() {
            return None;
        }
        let commit = self.put_together(appends);
        self.rotate_if_due(commit.block.head.received_first);
        Some(Unwritten {
            commit,
            attempts: 0,
            began: self.stamper.monotonic_ms(),
        })
    }

    /// The journal closes and the disk refuses: whoever waits for the commit that failed is told.
    fn give_up(&mut self) {
        if let Some(Unwritten { commit, .. }) = self.failed.take() {
            self.finish(commit, &Err(AppendError::Closed));
        }
    }

    /// Shows what was committed and calls back. Returns whether more came in meanwhile.
    fn finish(&mut self, commit: Commit, result: &Result<(), AppendError>) -> bool {
        let Commit {
            block,
            entries,
            dones,
        } = commit;
        if result.is_ok() && !block.is_empty() {
            self.next = block.head.last().next();
            self.publish(&block, entries);
        }
        let busy = self.shared.queue.size().0 > 0;
        for (last, done) in dones {
            let answer = result.clone().map(|()| last);
            // A callback's panic is its owner's; the journal goes on.
            if std::panic::catch_unwind(AssertUnwindSafe(|| done(answer))).is_err() {
                tracing::error!("a callback of the journal panicked");
            }
        }
        if !block.is_empty() {
            self.shared.check_budget();
        }
        busy
    }

    /// Gives places and times. A step of the wall clock and the end of a stall become records before what they were noticed at.
    fn put_together(&mut self, appends: Vec<Append>) -> Commit {
        let mut commit = Commit {
            block: Block::new(self.next, self.stamper.newest()),
            entries: Vec::new(),
            dones: Vec::with_capacity(appends.len()),
        };
        for append in appends {
            if let Some(times) = append.times {
                let records = append.records.into_iter().zip(times);
                for ((record, at), encoded) in records.zip(append.encoded.records()) {
                    commit.add(self.stamper.import(at), record, encoded);
                }
            } else if !append.records.is_empty() {
                let stamp = self.stamper.stamp();
                if std::mem::take(&mut self.stalled) {
                    let at = stamp.step.map_or(stamp.at, |step| step.from);
                    commit.add_own(at, Record::Control(Control::Stalled));
                }
                if let Some(step) = stamp.step {
                    tracing::warn!(from = %step.from, to = %step.to, "the wall clock stepped");
                    let (from, to) = (step.from, step.to);
                    commit.add_own(from, Record::Control(Control::ClockStep { from, to }));
                }
                let records = append.records.into_iter();
                for (record, encoded) in records.zip(append.encoded.records()) {
                    commit.add(stamp.at, record, encoded);
                }
            }
            commit.dones.push((commit.block.head.last(), append.done));
        }
        commit
    }

    /// Closes a live segment that is large or old enough; the commit that follows begins a new one.
    fn rotate_if_due(&mut self, now: Timestamp) {
        let Some((first, _)) = self.live else { return };
        let due = {
            let mut catalog = self.shared.files.catalog();
            let Some(segment) = catalog.get_mut(first) else {
                return;
            };
            let age = now.since(segment.received_first).max(0).unsigned_abs();
            let old = u128::from(age) >= self.shared.options.segment_age.as_millis();
            let large = segment.bytes >= self.shared.options.seal_at_bytes();
            segment.closed = segment.count > 0 && (old || large);
            segment.closed
        };
        if due {
            self.live = None;
            self.shared.wake_keeper();
        }
    }

    fn went_well(&self, attempts: u32) {
        let counters = &self.shared.counters;
        counters.commits.fetch_add(1, Ordering::Relaxed);
        if attempts > 0 {
            tracing::info!(attempts, "the journal writes again");
            counters.failing.store(false, Ordering::Relaxed);
        }
    }

    /// The disk refused a commit: its segment takes nothing more. Returns the pause before the next attempt.
    fn refused(&mut self, error: &JournalError, attempts: u32) -> Duration {
        let counters = &self.shared.counters;
        counters.commit_errors.fetch_add(1, Ordering::Relaxed);
        counters.failing.store(true, Ordering::Relaxed);
        self.abandon();
        // A disk can be full for hours: told at once, then ever less often.
        if attempts.is_power_of_two() {
            tracing::error!(
                error = %Chain(error),
                attempts,
                "the journal cannot write; nothing is acknowledged until it can, and the records go to a new segment"
            );
        }
        if attempts <= 1 {
            return Duration::ZERO;
        }
        RETRY_FIRST
            .saturating_mul(1 << (attempts - 2).min(10))
            .min(RETRY_MAX)
    }

    fn try_commit(&mut self, block: &Block) -> Result<(), JournalError> {
        let begun = Instant::now();
        if self.live.is_none() {
            self.live = Some((block.head.first, self.begin(block.head.first)?));
        }
        if let Some((_, live)) = &mut self.live {
            live.commit(block)?;
        }
        if let Some(committed) = &self.shared.options.committed {
            committed(begun.elapsed());
        }
        Ok(())
    }

    /// Begins a new live segment.
    fn begin(&self, first: Position) -> Result<Box<dyn Live>, JournalError> {
        let files = &self.shared.files;
        let segment = Segment::new(first, Kind::Live);
        let path = segment.path(&files.dir);
        // Only an attempt that failed can have left a file there: nothing at or after `first` was ever acknowledged.
        let live = files.disk.create(&path, &files.id)?;
        files.catalog().insert(segment);
        Ok(live)
    }

    /// Gives the live segment up for good. What it holds durably stays; an empty one goes.
    fn abandon(&mut self) {
        let Some((first, live)) = self.live.take() else {
            return;
        };
        drop(live);
        let mut catalog = self.shared.files.catalog();
        if let Some(segment) = catalog.get_mut(first) {
            segment.closed = true;
            if segment.count == 0 {
                catalog.remove(first);
            }
        }
        drop(catalog);
        self.shared.wake_keeper();
    }

    /// Makes committed entries visible to readers.
    fn publish(&self, block: &Block, entries: Vec<Entry>) {
        let head = &block.head;
        if let Some((first, _)) = self.live {
            let mut catalog = self.shared.files.catalog();
            if let Some(segment) = catalog.get_mut(first) {
                if segment.count == 0 {
                    segment.received_first = head.received_first;
                }
                segment.count += head.count;
                segment.received_last = head.received_last;
                segment.bytes += block.data.len() as u64 + segment::ROW_BYTES;
            }
        }
        self.shared.files.remember(entries);
        self.shared.durable.send_replace(head.last());
    }
}

/// Also when the thread ends by a panic: nobody waits for ever.
impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.give_up();
        loop {
            let appends = self.shared.queue.take();
            if appends.is_empty() {
                return;
            }
            for append in appends {
                append.give_up();
            }
        }
    }
}

impl Commit {
    fn add(&mut self, received_at: Timestamp, record: Record, encoded: &[u8]) {
        let position = self.block.push(received_at, encoded);
        self.entries.push(Entry {
            position,
            received_at: self.block.head.received_last,
            record,
        });
    }

    /// Adds a record of the journal's own.
    fn add_own(&mut self, received_at: Timestamp, record: Record) {
        // It always encodes: at most two times in a JSON object.
        if let Ok(encoded) = Encoded::new(std::slice::from_ref(&record)) {
            let bytes: Vec<u8> = encoded.records().flatten().copied().collect();
            self.add(received_at, record, &bytes);
        }
    }
}

/// An error with its sources, for a log line.
pub(super) struct Chain<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(out, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
