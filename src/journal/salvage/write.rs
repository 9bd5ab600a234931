//! The new journal: whole entries at their own positions, and a statement in place of what is lost.
//!
//! Keeps: every position from the first to the last is there once; lost ones are ticks that happen at no time of their own, the
//! last of each run a [`Control::Lost`]; times never go back; a file has its name only when it is complete and on the disk.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::journal::block::Block;
use crate::journal::error::JournalError;
use crate::journal::options::SEALED_BLOCK_BYTES;
use crate::journal::segment;
use crate::journal::segment::Kind;
use crate::journal::segment::file_name;
use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// A sealed segment that is being written.
pub(super) struct SegmentWriter {
    sealing: PathBuf,
    sealed: PathBuf,
    connection: Connection,
    block: Block,
    /// The time of the newest entry; none comes before it.
    newest: Timestamp,
    next: Position,
}

impl SegmentWriter {
    /// Begins a segment at a position, behind an entry of this time.
    pub(super) fn create(
        dir: &Path,
        id: &str,
        first: Position,
        newest: Timestamp,
    ) -> Result<Self, JournalError> {
        let sealing = dir.join(file_name(first, Kind::Sealing));
        let connection = segment::create(&sealing, id, false)?;
        connection
            .execute_batch("BEGIN")
            .map_err(|source| JournalError::sqlite("writing", &sealing, source))?;
        Ok(Self {
            sealed: dir.join(file_name(first, Kind::Sealed)),
            sealing,
            connection,
            block: Block::new(first, newest),
            newest,
            next: first,
        })
    }

    /// The time of the newest entry.
    pub(super) const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Adds an entry; it must be the next one.
    pub(super) fn push(&mut self, mut entry: Entry) -> Result<(), JournalError> {
        if entry.position != self.next {
            let (next, found) = (self.next, entry.position);
            return Err(self.broken(format!("position {next} should follow, but {found} does")));
        }
        entry.received_at = entry.received_at.max(self.newest);
        self.newest = entry.received_at;
        self.next = entry.position.next();
        let pushed = self.block.push_entry(&entry);
        pushed.map_err(|detail| self.broken(detail))?;
        if self.block.data.len() >= SEALED_BLOCK_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// States that the positions from the next one to before `end` are lost; what comes after them was received at `until`.
    pub(super) fn lose(&mut self, end: Position, until: Timestamp) -> Result<(), JournalError> {
        let from = self.next;
        while self.next.next() < end {
            self.push(Entry {
                position: self.next,
                received_at: self.newest,
                record: Record::Tick,
            })?;
        }
        let records = end.0 - from.0;
        self.push(Entry {
            position: self.next,
            received_at: until,
            record: Record::Control(Control::Lost { from, records }),
        })
    }

    /// Writes the rest and gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), JournalError> {
        if !self.block.is_empty() {
            self.write()?;
        }
        let Self {
            sealing,
            sealed,
            connection,
            ..
        } = self;
        let failed = |source| JournalError::sqlite("writing", &sealing, source);
        connection.execute_batch("COMMIT").map_err(failed)?;
        connection.close().map_err(|(_, source)| failed(source))?;
        fs::File::options()
            .write(true)
            .open(&sealing)
            .and_then(|file| file.sync_all())
            .map_err(|error| JournalError::io("syncing", &sealing, error))?;
        fs::rename(&sealing, &sealed).map_err(|error| JournalError::io("renaming", &sealing, error))
    }

    fn write(&mut self) -> Result<(), JournalError> {
        segment::insert(&self.connection, &self.block, true)
            .map_err(|source| JournalError::sqlite("writing", &self.sealing, source))?;
        self.block = Block::new(self.next, self.newest);
        Ok(())
    }

    fn broken(&self, detail: String) -> JournalError {
        JournalError::Damaged {
            path: self.sealing.clone(),
            first: self.next,
            last: None,
            detail,
        }
    }
}
