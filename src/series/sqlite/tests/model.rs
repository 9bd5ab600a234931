//! Whatever is written in whatever order, the store reads like a plain map of it: through sealing, starts anew, and forgetting.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;

use super::super::super::windows::Thinner;
use super::super::*;
use crate::properties::cases;
use crate::telemetry::DAY_MS;
use crate::telemetry::FieldValue;
use crate::telemetry::HOUR_MS;

/// So small that every state of sealing comes up.
const SMALL: SqliteLimits = SqliteLimits {
    values: 12,
    values_per_series: 1,
    values_at_most: 24,
    text_bytes: 40,
    rows: 6,
    sealed_per_write: 3,
};
/// The third field holds text.
const FIELDS: [&str; 3] = ["a", "b", "t"];

type Model = BTreeMap<(usize, i64), FieldValue>;

fn device() -> DeviceId {
    "m/1".parse().unwrap()
}

fn point(field: usize, at: i64, value: u16) -> Point {
    let value = if FIELDS[field] == "t" {
        FieldValue::Text(format!("text {value}").into())
    } else {
        FieldValue::Float(f64::from(value) / 10.0)
    };
    Point {
        measurement: Measurement::Telemetry,
        device: device(),
        tags: Vec::new(),
        at: Timestamp::from_ms(at),
        fields: vec![(FIELDS[field].into(), value)],
    }
}

fn query(field: usize, span: Range<i64>, points: u32) -> RangeQuery {
    RangeQuery {
        measurement: Measurement::Telemetry,
        device: device(),
        field: FIELDS[field].into(),
        from: Timestamp::from_ms(span.start),
        to: Timestamp::from_ms(span.end),
        points,
    }
}

/// What the model holds of a field in a span.
fn held(model: &Model, field: usize, span: Range<i64>) -> Vec<Value> {
    let end = span.end.max(span.start);
    let inside = model.range((field, span.start)..(field, end));
    let values = inside.map(|((_, at), value)| Value {
        at: Timestamp::from_ms(*at),
        value: value.clone(),
    });
    values.collect()
}

fn assert_samples(read: &[Sample], expected: &[Sample]) {
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        let plain = |sample: &Sample| (sample.at, sample.min, sample.max, sample.count);
        assert_eq!(plain(read), plain(expected));
        let apart = (read.mean - expected.mean).abs();
        assert!(
            apart <= 1e-9 * expected.mean.abs().max(1.0),
            "{read:?} {expected:?}"
        );
    }
}

async fn compare(store: &SqliteStore, model: &Model, spans: &[Range<i64>]) {
    for (field, name) in FIELDS.iter().enumerate() {
        for span in spans {
            let expected = held(model, field, span.clone());
            let all = query(field, span.clone(), 10_000);
            assert_eq!(store.values(&all).await.unwrap(), expected, "{all:?}");
            for points in [1, 3, 50] {
                let some = query(field, span.clone(), points);
                let few = &expected[..expected.len().min(points as usize)];
                assert_eq!(store.values(&some).await.unwrap(), few, "{some:?}");
                let mut thinner = Thinner::new(&some);
                for value in &expected {
                    if let FieldValue::Float(number) = value.value {
                        thinner.add(value.at.ms(), number);
                    }
                }
                assert_samples(&store.range(&some).await.unwrap(), &thinner.samples());
            }
            let before = store
                .before(
                    Measurement::Telemetry,
                    &device(),
                    name,
                    Timestamp::from_ms(span.end),
                )
                .await;
            let expected = held(model, field, i64::MIN..span.end).pop();
            assert_eq!(before.unwrap(), expected, "{span:?}");
        }
        let all = held(model, field, i64::MIN..i64::MAX);
        let extent = store
            .extent(Measurement::Telemetry, &device(), name)
            .await
            .unwrap();
        let expected = all.first().zip(all.last());
        let expected = expected.map(|(first, last)| Extent {
            first: first.at,
            last: last.at,
        });
        assert_eq!(extent, expected);
        let last = store.last(Measurement::Telemetry, &device()).await.unwrap();
        assert_eq!(last.get(*name), all.last());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(usize, i64, u16)>),
    Reopen,
    Keep(Option<i64>),
    Compare(i64, i64),
}

/// Instants around some hours of three periods, so that values meet.
fn instant() -> impl Strategy<Value = i64> {
    (0_i64..3, 0_i64..3, 0_i64..12).prop_map(|(period, day, place)| {
        20_000 * DAY_MS + period * 29 * DAY_MS + day * DAY_MS + place * 20 * 60_000
    })
}

fn step() -> impl Strategy<Value = Step> {
    let written = (0..FIELDS.len(), instant(), 0_u16..1_000);
    prop_oneof![
        8 => prop::collection::vec(written, 0..9).prop_map(Step::Write),
        1 => Just(Step::Reopen),
        1 => prop::option::of(instant()).prop_map(Step::Keep),
        3 => (instant(), instant()).prop_map(|(from, to)| Step::Compare(from, to)),
    ]
}

fn play(steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let mut store = SqliteStore::open_with(&path, "j", SMALL).unwrap();
    let mut model = Model::new();
    let mut cutoff = i64::MIN;
    for step in steps {
        match step {
            Step::Write(values) => {
                let points: Vec<_> = values
                    .iter()
                    .map(|(f, at, value)| point(*f, *at, *value))
                    .collect();
                let report = runtime.block_on(store.write(&points)).unwrap();
                let kept: Vec<_> = points
                    .iter()
                    .zip(&values)
                    .filter(|(_, (_, at, _))| *at >= cutoff)
                    .collect();
                assert_eq!(report.written, kept.len() as u64);
                for (point, (field, at, _)) in kept {
                    model.insert((*field, *at), point.fields[0].1.clone());
                }
            }
            Step::Reopen => {
                drop(store);
                store = SqliteStore::open_with(&path, "j", SMALL).unwrap();
            }
            // What is forgotten is gone for good, so the border only rises here.
            Step::Keep(border) => {
                cutoff = border.unwrap_or(i64::MIN).max(cutoff);
                let span = Duration::from_millis(1);
                let now = Timestamp::from_ms(cutoff) + 1;
                if cutoff > i64::MIN {
                    runtime.block_on(store.keep(Some(span), now)).unwrap();
                }
                model.retain(|(_, at), _| *at >= cutoff);
            }
            Step::Compare(from, to) => {
                let span = from.min(to)..from.max(to) + 7;
                runtime.block_on(compare(&store, &model, std::slice::from_ref(&span)));
            }
        }
    }
    let odd = 20_000 * DAY_MS + 61_234;
    runtime.block_on(compare(
        &store,
        &model,
        &[
            20_000 * DAY_MS..20_100 * DAY_MS,
            odd..odd + 90 * DAY_MS,
            Timestamp::MIN.ms()..Timestamp::MAX.ms(),
        ],
    ));
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn whatever_is_written_reads_like_a_map(steps in prop::collection::vec(step(), 1..40)) {
        play(steps);
    }
}

/// Enough for blocks to be split: twenty thousand values, half of them late or written over.
#[tokio::test]
async fn full_blocks_that_late_values_meet_are_split() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let limits = SqliteLimits {
        values: 3_000,
        values_per_series: 1,
        ..SqliteLimits::default()
    };
    let mut store = SqliteStore::open_with(&path, "j", limits).unwrap();
    let mut model = Model::new();
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        i64::try_from((state >> 33) % below).unwrap()
    };
    let begin = 20_000 * DAY_MS;
    for batch in 0..40 {
        let mut points = Vec::new();
        for place in 0..500_i64 {
            let field = usize::try_from(draw(3)).unwrap();
            let steady = begin + (batch * 500 + place) * 2_000;
            let at = if batch % 2 == 0 {
                steady
            } else {
                begin + draw(u64::try_from(steady - begin).unwrap())
            };
            let value = u16::try_from(draw(1_000)).unwrap();
            let point = point(field, at, value);
            model.insert((field, at), point.fields[0].1.clone());
            points.push(point);
        }
        store.write(&points).await.unwrap();
        if batch % 13 == 0 {
            drop(store);
            store = SqliteStore::open_with(&path, "j", limits).unwrap();
        }
    }
    let span = begin + 12_345..begin + 11 * HOUR_MS;
    compare(
        &store,
        &model,
        &[
            span,
            begin..begin + DAY_MS,
            begin - 300 * DAY_MS..begin + 300 * DAY_MS,
        ],
    )
    .await;
    let blocks: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM block", [], |row| row.get(0))
        .unwrap();
    assert!(blocks >= 6, "{blocks} blocks");
}

/// Each batch lies before the one written last: blocks must not crumble.
#[tokio::test]
async fn a_past_that_comes_backwards_makes_no_more_blocks_than_it_fills() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let limits = SqliteLimits {
        values: 1,
        values_per_series: 1,
        ..SqliteLimits::default()
    };
    let store = SqliteStore::open_with(&path, "j", limits).unwrap();
    for batch in (0..200_i64).rev() {
        let points: Vec<_> = (0..50)
            .map(|place| point(0, 20_000 * DAY_MS + (batch * 50 + place) * 60_000, 1))
            .collect();
        store.write(&points).await.unwrap();
    }
    let (blocks, values): (i64, i64) = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*), sum(count) FROM block", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert!(
        values >= 9_900 && blocks <= 12,
        "{blocks} blocks of {values} values"
    );
}

/// A copy of the files between two writes is what a kill leaves.
#[tokio::test]
async fn a_kill_after_any_write_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let store = SqliteStore::open_with(&path, "j", SMALL).unwrap();
    let mut model = Model::new();
    let day = 20_000 * DAY_MS..20_001 * DAY_MS;
    for batch in 0..40_i64 {
        let mut points = Vec::new();
        for place in 0..5_i64 {
            let field = usize::try_from(place % 3).unwrap();
            // Every third batch writes over the one before.
            let at = 20_000 * DAY_MS + (batch - batch % 3 / 2) * 60_000 + place;
            let point = point(field, at, u16::try_from(batch).unwrap());
            model.insert((field, at), point.fields[0].1.clone());
            points.push(point);
        }
        store.write(&points).await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        for name in ["series.db", "series.db-wal"] {
            std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        let left = SqliteStore::open_with(&copy.path().join("series.db"), "j", SMALL).unwrap();
        compare(&left, &model, std::slice::from_ref(&day)).await;
        // It goes on from there: what was confirmed may come again, and sealing ends what it began.
        left.write(&points).await.unwrap();
        left.write(&[point(0, 20_000 * DAY_MS + 1, 1)])
            .await
            .unwrap();
        let mut with_one = model.clone();
        with_one.insert((0, 20_000 * DAY_MS + 1), FieldValue::Float(0.1));
        compare(&left, &with_one, std::slice::from_ref(&day)).await;
    }
}

#[tokio::test]
async fn what_is_forgotten_makes_the_file_smaller() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let limits = SqliteLimits {
        values: 20_000,
        ..SqliteLimits::default()
    };
    let store = SqliteStore::open_with(&path, "j", limits).unwrap();
    let mut state = 7_u64;
    for batch in 0..40_i64 {
        let points: Vec<_> = (0..5_000_i64)
            .map(|place| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = 20_000 * DAY_MS + (batch * 5_000 + place) * 60_000;
                let mut point = point(0, at, 0);
                // Values that no compression makes small.
                point.fields[0].1 = FieldValue::Float(f64::from_bits(state >> 2));
                point
            })
            .collect();
        store.write(&points).await.unwrap();
    }
    let bytes = || {
        let checkpoint = Connection::open(&path).unwrap();
        checkpoint
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        std::fs::metadata(&path).unwrap().len()
    };
    let before = bytes();
    let now = Timestamp::from_ms(20_000 * DAY_MS + 200_000 * 60_000);
    store
        .keep(Some(Duration::from_hours(24)), now)
        .await
        .unwrap();
    let after = bytes();
    assert!(
        before > 1_600_000 && after * 2 < before,
        "{before} bytes became {after}"
    );
}
