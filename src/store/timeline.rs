//! What happened to tickets: one ticket's timeline, and the changes of all for those who follow.

use serde_json::Value;
use smol_str::SmolStr;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::telemetry::Timestamp;

use super::tickets::ticket_number;
use super::{PAGE_LIMIT, Store, StoreError};

/// Most lines of one timeline that are read: the newest. A ticket that flaps every hour fills it in three weeks.
const TIMELINE_LIMIT: i64 = 500;

/// One line of the audit.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// Its number; grows with every change of any ticket.
    pub seq: i64,
    /// Which ticket.
    pub ticket: SmolStr,
    /// The ticket's version after it.
    pub version: u64,
    /// When, by the journal's time.
    pub at: Timestamp,
    /// What happened, such as `opened`.
    pub change: SmolStr,
    /// Which action; empty when the change says it all.
    pub what: SmolStr,
    /// Who; `None` for Foremend itself.
    pub by: Option<SmolStr>,
    /// What the person wrote; `None` when nothing, or when it was erased.
    pub text: Option<String>,
    /// The person wrote something that was erased since.
    pub erased: bool,
    /// When the event behind it happened, by the device's time.
    pub event_time: Timestamp,
    /// A JSON object: the fields that changed, with their new values.
    pub changed: Value,
}

const COLUMNS: &str = "SELECT audit.seq, audit.ticket, audit.version, audit.at, audit.change, audit.what, audit.by, \
     audit.event_time, audit.changed, blobs.text, blobs.erased \
     FROM audit LEFT JOIN blobs ON blobs.id = audit.blob ";

impl Store {
    /// What happened to a ticket, oldest first; of a very long story the newest 500 lines.
    pub async fn timeline(&self, ticket: &str) -> Result<Vec<TimelineEntry>, StoreError> {
        let Ok(number) = ticket_number(ticket) else {
            return Ok(Vec::new());
        };
        let sql = format!("{COLUMNS} WHERE audit.ticket = ? ORDER BY audit.version DESC LIMIT ?");
        let mut lines = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(number)
            .bind(TIMELINE_LIMIT)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_line)
            .collect::<Result<Vec<_>, _>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// Changes of all tickets after line `seq`, oldest first, at most `limit`.
    pub async fn changes_after(
        &self,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<TimelineEntry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE audit.seq > ? ORDER BY audit.seq LIMIT ?");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(seq)
            .bind(i64::try_from(limit.clamp(1, PAGE_LIMIT)).unwrap_or(1))
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_line)
            .collect()
    }
}

fn read_line(row: &SqliteRow) -> Result<TimelineEntry, StoreError> {
    let changed: String = row.try_get("changed")?;
    let by: Option<String> = row.try_get("by")?;
    let erased: Option<bool> = row.try_get("erased")?;
    let erased = erased.unwrap_or(false);
    let text: Option<String> = row.try_get("text")?;
    Ok(TimelineEntry {
        seq: row.try_get("seq")?,
        ticket: SmolStr::from(format!("T-{}", row.try_get::<i64, _>("ticket")?)),
        version: row.try_get::<i64, _>("version")?.cast_unsigned(),
        at: Timestamp::from_ms(row.try_get("at")?),
        change: row.try_get::<String, _>("change")?.into(),
        what: row.try_get::<String, _>("what")?.into(),
        by: by.map(SmolStr::from),
        text: text.filter(|_| !erased),
        erased,
        event_time: Timestamp::from_ms(row.try_get("event_time")?),
        changed: serde_json::from_str(&changed)
            .map_err(|error| StoreError::corrupt("a line of the audit", error))?,
    })
}
