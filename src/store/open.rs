//! Opening the file: connections, migrations, and whose journal it belongs to.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr};
use tokio::sync::watch;

use crate::telemetry::Position;

use super::StoreError;

/// Readers at once; pages and API calls beyond it wait up to [`ACQUIRE_WAIT`].
const READERS: u32 = 4;
/// How long a call waits for a connection before it fails as unavailable.
const ACQUIRE_WAIT: Duration = Duration::from_secs(10);
/// How long SQLite waits for a lock that another process (a backup, a shell) holds.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The migrations in order; a released one is never edited.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "first", include_str!("migrations/0001_first.sql")),
    (2, "verdicts", include_str!("migrations/0002_verdicts.sql")),
];

/// The store; a cheap handle, clones share one file.
#[derive(Clone, Debug)]
pub struct Store {
    /// One connection: SQLite has one writer, and waiting here is fair where its own busy wait is not.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) shared: Arc<Shared>,
}

/// What the clones share beside the file.
#[derive(Debug)]
pub(super) struct Shared {
    /// Position A: the effects of all records up to here are committed.
    pub(super) position: AtomicU64,
    /// Batches that were handed over again and discarded.
    pub(super) discarded: AtomicU64,
    /// Rejected rows written since old ones were last removed.
    pub(super) rejected_since_prune: AtomicU64,
    /// Deliveries written since the outbox was last counted.
    pub(super) outbox_since_prune: AtomicU64,
    /// Deliveries that a full outbox let go since the start.
    pub(super) outbox_dropped: AtomicU64,
    /// Number of the newest line of the audit, for those who follow changes.
    pub(super) newest_change: watch::Sender<i64>,
}

impl Store {
    /// Opens the file, creating or migrating it as needed.
    ///
    /// # Errors
    /// When it cannot be opened, is from a newer release, or belongs to another journal than `journal_id`.
    pub async fn open(path: &Path, journal_id: &str) -> Result<Self, StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WAIT)
            // Erased texts of people are overwritten rather than left in free pages.
            .pragma("secure_delete", "on");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(|error| failed(error.into()))?;
        migrator()
            .run(&writer)
            .await
            .map_err(|error| failed(error.into()))?;
        claim(&writer, path, journal_id).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_WAIT)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|error| failed(error.into()))?;
        let mut connection = writer.acquire().await?;
        let position = read_position(&mut connection).await?;
        drop(connection);
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM audit")
            .fetch_one(&writer)
            .await?;
        Ok(Self {
            writer,
            readers,
            shared: Arc::new(Shared {
                position: AtomicU64::new(position.0),
                discarded: AtomicU64::new(0),
                rejected_since_prune: AtomicU64::new(0),
                outbox_since_prune: AtomicU64::new(0),
                outbox_dropped: AtomicU64::new(0),
                newest_change: watch::Sender::new(newest.unwrap_or(0)),
            }),
        })
    }

    /// Opens a file that another process may be writing, only to read it.
    ///
    /// # Errors
    /// When it cannot be opened, or is from another release than this one.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(BUSY_WAIT);
        let readers = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_WAIT)
            .connect_with(options)
            .await
            .map_err(|error| failed(error.into()))?;
        let version: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&readers)
            .await?;
        if MIGRATIONS
            .last()
            .is_none_or(|(newest, _, _)| *newest != version)
        {
            return Err(failed("it was written by another release".into()));
        }
        let position = read_position(&mut *readers.acquire().await?).await?;
        Ok(Self {
            writer: readers.clone(),
            readers,
            shared: Arc::new(Shared {
                position: AtomicU64::new(position.0),
                discarded: AtomicU64::new(0),
                rejected_since_prune: AtomicU64::new(0),
                outbox_since_prune: AtomicU64::new(0),
                outbox_dropped: AtomicU64::new(0),
                newest_change: watch::Sender::new(0),
            }),
        })
    }

    /// Position A: the effects of all journal records up to here are committed. 0 before the first batch.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.shared.position.load(Ordering::Acquire))
    }

    /// How many batches were handed over again since the start and discarded.
    #[must_use]
    pub fn discarded_batches(&self) -> u64 {
        self.shared.discarded.load(Ordering::Relaxed)
    }

    /// Tells the number of the newest line of the audit after each commit that added some; see [`Store::changes_after`].
    #[must_use]
    pub fn newest_change(&self) -> watch::Receiver<i64> {
        self.shared.newest_change.subscribe()
    }

    /// Answers when the file can be read: what `/readyz` asks.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Waits for what is under way and closes the file. Calls after it fail as unavailable.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(
                    *version,
                    Cow::Borrowed(*name),
                    MigrationType::Simple,
                    AssertSqlSafe(*sql).into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}

/// Writes the journal's id into a new file, compares it in an old one.
async fn claim(writer: &SqlitePool, path: &Path, journal_id: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('journal', ?), ('position', '0') ON CONFLICT (key) DO NOTHING")
        .bind(journal_id)
        .execute(writer)
        .await?;
    let found: String = sqlx::query("SELECT value FROM meta WHERE key = 'journal'")
        .fetch_one(writer)
        .await?
        .try_get(0)?;
    if found == journal_id {
        Ok(())
    } else {
        Err(StoreError::ForeignJournal {
            path: path.to_owned(),
            store_journal: found,
            journal: journal_id.to_owned(),
        })
    }
}

pub(super) async fn read_position(
    connection: &mut SqliteConnection,
) -> Result<Position, StoreError> {
    let text: String = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'position'")
        .fetch_one(connection)
        .await?;
    text.parse()
        .map(Position)
        .map_err(|error| StoreError::corrupt("the position", error))
}
