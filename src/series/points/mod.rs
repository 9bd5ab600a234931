//! What of a device's telemetry goes into the series: one point per record, one field per path.
//!
//! Pure. Leaves units of people and charts to the readers: a number is stored in the signal's own unit. Invariant: the same
//! telemetry gives the same points, and a device cannot make more than [`UNKNOWN_LIMIT`] fields that no profile knows.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use smol_str::ToSmolStr;

use crate::profile::Program;
use crate::profile::Signal;
use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Reading;
use crate::telemetry::Scalar;
use crate::telemetry::Telemetry;

/// Most numeric paths per device that no profile knows (the InfluxDB schema's number); a further one is counted and left out.
pub const UNKNOWN_LIMIT: usize = 64;
/// Most devices whose unknown paths are remembered, some 100 MB at worst; unknown paths of a further device are counted and left out.
pub const UNKNOWN_DEVICES_LIMIT: usize = 100_000;

/// Turns telemetry into points. Remembers which unknown paths each device has, so that their number stays bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointMaker {
    unknown: BTreeMap<DeviceId, BTreeSet<SmolStr>>,
    #[serde(skip)]
    refused_unknown: u64,
}

/// The saved state is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("the saved state of the series is unreadable")]
pub struct RestoreError(#[source] postcard::Error);

impl PointMaker {
    /// Appends the points of one message. `program` is the profile of its model; without one every path is unknown.
    ///
    /// A retained copy gives none.
    pub fn points(
        &mut self,
        telemetry: &Telemetry,
        program: Option<&Program>,
        out: &mut Vec<Point>,
    ) {
        if telemetry.retained {
            return;
        }
        let signals = program.map_or(&[][..], |program| &program.signals);
        for record in &telemetry.records {
            let mut fields = Vec::with_capacity(record.readings.len());
            let mut next = 0;
            for reading in &record.readings {
                let signal = find(signals, &reading.path, &mut next);
                fields.extend(self.field(&telemetry.device, reading, signal));
            }
            if !fields.is_empty() {
                out.push(Point {
                    measurement: Measurement::Telemetry,
                    device: telemetry.device.clone(),
                    tags: Vec::new(),
                    at: record.event_time,
                    fields,
                });
            }
        }
    }

    /// How many values of unknown paths were left out since this was last asked.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused_unknown)
    }

    /// Forgets a device that is out of service.
    pub fn forget(&mut self, device: &DeviceId) {
        self.unknown.remove(device);
    }

    /// The state, to be saved beside the cursor.
    ///
    /// # Panics
    /// Never: plain maps and texts can be written to memory.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain maps and texts can be written to memory")
    }

    /// The state that was saved.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::snapshot`] gave.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        postcard::from_bytes(bytes).map_err(RestoreError)
    }

    fn field(
        &mut self,
        device: &DeviceId,
        reading: &Reading,
        signal: Option<&Signal>,
    ) -> Option<(SmolStr, FieldValue)> {
        let value = match signal {
            Some(signal) if signal.store_text => text(&reading.value)?,
            Some(signal) => FieldValue::Float(signal.wire_value(&reading.value)?),
            None => {
                let number = match &reading.value {
                    Scalar::Number(number) => *number,
                    Scalar::Bool(value) => f64::from(u8::from(*value)),
                    Scalar::Text(_) | Scalar::Null => return None,
                };
                if !self.takes_unknown(device, &reading.path) {
                    self.refused_unknown += 1;
                    return None;
                }
                FieldValue::Float(number)
            }
        };
        Some((reading.path.clone(), value))
    }

    fn takes_unknown(&mut self, device: &DeviceId, path: &SmolStr) -> bool {
        if let Some(paths) = self.unknown.get_mut(device) {
            if paths.contains(path) {
                return true;
            }
            return paths.len() < UNKNOWN_LIMIT && paths.insert(path.clone());
        }
        if self.unknown.len() >= UNKNOWN_DEVICES_LIMIT {
            return false;
        }
        self.unknown
            .insert(device.clone(), BTreeSet::from([path.clone()]));
        true
    }
}

/// The signal of a path. Looks from `next` on and then from the beginning, since devices and profiles mostly name things in the
/// same order.
fn find<'signals>(
    signals: &'signals [Signal],
    path: &str,
    next: &mut usize,
) -> Option<&'signals Signal> {
    let (before, behind) = signals.split_at_checked(*next)?;
    let mut places = (*next..).zip(behind).chain((0..).zip(before));
    let (place, signal) = places.find(|(_, signal)| signal.path == path)?;
    *next = place + 1;
    Some(signal)
}

/// Unites points of the same device, measurement, tags and instant: of each field the later value. Orders them by device and time.
#[must_use]
pub fn unite(mut points: Vec<Point>) -> Vec<Point> {
    // Stable, so that what came later stays later.
    points.sort_by(|left, right| key(left).cmp(&key(right)));
    let mut united: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        match united.last_mut() {
            Some(earlier) if key(earlier) == key(&point) => {
                for (name, value) in point.fields {
                    let taken = earlier.fields.iter_mut().find(|(taken, _)| *taken == name);
                    match taken {
                        Some((_, earlier)) => *earlier = value,
                        None => earlier.fields.push((name, value)),
                    }
                }
            }
            _ => united.push(point),
        }
    }
    united
}

fn key(
    point: &Point,
) -> (
    &DeviceId,
    Measurement,
    &[(SmolStr, SmolStr)],
    crate::telemetry::Timestamp,
) {
    (&point.device, point.measurement, &point.tags, point.at)
}

/// A value as text, for signals whose text is stored: always text, so that the field keeps its type.
fn text(value: &Scalar) -> Option<FieldValue> {
    match value {
        Scalar::Text(text) => Some(FieldValue::Text(text.clone())),
        Scalar::Number(number) => Some(FieldValue::Text(number.to_smolstr())),
        Scalar::Bool(value) => Some(FieldValue::Text(value.to_smolstr())),
        Scalar::Null => None,
    }
}

#[cfg(test)]
mod tests;
