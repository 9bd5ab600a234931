//! What a daemon used between two moments while messages went through it: CPU, wake-ups, by thread.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::measure::{Cpu, Stopwatch, threads};
use crate::process::Daemon;
use crate::rig::metric;

/// A moment.
pub(crate) struct Usage {
    clock: Stopwatch,
    cpu: Cpu,
    wakes: f64,
    threads: BTreeMap<String, Duration>,
    decoded: f64,
}

/// The time between two moments.
pub(crate) struct Used {
    /// Messages that went through detection.
    pub(crate) messages: f64,
    pub(crate) seconds: f64,
    /// CPU per message, µs.
    pub(crate) each: f64,
    /// CPU in cores.
    pub(crate) cores: f64,
    /// How often a second a thread went to sleep of its own will, and so was woken again.
    pub(crate) wakes: f64,
    /// µs per message of the threads that used most.
    pub(crate) by_thread: String,
}

impl Usage {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        let pid = daemon.pid();
        Self {
            clock: Stopwatch::start(),
            decoded: metric(&daemon.text("/metrics"), "foremend_messages_decoded_total"),
            cpu: Cpu::of(pid),
            wakes: wakes(pid),
            threads: threads(pid).into_iter().collect(),
        }
    }

    /// What was used since.
    pub(crate) fn until_now(&self, daemon: &Daemon) -> Used {
        let now = Self::of(daemon);
        let seconds = self.clock.elapsed().as_secs_f64();
        let messages = now.decoded - self.decoded;
        let cpu = now.cpu.since(self.cpu).as_secs_f64();
        let mut by_thread: Vec<_> = now
            .threads
            .iter()
            .map(|(name, used)| {
                let before = self.threads.get(name).copied().unwrap_or_default();
                (
                    used.saturating_sub(before).as_secs_f64() * 1e6 / messages,
                    name,
                )
            })
            .collect();
        by_thread.sort_by(|a, b| b.0.total_cmp(&a.0));
        let by_thread: Vec<String> = by_thread
            .iter()
            .take(5)
            .map(|(each, name)| format!("{name} {each:.1}"))
            .collect();
        Used {
            messages,
            seconds,
            each: cpu * 1e6 / messages,
            cores: cpu / seconds,
            wakes: (now.wakes - self.wakes) / seconds,
            by_thread: by_thread.join(", "),
        }
    }
}

/// Voluntary context switches of all threads since their start.
fn wakes(process: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("a live process");
    tasks
        .filter_map(Result::ok)
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let line = status
                .lines()
                .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        })
        .sum()
}
