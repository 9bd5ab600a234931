//! SIGKILL at moments chosen by chance, and SIGTERM under load: nothing acknowledged is lost, nothing is doubled.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::mosquitto::Mosquitto;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::publisher::Publisher;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::controls;
use crate::rig::event;
use crate::rig::metric;
use crate::rig::now_ms;
use crate::rig::pass;
use crate::rig::points;
use crate::rig::tele;
use crate::rig::tickets;
use crate::rig::topic;

/// Kills of the normal run.
const KILLS: u64 = 15;
/// Devices that speak.
const DEVICES: u64 = 6;
/// Pause of the fleet between two rounds: some 120 messages a second.
const ROUND: Duration = Duration::from_millis(50);

/// Moments by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// A fleet that speaks until it is told to stop; three of its devices fail, one sends rubbish, one repeats itself.
struct Fleet {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Fleet {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || speak(port, &stopped));
        Self { stop, thread }
    }

    /// Ends it; gives every payload that the broker acknowledged.
    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn speak(port: u16, stopped: &AtomicBool) -> Vec<String> {
    let mut publisher = Publisher::connect(port, "fleet");
    let mut acknowledged = Vec::new();
    let mut last = 0;
    for round in 1.. {
        let at = now_ms().max(last + 1);
        last = at;
        let said: Vec<(String, String)> = (0..DEVICES)
            .flat_map(|device| message(device, round, at))
            .collect();
        for (topic, payload) in &said {
            publisher.publish(topic, payload.as_bytes());
        }
        publisher.settle();
        acknowledged.extend(said.into_iter().map(|(_, payload)| payload));
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        pass(ROUND);
    }
    acknowledged
}

fn message(device: u64, round: u64, at: u64) -> Vec<(String, String)> {
    let serial = format!("TSF5-{device}");
    let usual = json!({"water.out_c": 37.5, "seat.temp_c": 36.0, "function": "wash"});
    let reading = |signals: &Value| (topic(&serial, "tele"), tele(at, round, signals));
    match (device, round % 40) {
        (1, 20) => vec![reading(&json!({"water.out_c": 37.5, "seat.temp_c": 56.0}))],
        (2, 30) => vec![(
            topic(&serial, "event"),
            event(at, round, "leak_sensor", &json!({"wet": true})),
        )],
        (3, 5..30) => vec![reading(&json!({"water.out_c": 49.2, "function": "wash"}))],
        (4, 10) => vec![
            reading(&usual),
            (topic(&serial, "tele"), format!("{{\"ts\":rubbish {round}")),
        ],
        (5, 10) => vec![reading(&usual), reading(&usual)],
        _ => vec![reading(&usual)],
    }
}

/// Everything that must hold, whatever happened before.
fn check_accounts(rig: &Rig, daemon: &Daemon, acknowledged: &[String]) {
    let export = rig.wait_for_messages(acknowledged);
    wait_for("the pipeline", SOON, || {
        let lag = daemon
            .text("/metrics")
            .lines()
            .any(|line| line == "foremend_journal_lag_messages{consumer=\"pipeline\"} 0");
        lag.then_some(())
    });
    let received = metric(daemon, "foremend_messages_received_total");
    let sum = metric(daemon, "foremend_messages_decoded_total")
        + metric(daemon, "foremend_messages_rejected_total")
        + metric(daemon, "foremend_messages_duplicate_total");
    assert_eq!(received, sum, "every message is accounted for");
    check_tickets(rig, daemon);
    check_series(daemon, &export);
}

fn check_tickets(rig: &Rig, daemon: &Daemon) {
    let mut told = BTreeMap::new();
    for line in rig.replay() {
        let ticket = told
            .entry(line["ticket"].to_string())
            .or_insert_with(|| json!({"opened_at": line["at"]}));
        for field in ["device", "fault", "severity", "stage"] {
            ticket[field] = line[field].clone();
        }
    }
    let mut open = BTreeSet::new();
    let mut live = BTreeMap::new();
    for ticket in tickets(daemon) {
        let fields = ["opened_at", "device", "fault", "severity", "stage"];
        let mut same = json!({});
        for field in fields {
            same[field] = ticket[field].clone();
        }
        live.insert(ticket["id"].to_string(), same);
        assert!(
            open.insert((ticket["device"].to_string(), ticket["fault"].to_string())),
            "one ticket: {ticket}"
        );
        let id = ticket["id"].as_str().unwrap();
        let whole = daemon.get(&format!("/api/v1/tickets/{id}"));
        let versions: Vec<u64> = whole["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["version"].as_u64().unwrap())
            .collect();
        let all: Vec<u64> = (1..=whole["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, all, "the audit of {id} has no gap");
    }
    assert_eq!(
        live, told,
        "the store has what a replay of the journal gives"
    );
    assert!(live.len() >= 3, "three devices failed: {live:?}");
}

fn check_series(daemon: &Daemon, export: &[Value]) {
    let mut instants: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in export {
        let Some(payload) = line["payload"].as_str() else {
            continue;
        };
        let Ok(reading) = serde_json::from_str::<Value>(payload) else {
            continue;
        };
        if reading["s"]["water.out_c"].is_number() {
            let serial = line["topic"].as_str().unwrap().split('/').nth(3).unwrap();
            instants
                .entry(serial.to_owned())
                .or_default()
                .insert(reading["ts"].to_string());
        }
    }
    for (serial, instants) in instants {
        wait_for(
            &format!("{} points of {serial}", instants.len()),
            SOON,
            || (points(daemon, &serial) == instants.len()).then_some(()),
        );
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_doubled() {
    let broker = Mosquitto::start("");
    let rig = Rig::on(&broker, "");
    let seed = variable("FOREMEND_TEST_SEED", 20_261_121);
    let mut chance = Chance(seed);
    let mut running = Some(rig.start_connected());
    let fleet = Fleet::start(broker.port());
    for kill in 0..variable("FOREMEND_TEST_KILLS", KILLS) {
        let moment = Duration::from_millis(chance.below(1_200));
        match (running.take(), kill % 4) {
            (None, 1) => {
                // In the middle of its start.
                let mut child = rig.launch();
                pass(moment);
                child.kill().unwrap();
                child.wait().unwrap();
            }
            (daemon, 3) => {
                let daemon = daemon.unwrap_or_else(|| rig.start());
                pass(moment);
                assert!(daemon.stop().success(), "seed {seed}");
            }
            (daemon, _) => {
                let daemon = daemon.unwrap_or_else(|| rig.start());
                pass(moment);
                daemon.kill();
            }
        }
    }
    let daemon = rig.start_connected();
    let acknowledged = fleet.end();
    check_accounts(&rig, &daemon, &acknowledged);
    assert!(rig.command(&["journal", "verify"]).status.success());
}

#[test]
fn stopped_under_load_it_ends_soon_and_goes_on_where_it_was() {
    let broker = Mosquitto::start("");
    let rig = Rig::on(&broker, "");
    let daemon = rig.start_connected();
    let fleet = Fleet::start(broker.port());
    wait_for("some load", SOON, || {
        (metric(&daemon, "foremend_messages_decoded_total") > 200).then_some(())
    });
    let ended = daemon.stop();
    assert!(ended.success(), "{ended}");
    let info = String::from_utf8(rig.command(&["journal", "info"]).stdout).unwrap();
    let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    let last = info
        .lines()
        .find(|line| line.starts_with("positions"))
        .map(number)
        .unwrap();
    let saved = info
        .lines()
        .rfind(|line| line.starts_with("state"))
        .map(number)
        .unwrap();
    assert_eq!(
        saved, last,
        "the state is saved at the end of the journal:\n{info}"
    );
    assert!(
        info.contains(&format!("series at {last}, 0 behind")),
        "the series are written:\n{info}"
    );
    let acknowledged = fleet.end();
    let daemon = rig.start_connected();
    check_accounts(&rig, &daemon, &acknowledged);
    let export = rig.export();
    let kinds = controls(&export);
    assert_eq!(kinds.iter().filter(|kind| **kind == "started").count(), 2);
    assert_eq!(kinds.iter().filter(|kind| **kind == "source_up").count(), 2);
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "source_down").count(),
        1,
        "a stop in order says that the source is down"
    );
}
