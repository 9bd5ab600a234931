//! What the threads of the daemon tell each other: questions to the worker, troubles, progress, numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smol_str::SmolStr;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::catch_up::CatchUp;
use super::catch_up::Tell;
use super::clock;
use super::metrics::Metrics;
use super::traffic::TrafficLog;
use crate::decode::DecodeView;
use crate::detect::DeviceView;
use crate::detect::Standings;
use crate::intake::SourceStatus;
use crate::intake::listener::ListenerStatus;
use crate::pipeline::Answer;
use crate::pipeline::Presence;
use crate::profile::Profiles;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;
use crate::web::Behind;
use crate::web::Traffic;

/// The pipeline, as a consumer of the journal.
pub(super) const PIPELINE: &str = "pipeline";
/// The series writer: its journal cursor, its metrics, its trouble.
pub(super) const SERIES: &str = "series";

/// Questions waiting for the worker; one more waits its turn. A question takes microseconds, a batch before it milliseconds.
pub(super) const QUESTIONS_LIMIT: usize = 256;

/// A question to the thread that owns the pipeline.
pub(super) enum Question {
    /// What detection and decoding know of a device.
    Device {
        device: DeviceId,
        reply: oneshot::Sender<Option<Box<Known>>>,
    },
    /// What was heard of these devices since they were last written to the store; `None` where nothing was.
    Unwritten {
        devices: Vec<DeviceId>,
        reply: oneshot::Sender<Vec<Option<Presence>>>,
    },
    /// How the faults of some devices of a model stand: of the next few after this one, in order.
    Standings {
        model: SmolStr,
        after: Option<DeviceId>,
        reply: oneshot::Sender<Vec<Standings>>,
    },
    /// What became of the action at a position, once it is in the store.
    Answer {
        position: Position,
        reply: oneshot::Sender<Option<Answer>>,
    },
}

/// What detection and decoding know of a device.
pub(super) struct Known {
    pub(super) view: DeviceView,
    pub(super) decoding: DecodeView,
}

/// Shared between the threads of the daemon.
pub(super) struct Shared {
    /// Numbers for `/metrics`.
    pub(super) metrics: Metrics,
    profiles: Mutex<Arc<Profiles>>,
    troubles: Mutex<BTreeMap<String, String>>,
    processed: watch::Sender<Position>,
    sources: Mutex<Vec<Arc<SourceStatus>>>,
    /// The built-in listener and its clients; `None` when it is off.
    pub(super) listener: Option<Arc<ListenerStatus>>,
    series_written: AtomicU64,
    /// When the worker last showed a sign of life, by the monotonic clock, ms.
    worker_alive_at: AtomicI64,
    traffic: Mutex<TrafficLog>,
    catching_up: Mutex<CatchingUp>,
}

/// How the consumers of the journal stand, as of the last look.
#[derive(Default)]
struct CatchingUp {
    pipeline: (CatchUp, Behind),
    series: (CatchUp, Behind),
}

impl Shared {
    pub(super) fn new(
        metrics: Metrics,
        profiles: Arc<Profiles>,
        listener: Option<Arc<ListenerStatus>>,
    ) -> Self {
        Self {
            metrics,
            profiles: Mutex::new(profiles),
            troubles: Mutex::default(),
            processed: watch::Sender::new(Position::default()),
            sources: Mutex::default(),
            listener,
            series_written: AtomicU64::new(0),
            worker_alive_at: AtomicI64::new(clock::monotonic_ms()),
            traffic: Mutex::default(),
            catching_up: Mutex::default(),
        }
    }

    /// The profiles in force.
    pub(super) fn profiles(&self) -> Arc<Profiles> {
        Arc::clone(&self.profiles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The worker put profiles in force.
    pub(super) fn set_profiles(&self, profiles: &Arc<Profiles>) {
        let mut current = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, profiles) {
            *current = Arc::clone(profiles);
        }
    }

    /// A part does not work; readiness says so until [`Shared::well`].
    pub(super) fn trouble(&self, part: &str, what: &str) {
        self.troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part.into(), what.into());
    }

    /// A part works (again).
    pub(super) fn well(&self, part: &str) {
        self.troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(part);
    }

    /// Parts that do not work, with the reason.
    pub(super) fn troubles(&self) -> BTreeMap<String, String> {
        self.troubles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A source began.
    pub(super) fn add_source(&self, status: Arc<SourceStatus>) {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(status);
    }

    /// Every source, in the order of the settings.
    pub(super) fn sources(&self) -> Vec<Arc<SourceStatus>> {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes what arrived since the last look.
    pub(super) fn look_at_traffic(&self, now: Timestamp) {
        let total = self.metrics.traffic();
        let mut log = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        log.look(now, total);
    }

    /// What arrived lately.
    pub(super) fn traffic(&self, now: Timestamp) -> Traffic {
        let log = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        log.seen(now)
    }

    /// Notes how far the consumers of a journal that ends at `last` are; the log says it when it is much. `now`: ms of the
    /// monotonic clock.
    pub(super) fn look_at_backlog(&self, now: i64, last: Position) {
        let (processed, written) = (*self.processed.borrow(), self.series_written());
        let mut both = self
            .catching_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let CatchingUp { pipeline, series } = &mut *both;
        for (name, (looks, stands), done) in
            [(PIPELINE, pipeline, processed), (SERIES, series, written)]
        {
            let (behind, tell) = looks.look(now, done, last);
            *stands = behind;
            let left_s = behind.left.map(|left| left.as_secs());
            match tell {
                Tell::CatchingUp => tracing::info!(
                    consumer = name,
                    behind = behind.records,
                    per_second = behind.per_second,
                    left_s,
                    "catching up with the journal"
                ),
                Tell::CaughtUp => tracing::info!(consumer = name, "caught up with the journal"),
                Tell::Nothing => {}
            }
            self.metrics.backlog(name, &behind);
        }
    }

    /// How the pipeline and the series stood at the last look.
    pub(super) fn backlog(&self) -> (Behind, Behind) {
        let both = self
            .catching_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (both.pipeline.1, both.series.1)
    }

    /// The worker lives.
    pub(super) fn worker_is_alive(&self) {
        self.worker_alive_at
            .store(clock::monotonic_ms(), Ordering::Relaxed);
    }

    /// How long the worker has shown no sign of life.
    pub(super) fn pipeline_still_for(&self) -> Duration {
        let since = clock::monotonic_ms() - self.worker_alive_at.load(Ordering::Relaxed);
        Duration::from_millis(u64::try_from(since).unwrap_or(0))
    }

    /// Everything up to here is in the series store.
    pub(super) fn set_series_written(&self, position: Position) {
        self.series_written.store(position.0, Ordering::Relaxed);
    }

    /// How far the series are.
    pub(super) fn series_written(&self) -> Position {
        Position(self.series_written.load(Ordering::Relaxed))
    }

    /// The worker is done with everything up to here.
    pub(super) fn set_processed(&self, position: Position) {
        self.processed.send_replace(position);
    }

    /// How far the worker is.
    pub(super) fn processed(&self) -> watch::Receiver<Position> {
        self.processed.subscribe()
    }
}
