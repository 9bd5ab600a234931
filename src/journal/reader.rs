//! Looking into a journal without owning it: for `journal info`, `export` and backtests, also beside a running foremend.
//!
//! Keeps: nothing is written, removed or locked for longer than one read.

use std::path::Path;
use std::sync::Arc;

use crate::telemetry::Entry;
use crate::telemetry::Position;

use super::JournalStats;
use super::cursors::Cursors;
use super::cursors::Stored;
use super::disk::SqliteDisk;
use super::error::JournalError;
use super::files::Files;
use super::open;
use super::segment::Kind;

/// Segments may be sealed or removed by their owner while we look; then we look again.
const LOOKS: usize = 5;

/// A journal, read by someone who does not own it.
pub struct JournalReader {
    files: Files,
    cursors: Stored,
}

impl JournalReader {
    /// Looks at the journal in a directory as it is now.
    ///
    /// # Errors
    /// When there is none, when a file is foreign, damaged or of an unknown format, when a segment is missing.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let id = open::read_id(dir)?;
        let id = id.ok_or_else(|| JournalError::Absent {
            dir: dir.to_owned(),
        })?;
        let mut looks = 0;
        loop {
            looks += 1;
            let names = open::list(&SqliteDisk, dir)?.segments;
            match open::survey(&SqliteDisk, dir, &id, &names) {
                Ok(catalog) => {
                    let files = Files::new(dir, id, Arc::new(SqliteDisk), catalog, false);
                    let cursors = Cursors::peek(dir)?;
                    return Ok(Self { files, cursors });
                }
                Err(JournalError::Sqlite { path, .. } | JournalError::Io { path, .. })
                    if !path.exists() && looks < LOOKS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`super::Journal::read`], up to what was there when it was opened.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when the position has been removed; damage.
    pub fn read(
        &self,
        from: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        match self.files.read(from, max_entries, max_bytes) {
            Err(JournalError::Sqlite { path, .. }) if !path.exists() => {
                let fresh = Self::open(&self.files.dir)?;
                *self.files.catalog() = fresh.files.catalog().clone();
                self.files.read(from, max_entries, max_bytes)
            }
            answer => answer,
        }
    }

    /// The first position that is kept.
    pub fn first(&self) -> Position {
        self.files.catalog().first()
    }

    /// The last position.
    pub fn last(&self) -> Position {
        self.files.catalog().last()
    }

    /// The journal's id.
    pub fn id(&self) -> &str {
        &self.files.id
    }

    /// What is there; nothing about writing.
    pub fn stats(&self) -> JournalStats {
        let (cursors, bases) = self.cursors.clone();
        JournalStats {
            cursors: cursors.into_iter().collect(),
            bases,
            ..self.files.stats()
        }
    }
}

impl Files {
    /// What can be told from the files alone.
    pub(super) fn stats(&self) -> JournalStats {
        let catalog = self.catalog();
        JournalStats {
            id: self.id.clone(),
            first: catalog.first(),
            last: catalog.last(),
            received_first: catalog.received_first(),
            received_last: catalog.received_last(),
            segments: catalog.len(),
            sealed: catalog
                .iter()
                .filter(|one| one.kind == Kind::Sealed)
                .count(),
            bytes: catalog.bytes(),
            max_bytes: 0,
            full: false,
            failing: false,
            commits: 0,
            commit_errors: 0,
            queued_records: 0,
            queued_bytes: 0,
            cursors: Vec::new(),
            bases: Vec::new(),
            held: None,
        }
    }
}
