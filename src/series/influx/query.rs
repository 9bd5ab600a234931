//! Reads ranges and last values back, in Flux of our own quoting: this server knows no query parameters.
//!
//! Leaves CSV to `tables`. Invariant: what a caller names can only be compared with, never become part of the script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;

use super::super::check::clean;
use super::super::windows::{Grid, Window, Windows};
use super::super::{Extent, RangeQuery, Sample, SeriesError, Value};
use super::tables::{Row, query_error, rows};
use super::{ANSWER_LIMIT, InfluxStore, message, read_all, refused, short, unanswered};

/// The instants that the database can hold, with room for both ends: the years 1678 to 2261.
const EARLIEST_MS: i64 = -9_214_560_000_000;
/// See [`EARLIEST_MS`].
const LATEST_MS: i64 = 9_214_560_000_000;

/// The four numbers of one window of one table, as they come in.
#[derive(Default)]
struct Parts {
    min: f64,
    max: f64,
    mean: f64,
    count: f64,
}

impl InfluxStore {
    /// Single values while there are few, else windows made by the server.
    pub(super) async fn read_range(&self, query: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        let Some(count) = self.count_numbers(query).await? else {
            return Ok(Vec::new());
        };
        if count > u64::from(query.limit()) {
            return self.read_windows(query).await;
        }
        let values = self.read_values(query, query.limit()).await?;
        let numbers = values.into_iter().filter_map(|value| match value.value {
            FieldValue::Float(number) => Some(Sample {
                at: value.at,
                min: number,
                max: number,
                mean: number,
                count: 1,
            }),
            FieldValue::Text(_) => None,
        });
        Ok(numbers.collect())
    }

    /// How many values there are; `None` for a field of text. The storage counts, so that this is cheap for any range.
    async fn count_numbers(&self, query: &RangeQuery) -> Result<Option<u64>, SeriesError> {
        let Some(source) = self.source(query) else {
            return Ok(None);
        };
        let script = format!(
            "data = {source}\ndata |> count() |> yield(name: \"count\")\n\
             data |> first() |> yield(name: \"first\")"
        );
        let mut sum = 0;
        for row in self.query(&script).await? {
            if row.get("result") == "count" {
                sum += count(number(&row)?);
            } else if row.value_is_text {
                return Ok(None);
            }
        }
        Ok(Some(sum))
    }

    /// The oldest `limit` values.
    pub(super) async fn read_values(
        &self,
        query: &RangeQuery,
        limit: u32,
    ) -> Result<Vec<Value>, SeriesError> {
        let Some(source) = self.source(query) else {
            return Ok(Vec::new());
        };
        let script =
            format!("{source} |> drop(columns: [\"_start\", \"_stop\"]) |> limit(n: {limit})");
        let mut values = Vec::new();
        for row in self.query(&script).await? {
            values.extend(value(&row)?);
        }
        // One table for each tag set; the limit holds for all of them together.
        values.sort_by_key(|value: &Value| value.at);
        values.truncate(limit as usize);
        Ok(values)
    }

    /// The newest value of each field.
    pub(super) async fn read_last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        let mut script = self.from(EARLIEST_MS, LATEST_MS, measurement, device);
        script.push_str(") |> last() |> drop(columns: [\"_start\", \"_stop\"])");
        let mut last: BTreeMap<SmolStr, Value> = BTreeMap::new();
        for row in self.query(&script).await? {
            let Some(read) = value(&row)? else { continue };
            let field = SmolStr::from(row.get("_field"));
            if last.get(&field).is_none_or(|earlier| earlier.at <= read.at) {
                last.insert(field, read);
            }
        }
        Ok(last)
    }

    /// The newest value of a field before an instant.
    pub(super) async fn read_before(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> Result<Option<Value>, SeriesError> {
        let query = RangeQuery {
            measurement,
            device: device.clone(),
            field: field.into(),
            from: Timestamp::MIN,
            to: at,
            points: 1,
        };
        let Some(source) = self.source(&query) else {
            return Ok(None);
        };
        let script = format!("{source} |> last() |> drop(columns: [\"_start\", \"_stop\"])");
        let mut newest: Option<Value> = None;
        // One row for each tag set.
        for row in self.query(&script).await? {
            if let Some(read) = value(&row)?
                && newest.as_ref().is_none_or(|newest| newest.at <= read.at)
            {
                newest = Some(read);
            }
        }
        Ok(newest)
    }

    /// The first and the last instant of a field.
    pub(super) async fn read_extent(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> Result<Option<Extent>, SeriesError> {
        let mut source = self.from(EARLIEST_MS, LATEST_MS, measurement, device);
        let _infallible = write!(source, " and r._field == {})", quoted(&clean(field)));
        let script = format!(
            "data = {source}\ndata |> first() |> yield(name: \"first\")\ndata |> last() |> yield(name: \"last\")"
        );
        let mut extent: Option<Extent> = None;
        for row in self.query(&script).await? {
            let at = time(&row)?;
            let extent = extent.get_or_insert(Extent {
                first: at,
                last: at,
            });
            extent.first = extent.first.min(at);
            extent.last = extent.last.max(at);
        }
        Ok(extent)
    }

    async fn read_windows(&self, query: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        let Some(source) = self.source(query) else {
            return Ok(Vec::new());
        };
        let grid = Grid::new(query);
        let every = grid.width;
        let offset = grid.origin.rem_euclid(every);
        let mut script = format!("data = {source}\n");
        for name in ["min", "max", "mean", "count"] {
            let _infallible = writeln!(
                script,
                "data |> aggregateWindow(every: {every}ms, offset: {offset}ms, fn: {name}, createEmpty: false, timeSrc: \"_start\") \
                 |> yield(name: \"{name}\")"
            );
        }
        let mut parts: BTreeMap<(i64, String), Parts> = BTreeMap::new();
        for row in self.query(&script).await? {
            let at = time(&row)?;
            let number = number(&row)?;
            // `result` tells which of the four it is, the tags tell the tables apart.
            let part = parts.entry((at.ms(), row.tags())).or_default();
            match row.get("result") {
                "min" => part.min = number,
                "max" => part.max = number,
                "mean" => part.mean = number,
                "count" => part.count = number,
                other => {
                    return Err(query_error(&format!(
                        "an unknown result '{}'",
                        short(other)
                    )));
                }
            }
        }
        let mut windows = Windows::default();
        for ((at_ms, _), part) in parts {
            let values = Window {
                min: part.min,
                max: part.max,
                sum: part.mean * part.count,
                count: count(part.count),
            };
            windows.add(grid.start(at_ms), &values);
        }
        Ok(windows.samples())
    }

    /// The script up to the values of one field; nothing for an empty range, which Flux refuses.
    fn source(&self, query: &RangeQuery) -> Option<String> {
        let from = query.from.ms().max(EARLIEST_MS);
        let to = query.to.ms().min(LATEST_MS);
        if from >= to {
            return None;
        }
        let mut script = self.from(from, to, query.measurement, &query.device);
        let field = quoted(&clean(&query.field));
        let _infallible = write!(script, " and r._field == {field})");
        Some(script)
    }

    /// The script's beginning, with its filter still open.
    fn from(&self, from: i64, to: i64, measurement: Measurement, device: &DeviceId) -> String {
        format!(
            "from(bucket: {}) |> range(start: {}, stop: {}) |> filter(fn: (r) => r._measurement == {} and r.model == {} and r.serial == {}",
            quoted(&self.options.bucket),
            Timestamp::from_ms(from),
            Timestamp::from_ms(to),
            quoted(measurement.as_str()),
            quoted(device.model()),
            quoted(device.serial()),
        )
    }

    /// Runs a script.
    async fn query(&self, script: &str) -> Result<Vec<Row>, SeriesError> {
        let body = json!({
            "query": script,
            "type": "flux",
            "dialect": {"header": true, "annotations": ["datatype", "group", "default"]},
        });
        let url = self.url(&["api", "v2", "query"], &[("org", &self.options.org)]);
        let request = self.client().post(url).json(&body);
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        if response.status().is_success() {
            return rows(&read_all(response, ANSWER_LIMIT).await?);
        }
        Err(match refused(response).await {
            SeriesError::BadLines { answer } => query_error(&format!(
                "InfluxDB does not understand the query: {}",
                short(&message(&answer))
            )),
            error @ (SeriesError::Later { .. }
            | SeriesError::Stop { .. }
            | SeriesError::Query { .. }) => error,
            error @ (SeriesError::Split | SeriesError::Partial { .. }) => {
                query_error(&error.to_string())
            }
        })
    }
}

/// A Flux string literal.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            // `${` would begin an expression.
            '$' => out.push_str("\\x24"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn time(row: &Row) -> Result<Timestamp, SeriesError> {
    row.get("_time")
        .parse()
        .map_err(|error| query_error(&format!("a row without a time: {error}")))
}

fn number(row: &Row) -> Result<f64, SeriesError> {
    row.get("_value")
        .parse()
        .map_err(|_| query_error("a number that is none"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number; `as` saturates at both ends"
)]
fn count(number: f64) -> u64 {
    number as u64
}

/// The value of a row; `None` for a number that is missing.
fn value(row: &Row) -> Result<Option<Value>, SeriesError> {
    let at = time(row)?;
    let value = if row.value_is_text {
        // The server's CSV ends lines inside a text as it ends rows.
        FieldValue::Text(row.get("_value").replace("\r\n", "\n").into())
    } else if row.get("_value").is_empty() {
        return Ok(None);
    } else {
        FieldValue::Float(number(row)?)
    };
    Ok(Some(Value { at, value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\"b\\c${d}\n水"), "\"a\\\"b\\\\c\\x24{d}\\n水\"");
    }
}
