//! A table played to mosquitto.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use foremend::intake::BrokerSettings;
use foremend::intake::MqttVersion;
use foremend::intake::publish::Cell;
use foremend::intake::publish::Kind;
use foremend::intake::publish::PublishError;
use foremend::intake::publish::PublishOptions;
use foremend::intake::publish::Speed;
use foremend::intake::publish::Stamps;
use foremend::intake::publish::TableOptions;
use foremend::intake::publish::Totals;
use foremend::intake::publish::publish;
use tokio::sync::watch;

use crate::bench::Journal;
use crate::bench::Mode;
use crate::bench::PATIENCE;
use crate::bench::Running;
use crate::bench::eventually;
use crate::bench::settings;
use crate::mosquitto::Mosquitto;

/// A table of this many rows, one a second; every tenth row has no value.
fn table(rows: u32) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "time,n").expect("a line");
    for row in 0..rows {
        let value = if row % 10 == 9 {
            String::new()
        } else {
            row.to_string()
        };
        writeln!(file, "{},{value}", 1_772_347_269 + row).expect("a line");
    }
    file
}

fn options(broker: &str, version: MqttVersion, file: &tempfile::NamedTempFile) -> PublishOptions {
    let mut broker = BrokerSettings::new(
        "table",
        broker.parse().expect("an address"),
        "table".into(),
        Vec::new(),
    );
    broker.version = version;
    broker.limits.backoff_first = Duration::from_millis(20);
    PublishOptions {
        broker,
        csv: file.path().into(),
        table: TableOptions {
            model: Cell::Fixed("ts-flash5".into()),
            serial: Cell::Fixed("A1".into()),
            kind: Kind::Tele,
            time: None,
            columns: Vec::new(),
            constants: Vec::new(),
        },
        stamps: Stamps::Keep,
        speed: Speed::Max,
    }
}

async fn play(
    options: &PublishOptions,
    stop: watch::Receiver<bool>,
) -> Result<Totals, PublishError> {
    let mut quiet = |_: &Totals| {};
    let playing = publish(options, stop, &mut quiet);
    tokio::time::timeout(PATIENCE, playing)
        .await
        .expect("an end")
}

/// The numbers that arrived, in their order.
fn numbers(journal: &Journal) -> Vec<u64> {
    journal
        .messages()
        .iter()
        .map(|message| {
            let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
            body["s"]["n"].as_u64().expect("a number")
        })
        .collect()
}

#[tokio::test]
async fn every_row_arrives_in_order_and_the_totals_are_exact() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(settings(&broker.url(), version), &journal);
        eventually("the source", || source.now().fences == 1).await;
        let file = table(2_000);
        let (_keep, stop) = watch::channel(false);
        let totals = play(&options(&broker.url(), version, &file), stop)
            .await
            .expect("totals");
        assert_eq!(
            (totals.rows, totals.empty, totals.published),
            (2_000, 200, 1_800)
        );
        assert_eq!((totals.refused, totals.resent, totals.missing()), (0, 0, 0));
        eventually("all rows", || journal.messages().len() == 1_800).await;
        assert_eq!(
            numbers(&journal),
            (0..2_000).filter(|n| n % 10 != 9).collect::<Vec<_>>()
        );
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn a_broker_that_restarts_half_way_costs_no_row() {
    for version in [MqttVersion::V5, MqttVersion::V311] {
        let mut broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(settings(&broker.url(), version), &journal);
        eventually("the source", || source.now().fences == 1).await;
        let file = table(100);
        let (_keep, stop) = watch::channel(false);
        let mut paced = options(&broker.url(), version, &file);
        paced.speed = Speed::Times(100.0);
        let playing = tokio::spawn(async move { play(&paced, stop).await });
        eventually("some rows", || journal.messages().len() > 20).await;
        broker.stop();
        broker.run();
        let totals = playing.await.expect("no panic").expect("totals");
        assert_eq!((totals.published, totals.missing()), (90, 0));
        let arrived = || {
            numbers(&journal)
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        eventually("all rows", || arrived() == 90).await;
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn an_interruption_tells_what_is_missing() {
    let broker = Mosquitto::start("");
    let file = table(100);
    let mut paced = options(&broker.url(), MqttVersion::V5, &file);
    paced.speed = Speed::Times(1.0);
    let (interrupt, stop) = watch::channel(false);
    let interrupt = Arc::new(interrupt);
    let at_first = Arc::clone(&interrupt);
    // The first row is due at once; the second one a second later.
    let playing = tokio::spawn(async move { play(&paced, stop).await });
    tokio::task::yield_now().await;
    at_first.send(true).expect("someone who listens");
    let totals = playing.await.expect("no panic").expect("totals");
    assert_eq!(totals.rows, 100);
    assert!(totals.published <= 1, "{totals:?}");
    assert_eq!(totals.missing(), 90 - totals.published);
}

#[tokio::test]
async fn rows_that_the_broker_refuses_are_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rules"), "topic read #\n").expect("a file");
    let broker = Mosquitto::start_in(dir, "acl_file {dir}/rules\n");
    let file = table(20);
    let (_keep, stop) = watch::channel(false);
    let totals = play(&options(&broker.url(), MqttVersion::V5, &file), stop)
        .await
        .expect("totals");
    assert_eq!((totals.published, totals.refused), (0, 18));
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_at_once() {
    let mut broker = Mosquitto::start("");
    let url = broker.url();
    broker.stop();
    let file = table(1);
    let (_keep, stop) = watch::channel(false);
    let error = play(&options(&url, MqttVersion::V5, &file), stop)
        .await
        .expect_err("no broker");
    assert!(
        matches!(error, PublishError::NoConnection { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with(&format!("no connection to {url}: ")),
        "{error}"
    );
}
