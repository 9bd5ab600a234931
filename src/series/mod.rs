//! The series: points over time of every device, in InfluxDB 2 or in the embedded store.
//!
//! Both stand behind [`SeriesStore`] and pass the same contract tests. [`points`] maps telemetry to points, [`consumer`] gathers
//! them from journal entries, [`writer`] gets them stored through every mishap, [`influx`] and [`sqlite`] are the two stores.
//! Threads, cursors and the clock are left to the daemon. Invariant: a point's timestamp is assigned before it comes here, so
//! writing it again changes nothing; and nothing that a device says can create a point of another device.

pub mod points;

pub mod consumer;

pub mod writer;

pub mod influx;

pub mod sqlite;

mod check;

mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use smol_str::SmolStr;

use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

pub use influx::{InfluxOptions, InfluxStore};
pub use sqlite::{SqliteLimits, SqliteStore};
pub use writer::{SeriesStatus, Writer, WriterOptions};

/// Most samples that one read returns; a request for more gets this many. Ten per pixel of a wide chart; 400 kB.
pub const SAMPLES_LIMIT: u32 = 10_000;

/// Where points are kept and read back.
pub trait SeriesStore: Send + Sync {
    /// Stores points. Fields of the same device, measurement, tags and instant are united; a later value of a field wins.
    ///
    /// # Errors
    /// [`SeriesError::Later`] and [`SeriesError::Stop`]: some may be stored already; writing all again is harmless.
    fn write(
        &self,
        points: &[Point],
    ) -> impl Future<Output = Result<WriteReport, SeriesError>> + Send;

    /// Reads the numbers of one field in rising time: each alone while there are at most `points`, else one per window.
    ///
    /// Windows are equally wide, the narrowest of which `points` are enough, and the first begins at `from`. Wide ones (2 h and
    /// more) are whole hours and begin with an hour (UTC); of the first one then only what lies in the range.
    ///
    /// A field that is unknown or holds text gives nothing.
    ///
    /// # Errors
    /// When the store cannot answer.
    fn range(
        &self,
        query: &RangeQuery,
    ) -> impl Future<Output = Result<Vec<Sample>, SeriesError>> + Send;

    /// Reads single values (numbers or text) in rising time, at most `points` of them, the oldest ones. Reading on
    /// from one millisecond after the last gives the rest.
    ///
    /// # Errors
    /// When the store cannot answer.
    fn values(
        &self,
        query: &RangeQuery,
    ) -> impl Future<Output = Result<Vec<Value>, SeriesError>> + Send;

    /// Reads the newest value of every field of a device, by name of field.
    ///
    /// # Errors
    /// When the store cannot answer.
    fn last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> impl Future<Output = Result<BTreeMap<SmolStr, Value>, SeriesError>> + Send;

    /// Reads the newest value of a field before an instant (exclusive).
    ///
    /// # Errors
    /// When the store cannot answer.
    fn before(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<Value>, SeriesError>> + Send;

    /// When the first and the last value of a field are; `None` when it has none.
    ///
    /// # Errors
    /// When the store cannot answer.
    fn extent(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> impl Future<Output = Result<Option<Extent>, SeriesError>> + Send;

    /// Keeps points for this long (`None`: for ever) and forgets what is older; call it at the start and every hour.
    ///
    /// Points that are older are refused from then on. InfluxDB removes what it already holds in its own time; the embedded store
    /// shows nothing older at once, and removes it with the block that it lies in, at most four weeks later.
    ///
    /// # Errors
    /// When the store cannot change it.
    fn keep(
        &self,
        span: Option<Duration>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), SeriesError>> + Send;

    /// Whether the store answers.
    ///
    /// # Errors
    /// When it does not.
    fn health(&self) -> impl Future<Output = Result<(), SeriesError>> + Send;

    /// The names of a device's fields, in order.
    ///
    /// # Errors
    /// When the store cannot answer.
    fn fields(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> impl Future<Output = Result<Vec<SmolStr>, SeriesError>> + Send {
        async move {
            let last = self.last(measurement, device).await?;
            Ok(last.into_keys().collect())
        }
    }
}

/// The store that the settings name.
#[derive(Clone, Debug)]
pub enum Series {
    /// InfluxDB 2.
    Influx(InfluxStore),
    /// The embedded one.
    Embedded(SqliteStore),
}

impl Series {
    /// How many writes at once serve it best: a server works on them side by side, the embedded store one after another, each
    /// with its own fsync.
    #[must_use]
    pub const fn lanes(&self) -> usize {
        match self {
            Self::Influx(_) => 4,
            Self::Embedded(_) => 1,
        }
    }
}

impl SeriesStore for Series {
    async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        match self {
            Self::Influx(store) => store.write(points).await,
            Self::Embedded(store) => store.write(points).await,
        }
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        match self {
            Self::Influx(store) => store.range(query).await,
            Self::Embedded(store) => store.range(query).await,
        }
    }

    async fn values(&self, query: &RangeQuery) -> Result<Vec<Value>, SeriesError> {
        match self {
            Self::Influx(store) => store.values(query).await,
            Self::Embedded(store) => store.values(query).await,
        }
    }

    async fn last(
        &self,
        measurement: Measurement,
        device: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        match self {
            Self::Influx(store) => store.last(measurement, device).await,
            Self::Embedded(store) => store.last(measurement, device).await,
        }
    }

    async fn before(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
        at: Timestamp,
    ) -> Result<Option<Value>, SeriesError> {
        match self {
            Self::Influx(store) => store.before(measurement, device, field, at).await,
            Self::Embedded(store) => store.before(measurement, device, field, at).await,
        }
    }

    async fn extent(
        &self,
        measurement: Measurement,
        device: &DeviceId,
        field: &str,
    ) -> Result<Option<Extent>, SeriesError> {
        match self {
            Self::Influx(store) => store.extent(measurement, device, field).await,
            Self::Embedded(store) => store.extent(measurement, device, field).await,
        }
    }

    async fn keep(&self, span: Option<Duration>, now: Timestamp) -> Result<(), SeriesError> {
        match self {
            Self::Influx(store) => store.keep(span, now).await,
            Self::Embedded(store) => store.keep(span, now).await,
        }
    }

    async fn health(&self) -> Result<(), SeriesError> {
        match self {
            Self::Influx(store) => store.health().await,
            Self::Embedded(store) => store.health().await,
        }
    }
}

/// Which values are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeQuery {
    /// Of which measurement.
    pub measurement: Measurement,
    /// Of which device.
    pub device: DeviceId,
    /// Of which field; values of all its further tags (such as `mode`) together.
    pub field: SmolStr,
    /// From this instant on, inclusive.
    pub from: Timestamp,
    /// Up to this instant, exclusive.
    pub to: Timestamp,
    /// At most so many, 1 to [`SAMPLES_LIMIT`]; another number is taken as the nearer of these.
    pub points: u32,
}

impl RangeQuery {
    /// `points` within its bounds.
    fn limit(&self) -> u32 {
        self.points.clamp(1, SAMPLES_LIMIT)
    }
}

/// One point of a chart: a single value, or what lies in a window that begins at `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When, or the window's beginning.
    pub at: Timestamp,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// How many values; 1 for a single one.
    pub count: u64,
}

/// One value as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// When.
    pub at: Timestamp,
    /// What.
    pub value: FieldValue,
}

/// From when until when there are values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest.
    pub first: Timestamp,
    /// The latest; the same when there is only one.
    pub last: Timestamp,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Points that are stored.
    pub written: u64,
    /// What was not stored and will not be, by reason. Points, but for [`RefusedReason::is_of_fields`].
    pub refused: BTreeMap<RefusedReason, u64>,
}

impl WriteReport {
    /// Adds to the count of a reason.
    pub fn refuse(&mut self, reason: RefusedReason, count: u64) {
        if count > 0 {
            *self.refused.entry(reason).or_default() += count;
        }
    }

    /// Adds the counts of another batch.
    pub fn add(&mut self, other: &Self) {
        self.written += other.written;
        for (reason, count) in &other.refused {
            self.refuse(*reason, *count);
        }
    }
}

/// Why something is not in the series, in a closed list (also the metric's label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusedReason {
    /// A field that is not a finite number.
    NonFinite,
    /// A field or tag with a name that the database keeps for itself (`time`, `model`, `serial`).
    ReservedName,
    /// A field with an empty name, or a name or text over its limit.
    NameOrTextTooLong,
    /// A field that no profile knows, over the limit of such fields per device.
    TooManyUnknownFields,
    /// A point without a field to store.
    NoFields,
    /// A point outside the years 1678 to 2261, which the database can hold.
    TimeOutOfRange,
    /// A point older than the store keeps.
    OutsideRetention,
    /// A point whose field was stored as another type before.
    FieldTypeConflict,
    /// A point that the server could not parse.
    BadLine,
    /// A single point over the server's limit of a request.
    TooLarge,
    /// A point that the server kept failing on while it took others.
    ServerError,
    /// A point that the server dropped for another reason.
    Dropped,
}

impl RefusedReason {
    /// The name used in metrics and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonFinite => "non_finite",
            Self::ReservedName => "reserved_name",
            Self::NameOrTextTooLong => "name_or_text_too_long",
            Self::TooManyUnknownFields => "too_many_unknown_fields",
            Self::NoFields => "no_fields",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::OutsideRetention => "outside_retention",
            Self::FieldTypeConflict => "field_type_conflict",
            Self::BadLine => "bad_line",
            Self::TooLarge => "too_large",
            Self::ServerError => "server_error",
            Self::Dropped => "dropped",
        }
    }

    /// Counts single fields; the rest of the point is stored.
    #[must_use]
    pub const fn is_of_fields(self) -> bool {
        matches!(
            self,
            Self::NonFinite
                | Self::ReservedName
                | Self::NameOrTextTooLong
                | Self::TooManyUnknownFields
        )
    }
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What went wrong, by what the caller does about it.
///
/// The text never holds values that a device sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// Try again later.
    #[error("{reason}")]
    Later {
        /// What happened.
        reason: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// The server failed on this very request (500): it may be the request's fault.
        request_suspect: bool,
    },
    /// Nothing will work until a person changes something: raise the alarm, keep what is to be written.
    #[error("{reason}")]
    Stop {
        /// What happened.
        reason: String,
    },
    /// The request is too large: send it in halves.
    #[error("the request is too large")]
    Split,
    /// Some lines cannot be parsed and none was stored: find them, send the rest again.
    #[error("the server could not parse some lines")]
    BadLines {
        /// The server's answer, cut to a limit; it repeats lines, so it is not for logs.
        answer: String,
    },
    /// The good points are stored, the others never will be: count them, do not try again.
    #[error("the server dropped {dropped:?} points: {reason}")]
    Partial {
        /// How many; `None` when the server did not say.
        dropped: Option<u64>,
        /// Why.
        reason: RefusedReason,
    },
    /// The question was wrong or the answer makes no sense: trying again does not help.
    #[error("{reason}")]
    Query {
        /// What happened.
        reason: String,
    },
}

impl SeriesError {
    /// [`SeriesError::Later`] without more to say.
    pub(crate) fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            reason: reason.into(),
            retry_after: None,
            request_suspect: false,
        }
    }

    /// [`SeriesError::Stop`].
    pub(crate) fn stop(reason: impl Into<String>) -> Self {
        Self::Stop {
            reason: reason.into(),
        }
    }
}
