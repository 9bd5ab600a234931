//! What is still to be delivered. A sender takes items under a lease, delivers them, and says what became of each.
//!
//! It does not decide when a failed delivery is tried again or given up: its sender knows the channel. Delivery is at least once:
//! a sender that dies after delivering leaves the lease to run out, and the idempotency key makes the second time harmless.

use std::sync::atomic::Ordering;

use smol_str::SmolStr;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};

use crate::telemetry::Timestamp;

use super::{PAGE_LIMIT, RECOMPUTABLE, Store, StoreError};

/// Longest error text kept with a delivery, in characters.
const ERROR_LIMIT_CHARS: usize = 500;

/// The most deliveries that wait. A fleet of ten thousand devices derives some 100,000 values a day, so this is five days of a
/// series store that is away, about 200 MiB. When there are more, the oldest that can be worked out again from the journal
/// ([`RECOMPUTABLE`]) are let go and counted; ticket changes stay.
const PENDING_LIMIT: i64 = 500_000;
/// They are counted once per so many new ones.
const PRUNE_EVERY: u64 = 10_000;

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

    /// Deliveries that a full outbox let go since the start.
    #[must_use]
    pub fn outbox_dropped(&self) -> u64 {
        self.shared.outbox_dropped.load(Ordering::Relaxed)
    }

    /// Lets the oldest go beyond what may wait, once in a while. Returns how many.
    pub(super) async fn prune_outbox(
        &self,
        connection: &mut SqliteConnection,
        written: usize,
    ) -> Result<u64, StoreError> {
        let since = &self.shared.outbox_since_prune;
        let count = since.fetch_add(written as u64, Ordering::Relaxed) + written as u64;
        if count < PRUNE_EVERY {
            return Ok(0);
        }
        since.store(0, Ordering::Relaxed);
        prune(connection, PENDING_LIMIT).await
    }

    /// What was taken by a process that is gone is due at once, instead of when its lease runs out. Call it before the first
    /// [`Self::take_outbox`]: the data directory has one process at a time.
    pub async fn release_outbox(&self, channel: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE outbox SET due = ?1 WHERE channel = ?2 AND state = 'pending' AND attempts > 0 AND due > ?1",
        )
        .bind(now.ms())
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

/// Removes the oldest pending deliveries that can be worked out again, as many as there are too many.
pub(super) async fn prune(
    connection: &mut SqliteConnection,
    limit: i64,
) -> Result<u64, StoreError> {
    let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE state = 'pending'")
        .fetch_one(&mut *connection)
        .await?;
    if pending <= limit {
        return Ok(0);
    }
    let removed = sqlx::query(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'pending' \
         AND substr(key, 1, ?) = ? ORDER BY id LIMIT ?)",
    )
    .bind(RECOMPUTABLE.len().cast_signed() as i64)
    .bind(RECOMPUTABLE)
    .bind(pending - limit)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}

fn read_row(row: &SqliteRow) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        id: row.try_get("id")?,
        key: row.try_get::<String, _>("key")?.into(),
        payload: row.try_get("payload")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
    })
}
