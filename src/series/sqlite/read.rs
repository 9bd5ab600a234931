//! Reading: blocks and what is not in blocks yet, as one.
//!
//! Leaves the longest ranges to `hours` and thinning to `windows`. Invariant: a read sees a whole write or nothing of it, and
//! nothing older than what is kept. For that the snapshot of the file is taken while the fresh values in memory are held: the file
//! may be ahead by one write, whose sealed values memory then still has, but never behind.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;
use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;

use super::super::check::clean;
use super::super::windows::Grid;
use super::super::windows::Thinner;
use super::super::{Extent, RangeQuery, Sample, Value};
use super::Failed;
use super::codec::block::Block;
use super::codec::block::Packer;
use super::hours;
use super::meta;
use super::tail::Tail;
use super::tail::Values;

/// Blocks of a series that reach into a span of time, in order.
const BLOCKS: &str = "SELECT data.bytes FROM block JOIN data ON data.id = block.data \
     WHERE series = ?1 AND last >= ?2 AND start < ?3 \
     AND start >= coalesce((SELECT max(start) FROM block WHERE series = ?1 AND start <= ?2), ?2) ORDER BY start";

/// The reading side of the store.
pub(super) struct Reader {
    connection: Connection,
    packer: Packer,
}

/// The file as it was at one instant.
pub(super) struct Snapshot<'reader> {
    pub(super) tx: Transaction<'reader>,
    pub(super) packer: &'reader mut Packer,
    /// Before this instant nothing is kept, ms.
    cutoff: i64,
}

/// A series of a field, with its fresh values in the span that is read.
pub(super) struct Source {
    pub(super) series: i64,
    pub(super) is_text: bool,
    pub(super) tail: Values,
}

impl Reader {
    /// Makes what unpacking needs.
    pub(super) fn new(connection: Connection) -> Result<Self, Failed> {
        Ok(Self {
            connection,
            packer: Packer::new()?,
        })
    }

    /// Whether the file answers.
    pub(super) fn health(&self) -> Result<(), Failed> {
        let count = "SELECT count(*) FROM meta";
        Ok(self.connection.query_row(count, [], |_| Ok(()))?)
    }

    fn begin<'reader, 'tail>(
        &'reader mut self,
        tail: &'tail RwLock<Tail>,
    ) -> Result<(Snapshot<'reader>, RwLockReadGuard<'tail, Tail>), Failed> {
        let tail = tail.read().unwrap_or_else(PoisonError::into_inner);
        let tx = self.connection.transaction()?;
        // The first read fixes the snapshot.
        let cutoff = meta(&tx, "cutoff")?;
        let snapshot = Snapshot {
            tx,
            packer: &mut self.packer,
            cutoff: cutoff.and_then(|ms| ms.parse().ok()).unwrap_or(i64::MIN),
        };
        Ok((snapshot, tail))
    }

    /// What a query reads: a snapshot, the series of the field, the span.
    fn sources(
        &mut self,
        tail: &RwLock<Tail>,
        query: &RangeQuery,
    ) -> Result<(Snapshot<'_>, Vec<Source>, Range<i64>), Failed> {
        let (snapshot, tail) = self.begin(tail)?;
        let span = query.from.ms().max(snapshot.cutoff)..query.to.ms();
        let mut sources = Vec::new();
        for (series, is_text) in
            snapshot.series_of(query.measurement, &query.device, &query.field)?
        {
            sources.push(Source {
                series,
                is_text,
                tail: tail.values(series, span.clone()),
            });
        }
        drop(tail);
        Ok((snapshot, sources, span))
    }

    /// Numbers, thinned.
    pub(super) fn range(
        &mut self,
        tail: &RwLock<Tail>,
        query: &RangeQuery,
    ) -> Result<Vec<Sample>, Failed> {
        let (mut snapshot, mut sources, span) = self.sources(tail, query)?;
        sources.retain(|source| !source.is_text);
        if span.start >= span.end {
            return Ok(Vec::new());
        }
        let grid = Grid::new(query);
        if grid.is_of_whole_hours() {
            let (windows, count) = hours::windows(&mut snapshot, &sources, &span, &grid)?;
            if count > u64::from(query.limit()) {
                return Ok(windows.samples());
            }
        }
        let mut thinner = Thinner::new(query);
        for source in &sources {
            snapshot.walk(source, &span, |at, value| {
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
        &mut self,
        tail: &RwLock<Tail>,
        query: &RangeQuery,
    ) -> Result<Vec<Value>, Failed> {
        let (mut snapshot, sources, span) = self.sources(tail, query)?;
        let limit = query.limit() as usize;
        let mut values = Vec::new();
        for source in &sources {
            let full = values.len() + limit;
            snapshot.walk(source, &span, |at, value| {
                let at = Timestamp::from_ms(at);
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
        &mut self,
        tail: &RwLock<Tail>,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, Failed> {
        let (mut snapshot, tail) = self.begin(tail)?;
        let span = snapshot.cutoff..i64::MAX;
        let mut fields = Vec::new();
        for (series, field) in snapshot.fields_of(measurement, device)? {
            let fresh = tail.newest(series, span.clone());
            fields.push((series, field, fresh));
        }
        drop(tail);
        let mut last: BTreeMap<SmolStr, Value> = BTreeMap::new();
        for (series, field, fresh) in fields {
            let Some(newest) = snapshot.newest(series, &span, fresh)? else {
                continue;
            };
            if last
                .get(&field)
                .is_none_or(|earlier| earlier.at <= newest.at)
            {
                last.insert(field, newest);
            }
        }
        Ok(last)
    }

    /// The newest value of a field before an instant.
    pub(super) fn before(
        &mut self,
        tail: &RwLock<Tail>,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> Result<Option<Value>, Failed> {
        let (mut snapshot, tail) = self.begin(tail)?;
        let span = snapshot.cutoff..at.ms();
        let series = snapshot.series_of(measurement, device, field)?;
        let found = series
            .into_iter()
            .map(|(series, _)| (series, tail.newest(series, span.clone())));
        let fresh: Vec<_> = found.collect();
        drop(tail);
        let mut newest: Option<Value> = None;
        for (series, fresh) in fresh {
            if let Some(read) = snapshot.newest(series, &span, fresh)?
                && newest.as_ref().is_none_or(|newest| newest.at <= read.at)
            {
                newest = Some(read);
            }
        }
        Ok(newest)
    }

    /// The first and the last instant of a field.
    pub(super) fn extent(
        &mut self,
        tail: &RwLock<Tail>,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> Result<Option<Extent>, Failed> {
        let first = RangeQuery {
            measurement,
            device: device.clone(),
            field: field.into(),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            points: 1,
        };
        let Some(first) = self.values(tail, &first)?.pop() else {
            return Ok(None);
        };
        let last = self.before(tail, measurement, device, field, Timestamp::MAX)?;
        Ok(Some(Extent {
            first: first.at,
            last: last.map_or(first.at, |last| last.at),
        }))
    }
}

impl Snapshot<'_> {
    /// The series of a field, one for each tag set, and whether they hold text.
    fn series_of(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> rusqlite::Result<Vec<(i64, bool)>> {
        self.tx
            .prepare_cached(
                "SELECT id, is_text FROM series WHERE measurement = ?1 AND device = ?2 AND field = ?3 ORDER BY id",
            )?
            .query_map(
                [measurement.as_str(), device.as_str(), &clean(field)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect()
    }

    fn fields_of(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> rusqlite::Result<Vec<(i64, SmolStr)>> {
        self.tx
            .prepare_cached(
                "SELECT id, field FROM series WHERE measurement = ?1 AND device = ?2 ORDER BY id",
            )?
            .query_map([measurement.as_str(), device.as_str()], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?.into()))
            })?
            .collect()
    }

    /// Hands over the values of a series in rising time, until `take` has enough.
    fn walk(
        &mut self,
        source: &Source,
        span: &Range<i64>,
        mut take: impl FnMut(i64, FieldValue) -> bool,
    ) -> Result<(), Failed> {
        let mut fresh = source
            .tail
            .iter()
            .map(|(at, value)| (*at, value.clone()))
            .peekable();
        let mut select = self.tx.prepare_cached(BLOCKS)?;
        let mut rows = select.query(params![source.series, span.start, span.end])?;
        while let Some(row) = rows.next()? {
            let block = unpack(self.packer, row)?;
            for place in places(&block.times, span) {
                let (Some(at), Some(value)) = (block.times.get(place), block.value(place)) else {
                    continue;
                };
                while let Some((earlier, value)) = fresh.next_if(|(fresh, _)| fresh < at) {
                    if !take(earlier, value) {
                        return Ok(());
                    }
                }
                let newer = fresh.next_if(|(fresh, _)| fresh == at);
                if !take(*at, newer.map_or(value, |(_, value)| value)) {
                    return Ok(());
                }
            }
        }
        for (at, value) in fresh {
            if !take(at, value) {
                break;
            }
        }
        Ok(())
    }

    /// The newest value of a series in a span; `fresh` is that of memory, which wins over a block's of the same instant.
    fn newest(
        &mut self,
        series: i64,
        span: &Range<i64>,
        fresh: Option<(i64, FieldValue)>,
    ) -> Result<Option<Value>, Failed> {
        let value = |(at, value)| Value {
            at: Timestamp::from_ms(at),
            value,
        };
        let mut select = self.tx.prepare_cached(
            "SELECT data.bytes, last FROM block JOIN data ON data.id = block.data WHERE series = ?1 AND start < ?2 ORDER BY start DESC LIMIT 1",
        )?;
        let packer = &mut *self.packer;
        let sealed = select
            .query_row(params![series, span.end], |row| {
                let last: i64 = row.get(1)?;
                if fresh.as_ref().is_some_and(|(at, _)| *at >= last) {
                    return Ok(Ok(None));
                }
                Ok(unpack(packer, row).map(Some))
            })
            .optional()?;
        let sealed = match sealed {
            Some(block) => block?.and_then(|block| {
                let place = places(&block.times, span).last()?;
                Some((*block.times.get(place)?, block.value(place)?))
            }),
            None => None,
        };
        let newest = match (sealed, fresh) {
            (Some(sealed), Some(fresh)) if sealed.0 > fresh.0 => Some(sealed),
            (sealed, None) => sealed,
            (_, fresh) => fresh,
        };
        Ok(newest.map(value))
    }
}

/// The block in the first column.
pub(super) fn unpack(packer: &mut Packer, row: &rusqlite::Row<'_>) -> Result<Block, Failed> {
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(packer.unpack(bytes)?)
}

/// Where the instants of a span lie among rising ones.
pub(super) fn places(times: &[i64], span: &Range<i64>) -> Range<usize> {
    let from = times.partition_point(|at| *at < span.start);
    let to = times.partition_point(|at| *at < span.end);
    from..to.max(from)
}
