//! How far each consumer has come, and which base checkpoints there are: what retention must not pass.
//!
//! A cursor is the last position that a consumer is done with. Keeps: a cursor is on the disk before retention may act on it,
//! so that no power cut can leave a consumer before the journal's beginning.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::telemetry::Position;

use super::error::JournalError;
use super::options::CURSORS;

/// Name of the file in the journal's directory.
const FILE: &str = "cursors";
/// Format of its tables.
const FORMAT: u32 = 1;
/// How long someone who only looks waits for the owner's write of some milliseconds; then the look fails.
const BUSY: Duration = Duration::from_secs(5);
/// Complete base checkpoints that retention keeps the journal for.
const BASES: usize = 2;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS cursors (consumer TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS bases (position INTEGER PRIMARY KEY);";

/// Who keeps retention from removing something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A consumer that has not read it.
    Consumer(String),
    /// The older of the newest two saved states begins there.
    Base,
}

impl Holder {
    /// A short name, for metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Consumer(name) => name,
            Self::Base => "base",
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(name) => write!(out, "the consumer '{name}'"),
            Self::Base => out.write_str("the base checkpoint"),
        }
    }
}

/// What the file holds: cursors by consumer, and bases, newest last.
pub(super) type Stored = (BTreeMap<String, Position>, Vec<Position>);

/// Where cursors and bases are kept. A trait, so that a test can bring a disk of its own.
pub(super) trait CursorFile: Send {
    /// For messages.
    fn path(&self) -> &Path;
    /// What it holds.
    fn load(&self) -> Result<Stored, JournalError>;
    /// Writes a cursor; when this returns, it is on the disk.
    fn set(&mut self, consumer: &str, position: Position) -> Result<(), JournalError>;
    /// Removes a cursor.
    fn remove(&mut self, consumer: &str) -> Result<(), JournalError>;
    /// Adds a base.
    fn add_base(&mut self, position: Position) -> Result<(), JournalError>;
    /// Removes the bases up to this one.
    fn drop_bases(&mut self, through: Position) -> Result<(), JournalError>;
}

/// The file `cursors`.
struct SqliteCursors {
    path: PathBuf,
    connection: Connection,
}

/// The cursors, on disk and in memory.
pub(super) struct Cursors {
    file: Box<dyn CursorFile>,
    consumers: BTreeMap<String, Position>,
    /// Newest last, at most [`BASES`].
    bases: Vec<Position>,
}

impl SqliteCursors {
    fn open(dir: &Path, journal: &str) -> Result<Self, JournalError> {
        let path = dir.join(FILE);
        let read = || {
            let connection = Connection::open(&path)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            connection.execute_batch(SCHEMA)?;
            let mut meta = connection.prepare("INSERT OR IGNORE INTO meta VALUES (?1, ?2)")?;
            meta.execute(params!["format", FORMAT.to_string()])?;
            meta.execute(params!["journal", journal])?;
            drop(meta);
            let value = |name: &str| {
                let sql = "SELECT value FROM meta WHERE name = ?1";
                connection
                    .query_row(sql, [name], |row| row.get::<_, String>(0))
                    .optional()
            };
            let (format, owner) = (value("format")?, value("journal")?);
            Ok((connection, format, owner))
        };
        let (connection, format, owner) =
            read().map_err(|source| JournalError::sqlite("opening", &path, source))?;
        if format != Some(FORMAT.to_string()) {
            let found = format.unwrap_or_default();
            let known = FORMAT;
            return Err(JournalError::Format { path, found, known });
        }
        if owner.as_deref() != Some(journal) {
            let expected = journal.to_owned();
            let found = owner.unwrap_or_default();
            return Err(JournalError::Foreign {
                path,
                expected,
                found,
            });
        }
        Ok(Self { path, connection })
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), JournalError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map(|_| ())
            .map_err(|source| JournalError::sqlite("writing", &self.path, source))
    }
}

impl CursorFile for SqliteCursors {
    fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Stored, JournalError> {
        read(&self.connection).map_err(|source| JournalError::sqlite("reading", &self.path, source))
    }

    fn set(&mut self, consumer: &str, position: Position) -> Result<(), JournalError> {
        self.execute(
            "INSERT INTO cursors VALUES (?1, ?2) ON CONFLICT DO UPDATE SET position = excluded.position",
            params![consumer, integer(position)],
        )
    }

    fn remove(&mut self, consumer: &str) -> Result<(), JournalError> {
        self.execute("DELETE FROM cursors WHERE consumer = ?1", params![consumer])
    }

    fn add_base(&mut self, position: Position) -> Result<(), JournalError> {
        self.execute(
            "INSERT OR IGNORE INTO bases VALUES (?1)",
            params![integer(position)],
        )
    }

    fn drop_bases(&mut self, through: Position) -> Result<(), JournalError> {
        self.execute(
            "DELETE FROM bases WHERE position <= ?1",
            params![integer(through)],
        )
    }
}

impl Cursors {
    /// The cursors of a directory.
    pub(super) fn open(dir: &Path, journal: &str) -> Result<Self, JournalError> {
        Self::load(Box::new(SqliteCursors::open(dir, journal)?))
    }

    /// The cursors as this file has them.
    pub(super) fn load(file: Box<dyn CursorFile>) -> Result<Self, JournalError> {
        let (consumers, bases) = file.load()?;
        Ok(Self {
            file,
            consumers,
            bases,
        })
    }

    pub(super) fn get(&self, consumer: &str) -> Option<Position> {
        self.consumers.get(consumer).copied()
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Position> {
        &self.consumers
    }

    /// Writes a cursor; one fsync, none when it stands there already.
    pub(super) fn set(&mut self, consumer: &str, position: Position) -> Result<(), JournalError> {
        if self.get(consumer) == Some(position) {
            return Ok(());
        }
        if self.get(consumer).is_none() && self.consumers.len() >= CURSORS {
            let error = std::io::Error::other(format!("{CURSORS} consumers have one already"));
            return Err(JournalError::io(
                "adding a cursor to",
                self.file.path(),
                error,
            ));
        }
        self.file.set(consumer, position)?;
        self.consumers.insert(consumer.to_owned(), position);
        Ok(())
    }

    pub(super) fn remove(&mut self, consumer: &str) -> Result<(), JournalError> {
        self.file.remove(consumer)?;
        self.consumers.remove(consumer);
        Ok(())
    }

    /// A complete base checkpoint holds for this position.
    pub(super) fn add_base(&mut self, position: Position) -> Result<(), JournalError> {
        if self.bases.contains(&position) {
            return Ok(());
        }
        self.file.add_base(position)?;
        self.bases.push(position);
        self.bases.sort_unstable();
        while self.bases.len() > BASES {
            let oldest = self.bases.remove(0);
            self.file.drop_bases(oldest)?;
        }
        Ok(())
    }

    pub(super) fn bases(&self) -> &[Position] {
        &self.bases
    }

    /// The farthest cursor, if it lies beyond the journal's end: then segments were lost, and going on would use positions twice.
    pub(super) fn beyond(&self, last: Position) -> Option<Position> {
        let positions = self.consumers.values().chain(&self.bases);
        positions.copied().max().filter(|farthest| *farthest > last)
    }

    /// Up to which position everything may be removed, and who holds what comes after. `None`: nobody holds anything.
    pub(super) fn hold(&self) -> Option<(Position, Holder)> {
        self.hold_for(self.bases.first())
    }

    /// The same with the newest saved state alone, for a journal that has no room for anything: not even a tick, so that no
    /// newer state could ever take the older one's place.
    pub(super) fn hold_in_need(&self) -> Option<(Position, Holder)> {
        self.hold_for(self.bases.last())
    }

    fn hold_for(&self, base: Option<&Position>) -> Option<(Position, Holder)> {
        let consumers = self
            .consumers
            .iter()
            .map(|(consumer, position)| (*position, Holder::Consumer(consumer.clone())));
        let base = base.map(|base| (*base, Holder::Base));
        consumers.chain(base).min_by_key(|(position, _)| *position)
    }

    /// The cursors and bases of a journal that someone else may own, as they are now.
    pub(super) fn peek(dir: &Path) -> Result<Stored, JournalError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(Stored::default());
        }
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|connection| {
                connection.busy_timeout(BUSY)?;
                let leave = super::segment::has_log(&path);
                super::segment::leave_log(&connection, leave)?;
                read(&connection)
            })
            .map_err(|source| JournalError::sqlite("reading", &path, source))
    }
}

fn read(connection: &Connection) -> Result<Stored, rusqlite::Error> {
    let mut cursors = connection.prepare("SELECT * FROM cursors")?;
    let cursors = cursors
        .query_map([], |row| Ok((row.get(0)?, position(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    let mut bases = connection.prepare("SELECT position FROM bases ORDER BY position")?;
    let bases = bases
        .query_map([], |row| row.get(0).map(position))?
        .collect::<Result<_, _>>()?;
    Ok((cursors, bases))
}

fn integer(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

fn position(stored: i64) -> Position {
    Position(u64::try_from(stored).unwrap_or(0))
}
