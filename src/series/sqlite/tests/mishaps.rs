//! Wrong files, failing transactions, and what is left of them.

use rusqlite::Connection;

use super::super::*;
use crate::telemetry::FieldValue;

#[test]
fn a_file_of_another_journal_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    SqliteStore::open(&path, "a").expect("a new file");
    SqliteStore::open(&path, "a").expect("its own file");
    let error = SqliteStore::open(&path, "b").expect_err("another journal");
    assert!(matches!(error, SeriesError::Stop { .. }));
    assert!(error.to_string().contains("series.db"), "{error}");
}

#[test]
fn a_file_that_is_none_or_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    std::fs::write(&path, vec![7_u8; 9_000]).unwrap();
    assert!(SqliteStore::open(&path, "a").is_err());
    std::fs::remove_file(&path).unwrap();
    let connection = connect(&path).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    let error = SqliteStore::open(&path, "a").expect_err("format 9");
    assert!(error.to_string().contains("format 9"), "{error}");
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let limits = SqliteLimits {
        values: 1,
        values_per_series: 1,
        ..SqliteLimits::default()
    };
    let store = SqliteStore::open_with(&path, "a", limits).unwrap();
    let device: DeviceId = "m/1".parse().unwrap();
    let point = |field: &str, value: f64| Point {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        tags: Vec::new(),
        at: Timestamp::from_ms(5),
        fields: vec![(field.into(), FieldValue::Float(value))],
    };
    store.write(&[point("first", 1.0)]).await.unwrap();
    let other = Connection::open(&path).unwrap();
    // The write below names its series, logs its points, and then fails at the first one's block.
    let trap = "CREATE TRIGGER trap BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'trap'); END";
    other.execute_batch(trap).unwrap();
    let failing = [point("second", 2.0), point("third", 13.0)];
    let error = store.write(&failing).await.expect_err("the trap");
    assert!(matches!(error, SeriesError::Later { .. }), "{error:?}");
    let fields = store.fields(Measurement::Telemetry, &device).await.unwrap();
    assert_eq!(fields, ["first"]);
    other.execute_batch("DROP TRIGGER trap").unwrap();
    // The numbers of "second" and "third" were rolled back with them and are given anew, in another order.
    store.write(&[point("third", 13.0)]).await.unwrap();
    store.write(&failing).await.unwrap();
    let last = store.last(Measurement::Telemetry, &device).await.unwrap();
    let values: Vec<_> = last.into_values().map(|last| last.value).collect();
    assert_eq!(values, [1.0, 2.0, 13.0].map(FieldValue::Float));
}

#[tokio::test]
async fn a_damaged_block_is_a_reason_to_stop_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let limits = SqliteLimits {
        values: 1,
        values_per_series: 1,
        ..SqliteLimits::default()
    };
    let store = SqliteStore::open_with(&path, "a", limits).unwrap();
    let device: DeviceId = "m/1".parse().unwrap();
    let point = |ms| Point {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        tags: Vec::new(),
        at: Timestamp::from_ms(ms),
        fields: vec![("a".into(), FieldValue::Float(1.0))],
    };
    store.write(&[point(1)]).await.unwrap();
    store.write(&[point(2)]).await.unwrap();
    let other = Connection::open(&path).unwrap();
    let changed = other.execute("UPDATE data SET bytes = x'05ffffffff'", []);
    assert_eq!(changed.unwrap(), 1, "the first point is in a block");
    let query = RangeQuery {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        field: "a".into(),
        from: Timestamp::from_ms(0),
        to: Timestamp::from_ms(10),
        points: 10,
    };
    for result in [
        store.range(&query).await.map(drop),
        store.write(&[point(3)]).await.map(drop),
    ] {
        let error = result.expect_err("a damaged block");
        assert!(matches!(error, SeriesError::Stop { .. }), "{error:?}");
        assert!(error.to_string().contains("backup"), "{error}");
    }
}
