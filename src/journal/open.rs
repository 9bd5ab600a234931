//! Opening a journal's directory: the lock, the id, and which segments there are.
//!
//! Keeps: one process has the directory; nothing is changed before every file was found to belong to this journal; of the two
//! files that a crash while sealing can leave, the packed one counts if it has its name.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::telemetry::Position;

use super::block;
use super::catalog::Catalog;
use super::catalog::Segment;
use super::disk::Disk;
use super::error::JournalError;
use super::segment;
use super::segment::Kind;
use super::segment::parse_name;

pub(super) const LOCK_FILE: &str = "journal.lock";
pub(super) const ID_FILE: &str = "journal.toml";
/// Format of the directory.
const FORMAT: i64 = 1;

/// The segment files of a directory.
pub(super) struct Listing {
    /// In rising order, of each position the one that counts.
    pub(super) segments: Vec<(Position, Kind)>,
    /// What a crash left behind.
    pub(super) left: Vec<PathBuf>,
    /// The only segment is one whose beginning was cut off: here it begins.
    pub(super) begun: Option<Position>,
}

/// Takes the directory for this process, until the file is dropped.
pub(super) fn lock_dir(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| JournalError::io("opening", &path, error))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(fs4::TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).unwrap_or_default();
            return Err(JournalError::InUse {
                dir: dir.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(fs4::TryLockError::Error(error)) => {
            return Err(JournalError::io("locking", &path, error));
        }
    }
    // Only a hint for the message of a second opener; the lock itself is what counts.
    let noted = file
        .set_len(0)
        .and_then(|()| (&file).write_all(std::process::id().to_string().as_bytes()));
    noted.map_err(|error| JournalError::io("writing", &path, error))?;
    Ok(file)
}

/// The journal's id, if the directory holds a journal.
pub(super) fn read_id(dir: &Path) -> Result<Option<String>, JournalError> {
    let path = dir.join(ID_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("reading", &path, error)),
    };
    let damaged = |detail: String| JournalError::Damaged {
        path: path.clone(),
        first: Position(1),
        last: None,
        detail,
    };
    let table: toml_edit::DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| damaged(error.message().to_owned()))?;
    let format = table.get("format").and_then(toml_edit::Item::as_integer);
    if format != Some(FORMAT) {
        return Err(JournalError::Format {
            path,
            found: format.map_or_else(|| "none".to_owned(), |format| format.to_string()),
            known: 1,
        });
    }
    let id = table.get("id").and_then(toml_edit::Item::as_str);
    let id = id.ok_or_else(|| damaged("it names no id".to_owned()))?;
    Ok(Some(id.to_owned()))
}

/// An id that no other journal has.
pub(super) fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Writes the directory's id. Done after the first segment is there, so that an id without segments always means a loss.
pub(super) fn write_id(dir: &Path, id: &str) -> Result<(), JournalError> {
    let path = dir.join(ID_FILE);
    let new = dir.join("journal.toml.new");
    let text = format!(
        "# The identity of this journal. Every segment, the checkpoint and the store carry the same id.\n\
         format = {FORMAT}\nid = \"{id}\"\n"
    );
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| JournalError::io("writing", &new, error))?;
    fs::rename(&new, &path).map_err(|error| JournalError::io("renaming", &new, error))?;
    segment::sync_dir(dir)
}

/// Reads which files there are.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Listing, JournalError> {
    let names = disk.names(dir)?;
    let mut names: Vec<_> = names.iter().filter_map(|name| parse_name(name)).collect();
    names.sort_unstable();
    let mut segments: Vec<(Position, Kind)> = Vec::new();
    let mut left = Vec::new();
    for (first, kind) in names {
        let path = |kind| dir.join(segment::file_name(first, kind));
        match (kind, segments.last_mut()) {
            (Kind::Sealing, _) => left.push(path(kind)),
            (Kind::Sealed, Some(last)) if last.0 == first => {
                left.push(path(last.1));
                last.1 = kind;
            }
            (Kind::Live | Kind::Sealed, _) => segments.push((first, kind)),
        }
    }
    // A process ended while it was beginning a segment: no table is in it, and nothing of it was ever acknowledged. One that was
    // removed can be there again after a power cut, with others behind it.
    let unborn = |(first, kind): &(Position, Kind)| {
        *kind == Kind::Live && disk.is_unborn(&dir.join(segment::file_name(*first, *kind)))
    };
    let (mut nothing, segments): (Vec<_>, Vec<_>) = segments.into_iter().partition(unborn);
    let newest = nothing.pop_if(|_| segments.is_empty());
    let begun = newest.map(|(first, _)| first);
    let path = |(first, kind): &(Position, Kind)| dir.join(segment::file_name(*first, *kind));
    left.extend(nothing.iter().map(path));
    Ok(Listing {
        segments,
        left,
        begun,
    })
}

/// Opens every segment for a look at its ends. All belong to this journal, and none is missing between them.
pub(super) fn survey(
    disk: &dyn Disk,
    dir: &Path,
    id: &str,
    names: &[(Position, Kind)],
) -> Result<Catalog, JournalError> {
    let mut catalog = Catalog::default();
    // From the newest on, since an empty one says nothing of where the one before it ends.
    let mut end: Option<Position> = None;
    for &(first, kind) in names.iter().rev() {
        let segment = survey_one(disk, dir, id, (first, kind), end)?;
        let Some(next) = end else {
            end = Some(first);
            catalog.insert(segment);
            continue;
        };
        // The process ended between beginning it and writing to its successor.
        if segment.count == 0 {
            continue;
        }
        if segment.end() < next {
            return Err(JournalError::Hole {
                dir: dir.to_owned(),
                from: segment.end(),
                to: Position(next.0 - 1),
            });
        }
        end = Some(first);
        catalog.insert(segment);
    }
    Ok(catalog)
}

fn survey_one(
    disk: &dyn Disk,
    dir: &Path,
    id: &str,
    (first, kind): (Position, Kind),
    end: Option<Position>,
) -> Result<Segment, JournalError> {
    let mut segment = Segment::new(first, kind);
    segment.closed = end.is_some() || kind == Kind::Sealed;
    let path = segment.path(dir);
    let opened = disk.open(&path, id, kind == Kind::Live)?;
    segment.bytes = disk.size(&path)?;
    let Some((oldest, newest)) = opened.ends(end)? else {
        return Ok(segment);
    };
    if oldest.head.first != first {
        let found = oldest.head.first;
        let detail = format!("it begins at position {found}, and not at {first} as its name says");
        return Err(opened.damaged(first, end.map(|end| Position(end.0 - 1)), detail));
    }
    segment.received_first = oldest.head.received_first;
    let head = newest.head;
    let decoded = newest
        .unpack()
        .and_then(|(head, data)| block::decode(&head, &data))
        .map_err(|detail| opened.damaged(head.first, Some(head.last()), detail))?;
    let counted = decoded
        .iter()
        .rfind(|entry| end.is_none_or(|end| entry.position < end));
    if let Some(last) = counted {
        segment.received_last = last.received_at;
        segment.count = last.position.next().0.saturating_sub(first.0);
    }
    Ok(segment)
}
