//! One line for the series store.

use smol_str::SmolStr;

use super::{DeviceId, Timestamp};

/// Where a point belongs in the series store (the names are the InfluxDB measurements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measurement {
    /// What devices sent: one field per signal path.
    Telemetry,
    /// Derived values at the end of their session or day, and frozen baselines.
    Derived,
    /// Ticket changes, for dashboards to annotate from.
    Ticket,
}

impl Measurement {
    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Derived => "derived",
            Self::Ticket => "ticket",
        }
    }
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// A finite number; every number is stored as a float, so that a field never changes its type.
    Float(f64),
    /// Text, only where the profile asks for it.
    Text(SmolStr),
}

/// Fields of one device at one instant. Written twice it changes nothing: its timestamp is assigned once.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which measurement.
    pub measurement: Measurement,
    /// Whose; written as the tags `model` and `serial`.
    pub device: DeviceId,
    /// More tags, in rising order of key (`mode` of derived values; `fault`, `severity` of tickets).
    pub tags: Vec<(SmolStr, SmolStr)>,
    /// When.
    pub at: Timestamp,
    /// At least one field.
    pub fields: Vec<(SmolStr, FieldValue)>,
}
