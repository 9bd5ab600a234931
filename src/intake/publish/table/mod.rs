//! A CSV table as messages of the native convention.
//!
//! One row, one message. It is read twice: once to find every mistake, once to play it; so memory does not grow with it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;
use chrono::NaiveDateTime;
use csv::StringRecord;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use crate::intake::publish::options::Cell;
use crate::intake::publish::options::Kind;
use crate::intake::publish::options::TableOptions;
use crate::intake::publish::sender::Message;
use crate::telemetry::DeviceId;
use crate::telemetry::Timestamp;

/// Names of a time column that need no telling, in order of preference.
const TIME_COLUMNS: [&str; 4] = ["ts", "time", "timestamp", "datetime"];

/// Numbers from here on are milliseconds since 1970, below they are seconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Devices that one table may speak for; each has a counter of its own. More are refused.
const DEVICE_LIMIT: usize = 1_000_000;

/// How alike a column's name must be to be suggested (0 to 1, Jaro-Winkler).
const ALIKE: f64 = 0.75;

/// Forms of a time without a zone, taken as UTC.
const PLAIN_FORMS: [&str; 4] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
];

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not CSV.
    #[error("{}", path.display())]
    Csv {
        /// Which.
        path: PathBuf,
        /// Why, with the line.
        #[source]
        source: csv::Error,
    },
    /// A column that the table does not have.
    #[error("no column '{name}'{}; the table has: {}", suggest(suggestion.as_deref()), columns.join(", "))]
    NoColumn {
        /// What was asked for.
        name: String,
        /// The most alike name, if any is.
        suggestion: Option<String>,
        /// Those there are.
        columns: Vec<String>,
    },
    /// No column is named like a time and none was told.
    #[error("which column is the time? None is called ts, time, timestamp or datetime; the table has: {}", .0.join(", "))]
    NoTime(Vec<String>),
    /// Nothing to say.
    #[error("no column is left to be a value; the table has: {}", .0.join(", "))]
    NoValues(Vec<String>),
    /// Two columns for one path, or a column and a constant.
    #[error("two values for '{0}'")]
    TwiceTheSame(String),
    /// A row that cannot be a message.
    #[error("line {line}: {reason}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

fn suggest(name: Option<&str>) -> String {
    name.map(|name| format!(", did you mean '{name}'?"))
        .unwrap_or_default()
}

/// A table whose columns are understood.
pub(super) struct Table {
    path: PathBuf,
    layout: Layout,
}

/// Which column is what.
#[derive(Clone)]
struct Layout {
    time: usize,
    model: Place,
    serial: Place,
    event: Option<Place>,
    values: Vec<(usize, String)>,
    constants: Vec<(String, Value)>,
}

#[derive(Clone)]
enum Place {
    Fixed(String),
    At(usize),
}

/// What reading it through found.
pub(super) struct Summary {
    pub(super) rows: u64,
    pub(super) empty: u64,
    pub(super) first: Option<Timestamp>,
}

/// One row with something to say.
pub(super) struct Row {
    pub(super) at: Timestamp,
    number: u64,
    device: DeviceId,
    seq: u64,
    event: Option<String>,
    values: Map<String, Value>,
}

impl Table {
    /// Reads the names of the columns.
    pub(super) fn open(path: &Path, options: &TableOptions) -> Result<Self, TableError> {
        let mut reader = reader(path)?;
        let columns: Vec<String> = reader
            .headers()
            .map_err(|source| csv_error(path, source))?
            .iter()
            .map(str::to_owned)
            .collect();
        Ok(Self {
            path: path.into(),
            layout: Layout::new(&columns, options)?,
        })
    }

    /// Reads it through, up to the first mistake.
    pub(super) fn check(&self) -> Result<Summary, TableError> {
        let mut rows = self.rows()?;
        let mut first = None;
        for row in rows.by_ref() {
            let row = row?;
            first.get_or_insert(row.at);
        }
        Ok(Summary {
            rows: rows.number,
            empty: rows.empty,
            first,
        })
    }

    /// The rows with something to say, in their order.
    pub(super) fn rows(&self) -> Result<Rows, TableError> {
        Ok(Rows {
            path: self.path.clone(),
            layout: self.layout.clone(),
            reader: reader(&self.path)?,
            record: StringRecord::new(),
            number: 0,
            empty: 0,
            counters: BTreeMap::new(),
        })
    }
}

fn reader(path: &Path) -> Result<csv::Reader<File>, TableError> {
    let file = File::open(path).map_err(|source| TableError::File {
        path: path.into(),
        source,
    })?;
    Ok(csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(file))
}

fn csv_error(path: &Path, source: csv::Error) -> TableError {
    TableError::Csv {
        path: path.into(),
        source,
    }
}

impl Layout {
    fn new(columns: &[String], options: &TableOptions) -> Result<Self, TableError> {
        let place = |cell: &Cell| match cell {
            Cell::Fixed(text) => Ok(Place::Fixed(text.clone())),
            Cell::Column(name) => find(columns, name).map(Place::At),
        };
        let time = match &options.time {
            Some(name) => find(columns, name)?,
            None => TIME_COLUMNS
                .iter()
                .find_map(|known| {
                    let is_it = |column: &String| column.eq_ignore_ascii_case(known);
                    columns.iter().position(is_it)
                })
                .ok_or_else(|| TableError::NoTime(columns.to_vec()))?,
        };
        let mut layout = Self {
            time,
            model: place(&options.model)?,
            serial: place(&options.serial)?,
            event: match &options.kind {
                Kind::Tele => None,
                Kind::Event(cell) => Some(place(cell)?),
            },
            values: Vec::new(),
            constants: options
                .constants
                .iter()
                .filter_map(|(path, text)| Some((path.clone(), value(text)?)))
                .collect(),
        };
        layout.values = layout.choose(columns, options)?;
        if layout.values.is_empty() && layout.constants.is_empty() && layout.event.is_none() {
            return Err(TableError::NoValues(columns.to_vec()));
        }
        let mut paths = BTreeSet::new();
        let all = layout.values.iter().map(|(_, path)| path);
        for path in all.chain(layout.constants.iter().map(|(path, _)| path)) {
            if !paths.insert(path) {
                return Err(TableError::TwiceTheSame(path.clone()));
            }
        }
        Ok(layout)
    }

    /// The columns that carry values.
    fn choose(
        &self,
        columns: &[String],
        options: &TableOptions,
    ) -> Result<Vec<(usize, String)>, TableError> {
        if !options.columns.is_empty() {
            return options
                .columns
                .iter()
                .map(|(column, path)| Ok((find(columns, column)?, path.clone())))
                .collect();
        }
        let taken = [
            Some(self.time),
            self.model.index(),
            self.serial.index(),
            self.event.as_ref().and_then(Place::index),
        ];
        Ok(columns
            .iter()
            .enumerate()
            .filter(|(index, name)| !taken.contains(&Some(*index)) && !name.is_empty())
            .map(|(index, name)| (index, name.clone()))
            .collect())
    }
}

impl Place {
    const fn index(&self) -> Option<usize> {
        match self {
            Self::Fixed(_) => None,
            Self::At(index) => Some(*index),
        }
    }

    fn of<'a>(&'a self, record: &'a StringRecord) -> &'a str {
        match self {
            Self::Fixed(text) => text,
            Self::At(index) => record.get(*index).unwrap_or_default(),
        }
    }
}

fn find(columns: &[String], name: &str) -> Result<usize, TableError> {
    if let Some(index) = columns.iter().position(|column| column == name) {
        return Ok(index);
    }
    let likeness =
        |column: &str| strsim::jaro_winkler(&column.to_lowercase(), &name.to_lowercase());
    let suggestion = columns
        .iter()
        .map(|column| (likeness(column), column))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, column)| column.clone());
    Err(TableError::NoColumn {
        name: name.into(),
        suggestion,
        columns: columns.to_vec(),
    })
}

/// Goes through a table row by row.
pub(super) struct Rows {
    path: PathBuf,
    layout: Layout,
    reader: csv::Reader<File>,
    record: StringRecord,
    number: u64,
    empty: u64,
    counters: BTreeMap<DeviceId, u64>,
}

impl Iterator for Rows {
    type Item = Result<Row, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(source) => return Some(Err(csv_error(&self.path, source))),
            }
            self.number += 1;
            let line = self.record.position().map_or(0, csv::Position::line);
            match self.row() {
                Ok(Some(row)) => return Some(Ok(row)),
                Ok(None) => self.empty += 1,
                Err(reason) => return Some(Err(TableError::Row { line, reason })),
            }
        }
    }
}

impl Rows {
    /// The row just read; `None` when it has no value.
    fn row(&mut self) -> Result<Option<Row>, String> {
        let layout = &self.layout;
        let mut values: Map<String, Value> = layout
            .values
            .iter()
            .filter_map(|(index, path)| Some((path.clone(), value(self.record.get(*index)?)?)))
            .collect();
        let event = layout
            .event
            .as_ref()
            .map(|place| place.of(&self.record))
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let says_nothing = match layout.event {
            Some(_) => event.is_none(),
            // A row of blanks is a gap in the table, whatever is constant.
            None => values.is_empty() && !layout.values.is_empty(),
        };
        if says_nothing {
            return Ok(None);
        }
        values.extend(layout.constants.iter().cloned());
        let text = self.record.get(layout.time).unwrap_or_default();
        let at = time(text).ok_or_else(|| {
            format!("'{text}' is not a time; expected 2026-03-01T06:41:09Z, 2026-03-01 06:41:09 (UTC), or seconds or milliseconds since 1970")
        })?;
        let device = DeviceId::new(
            layout.model.of(&self.record),
            layout.serial.of(&self.record),
        )
        .map_err(|error| error.to_string())?;
        if self.counters.len() >= DEVICE_LIMIT && !self.counters.contains_key(&device) {
            return Err(format!("more than {DEVICE_LIMIT} devices in one table"));
        }
        let counter = self.counters.entry(device.clone()).or_insert(0);
        *counter += 1;
        Ok(Some(Row {
            at,
            number: self.number,
            device,
            seq: *counter,
            event,
            values,
        }))
    }
}

impl Row {
    /// The message of this row, stamped. `boot` and the row's own counter make it one of a kind, so that a message sent
    /// twice is recognised as one.
    pub(super) fn message(self, stamp: Timestamp, boot: i64) -> Message {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit the 53 bits until the year 287396"
        )]
        let ts = stamp.ms() as f64 / 1_000.0;
        let mut body = Map::new();
        body.insert("ts".into(), ts.into());
        body.insert("seq".into(), self.seq.into());
        body.insert("boot".into(), boot.max(0).into());
        let kind = if let Some(name) = self.event {
            body.insert("e".into(), name.into());
            body.insert("d".into(), self.values.into());
            "event"
        } else {
            body.insert("s".into(), self.values.into());
            "tele"
        };
        Message {
            number: self.number,
            topic: format!("appl/v1/{}/{kind}", self.device),
            payload: Bytes::from(Value::Object(body).to_string()),
        }
    }
}

/// A cell as a JSON value; an empty one is none.
fn value(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    if let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
        return Some(number.into());
    }
    Some(match text {
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        other => other.into(),
    })
}

/// A time in any of the forms that tables come with.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<f64>() {
        if !number.is_finite() || number.abs() >= 1e15 {
            return None;
        }
        let ms = if number.abs() >= MILLISECONDS_FROM {
            number
        } else {
            number * 1_000.0
        };
        #[expect(clippy::cast_possible_truncation, reason = "below 1e15, checked above")]
        return Some(Timestamp::from_ms(ms.round() as i64));
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    PLAIN_FORMS
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| Timestamp::from_ms(time.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests;
