//! One segment file: its name, its tables, writing a commit, reading blocks.
//!
//! `N.live` takes commits (or took them and waits to be sealed), `N.sealed` is packed and never changes, `N.sealing` is being
//! written and worth nothing; N is the first position. Leaves to others when a segment begins and ends. Keeps: one row is one
//! commit, whole or not there; every row carries a checksum; every file carries the journal's id and its format.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::config::DbConfig;
use rusqlite::params;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::block::Block;
use super::block::Head;
use super::error::JournalError;
use super::options::APPEND_BYTES;
use super::options::SEALED_BLOCK_BYTES;
use super::options::ZSTD_LEVEL;

/// Format of the tables of a segment.
pub(super) const SEGMENT_FORMAT: u32 = 1;
/// How long SQLite waits for another process that looks into the file (`journal verify` beside a running daemon).
const BUSY: Duration = Duration::from_secs(5);
/// The most a block may claim to unpack to: one append joined to a full block. More is damage.
const UNPACKED_MAX: usize = APPEND_BYTES + 2 * SEALED_BLOCK_BYTES;

/// Findings about a file's structure that are listed; one is enough to know.
const STRUCTURE_FINDINGS: usize = 5;

const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE blocks (
        first INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        received_first INTEGER NOT NULL,
        received_last INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        unpacked INTEGER NOT NULL, -- size before compression; 0: not compressed
        data BLOB NOT NULL
    );";
/// What a row takes beside its data, about: columns, cell and page headers.
pub(super) const ROW_BYTES: u64 = 48;
const COLUMNS: &str = "first, count, received_first, received_last, crc, unpacked, data";

/// What a segment file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Takes commits, or took them.
    Live,
    /// Packed, complete, fsynced.
    Sealed,
    /// Left behind by a crash while sealing.
    Sealing,
}

/// A block as it lies in its row.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Stored {
    pub(super) head: Head,
    crc: u32,
    unpacked: usize,
    data: Vec<u8>,
}

/// A segment file, open for reading.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) first: Position,
    pub(super) connection: Connection,
}

pub(super) fn file_name(first: Position, kind: Kind) -> String {
    let suffix = match kind {
        Kind::Live => "live",
        Kind::Sealed => "sealed",
        Kind::Sealing => "sealing",
    };
    format!("{:020}.{suffix}", first.0)
}

pub(super) fn parse_name(name: &str) -> Option<(Position, Kind)> {
    let (first, suffix) = name.split_once('.')?;
    let kind = match suffix {
        "live" => Kind::Live,
        "sealed" => Kind::Sealed,
        "sealing" => Kind::Sealing,
        _ => return None,
    };
    if first.len() != 20 {
        return None;
    }
    Some((Position(first.parse().ok()?), kind))
}

/// Empties a segment file, if there is one, and removes what SQLite keeps beside it; the name stays. This takes no space.
pub(super) fn empty(path: &Path) -> Result<(), JournalError> {
    remove_beside(path)?;
    match fs::File::options().write(true).open(path) {
        Ok(file) => file
            .set_len(0)
            .map_err(|error| JournalError::io("emptying", path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(JournalError::io("emptying", path, error)),
    }
}

/// Removes a segment file and what SQLite keeps beside it. The main file first: without it the others mean nothing.
pub(super) fn remove(path: &Path) -> Result<(), JournalError> {
    remove_file(path)?;
    remove_beside(path)
}

fn remove_beside(path: &Path) -> Result<(), JournalError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        remove_file(Path::new(&name))?;
    }
    Ok(())
}

fn remove_file(file: &Path) -> Result<(), JournalError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalError::io("removing", file, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The journal's id as a segment knows it.
pub(super) fn read_id(path: &Path) -> Result<String, JournalError> {
    match Opened::open(path, "", true) {
        Err(JournalError::Foreign { found, .. }) => Ok(found),
        Err(error) => Err(error),
        Ok(opened) => Err(opened.damaged(opened.first, None, "it names no journal".to_owned())),
    }
}

/// True for a file without any table: its creation, which is one transaction, was cut off.
pub(super) fn is_unborn(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let tables = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY)?;
        leave_log(&connection, has_log(path))?;
        let sql = "SELECT count(*) FROM sqlite_master";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0))
    });
    matches!(tables, Ok(0))
}

/// Makes renames, new and removed names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
    match synced {
        // Windows opens no directories; NTFS journals its names itself.
        Err(_) if cfg!(windows) => Ok(()),
        Err(error) => Err(JournalError::io("syncing", dir, error)),
        Ok(()) => Ok(()),
    }
}

/// A new file with the tables of a segment.
pub(super) fn create(path: &Path, journal: &str, wal: bool) -> Result<Connection, JournalError> {
    let made = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection, wal)?;
        connection.execute_batch(&format!("BEGIN; {SCHEMA}"))?;
        let mut meta = connection.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
        meta.execute(params!["format", SEGMENT_FORMAT.to_string()])?;
        meta.execute(params!["journal", journal])?;
        drop(meta);
        connection.execute_batch("COMMIT")?;
        Ok(connection)
    };
    made().map_err(|source| JournalError::sqlite("creating", path, source))
}

/// Adds a block to a file that is being written.
pub(super) fn insert(
    connection: &Connection,
    block: &Block,
    packed: bool,
) -> Result<(), rusqlite::Error> {
    let (unpacked, data) = if packed {
        let data = zstd::bulk::compress(&block.data, ZSTD_LEVEL)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        (block.data.len(), std::borrow::Cow::Owned(data))
    } else {
        (0, std::borrow::Cow::Borrowed(&block.data))
    };
    let head = &block.head;
    let sql = format!("INSERT INTO blocks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    connection.prepare_cached(&sql)?.execute(params![
        integer(head.first.0),
        integer(head.count),
        head.received_first.ms(),
        head.received_last.ms(),
        head.crc(&data),
        integer(unpacked as u64),
        &*data,
    ])?;
    Ok(())
}

impl Opened {
    /// Opens a file and checks that it is a segment of this journal in a known format.
    pub(super) fn open(path: &Path, journal: &str, write: bool) -> Result<Self, JournalError> {
        let mode = if write {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let opened = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|connection| {
                connection.busy_timeout(BUSY)?;
                leave_log(&connection, has_log(path))?;
                Ok(connection)
            });
        let connection = opened.map_err(|source| JournalError::sqlite("opening", path, source))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let first = name
            .and_then(parse_name)
            .map_or(Position(0), |(first, _)| first);
        let opened = Self {
            path: path.to_owned(),
            first,
            connection,
        };
        opened.check(journal)?;
        Ok(opened)
    }

    /// The blocks that hold `from` and what follows, up to `max_bytes` of stored data, at least one.
    pub(super) fn blocks(
        &self,
        from: Position,
        max_bytes: usize,
    ) -> Result<Vec<Stored>, JournalError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM blocks WHERE first >= \
             (SELECT max(first) FROM blocks WHERE first <= ?1) ORDER BY first"
        );
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([integer(from.0)])?;
            let mut blocks = Vec::new();
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                let stored = Stored::read(row)?;
                bytes += stored.data.len();
                blocks.push(stored);
                if bytes >= max_bytes {
                    break;
                }
            }
            Ok(blocks)
        };
        read().map_err(|source| self.failed(source))
    }

    /// Calls `each` with every block, from the first on or from the last back, until it answers `false`.
    pub(super) fn each(
        &self,
        backwards: bool,
        mut each: impl FnMut(Stored) -> bool,
    ) -> Result<(), JournalError> {
        let order = if backwards { "DESC" } else { "ASC" };
        let sql = format!("SELECT {COLUMNS} FROM blocks ORDER BY first {order}");
        let mut read = || {
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !each(Stored::read(row)?) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|source| self.failed(source))
    }

    /// The first and the last block that begin before `end`.
    pub(super) fn ends(
        &self,
        end: Option<Position>,
    ) -> Result<Option<(Stored, Stored)>, JournalError> {
        let end = end.map_or(i64::MAX, |end| integer(end.0));
        let one = |order: &str| {
            let sql = format!(
                "SELECT {COLUMNS} FROM blocks WHERE first < ?1 ORDER BY first {order} LIMIT 1"
            );
            self.connection
                .query_row(&sql, [end], Stored::read)
                .optional()
                .map_err(|source| self.failed(source))
        };
        Ok(one("ASC")?.zip(one("DESC")?))
    }

    /// What SQLite finds wrong with the file's structure: pages, order, what lies in no page and in two.
    pub(super) fn structure(&self) -> Result<Vec<String>, JournalError> {
        let read = || {
            let sql = format!("PRAGMA quick_check({STRUCTURE_FINDINGS})");
            let mut statement = self.connection.prepare(&sql)?;
            let found = statement.query_map([], |row| row.get::<_, String>(0))?;
            found.collect::<Result<Vec<_>, _>>()
        };
        let mut found = read().map_err(|source| self.failed(source))?;
        found.retain(|finding| finding != "ok");
        Ok(found)
    }

    fn check(&self, journal: &str) -> Result<(), JournalError> {
        let value = |name: &str| {
            self.connection
                .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                    row.get::<_, String>(0)
                })
                .map_err(|source| self.failed(source))
        };
        let path = || self.path.clone();
        let found = value("format")?;
        if found != SEGMENT_FORMAT.to_string() {
            let known = SEGMENT_FORMAT;
            let path = path();
            return Err(JournalError::Format { path, found, known });
        }
        let found = value("journal")?;
        if found != journal {
            return Err(JournalError::Foreign {
                path: path(),
                expected: journal.to_owned(),
                found,
            });
        }
        Ok(())
    }

    /// What SQLite says about the file's content is damage; the rest is trouble of the machine.
    fn failed(&self, source: rusqlite::Error) -> JournalError {
        let damaged = match &source {
            rusqlite::Error::SqliteFailure(error, _) => matches!(
                error.code,
                rusqlite::ErrorCode::DatabaseCorrupt
                    | rusqlite::ErrorCode::NotADatabase
                    | rusqlite::ErrorCode::Unknown
            ),
            rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => true,
            _ => false,
        };
        if damaged {
            return self.damaged(self.first, None, source.to_string());
        }
        JournalError::sqlite("reading", &self.path, source)
    }

    pub(super) fn damaged(
        &self,
        first: Position,
        last: Option<Position>,
        detail: String,
    ) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            first,
            last,
            detail,
        }
    }
}

impl Stored {
    /// A block as its row has it, for a disk that is a model.
    #[cfg(test)]
    pub(super) fn of(block: &Block) -> Self {
        Self::new(
            block.head,
            block.head.crc(&block.data),
            0,
            block.data.clone(),
        )
    }

    /// What its row takes, about.
    #[cfg(test)]
    pub(super) fn size(&self) -> u64 {
        self.data.len() as u64 + ROW_BYTES
    }

    pub(super) const fn new(head: Head, crc: u32, unpacked: usize, data: Vec<u8>) -> Self {
        Self {
            head,
            crc,
            unpacked,
            data,
        }
    }

    /// The bytes of the block, checked and unpacked.
    pub(super) fn unpack(self) -> Result<(Head, Vec<u8>), String> {
        if self.head.crc(&self.data) != self.crc {
            return Err("the checksum does not fit".to_owned());
        }
        if self.unpacked == 0 {
            return Ok((self.head, self.data));
        }
        if self.unpacked > UNPACKED_MAX {
            return Err(format!("a block of {} bytes", self.unpacked));
        }
        zstd::bulk::decompress(&self.data, self.unpacked)
            .map(|data| (self.head, data))
            .map_err(|error| error.to_string())
    }

    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            head: Head {
                first: Position(natural(row, 0)?),
                count: natural(row, 1)?,
                received_first: Timestamp::from_ms(row.get(2)?),
                received_last: Timestamp::from_ms(row.get(3)?),
            },
            crc: row.get(4)?,
            unpacked: usize::try_from(natural(row, 5)?).unwrap_or(usize::MAX),
            data: row.get(6)?,
        })
    }
}

/// Whether something waits in the file's write-ahead log.
pub(super) fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Whether the last one to close the file leaves its write-ahead log as it is. Only the journal's owner moves the log into the
/// file: someone who looks changes nothing.
pub(super) fn leave_log(connection: &Connection, leave: bool) -> Result<(), rusqlite::Error> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave)
        .map(|_| ())
}

pub(super) fn prepare(connection: &Connection, wal: bool) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY)?;
    // A file that is being sealed is fsynced as a whole before it gets its name; until then nothing of it counts.
    connection.execute_batch(if wal {
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    } else {
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
    })
}

/// Positions stay below 2^63: at a million records a second that lasts 290,000 years.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
