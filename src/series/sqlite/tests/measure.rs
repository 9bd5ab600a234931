//! Prints how fast and how small the store is; proves nothing.
//!
//! `cargo test --release --lib sqlite::tests::measure -- --ignored --nocapture`

use std::time::Instant;

use super::super::*;
use crate::telemetry::DAY_MS;
use crate::telemetry::FieldValue;

/// What a home has.
const DEVICES: usize = 10;
/// Days that are written and read.
const DAYS: i64 = 365;
/// Points of one write, as the writer sends them.
const BATCH: usize = 5_000;

/// Noise that is the same in each run: bell-shaped, about -1 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            sum += f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1_u32 << 31) - 0.5;
        }
        sum / 2.0
    }
}

/// Ten values of a minute: what appliances send, with a beat that wavers by some 0.1 s.
fn minute(device: usize, minute: i64, noise: &mut Noise) -> Point {
    let rounded = |number: f64, places: f64| (number * places).round() / places;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let hours = minute as f64 / 60.0;
    let day = libm::sin(hours / 24.0 * std::f64::consts::TAU);
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    let waver = (noise.next() * 100.0) as i64;
    let mut fields = Vec::with_capacity(10);
    let mut add = |name: &'static str, value: f64| {
        fields.push((SmolStr::new_static(name), FieldValue::Float(value)));
    };
    add("water.out_c", rounded(37.0 + day + noise.next(), 10.0));
    add("water.set_c", 38.0);
    add(
        "seat.temp_c",
        rounded(34.0 + 2.0 * day + noise.next() / 2.0, 10.0),
    );
    add("leak_ma", rounded(0.12 + noise.next() / 50.0, 1_000.0));
    add("flow.l_min", rounded(0.5 + noise.next() / 20.0, 100.0));
    add(
        "power.w",
        rounded(600.0 + 50.0 * day + 20.0 * noise.next(), 1.0),
    );
    add(
        "battery.v",
        rounded(3.9 - hours / 90_000.0 + noise.next() / 100.0, 100.0),
    );
    add("cycles", (hours / 3.0).floor());
    add("occupied", f64::from(u8::from(minute % 97 < 6)));
    add("rssi", rounded(-60.0 + 3.0 * noise.next(), 1.0));
    Point {
        measurement: Measurement::Telemetry,
        device: DeviceId::new("ts-flash5", &format!("MADEUP-{device}")).unwrap(),
        tags: Vec::new(),
        at: Timestamp::from_ms(20_000 * DAY_MS + minute * 60_000 + waver),
        fields,
    }
}

#[tokio::test]
#[ignore = "a measurement of a minute; see the file's first lines"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement: it reads the clock and prints"
)]
async fn a_year_of_a_home() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("series.db");
    let store = SqliteStore::open(&path, "j").unwrap();
    let mut noise = Noise(1);
    let (mut values, mut spent, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    let mut batch = Vec::with_capacity(BATCH);
    for place in 0..DAYS * 1_440 {
        for device in 0..DEVICES {
            batch.push(minute(device, place, &mut noise));
        }
        if batch.len() >= BATCH {
            let began = Instant::now();
            store.write(&batch).await.unwrap();
            let took = began.elapsed();
            values += batch.len() * 10;
            spent += took;
            longest = longest.max(took);
            batch.clear();
        }
    }
    store.write(&batch).await.unwrap();
    values += batch.len() * 10;
    println!(
        "{values} values written in {spent:.1?}: {:.2} M/s, the longest write took {longest:.1?}",
        values as f64 / spent.as_secs_f64() / 1e6
    );
    let db = Connection::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let file = std::fs::metadata(&path).unwrap().len();
    let (bytes, sealed): (i64, i64) = db
        .query_row("SELECT sum(length(bytes) + length(cells)), sum(count) FROM block JOIN data ON data.id = data", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    println!(
        "the file has {:.1} MB: {:.2} bytes a value; sealed {:.2}",
        file as f64 / 1e6,
        file as f64 / values as f64,
        bytes as f64 / sealed as f64
    );
    let began = Instant::now();
    drop(store);
    let store = SqliteStore::open(&path, "j").unwrap();
    println!("opening took {:.1?}", began.elapsed());
    let end = Timestamp::from_ms((20_000 + DAYS) * DAY_MS);
    for field in ["water.out_c", "cycles", "battery.v"] {
        for (what, days, back, points) in [
            ("a year, 1,000 points", DAYS, 0, 1_000),
            ("a year from an odd instant", DAYS, 12_345_678, 1_000),
            ("a year, 10,000 points (values)", DAYS, 0, 10_000),
            ("30 d, 1,000 points", 30, 0, 1_000),
            ("24 h, each value", 1, 0, 2_000),
            ("24 h in spring, each value", 1, 200 * DAY_MS, 2_000),
            ("24 h in spring, 500 points", 1, 200 * DAY_MS, 500),
        ] {
            let to = end - back;
            let query = RangeQuery {
                measurement: Measurement::Telemetry,
                device: "ts-flash5/MADEUP-3".parse().unwrap(),
                field: field.into(),
                from: to - days * DAY_MS,
                to,
                points,
            };
            let mut best = Duration::MAX;
            let mut samples = 0;
            for _ in 0..5 {
                let began = Instant::now();
                samples = store.range(&query).await.unwrap().len();
                best = best.min(began.elapsed());
            }
            println!("{field}, {what}: {samples} samples in {best:.2?}");
        }
    }
    let device = "ts-flash5/MADEUP-3".parse().unwrap();
    let began = Instant::now();
    store.last(Measurement::Telemetry, &device).await.unwrap();
    println!("the last value of each field: {:.2?}", began.elapsed());
    let began = Instant::now();
    store
        .keep(Some(Duration::from_hours(24 * 30)), end)
        .await
        .unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    println!(
        "forgetting eleven months took {:.1?}; the file has {:.1} MB",
        began.elapsed(),
        std::fs::metadata(&path).unwrap().len() as f64 / 1e6
    );
}
