//! Where commits go: the live segment's file, behind a trait so that a test can make the disk fail.
//!
//! Keeps: when a commit returns, its block is on the disk; what an earlier process left is on the disk before anything of it counts.

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use super::block::Block;
use super::error::JournalError;
use super::segment;
use super::segment::Opened;

/// Where commits go. A trait, so that a test can make the disk fail.
pub(super) trait Disk: Send + Sync {
    /// A new live segment; the file is not there yet.
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError>;
    /// The live segment of an earlier process, everything in it made durable.
    fn reopen(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError>;
}

/// A live segment, open for commits.
pub(super) trait Live: Send {
    /// Writes one block; when this returns, it is on the disk.
    fn commit(&mut self, block: &Block) -> Result<(), JournalError>;
}

/// The disk that is there.
pub(super) struct SqliteDisk;

struct SqliteLive {
    path: PathBuf,
    connection: Connection,
}

impl Disk for SqliteDisk {
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        let connection = segment::create(path, journal, true)?;
        if let Some(dir) = path.parent() {
            segment::sync_dir(dir)?;
        }
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
