//! What is still to be delivered. A sender takes items under a lease, delivers them, and says what became of each.
//!
//! It does not decide when a failed delivery is tried again or given up: its sender knows the channel. Delivery is at least once:
//! a sender that dies after delivering leaves the lease to run out, and the idempotency key makes the second time harmless.

use smol_str::SmolStr;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use crate::telemetry::Timestamp;

use super::{PAGE_LIMIT, Store, StoreError};

/// Longest error text kept with a delivery, in characters.
const ERROR_LIMIT_CHARS: usize = 500;

/// One delivery in the hands of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Grows in the order of writing.
    pub id: i64,
    /// Idempotency key.
    pub key: SmolStr,
    /// What to deliver.
    pub payload: String,
    /// How often it was taken, this time included.
    pub attempts: u32,
}

impl Store {
    /// Takes up to `limit` due deliveries of a channel, oldest first, for `lease_ms`; nobody else gets them until then.
    pub async fn take_outbox(
        &self,
        channel: &str,
        limit: usize,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let limit = i64::try_from(limit.clamp(1, PAGE_LIMIT)).unwrap_or(1);
        let mut rows = sqlx::query(
            "UPDATE outbox SET due = ?1, attempts = attempts + 1 WHERE id IN (SELECT id FROM outbox \
             WHERE channel = ?2 AND state = 'pending' AND due <= ?3 ORDER BY id LIMIT ?4) \
             RETURNING id, key, payload, attempts",
        )
        .bind((now + lease_ms).ms())
        .bind(channel)
        .bind(now.ms())
        .bind(limit)
        .fetch_all(&self.writer)
        .await?
        .iter()
        .map(read_row)
        .collect::<Result<Vec<_>, _>>()?;
        // RETURNING promises no order.
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    /// Ends the leases of a channel, at the start of its only sender: what an earlier process had taken is due at once.
    pub async fn release_outbox(&self, channel: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE outbox SET due = ?1 WHERE channel = ?2 AND state = 'pending' AND attempts > 0",
        )
        .bind(Timestamp::MIN.ms())
        .bind(channel)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Delivered: they are forgotten.
    pub async fn outbox_done(&self, ids: &[i64]) -> Result<(), StoreError> {
        for chunk in ids.chunks(PAGE_LIMIT) {
            let mut query = QueryBuilder::new("DELETE FROM outbox WHERE id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(*id);
            }
            query.push(")").build().execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Not delivered: tried again at `retry_at`, or given up for good (`None`) and kept for people to see.
    pub async fn outbox_failed(
        &self,
        ids: &[i64],
        retry_at: Option<Timestamp>,
        error: &str,
    ) -> Result<(), StoreError> {
        let error: String = error.chars().take(ERROR_LIMIT_CHARS).collect();
        for chunk in ids.chunks(PAGE_LIMIT) {
            let mut query = QueryBuilder::new("UPDATE outbox SET error = ");
            query.push_bind(error.clone());
            match retry_at {
                Some(due) => query.push(", due = ").push_bind(due.ms()),
                None => query.push(", state = 'dead'"),
            };
            query.push(" WHERE id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(*id);
            }
            query.push(")").build().execute(&self.writer).await?;
        }
        Ok(())
    }
}

fn read_row(row: &SqliteRow) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        id: row.try_get("id")?,
        key: row.try_get::<String, _>("key")?.into(),
        payload: row.try_get("payload")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
    })
}
