//! The numbers of the embedded series store: how fast it takes a year of a home, how large that is, how fast it reads.
//!
//! `cargo bench --bench series`; `-- --days N` for another span. `benches/README.md` has what was found. This measures and judges
//! nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use foremend::series::points::PointMaker;
use foremend::series::{RangeQuery, SeriesStore, SqliteStore};
use foremend::telemetry::{
    DAY_MS, DeviceId, FieldValue, Measurement, Point, Reading, Scalar, Telemetry, TelemetryRecord,
    Timestamp,
};
use rusqlite::Connection;
use smol_str::SmolStr;

#[expect(dead_code, reason = "a part of it is for the other measurements")]
#[path = "spine/measure.rs"]
mod measure;

use measure::{Cpu, Stopwatch};

/// Devices of a home.
const DEVICES: usize = 10;
/// The first day, counted from 1970-01-01.
const FIRST_DAY: i64 = 20_000;
/// Points of one write, as the writer sends them.
const BATCH: usize = 5_000;
/// Of repeated reads the fastest counts.
const READS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip_while(|word| word != "--days").skip(1);
    let days = arguments
        .next()
        .and_then(|days| days.parse().ok())
        .unwrap_or(365);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("series.sqlite");
    runtime.block_on(async {
        fill(&path, days).await;
        read(&path, days).await;
    });
    making_points();
}

fn say(text: &str) {
    let _gone = writeln!(std::io::stdout(), "{text}");
}

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
            let draw = u32::try_from(self.0 >> 33).unwrap_or(0);
            sum += f64::from(draw) / f64::from(1_u32 << 31) - 0.5;
        }
        sum / 2.0
    }
}

/// Ten values of a minute as appliances send them, with a beat that wavers by some 0.1 s.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "small numbers"
)]
fn point(device: &DeviceId, minute: i64, noise: &mut Noise) -> Point {
    let rounded = |number: f64, places: f64| (number * places).round() / places;
    let hours = minute as f64 / 60.0;
    let day = (hours / 24.0 * std::f64::consts::TAU).sin();
    let waver = (noise.next() * 100.0) as i64;
    let values = [
        ("water.out_c", rounded(37.0 + day + noise.next(), 10.0)),
        ("water.set_c", 38.0),
        (
            "seat.temp_c",
            rounded(34.0 + 2.0 * day + noise.next() / 2.0, 10.0),
        ),
        ("leak_ma", rounded(0.12 + noise.next() / 50.0, 1_000.0)),
        ("flow_lpm", rounded(0.5 + noise.next() / 20.0, 100.0)),
        (
            "heater_w",
            rounded(600.0 + 50.0 * day + 20.0 * noise.next(), 1.0),
        ),
        (
            "battery_v",
            rounded(3.9 - hours / 90_000.0 + noise.next() / 100.0, 100.0),
        ),
        ("cycles", (hours / 3.0).floor()),
        ("occupied", f64::from(u8::from(minute % 97 < 6))),
        ("rssi", rounded(-60.0 + 3.0 * noise.next(), 1.0)),
    ];
    Point {
        measurement: Measurement::Telemetry,
        device: device.clone(),
        tags: Vec::new(),
        at: Timestamp::from_ms(FIRST_DAY * DAY_MS + minute * 60_000 + waver),
        fields: values
            .map(|(name, value)| (SmolStr::new_static(name), FieldValue::Float(value)))
            .to_vec(),
    }
}

fn device(place: usize) -> DeviceId {
    DeviceId::new("ts-flash5", &format!("MADEUP-{place}")).expect("a device")
}

#[expect(clippy::cast_precision_loss, reason = "only printed")]
async fn fill(path: &Path, days: i64) {
    let store = SqliteStore::open(path, "j").expect("a store");
    let devices: Vec<_> = (0..DEVICES).map(device).collect();
    let mut noise = Noise(1);
    let (mut values, mut spent, mut busy) = (0, Duration::ZERO, Duration::ZERO);
    let mut writes = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    for minute in 0..days * 1_440 {
        for device in &devices {
            batch.push(point(device, minute, &mut noise));
        }
        if batch.len() >= BATCH || minute + 1 == days * 1_440 {
            let (began, before) = (Stopwatch::start(), cpu());
            store.write(&batch).await.expect("written");
            let took = began.elapsed();
            busy += cpu().since(before);
            values += batch.len() * 10;
            spent += took;
            writes.push(took);
            batch.clear();
        }
    }
    writes.sort();
    let part = |thousandths: usize| writes[(writes.len() - 1) * thousandths / 1_000];
    say(&format!(
        "{values} values written in {spent:.1?}: {:.2} M/s, {:.0} ns of CPU each; a write of {BATCH} points p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        values as f64 / spent.as_secs_f64() / 1e6,
        busy.as_secs_f64() * 1e9 / values as f64,
        part(500),
        part(990),
        part(1_000)
    ));
    let db = Connection::open(path).expect("the file");
    let (sealed, counted): (i64, i64) = db
        .query_row(
            "SELECT sum(length(bytes) + length(cells)), sum(count) FROM block JOIN data ON data.id = data",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("sums");
    let file = size(path);
    say(&format!(
        "the file has {:.1} MB: {:.2} bytes a value with everything; what is sealed takes {:.2}",
        file as f64 / 1e6,
        file as f64 / values as f64,
        sealed as f64 / counted as f64
    ));
    let mut select = db
        .prepare("SELECT field, sum(length(bytes)), sum(length(cells)), sum(count) FROM block JOIN data ON data.id = data JOIN series ON series.id = series GROUP BY field")
        .expect("a query");
    let mut rows = select.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let number = |place| row.get::<_, i64>(place).expect("a number") as f64;
        say(&format!(
            "  {:<12} {:.2} bytes a value, and {:.2} for its hours",
            row.get::<_, String>(0).expect("a name"),
            number(1) / number(3),
            number(2) / number(3)
        ));
    }
}

async fn read(path: &Path, days: i64) {
    let began = Stopwatch::start();
    let store = SqliteStore::open(path, "j").expect("a store");
    say(&format!("opening: {:.1?}", began.elapsed()));
    let end = Timestamp::from_ms((FIRST_DAY + days) * DAY_MS);
    for (what, span, back, points) in [
        ("all, 1,000 points", days, 0, 1_000),
        (
            "all, 1,000 points, from an odd instant on",
            days,
            12_345_678,
            1_000,
        ),
        ("all, 10,000 points (of single values)", days, 0, 10_000),
        ("30 d, 1,000 points", 30, 0, 1_000),
        ("24 h, each value", 1, 0, 2_000),
        (
            "24 h half a year ago, each value",
            1,
            days / 2 * DAY_MS,
            2_000,
        ),
        (
            "24 h half a year ago, 500 points",
            1,
            days / 2 * DAY_MS,
            500,
        ),
    ] {
        for field in ["water.out_c", "cycles"] {
            let to = end - back;
            let query = RangeQuery {
                measurement: Measurement::Telemetry,
                device: device(3),
                field: field.into(),
                from: to - span * DAY_MS,
                to,
                points,
            };
            let mut best = Duration::MAX;
            let mut samples = 0;
            for _ in 0..READS {
                let began = Stopwatch::start();
                samples = store.range(&query).await.expect("samples").len();
                best = best.min(began.elapsed());
            }
            say(&format!("{what}, {field}: {samples} samples in {best:.2?}"));
        }
    }
    let began = Stopwatch::start();
    store
        .last(Measurement::Telemetry, &device(3))
        .await
        .expect("values");
    say(&format!(
        "the last value of each field: {:.2?}",
        began.elapsed()
    ));
    let began = Stopwatch::start();
    let kept = Duration::from_hours(24 * 30);
    store.keep(Some(kept), end).await.expect("forgotten");
    let took = began.elapsed();
    let db = Connection::open(path).expect("the file");
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
    say(&format!(
        "forgetting all but 30 d: {took:.1?}; the file has {:.1} MB then",
        f64::from(u32::try_from(size(path) / 1_000).unwrap_or(u32::MAX)) / 1e3
    ));
}

/// What comes before the store: from telemetry to points.
fn making_points() {
    const MESSAGES: u32 = 200_000;
    let mut noise = Noise(1);
    let telemetry: Vec<_> = (0..100)
        .map(|minute| {
            let point = point(&device(1), minute, &mut noise);
            let readings = point.fields.into_iter().map(|(path, value)| Reading {
                path,
                value: match value {
                    FieldValue::Float(number) => Scalar::Number(number),
                    FieldValue::Text(text) => Scalar::Text(text),
                },
            });
            Telemetry {
                device: point.device,
                retained: false,
                batch: false,
                lag_ms: None,
                records: vec![TelemetryRecord {
                    event_time: point.at,
                    clock_suspect: false,
                    time_unknown: false,
                    seq: None,
                    event: None,
                    readings: readings.collect(),
                }],
                availability: None,
                identity: None,
                bad_records: Vec::new(),
                duplicate_records: 0,
                seq_restarted: false,
                new_device: false,
            }
        })
        .collect();
    let mut maker = PointMaker::default();
    let mut points = Vec::new();
    let before = cpu();
    for place in 0..MESSAGES {
        let telemetry = telemetry.get(place as usize % telemetry.len());
        maker.points(telemetry.expect("one of them"), None, &mut points);
        if points.len() >= BATCH {
            points.clear();
        }
    }
    let each = cpu().since(before).as_secs_f64() * 1e9 / f64::from(MESSAGES) / 10.0;
    say(&format!(
        "from telemetry to a point: {each:.0} ns of CPU a value (paths that no profile knows)"
    ));
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// CPU time of this process; the sum over many short pieces is right although each is only known to 10 ms.
fn cpu() -> Cpu {
    Cpu::of(std::process::id())
}
