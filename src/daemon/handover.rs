//! What the worker has decoded, on its way to the series consumer: a bounded queue that the worker never waits for.
//!
//! The consumer asks; the worker then hands over everything behind some position, in journal order: batches of what was understood,
//! and for each snapshot of the pipeline when it began and which rows of decode's memory it has. When the queue is full the whole
//! hand-over breaks off, for nothing may be missing in the middle of it; the consumer then reads the journal and decodes for itself
//! until it asks again. Leaves to [`Feed`](super::feed) what is made of it. Keeps: what is taken has no gap, or the hand-over is
//! broken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;

use super::stage::Place;
use crate::pipeline::Heard;
use crate::pipeline::InForce;
use crate::pipeline::Part;
use crate::pipeline::Said;
use crate::pipeline::TakenRow;
use crate::telemetry::Position;
use crate::telemetry::Reading;
use crate::telemetry::Scalar;
use crate::telemetry::TelemetryRecord;

/// How much may wait. What does not fit breaks the hand-over off: the journal has it all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Batches of the worker.
    pub(super) batches: usize,
    /// Bytes of what was understood, about.
    pub(super) bytes: usize,
    /// Bytes of decode's rows, about: those of a snapshot, of some 600,000 devices.
    pub(super) row_bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            batches: 1_024,
            bytes: 32 << 20,
            row_bytes: 128 << 20,
        }
    }
}

/// The consumer is woken when this part of a limit waits; before, it looks now and then.
const WAKE_AT_PART: usize = 4;
/// What a row takes besides its bytes, about.
const ROW_BYTES: usize = 128;

/// The worker's end.
pub(super) struct Giver {
    shared: Arc<Shared>,
    /// The snapshot that began while something was handed over, so that all rows of it are passed on.
    begun: Option<Position>,
}

/// The consumer's end.
pub(super) struct Taker {
    shared: Arc<Shared>,
}

/// A key of decode's rows (a device, or empty for what is common) and the row; `None` when it goes.
pub(super) type DecodeRow = (String, Option<Arc<[u8]>>);

/// One thing that is handed over.
#[derive(Debug)]
pub(super) enum Item {
    /// What a batch of the worker told.
    Batch(Batch),
    /// A snapshot of the pipeline begins, which holds for this place: the end of the batch before.
    Begun(Place),
    /// Rows of that snapshot that changed since the snapshot before.
    Rows(Vec<DecodeRow>),
    /// That snapshot has all its rows.
    Complete(Position),
}

/// What the entries of a batch told.
#[derive(Debug)]
pub(super) struct Batch {
    /// The entry before the first.
    pub(super) after: Position,
    /// The last entry.
    pub(super) through: Place,
    /// What they told; most entries one thing, some nothing.
    pub(super) heard: Vec<Heard>,
}

struct Shared {
    link: Mutex<Link>,
    filling: Notify,
    room: Room,
}

#[derive(Default)]
struct Link {
    state: State,
    /// What waits, with its size.
    items: VecDeque<(usize, Item)>,
    batches: usize,
    bytes: usize,
    row_bytes: usize,
}

#[derive(Default)]
enum State {
    /// Nobody wants anything.
    #[default]
    Closed,
    /// The consumer asks.
    Asked,
    /// Everything behind a position is handed over; the profiles in force there, until the consumer has taken them.
    Open(Position, Option<Box<InForce>>),
    /// Something did not fit, and the consumer has not seen it yet.
    Broken,
}

/// Both ends.
pub(super) fn handover(room: Room) -> (Giver, Taker) {
    let shared = Arc::new(Shared {
        link: Mutex::default(),
        filling: Notify::new(),
        room,
    });
    let giver = Giver {
        shared: Arc::clone(&shared),
        begun: None,
    };
    (giver, Taker { shared })
}

impl Giver {
    /// Whether what comes behind `after` is to be handed over. Begins when the consumer has asked, with the profiles in force.
    pub(super) fn is_open(&mut self, after: Position, in_force: impl FnOnce() -> InForce) -> bool {
        let mut link = self.shared.link();
        match link.state {
            State::Asked => {
                link.state = State::Open(after, Some(Box::new(in_force())));
                // Rows of a snapshot that began before are older than what the consumer knows.
                self.begun = None;
                true
            }
            State::Open(..) => true,
            State::Closed | State::Broken => false,
        }
    }

    /// Hands over what a batch told.
    pub(super) fn batch(&self, batch: Batch) {
        self.put(batch.heard.iter().map(size).sum(), Item::Batch(batch));
    }

    /// A snapshot begins, which holds for the end of the newest batch.
    pub(super) fn begun(&mut self, place: Place) {
        self.begun = Some(place.position);
        self.put(0, Item::Begun(place));
    }

    /// Hands over decode's among these rows of the snapshot that began; a snapshot may give them in several pieces.
    pub(super) fn rows(&self, rows: &[TakenRow]) {
        if self.begun.is_none() || !self.is_heard() {
            return;
        }
        let rows = rows.iter().filter(|row| row.part == Part::Decode);
        let rows: Vec<DecodeRow> = rows
            .map(|row| (row.key.clone(), row.shared().cloned()))
            .collect();
        let size = |(key, bytes): &DecodeRow| {
            ROW_BYTES + key.len() + bytes.as_ref().map_or(0, |bytes| bytes.len())
        };
        if !rows.is_empty() {
            self.put(rows.iter().map(size).sum(), Item::Rows(rows));
        }
    }

    /// All rows of the snapshot that began were handed over.
    pub(super) fn complete(&mut self) {
        if let Some(position) = self.begun.take() {
            self.put(0, Item::Complete(position));
        }
    }

    fn is_heard(&self) -> bool {
        matches!(self.shared.link().state, State::Open(..))
    }

    fn put(&self, size: usize, item: Item) {
        let room = &self.shared.room;
        let mut link = self.shared.link();
        if !matches!(link.state, State::Open(..)) {
            return;
        }
        let (bytes, limit) = match &item {
            Item::Batch(_) => {
                link.batches += 1;
                (&mut link.bytes, room.bytes)
            }
            Item::Begun(_) | Item::Rows(_) | Item::Complete(_) => {
                (&mut link.row_bytes, room.row_bytes)
            }
        };
        *bytes += size;
        if *bytes > limit || link.batches > room.batches {
            let dropped = link.close(State::Broken);
            drop(link);
            drop(dropped);
            self.shared.filling.notify_one();
            return;
        }
        let is_filling =
            link.bytes > room.bytes / WAKE_AT_PART || link.batches > room.batches / WAKE_AT_PART;
        link.items.push_back((size, item));
        drop(link);
        if is_filling {
            self.shared.filling.notify_one();
        }
    }
}

impl Taker {
    /// Asks for what the worker decodes from its next batch on.
    pub(super) fn ask(&self) {
        let mut link = self.shared.link();
        if matches!(link.state, State::Closed) {
            link.state = State::Asked;
        }
    }

    /// Behind which position everything is handed over, if it is.
    pub(super) fn opened(&self) -> Option<Position> {
        match self.shared.link().state {
            State::Open(after, _) => Some(after),
            State::Closed | State::Asked | State::Broken => None,
        }
    }

    /// The profiles in force where the hand-over began. Given once.
    pub(super) fn in_force(&self) -> Option<InForce> {
        match &mut self.shared.link().state {
            State::Open(_, in_force) => in_force.take().map(|in_force| *in_force),
            State::Closed | State::Asked | State::Broken => None,
        }
    }

    /// Whether something did not fit: nothing more comes.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.shared.link().state, State::Broken)
    }

    /// Whether anything can be taken.
    pub(super) fn has_more(&self) -> bool {
        !self.shared.link().items.is_empty()
    }

    /// The next thing.
    pub(super) fn take(&self) -> Option<Item> {
        let mut link = self.shared.link();
        let (size, item) = link.items.pop_front()?;
        match &item {
            Item::Batch(_) => {
                link.batches -= 1;
                link.bytes -= size;
            }
            Item::Begun(_) | Item::Rows(_) | Item::Complete(_) => link.row_bytes -= size,
        }
        Some(item)
    }

    /// Something is missing in what was taken.
    pub(super) fn break_off(&self) {
        let dropped = self.shared.link().close(State::Broken);
        drop(dropped);
    }

    /// Nothing is wanted any more.
    pub(super) fn leave(&self) {
        let dropped = self.shared.link().close(State::Closed);
        drop(dropped);
    }

    /// Ends when much waits, or the hand-over broke off.
    pub(super) fn filling(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        async move { shared.filling.notified().await }
    }
}

impl Shared {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// What waited is returned, to be dropped when nobody waits for the lock.
    fn close(&mut self, state: State) -> VecDeque<(usize, Item)> {
        let before = std::mem::replace(
            self,
            Self {
                state,
                ..Self::default()
            },
        );
        before.items
    }
}

/// Bytes that something heard takes, about.
fn size(heard: &Heard) -> usize {
    let text = |reading: &Reading| match &reading.value {
        Scalar::Text(text) => text.len(),
        Scalar::Number(_) | Scalar::Bool(_) | Scalar::Null => 0,
    };
    let record = |record: &TelemetryRecord| {
        let readings = &record.readings;
        size_of_val(record)
            + readings.len() * size_of::<Reading>()
            + readings.iter().map(text).sum::<usize>()
    };
    let said = match &heard.said {
        Said::Message(telemetry) => {
            telemetry.records.iter().map(record).sum::<usize>()
                + telemetry.bad_records.len() * size_of::<TelemetryRecord>()
        }
        Said::Profiles(in_force) => {
            let texts = in_force.texts.iter().chain(&in_force.words);
            texts.map(|file| file.text.len()).sum()
        }
        Said::Retired(_) => 0,
    };
    size_of::<Heard>() + said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;
    use crate::telemetry::Timestamp;

    fn place(position: u64) -> Place {
        Place {
            position: Position(position),
            received_at: Timestamp::from_ms(0),
        }
    }

    fn batch(after: u64, through: u64) -> Batch {
        Batch {
            after: Position(after),
            through: place(through),
            heard: Vec::new(),
        }
    }

    /// Some rows of decode: what is common, which a snapshot always has.
    fn rows() -> Vec<TakenRow> {
        let rows = Pipeline::new().begin_snapshot();
        assert!(rows.iter().any(|row| row.part == Part::Decode));
        rows
    }

    fn opened(room: Room, after: u64) -> (Giver, Taker) {
        let (mut giver, taker) = handover(room);
        taker.ask();
        assert!(giver.is_open(Position(after), InForce::default));
        (giver, taker)
    }

    #[test]
    fn nothing_is_handed_over_until_somebody_asks() {
        let (mut giver, taker) = handover(Room::default());
        assert!(!giver.is_open(Position(7), InForce::default));
        giver.batch(batch(7, 8));
        assert!(!taker.has_more());
        taker.ask();
        assert_eq!(taker.opened(), None);
        assert!(giver.is_open(Position(8), InForce::default));
        assert_eq!(taker.opened(), Some(Position(8)));
        giver.batch(batch(8, 9));
        assert!(matches!(taker.take(), Some(Item::Batch(batch)) if batch.after == Position(8)));
    }

    #[test]
    fn what_does_not_fit_breaks_all_of_it_off() {
        let room = Room {
            batches: 2,
            ..Room::default()
        };
        let (mut giver, taker) = opened(room, 0);
        for after in 0..3 {
            assert!(!taker.is_broken());
            giver.batch(batch(after, after + 1));
        }
        assert!(taker.is_broken());
        assert!(!taker.has_more(), "a part of it would be a gap");
        assert!(!giver.is_open(Position(3), InForce::default));
        taker.leave();
        taker.ask();
        assert!(giver.is_open(Position(3), InForce::default));
        // What was taken makes room.
        for after in 3..20 {
            giver.batch(batch(after, after + 1));
            assert!(taker.take().is_some());
        }
        assert!(!taker.is_broken());
    }

    #[test]
    fn rows_have_a_limit_of_their_own() {
        let room = Room {
            row_bytes: 1_000,
            ..Room::default()
        };
        let (mut giver, taker) = opened(room, 0);
        giver.begun(place(0));
        giver.rows(&rows());
        assert!(!taker.is_broken());
        for _ in 0..20 {
            giver.rows(&rows());
        }
        assert!(taker.is_broken());
    }

    #[test]
    fn rows_of_a_snapshot_that_began_before_are_not_handed_over() {
        let (mut giver, taker) = handover(Room::default());
        giver.begun(place(3));
        taker.ask();
        assert!(giver.is_open(Position(5), InForce::default));
        giver.rows(&rows());
        giver.complete();
        assert!(!taker.has_more());
        giver.begun(place(5));
        giver.rows(&rows());
        giver.complete();
        assert!(matches!(taker.take(), Some(Item::Begun(_))));
        assert!(matches!(taker.take(), Some(Item::Rows(_))));
        assert!(matches!(taker.take(), Some(Item::Complete(Position(5)))));
    }
}
