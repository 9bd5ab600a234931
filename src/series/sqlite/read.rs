//! Reading ranges and last values, day by day, in one snapshot of the file.
//!
//! Leaves thinning to `windows`. Invariant: a read sees a whole write or nothing of it, and nothing older than what is kept.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;
use rusqlite::types::ValueRef;
use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;

use super::super::check::clean;
use super::super::windows::Thinner;
use super::super::{RangeQuery, Sample, Value};
use super::{day_of, meta};

/// Numbers, thinned.
pub(super) fn range(
    connection: &mut Connection,
    query: &RangeQuery,
) -> rusqlite::Result<Vec<Sample>> {
    let tx = connection.transaction()?;
    let mut thinner = Thinner::new(query);
    for series in series_of(&tx, query)? {
        walk(&tx, series, query, |at, value| {
            if let FieldValue::Float(number) = value {
                thinner.add(at, number);
            }
            true
        })?;
    }
    Ok(thinner.samples())
}

/// Single values, the oldest ones.
pub(super) fn values(
    connection: &mut Connection,
    query: &RangeQuery,
) -> rusqlite::Result<Vec<Value>> {
    let tx = connection.transaction()?;
    let limit = query.limit() as usize;
    let mut values = Vec::new();
    for series in series_of(&tx, query)? {
        let full = values.len() + limit;
        walk(&tx, series, query, |at, value| {
            values.push(Value { at, value });
            values.len() < full
        })?;
    }
    values.sort_by_key(|value| value.at);
    values.truncate(limit);
    Ok(values)
}

/// The newest value of each field.
pub(super) fn last(
    connection: &mut Connection,
    measurement: Measurement,
    device: &DeviceId,
) -> rusqlite::Result<BTreeMap<SmolStr, Value>> {
    let tx = connection.transaction()?;
    let cutoff = cutoff_ms(&tx)?;
    let fields = tx
        .prepare_cached(
            "SELECT id, field, newest_day FROM series WHERE measurement = ?1 AND device = ?2",
        )?
        .query_map([measurement.as_str(), device.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, String, i64)>>>()?;
    let mut last: BTreeMap<SmolStr, Value> = BTreeMap::new();
    for (series, field, newest_day) in fields {
        let newest = tx
            .prepare_cached(&format!(
                "SELECT at, value FROM \"day {newest_day}\" WHERE series = ?1 AND at >= ?2 ORDER BY at DESC LIMIT 1"
            ))?
            .query_row([series, cutoff], |row| {
                Ok(Value {
                    at: Timestamp::from_ms(row.get(0)?),
                    value: value_of(row.get_ref(1)?)?,
                })
            })
            .optional()?;
        let Some(newest) = newest else { continue };
        let field = SmolStr::from(field);
        if last
            .get(&field)
            .is_none_or(|earlier| earlier.at <= newest.at)
        {
            last.insert(field, newest);
        }
    }
    Ok(last)
}

/// Hands over the values of a series in rising time, until `take` has enough.
fn walk(
    tx: &Transaction<'_>,
    series: i64,
    query: &RangeQuery,
    mut take: impl FnMut(Timestamp, FieldValue) -> bool,
) -> rusqlite::Result<()> {
    let from = query.from.ms().max(cutoff_ms(tx)?);
    let to = query.to.ms();
    if from >= to {
        return Ok(());
    }
    let days: Vec<i64> = tx
        .prepare_cached("SELECT day FROM day WHERE day BETWEEN ?1 AND ?2 ORDER BY day")?
        .query_map([day_of(from), day_of(to - 1)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for day in days {
        let mut select = tx.prepare_cached(&format!(
            "SELECT at, value FROM \"day {day}\" WHERE series = ?1 AND at >= ?2 AND at < ?3 ORDER BY at"
        ))?;
        let mut rows = select.query(params![series, from, to])?;
        while let Some(row) = rows.next()? {
            let at = Timestamp::from_ms(row.get(0)?);
            if !take(at, value_of(row.get_ref(1)?)?) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn series_of(tx: &Transaction<'_>, query: &RangeQuery) -> rusqlite::Result<Vec<i64>> {
    tx.prepare_cached(
        "SELECT id FROM series WHERE measurement = ?1 AND device = ?2 AND field = ?3 ORDER BY id",
    )?
    .query_map(
        [
            query.measurement.as_str(),
            query.device.as_str(),
            &clean(&query.field),
        ],
        |row| row.get(0),
    )?
    .collect()
}

fn value_of(value: ValueRef<'_>) -> rusqlite::Result<FieldValue> {
    match value {
        ValueRef::Text(text) => Ok(FieldValue::Text(String::from_utf8_lossy(text).into())),
        other => Ok(FieldValue::Float(other.as_f64()?)),
    }
}

/// Before this instant nothing is kept.
fn cutoff_ms(tx: &Transaction<'_>) -> rusqlite::Result<i64> {
    let cutoff = meta(tx, "cutoff")?;
    Ok(cutoff.and_then(|ms| ms.parse().ok()).unwrap_or(i64::MIN))
}
