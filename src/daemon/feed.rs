//! What the series consumer does next, decided without doing it: which entries it takes, from the journal or from the worker, when
//! points are written, and when its cursor may move.
//!
//! It begins by decoding the journal for itself. Near the pipeline it asks for what that has decoded anyway, and once it knows
//! everything before the hand-over it goes on from there, without a memory of its own. When the hand-over breaks off, it restores
//! its memory from what was saved and decodes up to where it was, without making points of it once more. It is told the time and
//! what became of each task, and reads, writes and waits for nothing. Keeps: every entry is gathered once, in order; the cursor
//! never passes a point that is not written, and what is saved with it holds for the same place.

use super::handover::Batch;
use super::handover::Item;
use super::handover::Taker;
use super::keep::Keep;
use super::keep::Known;
use super::stage::Place;
use super::taken::Taken;
use super::understanding::Saved;
use super::understanding::Understanding;
use super::understanding::texts;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::pipeline::InForce;
use crate::series::consumer::Gathered;
use crate::series::consumer::Gatherer;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Entries read at once.
const READ_ENTRIES: usize = 8_192;
/// State and cursor are saved this often; after a crash the points since are written again, which changes nothing. While the
/// pipeline decodes, they are saved with its snapshots, and at most this often.
const SAVE_EVERY_MS: i64 = 10_000;
/// After a long time without, a save may be large: so seldom that saving takes at most this part of the time.
const SAVE_SHARE: i64 = 20;
/// The hand-over is asked for when neither the consumer is further than this behind the pipeline, nor the pipeline behind the
/// journal: what is read until it begins then fits into it.
const NEAR: u64 = 8_192;
/// After a hand-over broke off, it is asked for again after this long: joining costs some work, and what was too much for it rarely
/// is over in a moment.
const ASK_AGAIN_MS: i64 = 10_000;

/// The series consumer between journal and series store.
pub(super) struct Feed {
    memory: Memory,
    taker: Taker,
    gatherer: Gatherer,
    keep: Keep,
    /// Read, and not yet gathered: a batch was full.
    rest: Vec<Entry>,
    /// Taken from the worker, and not yet gathered.
    taken: Option<Taken>,
    /// Gathered up to here.
    read: Place,
    /// All points up to here are written.
    written: Position,
    saved: Position,
    /// Where it began when nothing was saved yet.
    origin: Position,
    /// When the state is saved next.
    save_at: i64,
    /// From when on the worker may be asked.
    ask_at: i64,
    /// Delivered from the outbox, which does not know it yet.
    delivered: Vec<i64>,
}

/// Where what entries mean comes from.
enum Memory {
    /// It decodes for itself, and remembers everything that is gathered.
    Own(Box<Understanding>),
    /// The worker hands over everything behind this position, which is gathered itself; the profiles in force.
    Handed(Position, Box<InForce>),
    /// The hand-over broke off: what was saved is to be restored.
    Gone,
    /// Restored, and brought up to this position so far; from there to what is gathered already it is read for memory alone.
    Behind(Box<Understanding>, Position),
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
    /// Take what the worker handed over: [`Feed::take`].
    Take,
    /// Write [`Feed::drain`] to the series store; then [`Feed::written`].
    Write,
    /// Save [`Feed::rows`] for this place, then the journal's cursor; then [`Feed::saved`], and [`Feed::tried_to_save`] in any case.
    Save(Place),
    /// Load what was saved; then [`Feed::restored`].
    Restore,
    /// Nothing, until more is durable or time has gone by.
    Rest,
}

impl Feed {
    /// Goes on from what was saved; without that behind `before`. Times are of a monotonic clock, in ms.
    pub(super) fn new(saved: Option<Saved>, before: Position, taker: Taker, now: i64) -> Self {
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
            memory: Memory::Own(Box::new(understanding)),
            taker,
            gatherer,
            keep: Keep::default(),
            rest: Vec::new(),
            taken: None,
            read: Place {
                position,
                received_at,
            },
            written: position,
            saved: position,
            origin: before,
            save_at: now + SAVE_EVERY_MS,
            ask_at: now,
            delivered: Vec::new(),
        }
    }

    /// What is to be done now, when entries up to `durable` can be read and the pipeline has done those up to `pipeline`.
    pub(super) fn task(&mut self, now: i64, durable: Position, pipeline: Position) -> Task {
        self.follow(now, durable, pipeline);
        if let Some(place) = self.due_save(now) {
            return Task::Save(place);
        }
        if self.is_written() {
            self.gather_rest(now);
        }
        if self.gatherer.is_due(Timestamp::from_ms(now)) || self.has_rest() {
            return Task::Write;
        }
        self.go_on(durable).unwrap_or(Task::Rest)
    }

    /// As [`Feed::task`], when nothing comes any more: everything up to `durable` is written and saved without waiting for company.
    pub(super) fn last_task(&mut self, now: i64, durable: Position) -> Task {
        match self.memory {
            Memory::Own(_) => self.taker.leave(),
            // What the worker did not come to.
            Memory::Handed(..) if !self.taker.has_more() && self.is_written() => {
                if self.read.position < durable {
                    self.let_go(now);
                }
            }
            Memory::Handed(..) | Memory::Gone | Memory::Behind(..) => {}
        }
        if self.is_written() {
            self.gather_rest(now);
        }
        if self.has_rest() {
            return Task::Write;
        }
        if let Some(on) = self.go_on(durable) {
            return on;
        }
        if !self.is_written() {
            return Task::Write;
        }
        self.keep_own();
        self.place_to_save().map_or(Task::Rest, Task::Save)
    }

    /// Takes entries.
    pub(super) fn gather(&mut self, entries: Vec<Entry>, now: i64) {
        if let Memory::Behind(understanding, at) = &mut self.memory {
            for entry in entries {
                // Their points are written, or about to be.
                understanding.take(&entry);
                *at = entry.position;
            }
            self.remember();
            return;
        }
        self.rest = entries;
        self.gather_rest(now);
    }

    /// Takes one thing that the worker handed over.
    pub(super) fn take(&mut self, now: i64) {
        let Memory::Handed(..) = self.memory else {
            return;
        };
        match self.taker.take() {
            Some(Item::Batch(batch)) => self.take_batch(batch, now),
            Some(Item::Begun(place)) => self.begun(place),
            Some(Item::Rows(rows)) => self.keep.coming(rows),
            Some(Item::Complete(position)) => self.keep.complete(position),
            None => {}
        }
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
            OutboxTask::Take(wall.max(self.read.received_at))
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

    /// Whether it takes what the worker decoded.
    pub(super) const fn is_attached(&self) -> bool {
        matches!(self.memory, Memory::Handed(..))
    }

    /// How many messages it decoded for itself since this was last asked.
    pub(super) const fn take_decoded(&mut self) -> u64 {
        match &mut self.memory {
            Memory::Own(understanding) | Memory::Behind(understanding, _) => {
                understanding.take_decoded()
            }
            Memory::Handed(..) | Memory::Gone => 0,
        }
    }

    /// Ends when much waits to be taken.
    pub(super) fn filling(&self) -> impl Future<Output = ()> + Send + 'static {
        self.taker.filling()
    }

    /// What is saved for the place of [`Task::Save`]: rows to be written, and to be removed.
    pub(super) fn rows(&self) -> (Vec<Row>, Vec<(Part, String)>) {
        self.keep.rows()
    }

    /// State and cursor are on the disk.
    pub(super) fn saved(&mut self, position: Position) {
        self.saved = position;
        self.keep.saved();
    }

    /// Saving took from `began` to `now`. When the disk refused, it is tried again later: what is not saved is written once more
    /// after a crash, which is harmless.
    pub(super) fn tried_to_save(&mut self, began: i64, now: i64) {
        self.save_at = now + SAVE_EVERY_MS.max((now - began) * SAVE_SHARE);
    }

    /// What was saved; `None` when nothing was yet.
    pub(super) fn restored(&mut self, saved: Option<Saved>) {
        let (understanding, at) = saved.map_or_else(
            || (Understanding::new(), self.origin),
            |saved| (saved.understanding, saved.position),
        );
        // A save whose answer was lost may be there all the same.
        self.saved = at;
        self.memory = Memory::Behind(Box::new(understanding), at);
        self.remember();
    }

    /// Asks for the hand-over, joins it, and leaves it when it is broken.
    fn follow(&mut self, now: i64, durable: Position, pipeline: Position) {
        let is_broken = self.taker.is_broken();
        match self.memory {
            Memory::Own(_) if is_broken => {
                self.taker.leave();
                self.ask_at = now + ASK_AGAIN_MS;
            }
            Memory::Own(_) => match self.taker.opened() {
                Some(after) if after <= self.read.position && !self.has_rest() => self.join(),
                Some(_) => {}
                None => {
                    let behind = pipeline.0.saturating_sub(self.read.position.0);
                    let left = durable.0.saturating_sub(pipeline.0);
                    if now >= self.ask_at && behind <= NEAR && left <= NEAR {
                        self.taker.ask();
                    }
                }
            },
            Memory::Handed(..) if is_broken && self.is_written() => self.let_go(now),
            Memory::Handed(..) | Memory::Gone | Memory::Behind(..) => {}
        }
    }

    /// From here on the worker decodes. Everything that changed in its own memory is to be saved: the rows of the pipeline's next
    /// snapshot tell only what changes from here on.
    fn join(&mut self) {
        let Some(in_force) = self.taker.in_force() else {
            return;
        };
        if let Memory::Own(understanding) = &mut self.memory {
            understanding.keep(self.read, &self.gatherer, &mut self.keep);
        }
        self.memory = Memory::Handed(self.read.position, Box::new(in_force));
    }

    /// The hand-over broke off. What was to be saved goes with it: it would be of no place.
    fn let_go(&mut self, now: i64) {
        self.memory = Memory::Gone;
        self.taker.leave();
        self.taken = None;
        self.keep = Keep::default();
        self.ask_at = now + ASK_AGAIN_MS;
    }

    /// The restored memory may be all there.
    fn remember(&mut self) {
        self.memory = match std::mem::replace(&mut self.memory, Memory::Gone) {
            Memory::Behind(understanding, at) if at >= self.read.position => {
                Memory::Own(understanding)
            }
            other => other,
        };
    }

    /// Notes its own memory as to be saved for where it is, if all points up to there are written.
    fn keep_own(&mut self) {
        if let Memory::Own(understanding) = &mut self.memory
            && self.saved < self.read.position
        {
            understanding.keep(self.read, &self.gatherer, &mut self.keep);
        }
    }

    fn due_save(&mut self, now: i64) -> Option<Place> {
        if now < self.save_at {
            return None;
        }
        if self.is_written() {
            self.keep_own();
        }
        self.place_to_save()
    }

    /// The newest place for which state and cursor can be saved.
    fn place_to_save(&self) -> Option<Place> {
        let place = self.keep.place()?;
        (self.saved < place.position && place.position <= self.written).then_some(place)
    }

    fn take_batch(&mut self, batch: Batch, now: i64) {
        if batch.after > self.read.position {
            // Nothing may be missing: the journal has it.
            self.taker.break_off();
            return;
        }
        self.taken = Some(batch.into());
        self.gather_taken(now);
    }

    /// A snapshot of the pipeline holds for what is gathered just now. One for a place that was gathered before the hand-over says
    /// nothing new.
    fn begun(&mut self, place: Place) {
        let Memory::Handed(_, in_force) = &self.memory else {
            return;
        };
        if place.position == self.read.position {
            self.keep.begun(Known {
                place,
                points: self.gatherer.snapshot(),
                profiles: texts(in_force),
            });
        }
    }

    fn has_rest(&self) -> bool {
        !self.rest.is_empty() || self.taken.is_some()
    }

    fn gather_rest(&mut self, now: i64) {
        self.gather_taken(now);
        let Memory::Own(understanding) = &mut self.memory else {
            return;
        };
        // By the monotonic clock: the wall clock may be set back by hours, and points would wait as long.
        let taken = self
            .gatherer
            .gather(Timestamp::from_ms(now), &self.rest, &mut |entry| {
                understanding.take(entry)
            });
        if let Some(newest) = self.rest.get(taken.wrapping_sub(1)) {
            self.read = Place {
                position: newest.position,
                received_at: newest.received_at,
            };
        }
        self.rest.drain(..taken);
    }

    fn gather_taken(&mut self, now: i64) {
        let now = Timestamp::from_ms(now);
        if let (Memory::Handed(behind, in_force), Some(taken)) = (&mut self.memory, &mut self.taken)
            && taken.gather(now, *behind, in_force, &mut self.gatherer, &mut self.read)
        {
            self.taken = None;
        }
    }

    /// Everything that was gathered is written; what was read beyond is not even decoded.
    fn is_written(&self) -> bool {
        self.written == self.read.position
    }

    fn go_on(&self, durable: Position) -> Option<Task> {
        let read = |after: Position, through: Position| {
            let left = through.0.checked_sub(after.0).filter(|left| *left > 0)?;
            let entries = usize::try_from(left).map_or(READ_ENTRIES, |left| left.min(READ_ENTRIES));
            let from = after.next();
            Some(Task::Read { from, entries })
        };
        let here = self.read.position;
        match &self.memory {
            Memory::Own(_) => {
                // What comes behind that is handed over.
                let until = self.taker.opened().filter(|after| *after > here);
                read(here, until.map_or(durable, |until| until.min(durable)))
            }
            Memory::Handed(..) => self.taker.has_more().then_some(Task::Take),
            Memory::Gone => Some(Task::Restore),
            Memory::Behind(_, at) => read(*at, here),
        }
    }
}
