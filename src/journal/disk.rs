//! The journal's files, behind a trait so that a test can make the disk fail, lose or hold back.
//!
//! Leaves to others what the files mean. Keeps: when a commit returns, its block is on the disk; what an earlier process left is
//! on the disk before anything of it counts.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::telemetry::Position;

use super::block::Block;
use super::cursors::Cursors;
use super::error::JournalError;
use super::open;
use super::segment;
use super::segment::Opened;
use super::segment::Stored;

/// The files of a journal's directory. A trait, so that a test can bring a disk of its own.
pub(super) trait Disk: Send + Sync {
    /// A new live segment. A file that is there is begun anew and never without its name: as the only one it tells, empty or
    /// not, which position comes next.
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError>;
    /// The live segment of an earlier process, everything in it made durable.
    fn reopen(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError>;
    /// A segment to read from; `live`: it is, or was, one that takes commits.
    fn open(
        &self,
        path: &Path,
        journal: &str,
        live: bool,
    ) -> Result<Box<dyn Reading>, JournalError> {
        Ok(Box::new(Opened::open(path, journal, live)?))
    }
    /// Removes a segment; it may be gone already.
    fn remove(&self, path: &Path) -> Result<(), JournalError> {
        segment::remove(path)
    }
    /// Size of a segment in bytes.
    fn size(&self, path: &Path) -> Result<u64, JournalError> {
        let size = fs::metadata(path).map(|metadata| metadata.len());
        size.map_err(|error| JournalError::io("reading", path, error))
    }
    /// True for a segment whose creation was cut off.
    fn is_unborn(&self, path: &Path) -> bool {
        segment::is_unborn(path)
    }
    /// The journal's id as a segment knows it.
    fn id_in(&self, path: &Path) -> Result<String, JournalError> {
        segment::read_id(path)
    }
    /// Names of all files.
    fn names(&self, dir: &Path) -> Result<Vec<String>, JournalError> {
        let failed = |error| JournalError::io("reading", dir, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.into_string());
        }
        Ok(names)
    }
    /// The journal's id, if the directory holds a journal.
    fn id(&self, dir: &Path) -> Result<Option<String>, JournalError> {
        open::read_id(dir)
    }
    /// Writes the journal's id.
    fn write_id(&self, dir: &Path, id: &str) -> Result<(), JournalError> {
        open::write_id(dir, id)
    }
    /// The consumers' cursors.
    fn cursors(&self, dir: &Path, journal: &str) -> Result<Cursors, JournalError> {
        Cursors::open(dir, journal)
    }
}

/// A live segment, open for commits.
pub(super) trait Live: Send {
    /// Writes one block; when this returns, it is on the disk.
    fn commit(&mut self, block: &Block) -> Result<(), JournalError>;
}

/// A segment, open for reading.
pub(super) trait Reading: Send {
    /// Its file.
    fn path(&self) -> &Path;
    /// Its first position, as its name says.
    fn first(&self) -> Position;
    /// The blocks that hold `from` and what follows, up to `max_bytes` of stored data, at least one.
    fn blocks(&self, from: Position, max_bytes: usize) -> Result<Vec<Stored>, JournalError>;
    /// The first and the last block that begin before `end`.
    fn ends(&self, end: Option<Position>) -> Result<Option<(Stored, Stored)>, JournalError>;
    /// Closing it leaves the write-ahead log as it is.
    fn leave_log(&self) -> Result<(), JournalError>;
}

/// The disk that is there.
pub(super) struct SqliteDisk;

struct SqliteLive {
    path: PathBuf,
    connection: Connection,
}

impl Disk for SqliteDisk {
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        segment::empty(path)?;
        let connection = segment::create(path, journal, true)?;
        sync_dir_of(path)?;
        let path = path.to_owned();
        Ok(Box::new(SqliteLive { path, connection }))
    }

    fn reopen(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        let opened = Opened::open(path, journal, true)?;
        // What a killed process wrote may be only in the page cache; a checkpoint fsyncs the log and the file.
        let own = segment::leave_log(&opened.connection, false);
        let prepared = own.and_then(|()| segment::prepare(&opened.connection, true));
        let synced = prepared.and_then(|()| {
            opened
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        synced.map_err(|source| JournalError::sqlite("recovering", path, source))?;
        // Nor is its name on the disk when the process ended while it was beginning it.
        sync_dir_of(path)?;
        Ok(Box::new(SqliteLive {
            path: opened.path,
            connection: opened.connection,
        }))
    }
}

impl Live for SqliteLive {
    fn commit(&mut self, block: &Block) -> Result<(), JournalError> {
        segment::insert(&self.connection, block, false)
            .map_err(|source| JournalError::sqlite("writing", &self.path, source))
    }
}

impl Reading for Opened {
    fn path(&self) -> &Path {
        &self.path
    }

    fn first(&self) -> Position {
        self.first
    }

    fn blocks(&self, from: Position, max_bytes: usize) -> Result<Vec<Stored>, JournalError> {
        Opened::blocks(self, from, max_bytes)
    }

    fn ends(&self, end: Option<Position>) -> Result<Option<(Stored, Stored)>, JournalError> {
        Opened::ends(self, end)
    }

    fn leave_log(&self) -> Result<(), JournalError> {
        segment::leave_log(&self.connection, false)
            .map_err(|source| JournalError::sqlite("opening", &self.path, source))
    }
}

impl dyn Reading + '_ {
    /// The error of damage in this file.
    pub(super) fn damaged(
        &self,
        first: Position,
        last: Option<Position>,
        detail: String,
    ) -> JournalError {
        let path = self.path().to_owned();
        JournalError::Damaged {
            path,
            first,
            last,
            detail,
        }
    }
}

fn sync_dir_of(path: &Path) -> Result<(), JournalError> {
    path.parent().map_or(Ok(()), segment::sync_dir)
}
