//! CPU per message at a steady trickle, where no queue makes batches: through a broker and through the listener, the whole daemon
//! with InfluxDB behind it. Each message may pay its own fsync, commit and wake-up; how often threads were woken is told too.

use std::net::SocketAddr;
use std::time::Duration;

use crate::broker::Broker;
use crate::measure::pause;
use crate::process::Daemon;
use crate::rig::{Door, Rig, behind, introduce, listener_of, metric, wait_for_all};
use crate::steady::Steady;
use crate::usage::Usage;
use crate::voice::Voice;
use crate::{Bench, say};

/// Messages a second.
const RATES: [u32; 2] = [1_000, 10_000];
/// Unless told: each speaks once a second at the lower rate.
const DEVICES: u32 = 1_000;
/// How long each rate is measured unless told, s.
const SECONDS: u32 = 30;
/// Before each measurement, so that connections and caches are what they will be.
const WARM: Duration = Duration::from_secs(3);
/// How long an idle daemon is looked at.
const IDLE: Duration = Duration::from_secs(5);
/// Connections to a broker: what Foremend sees of them is one.
const BROKER_CONNECTIONS: u32 = 10;

pub(crate) fn measure(bench: &Bench) {
    let devices = bench.devices.unwrap_or(DEVICES);
    let time = Duration::from_secs(bench.seconds.unwrap_or(SECONDS).into());
    let broker = Broker::start();
    let rig = Rig::new(&broker, bench.influx(), "benches/spine", "");
    let daemon = rig.start_connected();
    introduce(&daemon, broker.port, "RB", devices);
    let address = SocketAddr::from(([127, 0, 0, 1], broker.port));
    let connections = if devices.is_multiple_of(BROKER_CONNECTIONS) {
        BROKER_CONNECTIONS
    } else {
        1
    };
    let load = Steady::connect(address, connections);
    through("Mosquitto", "RB", &daemon, load, devices, time);
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    drop(broker);
    let rig = Rig::with(&Door::Listener, Some(bench.influx()), "benches/spine", "");
    let daemon = rig.start();
    let address = listener_of(&daemon);
    introduce(&daemon, address.port(), "RL", devices);
    let load = Steady::connect(address, devices);
    through("listener", "RL", &daemon, load, devices, time);
    assert!(daemon.stop().success(), "SIGTERM ends it well");
}

/// Both rates through one door.
fn through(
    door: &str,
    prefix: &str,
    daemon: &Daemon,
    mut load: Steady,
    devices: u32,
    time: Duration,
) {
    let before = Usage::of(daemon);
    pause(IDLE);
    let idle = before.until_now(daemon);
    say(&format!(
        "rates    {door}, {devices} devices, nobody speaks: {:.1} ms of CPU a second, {:.0} wake-ups a second",
        idle.cores * 1e3,
        idle.wakes
    ));
    let mut voices: Vec<Voice> = (0..devices)
        .map(|device| Voice::new(prefix, device))
        .collect();
    let mut speak = |nth: u64, at_ms: u64, id: u16, out: &mut Vec<u8>| {
        let device = usize::try_from(nth % u64::from(devices)).unwrap_or(0);
        out.extend(voices[device].next(at_ms, id));
    };
    let mut all = u64::from(devices);
    for rate in RATES {
        all += load.run(rate.into(), WARM, &mut speak).messages;
        drop(load.take());
        let before = Usage::of(daemon);
        let sent = load.run(rate.into(), time, &mut speak);
        all += sent.messages;
        let used = before.until_now(daemon);
        let metrics = daemon.text("/metrics");
        load.settle();
        let took = load.take();
        say(&format!(
            "rates    {door}, {rate}/s for {} s ({:.0}/s came through, {} not sent in time): {:.1} µs CPU a message ({:.2} of a core), {:.0} wake-ups a second; PUBACK of {door} {}; backlog at the end {:.0} and {:.0} (pipeline, series)",
            time.as_secs(),
            used.messages / used.seconds,
            sent.missing,
            used.each,
            used.cores,
            used.wakes,
            took.text(),
            behind(&metrics, "pipeline"),
            behind(&metrics, "series"),
        ));
        say(&format!(
            "rates    {door}, {rate}/s: µs per message by thread: {}",
            used.by_thread
        ));
        wait_for_all(daemon, u32::try_from(all).expect("some millions"));
    }
    let opened = metric(&daemon.text("/metrics"), "foremend_tickets_opened_total");
    if opened > 0.0 {
        say(&format!(
            "rates    {door}: {opened} tickets were opened, which nobody meant"
        ));
    }
}
