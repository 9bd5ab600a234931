//! Faults told at a steady beat while other things go on, and how long each took to its ticket.
//!
//! Open loop: the next fault is told at its time whether or not the ticket of the one before has come, so that a pause of the
//! daemon is seen by all whom it would have hit. Each device tells one, so whose ticket it is is never in doubt.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::events::{Event, follow};
use crate::measure::{Stopwatch, pause, quantile};
use crate::process::Daemon;
use crate::publisher::Publisher;

/// How long the last tickets may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks for the last tickets.
const LOOK: Duration = Duration::from_millis(50);

/// Which faults to tell.
pub(crate) struct Plan {
    /// Port of the listener or broker.
    pub(crate) port: u16,
    /// `model/serial` of each device, in order.
    pub(crate) devices: Vec<String>,
    /// What each says; it opens a ticket at once.
    pub(crate) faulty: &'static [u8],
    /// From one to the next.
    pub(crate) every: Duration,
}

/// One fault that was told.
pub(crate) struct Probe {
    /// When, by the clock that was given.
    pub(crate) said: Duration,
    /// How long until its ticket was told; `None`: longer than anyone waited.
    pub(crate) took: Option<Duration>,
}

/// Tells them all; takes `every` for each, and for the last as long as its ticket takes.
pub(crate) fn run(daemon: &Daemon, clock: Stopwatch, plan: &Plan) -> Vec<Probe> {
    let events = follow(daemon, clock);
    let mut publisher = Publisher::connect(plan.port, "bench-probes");
    let by_name: BTreeMap<&str, usize> = (0..)
        .zip(&plan.devices)
        .map(|(nth, name)| (name.as_str(), nth))
        .collect();
    let mut probes: Vec<Probe> = Vec::new();
    let begin = clock.elapsed();
    for (nth, name) in (0_u32..).zip(&plan.devices) {
        pause((begin + plan.every * nth).saturating_sub(clock.elapsed()));
        publisher.publish(&format!("appl/v1/{name}/tele"), plan.faulty);
        probes.push(Probe {
            said: clock.elapsed(),
            took: None,
        });
        for event in events.try_iter() {
            note(&event, &by_name, &mut probes);
        }
    }
    let told = clock.elapsed();
    while probes.iter().any(|probe| probe.took.is_none()) && clock.elapsed() < told + PATIENCE {
        pause(LOOK);
        for event in events.try_iter() {
            note(&event, &by_name, &mut probes);
        }
    }
    publisher.settle();
    probes
}

/// The first event of a device's ticket is its opening.
fn note(event: &Event, by_name: &BTreeMap<&str, usize>, probes: &mut [Probe]) {
    let nth = event.data.split('"').find_map(|word| by_name.get(word));
    if let Some(probe) = nth.and_then(|nth| probes.get_mut(*nth))
        && probe.took.is_none()
    {
        probe.took = Some(event.at.saturating_sub(probe.said));
    }
}

/// `p50 2.1 ms, p99 7.0 ms, worst 9.9 ms of 1500`, and how many never came.
pub(crate) fn text<'a>(probes: impl Iterator<Item = &'a Probe>) -> String {
    let (mut taken, mut lost) = (Vec::new(), 0);
    for probe in probes {
        match probe.took {
            Some(took) => taken.push(took.as_secs_f64() * 1e3),
            None => lost += 1,
        }
    }
    let lost = if lost > 0 {
        format!("; {lost} WITHOUT A TICKET")
    } else {
        String::new()
    };
    if taken.is_empty() {
        return format!("none{lost}");
    }
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms of {}{lost}",
        quantile(&taken, 0.5),
        quantile(&taken, 0.99),
        quantile(&taken, 1.0),
        taken.len(),
    )
}
