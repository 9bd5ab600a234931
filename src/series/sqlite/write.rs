//! Writing: a batch becomes one row of the log, and with it a share of what waits in memory is sealed, in one transaction.
//!
//! Leaves opening and threads to the parent. Invariant: memory (known series, fresh values) never runs ahead of the file: it changes
//! after the commit, and names are read again after a transaction that failed.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::telemetry::FieldValue;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

use super::super::check::{Checked, CheckedValue, check};
use super::super::{RefusedReason, WriteReport};
use super::Failed;
use super::codec::log::Fresh;
use super::codec::log::pack;
use super::codec::log::unpack;
use super::forget::Forgetting;
use super::names::Names;
use super::names::Series;
use super::seal::Sealer;
use super::tail::SqliteLimits;
use super::tail::Tail;

/// The writing side of the store.
pub(super) struct Rows {
    pub(super) connection: Connection,
    pub(super) tail: Arc<RwLock<Tail>>,
    pub(super) names: Names,
    pub(super) forgetting: Forgetting,
    sealer: Sealer,
    limits: SqliteLimits,
    /// Points before this instant are refused.
    pub(super) cutoff: Option<Timestamp>,
}

impl Rows {
    /// Reads since when points are kept, and the log into memory.
    pub(super) fn new(connection: Connection, limits: SqliteLimits) -> Result<Self, Failed> {
        let cutoff = super::meta(&connection, "cutoff")?
            .and_then(|ms| ms.parse().ok())
            .map(Timestamp::from_ms);
        let mut tail = read_log(&connection)?;
        tail.turn(&limits);
        Ok(Self {
            connection,
            tail: Arc::new(RwLock::new(tail)),
            names: Names::default(),
            forgetting: Forgetting::default(),
            sealer: Sealer::new()?,
            limits,
            cutoff,
        })
    }

    /// Stores points in one transaction.
    pub(super) fn write(&mut self, points: &[Point]) -> Result<WriteReport, Failed> {
        let result = self.try_write(points);
        if result.is_err() {
            self.names.clear();
        }
        result
    }

    fn try_write(&mut self, points: &[Point]) -> Result<WriteReport, Failed> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut report = WriteReport::default();
        let mut entries = Vec::with_capacity(points.iter().map(|point| point.fields.len()).sum());
        let mut series = Vec::new();
        for point in points {
            let Some(checked) = check(point, &mut report) else {
                continue;
            };
            if self.cutoff.is_some_and(|cutoff| point.at < cutoff) {
                report.refuse(RefusedReason::OutsideRetention, 1);
                continue;
            }
            self.names.of(&tx, &checked, &mut series)?;
            // As InfluxDB does: the whole point is dropped.
            let pairs = || series.iter().zip(&checked.fields);
            if pairs().any(|(series, (_, value))| series.is_text != value.is_text()) {
                report.refuse(RefusedReason::FieldTypeConflict, 1);
                continue;
            }
            add(&series, checked, &mut entries);
            report.written += 1;
        }
        let row = if entries.is_empty() {
            None
        } else {
            tx.prepare_cached("INSERT INTO log (bytes) VALUES (?1)")?
                .execute([pack(&entries)])?;
            Some(tx.last_insert_rowid())
        };
        let sealed = {
            // Nobody else changes it.
            let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
            let quota = if tail.is_behind(&self.limits) {
                usize::MAX
            } else {
                self.limits.sealed_per_write.max(2 * entries.len())
            };
            let kept_from = self.cutoff.map_or(i64::MIN, Timestamp::ms);
            let sealed = self.sealer.work(&tx, &tail, quota, kept_from)?;
            if let Some(generation) = tail.sealing().filter(|_| sealed.all) {
                tx.execute("DELETE FROM log WHERE id <= ?1", [generation.last_row])?;
            }
            sealed
        };
        tx.commit()?;
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = row {
            tail.take(row, entries);
        }
        tail.sealed(&sealed.done);
        tail.turn(&self.limits);
        Ok(report)
    }
}

/// The values of a point with the numbers of their series.
fn add(series: &[Series], point: Checked<'_>, entries: &mut Vec<Fresh>) {
    let values = series.iter().zip(point.fields);
    entries.extend(values.map(|(series, (_, value))| Fresh {
        series: series.id,
        at: point.at_ms,
        value: match value {
            CheckedValue::Float(number) => FieldValue::Float(number),
            CheckedValue::Text(text) => FieldValue::Text(text.into()),
        },
    }));
}

/// What was not sealed when the file was left. Values of series that are gone by now are of no use.
fn read_log(connection: &Connection) -> Result<Tail, Failed> {
    let known = connection
        .prepare("SELECT id FROM series")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<std::collections::BTreeSet<i64>>>()?;
    let mut tail = Tail::default();
    let mut select = connection.prepare("SELECT id, bytes FROM log ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let entries = unpack(bytes)?.into_iter();
        tail.take(
            row.get(0)?,
            entries.filter(|entry| known.contains(&entry.series)),
        );
    }
    Ok(tail)
}
