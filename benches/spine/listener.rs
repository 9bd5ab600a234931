//! The built-in listener with the whole daemon behind it: acknowledgements at a steady rate, and as much as it takes.
//!
//! What the listener and the journal do alone, the test `the_listener_over_a_real_journal` measures. An acknowledgement waits for
//! the fsync and for nothing behind it; so more is acknowledged in a second than goes through detection, and the rate of the whole
//! is that with working off.

use std::time::Duration;

use crate::influxd::Influxd;
use crate::measure::{Stopwatch, memory};
use crate::rig::{Door, Rig, behind, introduce, listener_of, metric, wait_for_all};
use crate::steady::Steady;
use crate::usage::Usage;
use crate::voice::Voice;
use crate::{Bench, flat, say};

/// Messages a second of the steady part.
const RATE: u32 = 20_000;
/// Unless told; each on a connection of its own.
const DEVICES: u32 = 1_000;
/// How long the steady part takes unless told, s.
const SECONDS: u32 = 30;
/// Before it.
const WARM: Duration = Duration::from_secs(3);
/// How long it is flat out at most: some millions of messages, which have to be worked off.
const FLAT_OUT: u32 = 10;

pub(crate) fn measure(bench: &Bench) {
    let devices = bench.devices.unwrap_or(DEVICES);
    let seconds = bench.seconds.unwrap_or(SECONDS);
    say(
        "listener alone with its journal: cargo test --release --test intake -- --ignored --nocapture the_listener",
    );
    steady(bench.influx(), devices, Duration::from_secs(seconds.into()));
    let burst = Duration::from_secs(seconds.min(FLAT_OUT).into());
    flat_out(None, devices, burst);
    flat_out(Some(bench.influx()), devices, burst);
}

fn steady(influx: &Influxd, devices: u32, time: Duration) {
    let rig = Rig::with(&Door::Listener, Some(influx), "benches/spine", "");
    let daemon = rig.start();
    let address = listener_of(&daemon);
    introduce(&daemon, address.port(), "LS", devices);
    let mut load = Steady::connect(address, devices);
    let mut voices: Vec<Voice> = (0..devices)
        .map(|device| Voice::new("LS", device))
        .collect();
    let mut speak = |nth: u64, at_ms: u64, id: u16, out: &mut Vec<u8>| {
        let device = usize::try_from(nth % u64::from(devices)).unwrap_or(0);
        out.extend(voices[device].next(at_ms, id));
    };
    load.run(RATE.into(), WARM, &mut speak);
    drop(load.take());
    let before = Usage::of(&daemon);
    let sent = load.run(RATE.into(), time, &mut speak);
    let metrics = daemon.text("/metrics");
    let used = before.until_now(&daemon);
    load.settle();
    say(&format!(
        "listener steady {RATE}/s for {} s over {devices} connections ({} not sent in time): PUBACK {}; {:.1} µs CPU a message ({:.2} of a core), {:.0} wake-ups a second; backlog at the end {:.0} and {:.0} (pipeline, series); {:.0} MiB",
        time.as_secs(),
        sent.missing,
        load.take().text(),
        used.each,
        used.cores,
        used.wakes,
        behind(&metrics, "pipeline"),
        behind(&metrics, "series"),
        memory(daemon.pid()).0,
    ));
    say(&format!(
        "listener steady: µs per message by thread: {}",
        used.by_thread
    ));
    assert!(daemon.stop().success(), "SIGTERM ends it well");
}

fn flat_out(influx: Option<&Influxd>, devices: u32, time: Duration) {
    let rig = Rig::with(&Door::Listener, influx, "benches/spine", "");
    let daemon = rig.start();
    let address = listener_of(&daemon);
    introduce(&daemon, address.port(), "LF", devices);
    let clock = Stopwatch::start();
    let before = Usage::of(&daemon);
    let (took, acknowledging) = flat::out(address, devices, "LF", time);
    let metrics = daemon.text("/metrics");
    let count = u32::try_from(took.count()).expect("some millions");
    wait_for_all(&daemon, devices + count);
    let whole = clock.elapsed().as_secs_f64();
    let used = before.until_now(&daemon);
    let opened = metric(&daemon.text("/metrics"), "foremend_tickets_opened_total");
    say(&format!(
        "listener flat out, {} series, {devices} connections: {count} acknowledged at {:.0}/s, {}; backlog then {:.0} and {:.0} (pipeline, series); all through detection and stored after {whole:.1} s: {:.0}/s; {:.1} µs CPU a message; most memory {:.0} MiB; {opened} tickets",
        if influx.is_some() {
            "InfluxDB"
        } else {
            "embedded"
        },
        f64::from(count) / acknowledging.as_secs_f64(),
        took.text(),
        behind(&metrics, "pipeline"),
        behind(&metrics, "series"),
        f64::from(count) / whole,
        used.each,
        memory(daemon.pid()).1,
    ));
    say(&format!(
        "listener flat out: µs per message by thread: {}",
        used.by_thread
    ));
    assert!(daemon.stop().success(), "SIGTERM ends it well");
}
