//! How long each stage of a message's way takes, as histograms for `/metrics`.
//!
//! A stage is timed per batch, never per message: two looks at the clock and one lock for thousands of messages. How long a message
//! costs on average is the sum of a stage by the number of messages. Leaves to the stages where they begin and end.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::clock;
use crate::desk::Change;
use crate::desk::TicketChange;

/// Upper bounds of the stages' buckets, seconds: a quiet fsync takes 0.2 ms, a store that is away half a minute and more.
const STAGE_BUCKETS: [f64; 17] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];
/// The same for tickets: at once, or after a batch that a device kept for a week.
const TICKET_BUCKETS: [f64; 13] = [
    0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

/// The histograms; cheap handles on shared numbers.
#[derive(Clone, Debug)]
pub(super) struct Stages {
    family: Family<StageLabel, Histogram>,
    /// From a message's receipt until it was acknowledged; a sample.
    pub(super) receive_to_ack: Histogram,
    /// One commit of the journal, with its fsync.
    pub(super) journal_commit: Histogram,
    /// Decoding, detection and desk of one batch.
    pub(super) pipeline: Histogram,
    /// One transaction of the store.
    pub(super) store_commit: Histogram,
    /// One batch to the series store, retries included.
    pub(super) series_write: Histogram,
    /// One snapshot of the pipeline's state, from its beginning until it is on the disk; the pipeline goes on meanwhile.
    checkpoint: Histogram,
    /// What the pipeline waited for a slice of one.
    checkpoint_pause: Histogram,
    /// The longest of these pauses of the newest snapshot.
    longest_pause: Gauge<f64, AtomicU64>,
    event_to_ticket: Histogram,
    receive_to_ticket: Histogram,
}

impl Default for Stages {
    fn default() -> Self {
        let family =
            Family::<StageLabel, Histogram>::new_with_constructor(|| Histogram::new(STAGE_BUCKETS));
        let stage = |stage| family.get_or_create(&StageLabel { stage }).clone();
        Self {
            receive_to_ack: stage("receive_to_ack"),
            journal_commit: stage("journal_commit"),
            pipeline: stage("pipeline"),
            store_commit: stage("store_commit"),
            series_write: stage("series_write"),
            checkpoint: stage("checkpoint"),
            checkpoint_pause: stage("checkpoint_pause"),
            longest_pause: Gauge::default(),
            event_to_ticket: Histogram::new(TICKET_BUCKETS),
            receive_to_ticket: Histogram::new(TICKET_BUCKETS),
            family,
        }
    }
}

impl Stages {
    /// Registers them.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "stage_duration_seconds",
            "How long a stage took for one batch, by stage",
            self.family.clone(),
        );
        registry.register(
            "checkpoint_longest_pause_seconds",
            "Longest that the pipeline waited at once for its newest snapshot",
            self.longest_pause.clone(),
        );
        registry.register(
            "event_to_ticket_seconds",
            "From when a condition became true, by the device's time, until its ticket was in the store",
            self.event_to_ticket.clone(),
        );
        registry.register(
            "receive_to_ticket_seconds",
            "From when the message that opened a ticket was received until the ticket was in the store",
            self.receive_to_ticket.clone(),
        );
    }

    /// Notes the tickets that a committed batch opened.
    pub(super) fn opened(&self, changes: &[TicketChange]) {
        let opened = changes
            .iter()
            .filter(|change| change.change == Change::Opened);
        for change in opened {
            let now = clock::wall();
            let since = |ms: i64| seconds(Duration::from_millis(ms.max(0).unsigned_abs()));
            self.event_to_ticket
                .observe(since(now.since(change.ticket.event_time)));
            self.receive_to_ticket.observe(since(now.since(change.at)));
        }
    }
}

/// Times one stage: from when it was made until it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(clock::Moment);

impl Stopwatch {
    pub(super) fn begin() -> Self {
        Self(clock::Moment::now())
    }

    /// Notes the time since the begin.
    pub(super) fn note(self, stage: &Histogram) {
        stage.observe(seconds(self.0.elapsed()));
    }
}

/// What one snapshot cost.
#[derive(Debug)]
pub(super) struct Pauses {
    whole: Stopwatch,
    longest: Duration,
}

impl Default for Pauses {
    /// It begins now.
    fn default() -> Self {
        Self {
            whole: Stopwatch::begin(),
            longest: Duration::ZERO,
        }
    }
}

impl Pauses {
    /// The pipeline waited for it since then.
    pub(super) fn add(&mut self, pause: Stopwatch, stages: &Stages) {
        pause.note(&stages.checkpoint_pause);
        self.longest = self.longest.max(pause.0.elapsed());
        stages.longest_pause.set(seconds(self.longest));
    }

    /// It is over.
    pub(super) fn end(&self, stages: &Stages) {
        self.whole.note(&stages.checkpoint);
    }
}

/// As histograms want it.
pub(super) const fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_stage_is_told_from_the_start() {
        let stages = Stages::default();
        stages.checkpoint.observe(0.02);
        Pauses::default().add(Stopwatch::begin(), &stages);
        let mut registry = Registry::with_prefix("foremend");
        stages.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for stage in [
            "receive_to_ack",
            "journal_commit",
            "pipeline",
            "store_commit",
            "series_write",
            "checkpoint",
            "checkpoint_pause",
        ] {
            assert!(
                text.contains(&format!(
                    "foremend_stage_duration_seconds_count{{stage=\"{stage}\"}}"
                )),
                "{stage}: {text}"
            );
        }
        assert!(text.contains(
            "foremend_stage_duration_seconds_bucket{le=\"0.025\",stage=\"checkpoint\"} 1"
        ));
    }
}
