//! What a block says of each hour without being unpacked: smallest, largest, sum and count of its values.
//!
//! Blocks follow each other, so an hour may have a cell in several of them; together they say what all the hour's values would.

use crate::telemetry::HOUR_MS;

use super::bytes::{Damaged, Input, put_varint};
use super::columns::{Scaled, floats, ints, put_floats, put_ints};

/// The values of one block within one hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Cell {
    /// The hour, counted from 1970-01-01 UTC.
    pub(in super::super) hour: i64,
    /// Smallest value.
    pub(in super::super) min: f64,
    /// Largest value.
    pub(in super::super) max: f64,
    /// Sum of the values.
    pub(in super::super) sum: f64,
    /// How many; at least one.
    pub(in super::super) count: u64,
}

/// The hour in which an instant lies.
pub(in super::super) const fn hour_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(HOUR_MS)
}

/// Cells of values in rising time.
pub(super) fn cells_of(times: &[i64], numbers: &[f64], scaled: Option<&Scaled>) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut whole_sum = 0_i128;
    for (place, (at, number)) in times.iter().zip(numbers).enumerate() {
        let hour = hour_of(*at);
        let whole = scaled.and_then(|scaled| scaled.whole.get(place).copied());
        let whole = i128::from(whole.unwrap_or_default());
        match cells.last_mut() {
            Some(cell) if cell.hour == hour => {
                cell.min = cell.min.min(*number);
                cell.max = cell.max.max(*number);
                cell.count += 1;
                whole_sum += whole;
                cell.sum = scaled.map_or(cell.sum + number, |scaled| scaled.sum(whole_sum));
            }
            _ => {
                whole_sum = whole;
                cells.push(Cell {
                    hour,
                    min: *number,
                    max: *number,
                    sum: *number,
                    count: 1,
                });
            }
        }
    }
    cells
}

/// Cells as bytes, column by column.
pub(super) fn pack(cells: &[Cell]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, cells.len() as u64);
    let hours: Vec<i64> = cells.iter().map(|cell| cell.hour).collect();
    let counts: Vec<i64> = cells.iter().map(|cell| cell.count.cast_signed()).collect();
    put_ints(&mut out, &hours);
    put_ints(&mut out, &counts);
    for column in [
        |cell: &Cell| cell.min,
        |cell: &Cell| cell.max,
        |cell: &Cell| cell.sum,
    ] {
        let numbers: Vec<f64> = cells.iter().map(column).collect();
        put_floats(&mut out, &numbers, Scaled::of(&numbers).as_ref());
    }
    out
}

/// Reads what [`pack`] wrote; `limit` is the most values that a block has, and so the most cells.
pub(in super::super) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<Cell>, Damaged> {
    let mut input = Input::new(bytes);
    let count = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
    if count > limit {
        return Err(Damaged);
    }
    let hours = ints(&mut input, count)?;
    let counts = ints(&mut input, count)?;
    let mins = floats(&mut input, count)?;
    let maxs = floats(&mut input, count)?;
    let sums = floats(&mut input, count)?;
    let columns = hours
        .into_iter()
        .zip(counts)
        .zip(mins.into_iter().zip(maxs).zip(sums));
    let cells = columns.map(|((hour, count), ((min, max), sum))| Cell {
        hour,
        min,
        max,
        sum,
        count: count.cast_unsigned(),
    });
    Ok(cells.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_has_its_own_extremes() {
        let times = [0, HOUR_MS - 1, HOUR_MS, -1];
        let cells = cells_of(&times, &[1.5, -2.0, 7.0, 3.0], None);
        let read: Vec<_> = cells
            .iter()
            .map(|c| (c.hour, c.min, c.max, c.sum, c.count))
            .collect();
        assert_eq!(
            read,
            [
                (0, -2.0, 1.5, -0.5, 2),
                (1, 7.0, 7.0, 7.0, 1),
                (-1, 3.0, 3.0, 3.0, 1)
            ]
        );
        assert_eq!(unpack(&pack(&cells), 10).unwrap(), cells);
        assert!(unpack(&pack(&cells), 2).is_err());
    }

    #[test]
    fn a_sum_of_decimals_is_the_decimal() {
        let numbers = [0.1; 10];
        let scaled = Scaled::of(&numbers);
        let cells = cells_of(&[0; 10], &numbers, scaled.as_ref());
        assert_eq!(
            cells[0].sum.to_bits(),
            1.0_f64.to_bits(),
            "0.1 ten times added is 0.9999999999999999"
        );
    }
}
