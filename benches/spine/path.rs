//! CPU per message of the whole path, beside that of a bare client on an equal queue, and the bytes of the journal.
//!
//! Both have a session at the same broker, so each message is queued once for each. A round: Foremend is started with an empty
//! queue and its CPU until ready is taken; it is stopped; the messages are published; it is started again and works until
//! every message is through detection and every point is in InfluxDB; then the bare client drains its queue.

use std::time::Duration;

use crate::broker::Broker;
use crate::drain;
use crate::influxd::Influxd;
use crate::measure::{Cpu, Stopwatch, quantile, seconds_now, spread, threads};
use crate::rig::{Flood, Rig, wait_for_all};
use crate::say;

/// Devices of a round; a daemon takes in a hundred strangers a second.
const DEVICES: u32 = 100;
/// Length of every payload in bytes.
const BYTES: usize = 200;

pub(crate) fn measure(influx: &Influxd, messages: u32, rounds: usize) {
    let broker = Broker::start();
    // A smaller budget than the default makes the journal seal files during the run, so that this work is in the numbers.
    let rig = Rig::new(
        &broker,
        influx,
        "benches/spine",
        "[journal]\nmax_bytes = \"256 MiB\"\n",
    );
    drain::in_a_child(broker.port, 0);
    let (mut ours, mut bare, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let idle = rig.start_connected();
        let idle_cpu = Cpu::of(idle.pid()).since(Cpu::default());
        assert!(idle.stop().success(), "SIGTERM ends it well");
        publish(&broker, round, messages);
        let (whole, wall) = take(&rig, messages);
        let drained = drain::in_a_child(broker.port, messages);
        let a = each(whole.saturating_sub(idle_cpu), messages);
        let b = each(drained.cpu, messages);
        say(&format!(
            "path     round {}: foremend {a:.1} µs ({:.1} s, of which {:.2} s to start; wall {:.1} s), bare {b:.2} µs ({:.2} s; wall {:.1} s; at most {} unacknowledged)",
            round + 1,
            whole.as_secs_f64(),
            idle_cpu.as_secs_f64(),
            wall.as_secs_f64(),
            drained.cpu.as_secs_f64(),
            drained.wall.as_secs_f64(),
            drained.unacknowledged,
        ));
        ours.push(a);
        bare.push(b);
        ratio.push(a / b);
    }
    say(&format!(
        "path     CPU per message, min / median / max of {rounds} rounds of {messages}: foremend {} µs, bare rumqttc {} µs, ratio {} (of medians {:.1})",
        spread(&ours, 1),
        spread(&bare, 2),
        spread(&ratio, 1),
        quantile(&ours, 0.5) / quantile(&bare, 0.5),
    ));
    journal(&rig);
}

/// Works off the queue: CPU of the whole process, and the time it took.
fn take(rig: &Rig, messages: u32) -> (Duration, Duration) {
    let clock = Stopwatch::start();
    let daemon = rig.start();
    wait_for_all(&daemon, messages);
    let wall = clock.elapsed();
    let cpu = Cpu::of(daemon.pid()).since(Cpu::default());
    let threads: Vec<String> = threads(daemon.pid())
        .iter()
        .take(6)
        .map(|(name, cpu)| format!("{name} {:.1}", each(*cpu, messages)))
        .collect();
    say(&format!(
        "path     µs per message by thread: {}",
        threads.join(", ")
    ));
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    (cpu, wall)
}

fn each(cpu: Duration, messages: u32) -> f64 {
    cpu.as_secs_f64() * 1e6 / f64::from(messages)
}

/// What each device says once a second, the newest of it now.
fn publish(broker: &Broker, round: usize, messages: u32) {
    let mut flood = Flood::connect(broker.port);
    let each = messages / DEVICES;
    let start = seconds_now().floor() - f64::from(each);
    for second in 0..each {
        for device in 0..DEVICES {
            let topic = format!("appl/v1/twenty/R{round}-{device:03}/tele");
            let at = start + f64::from(second) + f64::from(device) / 1e3;
            let payload = payload(at, second, device);
            assert_eq!(payload.len(), BYTES, "{payload}");
            flood.send(&topic, &payload);
        }
    }
    flood.settle();
}

/// Five readings of a healthy appliance, each a little different from the one before.
fn payload(at: f64, second: u32, device: u32) -> String {
    let noise = |prime: u32, range: u32| f64::from((second * prime + device * 31) % range);
    format!(
        r#"{{"ts":{at:.3},"seq":{},"s":{{"water.outlet_temperature_c":{:.2},"water.inlet_temperature_c":{:.2},"water.flow_rate_lpm":{:.3},"heater.power_average_w":{:.1},"leakage.current_max_ma":{:.3}}}}}"#,
        100_000 + second,
        37.0 + noise(7, 100) / 100.0,
        17.0 + noise(3, 50) / 100.0,
        0.5 + noise(11, 90) / 1000.0,
        1300.0 + noise(13, 900) / 10.0,
        0.1 + noise(17, 80) / 1000.0,
    )
}

/// Bytes for each record, in files that are sealed and in the one that is written.
fn journal(rig: &Rig) {
    for line in rig.journal("verify").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let before = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at.checked_sub(1)?)?.parse::<f64>().ok()
        };
        let kind = words.iter().find(|word| ["sealed", "live"].contains(word));
        if let (Some(kind), Some(entries), Some(bytes)) = (kind, before("entries"), before("bytes"))
            && entries > 0.0
        {
            say(&format!(
                "journal  {kind}: {entries} records, {:.1} bytes each",
                bytes / entries
            ));
        }
    }
    for line in rig
        .journal("info")
        .lines()
        .filter(|line| line.starts_with("files"))
    {
        say(&format!("journal  {line}"));
    }
}
