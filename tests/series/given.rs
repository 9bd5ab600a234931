//! Points, devices and questions as the tests of the series want them.

use foremend::series::{RangeQuery, Sample, Series, SeriesStore};
use foremend::telemetry::{DeviceId, FieldValue, Measurement, Point, Timestamp};

/// An instant at noon, well inside its day.
const NOON: &str = "2026-03-01T12:00:00.000Z";

/// Writes points of which none is refused; how many were stored.
pub(crate) async fn write(store: &Series, points: Vec<Point>) -> u64 {
    let report = store
        .write(&points)
        .await
        .expect("a store that takes points");
    assert!(report.refused.is_empty(), "{report:?}");
    report.written
}

pub(crate) fn noon() -> Timestamp {
    NOON.parse().expect("a time")
}

pub(crate) fn device(serial: &str) -> DeviceId {
    DeviceId::new("ts-flash5", serial).expect("a device")
}

pub(crate) fn number(device: &DeviceId, at: Timestamp, field: &str, value: f64) -> Point {
    point(device, at, field, FieldValue::Float(value))
}

pub(crate) fn text(device: &DeviceId, at: Timestamp, field: &str, value: &str) -> Point {
    point(device, at, field, FieldValue::Text(value.into()))
}

pub(crate) fn point(device: &DeviceId, at: Timestamp, field: &str, value: FieldValue) -> Point {
    Point {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        tags: Vec::new(),
        at,
        fields: vec![(field.into(), value)],
    }
}

pub(crate) fn query(device: &DeviceId, field: &str, from: Timestamp, to: Timestamp) -> RangeQuery {
    RangeQuery {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        field: field.into(),
        from,
        to,
        points: 1_000,
    }
}

pub(crate) fn values_of(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.mean).collect()
}
