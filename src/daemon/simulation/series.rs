//! A series store that misbehaves, and the writer's waiting by the simulation's clock.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::task::Poll;
use std::time::Duration;

use smol_str::SmolStr;

use crate::journal::Clock as _;
use crate::journal::simulated::ModelClock;
use crate::series::Extent;
use crate::series::RangeQuery;
use crate::series::Sample;
use crate::series::SeriesError;
use crate::series::SeriesStore;
use crate::series::Value;
use crate::series::WriteReport;
use crate::series::writer::Pause;
use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Timestamp;

/// How the series store fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes points.
    Works,
    /// It is not there.
    Refuses,
    /// It takes the request and never answers.
    Hangs,
    /// It takes the points, and its answer is cut off.
    CutsAnswer,
    /// It takes the first half of the points, and fails.
    TakesHalf,
    /// It does not know our token.
    Stops,
}

/// Every value by what it belongs to; a later one of the same instant takes the place of an earlier one.
pub(super) type Values = BTreeMap<
    (
        &'static str,
        DeviceId,
        Vec<(SmolStr, SmolStr)>,
        i64,
        SmolStr,
    ),
    String,
>;

/// The series store; clones share it.
#[derive(Clone)]
pub(super) struct ModelSeries(Arc<Mutex<State>>);

struct State {
    mood: Mood,
    values: Values,
}

/// Waits by the simulation's clock.
pub(super) struct ModelPause(pub(super) ModelClock);

/// Puts points where they belong.
pub(super) fn put(values: &mut Values, points: &[Point]) {
    for point in points {
        for (field, value) in &point.fields {
            let value = match value {
                FieldValue::Float(number) => format!("{number:?}"),
                FieldValue::Text(text) => text.to_string(),
            };
            let measurement = point.measurement.as_str();
            let (device, tags) = (point.device.clone(), point.tags.clone());
            let key = (measurement, device, tags, point.at.ms(), field.clone());
            values.insert(key, value);
        }
    }
}

impl ModelSeries {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            mood: Mood::Works,
            values: Values::new(),
        })))
    }

    pub(super) fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    pub(super) fn values(&self) -> Values {
        self.state().values.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }

    fn answer(&self, points: &[Point]) -> Poll<Result<WriteReport, SeriesError>> {
        let mut state = self.state();
        let taken = match state.mood {
            Mood::Works | Mood::CutsAnswer => points.len(),
            Mood::TakesHalf => points.len() / 2,
            Mood::Refuses | Mood::Hangs | Mood::Stops => 0,
        };
        put(&mut state.values, &points[..taken]);
        match state.mood {
            Mood::Works => Poll::Ready(Ok(WriteReport {
                written: points.len() as u64,
                ..WriteReport::default()
            })),
            Mood::Hangs => Poll::Pending,
            Mood::Stops => Poll::Ready(Err(SeriesError::stop("401"))),
            Mood::Refuses | Mood::CutsAnswer | Mood::TakesHalf => {
                Poll::Ready(Err(SeriesError::later("away")))
            }
        }
    }
}

impl SeriesStore for ModelSeries {
    async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        poll_fn(|_| self.answer(points)).await
    }

    async fn range(&self, _: &RangeQuery) -> Result<Vec<Sample>, SeriesError> {
        Ok(Vec::new())
    }

    async fn values(&self, _: &RangeQuery) -> Result<Vec<Value>, SeriesError> {
        Ok(Vec::new())
    }

    async fn last(
        &self,
        _: Measurement,
        _: &DeviceId,
    ) -> Result<BTreeMap<SmolStr, Value>, SeriesError> {
        Ok(BTreeMap::new())
    }

    async fn before(
        &self,
        _: Measurement,
        _: &DeviceId,
        _: &str,
        _: Timestamp,
    ) -> Result<Option<Value>, SeriesError> {
        Ok(None)
    }

    async fn extent(
        &self,
        _: Measurement,
        _: &DeviceId,
        _: &str,
    ) -> Result<Option<Extent>, SeriesError> {
        Ok(None)
    }

    async fn keep(&self, _: Option<Duration>, _: Timestamp) -> Result<(), SeriesError> {
        Ok(())
    }

    async fn health(&self) -> Result<(), SeriesError> {
        Ok(())
    }
}

impl Pause for ModelPause {
    async fn pause(&self, least: Duration, _: Duration) {
        let least = i64::try_from(least.as_millis()).expect("a minute at most");
        let until = self.0.monotonic_ms() + least;
        poll_fn(|_| {
            if self.0.monotonic_ms() >= until {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
