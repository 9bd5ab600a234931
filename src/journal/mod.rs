//! The durable log, and the only input of detection: a folder of SQLite segments.
//!
//! Takes records from many threads, gives each its place and its time of receipt, and calls back once they are fsynced; reads
//! them back from any place; seals, packs and removes old segments. Leaves to others what the records mean. Keeps: what was
//! acknowledged is on the disk; positions grow by one and are used once; times never go back; an entry is whole or an error.

mod block;

mod catalog;

mod clock;

mod cursors;

mod disk;

mod error;

mod files;

mod keeper;

mod open;

mod options;

mod queue;

mod raw;

mod reader;

mod running;

mod salvage;

mod segment;

mod verify;

mod writer;

#[cfg(test)]
pub(crate) mod simulated;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

use disk::SqliteDisk;
use files::lock;
use queue::Append;
use queue::Space;
use running::Running;
use running::Shared;

pub use clock::Clock;
pub use clock::SystemClock;
pub use cursors::Holder;
pub use error::AppendError;
pub use error::JournalError;
pub use options::CommitWatch;
pub use options::JournalOptions;
pub use reader::JournalReader;
pub use salvage::Loss;
pub use salvage::SalvageReport;
pub use salvage::SalvagedSegment;
pub use salvage::salvage;
pub use verify::SegmentReport;
pub use verify::VerifyReport;
pub use verify::verify;

/// Called exactly once: on the writer's thread once the records are durable, with the position of the last of them; or with why
/// they were not taken, then possibly on the caller's thread. Must not block: the acks of all others wait behind it.
pub type Done = Box<dyn FnOnce(Result<Position, AppendError>) + Send>;

/// A handle to the journal; clones share it. When the last one is dropped, what was appended is written and the directory is free.
#[derive(Clone)]
pub struct Journal {
    running: Arc<Running>,
}

/// How the journal is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalStats {
    /// The journal's id.
    pub id: String,
    /// The first position that is kept.
    pub first: Position,
    /// The last durable position; the one before `first` when the journal is empty.
    pub last: Position,
    /// When the first entry that is kept was received.
    pub received_first: Option<Timestamp>,
    /// When the last entry was received.
    pub received_last: Option<Timestamp>,
    /// Segment files.
    pub segments: usize,
    /// How many of them are sealed.
    pub sealed: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// The byte budget; 0 when only reading.
    pub max_bytes: u64,
    /// The budget is used up: messages are refused.
    pub full: bool,
    /// The disk refuses writes: appends wait.
    pub failing: bool,
    /// Commits since the start, one fsync each.
    pub commits: u64,
    /// Failed commits since the start.
    pub commit_errors: u64,
    /// Records that wait for the writer.
    pub queued_records: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// How far each consumer is, by name.
    pub cursors: Vec<(String, Position)>,
    /// Positions of the newest two complete base checkpoints.
    pub bases: Vec<Position>,
    /// What retention should remove and may not, and for whom; not known when only reading.
    pub held: Option<Held>,
}

/// A part of the journal that is old or too much, and that someone still needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who needs it.
    pub holder: Holder,
    /// The last position that the holder is done with.
    pub position: Position,
    /// Its size on disk, in bytes.
    pub bytes: u64,
}

impl Journal {
    /// Opens the journal in a directory, which is created when it is not there.
    ///
    /// # Errors
    /// When another process has it, when a file is foreign, damaged or of an unknown format, when a segment is missing.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        Self::open_on(dir, options, Arc::new(SqliteDisk))
    }

    /// Appends records; blocks while the queue is full. On an error nothing was taken, and `done` has been told the same error.
    /// Without records, `done` is called when everything appended before is durable.
    ///
    /// # Errors
    /// [`AppendError::Full`] when the byte budget is used up (controls and ticks have a reserve beyond it),
    /// [`AppendError::Closed`], or what cannot be written at all.
    pub fn append(&self, records: Vec<Record>, done: Done) -> Result<(), AppendError> {
        self.shared().queue.put(Append::new(records, done)?)
    }

    /// The same, for asynchronous callers: waits while the queue is full. Dropped while it waits, it takes nothing and tells
    /// nobody.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_async(&self, records: Vec<Record>, done: Done) -> Result<(), AppendError> {
        self.shared()
            .queue
            .put_async(Append::new(records, done)?)
            .await
    }

    /// Appends records that were received elsewhere, each with its own time of receipt. A time before that of the record before
    /// it is raised to it: times never go back.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn import(&self, records: Vec<(Timestamp, Record)>, done: Done) -> Result<(), AppendError> {
        let (times, records) = records.into_iter().unzip();
        let append = Append::new(records, done)?;
        self.shared().queue.put(Append {
            times: Some(times),
            ..append
        })
    }

    /// Waits until the byte budget has room (or the journal is closed): for callers that were told [`AppendError::Full`].
    pub async fn space(&self) {
        self.shared().queue.space().await;
    }

    /// Durable entries from a position on (inclusive; 0 means the first that is kept), at most so many and about so many bytes
    /// of memory, at least one if there is one. Nothing after the end. Before damage it gives what is whole; then the read that
    /// begins at the damage fails.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when retention has removed the position; damage.
    pub fn read(
        &self,
        from: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.shared().files.read(from, max_entries, max_bytes)
    }

    /// The last durable position, as it grows.
    pub fn durable(&self) -> watch::Receiver<Position> {
        self.shared().durable.subscribe()
    }

    /// The first position that is kept, or the one that will be written first.
    pub fn first(&self) -> Position {
        self.shared().files.catalog().first()
    }

    /// The last durable position; the one before the first when the journal is empty.
    pub fn last(&self) -> Position {
        self.shared().files.catalog().last()
    }

    /// The journal's id, which every file that belongs to it carries.
    pub fn id(&self) -> &str {
        &self.shared().files.id
    }

    /// How the journal is doing.
    pub fn stats(&self) -> JournalStats {
        let shared = self.shared();
        let (queued_records, queued_bytes) = shared.queue.size();
        let held = shared.held();
        let cursors = lock(&shared.cursors);
        let counters = &shared.counters;
        JournalStats {
            max_bytes: shared.options.max_bytes,
            full: shared.queue.space_now() != Space::Everything,
            failing: counters.failing.load(Ordering::Relaxed),
            commits: counters.commits.load(Ordering::Relaxed),
            commit_errors: counters.commit_errors.load(Ordering::Relaxed),
            queued_records,
            queued_bytes,
            cursors: cursors.all().clone().into_iter().collect(),
            bases: cursors.bases().to_vec(),
            held,
            ..shared.files.stats()
        }
    }

    /// The last position that a consumer is done with.
    ///
    /// # Errors
    /// None today; the cursors are in memory.
    pub fn cursor(&self, consumer: &str) -> Result<Option<Position>, JournalError> {
        Ok(lock(&self.shared().cursors).get(consumer))
    }

    /// A consumer is done with everything up to this position; retention keeps what follows. One fsync: call it per batch.
    /// A consumer that has not begun holds everything with position 0. A position after the end counts as the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_cursor(&self, consumer: &str, position: Position) -> Result<(), JournalError> {
        let position = position.min(self.last());
        lock(&self.shared().cursors).set(consumer, position)?;
        self.shared().wake_keeper();
        Ok(())
    }

    /// A consumer is no more; it holds nothing back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove_cursor(&self, consumer: &str) -> Result<(), JournalError> {
        lock(&self.shared().cursors).remove(consumer)?;
        self.shared().wake_keeper();
        Ok(())
    }

    /// A complete base checkpoint holds for this position; retention keeps what follows the older of the newest two.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_base(&self, position: Position) -> Result<(), JournalError> {
        let position = position.min(self.last());
        lock(&self.shared().cursors).add_base(position)?;
        self.shared().wake_keeper();
        Ok(())
    }

    /// Seals what is closed and removes what may go, now; the housekeeper does the same by itself.
    pub fn tidy(&self) {
        self.shared().tidy();
    }

    /// Takes nothing more, writes what was taken, and frees the directory. Other handles are told [`AppendError::Closed`].
    pub fn close(self) {
        self.running.stop();
    }

    fn shared(&self) -> &Shared {
        &self.running.shared
    }
}
