//! The embedded series store: one SQLite file, one table of plain rows (series, instant, value) per UTC day.
//!
//! Used when no InfluxDB is named. A day is one table, so that forgetting it is one `DROP`; a dictionary gives each (measurement,
//! device, tags, field) a number. [`write`] and [`read`] hold the statements; this file opens the database, and carries calls from
//! async code to blocking threads. Invariant: a write is one durable transaction (`synchronous=FULL`), so that the caller's
//! cursor may move when it returns.

mod read;

mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OptionalExtension;
use smol_str::SmolStr;

use crate::telemetry::DAY_MS;
use crate::telemetry::DeviceId;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

use super::{RangeQuery, Sample, SeriesError, SeriesStore, Value, WriteReport};

/// The form of the tables; a file of another one is refused.
const FORMAT: i64 = 1;
/// How long a statement waits for another process that holds the file (a person's `sqlite3`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: two per day table of the last month.
const STATEMENTS_LIMIT: usize = 64;

/// `value` has no declared type, so that it keeps a number a number and a text a text.
const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE day (day INTEGER PRIMARY KEY);
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    measurement TEXT NOT NULL, device TEXT NOT NULL, field TEXT NOT NULL, tags TEXT NOT NULL,
    is_text INTEGER NOT NULL, newest_day INTEGER NOT NULL,
    UNIQUE (measurement, device, field, tags)
);
PRAGMA user_version = 1;
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
    reader: Mutex<Connection>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("SqliteStore")
            .field(&self.inner.path)
            .finish()
    }
}

impl SqliteStore {
    /// Opens (or makes) the file. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`SeriesError::Stop`] when it cannot be opened, has another format, or belongs to another journal than `journal_id`.
    pub fn open(path: &Path, journal_id: &str) -> Result<Self, SeriesError> {
        let named = |error: &dyn fmt::Display| {
            SeriesError::stop(format!("the series store {}: {error}", path.display()))
        };
        let mut connection = connect(path).map_err(|error| named(&error))?;
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| named(&error))?;
        if version == 0 {
            make(&mut connection, journal_id).map_err(|error| named(&error))?;
        } else if version != FORMAT {
            return Err(named(&format!(
                "has format {version}, this program knows format {FORMAT}"
            )));
        }
        let owner = meta(&connection, "journal").map_err(|error| named(&error))?;
        if owner.as_deref() != Some(journal_id) {
            return Err(named(&format!(
                "belongs to journal '{}', not to '{journal_id}'",
                owner.unwrap_or_default()
            )));
        }
        let reader = connect(path).map_err(|error| named(&error))?;
        let writer = write::Rows::new(connection).map_err(|error| named(&error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                writer: Mutex::new(writer),
                reader: Mutex::new(reader),
            }),
        })
    }

    /// Runs blocking work on a thread made for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SeriesError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result.map_err(|error| failed(&error)),
            Err(_) => Err(SeriesError::later("the series store's thread ended early")),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SeriesError> {
        self.run(move |inner| {
            work(&mut inner.reader.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut write::Rows) -> rusqlite::Result<T> + Send + 'static,
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
        self.read(move |db| read::range(db, &query)).await
    }

    async fn values(&self, query: &RangeQuery) -> Result<Vec<Value>, SeriesError> {
        let query = query.clone();
        self.read(move |db| read::values(db, &query)).await
    }

    async fn last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        let device = device.clone();
        self.read(move |db| read::last(db, measurement, &device))
            .await
    }

    async fn keep(&self, span: Option<Duration>, now: Timestamp) -> Result<(), SeriesError> {
        let cutoff = span.map(|span| {
            let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            now - span_ms
        });
        self.change(move |rows| rows.keep_from(cutoff)).await
    }

    async fn health(&self) -> Result<(), SeriesError> {
        self.read(|db| db.query_row("SELECT count(*) FROM meta", [], |_| Ok(())))
            .await
    }
}

/// The UTC day of an instant, counted from 1970-01-01.
const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LIMIT);
    Ok(connection)
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
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
        .optional()
}

fn failed(error: &rusqlite::Error) -> SeriesError {
    let reason = format!("the series store: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ReadOnly) => {
            SeriesError::stop(reason)
        }
        // A full disk and a busy file pass; so may what we do not know.
        _ => SeriesError::later(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::FieldValue;

    #[test]
    fn a_file_of_another_journal_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("series.db");
        SqliteStore::open(&path, "a").expect("a new file");
        SqliteStore::open(&path, "a").expect("its own file");
        let error = SqliteStore::open(&path, "b").expect_err("another journal");
        assert!(matches!(error, SeriesError::Stop { .. }));
        assert!(error.to_string().contains("series.db"), "{error}");
    }

    #[test]
    fn a_file_that_is_none_or_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("series.db");
        std::fs::write(&path, vec![7_u8; 9_000]).unwrap();
        assert!(SqliteStore::open(&path, "a").is_err());
        std::fs::remove_file(&path).unwrap();
        let connection = connect(&path).unwrap();
        connection.pragma_update(None, "user_version", 9).unwrap();
        drop(connection);
        let error = SqliteStore::open(&path, "a").expect_err("format 9");
        assert!(error.to_string().contains("format 9"), "{error}");
    }

    #[tokio::test]
    async fn a_write_that_fails_half_way_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("series.db");
        let store = SqliteStore::open(&path, "a").unwrap();
        let device: DeviceId = "m/1".parse().unwrap();
        let point = |field: &str, value: f64| Point {
            measurement: Measurement::Telemetry,
            device: device.clone(),
            tags: Vec::new(),
            at: Timestamp::from_ms(5),
            fields: vec![(field.into(), FieldValue::Float(value))],
        };
        store.write(&[point("first", 1.0)]).await.unwrap();
        let other = Connection::open(&path).unwrap();
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON \"day 0\" WHEN NEW.value = 13 BEGIN SELECT RAISE(ABORT, 'trap'); END";
        other.execute_batch(trap).unwrap();
        let failing = [point("second", 2.0), point("third", 13.0)];
        let error = store.write(&failing).await.expect_err("the trap");
        assert!(matches!(error, SeriesError::Later { .. }), "{error:?}");
        let fields = store.fields(Measurement::Telemetry, &device).await.unwrap();
        assert_eq!(fields, ["first"]);
        other.execute_batch("DROP TRIGGER trap").unwrap();
        // The numbers of "second" and "third" were rolled back with them and are given anew, in another order.
        store.write(&[point("third", 13.0)]).await.unwrap();
        store.write(&failing).await.unwrap();
        let last = store.last(Measurement::Telemetry, &device).await.unwrap();
        let values: Vec<_> = last.into_values().map(|last| last.value).collect();
        assert_eq!(values, [1.0, 2.0, 13.0].map(FieldValue::Float));
    }

    #[tokio::test]
    async fn a_file_takes_no_more_days_than_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("series.db"), "a").unwrap();
        let points: Vec<_> = (0..4_002_i64)
            .map(|day| Point {
                measurement: Measurement::Telemetry,
                device: "m/1".parse().unwrap(),
                tags: Vec::new(),
                at: Timestamp::from_ms(day * DAY_MS),
                fields: vec![("a".into(), FieldValue::Float(1.0))],
            })
            .collect();
        let report = store.write(&points).await.unwrap();
        let refused = report.refused[&crate::series::RefusedReason::TimeOutOfRange];
        assert_eq!((report.written, refused), (4_000, 2));
    }

    #[test]
    fn a_day_begins_at_midnight_also_before_1970() {
        assert_eq!((day_of(0), day_of(DAY_MS - 1), day_of(DAY_MS)), (0, 0, 1));
        assert_eq!(
            (day_of(-1), day_of(-DAY_MS), day_of(-DAY_MS - 1)),
            (-1, -1, -2)
        );
    }
}
