//! The damaged directory: its files by segment, and what is whole in each.
//!
//! Keeps: nothing is opened for writing, and SQLite opens nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::journal::block;
use crate::journal::error::JournalError;
use crate::journal::open;
use crate::journal::raw::PAGE;
use crate::journal::raw::be32;
use crate::journal::raw::file;
use crate::journal::raw::file::Bytes;
use crate::journal::raw::scan;
use crate::journal::raw::scan::Files;
use crate::journal::raw::scan::Torn;
use crate::journal::raw::scan::Whole;
use crate::journal::segment::Kind;
use crate::journal::segment::parse_name;
use crate::telemetry::Entry;
use crate::telemetry::Position;

use super::cover::Cover;
use super::cover::Range;

/// Two ids that differ in more digits than this belong to two journals; in fewer, to one whose file was damaged there.
const ID_DAMAGE: usize = 8;

/// The segments of a directory: of each first position the main files, best first.
pub(super) type Listing = BTreeMap<Position, Vec<PathBuf>>;

/// What is whole in the files of one segment.
pub(super) struct Segment {
    files: Vec<(PathBuf, Bytes, Bytes)>,
    /// Each with the index of its file.
    wholes: Vec<(usize, Whole)>,
    pub(super) cover: Cover,
    pub(super) torn: Vec<Torn>,
    /// What is wrong with the files as a whole.
    troubles: Vec<String>,
}

/// Which segment files there are, also those of which only the write-ahead log is left.
pub(super) fn list(dir: &Path) -> Result<Listing, JournalError> {
    let failed = |error| JournalError::io("reading", dir, error);
    let mut found: BTreeMap<Position, Vec<(u8, PathBuf)>> = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let main = name.strip_suffix("-wal").unwrap_or(name);
        let Some((first, kind)) = parse_name(main) else {
            continue;
        };
        let order = match kind {
            Kind::Sealed => 0,
            Kind::Live => 1,
            // Left by a crash; what is whole in it was copied from the live one.
            Kind::Sealing => 2,
        };
        found
            .entry(first)
            .or_default()
            .push((order, dir.join(main)));
    }
    let best_first = |(first, mut paths): (Position, Vec<(u8, PathBuf)>)| {
        paths.sort();
        paths.dedup();
        let paths = paths.into_iter().map(|(_, path)| path).collect();
        (first, paths)
    };
    Ok(found.into_iter().map(best_first).collect())
}

/// The journal's id, from its own file or, when that is damaged, from the other files; with what to tell about it.
pub(super) fn id(dir: &Path, listing: &Listing) -> (Option<String>, Option<String>) {
    let path = dir.join(open::ID_FILE);
    let trouble = match open::read_id(dir) {
        Ok(Some(id)) => return (Some(id), None),
        Ok(None) => format!("{} is missing", path.display()),
        Err(error) => error.to_string(),
    };
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    let mains = listing.values().flatten().cloned();
    for main in mains.chain([dir.join("cursors")]) {
        let (Ok(bytes), Ok(log)) = (file::read(&main), file::read(&log_of(&main))) else {
            continue;
        };
        if let Some(id) = scan::id(files(&bytes, &log)) {
            *votes.entry(id).or_default() += 1;
        }
    }
    let most = votes.into_iter().max_by_key(|(_, count)| *count);
    (most.map(|(id, _)| id), Some(trouble))
}

impl Segment {
    /// Looks through the files of a segment that begins at `first` and ends before `end`.
    pub(super) fn read(
        paths: &[PathBuf],
        id: &str,
        first: Position,
        end: Option<Position>,
    ) -> Result<Self, JournalError> {
        let mut segment = Self {
            files: Vec::new(),
            wholes: Vec::new(),
            cover: Cover::default(),
            torn: Vec::new(),
            troubles: Vec::new(),
        };
        for path in paths {
            segment.file(path, id)?;
        }
        segment
            .wholes
            .sort_by_key(|(file, whole)| (whole.rank, *file));
        let end = end.map_or(u64::MAX, |end| end.0);
        for (index, (_, whole)) in segment.wholes.iter().enumerate() {
            let from = whole.head.first.max(first).0;
            let until = whole.head.last().next().0.min(end);
            segment.cover.add(from, until, index);
        }
        Ok(segment)
    }

    fn file(&mut self, path: &Path, id: &str) -> Result<(), JournalError> {
        let read = |path: &Path| {
            file::read(path).map_err(|error| JournalError::io("reading", path, error))
        };
        let (bytes, log) = (read(path)?, read(&log_of(path))?);
        let found = scan::scan(files(&bytes, &log));
        let name = path.display();
        if let Some(other) = found.id.as_deref().filter(|other| is_foreign(other, id)) {
            let detail = format!("{name} belongs to the journal {other} and was left out");
            self.troubles.push(detail);
            return Ok(());
        }
        let unreadable = bytes.unreadable + log.unreadable;
        if unreadable > 0 {
            let detail = format!("the disk does not give {unreadable} bytes of {name}");
            self.troubles.push(detail);
        }
        // The header says how many pages the file has.
        let pages = be32(&bytes.data, 28).unwrap_or(0) as usize;
        if bytes.data.is_empty() && log.data.is_empty() {
            self.troubles.push(format!("{name} is empty"));
        } else if log.data.is_empty() && bytes.data.len() < pages.saturating_mul(PAGE) {
            let length = bytes.data.len();
            self.troubles
                .push(format!("{name} is cut off at byte {length}"));
        }
        let file = self.files.len();
        let wholes = found.wholes.into_iter().map(|whole| (file, whole));
        self.wholes.extend(wholes);
        self.torn.extend(found.torn);
        self.files.push((path.to_owned(), bytes, log));
        Ok(())
    }

    /// The entries of a range of the cover.
    pub(super) fn entries(&self, range: Range) -> Vec<Entry> {
        let Some((file, whole)) = self.wholes.get(range.block) else {
            return Vec::new();
        };
        let Some((_, bytes, log)) = self.files.get(*file) else {
            return Vec::new();
        };
        let read = whole
            .stored(files(bytes, log))
            .unpack()
            .and_then(|(head, data)| block::decode(&head, &data));
        // It was decoded when it was found.
        let mut entries = read.unwrap_or_default();
        entries.retain(|entry| (range.first..range.end).contains(&entry.position.0));
        entries
    }

    /// Why a range of positions is not whole.
    pub(super) fn reason(&self, first: u64, end: u64) -> String {
        let within = |torn: &&Torn| torn.head.first.0 < end && torn.head.last().0 >= first;
        if let Some(torn) = self.torn.iter().find(within) {
            let (first, last) = (torn.head.first, torn.head.last());
            return format!(
                "the block of the positions {first} to {last}: {}",
                torn.detail
            );
        }
        if let Some(trouble) = self.troubles.first() {
            return trouble.clone();
        }
        if self.files.is_empty() {
            return "no file of these positions is here".to_owned();
        }
        "no whole block of them is in the file".to_owned()
    }

    /// What is wrong with the files as a whole.
    pub(super) fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Up to where damaged blocks say that the segment went on behind its last whole entry; each must follow the one before.
    pub(super) fn claimed_end(&self, whole_end: u64) -> u64 {
        let mut torn: Vec<_> = self.torn.iter().map(|torn| torn.head).collect();
        torn.sort_by_key(|head| head.first);
        torn.iter().fold(whole_end, |end, head| {
            if head.first.0 == end {
                head.last().next().0
            } else {
                end
            }
        })
    }
}

fn files<'a>(bytes: &'a Bytes, log: &'a Bytes) -> Files<'a> {
    Files {
        main: &bytes.data,
        wal: &log.data,
    }
}

fn log_of(main: &Path) -> PathBuf {
    let mut name = main.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn is_foreign(found: &str, id: &str) -> bool {
    let differing = found.bytes().zip(id.bytes()).filter(|(a, b)| a != b);
    differing.count() > ID_DAMAGE
}
