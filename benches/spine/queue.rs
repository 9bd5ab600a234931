//! Half a million messages that wait in a broker when the daemon comes back: how long until all are through.
//!
//! Twice: in one session at one Mosquitto, and over ten Mosquittos, each with a tenth of them, whose sessions one daemon has at once. A
//! long queue is what Mosquitto 2.0.11 works off badly (`benches/README.md`), so each try ends after a time with what it saw.

use std::time::Duration;

use crate::broker::Broker;
use crate::measure::{Cpu, Stopwatch, memory, pause, seconds_now};
use crate::rig::{Door, Flood, Rig, metric};
use crate::voice::{payload, topic};
use crate::{Bench, say};

const MESSAGES: u32 = 500_000;
/// The most that one try may take unless told, s.
const SECONDS: u32 = 300;
/// A daemon takes in a hundred strangers a second, and the first of all come at once.
const DEVICES: u32 = 100;
/// Brokers of each try.
const TRIES: [u32; 2] = [1, 10];
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn measure(bench: &Bench) {
    let messages = bench.messages.unwrap_or(MESSAGES);
    let limit = Duration::from_secs(bench.seconds.unwrap_or(SECONDS).into());
    for count in TRIES {
        work_off(bench, messages, count, limit);
    }
}

fn work_off(bench: &Bench, messages: u32, count: u32, limit: Duration) {
    let brokers: Vec<Broker> = (0..count).map(|_| Broker::start()).collect();
    let door = Door::Brokers(&brokers);
    let rig = Rig::with(&door, Some(bench.influx()), "benches/spine", "");
    assert!(
        rig.start_connected().stop().success(),
        "SIGTERM ends it well"
    );
    let prefix = format!("Q{count}");
    let mut floods: Vec<Flood> = brokers
        .iter()
        .map(|broker| Flood::connect(broker.port))
        .collect();
    let seconds = messages / DEVICES;
    let start = seconds_now().floor() - f64::from(seconds);
    for second in 0..seconds {
        for device in 0..DEVICES {
            let at = start + f64::from(second) + f64::from(device) / 1e3;
            let payload = payload(at, 100_000 + second, second, device);
            let flood = &mut floods[usize::try_from(device % count).unwrap_or(0)];
            flood.send(&topic(&prefix, device), &payload);
        }
    }
    floods.iter_mut().for_each(Flood::settle);
    let messages = f64::from(seconds * DEVICES);
    let clock = Stopwatch::start();
    let daemon = rig.start();
    let (metrics, wall) = loop {
        let metrics = daemon.text("/metrics");
        let done = metric(&metrics, "foremend_messages_decoded_total") >= messages
            && metric(&metrics, "foremend_series_points_written_total") >= messages;
        if done || clock.elapsed() > limit {
            break (metrics, clock.elapsed());
        }
        pause(LOOK);
    };
    let number = |name: &str| metric(&metrics, name);
    let decoded = number("foremend_messages_decoded_total");
    let cpu = Cpu::of(daemon.pid()).since(Cpu::default());
    say(&format!(
        "queue    {messages} messages in {count} Mosquitto(s): {} after {:.1} s: {decoded} through detection ({:.0}/s), {} points stored, {} arrivals, {} repeated, {} rejected, {} connections made anew; {:.1} µs CPU a message with the start; most memory {:.0} MiB",
        if decoded >= messages {
            "all through"
        } else {
            "GIVEN UP"
        },
        wall.as_secs_f64(),
        decoded / wall.as_secs_f64(),
        number("foremend_series_points_written_total"),
        number("foremend_source_received_total"),
        number("foremend_messages_duplicate_total"),
        number("foremend_messages_rejected_total"),
        number("foremend_source_reconnects_total"),
        cpu.as_secs_f64() * 1e6 / decoded,
        memory(daemon.pid()).1,
    ));
    // In the middle of a queue, too, it saves what it has; the other try goes on in any case.
    let ended = daemon.stop();
    if !ended.success() {
        say(&format!("queue    SIGTERM did not end it well: {ended}"));
    }
}
