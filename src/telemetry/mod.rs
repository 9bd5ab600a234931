//! The shared words: what every other module may know.
//!
//! Time, devices, messages as they arrive, messages as they were understood, and the records of the journal. Nothing here
//! decides anything; nothing here reads a clock.

mod control;
mod device;
mod entry;
mod message;
mod point;
mod text;
mod time;

pub use control::{
    BasicAction, Control, DeviceAction, ProfileText, Settings, SourceSetting, TicketAction,
    Verdict, WaitFor, ZoneTable,
};
pub use device::{DeviceId, DeviceIdError, Identity};
pub use entry::{Entry, Position, Record};
pub use message::{
    Availability, BadRecord, LISTENER, RawMessage, Reading, RejectReason, Rejection, Scalar,
    Telemetry, TelemetryRecord,
};
pub use point::{FieldValue, Measurement, Point};
pub use text::{Lang, Text};
pub use time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp, TimestampError};
