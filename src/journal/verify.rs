//! `journal verify`: reads every byte that counts and says, per file, what is whole and what is not.
//!
//! Each file is read as the daemon would read it, then its structure is checked, and what SQLite would pass over in silence: a
//! write-ahead log that breaks off, and an end that others know to lie further on. Keeps: nothing is changed; damage in one file
//! hides nothing about the others; where it finds nothing, every entry can be read.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::block;
use super::cursors::Cursors;
use super::disk::SqliteDisk;
use super::error::JournalError;
use super::open;
use super::raw;
use super::raw::wal::Wal;
use super::segment;
use super::segment::Kind;
use super::segment::Opened;
use super::segment::Stored;
use super::segment::file_name;
use super::writer::Chain;

/// Findings listed per file; a thoroughly broken file has as many as it has blocks. What is beyond is counted.
const FINDINGS: usize = 20;
/// A write-ahead log that breaks off is looked at so often before it counts as damaged: a daemon may be in the middle of a commit.
const LOG_LOOKS: usize = 6;
/// The pause between two such looks; a commit takes some milliseconds.
const LOG_PAUSE: Duration = Duration::from_millis(20);

/// What `verify` found in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The journal's id.
    pub id: String,
    /// One per segment file, in the order of positions.
    pub segments: Vec<SegmentReport>,
    /// What is wrong between the files: missing ranges.
    pub damage: Vec<String>,
}

/// What `verify` found in one segment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file.
    pub path: PathBuf,
    /// Packed, or still as it was committed.
    pub sealed: bool,
    /// Whole entries that count.
    pub entries: u64,
    /// First and last whole position.
    pub positions: Option<(Position, Position)>,
    /// Size of the file in bytes, its write-ahead log not included.
    pub bytes: u64,
    /// Time of the first whole entry.
    pub received_first: Option<Timestamp>,
    /// Time of the last whole entry.
    pub received_last: Option<Timestamp>,
    /// What is not whole, with its positions; empty when all is well.
    pub damage: Vec<String>,
}

impl VerifyReport {
    /// True when nothing is damaged or missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.segments.iter().all(|one| one.damage.is_empty())
    }
}

/// Reads everything in a journal's directory; also beside a running foremend.
///
/// # Errors
/// When there is no journal, or the directory cannot be read. Damage is in the report.
pub fn verify(dir: &Path) -> Result<VerifyReport, JournalError> {
    let absent = || JournalError::Absent {
        dir: dir.to_owned(),
    };
    let farthest = farthest(dir);
    let names = open::list(&SqliteDisk, dir)?.segments;
    let mut report = VerifyReport {
        id: String::new(),
        segments: Vec::new(),
        damage: Vec::new(),
    };
    match open::read_id(dir) {
        Ok(Some(id)) => report.id = id,
        Ok(None) if names.is_empty() => return Err(absent()),
        found => {
            let missing = || format!("{} is missing", dir.join(open::ID_FILE).display());
            let trouble = found.err().map_or_else(missing, |error| error.to_string());
            report.damage.push(trouble);
            let (first, kind) = names.first().copied().ok_or_else(absent)?;
            // What the first file says; when that says nothing either, every file is told to be foreign.
            report.id = segment::read_id(&dir.join(file_name(first, kind))).unwrap_or_default();
        }
    }
    for (index, &(first, kind)) in names.iter().enumerate() {
        let end = names.get(index + 1).map(|(next, _)| *next);
        let mut walk = Walk::new(dir, (first, kind), end);
        walk.run(&report.id);
        // Sealed by its owner since we listed it: look at the sealed one.
        if kind == Kind::Live && !walk.report.path.exists() {
            walk = Walk::new(dir, (first, Kind::Sealed), end);
            walk.run(&report.id);
        }
        // Removed by its owner since.
        if !walk.report.path.exists() {
            continue;
        }
        let found = walk.finish();
        if let Some(end) = end
            && found.damage.is_empty()
            && walk_end(&found, first) < end
        {
            let from = walk_end(&found, first);
            let to = Position(end.0 - 1);
            report
                .damage
                .push(format!("positions {from} to {to} are missing"));
        }
        report.segments.push(found);
    }
    if names.is_empty() {
        report.damage.push("no segment is here".to_owned());
    }
    match farthest {
        Ok(farthest) => report
            .damage
            .extend(missing_end(farthest, &report.segments)),
        Err(error) => report.damage.push(Chain(&error).to_string()),
    }
    Ok(report)
}

/// Who stands farthest, and where. Asked before the files are listed: a cursor is never written before the entry that it names.
fn farthest(dir: &Path) -> Result<Option<(String, Position)>, JournalError> {
    let (cursors, bases) = Cursors::peek(dir)?;
    let consumers = cursors
        .into_iter()
        .map(|(name, at)| (format!("the consumer '{name}'"), at));
    let bases = bases.into_iter().map(|at| ("a saved state".to_owned(), at));
    Ok(consumers.chain(bases).max_by_key(|(_, at)| *at))
}

/// The end of the journal is missing when someone stands behind it.
fn missing_end(farthest: Option<(String, Position)>, segments: &[SegmentReport]) -> Option<String> {
    let (who, at) = farthest?;
    // A damaged last file has told its own; where it ended is not known.
    let last = segments.last().filter(|last| last.damage.is_empty())?;
    let end = segments
        .iter()
        .rev()
        .find_map(|segment| segment.positions)
        .map_or(Position(0), |(_, last)| last);
    let missing = at > end && last.path.exists();
    missing
        .then(|| format!("{who} stands at {at}, and the journal ends at {end}: its end is missing"))
}

/// What is wrong with the write-ahead log of a file, which SQLite drops in silence. A log that someone is writing is looked at
/// again.
fn log_damage(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let log = PathBuf::from(name);
    let (_sender, never) = mpsc::sync_channel::<()>(1);
    for _ in 1..LOG_LOOKS {
        let bytes = raw::file::read(&log).ok()?.data;
        Wal::parse(&bytes).damage?;
        // Nothing is ever sent: it is a pause.
        if never.recv_timeout(LOG_PAUSE).is_ok() {
            break;
        }
    }
    Wal::parse(&raw::file::read(&log).ok()?.data).damage
}

/// The walk through one file.
struct Walk {
    report: SegmentReport,
    /// Where the file should begin.
    first: Position,
    /// Where the next segment begins; from there on this file does not count.
    end: Option<Position>,
    /// The position that should come next.
    next: Position,
    more: usize,
}

impl Walk {
    fn new(dir: &Path, (first, kind): (Position, Kind), end: Option<Position>) -> Self {
        let path = dir.join(file_name(first, kind));
        Self {
            report: SegmentReport {
                sealed: kind == Kind::Sealed,
                entries: 0,
                positions: None,
                bytes: fs::metadata(&path).map_or(0, |file| file.len()),
                received_first: None,
                received_last: None,
                damage: Vec::new(),
                path,
            },
            first,
            end,
            next: first,
            more: 0,
        }
    }

    fn run(&mut self, id: &str) {
        let opened = match Opened::open(&self.report.path, id, !self.report.sealed) {
            Ok(opened) => opened,
            Err(error) => return self.found(Chain(&error).to_string()),
        };
        if !self.report.sealed
            && let Some(damage) = log_damage(&self.report.path)
        {
            self.found(damage);
        }
        let forwards = opened.each(false, |stored| self.block(stored));
        let Err(error) = forwards else {
            match opened.structure() {
                Ok(findings) => findings.into_iter().for_each(|finding| self.found(finding)),
                Err(error) => self.found(Chain(&error).to_string()),
            }
            return;
        };
        // SQLite gave up at a page. What lies behind it can be reached from the other end.
        let broken = self.next;
        let mut beyond: Vec<Stored> = Vec::new();
        let backwards = opened.each(true, |stored| {
            let more = stored.head.first >= broken;
            if more {
                beyond.push(stored);
            }
            more
        });
        let reach = beyond.last().map(|stored| stored.head.first);
        let until = reach.map_or_else(|| "the end".to_owned(), |reach| format!("before {reach}"));
        let error = backwards.err().unwrap_or(error);
        self.found(format!(
            "positions {broken} to {until} cannot be read ({})",
            Chain(&error)
        ));
        self.next = reach.unwrap_or(broken);
        for stored in beyond.into_iter().rev() {
            self.block(stored);
        }
    }

    /// Checks one block. Returns whether to go on.
    fn block(&mut self, stored: Stored) -> bool {
        let head = stored.head;
        if self.end.is_some_and(|end| head.first >= end) {
            return false;
        }
        if head.first != self.next {
            let (next, first) = (self.next, head.first);
            self.found(format!("position {next} should follow, but {first} does"));
        }
        self.next = head.last().next();
        let decoded = stored
            .unpack()
            .and_then(|(head, data)| block::decode(&head, &data));
        let entries = match decoded {
            Ok(entries) => entries,
            Err(detail) => {
                self.found(format!(
                    "positions {} to {}: {detail}",
                    head.first,
                    head.last()
                ));
                return true;
            }
        };
        let report = &mut self.report;
        if report
            .received_last
            .is_some_and(|last| head.received_first < last)
        {
            let detail = format!(
                "position {} was received before the one before it",
                head.first
            );
            self.found(detail);
        }
        let report = &mut self.report;
        for entry in entries {
            if self.end.is_some_and(|end| entry.position >= end) {
                break;
            }
            report.entries += 1;
            let from = report.positions.map_or(entry.position, |(from, _)| from);
            report.positions = Some((from, entry.position));
            report.received_first = report.received_first.or(Some(entry.received_at));
            report.received_last = Some(entry.received_at);
        }
        true
    }

    fn found(&mut self, detail: String) {
        if self.report.damage.len() < FINDINGS {
            self.report.damage.push(detail);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> SegmentReport {
        if self.more > 0 {
            let more = self.more;
            self.report.damage.push(format!("and {more} more"));
        }
        if self.report.positions.is_none() && self.report.damage.is_empty() && self.report.sealed {
            let first = self.first;
            self.report
                .damage
                .push(format!("sealed, but without entries from {first} on"));
        }
        self.report
    }
}

fn walk_end(report: &SegmentReport, first: Position) -> Position {
    report.positions.map_or(first, |(_, last)| last.next())
}
