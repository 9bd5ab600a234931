//! The highest rate at which nothing falls behind, and then 70 % of it for a long time: does memory grow, does a ticket come later?
//!
//! Through the listener, with InfluxDB, generator and database on the same cores. A rate is too high when pipeline or series are
//! more than a second's worth of messages, and more than 20,000, further behind after a minute of it: what comes now and then
//! (snapshots, sealing, InfluxDB's compaction) has its turn in a minute and not in twenty seconds.

use std::time::Duration;

use crate::measure::{Stopwatch, memory};
use crate::probes::{self, Plan};
use crate::process::{Daemon, wait_for};
use crate::rig::{Door, LIMIT, Rig, behind, introduce, listener_of};
use crate::steady::{Sent, Steady};
use crate::voice::Voice;
use crate::{Bench, say};

/// Unless told; each on a connection of its own.
const DEVICES: u32 = 1_000;
/// Minutes of 70 % unless told.
const MINUTES: u32 = 30;
/// The first rate that is tried, messages a second.
const FIRST: f64 = 10_000.0;
/// From one rate to the next, until one is too high.
const STEP: f64 = 1.5;
/// Rates that are tried at most, and tries to come nearer between the last two.
const STEPS: usize = 12;
const NEARER: usize = 2;
/// How long a rate runs before it is looked at, and then. Shorter with `--seconds`.
const SETTLES: Duration = Duration::from_secs(3);
const LOOKED_AT: u32 = 60;
/// Records that the series may be further behind all the same: how far they are wavers by what they write at once.
const WAVERS: f64 = 20_000.0;
/// The share of the highest rate that is held.
const HELD: f64 = 0.7;
/// Faults a minute unless told.
const TICKETS: u32 = 60;
/// A fault in one message, without a hold.
const FAULTY: &[u8] = br#"{"s":{"leakage.current_max_ma":45.0}}"#;

/// A daemon and the devices that speak to it.
struct Soak {
    daemon: Daemon,
    load: Steady,
    voices: Vec<Voice>,
}

pub(crate) fn measure(bench: &Bench) {
    let devices = bench.devices.unwrap_or(DEVICES);
    let minutes = bench.minutes.unwrap_or(MINUTES).max(1);
    let rig = Rig::with(&Door::Listener, Some(bench.influx()), "benches/spine", "");
    let daemon = rig.start();
    let address = listener_of(&daemon);
    introduce(&daemon, address.port(), "SK", devices);
    let mut soak = Soak {
        load: Steady::connect(address, devices),
        voices: (0..devices)
            .map(|device| Voice::new("SK", device))
            .collect(),
        daemon,
    };
    let look = Duration::from_secs(bench.seconds.unwrap_or(LOOKED_AT).into());
    let held = match bench.rate {
        Some(rate) => f64::from(rate),
        None => soak.knee(look) * HELD,
    };
    soak.caught_up(1_000.0);
    let tickets = bench.tickets.unwrap_or(TICKETS);
    let probes = minutes * tickets;
    let mut first_words = Steady::connect(address, 1);
    // Once each, slowly enough for a daemon that takes in a hundred strangers a second.
    first_words.run(
        80.0,
        Duration::from_secs(1) * probes / 80,
        &mut |nth, at_ms, id, out| {
            let device = u32::try_from(nth).unwrap_or(0);
            out.extend(Voice::new("SP", device).next(at_ms, id));
        },
    );
    first_words.settle();
    soak.hold(held, minutes, tickets);
    assert!(soak.daemon.stop().success(), "SIGTERM ends it well");
}

impl Soak {
    fn run(&mut self, rate: f64, time: Duration) -> Sent {
        let Self { load, voices, .. } = self;
        let devices = voices.len() as u64;
        load.run(rate, time, &mut |nth, at_ms, id, out| {
            let device = usize::try_from(nth % devices).unwrap_or(0);
            out.extend(voices[device].next(at_ms, id));
        })
    }

    /// Records that pipeline and series are behind.
    fn behind(&self) -> (f64, f64) {
        let metrics = self.daemon.text("/metrics");
        (behind(&metrics, "pipeline"), behind(&metrics, "series"))
    }

    fn caught_up(&self, few: f64) {
        self.load.settle();
        wait_for("the backlog's end", LIMIT, || {
            let (pipeline, series) = self.behind();
            (pipeline.max(series) <= few).then_some(())
        });
    }

    /// Whether nothing falls behind at this rate.
    fn carries(&mut self, rate: f64, look: Duration) -> bool {
        self.caught_up(rate / 2.0);
        self.run(rate, SETTLES);
        let before = self.behind();
        let sent = self.run(rate, look);
        let after = self.behind();
        let grown = (after.0 - before.0).max(after.1 - before.1);
        let in_time = f64::from(u32::try_from(sent.missing).unwrap_or(u32::MAX)) < rate;
        let carries = grown <= rate.max(WAVERS) && in_time;
        say(&format!(
            "soak     {rate:.0}/s for {} s: behind {:.0} and {:.0} (pipeline, series), {:.0} and {:.0} before; {} not sent in time: {}",
            look.as_secs(),
            after.0,
            after.1,
            before.0,
            before.1,
            sent.missing,
            if carries { "carried" } else { "too much" }
        ));
        carries
    }

    /// The highest rate found that is carried.
    fn knee(&mut self, look: Duration) -> f64 {
        let (mut good, mut bad, mut rate) = (None, None, FIRST);
        for _ in 0..STEPS {
            if self.carries(rate, look) {
                good = Some(rate);
                rate *= STEP;
            } else {
                bad = Some(rate);
                rate /= STEP;
            }
            if good.is_some() && bad.is_some() {
                break;
            }
        }
        let mut good: f64 = good.expect("some rate is carried");
        if let Some(mut bad) = bad {
            for _ in 0..NEARER {
                let middle = (good * bad).sqrt();
                if self.carries(middle, look) {
                    good = middle;
                } else {
                    bad = middle;
                }
            }
        }
        say(&format!(
            "soak     highest rate that is carried: {good:.0}/s"
        ));
        good
    }

    /// Holds a rate for so long, while so many tickets open in each minute.
    fn hold(&mut self, rate: f64, minutes: u32, tickets: u32) {
        let clock = Stopwatch::start();
        let port = listener_of(&self.daemon).port();
        let plan = Plan {
            port,
            devices: (0..minutes * tickets)
                .map(|device| format!("twenty/SP-{device:05}"))
                .collect(),
            faulty: FAULTY,
            every: Duration::from_mins(1) / tickets.max(1),
        };
        let Self {
            daemon,
            load,
            voices,
        } = self;
        let devices = voices.len() as u64;
        let mut speak = |nth: u64, at_ms: u64, id: u16, out: &mut Vec<u8>| {
            let device = usize::try_from(nth % devices).unwrap_or(0);
            out.extend(voices[device].next(at_ms, id));
        };
        let mut resident = Vec::new();
        let told = std::thread::scope(|scope| {
            let daemon: &Daemon = daemon;
            let probes = scope.spawn(|| probes::run(daemon, clock, &plan));
            drop(load.take());
            for minute in 1..=minutes {
                let sent = load.run(rate, Duration::from_mins(1), &mut speak);
                let (now, most) = memory(daemon.pid());
                let metrics = daemon.text("/metrics");
                say(&format!(
                    "soak     minute {minute}: {} messages, {} not in time; {now:.1} MiB resident (at most {most:.1}); backlog {:.0} and {:.0}; PUBACK {}",
                    sent.messages,
                    sent.missing,
                    behind(&metrics, "pipeline"),
                    behind(&metrics, "series"),
                    load.take().text()
                ));
                resident.push(now);
            }
            probes.join().expect("probes to the end")
        });
        let half = resident.len() / 2;
        let middle = told.len() / 2;
        say(&format!(
            "soak     held {rate:.0}/s for {minutes} min: memory over the second half {:+.2} MiB a minute ({:.1} to {:.1} MiB); event to ticket {}; first half {}, second half {}",
            slope(&resident[half..]),
            resident.get(half).copied().unwrap_or(f64::NAN),
            resident.last().copied().unwrap_or(f64::NAN),
            probes::text(told.iter()),
            probes::text(told[..middle].iter()),
            probes::text(told[middle..].iter()),
        ));
    }
}

/// Least squares: change from one value to the next.
fn slope(values: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap_or(0));
    let mean_x = (count - 1.0) / 2.0;
    let mean_y = values.iter().sum::<f64>() / count;
    let (mut up, mut down) = (0.0, 0.0);
    for (nth, value) in (0_u32..).zip(values) {
        let x = f64::from(nth) - mean_x;
        up += x * (value - mean_y);
        down += x * x;
    }
    up / down
}
