//! Files of the first format.

use super::super::*;
use crate::telemetry::DAY_MS;
use crate::telemetry::FieldValue;

/// As the first format made it, with two days of two series.
fn old_file(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch(
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE day (day INTEGER PRIMARY KEY);
         CREATE TABLE series (
             id INTEGER PRIMARY KEY,
             measurement TEXT NOT NULL, device TEXT NOT NULL, field TEXT NOT NULL, tags TEXT NOT NULL,
             is_text INTEGER NOT NULL, newest_day INTEGER NOT NULL,
             UNIQUE (measurement, device, field, tags)
         );
         PRAGMA user_version = 1;
         INSERT INTO meta VALUES ('journal', 'a'), ('cutoff', '1000');
         INSERT INTO series VALUES (3, 'telemetry', 'm/1', 'a', '', 0, 20001), (7, 'telemetry', 'm/1', 't', '', 1, 20000);
         INSERT INTO day VALUES (20000), (20001);",
    )
    .unwrap();
    for day in [20_000, 20_001] {
        db.execute_batch(&format!(
            "CREATE TABLE \"day {day}\" (series INTEGER NOT NULL, at INTEGER NOT NULL, value NOT NULL, PRIMARY KEY (series, at)) WITHOUT ROWID;"
        ))
        .unwrap();
        for minute in 0..1_440_i64 {
            let at = day * DAY_MS + minute * 60_000;
            let value = f64::from(u16::try_from(minute).unwrap()) / 10.0;
            db.execute(
                &format!("INSERT INTO \"day {day}\" VALUES (3, ?1, ?2)"),
                (at, value),
            )
            .unwrap();
        }
    }
    db.execute(
        "INSERT INTO \"day 20000\" VALUES (7, ?1, 'water')",
        [20_000 * DAY_MS],
    )
    .unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_format_is_taken_over_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    old_file(&path);
    // What a stop in the middle of an earlier try left behind.
    std::fs::write(dir.path().join("series.db.new"), b"half").unwrap();
    std::fs::write(dir.path().join("series.db.new-wal"), b"half").unwrap();
    let error = SqliteStore::open(&path, "b").expect_err("another journal");
    assert!(error.to_string().contains("journal 'a'"), "{error}");
    for _ in 0..2 {
        let store = SqliteStore::open(&path, "a").unwrap();
        let device: DeviceId = "m/1".parse().unwrap();
        let query = |field: &str| RangeQuery {
            measurement: Measurement::Telemetry,
            device: device.clone(),
            field: field.into(),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            points: 10_000,
        };
        let values = store.values(&query("a")).await.unwrap();
        let expected = (0..2 * 1_440_i64).map(|minute| Value {
            at: Timestamp::from_ms(20_000 * DAY_MS + minute * 60_000),
            value: FieldValue::Float(f64::from(u16::try_from(minute % 1_440).unwrap()) / 10.0),
        });
        assert_eq!(values, expected.collect::<Vec<_>>());
        let texts = store.values(&query("t")).await.unwrap();
        assert_eq!(texts[0].value, FieldValue::Text("water".into()));
        let too_old = Point {
            measurement: Measurement::Telemetry,
            device: device.clone(),
            tags: Vec::new(),
            at: Timestamp::from_ms(999),
            fields: vec![("a".into(), FieldValue::Float(1.0))],
        };
        let report = store.write(&[too_old]).await.unwrap();
        assert_eq!(report.written, 0, "what was too old before still is");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains("new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_another_program_holds_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    old_file(&path);
    let other = Connection::open(&path).unwrap();
    other
        .execute("INSERT INTO meta VALUES ('x', 'y')", [])
        .unwrap();
    let held = other.unchecked_transaction().unwrap();
    held.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))
        .unwrap();
    let second = Connection::open(&path).unwrap();
    second
        .execute("INSERT INTO meta VALUES ('z', 'y')", [])
        .unwrap();
    let error = SqliteStore::open(&path, "a").expect_err("a reader holds the wal");
    assert!(matches!(error, SeriesError::Stop { .. }), "{error:?}");
    drop(held);
    drop((other, second));
    SqliteStore::open(&path, "a").expect("the next start");
}
