//! What the series consumer does next, decided without doing it: which entries it reads, when points are written, and when its
//! cursor may move.
//!
//! It is told the time and what became of each task, and reads, writes and waits for nothing. Keeps: every entry is gathered once,
//! in order; the cursor never passes a point that is not written.

use super::understanding::Saved;
use super::understanding::Understanding;
use crate::checkpoint::Row;
use crate::series::consumer::Gathered;
use crate::series::consumer::Gatherer;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Entries read at once.
const READ_ENTRIES: usize = 8_192;
/// State and cursor are saved this often; after a crash the points since are written again, which changes nothing.
const SAVE_EVERY_MS: i64 = 10_000;
/// The state is written whole: for a large fleet so seldom that saving takes at most this part of the time.
const SAVE_SHARE: i64 = 20;

/// The series consumer between journal and series store.
pub(super) struct Feed {
    understanding: Understanding,
    gatherer: Gatherer,
    /// Read, and not yet gathered: a batch was full.
    rest: Vec<Entry>,
    /// Gathered up to here.
    read: Position,
    read_at: Timestamp,
    /// All points up to here are written.
    written: Position,
    saved: Position,
    /// When the state is saved next.
    save_at: i64,
    /// Delivered from the outbox, which does not know it yet.
    delivered: Vec<i64>,
}

/// What is to be done with the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutboxTask<'a> {
    /// Mark these as done; then [`Feed::forgotten`]. Until that worked nothing more is taken: they would come again behind what is
    /// newer, and of two changes in one millisecond the earlier would win.
    Forget(&'a [i64]),
    /// Take and write what is due by this time; then [`Feed::delivered`].
    Take(Timestamp),
}

/// One thing to do. The same task is given again until its answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Read on: give [`Feed::gather`] entries from here on, at most so many.
    Read {
        /// The first position that is wanted.
        from: Position,
        /// How many at most.
        entries: usize,
    },
    /// Write [`Feed::drain`] to the series store; then [`Feed::written`].
    Write,
    /// Save [`Feed::rows`] for this place, then the journal's cursor; then [`Feed::saved`], and [`Feed::tried_to_save`] in any case.
    Save {
        /// The last entry whose points are written.
        position: Position,
        /// When it was received.
        received_at: Timestamp,
    },
    /// Nothing, until more is durable or time has gone by.
    Rest,
}

impl Feed {
    /// Goes on from what was saved; without that behind `before`. Times are of a monotonic clock, in ms.
    pub(super) fn new(saved: Option<Saved>, before: Position, now: i64) -> Self {
        let Saved {
            understanding,
            gatherer,
            position,
            received_at,
        } = saved.unwrap_or_else(|| Saved {
            understanding: Understanding::new(),
            gatherer: Gatherer::default(),
            position: before,
            received_at: Timestamp::MIN,
        });
        Self {
            understanding,
            gatherer,
            rest: Vec::new(),
            read: position,
            read_at: received_at,
            written: position,
            saved: position,
            save_at: now + SAVE_EVERY_MS,
            delivered: Vec::new(),
        }
    }

    /// What is to be done now, when entries up to `durable` can be read.
    pub(super) fn task(&mut self, now: i64, durable: Position) -> Task {
        if self.is_written() {
            if now >= self.save_at && self.saved < self.written {
                return self.save();
            }
            self.gather_rest(now);
        }
        if self.gatherer.is_due(Timestamp::from_ms(now)) || !self.rest.is_empty() {
            return Task::Write;
        }
        self.read_on(durable).unwrap_or(Task::Rest)
    }

    /// As [`Feed::task`], when nothing comes any more: everything up to `durable` is written and saved without waiting for company.
    pub(super) fn last_task(&mut self, now: i64, durable: Position) -> Task {
        if self.is_written() {
            self.gather_rest(now);
        }
        if !self.rest.is_empty() {
            return Task::Write;
        }
        match self.read_on(durable) {
            Some(read) => read,
            None if !self.is_written() => Task::Write,
            None if self.saved < self.written => self.save(),
            None => Task::Rest,
        }
    }

    /// Takes entries.
    pub(super) fn gather(&mut self, entries: Vec<Entry>, now: i64) {
        self.rest = entries;
        self.gather_rest(now);
    }

    /// The points of everything that is gathered.
    pub(super) fn drain(&mut self) -> Option<Gathered> {
        self.gatherer.drain()
    }

    /// The points that were drained are stored, or refused for good.
    pub(super) fn written(&mut self, through: Position) {
        self.written = through;
    }

    /// What is to be done with the outbox. Deliveries are due by the journal's time, which the wall clock may fall behind.
    pub(super) fn outbox_task(&self, wall: Timestamp) -> OutboxTask<'_> {
        if self.delivered.is_empty() {
            OutboxTask::Take(wall.max(self.read_at))
        } else {
            OutboxTask::Forget(&self.delivered)
        }
    }

    /// These were written.
    pub(super) fn delivered(&mut self, ids: Vec<i64>) {
        self.delivered = ids;
    }

    /// The outbox knows what was delivered.
    pub(super) fn forgotten(&mut self) {
        self.delivered.clear();
    }

    /// Everything up to here is stored.
    pub(super) fn position(&self) -> Position {
        self.written
    }

    /// What is saved for the place of [`Task::Save`].
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn rows(&self) -> anyhow::Result<[Row; 3]> {
        self.understanding.rows(&self.gatherer)
    }

    /// State and cursor are on the disk.
    pub(super) fn saved(&mut self, position: Position) {
        self.saved = position;
    }

    /// Saving took from `began` to `now`. When the disk refused, it is tried again later: what is not saved is written once more
    /// after a crash, which is harmless.
    pub(super) fn tried_to_save(&mut self, began: i64, now: i64) {
        self.save_at = now + SAVE_EVERY_MS.max((now - began) * SAVE_SHARE);
    }

    fn gather_rest(&mut self, now: i64) {
        let understanding = &mut self.understanding;
        // By the monotonic clock: the wall clock may be set back by hours, and points would wait as long.
        let taken = self
            .gatherer
            .gather(Timestamp::from_ms(now), &self.rest, &mut |entry| {
                understanding.take(entry)
            });
        if let Some(newest) = self.rest.get(taken.wrapping_sub(1)) {
            self.read = newest.position;
            self.read_at = newest.received_at;
        }
        self.rest.drain(..taken);
    }

    /// Everything that was gathered is written; what was read beyond is not even decoded.
    fn is_written(&self) -> bool {
        self.written == self.read
    }

    fn save(&self) -> Task {
        Task::Save {
            position: self.written,
            received_at: self.read_at,
        }
    }

    fn read_on(&self, durable: Position) -> Option<Task> {
        let from = self.read.next();
        let entries = READ_ENTRIES;
        (from <= durable).then_some(Task::Read { from, entries })
    }
}
