//! A hundred thousand devices of the shipped profile with the most faults: memory, start, and event to ticket while all of them
//! speak once a minute.
//!
//! Their state is made as fast as it goes: a day with two washes of some thousand is written as a recording into `foremend replay
//! --into`, and the state of each of all others is a copy of one of theirs (`copies`). The daemon then opens that data directory.
//! Tickets whose way met a snapshot are told apart from those whose way did not, by the daemon's own numbers.

use std::fs::File;
use std::io::BufWriter;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::measure::{Stopwatch, memory, pause, quantile, spread, wall_ms};
use crate::probes::{self, Plan, Probe};
use crate::process::Daemon;
use crate::rig::{Door, Rig, behind, listener_of, metric};
use crate::steady::Steady;
use crate::usage::Usage;
use crate::{Bench, copies, day, moments, say, voice};

const DEVICES: u32 = 100_000;
const WASHES: u32 = 2;
/// Devices whose day is played: as many as stand open in detection at once, so that playing packs none.
const PLAYED: u32 = 4_000;
/// How long the fleet speaks unless told, s: snapshots come every 30 s.
const SECONDS: u32 = 150;
/// Everyone once in this time, s.
const CADENCE: f64 = 60.0;
/// From one fault to the next.
const EVERY: Duration = Duration::from_millis(100);
/// A fault in one message, without a hold.
const FAULTY: &[u8] = br#"{"s":{"leak_sensor.wet":true}}"#;
/// Starts of each kind.
const STARTS: usize = 3;
/// After a start, until what it needed for a moment is given back.
const SETTLED: Duration = Duration::from_secs(20);
/// How long the fleet speaks before it is killed again.
const BETWEEN_KILLS: Duration = Duration::from_secs(10);
/// Between two looks at the daemon's numbers: a snapshot is placed as exactly as this.
const LOOK: Duration = Duration::from_millis(100);
/// Connections that the fleet shares.
const CONNECTIONS: u32 = 100;

/// The fleet, as far as it has spoken.
struct Fleet {
    seqs: Vec<u32>,
    rate: f64,
}

pub(crate) fn measure(bench: &Bench) {
    let devices = bench.devices.unwrap_or(DEVICES).max(2);
    let time = Duration::from_secs(bench.seconds.unwrap_or(SECONDS).into());
    let open = bench
        .open
        .map_or_else(String::new, |open| format!("[devices]\nopen = {open}\n"));
    let rig = Rig::with(
        &Door::Listener,
        Some(bench.influx()),
        "device-profiles",
        &open,
    );
    let daemon = rig.start();
    let (empty, _) = memory(daemon.pid());
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    std::fs::remove_dir_all(rig.data()).expect("the empty data directory goes");
    let each = make(&rig, devices);
    let mut fleet = Fleet {
        seqs: vec![each; usize::try_from(devices).expect("a number of devices")],
        rate: f64::from(devices) / CADENCE,
    };
    let started = starts(&rig, devices, empty);
    live(&mut fleet, &started, time);
    let (busy, most) = memory(started.pid());
    say(&format!(
        "scale    busy: {busy:.0} MiB resident (at most {most:.0}), {:.1} KiB a device",
        (busy - empty) * 1024.0 / f64::from(devices)
    ));
    kills(&rig, &mut fleet, started);
}

/// Plays the day into the daemon's directory, and gives the others copies of what came of it; messages of each device.
fn make(rig: &Rig, all: u32) -> u32 {
    let devices = all.min(PLAYED);
    let clock = Stopwatch::start();
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
    let log = rig.data().with_file_name("replay.log");
    let mut player = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .args(["replay", "/dev/stdin", "--profiles", profiles, "--into"])
        .arg(rig.data())
        .stdin(Stdio::piped())
        .stdout(File::create(&log).expect("a log"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary starts");
    let mut out = BufWriter::with_capacity(1 << 20, player.stdin.take().expect("piped"));
    let start = wall_ms() - day::length_ms(devices, WASHES) - 60_000;
    let each = day::fleet(&mut out, devices, WASHES, start).expect("the player takes it");
    drop(out);
    let good = player.wait().is_ok_and(|status| status.success());
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(good, "the replay failed: {said}");
    let seconds = clock.elapsed().as_secs_f64();
    let messages = f64::from(devices) * f64::from(each);
    say(&format!(
        "scale    {devices} devices, {each} messages each, played in {seconds:.0} s ({:.0}/s): {}",
        messages / seconds,
        said.lines().last().unwrap_or_default()
    ));
    let clock = Stopwatch::start();
    for file in ["state.sqlite", "series-state.sqlite"] {
        copies::make(&rig.data().join(file), devices, all);
    }
    say(&format!(
        "scale    copies for {all} devices made in {:.0} s",
        clock.elapsed().as_secs_f64()
    ));
    each
}

/// Starts after an orderly end; the last daemon goes on.
fn starts(rig: &Rig, devices: u32, empty: f64) -> Daemon {
    let (mut taken, mut ended, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    let mut last: Option<Daemon> = None;
    // One more: what the replay left is not yet what a daemon leaves.
    for nth in 0..=STARTS {
        if let Some(daemon) = last.take() {
            let clock = Stopwatch::start();
            let status = daemon.stop();
            ended.push(clock.elapsed().as_secs_f64());
            if !status.success() {
                say(&format!("scale    SIGTERM did not end it well: {status}"));
            }
        }
        let clock = Stopwatch::start();
        let daemon = rig.start();
        if nth > 0 {
            taken.push(clock.elapsed().as_secs_f64());
            resident.push(memory(daemon.pid()).0);
        }
        last = Some(daemon);
    }
    let resident = quantile(&resident, 0.5);
    say(&format!(
        "scale    start to ready after SIGTERM, min / median / max of {STARTS}: {} s (stop {} s); then {resident:.0} MiB resident, {empty:.0} MiB without devices: {:.1} KiB a device",
        spread(&taken, 2),
        spread(&ended, 2),
        (resident - empty) * 1024.0 / f64::from(devices)
    ));
    let last = last.expect("started");
    pause(SETTLED);
    let (resident, _) = memory(last.pid());
    say(&format!(
        "scale    {:.0} s later, and nobody spoke: {resident:.0} MiB resident, {:.1} KiB a device",
        SETTLED.as_secs_f64(),
        (resident - empty) * 1024.0 / f64::from(devices)
    ));
    last
}

/// Event to ticket while the fleet speaks.
fn live(fleet: &mut Fleet, daemon: &Daemon, time: Duration) {
    let clock = Stopwatch::start();
    let count = (time.as_millis() / EVERY.as_millis()).min(fleet.seqs.len() as u128 / 2);
    let plan = Plan {
        port: listener_of(daemon).port(),
        devices: (0..u32::try_from(count).unwrap_or(0))
            .map(day::device)
            .collect(),
        faulty: FAULTY,
        every: EVERY,
    };
    let over = AtomicBool::new(false);
    let before = Usage::of(daemon);
    let (probes, windows) = std::thread::scope(|scope| {
        let snapshots = scope.spawn(|| snapshots(daemon, clock, &over));
        let probes = scope.spawn(|| probes::run(daemon, clock, &plan));
        fleet.speak(daemon, time);
        let probes = probes.join().expect("probes to the end");
        over.store(true, Ordering::Relaxed);
        (probes, snapshots.join().expect("looks to the end"))
    });
    let used = before.until_now(daemon);
    let metrics = daemon.text("/metrics");
    let met = |probe: &&Probe| {
        let end = probe.said + probe.took.unwrap_or(Duration::MAX / 2);
        windows
            .iter()
            .any(|(from, to)| probe.said <= *to && end >= *from)
    };
    let lengths: Vec<f64> = windows
        .iter()
        .map(|(from, to)| to.saturating_sub(*from + LOOK).as_secs_f64())
        .collect();
    say(&format!(
        "scale    {:.0} messages/s for {:.0} s: {:.2} of a core; {} snapshots, {} s each; backlog {:.0} and {:.0} (pipeline, series); {:.0} devices open, {:.0} times one was unpacked",
        used.messages / used.seconds,
        used.seconds,
        used.cores,
        windows.len(),
        spread(&lengths, 2),
        behind(&metrics, "pipeline"),
        behind(&metrics, "series"),
        metric(&metrics, "foremend_devices_open"),
        metric(&metrics, "foremend_devices_unpacked_total"),
    ));
    say(&format!(
        "scale    event to ticket: {}",
        probes::text(probes.iter())
    ));
    say(&format!(
        "scale    event to ticket, without a snapshot on the way: {}",
        probes::text(probes.iter().filter(|probe| !met(probe)))
    ));
    say(&format!(
        "scale    event to ticket, with one on the way: {}",
        probes::text(probes.iter().filter(met))
    ));
}

/// When a snapshot was being written, from and until by the clock.
fn snapshots(daemon: &Daemon, clock: Stopwatch, over: &AtomicBool) -> Vec<(Duration, Duration)> {
    let read = || {
        let metrics = daemon.text("/metrics");
        let of = |what: &str| {
            let name = format!("foremend_stage_duration_seconds_{what}{{stage=\"checkpoint\"");
            metric(&metrics, &name)
        };
        (of("count"), of("sum"))
    };
    let mut windows = Vec::new();
    let (mut count, mut sum) = read();
    while !over.load(Ordering::Relaxed) {
        pause(LOOK);
        let (now_count, now_sum) = read();
        if now_count > count {
            let took = Duration::from_secs_f64((now_sum - sum).max(0.0));
            let now = clock.elapsed();
            windows.push((now.saturating_sub(took + LOOK), now));
        }
        (count, sum) = (now_count, now_sum);
    }
    windows
}

/// Starts after SIGKILL, each while the fleet spoke.
fn kills(rig: &Rig, fleet: &mut Fleet, first: Daemon) {
    let mut taken = Vec::new();
    let mut running = first;
    for nth in 0..STARTS {
        if nth > 0 {
            fleet.speak(&running, BETWEEN_KILLS);
        }
        running.kill();
        let clock = Stopwatch::start();
        running = rig.start();
        taken.push(clock.elapsed().as_secs_f64());
    }
    say(&format!(
        "scale    start to ready after SIGKILL, min / median / max of {STARTS}: {} s",
        spread(&taken, 2)
    ));
    assert!(running.stop().success(), "SIGTERM ends it well");
}

impl Fleet {
    /// Everyone says a word each minute: an idle appliance.
    fn speak(&mut self, daemon: &Daemon, time: Duration) {
        let Self { seqs, rate } = self;
        let devices = seqs.len() as u64;
        let shared = devices.is_multiple_of(CONNECTIONS.into());
        let mut load = Steady::connect(listener_of(daemon), if shared { CONNECTIONS } else { 1 });
        let sent = load.run(*rate, time, &mut |nth, at_ms, id, out| {
            let number = u32::try_from(nth % devices).unwrap_or(0);
            let seq = &mut seqs[usize::try_from(number).unwrap_or(0)];
            *seq += 1;
            let signals = moments::idle(WASHES, i32::try_from(*seq % 30).unwrap_or(0));
            let payload = format!(
                r#"{{"ts":{}.{:03},"seq":{seq},"s":{{{signals}}}}}"#,
                at_ms / 1_000,
                at_ms % 1_000
            );
            let topic = format!("appl/v1/{}/tele", day::device(number));
            voice::publish(&topic, payload.as_bytes(), id, out);
        });
        load.settle();
        if sent.missing > 0 {
            say(&format!(
                "scale    {} of {} messages could not be sent in time",
                sent.missing,
                sent.missing + sent.messages
            ));
        }
    }
}
