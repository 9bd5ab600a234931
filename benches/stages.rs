//! The cost of each stage by itself, in one process on one thread, without a network: what a message of five readings costs to
//! decode, to judge by twenty conditions, to make into points, and to write to and read from the journal.
//!
//! `cargo bench --bench stages`; `-- --messages N`, `-- --devices N`; `-- decode` (or `pipeline`, `points`, `journal`) for one stage;
//! `-- memory --devices N` for what a fleet takes, `-- snapshot --devices N` for how long it waits for its state to be saved;
//! `-- packing --devices N` for what a message costs where more devices speak in turn than stand open.
//! `benches/README.md` has what was found. This measures and judges nothing.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use foremend::decode::DecodeState;
use foremend::decode::Decoded;
use foremend::decode::KnownModels;
use foremend::journal::Journal;
use foremend::journal::JournalOptions;
use foremend::pipeline::Effects;
use foremend::pipeline::Pipeline;
use foremend::pipeline::RowMaker;
use foremend::pipeline::TakenRow;
use foremend::profile::Profiles;
use foremend::series::points::PointMaker;
use foremend::telemetry::Control;
use foremend::telemetry::Entry;
use foremend::telemetry::Position;
use foremend::telemetry::ProfileText;
use foremend::telemetry::RawMessage;
use foremend::telemetry::Record;
use foremend::telemetry::Settings;
use foremend::telemetry::Timestamp;

#[expect(dead_code, reason = "a part of it is for the other measurements")]
#[path = "spine/measure.rs"]
mod measure;

#[path = "spine/moments.rs"]
mod moments;

use measure::{Stopwatch, spread, this_thread};

/// 2026-03-01 00:00 UTC.
const START_MS: i64 = 1_772_323_200_000;
/// Rounds of each stage; the spread tells how far to trust a number.
const ROUNDS: usize = 5;
/// Entries that the daemon's worker reads at once.
const BATCH: usize = 4_096;
/// Rows that it takes of a snapshot between two batches.
const SLICE_ROWS: usize = 128;

struct Sizes {
    parts: Vec<String>,
    messages: u32,
    devices: u32,
}

fn main() {
    let sizes = sizes();
    let wanted = |part: &str| sizes.parts.is_empty() || sizes.parts.iter().any(|one| one == part);
    if sizes.parts.iter().any(|part| part == "memory") {
        return memory_of(sizes.devices);
    }
    if sizes.parts.iter().any(|part| part == "snapshot") {
        return snapshot_of(sizes.devices);
    }
    if sizes.parts.iter().any(|part| part == "packing") {
        return packing_of(sizes.devices);
    }
    let entries = entries(&sizes);
    say(&format!(
        "{} messages of 200 bytes, {} devices, min / median / max of {ROUNDS} rounds",
        sizes.messages, sizes.devices
    ));
    if wanted("decode") {
        rounds("decode", &sizes, || decode(&entries));
    }
    if wanted("pipeline") {
        rounds("decode, detect, desk", &sizes, || pipeline(&entries));
    }
    if wanted("points") {
        points(&entries, &sizes);
    }
    if wanted("journal") {
        journal(&entries, &sizes);
    }
}

fn sizes() -> Sizes {
    let mut sizes = Sizes {
        parts: Vec::new(),
        messages: 200_000,
        devices: 100,
    };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut number = || {
            words
                .next()
                .and_then(|text| text.parse().ok())
                .expect("a number")
        };
        match word.as_str() {
            "--messages" => sizes.messages = number(),
            "--devices" => sizes.devices = number(),
            _ => sizes.parts.push(word),
        }
    }
    sizes
}

fn say(text: &str) {
    let _gone = writeln!(std::io::stdout(), "{text}");
}

fn rounds(name: &str, sizes: &Sizes, mut once: impl FnMut() -> Duration) {
    let each: Vec<f64> = (0..ROUNDS)
        .map(|_| once().as_secs_f64() * 1e9 / f64::from(sizes.messages))
        .collect();
    say(&format!("{name:<24} {} ns a message", spread(&each, 0)));
}

/// The rig of `cargo bench --bench spine`: twenty conditions over five readings.
fn profile() -> ProfileText {
    ProfileText {
        name: "twenty.toml".into(),
        text: include_str!("spine/twenty.toml").into(),
    }
}

/// What each device says once a second.
fn entries(sizes: &Sizes) -> Vec<Entry> {
    let controls = [
        Control::Started {
            version: "bench".into(),
        },
        Control::Settings(Settings::default()),
        Control::Profiles {
            profiles: vec![profile()],
            words: Vec::new(),
        },
    ];
    let controls = controls
        .into_iter()
        .map(|control| (START_MS, Record::Control(control)));
    let messages = (0..sizes.messages).map(|nth| {
        let (second, device) = (nth / sizes.devices, nth % sizes.devices);
        let at = START_MS + i64::from(second) * 1_000 + i64::from(device * 1_000 / sizes.devices);
        (at + 40, Record::Message(message(at, second, device)))
    });
    (1..)
        .zip(controls.chain(messages))
        .map(|(position, (at, record))| Entry {
            position: Position(position),
            received_at: Timestamp::from_ms(at),
            record,
        })
        .collect()
}

fn message(at_ms: i64, second: u32, device: u32) -> RawMessage {
    let noise = |prime: u32, range: u32| f64::from((second * prime + device * 31) % range);
    let payload = format!(
        r#"{{"ts":{}.{:03},"seq":{},"s":{{"water.outlet_temperature_c":{:.2},"water.inlet_temperature_c":{:.2},"water.flow_rate_lpm":{:.3},"heater.power_average_w":{:.1},"leakage.current_max_ma":{:.3}}}}}"#,
        at_ms / 1_000,
        at_ms % 1_000,
        100_000 + second,
        37.0 + noise(7, 100) / 100.0,
        17.0 + noise(3, 50) / 100.0,
        0.5 + noise(11, 90) / 1000.0,
        1300.0 + noise(13, 900) / 10.0,
        0.1 + noise(17, 80) / 1000.0,
    );
    RawMessage {
        source: "listener".into(),
        topic: format!("appl/v1/twenty/MADEUP-{device:06}/tele").into(),
        payload: Bytes::from(payload),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

/// A fleet of the shipped profile with most faults in the pipeline, each device with two washes behind it.
struct Fleet {
    pipeline: Pipeline,
    position: u64,
    decoded: u64,
    /// MiB resident before the first device.
    empty: f64,
    /// What comes next: the number of the message, and when it is said.
    next: (u32, i64),
}

impl Fleet {
    fn new(devices: u32) -> Self {
        let text = |name: &str, text: &str| ProfileText {
            name: name.into(),
            text: text.into(),
        };
        let words = [
            text(
                "actions.toml",
                include_str!("../device-profiles/words/actions.toml"),
            ),
            text(
                "causes.toml",
                include_str!("../device-profiles/words/causes.toml"),
            ),
            text(
                "guides.toml",
                include_str!("../device-profiles/words/guides.toml"),
            ),
            text(
                "messages.toml",
                include_str!("../device-profiles/words/messages.toml"),
            ),
        ];
        let profile = text(
            "ts-flash5.toml",
            include_str!("../device-profiles/ts-flash5.toml"),
        );
        let mut fleet = Self {
            pipeline: Pipeline::new(),
            position: 0,
            decoded: 0,
            empty: 0.0,
            next: (1, START_MS),
        };
        let profiles = Control::Profiles {
            profiles: vec![profile],
            words: words.to_vec(),
        };
        fleet.step(START_MS, Record::Control(profiles));
        fleet.empty = measure::memory(std::process::id()).0;
        // A hundred new devices a second are taken in; so the fleet speaks one after the other.
        for (seq, (offset, signals)) in (1_u32..).zip(moments::moments(2)) {
            #[expect(clippy::cast_possible_truncation, reason = "a few hours in ms")]
            let at = START_MS + (offset * 1e3) as i64;
            for device in 0..devices {
                fleet.say(at, seq, device, &signals);
            }
            fleet.next = (seq + 1, at + i64::from(devices) * 11);
        }
        fleet
    }

    fn step(&mut self, at_ms: i64, record: Record) {
        self.position += 1;
        let mut effects = Effects::default();
        let entry = Entry {
            position: Position(self.position),
            received_at: Timestamp::from_ms(at_ms),
            record,
        };
        self.pipeline.step(&entry, &mut effects);
        self.decoded += effects.counts.decoded;
    }

    fn say(&mut self, from_ms: i64, seq: u32, device: u32, signals: &str) {
        let at = from_ms + i64::from(device) * 11;
        let mut said = message(at, 0, device);
        said.topic = format!("appl/v1/ts-flash5/MADEUP-{device:06}/tele").into();
        said.payload = Bytes::from(format!(
            r#"{{"ts":{}.{:03},"seq":{seq},"s":{{{signals}}}}}"#,
            at / 1_000,
            at % 1_000
        ));
        self.step(at + 40, Record::Message(said));
    }

    /// A device says that nothing happens, once for each round.
    fn idle(&mut self, round: u32, device: u32) {
        let (seq, at) = self.next;
        let from = at + i64::from(round) * 60_000;
        self.say(from, seq + round, device, r#""function":"idle""#);
    }
}

/// Resident memory of a fleet, and its rows.
fn memory_of(devices: u32) {
    let mut fleet = Fleet::new(devices);
    let (empty, decoded) = (fleet.empty, fleet.decoded);
    let before = this_thread();
    let rows = fleet.pipeline.take_changed_rows();
    let taken = this_thread().saturating_sub(before);
    let bytes: usize = rows
        .iter()
        .filter_map(|row| row.bytes.as_ref())
        .map(Vec::len)
        .sum();
    let count = rows.len();
    drop(rows);
    let (full, _) = measure::memory(std::process::id());
    say(&format!(
        "memory                   {devices} devices, {decoded} messages: {:.2} kB resident a device; {count} rows of {:.2} kB a device, made in {:.2} s",
        (full - empty) * 1024.0 / f64::from(devices) * 1.024,
        f64::from(u32::try_from(bytes / 1_000).unwrap_or(u32::MAX)) / f64::from(devices),
        taken.as_secs_f64()
    ));
}

/// How long the pipeline waits for a snapshot in which every device changed: at one go, and in slices.
fn snapshot_of(devices: u32) {
    let mut fleet = Fleet::new(devices);
    let timed = |work: &mut dyn FnMut()| {
        let before = this_thread();
        work();
        this_thread().saturating_sub(before)
    };
    let speaks = |fleet: &mut Fleet, round: u32| {
        let before = this_thread();
        (0..devices).for_each(|device| fleet.idle(round, device));
        this_thread().saturating_sub(before)
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let whole = timed(&mut || drop(black_box(fleet.pipeline.take_changed_rows())));
    say(&format!(
        "snapshot at one go       {devices} devices: waits {:.1} ms at once",
        ms(whole)
    ));
    let usual = speaks(&mut fleet, 0);
    let (mut pauses, mut rows) = (Vec::new(), Vec::new());
    pauses.push(timed(&mut || rows = fleet.pipeline.begin_snapshot()));
    let begin = ms(pauses[0]);
    while fleet.pipeline.is_row_left() {
        pauses.push(timed(&mut || {
            rows.extend(fleet.pipeline.take_slice(SLICE_ROWS));
        }));
    }
    fleet.pipeline.end_snapshot(true);
    let longest = pauses.iter().max().copied().unwrap_or_default();
    let size: usize = rows.iter().map(TakenRow::size).sum();
    let (count, mut maker) = (rows.len(), RowMaker::default());
    let elsewhere = timed(&mut || {
        for row in rows.drain(..) {
            black_box(row.into_row(&mut maker));
        }
    });
    say(&format!(
        "snapshot in slices       waits {:.2} ms at most at once ({begin:.2} to begin), {:.1} in all of {} slices; {count} rows, {} kB as handed over, {:.1} ms on the other thread",
        ms(longest),
        ms(pauses.iter().sum()),
        pauses.len() - 1,
        size / 1_000,
        ms(elsewhere)
    ));
    // All of them speak while a snapshot that is only begun waits: the most that copies can cost.
    let _first = fleet.pipeline.begin_snapshot();
    let copying = speaks(&mut fleet, 1);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(devices);
    say(&format!(
        "a message that copies    {:.1} us, {:.1} without",
        each(copying),
        each(usual)
    ));
}

/// What a message costs where each device was packed since it last spoke, and where all stand open.
fn packing_of(devices: u32) {
    let mut fleet = Fleet::new(devices);
    let mut round = 0;
    let mut speak = |fleet: &mut Fleet| {
        let unpacked = fleet.pipeline.open_devices().unpacked;
        let before = this_thread();
        (0..devices).for_each(|device| fleet.idle(round, device));
        round += 1;
        let took = this_thread().saturating_sub(before);
        let unpacked = fleet.pipeline.open_devices().unpacked - unpacked;
        (took.as_secs_f64() * 1e6 / f64::from(devices), unpacked)
    };
    let some = usize::try_from(devices / 2).expect("a number of devices");
    for (open, what) in [(some, "half of them open"), (2 * some + 1, "all open")] {
        fleet.pipeline.set_open_limit(open);
        speak(&mut fleet);
        let found: Vec<_> = (0..ROUNDS).map(|_| speak(&mut fleet)).collect();
        let costs: Vec<f64> = found.iter().map(|found| found.0).collect();
        let unpacked: u64 = found.iter().map(|found| found.1).sum();
        say(&format!(
            "packing                  {devices} devices in turn, {what}: {} us a message; in {ROUNDS} rounds {unpacked} times one was unpacked",
            spread(&costs, 1),
        ));
    }
}

fn decode(entries: &[Entry]) -> Duration {
    let profiles = Profiles::compile(&[profile()], &[]).expect("a profile without mistakes");
    let models = KnownModels(&profiles);
    let mut state = DecodeState::new();
    state.configure(&Settings::default());
    let before = this_thread();
    for entry in entries {
        if let Record::Message(message) = &entry.record {
            black_box(state.decode(entry.received_at, message, &models));
        }
    }
    this_thread().saturating_sub(before)
}

fn pipeline(entries: &[Entry]) -> Duration {
    let mut pipeline = Pipeline::new();
    let before = this_thread();
    for batch in entries.chunks(BATCH) {
        let mut effects = Effects::default();
        for entry in batch {
            pipeline.step(entry, &mut effects);
        }
        assert!(effects.changes.is_empty(), "nothing fails in the bench");
        black_box(&effects);
    }
    this_thread().saturating_sub(before)
}

/// Points of what was decoded, which is not in the number.
fn points(entries: &[Entry], sizes: &Sizes) {
    let profiles = Profiles::compile(&[profile()], &[]).expect("a profile without mistakes");
    let program = profiles.get("twenty").cloned();
    let models = KnownModels(&profiles);
    let mut state = DecodeState::new();
    state.configure(&Settings::default());
    let decoded: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::Message(message) => Some(state.decode(entry.received_at, message, &models)),
            _ => None,
        })
        .collect();
    rounds("points", sizes, || {
        let mut maker = PointMaker::default();
        let before = this_thread();
        for batch in decoded.chunks(BATCH) {
            let mut points = Vec::new();
            for decoded in batch {
                if let Decoded::Telemetry(telemetry) = decoded {
                    maker.points(telemetry, program.as_deref(), &mut points);
                }
            }
            black_box(foremend::series::points::unite(points));
        }
        this_thread().saturating_sub(before)
    });
}

/// Writes, then reads all back: from the files, since only the newest entries are kept in memory.
fn journal(entries: &[Entry], sizes: &Sizes) {
    let dir = tempfile::tempdir().expect("a folder");
    let journal =
        Journal::open(dir.path(), JournalOptions::default()).expect("a journal that opens");
    // The writer is a thread of its own: time on the clock.
    rounds("journal: write, fsync", sizes, || {
        let records: Vec<Vec<Record>> = entries
            .iter()
            .map(|entry| vec![entry.record.clone()])
            .collect();
        let (told, done) = std::sync::mpsc::sync_channel(1);
        let clock = Stopwatch::start();
        for record in records {
            journal.append(record, Box::new(|_| ())).expect("room");
        }
        let last = Box::new(move |answer| told.send(answer).expect("someone waits"));
        journal.append(Vec::new(), last).expect("room");
        drop(done.recv().expect("an answer"));
        clock.elapsed()
    });
    let read = |name: &str| {
        rounds(name, sizes, || {
            let before = this_thread();
            let (mut from, mut count) = (Position(0), 0);
            while count < entries.len() {
                let read = journal.read(from, BATCH, 4 << 20).expect("readable");
                let Some(last) = read.last() else { break };
                from = last.position.next();
                count += read.len();
            }
            this_thread().saturating_sub(before)
        });
    };
    read("journal: read live file");
    let stats = journal.stats();
    let written = (stats.last.0 - stats.first.0 + 1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "sizes of files")]
    let each = stats.bytes as f64 / written as f64;
    say(&format!(
        "journal: bytes           {each:.1} a record, live"
    ));
}
