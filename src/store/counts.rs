//! Numbers for metrics and overviews.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::telemetry::Verdict;

use super::tickets::ticket_number;
use super::{Store, StoreError};

/// How many of what the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open tickets and notices by status.
    pub open_tickets: BTreeMap<String, u64>,
    /// The same by severity.
    pub open_by_severity: BTreeMap<String, u64>,
    /// All tickets and notices.
    pub tickets: u64,
    /// Devices.
    pub devices: u64,
    /// Rejected messages that no replay has taken.
    pub rejected: u64,
    /// Deliveries waiting, by channel.
    pub outbox_pending: BTreeMap<String, u64>,
    /// Deliveries given up, by channel.
    pub outbox_dead: BTreeMap<String, u64>,
}

impl Store {
    /// Counts everything; reads indexes only, yet not for every request.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(Counts {
            open_tickets: self
                .grouped("SELECT status, count(*) FROM tickets WHERE closed = 0 GROUP BY status")
                .await?,
            open_by_severity: self
                .grouped(
                    "SELECT severity, count(*) FROM tickets WHERE closed = 0 GROUP BY severity",
                )
                .await?,
            tickets: self.single("SELECT count(*) FROM tickets").await?,
            devices: self.single("SELECT count(*) FROM devices").await?,
            rejected: self
                .single("SELECT count(*) FROM rejected WHERE replayed_at IS NULL")
                .await?,
            outbox_pending: self
                .grouped(
                    "SELECT channel, count(*) FROM outbox WHERE state = 'pending' GROUP BY channel",
                )
                .await?,
            outbox_dead: self
                .grouped(
                    "SELECT channel, count(*) FROM outbox WHERE state = 'dead' GROUP BY channel",
                )
                .await?,
        })
    }

    /// Cases that need a person: devices with an open ticket (no notice) that nobody has resolved yet.
    pub async fn open_cases(&self) -> Result<u64, StoreError> {
        self.single(
            "SELECT count(DISTINCT device) FROM tickets WHERE closed = 0 AND kind = 'ticket' AND status <> 'resolved'",
        )
        .await
    }

    /// How often which verdict was given on tickets of one fault of one model, the ticket `but` left out.
    pub async fn verdicts(
        &self,
        model: &str,
        fault: &str,
        but: &str,
    ) -> Result<BTreeMap<Verdict, u64>, StoreError> {
        let rows = sqlx::query(
            "SELECT json_extract(ticket, '$.verdict') AS verdict, count(*) FROM tickets \
             WHERE model = ? AND fault = ? AND id <> ? AND json_extract(ticket, '$.verdict') IS NOT NULL \
             GROUP BY verdict",
        )
        .bind(model)
        .bind(fault)
        .bind(ticket_number(but).unwrap_or(-1))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get(0)?;
                let verdict = serde_json::from_value(name.into())
                    .map_err(|error| StoreError::corrupt("a verdict", error))?;
                Ok((verdict, row.try_get::<i64, _>(1)?.cast_unsigned()))
            })
            .collect()
    }

    async fn single(&self, sql: &'static str) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&self.readers).await?;
        Ok(count.cast_unsigned())
    }

    async fn grouped(&self, sql: &'static str) -> Result<BTreeMap<String, u64>, StoreError> {
        sqlx::query(sql)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned())))
            .collect()
    }
}
