//! A disk that is a model.
//!
//! It knows what a disk may do to a program: refuse, keep in memory what was not fsynced and forget it when the power goes, say
//! after a failed fsync that all is well and lose it nevertheless, bring a removed file back, be slow, fail to read.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use crate::journal::JournalError;
use crate::journal::block::Block;
use crate::journal::cursors::CursorFile;
use crate::journal::cursors::Cursors;
use crate::journal::cursors::Stored as StoredCursors;
use crate::journal::disk::Disk;
use crate::journal::disk::Live;
use crate::journal::disk::Reading;
use crate::journal::files::lock;
use crate::journal::segment::Stored;
use crate::journal::segment::parse_name;
use crate::telemetry::Position;

use super::ModelClock;

/// What the disk does at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteFault {
    /// No space: nothing is written.
    Full,
    /// Cut in the middle: nothing whole is there.
    Torn,
    /// It is in the page cache, and the fsync failed.
    NotSynced,
    /// It is on the disk, and the answer is an error all the same.
    AnswerLost,
}

/// A disk of the journal's folder, which outlives the processes that use it.
#[derive(Clone)]
pub(crate) struct ModelDisk {
    platter: Arc<Mutex<Platter>>,
    clock: ModelClock,
}

#[derive(Default)]
struct Platter {
    files: BTreeMap<PathBuf, File>,
    /// Removed, and not yet for good: there again after a power cut.
    removed: BTreeMap<PathBuf, File>,
    id: Option<String>,
    cursors: StoredCursors,
    write_faults: VecDeque<WriteFault>,
    read_faults: u32,
    cursor_faults: u32,
    slow_ms: i64,
    opened: u64,
}

#[derive(Clone, Default)]
struct File {
    journal: String,
    /// The table is there.
    is_born: bool,
    /// The name is there after a power cut.
    is_named: bool,
    rows: Vec<Stored>,
    /// As many of the rows are there after a power cut.
    durable: usize,
    /// An fsync failed: later ones of this handle say that all is well, and nothing more becomes durable.
    is_poisoned: bool,
    /// The handle that may write.
    handle: u64,
}

struct ModelLive {
    disk: ModelDisk,
    path: PathBuf,
    handle: u64,
}

struct ModelReading {
    disk: ModelDisk,
    path: PathBuf,
    first: Position,
}

struct ModelCursors(ModelDisk);

impl ModelDisk {
    pub(crate) fn new(clock: &ModelClock) -> Self {
        Self {
            platter: Arc::default(),
            clock: clock.clone(),
        }
    }

    /// The next writes of segments go wrong in this way, one after the other.
    pub(crate) fn plan(&self, faults: &[WriteFault]) {
        self.platter().write_faults.extend(faults);
    }

    /// So many reads fail.
    pub(crate) fn fail_reads(&self, count: u32) {
        self.platter().read_faults = count;
    }

    /// So many writes of cursors fail.
    pub(crate) fn fail_cursors(&self, count: u32) {
        self.platter().cursor_faults = count;
    }

    /// Every write takes so long.
    pub(crate) fn slow_down(&self, ms: i64) {
        self.platter().slow_ms = ms;
    }

    /// From now on it works.
    pub(crate) fn repair(&self) {
        let mut platter = self.platter();
        platter.write_faults.clear();
        platter.read_faults = 0;
        platter.cursor_faults = 0;
        platter.slow_ms = 0;
    }

    /// The power goes: of what was not fsynced only a beginning is left, as long as `chance` says (of so many, at most so many).
    pub(crate) fn cut_power(&self, mut chance: impl FnMut(usize) -> usize) {
        let mut platter = self.platter();
        let mut removed = std::mem::take(&mut platter.removed);
        removed.retain(|_, _| chance(1) == 1);
        for (path, file) in removed {
            platter.files.entry(path).or_insert(file);
        }
        platter.files.retain(|_, file| {
            let unsure = file.rows.len() - file.durable;
            let kept = file.durable + if unsure > 0 { chance(unsure) } else { 0 };
            file.rows.truncate(kept);
            file.durable = kept;
            file.is_named || chance(1) == 1
        });
        for file in platter.files.values_mut() {
            file.is_named = true;
        }
    }

    /// The last entry that is there after a power cut, whatever comes.
    pub(crate) fn durable_end(&self) -> Position {
        let platter = self.platter();
        let files = platter.files.values();
        let durable = files.filter_map(|file| file.rows[..file.durable].last());
        let ends = durable.map(|row| row.head.last());
        ends.max().unwrap_or_default()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        lock(&self.platter)
    }

    fn error(action: &'static str, path: &Path) -> JournalError {
        let error = std::io::Error::other("the disk is on fire");
        JournalError::io(action, path, error)
    }

    /// The fault of the next write, and the time that it takes.
    fn next_write(&self) -> Option<WriteFault> {
        let mut platter = self.platter();
        let slow_ms = platter.slow_ms;
        let fault = platter.write_faults.pop_front();
        drop(platter);
        self.clock.pass(slow_ms);
        fault
    }
}

impl Disk for ModelDisk {
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        let fault = self.next_write();
        let mut platter = self.platter();
        if let Some(file) = platter.files.get_mut(path) {
            // It is emptied first, which takes no space.
            file.rows.clear();
            file.durable = 0;
            file.is_born = false;
        }
        if fault == Some(WriteFault::Full) {
            return Err(Self::error("creating", path));
        }
        let was_named = platter.files.get(path).is_some_and(|file| file.is_named);
        platter.opened += 1;
        let handle = platter.opened;
        let file = File {
            journal: journal.to_owned(),
            is_born: fault != Some(WriteFault::Torn),
            is_named: was_named || fault.is_none(),
            handle,
            ..File::default()
        };
        platter.files.insert(path.to_owned(), file);
        if fault.is_some() {
            return Err(Self::error("creating", path));
        }
        // The directory was synced: what was removed from it is gone.
        platter.removed.clear();
        Ok(Box::new(ModelLive {
            disk: self.clone(),
            path: path.to_owned(),
            handle,
        }))
    }

    fn reopen(&self, path: &Path, _: &str) -> Result<Box<dyn Live>, JournalError> {
        let fault = self.next_write();
        let mut platter = self.platter();
        platter.opened += 1;
        let handle = platter.opened;
        let file = platter.files.get_mut(path);
        let file = file.filter(|_| fault.is_none());
        let Some(file) = file else {
            return Err(Self::error("recovering", path));
        };
        file.durable = file.rows.len();
        file.is_poisoned = false;
        file.is_named = true;
        file.handle = handle;
        Ok(Box::new(ModelLive {
            disk: self.clone(),
            path: path.to_owned(),
            handle,
        }))
    }

    fn open(&self, path: &Path, journal: &str, _: bool) -> Result<Box<dyn Reading>, JournalError> {
        let platter = self.platter();
        let Some(file) = platter.files.get(path) else {
            return Err(Self::error("opening", path));
        };
        assert_eq!(file.journal, journal);
        let name = path.file_name().and_then(|name| name.to_str());
        let (first, _) = name.and_then(parse_name).expect("a segment's name");
        Ok(Box::new(ModelReading {
            disk: self.clone(),
            path: path.to_owned(),
            first,
        }))
    }

    fn remove(&self, path: &Path) -> Result<(), JournalError> {
        let mut platter = self.platter();
        if let Some(file) = platter.files.remove(path) {
            platter.removed.insert(path.to_owned(), file);
        }
        Ok(())
    }

    fn size(&self, path: &Path) -> Result<u64, JournalError> {
        let platter = self.platter();
        let rows = platter.files.get(path).map(|file| file.rows.as_slice());
        Ok(rows.unwrap_or_default().iter().map(Stored::size).sum())
    }

    fn is_unborn(&self, path: &Path) -> bool {
        self.platter()
            .files
            .get(path)
            .is_some_and(|file| !file.is_born)
    }

    fn id_in(&self, path: &Path) -> Result<String, JournalError> {
        let platter = self.platter();
        let file = platter.files.get(path).filter(|file| file.is_born);
        file.map(|file| file.journal.clone())
            .ok_or_else(|| Self::error("opening", path))
    }

    fn names(&self, _: &Path) -> Result<Vec<String>, JournalError> {
        let platter = self.platter();
        let names = platter.files.keys().filter_map(|path| path.file_name());
        Ok(names
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn id(&self, _: &Path) -> Result<Option<String>, JournalError> {
        Ok(self.platter().id.clone())
    }

    fn write_id(&self, _: &Path, id: &str) -> Result<(), JournalError> {
        self.platter().id = Some(id.to_owned());
        Ok(())
    }

    fn cursors(&self, _: &Path, _: &str) -> Result<Cursors, JournalError> {
        Cursors::load(Box::new(ModelCursors(self.clone())))
    }
}

impl Live for ModelLive {
    fn commit(&mut self, block: &Block) -> Result<(), JournalError> {
        let fault = self.disk.next_write();
        let mut platter = self.disk.platter();
        let Some(file) = platter.files.get_mut(&self.path) else {
            return Err(ModelDisk::error("writing", &self.path));
        };
        assert_eq!(file.handle, self.handle, "two handles write one segment");
        let row = Stored::of(block);
        match fault {
            None => {
                file.rows.push(row);
                if !file.is_poisoned {
                    file.durable = file.rows.len();
                }
                return Ok(());
            }
            Some(WriteFault::Full | WriteFault::Torn) => {}
            Some(WriteFault::NotSynced) => {
                file.rows.push(row);
                file.is_poisoned = true;
            }
            Some(WriteFault::AnswerLost) => {
                file.rows.push(row);
                if !file.is_poisoned {
                    file.durable = file.rows.len();
                }
            }
        }
        Err(ModelDisk::error("writing", &self.path))
    }
}

impl ModelReading {
    fn rows<T>(&self, read: impl FnOnce(&[Stored]) -> T) -> Result<T, JournalError> {
        let mut platter = self.disk.platter();
        if platter.read_faults > 0 {
            platter.read_faults -= 1;
            return Err(ModelDisk::error("reading", &self.path));
        }
        let file = platter.files.get(&self.path);
        let file = file.ok_or_else(|| ModelDisk::error("reading", &self.path))?;
        Ok(read(&file.rows))
    }
}

impl Reading for ModelReading {
    fn path(&self) -> &Path {
        &self.path
    }

    fn first(&self) -> Position {
        self.first
    }

    fn blocks(&self, from: Position, _: usize) -> Result<Vec<Stored>, JournalError> {
        self.rows(|rows| {
            let holding = rows.iter().filter(|row| row.head.last() >= from);
            holding.cloned().collect()
        })
    }

    fn ends(&self, end: Option<Position>) -> Result<Option<(Stored, Stored)>, JournalError> {
        self.rows(|rows| {
            let mut counting = rows
                .iter()
                .filter(|row| end.is_none_or(|end| row.head.first < end));
            let first = counting.next()?.clone();
            let last = counting.next_back().unwrap_or(&first).clone();
            Some((first, last))
        })
    }

    fn leave_log(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

impl ModelCursors {
    fn write(&self, change: impl FnOnce(&mut StoredCursors)) -> Result<(), JournalError> {
        let mut platter = self.0.platter();
        if platter.cursor_faults > 0 {
            platter.cursor_faults -= 1;
            return Err(ModelDisk::error("writing", self.path()));
        }
        change(&mut platter.cursors);
        Ok(())
    }
}

impl CursorFile for ModelCursors {
    fn path(&self) -> &Path {
        Path::new("cursors")
    }

    fn load(&self) -> Result<StoredCursors, JournalError> {
        Ok(self.0.platter().cursors.clone())
    }

    fn set(&mut self, consumer: &str, position: Position) -> Result<(), JournalError> {
        self.write(|(consumers, _)| {
            consumers.insert(consumer.to_owned(), position);
        })
    }

    fn remove(&mut self, consumer: &str) -> Result<(), JournalError> {
        self.write(|(consumers, _)| {
            consumers.remove(consumer);
        })
    }

    fn add_base(&mut self, position: Position) -> Result<(), JournalError> {
        self.write(|(_, bases)| {
            bases.push(position);
            bases.sort_unstable();
        })
    }

    fn drop_bases(&mut self, through: Position) -> Result<(), JournalError> {
        self.write(|(_, bases)| bases.retain(|base| *base > through))
    }
}
