//! What the store holds, as gauges for `/metrics`: open tickets, devices, rejected messages, deliveries that wait or were given up.
//!
//! Counted now and then by whoever looks after the daemon, never because someone asks for `/metrics`.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::store::Counts;
use crate::store::SERIES_CHANNEL;

/// Every status of an open ticket, so that one without tickets is told as 0.
const OPEN: [&str; 5] = ["new", "acknowledged", "in_progress", "waiting", "resolved"];
/// Every severity.
const SEVERITIES: [&str; 4] = ["S1", "S2", "S3", "S4"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Severity {
    severity: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Channel {
    channel: String,
}

/// The gauges; cheap handles on shared numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreGauges {
    open: Family<Status, Gauge>,
    by_severity: Family<Severity, Gauge>,
    devices: Gauge,
    rejected: Gauge,
    pending: Family<Channel, Gauge>,
    dead: Family<Channel, Gauge>,
}

impl StoreGauges {
    /// Registers them.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tickets_open",
            "Open tickets and notices, by status",
            self.open.clone(),
        );
        registry.register(
            "tickets_open_by_severity",
            "Open tickets and notices, by severity",
            self.by_severity.clone(),
        );
        registry.register("devices", "Devices known", self.devices.clone());
        registry.register(
            "rejected_kept",
            "Rejected messages that are kept and no replay has taken",
            self.rejected.clone(),
        );
        registry.register(
            "outbox_pending",
            "Deliveries that wait, by channel",
            self.pending.clone(),
        );
        registry.register(
            "outbox_dead",
            "Deliveries that were given up, by channel",
            self.dead.clone(),
        );
    }

    /// Takes over what was counted.
    pub(super) fn set(&self, counts: &Counts) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for (status, count) in with_zeros(&OPEN, &counts.open_tickets) {
            self.open
                .get_or_create(&Status { status })
                .set(number(count));
        }
        for (severity, count) in with_zeros(&SEVERITIES, &counts.open_by_severity) {
            self.by_severity
                .get_or_create(&Severity { severity })
                .set(number(count));
        }
        self.devices.set(number(counts.devices));
        self.rejected.set(number(counts.rejected));
        let mut channels: Vec<&str> = vec![SERIES_CHANNEL];
        let told = [&counts.outbox_pending, &counts.outbox_dead];
        channels.extend(
            told.iter()
                .flat_map(|counts| counts.keys())
                .map(String::as_str),
        );
        for (family, now) in [&self.pending, &self.dead].into_iter().zip(told) {
            for (channel, count) in with_zeros(&channels, now) {
                family
                    .get_or_create(&Channel { channel })
                    .set(number(count));
            }
        }
    }
}

/// The counts, and 0 for what has none.
fn with_zeros(known: &[&str], counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut all: BTreeMap<String, u64> = known.iter().map(|name| ((*name).to_owned(), 0)).collect();
    all.extend(counts.iter().map(|(name, count)| (name.clone(), *count)));
    all
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn what_is_gone_is_told_as_nothing() {
        let gauges = StoreGauges::default();
        let mut registry = Registry::default();
        gauges.register(&mut registry);
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        gauges.set(&Counts {
            open_tickets: [("new".to_owned(), 3)].into(),
            ..Counts::default()
        });
        assert!(text().contains("tickets_open{status=\"new\"} 3"));
        gauges.set(&Counts::default());
        let now = text();
        for line in [
            "tickets_open{status=\"new\"} 0",
            "tickets_open_by_severity{severity=\"S1\"} 0",
            "outbox_dead{channel=\"series\"} 0",
        ] {
            assert!(now.contains(line), "{line}: {now}");
        }
    }
}
