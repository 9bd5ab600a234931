//! The writer on a store of plain memory that misbehaves as told; nothing waits.

use std::collections::BTreeMap;
use std::sync::Mutex as Lock;

use smol_str::SmolStr;

use super::*;
use crate::series::Extent;
use crate::series::RangeQuery;
use crate::series::Sample;
use crate::series::Value;
use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;

type Answers = dyn FnMut(usize, &[Point]) -> Result<(), SeriesError> + Send;

/// Takes points unless told otherwise for this call (counted from 0).
struct Scripted {
    answer: Lock<Box<Answers>>,
    calls: Lock<Vec<usize>>,
    stored: Lock<BTreeMap<(DeviceId, i64), f64>>,
    in_flight: Lock<Vec<DeviceId>>,
}

impl Scripted {
    fn new(
        answer: impl FnMut(usize, &[Point]) -> Result<(), SeriesError> + Send + 'static,
    ) -> Self {
        Self {
            answer: Lock::new(Box::new(answer)),
            calls: Lock::default(),
            stored: Lock::default(),
            in_flight: Lock::default(),
        }
    }
}

impl SeriesStore for Scripted {
    async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        let devices: std::collections::BTreeSet<_> =
            points.iter().map(|point| point.device.clone()).collect();
        {
            let mut in_flight = self.in_flight.lock().unwrap();
            for device in &devices {
                assert!(
                    !in_flight.contains(device),
                    "two writes of {device} at once"
                );
            }
            in_flight.extend(devices.iter().cloned());
        }
        tokio::task::yield_now().await;
        self.in_flight
            .lock()
            .unwrap()
            .retain(|device| !devices.contains(device));
        let call = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(points.len());
            calls.len() - 1
        };
        (self.answer.lock().unwrap())(call, points)?;
        for point in points {
            let FieldValue::Float(value) = point.fields[0].1 else {
                panic!("these tests write numbers")
            };
            let key = (point.device.clone(), point.at.ms());
            self.stored.lock().unwrap().insert(key, value);
        }
        Ok(WriteReport {
            written: points.len() as u64,
            refused: BTreeMap::new(),
        })
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

/// Notes every wait and goes on at once.
#[derive(Default)]
struct Noted(Lock<Vec<(Duration, Duration)>>);

impl Pause for Noted {
    async fn pause(&self, least: Duration, spread: Duration) {
        let count = {
            let mut waits = self.0.lock().unwrap();
            waits.push((least, spread));
            waits.len()
        };
        assert!(count < 10_000, "the writer never comes to an end");
        tokio::task::yield_now().await;
    }
}

fn writer(
    lanes: usize,
    answer: impl FnMut(usize, &[Point]) -> Result<(), SeriesError> + Send + 'static,
) -> Writer<Scripted, Noted> {
    let options = WriterOptions {
        lanes,
        ..WriterOptions::default()
    };
    Writer::with_pause(Scripted::new(answer), options, Noted::default())
}

fn point(device: u32, ms: i64, value: f64) -> Point {
    Point {
        measurement: Measurement::Telemetry,
        device: DeviceId::new("m", &device.to_string()).unwrap(),
        tags: Vec::new(),
        at: Timestamp::from_ms(ms),
        fields: vec![("a".into(), FieldValue::Float(value))],
    }
}

fn points(count: i64) -> Vec<Point> {
    (0..count).map(|ms| point(1, ms, 1.0)).collect()
}

fn fault() -> SeriesError {
    SeriesError::Later {
        reason: "status 500".into(),
        retry_after: None,
        request_suspect: true,
    }
}

#[tokio::test]
async fn a_batch_goes_in_writes_of_at_most_five_thousand() {
    let writer = writer(1, |_, _| Ok(()));
    assert_eq!(writer.write(points(12_345)).await.written, 12_345);
    assert_eq!(*writer.store().calls.lock().unwrap(), [5_000, 5_000, 2_345]);
    assert_eq!(writer.write(Vec::new()).await, WriteReport::default());
}

#[tokio::test]
async fn a_device_has_one_write_in_flight_also_from_two_callers() {
    let writer = writer(4, |_, _| Ok(()));
    let batch = || {
        (0..200)
            .map(|place| point(place % 20, i64::from(place), 1.0))
            .collect()
    };
    let (first, second) = tokio::join!(writer.write(batch()), writer.write(batch()));
    assert_eq!((first.written, second.written), (200, 200));
    assert_eq!(
        writer.store().calls.lock().unwrap().len(),
        8,
        "four lanes, twice"
    );
}

#[tokio::test]
async fn within_an_instant_the_later_record_wins() {
    let writer = writer(2, |_, _| Ok(()));
    let batch = vec![point(1, 5, 1.0), point(1, 4, 7.0), point(1, 5, 2.0)];
    assert_eq!(writer.write(batch).await.written, 2);
    let stored = writer.store().stored.lock().unwrap();
    assert_eq!(stored.values().copied().collect::<Vec<_>>(), [7.0, 2.0]);
}

#[tokio::test]
async fn an_outage_loses_nothing_and_waits_double_up_to_the_longest() {
    let writer = writer(1, |call, _| {
        if call < 12 {
            Err(SeriesError::later("away"))
        } else {
            Ok(())
        }
    });
    let report = writer.write(points(10)).await;
    assert_eq!((report.written, report.refused.len()), (10, 0));
    let waits = writer.pause.0.lock().unwrap();
    let sums: Vec<_> = waits
        .iter()
        .map(|(least, spread)| (*least + *spread).as_millis())
        .collect();
    assert_eq!(
        sums,
        [
            500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000, 60_000
        ]
    );
    assert!(waits.iter().all(|(least, _)| !least.is_zero()));
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let writer = writer(1, |call, _| {
        if call == 0 {
            return Err(SeriesError::Later {
                reason: "busy".into(),
                retry_after: Some(Duration::from_secs(77)),
                request_suspect: false,
            });
        }
        Ok(())
    });
    writer.write(points(1)).await;
    assert_eq!(writer.pause.0.lock().unwrap()[0].0, Duration::from_secs(77));
}

#[tokio::test]
async fn a_refused_token_raises_the_alarm_and_is_tried_again_later() {
    let writer = writer(1, |call, _| {
        if call < 3 {
            Err(SeriesError::stop("the token is refused"))
        } else {
            Ok(())
        }
    });
    let mut status = writer.status();
    let mut seen = Vec::new();
    let watching = async {
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            seen.push(now.clone());
            if now == SeriesStatus::Working {
                break;
            }
        }
    };
    let (report, ()) = tokio::join!(writer.write(points(10)), watching);
    assert_eq!(report.written, 10);
    let reason = "the token is refused".to_owned();
    assert_eq!(
        seen,
        [SeriesStatus::Stopped { reason }, SeriesStatus::Working]
    );
    let waits = writer.pause.0.lock().unwrap();
    assert!(
        waits
            .iter()
            .all(|(least, spread)| *least + *spread == Duration::from_mins(1))
    );
}

#[tokio::test]
async fn a_point_that_breaks_the_server_is_found_and_left_out() {
    for poison in [vec![0], vec![4_999], vec![17, 18, 3_333]] {
        let poisoned = poison.clone();
        let writer = writer(1, move |_, points| {
            if points.iter().any(|point| poisoned.contains(&point.at.ms())) {
                Err(fault())
            } else {
                Ok(())
            }
        });
        let report = writer.write(points(5_000)).await;
        assert_eq!(report.written, 5_000 - poison.len() as u64);
        assert_eq!(
            report.refused[&RefusedReason::ServerError],
            poison.len() as u64
        );
    }
}

#[tokio::test]
async fn a_server_that_fails_on_everything_for_long_loses_nothing() {
    for faults in [1, 4, 5, 6, 60, 1_000] {
        let writer = writer(
            2,
            move |call, _| if call < faults { Err(fault()) } else { Ok(()) },
        );
        let batch = (0..400)
            .map(|ms| point(u32::try_from(ms % 7).unwrap(), ms, 1.0))
            .collect();
        let report = writer.write(batch).await;
        assert_eq!(
            (report.written, report.refused.len()),
            (400, 0),
            "{faults} faults"
        );
    }
}

#[tokio::test]
async fn an_outage_in_the_middle_of_the_search_loses_nothing_but_the_poison() {
    for healthy_again in [30, 100, 2_000] {
        let writer = writer(1, move |call, points| {
            let poisoned = points.iter().any(|point| point.at.ms() == 4_000);
            if poisoned || (20..healthy_again).contains(&call) {
                Err(fault())
            } else {
                Ok(())
            }
        });
        let report = writer.write(points(5_000)).await;
        assert_eq!(report.written, 4_999, "{healthy_again}");
        assert_eq!(report.refused[&RefusedReason::ServerError], 1);
    }
}

#[tokio::test]
async fn a_poison_alone_is_left_out_when_an_earlier_point_is_still_taken() {
    let writer = writer(1, |_, points| {
        if points.iter().any(|point| point.at.ms() == 9) {
            Err(fault())
        } else {
            Ok(())
        }
    });
    assert_eq!(writer.write(vec![point(1, 1, 1.0)]).await.written, 1);
    let report = writer.write(vec![point(1, 9, 1.0)]).await;
    assert_eq!(report.refused[&RefusedReason::ServerError], 1);
}

#[tokio::test]
async fn a_single_point_is_not_given_up_without_a_sign_that_the_server_works() {
    let writer = writer(1, |call, _| if call < 50 { Err(fault()) } else { Ok(()) });
    let report = writer.write(points(1)).await;
    assert_eq!((report.written, report.refused.len()), (1, 0));
}

#[tokio::test]
async fn what_the_store_refused_is_counted_over_all_lanes() {
    struct Refusing;
    impl SeriesStore for Refusing {
        async fn write(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
            let mut report = WriteReport::default();
            report.refuse(RefusedReason::OutsideRetention, points.len() as u64);
            Ok(report)
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
    let writer = Writer::with_pause(Refusing, WriterOptions::default(), Noted::default());
    let batch = (0..50).map(|device| point(device, 0, 1.0)).collect();
    let report = writer.write(batch).await;
    assert_eq!(report.refused[&RefusedReason::OutsideRetention], 50);
}

#[test]
fn a_device_keeps_its_lane_and_devices_spread_over_all() {
    let mut lanes = [0; 4];
    for device in 0..1_000 {
        let name = format!("ts-flash5/TSF5-{device:06}");
        assert_eq!(lane_of(&name, 4), lane_of(&name, 4));
        lanes[lane_of(&name, 4)] += 1;
    }
    assert!(lanes.iter().all(|count| *count > 150), "{lanes:?}");
    assert_eq!(lane_of("x", 0), 0);
}
