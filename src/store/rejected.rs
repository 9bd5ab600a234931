//! Messages that could not be used: kept with their reason until a replay takes them or newer ones push them out.

use std::sync::atomic::Ordering;

use smol_str::SmolStr;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};

use crate::telemetry::{DeviceId, Position, Timestamp};

use super::cursor::{cut_to, number, read_cursor, write_cursor};
use super::{PAGE_LIMIT, PAYLOAD_KEPT_BYTES, Page, RejectedMessage, Store, StoreError};

/// How many are kept: with full payloads about 200 MiB. Older ones are dropped from here and remain in the journal.
const REJECTED_KEPT: i64 = 50_000;
/// Old ones are removed once per so many new ones.
const PRUNE_EVERY: u64 = 1_000;
/// Longest detail that is kept, in characters; decode says at most a few hundred.
const DETAIL_LIMIT_CHARS: usize = 1_000;
/// `item` of a message that was refused as a whole.
const WHOLE: i64 = -1;
/// The list's name in its cursors.
const CURSOR: &str = "rejected";

/// A message (or one record of a batch) that could not be used, as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Where it lies in the journal.
    pub position: Position,
    /// Index of the record in its batch; `None` when the whole message was refused.
    pub item: Option<u32>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Which connection it came over.
    pub source: SmolStr,
    /// The MQTT topic.
    pub topic: SmolStr,
    /// The class of the refusal.
    pub reason: SmolStr,
    /// What exactly was wrong.
    pub detail: String,
    /// The first [`PAYLOAD_KEPT_BYTES`] of the payload.
    pub payload: Vec<u8>,
    /// Length of the payload as the pipeline had it, in bytes.
    pub payload_len: u64,
    /// The device, when the topic told it.
    pub device: Option<DeviceId>,
    /// When a replay took it.
    pub replayed_at: Option<Timestamp>,
}

/// Which of them. `None` asks for nothing. Listed newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedFilter {
    /// This reason.
    pub reason: Option<String>,
    /// This device.
    pub device: Option<DeviceId>,
    /// Taken by a replay (`true`) or still refused (`false`).
    pub replayed: Option<bool>,
    /// At most so many, 1 to [`PAGE_LIMIT`]; 0 counts as 1.
    pub limit: usize,
    /// `next` of the page before.
    pub after: Option<String>,
}

impl Store {
    /// A page of rejected messages.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when `after` is not a cursor of this list.
    pub async fn rejected(&self, filter: &RejectedFilter) -> Result<Page<RejectedRow>, StoreError> {
        let limit = filter.limit.clamp(1, PAGE_LIMIT);
        let mut query = QueryBuilder::new("SELECT * FROM rejected WHERE 1 = 1");
        if let Some(reason) = &filter.reason {
            query.push(" AND reason = ").push_bind(reason.clone());
        }
        if let Some(device) = &filter.device {
            query.push(" AND device = ").push_bind(device.to_string());
        }
        match filter.replayed {
            Some(true) => {
                query.push(" AND replayed_at IS NOT NULL");
            }
            Some(false) => {
                query.push(" AND replayed_at IS NULL");
            }
            None => {}
        }
        if let Some(cursor) = &filter.after {
            let [position, item] = read_cursor(cursor, CURSOR)?;
            query.push(" AND (position, item) < (");
            let mut keys = query.separated(", ");
            keys.push_bind(number(cursor, position)?);
            keys.push_bind(number(cursor, item)?);
            query.push(")");
        }
        query.push(" ORDER BY position DESC, item DESC LIMIT ");
        query.push_bind(limit.cast_signed() as i64 + 1);
        let mut items = query
            .build()
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_rejected)
            .collect::<Result<Vec<_>, _>>()?;
        let more = cut_to(&mut items, limit);
        let next = items.last().filter(|_| more).map(|last| {
            let item = last.item.map_or(WHOLE, i64::from);
            write_cursor(CURSOR, &[&last.position, &item])
        });
        Ok(Page { items, next })
    }

    /// What was refused at these positions, in their order; at most [`PAGE_LIMIT`] positions are looked at.
    pub async fn rejected_at(
        &self,
        positions: &[Position],
    ) -> Result<Vec<RejectedRow>, StoreError> {
        let mut query = QueryBuilder::new("SELECT * FROM rejected WHERE position IN (");
        let mut list = query.separated(", ");
        for position in positions.iter().take(PAGE_LIMIT) {
            list.push_bind(position.0.cast_signed());
        }
        query.push(") ORDER BY position, item");
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(read_rejected).collect()
    }

    /// Which of these positions hold rejected messages that no replay has taken.
    pub async fn still_rejected(
        &self,
        positions: &[Position],
    ) -> Result<Vec<Position>, StoreError> {
        let mut query = QueryBuilder::new(
            "SELECT DISTINCT position FROM rejected WHERE replayed_at IS NULL AND position IN (",
        );
        let mut list = query.separated(", ");
        for position in positions {
            list.push_bind(position.0.cast_signed());
        }
        query.push(") ORDER BY position");
        let rows: Vec<i64> = query.build_query_scalar().fetch_all(&self.readers).await?;
        Ok(rows
            .into_iter()
            .map(|p| Position(p.cast_unsigned()))
            .collect())
    }

    /// The oldest positions from `from` on and before `before`, at most [`PAGE_LIMIT`], that hold messages still refused for this
    /// reason or of this device, and whether there are more. `None` asks for nothing.
    pub async fn oldest_rejected(
        &self,
        reason: Option<&str>,
        device: Option<&DeviceId>,
        within: std::ops::Range<Position>,
    ) -> Result<(Vec<Position>, bool), StoreError> {
        let mut query =
            QueryBuilder::new("SELECT DISTINCT position FROM rejected WHERE replayed_at IS NULL");
        let bound = |position: Position| i64::try_from(position.0).unwrap_or(i64::MAX);
        query
            .push(" AND position >= ")
            .push_bind(bound(within.start));
        query.push(" AND position < ").push_bind(bound(within.end));
        if let Some(reason) = reason {
            query.push(" AND reason = ").push_bind(reason.to_owned());
        }
        if let Some(device) = device {
            query.push(" AND device = ").push_bind(device.to_string());
        }
        query.push(" ORDER BY position LIMIT ");
        query.push_bind(PAGE_LIMIT.cast_signed() as i64 + 1);
        let rows: Vec<i64> = query.build_query_scalar().fetch_all(&self.readers).await?;
        let mut positions: Vec<Position> = rows
            .into_iter()
            .map(|position| Position(position.cast_unsigned()))
            .collect();
        let more = cut_to(&mut positions, PAGE_LIMIT);
        Ok((positions, more))
    }

    /// Removes the oldest beyond what is kept, once in a while.
    pub(super) async fn prune_rejected(
        &self,
        connection: &mut SqliteConnection,
        written: usize,
    ) -> Result<(), StoreError> {
        let since = &self.shared.rejected_since_prune;
        let count = since.fetch_add(written as u64, Ordering::Relaxed) + written as u64;
        if count < PRUNE_EVERY {
            return Ok(());
        }
        since.store(0, Ordering::Relaxed);
        prune(connection, REJECTED_KEPT).await
    }
}

pub(super) async fn prune(connection: &mut SqliteConnection, keep: i64) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM rejected WHERE position <= \
         (SELECT position FROM rejected ORDER BY position DESC LIMIT 1 OFFSET ?)",
    )
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(())
}

/// A replay decoded this message once more; what it refuses again is written after this.
pub(super) async fn mark_replayed(
    connection: &mut SqliteConnection,
    position: Position,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE rejected SET replayed_at = ? WHERE position = ?")
        .bind(at.ms())
        .bind(position.0.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    message: &RejectedMessage,
) -> Result<(), StoreError> {
    let kept = message.payload.get(..PAYLOAD_KEPT_BYTES);
    let detail: String = message.detail.chars().take(DETAIL_LIMIT_CHARS).collect();
    sqlx::query(
        "INSERT INTO rejected (position, item, received_at, source, topic, reason, detail, payload, payload_len, device) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (position, item) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
         device = excluded.device, replayed_at = NULL",
    )
    .bind(message.position.0.cast_signed())
    .bind(message.item.map_or(WHOLE, i64::from))
    .bind(message.received_at.ms())
    .bind(message.source.as_str())
    .bind(message.topic.as_str())
    .bind(message.reason.as_str())
    .bind(detail)
    .bind(kept.unwrap_or(&message.payload))
    .bind(i64::try_from(message.payload.len()).unwrap_or(i64::MAX))
    .bind(message.device.as_ref().map(DeviceId::as_str))
    .execute(connection)
    .await?;
    Ok(())
}

fn read_rejected(row: &SqliteRow) -> Result<RejectedRow, StoreError> {
    let device: Option<String> = row.try_get("device")?;
    let replayed_at: Option<i64> = row.try_get("replayed_at")?;
    Ok(RejectedRow {
        position: Position(row.try_get::<i64, _>("position")?.cast_unsigned()),
        item: u32::try_from(row.try_get::<i64, _>("item")?).ok(),
        received_at: Timestamp::from_ms(row.try_get("received_at")?),
        source: row.try_get::<String, _>("source")?.into(),
        topic: row.try_get::<String, _>("topic")?.into(),
        reason: row.try_get::<String, _>("reason")?.into(),
        detail: row.try_get("detail")?,
        payload: row.try_get("payload")?,
        payload_len: row.try_get::<i64, _>("payload_len")?.cast_unsigned(),
        device: device.and_then(|device| device.parse().ok()),
        replayed_at: replayed_at.map(Timestamp::from_ms),
    })
}
