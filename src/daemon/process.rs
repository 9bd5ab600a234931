//! The process as the operating system sees it, under the names that Prometheus gives to every program.
//!
//! Read from `/proc` when asked, which costs some microseconds; where there is no `/proc`, only the time of the start is told.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::clock;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Ticks of a second in `/proc/self/stat`: 100 on every Linux that Rust's first two tiers know (`man 5 proc`, `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Numbers of the process.
#[derive(Debug)]
pub(super) struct ProcessNumbers {
    started: Timestamp,
}

impl ProcessNumbers {
    /// Of the process that starts now.
    pub(super) fn new() -> Self {
        Self {
            started: clock::wall(),
        }
    }
}

impl Collector for ProcessNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let started = encoder.encode_descriptor(
            "process_start_time_seconds",
            "Start of the process, seconds since 1970",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(self.started.ms() / SECOND_MS).encode(started)?;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, line, factor) in [
            (
                "process_resident_memory_bytes",
                "Memory in use",
                "VmRSS:",
                1_024,
            ),
            (
                "process_virtual_memory_bytes",
                "Memory mapped",
                "VmSize:",
                1_024,
            ),
            ("process_threads", "Threads", "Threads:", 1),
        ] {
            if let Some(value) = number_after(&status, line) {
                let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value.saturating_mul(factor)).encode(gauge)?;
            }
        }
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(ticks) = cpu_ticks(&stat) {
            let counter = encoder.encode_descriptor(
                "process_cpu_seconds",
                "Processor time used",
                None,
                MetricType::Counter,
            )?;
            ConstCounter::new(ticks / TICKS_PER_SECOND).encode(counter)?;
        }
        Ok(())
    }
}

/// The number behind the beginning of a line of `/proc/self/status`.
fn number_after(status: &str, beginning: &str) -> Option<i64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(beginning))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time: fields 14 and 15, counted after the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300.0));
        assert_eq!(cpu_ticks(""), None);
        let status = "Name:\tforemend\nVmRSS:\t   2048 kB\nThreads:\t9\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(2_048));
        assert_eq!(number_after(status, "VmSize:"), None);
    }
}
