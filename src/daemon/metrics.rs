//! The daemon's numbers, under the names of DESIGN section 10.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::gauges::StoreGauges;
use super::stage_times::Stages;
use crate::desk::Change;
use crate::detect::OpenDevices;
use crate::pipeline::Effects;
use crate::series::WriteReport;
use crate::web::Behind;
use crate::web::TrafficCounts;

/// Why something was refused.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Reason {
    pub(super) reason: String,
}

/// Which ticket was opened.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Opened {
    pub(super) model: String,
    pub(super) fault: String,
    pub(super) severity: String,
}

/// Who reads the journal.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Consumer {
    pub(super) consumer: String,
}

/// Where a delivery went and what became of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Delivered {
    pub(super) channel: String,
    pub(super) result: String,
}

/// How a reload ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// Every metric; cheap handles on shared numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    received: Counter,
    decoded: Counter,
    rejected: Family<Reason, Counter>,
    duplicate: Counter,
    records_rejected: Family<Reason, Counter>,
    tickets_opened: Family<Opened, Counter>,
    pub(super) journal_bytes: Gauge,
    pub(super) journal_lag: Family<Consumer, Gauge>,
    catch_up_seconds: Family<Consumer, Gauge>,
    held_bytes: Family<Consumer, Gauge>,
    series_written: Counter,
    series_refused: Family<Reason, Counter>,
    series_attached: Gauge,
    series_decoded: Counter,
    pub(super) deliveries: Family<Delivered, Counter>,
    alerts: Counter,
    devices_open: Gauge,
    devices_unpacked: Counter,
    pub(super) stages: Stages,
    pub(super) gauges: StoreGauges,
    reloads: Family<Outcome, Counter>,
    reload_refused: Gauge,
}

impl Metrics {
    /// Registers all of them; counters get their `_total` from the encoder.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.stages.register(registry);
        self.gauges.register(registry);
        registry.register(
            "messages_received",
            "Messages taken from the journal",
            self.received.clone(),
        );
        registry.register(
            "messages_decoded",
            "Messages understood",
            self.decoded.clone(),
        );
        registry.register(
            "messages_rejected",
            "Messages refused, by reason",
            self.rejected.clone(),
        );
        registry.register(
            "messages_duplicate",
            "Messages received before",
            self.duplicate.clone(),
        );
        registry.register(
            "records_rejected",
            "Single records of batches refused",
            self.records_rejected.clone(),
        );
        registry.register(
            "tickets_opened",
            "Tickets opened",
            self.tickets_opened.clone(),
        );
        registry.register(
            "journal_bytes",
            "Bytes of the journal on disk",
            self.journal_bytes.clone(),
        );
        registry.register(
            "journal_lag_messages",
            "Records a consumer is behind",
            self.journal_lag.clone(),
        );
        registry.register(
            "journal_catch_up_seconds",
            "How long a consumer that is behind will take to catch up; absent while it is not, or not getting nearer",
            self.catch_up_seconds.clone(),
        );
        registry.register(
            "journal_held_bytes",
            "Bytes that retention should remove and that a consumer still needs; absent while there are none",
            self.held_bytes.clone(),
        );
        registry.register(
            "series_points_written",
            "Points written to the series store",
            self.series_written.clone(),
        );
        registry.register(
            "series_points_refused",
            "Points refused for good",
            self.series_refused.clone(),
        );
        registry.register(
            "series_attached",
            "1 while the series take what the pipeline decoded, 0 while they decode the journal for themselves",
            self.series_attached.clone(),
        );
        registry.register(
            "series_messages_decoded",
            "Messages that the series decoded for themselves",
            self.series_decoded.clone(),
        );
        registry.register(
            "deliveries",
            "Deliveries by channel and result",
            self.deliveries.clone(),
        );
        registry.register(
            "alerts",
            "Faults of the daemon itself that someone must look at",
            self.alerts.clone(),
        );
        registry.register(
            "devices_open",
            "Devices whose state is kept ready in memory",
            self.devices_open.clone(),
        );
        registry.register(
            "devices_unpacked",
            "Devices unpacked because they spoke or something came due; many a second: raise devices.open",
            self.devices_unpacked.clone(),
        );
        registry.register(
            "reloads",
            "Reloads of settings and profiles, by result",
            self.reloads.clone(),
        );
        registry.register(
            "reload_refused",
            "1 while what the last reload asked for was refused",
            self.reload_refused.clone(),
        );
    }

    /// Counts what a batch caused.
    pub(super) fn count(&self, effects: &Effects) {
        let counts = &effects.counts;
        self.received.inc_by(counts.received);
        self.decoded.inc_by(counts.decoded);
        self.duplicate.inc_by(counts.duplicate);
        for reason in &counts.rejected_by {
            self.rejected
                .get_or_create(&Reason {
                    reason: reason.to_string(),
                })
                .inc();
        }
        for reason in &counts.records_rejected_by {
            self.records_rejected
                .get_or_create(&Reason {
                    reason: reason.to_string(),
                })
                .inc();
        }
        self.stages.opened(&effects.changes);
        self.alerts.inc_by(effects.alerts.len() as u64);
        for change in effects
            .changes
            .iter()
            .filter(|change| change.change == Change::Opened)
        {
            let ticket = &change.ticket;
            let labels = Opened {
                model: ticket.device.model().into(),
                fault: ticket.fault.to_string(),
                severity: format!("{:?}", ticket.severity),
            };
            self.tickets_opened.get_or_create(&labels).inc();
        }
    }

    /// How many devices stand open, and how often one was unpacked since the start.
    pub(super) fn open_devices(&self, opened: OpenDevices) {
        self.devices_open
            .set(i64::try_from(opened.now).unwrap_or(i64::MAX));
        let told = self.devices_unpacked.get();
        self.devices_unpacked
            .inc_by(opened.unpacked.saturating_sub(told));
    }

    /// How far a consumer of the journal is behind.
    pub(super) fn backlog(&self, consumer: &str, behind: &Behind) {
        let labels = Consumer {
            consumer: consumer.into(),
        };
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.journal_lag
            .get_or_create(&labels)
            .set(gauge(behind.records));
        match behind.left.filter(|_| behind.is_told()) {
            Some(left) => {
                let gauged = self.catch_up_seconds.get_or_create(&labels);
                gauged.set(gauge(left.as_secs()));
            }
            None => {
                self.catch_up_seconds.remove(&labels);
            }
        }
    }

    /// What retention must not remove, and for whom.
    pub(super) fn held(&self, held: Option<(&str, u64)>) {
        self.held_bytes.clear();
        if let Some((consumer, bytes)) = held {
            let labels = Consumer {
                consumer: consumer.into(),
            };
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.held_bytes.get_or_create(&labels).set(bytes);
        }
    }

    /// Deliveries that the full outbox let go.
    pub(super) fn dropped(&self, channel: &str, count: u64) {
        let labels = Delivered {
            channel: channel.into(),
            result: "dropped".into(),
        };
        self.deliveries.get_or_create(&labels).inc_by(count);
    }

    /// Messages so far, by what became of them.
    pub(super) fn traffic(&self) -> TrafficCounts {
        let (received, decoded) = (self.received.get(), self.decoded.get());
        let duplicate = self.duplicate.get();
        TrafficCounts {
            received,
            decoded,
            duplicate,
            rejected: received.saturating_sub(decoded + duplicate),
        }
    }

    /// Counts a reload.
    pub(super) fn count_reload(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&Outcome { result }).inc();
        self.reload_refused.set(i64::from(!taken));
    }

    /// Where the series take from what devices said, and how many messages they decoded for themselves since they told it last.
    pub(super) fn series_feed(&self, is_attached: bool, decoded: u64) {
        self.series_attached.set(i64::from(is_attached));
        self.series_decoded.inc_by(decoded);
    }

    /// Counts what the series store took.
    pub(super) fn count_points(&self, report: &WriteReport) {
        self.series_written.inc_by(report.written);
        for (reason, count) in &report.refused {
            self.series_refused
                .get_or_create(&Reason {
                    reason: reason.to_string(),
                })
                .inc_by(*count);
        }
    }
}
