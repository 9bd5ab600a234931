//! Writing rows and forgetting days.
//!
//! Leaves opening and threads to the parent. Invariant: memory (known series, days) never runs ahead of the file: after a
//! failed transaction it is emptied and read again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use crate::telemetry::Point;
use crate::telemetry::Timestamp;

use super::super::check::{Checked, CheckedValue, check};
use super::super::{RefusedReason, WriteReport};
use super::day_of;

/// Most series whose number is remembered, some 30 MB; when there are more, all are forgotten and looked up again.
const KNOWN_LIMIT: usize = 200_000;
/// Most day tables: eleven years. A point of a further day is refused, so that wild clocks cannot fill the file with tables.
const DAYS_LIMIT: usize = 4_000;

/// The writing side of the store.
pub(super) struct Rows {
    connection: Connection,
    /// By measurement, device, field and tags in one text.
    known: HashMap<String, Known>,
    days: BTreeSet<i64>,
    /// Points before this instant are refused.
    cutoff: Option<Timestamp>,
}

/// What is remembered of a series.
#[derive(Clone, Copy)]
struct Known {
    id: i64,
    is_text: bool,
    newest_day: i64,
}

impl Rows {
    /// Reads which days there are and since when points are kept.
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let cutoff = super::meta(&connection, "cutoff")?
            .and_then(|ms| ms.parse().ok())
            .map(Timestamp::from_ms);
        let days = days(&connection)?;
        Ok(Self {
            connection,
            known: HashMap::new(),
            days,
            cutoff,
        })
    }

    /// Stores points in one transaction.
    pub(super) fn write(&mut self, points: &[Point]) -> rusqlite::Result<WriteReport> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            tx: &tx,
            known: &mut self.known,
            days: &mut self.days,
            key: String::new(),
        };
        let mut report = WriteReport::default();
        let mut result = Ok(());
        for point in points {
            let Some(checked) = check(point, &mut report) else {
                continue;
            };
            if self.cutoff.is_some_and(|cutoff| point.at < cutoff) {
                report.refuse(RefusedReason::OutsideRetention, 1);
                continue;
            }
            result = batch.point(&checked, &mut report);
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| tx.commit());
        if let Err(error) = result {
            self.known.clear();
            self.days = days(&self.connection)?;
            return Err(error);
        }
        Ok(report)
    }

    /// Forgets what is older than `cutoff` and refuses it from now on.
    pub(super) fn keep_from(&mut self, cutoff: Option<Timestamp>) -> rusqlite::Result<()> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(cutoff) = cutoff {
            let first = day_of(cutoff.ms());
            for day in self.days.range(..first) {
                tx.execute_batch(&format!("DROP TABLE IF EXISTS \"day {day}\""))?;
            }
            tx.execute("DELETE FROM day WHERE day < ?1", [first])?;
            tx.execute("DELETE FROM series WHERE newest_day < ?1", [first])?;
            tx.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('cutoff', ?1)",
                [cutoff.ms().to_string()],
            )?;
        } else {
            tx.execute("DELETE FROM meta WHERE key = 'cutoff'", [])?;
        }
        tx.commit()?;
        self.cutoff = cutoff;
        self.known.clear();
        self.days = days(&self.connection)?;
        Ok(())
    }
}

/// One transaction's work.
struct Batch<'rows> {
    tx: &'rows Transaction<'rows>,
    known: &'rows mut HashMap<String, Known>,
    days: &'rows mut BTreeSet<i64>,
    key: String,
}

impl Batch<'_> {
    fn point(&mut self, point: &Checked<'_>, report: &mut WriteReport) -> rusqlite::Result<()> {
        let day = day_of(point.at_ms);
        if !self.days.contains(&day) {
            if self.days.len() >= DAYS_LIMIT {
                report.refuse(RefusedReason::TimeOutOfRange, 1);
                return Ok(());
            }
            self.make_day(day)?;
        }
        let mut series = Vec::with_capacity(point.fields.len());
        for (field, value) in &point.fields {
            let is_text = matches!(value, CheckedValue::Text(_));
            let known = self.series(point, field, is_text, day)?;
            // As InfluxDB does: the whole point is dropped.
            if known.is_text != is_text {
                report.refuse(RefusedReason::FieldTypeConflict, 1);
                return Ok(());
            }
            series.push(known.id);
        }
        let mut insert = self.tx.prepare_cached(&format!(
            "INSERT OR REPLACE INTO \"day {day}\" (series, at, value) VALUES (?1, ?2, ?3)"
        ))?;
        for (id, (_, value)) in series.into_iter().zip(&point.fields) {
            match value {
                CheckedValue::Float(number) => insert.execute(params![id, point.at_ms, number])?,
                CheckedValue::Text(text) => insert.execute(params![id, point.at_ms, text])?,
            };
        }
        report.written += 1;
        Ok(())
    }

    fn make_day(&mut self, day: i64) -> rusqlite::Result<()> {
        self.tx.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS \"day {day}\" (series INTEGER NOT NULL, at INTEGER NOT NULL, value NOT NULL, \
             PRIMARY KEY (series, at)) WITHOUT ROWID;"
        ))?;
        self.tx
            .execute("INSERT OR IGNORE INTO day (day) VALUES (?1)", [day])?;
        self.days.insert(day);
        Ok(())
    }

    /// The series of a field, made if it is new.
    fn series(
        &mut self,
        point: &Checked<'_>,
        field: &str,
        is_text: bool,
        day: i64,
    ) -> rusqlite::Result<Known> {
        let (device, tags) = identity(point);
        self.key.clear();
        // No name holds a control character, so the parts stay apart.
        let _infallible = write!(
            self.key,
            "{}\0{device}\0{field}\0{tags}",
            point.measurement.as_str()
        );
        let mut known = match self.known.get(&self.key) {
            Some(known) => *known,
            None => self.look_up(
                [point.measurement.as_str(), &device, field, &tags],
                is_text,
                day,
            )?,
        };
        if known.newest_day < day && known.is_text == is_text {
            self.tx
                .prepare_cached("UPDATE series SET newest_day = ?2 WHERE id = ?1")?
                .execute([known.id, day])?;
            known.newest_day = day;
        }
        if self.known.len() >= KNOWN_LIMIT {
            self.known.clear();
        }
        self.known.insert(self.key.clone(), known);
        Ok(known)
    }

    fn look_up(&self, parts: [&str; 4], is_text: bool, day: i64) -> rusqlite::Result<Known> {
        let found = self
            .tx
            .prepare_cached(
                "SELECT id, is_text, newest_day FROM series WHERE measurement = ?1 AND device = ?2 AND field = ?3 AND tags = ?4",
            )?
            .query_row(parts, |row| {
                Ok(Known {
                    id: row.get(0)?,
                    is_text: row.get(1)?,
                    newest_day: row.get(2)?,
                })
            })
            .optional()?;
        if let Some(known) = found {
            return Ok(known);
        }
        let [measurement, device, field, tags] = parts;
        self.tx
            .prepare_cached(
                "INSERT INTO series (measurement, device, field, tags, is_text, newest_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![measurement, device, field, tags, is_text, day])?;
        Ok(Known {
            id: self.tx.last_insert_rowid(),
            is_text,
            newest_day: day,
        })
    }
}

/// The device as `model/serial`, and the other tags in one text.
fn identity(point: &Checked<'_>) -> (String, String) {
    let named: BTreeMap<&str, &str> = point
        .tags
        .iter()
        .map(|(key, value)| (key.as_ref(), value.as_ref()))
        .collect();
    let of = |key: &str| named.get(key).copied().unwrap_or_default();
    let device = format!("{}/{}", of("model"), of("serial"));
    let mut tags = String::new();
    for (key, value) in &point.tags {
        if key != "model" && key != "serial" {
            let _infallible = write!(tags, "{key}\u{1}{value}\u{2}");
        }
    }
    (device, tags)
}

fn days(connection: &Connection) -> rusqlite::Result<BTreeSet<i64>> {
    connection
        .prepare("SELECT day FROM day")?
        .query_map([], |row| row.get(0))?
        .collect()
}
