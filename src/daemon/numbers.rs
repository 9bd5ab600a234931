//! Everything that `/metrics` tells: the counters that parts keep themselves, and what is looked up when someone asks.
//!
//! Names are a contract (they are added, never changed). Nothing that grows with the number of devices or tickets is a label.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::backend::backlog;
use super::listener::ListenerNumbers;
use super::logging;
use super::process::ProcessNumbers;
use super::readiness;
use super::shared::Shared;
use crate::intake::SourceSnapshot;
use crate::intake::SourceState;
use crate::journal::Journal;

/// Everything, ready to be asked.
pub(super) fn registry(shared: &Arc<Shared>, journal: &Journal) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(ProcessNumbers::new()));
    let ours = registry.sub_registry_with_prefix("foremend");
    ours.register(
        "build",
        "What runs here",
        Info::new([
            ("version", env!("CARGO_PKG_VERSION")),
            ("os", std::env::consts::OS),
            ("arch", std::env::consts::ARCH),
        ]),
    );
    shared.metrics.register(ours);
    if let Some(status) = &shared.listener {
        ours.register_collector(Box::new(ListenerNumbers(Arc::clone(status))));
    }
    ours.register_collector(Box::new(PartNumbers {
        journal: journal.clone(),
        shared: Arc::clone(shared),
    }));
    registry
}

/// One number of a source.
type Number = fn(&SourceSnapshot) -> u64;

/// What the parts say of themselves when asked.
struct PartNumbers {
    journal: Journal,
    shared: Arc<Shared>,
}

impl fmt::Debug for PartNumbers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PartNumbers").finish_non_exhaustive()
    }
}

impl Collector for PartNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.journal(&mut encoder)?;
        self.sources(&mut encoder)?;
        self.readiness(&mut encoder)?;
        log(&mut encoder)
    }
}

impl PartNumbers {
    fn journal(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.journal.stats();
        for (name, help, value) in [
            (
                "journal_max_bytes",
                "Byte budget of the journal",
                stats.max_bytes,
            ),
            (
                "journal_segments",
                "Files of the journal",
                stats.segments as u64,
            ),
            (
                "journal_queued_records",
                "Records that wait to be written to the journal",
                stats.queued_records as u64,
            ),
            (
                "journal_queued_bytes",
                "Bytes that wait to be written to the journal",
                stats.queued_bytes as u64,
            ),
            (
                "journal_full",
                "1 while the byte budget is used up and nothing is acknowledged",
                u64::from(stats.full),
            ),
            (
                "journal_failing",
                "1 while the disk refuses writes and nothing is acknowledged",
                u64::from(stats.failing),
            ),
        ] {
            gauge(encoder, name, help, value)?;
        }
        counter(
            encoder,
            "journal_commits",
            "Commits of the journal, one fsync each",
            stats.commits,
        )?;
        counter(
            encoder,
            "journal_commit_errors",
            "Commits of the journal that failed and were tried again",
            stats.commit_errors,
        )
    }

    fn sources(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sources: Vec<_> = self
            .shared
            .sources()
            .iter()
            .map(|source| source.snapshot())
            .collect();
        let mut connected = encoder.encode_descriptor(
            "source_connected",
            "1 while messages of a broker or of the listener may flow",
            None,
            MetricType::Gauge,
        )?;
        for source in &sources {
            let labels = [("source", source.name.as_str())];
            let flows = source.state == SourceState::Connected && source.refused_filters.is_empty();
            ConstGauge::new(i64::from(flows)).encode(connected.encode_family(&labels)?)?;
        }
        let numbers: [(&str, &str, Number); 5] = [
            (
                "source_received",
                "Messages received, by source",
                |source| source.received,
            ),
            (
                "source_acknowledged",
                "Messages acknowledged, by source",
                |source| source.acked,
            ),
            (
                "source_reconnects",
                "Connections after the first one, by source",
                |source| source.reconnects,
            ),
            (
                "source_oversize",
                "Messages over the size limit, by source",
                |source| source.oversize,
            ),
            (
                "source_qos0_dropped",
                "Messages of QoS 0 that were not kept, by source",
                |source| source.qos0_dropped,
            ),
        ];
        for (name, help, number) in numbers {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for source in &sources {
                let labels = [("source", source.name.as_str())];
                ConstCounter::new(number(source)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn readiness(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let checks = readiness::checks(
            &self.journal,
            &self.shared,
            &backlog(&self.journal, &self.shared),
        );
        let ready = checks.iter().all(|check| check.ok);
        gauge(
            encoder,
            "ready",
            "1 while everything that /readyz looks at works",
            u64::from(ready),
        )?;
        let mut family = encoder.encode_descriptor(
            "check_ok",
            "1 while a part that /readyz looks at works, by part",
            None,
            MetricType::Gauge,
        )?;
        for check in &checks {
            let labels = [("check", check.name.as_str())];
            ConstGauge::new(i64::from(check.ok)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn log(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (written, held_back) = logging::counts();
    let mut family = encoder.encode_descriptor(
        "log_lines",
        "Lines written to the log, by level",
        None,
        MetricType::Counter,
    )?;
    for (level, count) in written {
        let labels = [("level", level)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    counter(
        encoder,
        "log_lines_held_back",
        "Lines of the log that were held back because their cause had said enough",
        held_back,
    )
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(value).encode(metric)
}
