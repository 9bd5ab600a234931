//! Replies to requests that carried an idempotency key, so that a repeated request gets the same reply.

use sqlx::Row;

use crate::telemetry::{DAY_MS, Timestamp};

use super::{Store, StoreError};

/// How long a reply is remembered: a client that tries again after a day has given up before.
const REMEMBERED_MS: i64 = DAY_MS;
/// How many replies are remembered; the oldest go first.
const REMEMBERED_LIMIT: i64 = 20_000;

/// The reply to a request with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedAction {
    /// Stands for the content of the request: the same key with another content is a mistake of the client.
    pub fingerprint: String,
    /// HTTP status of the reply.
    pub status: u16,
    /// Body of the reply.
    pub reply: String,
}

impl Store {
    /// The reply remembered under a key.
    pub async fn recall_action(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<RememberedAction>, StoreError> {
        let row =
            sqlx::query("SELECT fingerprint, status, reply FROM actions WHERE key = ? AND at > ?")
                .bind(key)
                .bind((now - REMEMBERED_MS).ms())
                .fetch_optional(&self.readers)
                .await?;
        row.map(|row| {
            Ok(RememberedAction {
                fingerprint: row.try_get(0)?,
                status: u16::try_from(row.try_get::<i64, _>(1)?).unwrap_or(200),
                reply: row.try_get(2)?,
            })
        })
        .transpose()
    }

    /// Remembers a reply under its key and forgets old ones.
    pub async fn remember_action(
        &self,
        key: &str,
        action: &RememberedAction,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "DELETE FROM actions WHERE at <= max(?, coalesce( \
             (SELECT at FROM actions ORDER BY at DESC LIMIT 1 OFFSET ?), ?))",
        )
        .bind((now - REMEMBERED_MS).ms())
        .bind(REMEMBERED_LIMIT - 1)
        .bind(i64::MIN)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO actions (key, fingerprint, status, reply, at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (key) DO NOTHING",
        )
        .bind(key)
        .bind(&action.fingerprint)
        .bind(i64::from(action.status))
        .bind(&action.reply)
        .bind(now.ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
