//! A process that writes into the embedded store is killed, again and again: what it confirmed is there, once and in order.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use foremend::series::{Series, SeriesStore, SqliteLimits, SqliteStore};
use foremend::telemetry::Timestamp;

use super::given::{device, noon, number, query, values_of, write};

/// Tells the process which file it writes.
const FILE: &str = "FOREMEND_TEST_SERIES_FILE";
/// How often it is killed.
const KILLS: usize = 6;
/// Values of one write.
const BATCH: u32 = 7;

fn open(path: &Path) -> Series {
    // Sealing is under way nearly all the time.
    let limits = SqliteLimits {
        values: 200,
        values_per_series: 1,
        sealed_per_write: 10,
        ..SqliteLimits::default()
    };
    Series::Embedded(SqliteStore::open_with(path, "j", limits).unwrap())
}

async fn stored(store: &Series) -> Vec<f64> {
    let mut query = query(&device("killed"), "a", noon(), Timestamp::MAX);
    query.points = 10_000;
    let mut all = Vec::new();
    loop {
        let page = store.values(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.from = last.at + 1;
        all.extend(page.iter().map(|read| match read.value {
            foremend::telemetry::FieldValue::Float(number) => number,
            foremend::telemetry::FieldValue::Text(_) => f64::NAN,
        }));
    }
    all
}

/// The number of the value is its instant too.
#[tokio::test]
#[ignore = "the process that is killed; it does nothing unless the test below starts it"]
#[expect(clippy::print_stdout, reason = "this is how it confirms")]
async fn the_process_that_writes() {
    let Some(path) = env::var_os(FILE) else {
        return;
    };
    let store = open(Path::new(&path));
    let mut next = u32::try_from(stored(&store).await.len()).unwrap();
    loop {
        let points = (next..next + BATCH)
            .map(|n| number(&device("killed"), noon() + i64::from(n), "a", n.into()));
        write(&store, points.collect()).await;
        next += BATCH;
        println!("confirmed {next}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let mut confirmed = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "killed::the_process_that_writes",
            ])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut rounds = 0;
        for line in lines {
            let line = line.unwrap();
            let Some((_, number)) = line.split_once("confirmed ") else {
                continue;
            };
            confirmed = number.parse::<usize>().unwrap();
            rounds += 1;
            if rounds == 20 + 13 * kill {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(rounds >= 20 + 13 * kill, "the process ended by itself");
        let store = open(&path);
        let stored = stored(&store).await;
        assert!(
            stored.len() >= confirmed,
            "{} of {confirmed} values are left",
            stored.len()
        );
        let expected = (0..stored.len()).map(|n| f64::from(u32::try_from(n).unwrap()));
        assert_eq!(stored, expected.collect::<Vec<_>>());
        let mut query = query(&device("killed"), "a", noon(), noon() + 100_000);
        query.points = 1;
        let all = store.range(&query).await.unwrap();
        assert_eq!(values_of(&all).len(), 1);
        assert_eq!(all[0].count, stored.len() as u64);
    }
}
