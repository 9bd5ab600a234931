//! The part of the contract that is about time: late points, long ranges, and what was when.

use std::collections::BTreeMap;

use foremend::series::{Extent, Sample, Series, SeriesStore, Value};
use foremend::telemetry::{DAY_MS, FieldValue, HOUR_MS, Measurement, Timestamp};

use super::given::{device, noon, number, query, text, values_of, write};

/// Each part uses a device of its own.
pub(crate) async fn contract(store: &Series) {
    late_points_are_read_in_their_place(store).await;
    a_year_reads_as_hours_that_are_true(store).await;
    the_value_before_an_instant_is_found(store).await;
    the_first_and_last_instant_of_a_field_are_known(store).await;
}

async fn late_points_are_read_in_their_place(store: &Series) {
    let device = device("late");
    // The newest first, then every other one before it, then all once more with another value.
    for (first, step, value) in [(99, 1, 1.0), (0, 2, 2.0), (1, 2, 3.0), (0, 3, 4.0)] {
        let places = (first..100_i32).step_by(step);
        let points = places.map(|place| {
            let at = noon() - 30 * DAY_MS + i64::from(place) * 8 * HOUR_MS;
            number(&device, at, "a", value + f64::from(place) * 10.0)
        });
        write(store, points.collect()).await;
    }
    let samples = store
        .range(&query(
            &device,
            "a",
            noon() - 31 * DAY_MS,
            noon() + 31 * DAY_MS,
        ))
        .await
        .unwrap();
    let expected = (0..100_i32).map(|place| {
        let value = match place {
            place if place % 3 == 0 => 4.0,
            place if place % 2 == 0 => 2.0,
            _ => 3.0,
        };
        value + f64::from(place) * 10.0
    });
    assert_eq!(values_of(&samples), expected.collect::<Vec<_>>());
    assert!(
        samples
            .windows(2)
            .all(|pair| pair[1].at.since(pair[0].at) == 8 * HOUR_MS)
    );
}

async fn a_year_reads_as_hours_that_are_true(store: &Series) {
    let device = device("year");
    let from = noon() + 12 * HOUR_MS - 365 * DAY_MS;
    // Every half hour, a little after it; with a spike, a gap of ten days, and some values written over at last.
    let at = |place: i64| from + place * HOUR_MS / 2 + 61_234;
    let mut held = BTreeMap::new();
    let mut points = Vec::new();
    for place in (0..365 * 48_i64).filter(|place| !(4_800..5_280).contains(place)) {
        let value = if place == 7_777 {
            500.0
        } else {
            f64::from(u16::try_from(place * 7 % 90).unwrap()) / 10.0
        };
        held.insert(at(place), value);
        points.push(number(&device, at(place), "a", value));
    }
    let again = [3, 4_799, 10_000, 10_001, 17_519].map(|place| {
        held.insert(at(place), -1.5);
        number(&device, at(place), "a", -1.5)
    });
    for part in points.chunks(4_000) {
        write(store, part.to_vec()).await;
    }
    write(store, again.to_vec()).await;
    for (begin, end, points, hours) in [
        (from, from + 365 * DAY_MS, 1_000, 9),
        (from + 1, from + 365 * DAY_MS - 1, 400, 22),
        (
            from + 90 * DAY_MS + 59 * 60_000,
            from + 200 * DAY_MS + 123,
            1_000,
            3,
        ),
    ] {
        let mut query = query(&device, "a", begin, end);
        query.points = points;
        let samples = store.range(&query).await.unwrap();
        let mut expected: Vec<Sample> = Vec::new();
        for (at, value) in held.range(begin..end) {
            // Whole hours from the hour in which the range begins; of the first only what is in the range.
            let past = at.since(from) - at.since(from) % HOUR_MS;
            let first = begin.since(from) - begin.since(from) % HOUR_MS;
            let start = from + (past - (past - first) % (hours * HOUR_MS));
            let start = start.max(begin);
            match expected.last_mut() {
                Some(sample) if sample.at == start => {
                    sample.min = sample.min.min(*value);
                    sample.max = sample.max.max(*value);
                    sample.mean += value;
                    sample.count += 1;
                }
                _ => expected.push(Sample {
                    at: start,
                    min: *value,
                    max: *value,
                    mean: *value,
                    count: 1,
                }),
            }
        }
        assert!(samples.len() <= points as usize);
        assert_eq!(samples.len(), expected.len(), "{query:?}");
        for (read, expected) in samples.iter().zip(&expected) {
            assert_eq!(
                (read.at, read.min, read.max, read.count),
                (expected.at, expected.min, expected.max, expected.count)
            );
            let mean = expected.mean / f64::from(u32::try_from(expected.count).unwrap());
            assert!((read.mean - mean).abs() < 1e-9, "{read:?}, mean {mean}");
        }
    }
}

async fn the_value_before_an_instant_is_found(store: &Series) {
    let device = device("before");
    let points = [(0, 1.0), (40, 2.0), (41, 3.0)]
        .map(|(days, value)| number(&device, noon() + days * DAY_MS, "a", value));
    write(store, points.to_vec()).await;
    write(store, vec![text(&device, noon(), "t", "x")]).await;
    let before = async |field: &str, at: Timestamp| {
        let read = store
            .before(Measurement::Telemetry, &device, field, at)
            .await
            .unwrap();
        read.map(|Value { at, value }| (at.since(noon()) / DAY_MS, value))
    };
    assert_eq!(before("a", noon()).await, None);
    assert_eq!(
        before("a", noon() + 1).await,
        Some((0, FieldValue::Float(1.0)))
    );
    assert_eq!(
        before("a", noon() + 40 * DAY_MS).await,
        Some((0, FieldValue::Float(1.0)))
    );
    assert_eq!(
        before("a", noon() + 41 * DAY_MS).await,
        Some((40, FieldValue::Float(2.0)))
    );
    assert_eq!(
        before("a", Timestamp::MAX).await,
        Some((41, FieldValue::Float(3.0)))
    );
    assert_eq!(
        before("t", Timestamp::MAX).await,
        Some((0, FieldValue::Text("x".into())))
    );
    assert_eq!(before("none", Timestamp::MAX).await, None);
    assert_eq!(before("a", Timestamp::MIN).await, None);
}

async fn the_first_and_last_instant_of_a_field_are_known(store: &Series) {
    let device = device("extent");
    let mut tagged = number(&device, noon() + 50 * DAY_MS, "a", 1.0);
    tagged.tags = vec![("mode".into(), "2".into())];
    write(
        store,
        vec![
            number(&device, noon(), "a", 1.0),
            number(&device, noon() - 40 * DAY_MS, "a", 1.0),
            text(&device, noon(), "t", "x"),
            tagged,
        ],
    )
    .await;
    for (field, expected) in [
        ("a", Some((noon() - 40 * DAY_MS, noon() + 50 * DAY_MS))),
        ("t", Some((noon(), noon()))),
        ("none", None),
    ] {
        let expected = expected.map(|(first, last)| Extent { first, last });
        let extent = store.extent(Measurement::Telemetry, &device, field).await;
        assert_eq!(extent.unwrap(), expected, "{field}");
    }
}
