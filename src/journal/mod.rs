//! The durable log, and the only input of detection: a folder of SQLite segments.
//!
//! Takes records from many threads, gives each its place and its time of receipt, and calls back once they are fsynced; reads
//! them back from any place; seals, packs and removes old segments. Leaves to others what the records mean. Keeps: what was
//! acknowledged is on the disk; positions grow by one and are used once; times never go back; an entry is whole or an error.

mod block;

mod catalog;

mod clock;

mod cursors;

mod error;

mod files;

mod keeper;

mod open;

mod options;

mod queue;

mod reader;

mod segment;

mod verify;

mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

use block::Encoded;
use catalog::Segment;
use clock::Stamper;
use cursors::Cursors;
use files::Files;
use files::lock;
use open::Listing;
use options::APPEND_BYTES;
use queue::Append;
use queue::Put;
use queue::Queue;
use segment::Disk;
use segment::Kind;
use segment::Live;
use segment::SqliteDisk;
use segment::file_name;
use writer::Writer;

pub use clock::Clock;
pub use clock::SystemClock;
pub use error::AppendError;
pub use error::JournalError;
pub use options::JournalOptions;
pub use reader::JournalReader;
pub use verify::SegmentReport;
pub use verify::VerifyReport;
pub use verify::verify;

/// Called on the writer's thread once the records are durable, with the position of the last of them; or told that the journal
/// was closed before it could write them. Must not block: the acks of all others wait behind it.
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
    /// The budget is used up: appends are refused.
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
}

/// What all threads of the journal share.
struct Shared {
    files: Files,
    options: JournalOptions,
    disk: Arc<dyn Disk>,
    queue: Queue,
    cursors: Mutex<Cursors>,
    durable: watch::Sender<Position>,
    counters: Counters,
    keeper: Keeper,
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    commit_errors: AtomicU64,
    failing: AtomicBool,
}

/// How the housekeeper is called.
#[derive(Default)]
struct Keeper {
    call: Mutex<Call>,
    called: Condvar,
    /// Held while sealing.
    sealing: Mutex<()>,
    /// Held while removing.
    retaining: Mutex<()>,
}

#[derive(Default)]
struct Call {
    wanted: bool,
    closed: bool,
}

/// The live segment: its first position and the open file.
type OpenLive = (Position, Box<dyn Live>);

/// The threads; they end when the last handle goes.
struct Running {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The directory is ours as long as this is open; dropped last.
    lock: Mutex<Option<File>>,
}

impl Journal {
    /// Opens the journal in a directory, which is created when it is not there.
    ///
    /// # Errors
    /// When another process has it, when a file is foreign, damaged or of an unknown format, when a segment is missing.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        Self::open_on(dir, options, Arc::new(SqliteDisk))
    }

    /// Appends records; blocks while the queue is full. On an error nothing was taken and `done` is dropped. Without records,
    /// `done` is called when everything appended before is durable.
    ///
    /// # Errors
    /// [`AppendError::Full`] when the byte budget is used up, [`AppendError::Closed`], or what cannot be written at all.
    pub fn append(&self, records: Vec<Record>, done: Done) -> Result<(), AppendError> {
        self.shared().queue.put(prepare(records, done)?)
    }

    /// The same, for asynchronous callers: waits while the queue is full.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_async(&self, records: Vec<Record>, done: Done) -> Result<(), AppendError> {
        self.shared().queue.put_async(prepare(records, done)?).await
    }

    /// The same, without waiting: `false` when the queue has no room now.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn try_append(&self, records: Vec<Record>, done: Done) -> Result<bool, AppendError> {
        match self.shared().queue.try_put(prepare(records, done)?) {
            Put::Taken => Ok(true),
            Put::NoRoom(_) => Ok(false),
            Put::Refused(error) => Err(error),
        }
    }

    /// Waits until the byte budget has room (or the journal is closed): for callers that were told [`AppendError::Full`].
    pub async fn space(&self) {
        self.shared().queue.space().await;
    }

    /// Durable entries from a position on (inclusive; 0 means the first that is kept), at most so many and about so many bytes
    /// of memory, at least one if there is one. Nothing after the end.
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
        let cursors = lock(&shared.cursors);
        let counters = &shared.counters;
        JournalStats {
            max_bytes: shared.options.max_bytes,
            full: shared.queue.is_full(),
            failing: counters.failing.load(Ordering::Relaxed),
            commits: counters.commits.load(Ordering::Relaxed),
            commit_errors: counters.commit_errors.load(Ordering::Relaxed),
            queued_records,
            queued_bytes,
            cursors: cursors.all().clone().into_iter().collect(),
            bases: cursors.bases().to_vec(),
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
    /// A consumer that has not begun holds everything with position 0.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_cursor(&self, consumer: &str, position: Position) -> Result<(), JournalError> {
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

    fn open_on(
        dir: &Path,
        options: JournalOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, JournalError> {
        std::fs::create_dir_all(dir).map_err(|error| JournalError::io("creating", dir, error))?;
        let lock = open::lock_dir(dir)?;
        let Listing { segments, left } = open::list(dir)?;
        let known = open::read_id(dir)?;
        let fresh = known.is_none();
        let id = match (known, segments.first()) {
            (Some(id), Some(_)) => id,
            (Some(id), None) => {
                let path = dir.join(open::ID_FILE);
                return Err(JournalError::NoSegments { path, id });
            }
            (None, None) => open::new_id(),
            // Lost, or not yet written when the first start was cut off: every segment knows it.
            (None, Some(&(first, kind))) => segment::read_id(&dir.join(file_name(first, kind)))?,
        };
        let catalog = open::survey(dir, &id, &segments)?;
        let cursors = Cursors::open(dir, &id)?;
        for path in left {
            segment::remove(&path)?;
        }
        let stamper = Stamper::new(Arc::clone(&options.clock), catalog.received_last());
        let last = catalog.last();
        let shared = Arc::new(Shared {
            files: Files::new(dir, id, catalog),
            options,
            disk,
            queue: Queue::default(),
            cursors: Mutex::new(cursors),
            durable: watch::Sender::new(last),
            counters: Counters::default(),
            keeper: Keeper::default(),
        });
        let live = shared.reopen_live(last.next())?;
        if fresh {
            open::write_id(dir, &shared.files.id)?;
        }
        let writer = Writer {
            shared: Arc::clone(&shared),
            stamper,
            live,
            next: last.next(),
        };
        shared.check_budget();
        Running::start(shared, writer, lock)
    }

    fn shared(&self) -> &Shared {
        &self.running.shared
    }
}

impl Shared {
    /// The live segment to go on with; a new journal gets its first.
    fn reopen_live(&self, next: Position) -> Result<Option<OpenLive>, JournalError> {
        let newest = self.files.catalog().newest().cloned();
        let (mut segment, fresh) = match newest {
            Some(newest) if newest.kind == Kind::Live => (newest, false),
            Some(_) => return Ok(None),
            None => (Segment::new(next, Kind::Live), true),
        };
        let path = segment.path(&self.files.dir);
        let live = if fresh {
            self.disk.create(&path, &self.files.id)?
        } else {
            self.disk.reopen(&path, &self.files.id)?
        };
        // What lay in the write-ahead log is in the file now.
        segment.bytes = std::fs::metadata(&path)
            .map_err(|error| JournalError::io("reading", &path, error))?
            .len();
        let first = segment.first;
        self.files.catalog().insert(segment);
        Ok(Some((first, live)))
    }

    fn wake_keeper(&self) {
        lock(&self.keeper.call).wanted = true;
        self.keeper.called.notify_one();
    }
}

impl Running {
    fn start(shared: Arc<Shared>, writer: Writer, file: File) -> Result<Journal, JournalError> {
        let running = Arc::new(Self {
            shared,
            threads: Mutex::default(),
            lock: Mutex::new(Some(file)),
        });
        let journal = Journal {
            running: Arc::clone(&running),
        };
        let dir = &running.shared.files.dir;
        let failed = |error| JournalError::io("starting a thread for", dir, error);
        let writing = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(failed)?;
        lock(&running.threads).push(writing);
        let shared = Arc::clone(&running.shared);
        let keeping = thread::Builder::new()
            .name("journal-keeper".to_owned())
            .spawn(move || keeper::run(&shared))
            .map_err(failed)?;
        lock(&running.threads).push(keeping);
        Ok(journal)
    }

    /// Ends the threads and frees the directory. From a callback, on the writer's own thread, it only tells them to end.
    fn stop(&self) {
        self.shared.queue.close();
        lock(&self.shared.keeper.call).closed = true;
        self.shared.keeper.called.notify_all();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let own = thread::current().id();
        for thread in threads {
            if thread.thread().id() != own && thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        drop(lock(&self.lock).take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn prepare(records: Vec<Record>, done: Done) -> Result<Append, AppendError> {
    let encoded = Encoded::new(&records).map_err(AppendError::Encode)?;
    let bytes = encoded.len();
    if bytes > APPEND_BYTES {
        let limit = APPEND_BYTES;
        return Err(AppendError::TooLarge { bytes, limit });
    }
    Ok(Append {
        records,
        encoded,
        done,
    })
}
