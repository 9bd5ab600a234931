//! Long ranges from hourly cells: a year of a field without unpacking its values.
//!
//! Leaves short ranges to `read`. Invariant: the windows are those that all the values would give (a mean up to rounding). An hour's
//! cells count only where the whole hour is wanted and no fresh value touches it; else its values are unpacked.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::params;

use crate::telemetry::FieldValue;
use crate::telemetry::HOUR_MS;

use super::super::windows::{Grid, Window, Windows};
use super::Failed;
use super::codec::Damaged;
use super::codec::block::Block;
use super::codec::block::Column;
use super::codec::block::VALUES_LIMIT;
use super::codec::cells;
use super::codec::cells::hour_of;
use super::read::Snapshot;
use super::read::Source;
use super::read::places;
use super::read::unpack;

/// What is known of the blocks of a series in a span of time without reading their values.
const CELLS: &str = "SELECT start, last, cells, data FROM block WHERE series = ?1 AND last >= ?2 AND start < ?3 \
     AND start >= coalesce((SELECT max(start) FROM block WHERE series = ?1 AND start <= ?2), ?2) ORDER BY start";

/// The windows of a span that begin with whole hours, and how many values they hold together.
pub(super) fn windows(
    snapshot: &mut Snapshot<'_>,
    sources: &[Source],
    span: &Range<i64>,
    grid: &Grid,
) -> Result<(Windows, u64), Failed> {
    let mut sum = Sum {
        windows: Windows::default(),
        count: 0,
        grid,
    };
    for source in sources {
        let unpacked = hours_to_unpack(source, span);
        let mut select = snapshot.tx.prepare_cached(CELLS)?;
        let mut rows = select.query(params![source.series, span.start, span.end])?;
        while let Some(row) = rows.next()? {
            let (start, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            let packed = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            for cell in cells::unpack(packed, VALUES_LIMIT)? {
                let begins = cell.hour * HOUR_MS;
                let is_inside = begins >= span.start && begins + HOUR_MS <= span.end;
                if is_inside && !unpacked.contains(&cell.hour) {
                    let values = Window {
                        min: cell.min,
                        max: cell.max,
                        sum: cell.sum,
                        count: cell.count,
                    };
                    sum.add(begins, &values);
                }
            }
            let hours = hour_of(start)..=hour_of(last);
            if unpacked.range(hours).next().is_some() {
                let data: i64 = row.get(3)?;
                let block = snapshot
                    .tx
                    .prepare_cached("SELECT bytes FROM data WHERE id = ?1")?
                    .query_row([data], |row| Ok(unpack(snapshot.packer, row)))??;
                sum.add_single(&block, source, span, &unpacked)?;
            }
        }
        for (at, value) in &source.tail {
            if let FieldValue::Float(number) = value {
                sum.add(*at, &Window::of(*number));
            }
        }
    }
    Ok((sum.windows, sum.count))
}

struct Sum<'grid> {
    windows: Windows,
    count: u64,
    grid: &'grid Grid,
}

impl Sum<'_> {
    fn add(&mut self, at_ms: i64, values: &Window) {
        self.windows.add(self.grid.start(at_ms), values);
        self.count += values.count;
    }

    /// The values of a block in some hours, but for those that were written over since.
    fn add_single(
        &mut self,
        block: &Block,
        source: &Source,
        span: &Range<i64>,
        hours: &BTreeSet<i64>,
    ) -> Result<(), Damaged> {
        let Column::Numbers(numbers) = &block.values else {
            return Err(Damaged);
        };
        let places = places(&block.times, span);
        let times = block.times.get(places.clone()).unwrap_or_default();
        let numbers = numbers.get(places).unwrap_or_default();
        let mut wanted = (i64::MIN, false);
        for (at, number) in times.iter().zip(numbers) {
            let hour = hour_of(*at);
            if wanted.0 != hour {
                wanted = (hour, hours.contains(&hour));
            }
            if wanted.1 && !source.tail.contains_key(at) {
                self.add(*at, &Window::of(*number));
            }
        }
        Ok(())
    }
}

/// Hours of which a cell says too much or too old a thing: those at both ends of the span, and those with fresh values.
fn hours_to_unpack(source: &Source, span: &Range<i64>) -> BTreeSet<i64> {
    let mut hours: BTreeSet<i64> = source.tail.keys().map(|at| hour_of(*at)).collect();
    for border in [span.start, span.end] {
        if border.rem_euclid(HOUR_MS) != 0 {
            hours.insert(hour_of(border));
        }
    }
    hours
}
