//! Overviews of all devices and tickets: by model, by firmware, by reason of refusal, by fault.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use sqlx::Row as _;

use super::{Store, StoreError};
use crate::telemetry::Timestamp;

/// Reasons and sources that an overview tells apart; there are about twenty reasons.
const GROUPS_LIMIT: i64 = 500;

/// How the devices of a model stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCounts {
    /// Model.
    pub model: SmolStr,
    /// In service.
    pub devices: u64,
    /// Heard lately, and not gone on purpose.
    pub online: u64,
    /// Said goodbye, or lost their connection.
    pub offline: u64,
    /// Said to be online, and not heard lately.
    pub silent: u64,
    /// With at least one open ticket (no notice).
    pub with_ticket: u64,
    /// The firmware that most of them have, and how many.
    pub firmware: Option<(SmolStr, u64)>,
    /// Held until a person adopts them.
    pub quarantined: u64,
}

/// Messages refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedCounts {
    /// The reason by its name.
    pub reason: SmolStr,
    /// How many.
    pub count: u64,
    /// The device that most of them are of, and how many of them.
    pub mostly: Option<(SmolStr, u64)>,
    /// The newest one.
    pub newest: Timestamp,
}

impl Store {
    /// Devices by model; `recent` is since when a device counts as heard lately.
    pub async fn models(&self, recent: Timestamp) -> Result<Vec<ModelCounts>, StoreError> {
        let rows = sqlx::query(
            "SELECT model, \
             sum(CASE WHEN coalesce(standing, 'in_service') = 'in_service' THEN 1 ELSE 0 END), \
             sum(CASE WHEN coalesce(standing, 'in_service') = 'in_service' AND coalesce(online, 1) = 1 AND last_seen >= ?1 THEN 1 ELSE 0 END), \
             sum(CASE WHEN coalesce(standing, 'in_service') = 'in_service' AND coalesce(online, 1) = 0 THEN 1 ELSE 0 END), \
             sum(CASE WHEN coalesce(standing, 'in_service') = 'in_service' AND coalesce(online, 1) = 1 AND last_seen < ?1 THEN 1 ELSE 0 END), \
             sum(CASE WHEN standing = 'quarantined' THEN 1 ELSE 0 END) \
             FROM devices GROUP BY model ORDER BY 2 DESC, model",
        )
        .bind(recent.ms())
        .fetch_all(&self.readers)
        .await?;
        let count = |row: &sqlx::sqlite::SqliteRow, at: usize| {
            row.try_get::<i64, _>(at).map(i64::cast_unsigned)
        };
        let mut models = Vec::new();
        for row in &rows {
            models.push(ModelCounts {
                model: row.try_get::<String, _>(0)?.into(),
                devices: count(row, 1)?,
                online: count(row, 2)?,
                offline: count(row, 3)?,
                silent: count(row, 4)?,
                quarantined: count(row, 5)?,
                ..ModelCounts::default()
            });
        }
        let with_ticket = self
            .pairs("SELECT model, count(DISTINCT device) FROM tickets WHERE closed = 0 AND kind = 'ticket' GROUP BY model")
            .await?;
        let mut firmware = self.most_firmware().await?;
        for model in &mut models {
            model.with_ticket = with_ticket.get(&model.model).copied().unwrap_or(0);
            model.firmware = firmware.remove(&model.model);
        }
        Ok(models)
    }

    /// The firmware that most devices of a model have.
    async fn most_firmware(&self) -> Result<BTreeMap<SmolStr, (SmolStr, u64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT model, json_extract(identity, '$.fw') AS fw, count(*) AS n FROM devices \
             WHERE identity IS NOT NULL AND fw IS NOT NULL GROUP BY model, fw ORDER BY n",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let model: String = row.try_get(0)?;
                let firmware: String = row.try_get(1)?;
                let count = row.try_get::<i64, _>(2)?.cast_unsigned();
                // Rows come in rising number, so that the largest stays.
                Ok((model.into(), (firmware.into(), count)))
            })
            .collect()
    }

    /// Messages refused since an instant, by reason, most first. Those that a replay took are left out.
    pub async fn rejected_by_reason(
        &self,
        since: Timestamp,
    ) -> Result<Vec<RejectedCounts>, StoreError> {
        let rows = sqlx::query(
            "SELECT reason, coalesce(device, ''), count(*) AS n, max(received_at) FROM rejected \
             WHERE received_at >= ? AND replayed_at IS NULL GROUP BY reason, device ORDER BY n DESC LIMIT ?",
        )
        .bind(since.ms())
        .bind(GROUPS_LIMIT)
        .fetch_all(&self.readers)
        .await?;
        let mut reasons: Vec<RejectedCounts> = Vec::new();
        for row in &rows {
            let reason: SmolStr = row.try_get::<String, _>(0)?.into();
            let device: SmolStr = row.try_get::<String, _>(1)?.into();
            let count = row.try_get::<i64, _>(2)?.cast_unsigned();
            let newest = Timestamp::from_ms(row.try_get(3)?);
            let mostly = (!device.is_empty()).then_some((device, count));
            match reasons.iter_mut().find(|known| known.reason == reason) {
                Some(known) => {
                    known.count += count;
                    known.newest = known.newest.max(newest);
                    known.mostly = known.mostly.take().or(mostly);
                }
                None => reasons.push(RejectedCounts {
                    reason,
                    count,
                    mostly,
                    newest,
                }),
            }
        }
        reasons.sort_by_key(|known| std::cmp::Reverse(known.count));
        Ok(reasons)
    }

    /// Tickets of a model opened since an instant, by fault.
    pub async fn opened_by_fault(
        &self,
        model: &str,
        since: Timestamp,
    ) -> Result<BTreeMap<SmolStr, u64>, StoreError> {
        let rows = sqlx::query(
            "SELECT fault, count(*) FROM tickets WHERE model = ? AND opened_at >= ? GROUP BY fault",
        )
        .bind(model)
        .bind(since.ms())
        .fetch_all(&self.readers)
        .await?;
        read_pairs(&rows)
    }

    /// When the newest ticket was opened, and its id.
    pub async fn newest_ticket(&self) -> Result<Option<SmolStr>, StoreError> {
        let id: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM tickets")
            .fetch_one(&self.readers)
            .await?;
        Ok(id.map(|id| format!("T-{id}").into()))
    }

    async fn pairs(&self, sql: &'static str) -> Result<BTreeMap<SmolStr, u64>, StoreError> {
        read_pairs(&sqlx::query(sql).fetch_all(&self.readers).await?)
    }
}

fn read_pairs(rows: &[sqlx::sqlite::SqliteRow]) -> Result<BTreeMap<SmolStr, u64>, StoreError> {
    rows.iter()
        .map(|row| {
            let name: String = row.try_get(0)?;
            Ok((name.into(), row.try_get::<i64, _>(1)?.cast_unsigned()))
        })
        .collect()
}
