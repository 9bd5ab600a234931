//! State on disk: a snapshot of decode, detect and desk at one place in the journal, in the SQLite file `state`.
//!
//! Leaves to others what the bytes mean and when to write them. Keeps: all rows hold for one position, for a snapshot is one
//! transaction, however long it stays open: after a crash the file holds the last complete snapshot, never a mixture; the file
//! belongs to one journal and says to which; a row whose checksum does not fit is named, never handed out.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Format of the tables. What is in the rows has formats of its own.
const FORMAT: u32 = 1;
/// How long SQLite waits for someone else who looks into the file.
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS snapshot (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position INTEGER NOT NULL,
        received_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS rows (
        part TEXT NOT NULL,
        key TEXT NOT NULL,
        crc INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (part, key)
    );";

/// Whose state a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Memory of decode.
    Decode,
    /// State of one device in detect; the key is the device.
    Detect,
    /// Tickets and timers of the desk.
    Desk,
    /// What the pipeline itself remembers.
    Meta,
    /// When a device was heard of; the key is the device.
    Presence,
    /// Memory of the series writer's own decode.
    Series,
}

/// One piece of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub part: Part,
    /// Which one of that part.
    pub key: String,
    /// The state, in a form that only its owner knows.
    pub bytes: Vec<u8>,
}

/// A snapshot as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The last journal position that is in every row; replay goes on after it.
    pub position: Position,
    /// When that entry was received.
    pub received_at: Timestamp,
    /// All rows that are whole, by part and key.
    pub rows: Vec<Row>,
    /// Rows that are not whole. A device among them returns to learning; without one of the others the state as a whole is no use.
    pub damaged: Vec<(Part, String)>,
}

/// The state cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file belongs to another journal.
    #[error(
        "{} is the state of the journal {found}, but the journal here is {expected}; put the files of one data directory together, or move this file away to rebuild it from the journal",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id of the journal that it should belong to.
        expected: String,
        /// The id of the journal that it belongs to.
        found: String,
    },
    /// Written by a release that this one does not know.
    #[error("{} has the format {found}, and this foremend knows {FORMAT}; use the release that wrote it, or a newer one", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// SQLite refused, or the file is no state file.
    #[error("{action} the state in {} failed", path.display())]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
}

/// The file `state`.
pub struct Checkpoints {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Decode,
        Self::Detect,
        Self::Desk,
        Self::Meta,
        Self::Presence,
        Self::Series,
    ];

    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Desk => "desk",
            Self::Meta => "meta",
            Self::Presence => "presence",
            Self::Series => "series",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }
}

impl Checkpoints {
    /// Opens the file, which is created when it is not there.
    ///
    /// # Errors
    /// When it belongs to another journal, has an unknown format, or cannot be opened.
    pub fn open(path: &Path, journal_id: &str) -> Result<Self, CheckpointError> {
        let open = || {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            // The tables and the id of the journal at once: a cut off first start leaves no file without an owner.
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            let add = "INSERT OR IGNORE INTO meta VALUES (?1, ?2)";
            transaction.execute(add, params!["format", FORMAT.to_string()])?;
            transaction.execute(add, params!["journal", journal_id])?;
            let format = meta(&transaction, "format")?;
            let journal = meta(&transaction, "journal")?;
            transaction.commit()?;
            Ok((connection, format, journal))
        };
        let path = path.to_owned();
        let (connection, format, found) = open().map_err(|source| CheckpointError::Sqlite {
            action: "opening",
            path: path.clone(),
            source,
        })?;
        if format != FORMAT.to_string() {
            let found = format;
            return Err(CheckpointError::Format { path, found });
        }
        if found != journal_id {
            let expected = journal_id.to_owned();
            return Err(CheckpointError::Foreign {
                path,
                expected,
                found,
            });
        }
        Ok(Self {
            path,
            connection: Mutex::new(connection),
        })
    }

    /// Opens a file that is there, whichever journal it belongs to, only to read it; a daemon may be writing it.
    ///
    /// # Errors
    /// When it is no state file, has an unknown format, or cannot be opened.
    pub fn open_to_read(path: &Path) -> Result<Self, CheckpointError> {
        let open = || {
            let mut connection =
                Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(BUSY)?;
            let transaction = connection.transaction()?;
            let format = meta(&transaction, "format")?;
            transaction.commit()?;
            Ok((connection, format))
        };
        let path = path.to_owned();
        let (connection, found) = open().map_err(|source| CheckpointError::Sqlite {
            action: "opening",
            path: path.clone(),
            source,
        })?;
        if found != FORMAT.to_string() {
            return Err(CheckpointError::Format { path, found });
        }
        Ok(Self {
            path,
            connection: Mutex::new(connection),
        })
    }

    /// Reads the last complete snapshot; none when none was written yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(&self) -> Result<Option<Loaded>, CheckpointError> {
        self.with("reading", |connection| {
            // One transaction, so that a writer elsewhere cannot come in between.
            let transaction = connection.transaction()?;
            let at = transaction
                .query_row("SELECT position, received_at FROM snapshot", [], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((position, received_at)) = at else {
                return Ok(None);
            };
            let (rows, damaged) = read_rows(&transaction)?;
            Ok(Some(Loaded {
                position: Position(u64::try_from(position).unwrap_or(0)),
                received_at: Timestamp::from_ms(received_at),
                rows,
                damaged,
            }))
        })
    }

    /// Writes what changed since the last snapshot and the position that all rows then hold for: one transaction, one fsync.
    /// A row that is both removed and changed is there afterwards.
    ///
    /// # Errors
    /// When it cannot be written; the file then holds the snapshot before.
    pub fn write(
        &self,
        position: Position,
        received_at: Timestamp,
        changed: &[Row],
        removed: &[(Part, String)],
    ) -> Result<(), CheckpointError> {
        self.begin()?;
        let rows = || {
            self.put(changed, removed)?;
            self.commit(position, received_at)
        };
        rows().inspect_err(|_| self.roll_back())
    }

    /// Begins a snapshot that is written piece by piece; one that is begun already comes to nothing. Until [`Self::commit`] the file
    /// holds the snapshot before for everyone else, and after a crash for everyone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&self) -> Result<(), CheckpointError> {
        self.roll_back();
        self.with("writing", |connection| {
            connection.execute_batch("BEGIN IMMEDIATE")
        })
    }

    /// Writes rows of the snapshot that was begun. A row that is both removed and changed is there afterwards.
    ///
    /// # Errors
    /// When it cannot be written, or nothing was begun; call [`Self::roll_back`] then.
    pub fn put(&self, changed: &[Row], removed: &[(Part, String)]) -> Result<(), CheckpointError> {
        self.with("writing", |connection| {
            // What is written now is part of a snapshot, or is refused: never a row on its own.
            if connection.is_autocommit() {
                return Err(rusqlite::Error::InvalidQuery);
            }
            let mut delete =
                connection.prepare_cached("DELETE FROM rows WHERE part = ?1 AND key = ?2")?;
            for (part, key) in removed {
                delete.execute(params![part.as_str(), key])?;
            }
            let mut put = connection.prepare_cached(
                "INSERT INTO rows (part, key, crc, bytes) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET crc = excluded.crc, bytes = excluded.bytes",
            )?;
            for row in changed {
                let crc = crc(row.part, &row.key, &row.bytes);
                put.execute(params![row.part.as_str(), row.key, crc, row.bytes])?;
            }
            Ok(())
        })
    }

    /// Ends the snapshot that was begun: all rows of the file then hold for this position. One fsync.
    ///
    /// # Errors
    /// When it cannot be written, or nothing was begun; call [`Self::roll_back`] then.
    pub fn commit(
        &self,
        position: Position,
        received_at: Timestamp,
    ) -> Result<(), CheckpointError> {
        self.with("writing", |connection| {
            if connection.is_autocommit() {
                return Err(rusqlite::Error::InvalidQuery);
            }
            connection.execute(
                "INSERT INTO snapshot (one, position, received_at) VALUES (1, ?1, ?2) \
                 ON CONFLICT DO UPDATE SET position = excluded.position, received_at = excluded.received_at",
                params![i64::try_from(position.0).unwrap_or(i64::MAX), received_at.ms()],
            )?;
            connection.execute_batch("COMMIT")
        })
    }

    /// What was begun comes to nothing.
    pub fn roll_back(&self) {
        let rolled_back = self.with("giving up a snapshot of", |connection| {
            // After some errors SQLite has done it by itself.
            if connection.is_autocommit() {
                return Ok(());
            }
            connection.execute_batch("ROLLBACK")
        });
        if let Err(error) = rolled_back {
            // The next begin tries it again; nothing is committed meanwhile.
            tracing::error!("{error}");
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, CheckpointError> {
        // A panic while it was held left at worst a snapshot that was begun, which the next one rolls back.
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|source| CheckpointError::Sqlite {
            action,
            path: self.path.clone(),
            source,
        })
    }
}

fn meta(transaction: &Transaction<'_>, name: &str) -> Result<String, rusqlite::Error> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    transaction.query_row(sql, [name], |row| row.get(0))
}

type Rows = (Vec<Row>, Vec<(Part, String)>);

fn read_rows(transaction: &Transaction<'_>) -> Result<Rows, rusqlite::Error> {
    let sql = "SELECT part, key, crc, bytes FROM rows ORDER BY part, key";
    let mut statement = transaction.prepare(sql)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    let mut damaged = Vec::new();
    while let Some(row) = found.next()? {
        let name = row.get_ref(0)?.as_str()?;
        let part = Part::parse(name).ok_or_else(|| {
            let unknown = format!("a part named '{name}', which this release does not know");
            rusqlite::Error::FromSqlConversionFailure(
                0,
                rusqlite::types::Type::Text,
                unknown.into(),
            )
        })?;
        let (key, bytes): (String, Vec<u8>) = (row.get(1)?, row.get(3)?);
        if row.get::<_, u32>(2)? == crc(part, &key, &bytes) {
            rows.push(Row { part, key, bytes });
        } else {
            damaged.push((part, key));
        }
    }
    Ok((rows, damaged))
}

/// SQLite keeps no checksum of its pages.
fn crc(part: Part, key: &str, bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(part.as_str().as_bytes());
    crc.update(&[0]);
    crc.update(key.as_bytes());
    crc.update(&[0]);
    crc.update(bytes);
    crc.sum()
}
