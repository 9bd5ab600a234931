//! CPU per message of the whole path, beside that of a bare client on an equal queue, and the bytes of the journal.
//!
//! Each has a session at the same broker, so each message is queued once for each. A round: Foremend is started with an empty
//! queue and its CPU until ready is taken; it is stopped; the messages are published; it is started again and works until
//! every message is through detection and every point is in InfluxDB; then the bare client drains its queue. As the part
//! `telegraf`, a third session takes the same messages into the same InfluxDB by Telegraf, between the two.

use std::time::Duration;

use crate::broker::Broker;
use crate::drain;
use crate::influxd::Influxd;
use crate::measure::{Cpu, Stopwatch, memory, quantile, seconds_now, spread, threads};
use crate::rig::{Flood, Rig, wait_for_all};
use crate::telegraf::Telegraf;
use crate::voice::payload;
use crate::{Bench, say, stored};

/// Devices of a round; a daemon takes in a hundred strangers a second.
const DEVICES: u32 = 100;

/// What the rounds found, in µs a message.
#[derive(Default)]
struct Found {
    ours: Vec<f64>,
    bare: Vec<f64>,
    telegraf: Vec<f64>,
    /// The most memory that each had resident, MiB: Foremend, Telegraf.
    memory: [Vec<f64>; 2],
}

pub(crate) fn measure(bench: &Bench, with_telegraf: bool) {
    let (messages, rounds) = (bench.messages.unwrap_or(50_000), bench.rounds.unwrap_or(5));
    let influx = bench.influx();
    let broker = Broker::start();
    // A smaller budget than the default makes the journal seal files during the run, so that this work is in the numbers.
    let rig = Rig::new(
        &broker,
        influx,
        "benches/spine",
        "[journal]\nmax_bytes = \"256 MiB\"\n",
    );
    drain::in_a_child(broker.port, 0);
    let telegraf = with_telegraf.then(|| Telegraf::new(&broker, influx));
    let mut found = Found::default();
    for round in 0..rounds {
        let idle = rig.start_connected();
        let idle_cpu = Cpu::of(idle.pid()).since(Cpu::default());
        assert!(idle.stop().success(), "SIGTERM ends it well");
        let telegraf_idle = telegraf.as_ref().map(Telegraf::connect_once);
        publish(&broker, round, messages);
        let taken = take(&rig, messages);
        if let (Some(telegraf), Some(idle)) = (&telegraf, telegraf_idle) {
            found.memory[0].push(taken.memory);
            beside(telegraf, influx, (round, messages), idle, &mut found);
        }
        let drained = drain::in_a_child(broker.port, messages);
        let a = each(taken.cpu.saturating_sub(idle_cpu), messages);
        let b = each(drained.cpu, messages);
        say(&format!(
            "path     round {}: foremend {a:.1} µs ({:.1} s, of which {:.2} s to start; wall {:.1} s), bare {b:.2} µs ({:.2} s; wall {:.1} s; at most {} unacknowledged)",
            round + 1,
            taken.cpu.as_secs_f64(),
            idle_cpu.as_secs_f64(),
            taken.wall.as_secs_f64(),
            drained.cpu.as_secs_f64(),
            drained.wall.as_secs_f64(),
            drained.unacknowledged,
        ));
        found.ours.push(a);
        found.bare.push(b);
    }
    found.tell(messages);
    journal(&rig);
}

impl Found {
    fn tell(&self, messages: u32) {
        let (ours, bare, rounds) = (&self.ours, &self.bare, self.ours.len());
        say(&format!(
            "path     CPU per message, min / median / max of {rounds} rounds of {messages}: foremend {} µs, bare rumqttc {} µs, ratio {} (of medians {:.1})",
            spread(ours, 1),
            spread(bare, 2),
            spread(&ratios(ours, bare), 1),
            quantile(ours, 0.5) / quantile(bare, 0.5),
        ));
        let telegraf = &self.telegraf;
        if !telegraf.is_empty() {
            say(&format!(
                "telegraf CPU per message: foremend {} µs, telegraf {} µs, foremend by telegraf {} (of medians {:.2}); most memory: foremend {} MiB, telegraf {} MiB",
                spread(ours, 1),
                spread(telegraf, 1),
                spread(&ratios(ours, telegraf), 2),
                quantile(ours, 0.5) / quantile(telegraf, 0.5),
                spread(&self.memory[0], 0),
                spread(&self.memory[1], 0),
            ));
        }
    }
}

fn ratios(above: &[f64], below: &[f64]) -> Vec<f64> {
    above.iter().zip(below).map(|(a, b)| a / b).collect()
}

/// Telegraf's turn at the same messages, and whether both wrote all of them.
fn beside(
    telegraf: &Telegraf,
    influx: &Influxd,
    (round, messages): (usize, u32),
    idle: Duration,
    found: &mut Found,
) {
    let prefix = format!("R{round}");
    let ours = stored::values(influx, "telemetry", &prefix);
    assert!(
        stored::all(&ours, messages),
        "foremend wrote {}",
        stored::text(&ours)
    );
    let cost = telegraf.take(influx, &prefix, messages);
    let cpu = each(cost.cpu.saturating_sub(idle), messages);
    say(&format!(
        "telegraf round {}: {cpu:.1} µs ({:.1} s, of which {:.2} s to start; wall {:.1} s; most memory {:.0} MiB); in InfluxDB from each of both: {}",
        round + 1,
        cost.cpu.as_secs_f64(),
        idle.as_secs_f64(),
        cost.wall.as_secs_f64(),
        cost.memory,
        stored::text(&ours),
    ));
    found.telegraf.push(cpu);
    found.memory[1].push(cost.memory);
}

/// What working off a queue took.
struct Taken {
    cpu: Duration,
    wall: Duration,
    /// The most memory it ever had resident, MiB.
    memory: f64,
}

/// Works off the queue: CPU of the whole process, and the time it took.
fn take(rig: &Rig, messages: u32) -> Taken {
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
    let most = memory(daemon.pid()).1;
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    Taken {
        cpu,
        wall,
        memory: most,
    }
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
            let payload = payload(at, 100_000 + second, second, device);
            flood.send(&topic, &payload);
        }
    }
    flood.settle();
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
