//! A crash between any two steps of a batch: journal durable, effects and position in the store, state saved, base cursor set.
//!
//! The files are kept as they were after each step. From every pair of store and state that a crash can leave behind, with the
//! whole journal, recovery must end with the same tickets, audit, devices, rejections, deliveries and state, bit for bit.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use smol_str::SmolStr;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::handover::Room;
use super::handover::handover;
use super::metrics::Metrics;
use super::recover;
use super::shared::Shared;
use super::worker::Orders;
use super::worker::Parts;
use super::worker::Worker;
use super::zones::zone_table;
use crate::checkpoint::Checkpoints;
use crate::config::read_profiles;
use crate::journal::Clock;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::store::DeviceFilter;
use crate::store::RejectedFilter;
use crate::store::SERIES_CHANNEL;
use crate::store::Store;
use crate::store::TicketFilter;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::TicketAction;
use crate::telemetry::Timestamp;
use crate::telemetry::Verdict;

const STORE: &str = "store.sqlite";
const STATE: &str = "state.sqlite";
/// Half past nine in Shanghai.
const BEGIN_MS: i64 = 1_772_328_600_000;

/// A clock that the test moves.
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(self.monotonic_ms())
    }

    fn monotonic_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came in during one batch, so many ms after the one before.
struct Chapter {
    after_ms: i64,
    records: Vec<Record>,
}

fn message(serial: &str, kind: &str, payload: String) -> Record {
    Record::Message(RawMessage {
        source: "plant".into(),
        topic: format!("appl/v1/ts-flash5/{serial}/{kind}").into(),
        payload: Bytes::from(payload),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    })
}

/// A reading without a time of its own: that of receipt holds.
fn reading(serial: &str, seq: u64, signals: &Value) -> Record {
    let payload = json!({"boot": 1, "seq": seq, "s": signals});
    message(serial, "tele", payload.to_string())
}

fn usual(serial: &str, seq: u64) -> Record {
    reading(
        serial,
        seq,
        &json!({"water.out_c": 37.5, "seat.temp_c": 36.0, "function": "idle"}),
    )
}

fn control(control: Control) -> Record {
    Record::Control(control)
}

fn acted(ticket: &str, action: TicketAction, version: u64, key: &str) -> Record {
    control(Control::Ticket {
        ticket: ticket.into(),
        action,
        by: "li.wei".into(),
        expected_version: Some(version),
        key: Some(key.into()),
    })
}

fn started() -> Vec<Record> {
    let up = Control::SourceUp {
        source: "plant".into(),
    };
    vec![
        control(Control::Started {
            version: "test".into(),
        }),
        control(up),
    ]
}

fn world() -> Vec<Record> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("device-profiles");
    let (profiles, words) = read_profiles(&folder).unwrap();
    let zones = zone_table(Timestamp::from_ms(BEGIN_MS));
    let mut records = started();
    records.push(control(Control::Zones { zones }));
    records.push(control(Control::Profiles { profiles, words }));
    records
}

/// Faults, people, rubbish, repetitions, a restart and long quiet: something of everything that a batch can hold.
fn story() -> Vec<Chapter> {
    let chapter = |after_ms, records| Chapter { after_ms, records };
    let hot_seat = reading("A", 3, &json!({"seat.temp_c": 56.0}));
    let wet = json!({"boot": 1, "seq": 3, "e": "leak_sensor", "d": {"wet": true}});
    let wet = message("B", "event", wet.to_string());
    let hot_water = |seq| reading("A", seq, &json!({"water.out_c": 49.2}));
    let note = Some(SmolStr::from("blob-1"));
    let down = Control::SourceDown {
        source: "plant".into(),
    };
    let mut restart = vec![control(down)];
    restart.extend(started());
    let resolve = TicketAction::Resolve {
        verdict: Verdict::ConfirmedFault,
        parts: vec!["SEAT-F5".into()],
        note,
    };
    let replaced = DeviceAction::PartReplaced {
        part: "HEATER-F5".into(),
        lot: None,
    };
    let replaced = Control::Device {
        device: "ts-flash5/A".parse().unwrap(),
        action: replaced,
        by: "li.wei".into(),
    };
    vec![
        chapter(0, world()),
        chapter(1_000, vec![usual("A", 1), usual("B", 1), usual("C", 1)]),
        chapter(60_000, vec![Record::Tick]),
        chapter(
            1_000,
            vec![
                usual("A", 2),
                hot_seat,
                message("C", "tele", "{\"ts\":".into()),
            ],
        ),
        chapter(
            9_000,
            vec![
                acted("T-1", TicketAction::Acknowledge, 1, "k1"),
                hot_water(4),
            ],
        ),
        chapter(1_000, vec![hot_water(5), usual("B", 1), usual("C", 2)]),
        chapter(
            1_000,
            vec![
                acted("T-1", TicketAction::Close, 1, "k2"),
                usual("B", 2),
                wet,
            ],
        ),
        chapter(600_000, vec![Record::Tick, Record::Tick]),
        chapter(3_600_000, restart),
        chapter(
            5_000,
            vec![
                acted("T-1", resolve, 2, "k3"),
                control(replaced),
                usual("A", 6),
            ],
        ),
        chapter(60_000, vec![Record::Tick]),
        chapter(
            86_400_000,
            vec![usual("A", 7), usual("B", 4), usual("C", 3)],
        ),
    ]
}

/// Everything that someone could see of a store, and every row of the state.
async fn seen(dir: &Path, journal: &Journal) -> Vec<String> {
    let store = Store::open(&dir.join(STORE), journal.id()).await.unwrap();
    let mut lines = Vec::new();
    let filter = TicketFilter {
        limit: 100,
        ..TicketFilter::default()
    };
    for ticket in store.tickets(&filter).await.unwrap().items {
        lines.push(serde_json::to_string(&ticket).unwrap());
    }
    for line in store.changes_after(0, 500).await.unwrap() {
        lines.push(format!("{line:?}"));
    }
    let filter = DeviceFilter {
        limit: 100,
        ..DeviceFilter::default()
    };
    for device in store.devices(&filter).await.unwrap().items {
        lines.push(format!("{device:?}"));
    }
    let filter = RejectedFilter {
        limit: 100,
        ..RejectedFilter::default()
    };
    for rejected in store.rejected(&filter).await.unwrap().items {
        lines.push(format!("{rejected:?}"));
    }
    let end = Timestamp::from_ms(i64::MAX / 2);
    for row in store
        .take_outbox(SERIES_CHANNEL, 500, end, 0)
        .await
        .unwrap()
    {
        lines.push(format!("{} {}", row.key, row.payload));
    }
    lines.push(format!("position {}", store.position()));
    store.close().await;
    let checkpoints = Checkpoints::open(&dir.join(STATE), journal.id()).unwrap();
    let loaded = checkpoints.load().unwrap().unwrap();
    lines.push(format!("state at {}", loaded.position));
    for row in loaded.rows {
        lines.push(format!("{:?} {} {:?}", row.part, row.key, row.bytes));
    }
    lines
}

/// Starts as the daemon does, works off the whole journal, stops as the daemon does.
async fn run_to_the_end(dir: &Path, journal: &Journal) {
    run_until_told(dir, journal, Orders::Finish).await;
}

/// Starts as the daemon does, and ends as it is told.
async fn run_until_told(dir: &Path, journal: &Journal, order: Orders) {
    let store = Store::open(&dir.join(STORE), journal.id()).await.unwrap();
    let checkpoints = Checkpoints::open(&dir.join(STATE), journal.id()).unwrap();
    let pipeline = recover::load(&checkpoints, journal, store.position()).unwrap();
    let (_asker, questions) = mpsc::channel(1);
    let (_stopper, orders) = watch::channel(order);
    let parts = Parts {
        journal: journal.clone(),
        store: store.clone(),
        shared: Arc::new(Shared::new(Metrics::default(), Arc::default(), None)),
        questions,
        orders,
    };
    let giver = handover(Room::default()).0;
    let worker = Worker::new(pipeline, checkpoints, giver, parts).unwrap();
    worker.run().await.unwrap();
    store.close().await;
}

/// Store and state as they were after each chapter (0: before the first), and where the journal then ended.
struct Kept {
    dir: tempfile::TempDir,
    ends: Vec<Position>,
}

impl Kept {
    fn place(&self, chapter: usize) -> PathBuf {
        self.dir.path().join(chapter.to_string())
    }

    fn keep(&mut self, from: &Path, end: Position) {
        let place = self.place(self.ends.len());
        fs::create_dir(&place).unwrap();
        for file in [STORE, STATE] {
            copy(from, &place, file);
        }
        self.ends.push(end);
    }
}

/// A database with its write-ahead log, where it is.
fn copy(from: &Path, to: &Path, file: &str) {
    for suffix in ["", "-wal"] {
        let name = format!("{file}{suffix}");
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

async fn tell_the_story(dir: &Path, clock: &Arc<HandClock>) -> (Journal, Kept) {
    let options = JournalOptions {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..JournalOptions::default()
    };
    let journal = Journal::open(&dir.join("journal"), options).unwrap();
    let mut kept = Kept {
        dir: tempfile::tempdir().unwrap(),
        ends: Vec::new(),
    };
    kept.keep(dir, Position(0));
    for chapter in story() {
        clock.0.fetch_add(chapter.after_ms, Ordering::Relaxed);
        let (done, durable) = tokio::sync::oneshot::channel();
        let told = Box::new(move |result| drop(done.send(result)));
        journal.append(chapter.records, told).unwrap();
        let end = durable.await.unwrap().unwrap();
        run_to_the_end(dir, &journal).await;
        kept.keep(dir, end);
    }
    (journal, kept)
}

/// The entries that change the store: where none lies between, a saved state may be ahead of the store.
fn with_effects(journal: &Journal) -> Vec<Position> {
    let mut pipeline = Pipeline::new();
    let mut found = Vec::new();
    for entry in journal.read(Position(1), 10_000, 64 << 20).unwrap() {
        let mut effects = Effects::default();
        pipeline.step(&entry, &mut effects);
        if !effects.is_empty() {
            found.push(entry.position);
        }
    }
    found
}

#[tokio::test]
async fn a_crash_between_any_two_steps_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(HandClock(AtomicI64::new(BEGIN_MS)));
    let (journal, kept) = tell_the_story(dir.path(), &clock).await;
    let uninterrupted = tempfile::tempdir().unwrap();
    run_to_the_end(uninterrupted.path(), &journal).await;
    let expected = seen(uninterrupted.path(), &journal).await;
    let opened = expected
        .iter()
        .filter(|line| line.contains("TimelineEntry") && line.contains("change: \"opened\""))
        .count();
    assert_eq!(opened, 3, "the story has its tickets: {expected:#?}");

    let effects = with_effects(&journal);
    let mut ahead = 0;
    for store in 0..kept.ends.len() {
        for state in 0..kept.ends.len() {
            if state > store {
                let between = kept.ends[store].next()..=kept.ends[state];
                if effects.iter().any(|position| between.contains(position)) {
                    break;
                }
                ahead += 1;
            }
            let crashed = tempfile::tempdir().unwrap();
            copy(&kept.place(store), crashed.path(), STORE);
            copy(&kept.place(state), crashed.path(), STATE);
            run_to_the_end(crashed.path(), &journal).await;
            let found = seen(crashed.path(), &journal).await;
            assert_eq!(
                found, expected,
                "store after chapter {store}, state after chapter {state}"
            );
        }
    }
    assert!(ahead > 0, "some state was ahead of the store");
}

/// More than two batches of the worker.
const MANY: u64 = 10_000;

#[tokio::test]
async fn a_worker_that_is_told_to_leave_goes_on_from_there_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("journal"), JournalOptions::default()).unwrap();
    let mut records = world();
    records.extend((1..MANY).map(|seq| usual("A", seq)));
    let (done, durable) = tokio::sync::oneshot::channel();
    let told = Box::new(move |result| drop(done.send(result)));
    journal.append(records, told).unwrap();
    let end = durable.await.unwrap().unwrap();

    let store = Store::open(&dir.path().join(STORE), journal.id())
        .await
        .unwrap();
    let checkpoints = Checkpoints::open(&dir.path().join(STATE), journal.id()).unwrap();
    let shared = Arc::new(Shared::new(Metrics::default(), Arc::default(), None));
    let (_asker, questions) = mpsc::channel(1);
    let (orders, ordered) = watch::channel(Orders::Work);
    let mut processed = shared.processed();
    let parts = Parts {
        journal: journal.clone(),
        store: store.clone(),
        shared,
        questions,
        orders: ordered,
    };
    let leave = async {
        processed.changed().await.unwrap();
        orders.send_replace(Orders::Leave);
    };
    let giver = handover(Room::default()).0;
    let worker = Worker::new(Pipeline::new(), checkpoints, giver, parts).unwrap();
    let (ended, ()) = tokio::join!(worker.run(), leave);
    ended.unwrap();
    store.close().await;
    let saved = Checkpoints::open(&dir.path().join(STATE), journal.id())
        .unwrap()
        .load()
        .unwrap()
        .expect("what was done is saved");
    assert!(saved.position < end, "it left before the end");

    run_to_the_end(dir.path(), &journal).await;
    let uninterrupted = tempfile::tempdir().unwrap();
    run_to_the_end(uninterrupted.path(), &journal).await;
    assert_eq!(
        seen(dir.path(), &journal).await,
        seen(uninterrupted.path(), &journal).await
    );
}
