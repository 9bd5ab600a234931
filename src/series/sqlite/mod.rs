//! The embedded series store: one SQLite file of compressed blocks, and a log of what is not in blocks yet.
//!
//! Used when no InfluxDB is named; made for a year of a home on a small machine. A write appends its points to the [log](codec::log)
//! and to [memory](tail); when enough has come together, its values move series by series into [blocks](codec::block) of some
//! thousand values ([`seal`]), a share with each write. Reads put blocks and memory together ([`read`]), long ones from hourly
//! cells ([`hours`]). [`names`] is the dictionary of series, [`forget`] removes what is too old, [`migrate`] knows the first format.
//! This file opens the database, and carries calls from async code to blocking threads. Invariant: a write is one durable
//! transaction (`synchronous=FULL`), so that the caller's cursor may move when it returns. One [`SqliteStore`] and its clones
//! write a file at a time, since memory is a part of the store; the journal's lock on the data directory sees to that.

mod codec;

mod forget;

mod hours;

mod migrate;

mod names;

mod read;

mod seal;

mod tail;

mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OptionalExtension;
use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

use super::{Extent, RangeQuery, Sample, SeriesError, SeriesStore, Value, WriteReport};

pub use tail::SqliteLimits;

/// The form of the tables; a file of an unknown one is refused.
const FORMAT: i64 = 2;
/// How long a statement waits for another process that holds the file (a person's `sqlite3`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: all that there are.
const STATEMENTS_LIMIT: usize = 32;
/// Bytes of a page: several blocks fit on one, and a small write does not cost much more than with the usual 4,096.
const PAGE_BYTES: i64 = 8_192;
/// To how many bytes the `-wal` file is cut once its pages are in the file.
const WAL_BYTES: i64 = 16 << 20;

/// `start` and `last` are the first and the last instant of a block. Its values lie apart from what is known of them, so that hourly
/// cells of a year are read without the values between. Numbers of series are never used twice.
const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    measurement TEXT NOT NULL, device TEXT NOT NULL, field TEXT NOT NULL, tags TEXT NOT NULL,
    is_text INTEGER NOT NULL,
    UNIQUE (measurement, device, field, tags)
);
CREATE TABLE log (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE data (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE block (
    series INTEGER NOT NULL, start INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
    cells BLOB NOT NULL, data INTEGER NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
PRAGMA user_version = 2;
";

/// The embedded store. Cheap to clone; the file is shared.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<write::Rows>,
    /// Reads do not wait for writes: the file is in WAL mode.
    reader: Mutex<read::Reader>,
    /// Held only while memory changes or is copied.
    tail: Arc<RwLock<tail::Tail>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("SqliteStore")
            .field(&self.inner.path)
            .finish()
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Damaged(#[from] codec::Damaged),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("another program has {} open; close it and start again", .0.display())]
    InUse(PathBuf),
}

impl SqliteStore {
    /// Opens (or makes) the file. Blocks for some milliseconds; once for longer when the file has the format before this one.
    ///
    /// # Errors
    /// [`SeriesError::Stop`] when it cannot be opened, has another format, or belongs to another journal than `journal_id`.
    pub fn open(path: &Path, journal_id: &str) -> Result<Self, SeriesError> {
        Self::open_with(path, journal_id, SqliteLimits::default())
    }

    /// As [`Self::open`], with other limits of what is kept in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        path: &Path,
        journal_id: &str,
        limits: SqliteLimits,
    ) -> Result<Self, SeriesError> {
        let named = |error: &dyn fmt::Display| {
            SeriesError::stop(format!("the series store {}: {error}", path.display()))
        };
        let mut connection = connect(path).map_err(|error| named(&error))?;
        let format = format_of(&connection).map_err(|error| named(&error))?;
        if format == 0 {
            make(&mut connection, journal_id).map_err(|error| named(&error))?;
        } else if format != FORMAT && format != migrate::OLD_FORMAT {
            return Err(named(&format!(
                "has format {format}, this program knows format {FORMAT} and {}",
                migrate::OLD_FORMAT
            )));
        }
        let owner = meta(&connection, "journal").map_err(|error| named(&error))?;
        if owner.as_deref() != Some(journal_id) {
            return Err(named(&format!(
                "belongs to journal '{}', not to '{journal_id}'",
                owner.unwrap_or_default()
            )));
        }
        if format == migrate::OLD_FORMAT {
            migrate::migrate(path, connection, journal_id).map_err(|error| named(&error))?;
            connection = connect(path).map_err(|error| named(&error))?;
        }
        let reader = connect(path).map_err(|error| named(&error))?;
        let reader = read::Reader::new(reader).map_err(|error| named(&error))?;
        let writer = write::Rows::new(connection, limits).map_err(|error| named(&error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                tail: Arc::clone(&writer.tail),
                writer: Mutex::new(writer),
                reader: Mutex::new(reader),
            }),
        })
    }

    /// Runs blocking work on a thread made for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, SeriesError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result.map_err(|error| failed(&error)),
            Err(_) => Err(SeriesError::later("the series store's thread ended early")),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut read::Reader, &RwLock<tail::Tail>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, SeriesError> {
        self.run(move |inner| {
            let mut reader = inner.reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut reader, &inner.tail)
        })
        .await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut write::Rows) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, SeriesError> {
        self.run(move |inner| {
            work(&mut inner.writer.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
    }
}

impl SeriesStore for SqliteStore {
    async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        let points = points.to_vec();
        self.change(move |rows| rows.write(&points)).await
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        let query = query.clone();
        self.read(move |reader, tail| reader.range(tail, &query))
            .await
    }

    async fn values(&self, query: &RangeQuery) -> Result<Vec<Value>, SeriesError> {
        let query = query.clone();
        self.read(move |reader, tail| reader.values(tail, &query))
            .await
    }

    async fn last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        let device = device.clone();
        self.read(move |reader, tail| reader.last(tail, measurement, &device))
            .await
    }

    async fn before(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> Result<Option<Value>, SeriesError> {
        let (device, field) = (device.clone(), SmolStr::from(field));
        self.read(move |reader, tail| reader.before(tail, measurement, &device, &field, at))
            .await
    }

    async fn extent(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> Result<Option<Extent>, SeriesError> {
        let (device, field) = (device.clone(), SmolStr::from(field));
        self.read(move |reader, tail| reader.extent(tail, measurement, &device, &field))
            .await
    }

    async fn keep(&self, span: Option<Duration>, now: Timestamp) -> Result<(), SeriesError> {
        let cutoff = span.map(|span| {
            let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            now - span_ms
        });
        self.change(move |rows| rows.keep_from(cutoff)).await?;
        // Step by step: writes come between.
        while self.change(write::Rows::forget).await? {}
        Ok(())
    }

    async fn health(&self) -> Result<(), SeriesError> {
        self.read(|reader, _| reader.health()).await
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Both are for a file that is yet to be made; another keeps what it has.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LIMIT);
    Ok(connection)
}

fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn make(connection: &mut Connection, journal_id: &str) -> rusqlite::Result<()> {
    let tx = connection.transaction()?;
    tx.execute_batch(SCHEMA)?;
    tx.execute(
        "INSERT INTO meta (key, value) VALUES ('journal', ?1)",
        [journal_id],
    )?;
    tx.commit()
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn failed(error: &Failed) -> SeriesError {
    let reason = format!("the series store: {error}");
    let code = match error {
        Failed::Sqlite(error) => error.sqlite_error_code(),
        Failed::Damaged(_) => Some(ErrorCode::DatabaseCorrupt),
        Failed::Io(_) | Failed::InUse(_) => None,
    };
    match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ReadOnly) => {
            SeriesError::stop(reason)
        }
        // A full disk and a busy file pass; so may what we do not know.
        _ => SeriesError::later(reason),
    }
}

#[cfg(test)]
mod tests;
