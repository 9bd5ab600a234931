//! How long points are kept, and what set-up needs.

use std::time::Duration;

use foremend::series::{
    InfluxOptions, InfluxStore, RefusedReason, Series, SeriesError, SeriesStatus, SeriesStore,
    SqliteStore, Writer, WriterOptions,
};
use foremend::telemetry::{DAY_MS, HOUR_MS, Measurement, Timestamp};

use super::given::{device, noon, number, query, values_of, write};
use super::influxd::Influxd;

#[tokio::test]
async fn the_embedded_store_forgets_what_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let store = Series::Embedded(SqliteStore::open(&path, "j").unwrap());
    let now = noon();
    let old = now - 3 * DAY_MS;
    let device = device("ret-1");
    write(
        &store,
        vec![
            number(&device, old, "a", 1.0),
            number(&device, now, "a", 2.0),
        ],
    )
    .await;
    write(&store, vec![number(&device, old, "gone", 1.0)]).await;
    retention_refuses_what_is_too_old(&store, now).await;
    let samples = store
        .range(&query(&device, "a", old, now + 1))
        .await
        .unwrap();
    assert_eq!(values_of(&samples), [3.0, 2.0]);
    let fields = store.fields(Measurement::Telemetry, &device).await.unwrap();
    assert_eq!(fields, ["a"]);
    drop(store);
    let store = Series::Embedded(SqliteStore::open(&path, "j").unwrap());
    let report = store
        .write(&[number(&device, old, "a", 1.0)])
        .await
        .unwrap();
    assert_eq!(
        report.refused[&RefusedReason::OutsideRetention],
        1,
        "after a restart too"
    );
    store.keep(None, now).await.unwrap();
    assert_eq!(write(&store, vec![number(&device, old, "a", 1.0)]).await, 1);
}

#[tokio::test]
async fn of_the_day_that_is_half_too_old_only_the_newer_half_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("series.db"), "j").unwrap();
    let store = Series::Embedded(store);
    let device = device("half");
    // Noon is the border; both lie in one day.
    let border = noon();
    let points = vec![
        number(&device, border - 1, "a", 1.0),
        number(&device, border, "a", 2.0),
        number(&device, border - 1, "old", 1.0),
    ];
    write(&store, points).await;
    store
        .keep(Some(Duration::from_hours(24)), border + DAY_MS)
        .await
        .unwrap();
    let query = query(&device, "a", border - DAY_MS, border + DAY_MS);
    assert_eq!(values_of(&store.range(&query).await.unwrap()), [2.0]);
    assert_eq!(store.values(&query).await.unwrap().len(), 1);
    assert_eq!(
        store.fields(Measurement::Telemetry, &device).await.unwrap(),
        ["a"]
    );
}

#[tokio::test]
async fn influxdb_is_set_up_and_refuses_what_is_too_old() {
    super::install_tls();
    let server = Influxd::start().await;
    let influx = server.store("another bucket");
    assert!(!influx.is_fresh().await.unwrap());
    let missing = influx
        .write(&[number(&device("x"), noon(), "a", 1.0)])
        .await;
    assert!(
        matches!(missing, Err(SeriesError::Stop { .. })),
        "{missing:?}"
    );
    let missing = influx
        .range(&query(&device("x"), "a", noon() - 1, noon()))
        .await;
    assert!(
        matches!(missing, Err(SeriesError::Stop { .. })),
        "{missing:?}"
    );
    influx.ensure_bucket().await.expect("a new bucket");
    influx.ensure_bucket().await.expect("the same bucket");
    let store = Series::Influx(influx);
    // The server goes by its own clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "retention is judged by the server's clock"
    )]
    let now = Timestamp::from_ms(chrono::Utc::now().timestamp_millis());
    retention_refuses_what_is_too_old(&store, now).await;
    store.keep(None, now).await.unwrap();
    let old = number(&device("ret-2"), now - 3 * DAY_MS, "a", 1.0);
    assert_eq!(write(&store, vec![old]).await, 1);
}

#[tokio::test]
async fn influxdb_with_a_wrong_token_is_a_reason_to_stop() {
    super::install_tls();
    let server = Influxd::start().await;
    let options = InfluxOptions::new(&server.url, "home", "telemetry", "wrong");
    let store = InfluxStore::new(options).unwrap();
    let device = device("x");
    let results = [
        store
            .write(&[number(&device, noon(), "a", 1.0)])
            .await
            .map(drop),
        store
            .range(&query(&device, "a", noon(), noon() + 1))
            .await
            .map(drop),
        store.keep(None, noon()).await,
        store.ensure_bucket().await,
    ];
    for result in results {
        let error = result.expect_err("a wrong token");
        assert!(matches!(error, SeriesError::Stop { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn influxdb_away_for_a_while_loses_no_point() {
    super::install_tls();
    let mut server = Influxd::start().await;
    let store = server.store("telemetry");
    let options = WriterOptions {
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(100),
        ..WriterOptions::default()
    };
    let writer = Writer::new(store.clone(), options);
    let device = device("away");
    let batch = |from: i64| {
        (from..from + 100)
            .map(|ms| number(&device, noon() + ms, "a", 1.0))
            .collect()
    };
    assert_eq!(writer.write(batch(0)).await.written, 100);
    server.stop();
    let mut status = writer.status();
    let away = async {
        status
            .wait_for(|status| *status != SeriesStatus::Working)
            .await
            .unwrap();
        server.start_again().await;
    };
    let (report, ()) = tokio::join!(writer.write(batch(50)), away);
    assert_eq!(report.written, 100);
    let samples = store
        .range(&query(&device, "a", noon(), noon() + 1_000))
        .await
        .unwrap();
    assert_eq!(samples.len(), 150);
}

/// Keeps one day from `now`: two days are too old, an hour is not.
async fn retention_refuses_what_is_too_old(store: &Series, now: Timestamp) {
    let device = device("ret-1");
    store
        .keep(Some(Duration::from_hours(24)), now)
        .await
        .unwrap();
    store
        .keep(Some(Duration::from_hours(24)), now)
        .await
        .unwrap();
    let points = [
        number(&device, now - 2 * DAY_MS, "a", 1.0),
        number(&device, now - HOUR_MS, "a", 3.0),
    ];
    let report = store.write(&points).await.unwrap();
    assert_eq!(report.written, 1);
    assert_eq!(report.refused[&RefusedReason::OutsideRetention], 1);
    let samples = store
        .range(&query(&device, "a", now - 2 * DAY_MS, now))
        .await
        .unwrap();
    assert_eq!(values_of(&samples), [3.0]);
    store
        .keep(Some(Duration::from_hours(24)), now)
        .await
        .unwrap();
    let samples = store
        .range(&query(&device, "a", now - DAY_MS, now))
        .await
        .unwrap();
    assert_eq!(values_of(&samples), [3.0]);
}
