//! Moving values into sealed blocks, also late ones and such that are written over.
//!
//! The blocks of a series follow each other without overlap, each within one [`PERIOD_MS`]; a value belongs into the last block that
//! begins at or before it. Leaves to `write` how much is moved when. Invariant: sealing the same values again changes nothing.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::telemetry::DAY_MS;
use crate::telemetry::FieldValue;

use super::Failed;
use super::codec::Damaged;
use super::codec::block::Block;
use super::codec::block::Column;
use super::codec::block::Packer;
use super::codec::block::TEXT_LIMIT;
use super::codec::block::VALUES_LIMIT;
use super::tail::Tail;

/// No block reaches beyond a multiple of this, so that forgetting what is old never waits long for what is newer in the same block.
/// Shorter ones would give series of a few values a day many small blocks.
pub(super) const PERIOD_MS: i64 = 28 * DAY_MS;
/// Most values of a series that are moved in one go.
const STEP_LIMIT: usize = 4 * VALUES_LIMIT;

/// What one transaction sealed.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// Of which series, up to which instant (exclusive).
    pub(super) done: Vec<(i64, i64)>,
    /// The whole generation is in blocks now.
    pub(super) all: bool,
}

/// A block that values are to be added to.
struct Target {
    start: i64,
    last: i64,
    count: i64,
    data: i64,
}

/// Where and since when values are put.
#[derive(Clone, Copy)]
struct Place<'db> {
    db: &'db Connection,
    series: i64,
    /// What is older is left out, ms.
    kept_from: i64,
}

/// Moves values into blocks.
pub(super) struct Sealer {
    packer: Packer,
}

impl Sealer {
    /// Makes what packing needs.
    pub(super) fn new() -> Result<Self, Failed> {
        Ok(Self {
            packer: Packer::new()?,
        })
    }

    /// Seals values of the tail until there were at least `quota` of them. What is older than `kept_from` is left out.
    pub(super) fn work(
        &mut self,
        db: &Connection,
        tail: &Tail,
        quota: usize,
        kept_from: i64,
    ) -> Result<Sealed, Failed> {
        let mut sealed = Sealed::default();
        let Some(generation) = tail.sealing() else {
            return Ok(sealed);
        };
        let mut moved = 0;
        for (series, values) in &generation.series {
            let mut rest = values.iter().peekable();
            while rest.peek().is_some() {
                if moved >= quota {
                    return Ok(sealed);
                }
                let step: Vec<_> = rest
                    .by_ref()
                    .take(STEP_LIMIT)
                    .map(|(at, value)| (*at, value.clone()))
                    .collect();
                self.seal(db, *series, &step, kept_from)?;
                moved += step.len();
                if let Some((last, _)) = step.last() {
                    sealed.done.push((*series, last + 1));
                }
            }
        }
        sealed.all = true;
        Ok(sealed)
    }

    /// Seals values of one series, given in rising time.
    pub(super) fn seal(
        &mut self,
        db: &Connection,
        series: i64,
        values: &[(i64, FieldValue)],
        kept_from: i64,
    ) -> Result<(), Failed> {
        let place = Place {
            db,
            series,
            kept_from,
        };
        let expired = values.partition_point(|(at, _)| *at < kept_from);
        let mut rest = values.get(expired..).unwrap_or_default();
        while let Some((first, _)) = rest.first() {
            let end = first.div_euclid(PERIOD_MS) * PERIOD_MS + PERIOD_MS;
            let target = target(db, series, *first, end)?;
            let border = match &target {
                Some(target) => next_start(db, series, target.start, end)?,
                None => end,
            };
            let count = rest.partition_point(|(at, _)| *at < border);
            let (taken, later) = rest.split_at(count.max(1));
            rest = later;
            // Behind a full block a new one begins, and the full one stays as it is.
            let target = target.filter(|t| *first <= t.last || t.count < whole(VALUES_LIMIT));
            self.fill(place, target, taken, border == end)?;
        }
        Ok(())
    }

    /// Puts values into a block, or into a new one; too many become several.
    fn fill(
        &mut self,
        place: Place<'_>,
        target: Option<Target>,
        fresh: &[(i64, FieldValue)],
        is_newest: bool,
    ) -> Result<(), Failed> {
        let Place {
            db,
            series,
            kept_from,
        } = place;
        let mut merged = Vec::new();
        if let Some(target) = &target {
            let bytes: Vec<u8> = db
                .prepare_cached("SELECT bytes FROM data WHERE id = ?1")?
                .query_row([target.data], |row| row.get(0))?;
            let old = self.packer.unpack(&bytes)?;
            merge(&old, fresh, kept_from, &mut merged);
            db.prepare_cached("DELETE FROM block WHERE series = ?1 AND start = ?2")?
                .execute([series, target.start])?;
        } else {
            merged.extend_from_slice(fresh);
        }
        let first = fresh.first().map_or(i64::MIN, |(first, _)| *first);
        let appends = is_newest && target.as_ref().is_none_or(|target| target.last < first);
        let mut data = target.map(|target| target.data);
        let mut rest = merged.as_slice();
        // Behind the newest block more will come: it is filled. Where late values came all parts keep room for others.
        let size = if appends {
            VALUES_LIMIT
        } else {
            rest.len()
                .div_ceil(rest.len().div_ceil(VALUES_LIMIT).max(1))
        };
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(piece(rest, size));
            rest = later;
            self.put(db, series, piece, data.take())?;
        }
        if let Some(data) = data {
            // All that was in it is too old.
            db.execute("DELETE FROM data WHERE id = ?1", [data])?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        db: &Connection,
        series: i64,
        values: &[(i64, FieldValue)],
        data: Option<i64>,
    ) -> Result<(), Failed> {
        let (Some((start, _)), Some((last, _))) = (values.first(), values.last()) else {
            return Ok(());
        };
        let packed = self.packer.pack(&block_of(values)?)?;
        let data = if let Some(data) = data {
            db.prepare_cached("UPDATE data SET bytes = ?2 WHERE id = ?1")?
                .execute(params![data, packed.bytes])?;
            data
        } else {
            db.prepare_cached("INSERT INTO data (bytes) VALUES (?1)")?
                .execute([packed.bytes])?;
            db.last_insert_rowid()
        };
        db.prepare_cached(
            "INSERT INTO block (series, start, last, count, cells, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![series, start, last, whole(values.len()), packed.cells, data])?;
        Ok(())
    }
}

/// A number of values as the file has it.
pub(super) fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The block that an instant belongs into: the last one of its period that begins at or before it, else the period's first.
fn target(db: &Connection, series: i64, at: i64, end: i64) -> rusqlite::Result<Option<Target>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Target {
            start: row.get(0)?,
            last: row.get(1)?,
            count: row.get(2)?,
            data: row.get(3)?,
        })
    };
    let before = db
        .prepare_cached(
            "SELECT start, last, count, data FROM block WHERE series = ?1 AND start >= ?2 AND start <= ?3 ORDER BY start DESC LIMIT 1",
        )?
        .query_row([series, end - PERIOD_MS, at], read)
        .optional()?;
    if before.is_some() {
        return Ok(before);
    }
    db.prepare_cached(
        "SELECT start, last, count, data FROM block WHERE series = ?1 AND start > ?2 AND start < ?3 ORDER BY start LIMIT 1",
    )?
    .query_row([series, at, end], read)
    .optional()
}

/// Where the block behind this one begins, or the period ends.
fn next_start(db: &Connection, series: i64, start: i64, end: i64) -> rusqlite::Result<i64> {
    let next = db
        .prepare_cached(
            "SELECT start FROM block WHERE series = ?1 AND start > ?2 AND start < ?3 ORDER BY start LIMIT 1",
        )?
        .query_row([series, start, end], |row| row.get(0))
        .optional()?;
    Ok(next.unwrap_or(end))
}

/// Both in rising time; of the same instant the fresh value.
fn merge(
    old: &Block,
    fresh: &[(i64, FieldValue)],
    kept_from: i64,
    out: &mut Vec<(i64, FieldValue)>,
) {
    let mut fresh = fresh.iter().peekable();
    for (place, at) in old.times.iter().enumerate() {
        while let Some(earlier) = fresh.next_if(|(fresh, _)| fresh < at) {
            out.push(earlier.clone());
        }
        let newer = fresh.next_if(|(fresh, _)| fresh == at);
        let value = newer
            .map(|(_, value)| value.clone())
            .or_else(|| old.value(place));
        if *at >= kept_from {
            out.extend(value.map(|value| (*at, value)));
        }
    }
    out.extend(fresh.cloned());
}

/// How many values make the next block.
fn piece(values: &[(i64, FieldValue)], size: usize) -> usize {
    let mut text_bytes = 0;
    for (place, (_, value)) in values.iter().enumerate().take(size) {
        if let FieldValue::Text(text) = value {
            text_bytes += text.len();
            if text_bytes > TEXT_LIMIT && place > 0 {
                return place;
            }
        }
    }
    values.len().min(size)
}

/// All values of a series are of one kind: `write` refuses others.
fn block_of(values: &[(i64, FieldValue)]) -> Result<Block, Damaged> {
    let times = values.iter().map(|(at, _)| *at).collect();
    let is_text = matches!(values.first(), Some((_, FieldValue::Text(_))));
    let values = if is_text {
        let texts = values.iter().map(|(_, value)| match value {
            FieldValue::Text(text) => Ok(text.clone()),
            FieldValue::Float(_) => Err(Damaged),
        });
        Column::Texts(texts.collect::<Result<_, _>>()?)
    } else {
        let numbers = values.iter().map(|(_, value)| match value {
            FieldValue::Float(number) => Ok(*number),
            FieldValue::Text(_) => Err(Damaged),
        });
        Column::Numbers(numbers.collect::<Result<_, _>>()?)
    };
    Ok(Block { times, values })
}
