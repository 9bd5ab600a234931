//! A journal at work: what its threads share, how they start and how they end.
//!
//! Keeps: nothing runs before the directory is ours and every file was looked at; the directory is free only when both threads
//! have ended.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::telemetry::Position;

use super::Journal;
use super::JournalError;
use super::JournalOptions;
use super::catalog::Segment;
use super::clock::Stamper;
use super::cursors::Cursors;
use super::disk::Disk;
use super::disk::Live;
use super::files::Files;
use super::files::lock;
use super::keeper;
use super::open;
use super::open::Listing;
use super::queue::Queue;
use super::segment::Kind;
use super::segment::file_name;
use super::writer::Writer;

/// What all threads of the journal share.
pub(super) struct Shared {
    pub(super) files: Files,
    pub(super) options: JournalOptions,
    pub(super) queue: Queue,
    pub(super) cursors: Mutex<Cursors>,
    pub(super) durable: watch::Sender<Position>,
    pub(super) counters: Counters,
    pub(super) keeper: Keeper,
    /// The directory is ours as long as this is open.
    pub(super) lock: Mutex<Option<File>>,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) commit_errors: AtomicU64,
    pub(super) failing: AtomicBool,
}

/// How the housekeeper is called.
#[derive(Default)]
pub(super) struct Keeper {
    pub(super) call: Mutex<Call>,
    pub(super) called: Condvar,
    /// Held while sealing.
    pub(super) sealing: Mutex<()>,
    /// Held while removing.
    pub(super) retaining: Mutex<()>,
    /// It was told that someone holds up retention.
    pub(super) held: AtomicBool,
}

#[derive(Default)]
pub(super) struct Call {
    pub(super) wanted: bool,
    pub(super) closed: bool,
}

/// The live segment: its first position and the open file.
pub(super) type OpenLive = (Position, Box<dyn Live>);

/// The threads; they end when the last handle goes.
pub(super) struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    pub(super) fn open_on(
        dir: &Path,
        options: JournalOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, JournalError> {
        std::fs::create_dir_all(dir).map_err(|error| JournalError::io("creating", dir, error))?;
        let taken = open::lock_dir(dir)?;
        let (shared, writer) = Shared::open(dir, options, disk)?;
        *lock(&shared.lock) = Some(taken);
        Running::start(shared, writer)
    }
}

impl Shared {
    /// A journal at rest: every file was looked at, and the writer waits for its first step.
    pub(super) fn open(
        dir: &Path,
        options: JournalOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<(Arc<Self>, Writer), JournalError> {
        let Listing {
            segments,
            left,
            begun,
        } = open::list(&*disk, dir)?;
        let known = disk.id(dir)?;
        let fresh = known.is_none();
        let id = match (known, segments.first()) {
            (Some(id), Some(_)) => id,
            (Some(id), None) if begun.is_some() => id,
            (Some(id), None) => {
                let path = dir.join(open::ID_FILE);
                return Err(JournalError::NoSegments { path, id });
            }
            (None, None) => open::new_id(),
            // Lost, or not yet written when the first start was cut off: every segment knows it.
            (None, Some(&(first, kind))) => disk.id_in(&dir.join(file_name(first, kind)))?,
        };
        let catalog = open::survey(&*disk, dir, &id, &segments)?;
        let cursors = disk.cursors(dir, &id)?;
        let last = begun.map_or(catalog.last(), |first| Position(first.0.saturating_sub(1)));
        if let Some(from) = cursors.beyond(last) {
            let (dir, to) = (dir.to_owned(), from);
            let from = last.next();
            return Err(JournalError::Hole { dir, from, to });
        }
        for path in left {
            disk.remove(&path)?;
        }
        let stamper = Stamper::new(Arc::clone(&options.clock), catalog.received_last());
        let shared = Arc::new(Shared {
            files: Files::new(dir, id, disk, catalog, true),
            options,
            queue: Queue::default(),
            cursors: Mutex::new(cursors),
            durable: watch::Sender::new(last),
            counters: Counters::default(),
            keeper: Keeper::default(),
            lock: Mutex::default(),
        });
        let live = shared.reopen_live(last.next())?;
        if fresh {
            shared.files.disk.write_id(dir, &shared.files.id)?;
        }
        let writer = Writer {
            shared: Arc::clone(&shared),
            stamper,
            live,
            next: last.next(),
            failed: None,
            stalled: false,
        };
        shared.check_budget();
        Ok((shared, writer))
    }

    /// The live segment to go on with; a new journal gets its first.
    fn reopen_live(&self, next: Position) -> Result<Option<OpenLive>, JournalError> {
        let newest = self.files.catalog().newest().cloned();
        let (mut segment, fresh) = match newest {
            Some(newest) if newest.kind == Kind::Live => (newest, false),
            Some(_) => return Ok(None),
            // Over one that was only begun.
            None => (Segment::new(next, Kind::Live), true),
        };
        let path = segment.path(&self.files.dir);
        let live = if fresh {
            self.files.disk.create(&path, &self.files.id)?
        } else {
            self.files.disk.reopen(&path, &self.files.id)?
        };
        // What lay in the write-ahead log is in the file now.
        segment.bytes = self.files.disk.size(&path)?;
        let first = segment.first;
        self.files.catalog().insert(segment);
        Ok(Some((first, live)))
    }

    pub(super) fn wake_keeper(&self) {
        lock(&self.keeper.call).wanted = true;
        self.keeper.called.notify_one();
    }
}

impl Running {
    fn start(shared: Arc<Shared>, writer: Writer) -> Result<Journal, JournalError> {
        let running = Arc::new(Self {
            shared,
            threads: Mutex::default(),
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

    /// Ends the threads and frees the directory. From a callback, on the writer's own thread, it only tells them to end; then
    /// the directory is free once the writer, the last to know the lock, has written what was taken.
    pub(super) fn stop(&self) {
        self.shared.queue.close();
        lock(&self.shared.keeper.call).closed = true;
        self.shared.keeper.called.notify_all();
        let own = thread::current().id();
        let threads = std::mem::take(&mut *lock(&self.threads));
        if threads.is_empty() {
            // Someone else ends them, and frees the directory then.
            return;
        }
        let (own, others): (Vec<_>, Vec<_>) = threads
            .into_iter()
            .partition(|thread| thread.thread().id() == own);
        for thread in others {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        if own.is_empty() {
            drop(lock(&self.shared.lock).take());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
