//! Gets a batch stored, however long the store is away: lanes, waiting, alarms, and the way round a point that breaks the server.
//!
//! Works on any store. Leaves the journal's cursor to the daemon, which moves it when [`Writer::write`] returns. Invariant: a
//! point is given up only when the store refused it or kept failing on it alone while it took others; an outage loses nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::sync::watch;

use crate::telemetry::Point;

use super::points::unite;
use super::{RefusedReason, SeriesError, SeriesStore, WriteReport};

/// Most points of one write: the optimum of the InfluxDB documentation.
const POINTS_LIMIT: usize = 5_000;
/// How often the server may fail on the same points before they are halved, or a single one is given up.
const FAULTS_LIMIT: u32 = 5;
/// How many of these tries a half has when the server takes other points: the fault is in the points then.
const TRIES_OF_A_HALF: u32 = 2;

/// How the writer behaves.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Writes in flight; each device always has the same lane. InfluxDB's documentation advises 2 to 4.
    pub lanes: usize,
    /// First wait after a failure; it doubles with each further one.
    pub first_wait: Duration,
    /// Longest wait.
    pub longest_wait: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            lanes: 4,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_mins(1),
        }
    }
}

/// How the writer fares, for health pages and alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesStatus {
    /// The last write went well.
    Working,
    /// The store is away; the writer tries again by itself.
    Retrying {
        /// Why.
        reason: String,
    },
    /// A person must change something (token, bucket, disk); the writer looks again once in a while.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Waiting, apart from everything else so that tests need not wait.
pub trait Pause: Send + Sync {
    /// Waits at least `least` and up to `spread` longer, by chance, so that many clients do not come back at once.
    fn pause(&self, least: Duration, spread: Duration) -> impl Future<Output = ()> + Send;
}

/// Waits by tokio's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioPause;

impl Pause for TokioPause {
    async fn pause(&self, least: Duration, spread: Duration) {
        tokio::time::sleep(least + spread.mul_f64(rand::random::<f64>())).await;
    }
}

/// Writes batches to a store.
#[derive(Debug)]
pub struct Writer<S, P = TokioPause> {
    store: S,
    pause: P,
    options: WriterOptions,
    /// One write in flight per lane, also when several callers write at once. Each remembers a point that the store took.
    lanes: Vec<Mutex<Option<Point>>>,
    status: watch::Sender<SeriesStatus>,
}

impl<S: SeriesStore> Writer<S> {
    /// A writer to this store.
    pub fn new(store: S, options: WriterOptions) -> Self {
        Self::with_pause(store, options, TokioPause)
    }
}

impl<S: SeriesStore, P: Pause> Writer<S, P> {
    /// A writer that waits in its own way.
    pub fn with_pause(store: S, options: WriterOptions, pause: P) -> Self {
        let (status, _) = watch::channel(SeriesStatus::Working);
        Self {
            store,
            pause,
            options,
            lanes: (0..options.lanes.max(1))
                .map(|_| Mutex::new(None))
                .collect(),
            status,
        }
    }

    /// How it fares, now and from now on.
    pub fn status(&self) -> watch::Receiver<SeriesStatus> {
        self.status.subscribe()
    }

    /// The store behind it.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Returns when every point is stored or refused for good, which may take as long as an outage.
    ///
    /// Dropping the future ends it; writing the batch again later is harmless.
    pub async fn write(&self, points: Vec<Point>) -> WriteReport {
        let mut lanes: Vec<Vec<Point>> = self.lanes.iter().map(|_| Vec::new()).collect();
        let count = lanes.len();
        for point in unite(points) {
            let lane = lane_of(point.device.as_str(), count);
            if let Some(lane) = lanes.get_mut(lane) {
                lane.push(point);
            }
        }
        let writes = self.lanes.iter().zip(&lanes);
        let reports = join_all(writes.map(|(lane, points)| self.write_lane(lane, points))).await;
        let mut sum = WriteReport::default();
        for report in &reports {
            sum.add(report);
        }
        sum
    }

    async fn write_lane(&self, lane: &Mutex<Option<Point>>, points: &[Point]) -> WriteReport {
        let mut report = WriteReport::default();
        if points.is_empty() {
            return report;
        }
        let mut witness = lane.lock().await;
        let mut pieces: VecDeque<Piece<'_>> = points.chunks(POINTS_LIMIT).map(Piece::new).collect();
        let mut failures = 0;
        while let Some(piece) = pieces.pop_front() {
            match self.store.write(piece.points).await {
                Ok(part) => {
                    failures = 0;
                    self.tell(SeriesStatus::Working);
                    report.add(&part);
                    // Always the newest piece's: an older point might undo what this piece changed in it.
                    let taken = piece.points.first().filter(|_| part.refused.is_empty());
                    *witness = taken.cloned();
                }
                Err(error) => {
                    failures += 1;
                    self.tell(status_of(&error));
                    if is_suspect(&error) {
                        let works =
                            piece.faults + 1 >= FAULTS_LIMIT && self.takes(witness.as_ref()).await;
                        set_aside(piece, works, &mut pieces, &mut report);
                    } else {
                        pieces.push_front(piece);
                    }
                    if !pieces.is_empty() {
                        self.wait(&error, failures).await;
                    }
                }
            }
        }
        report
    }

    /// Whether the server takes a point that it took before: writing that again is harmless.
    async fn takes(&self, witness: Option<&Point>) -> bool {
        match witness {
            Some(point) => self.store.write(std::slice::from_ref(point)).await.is_ok(),
            None => false,
        }
    }

    async fn wait(&self, error: &SeriesError, failures: u32) {
        let WriterOptions {
            first_wait,
            longest_wait,
            ..
        } = self.options;
        let doubled = first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = match error {
            SeriesError::Stop { .. } => longest_wait,
            _ => doubled.min(longest_wait),
        };
        match error {
            SeriesError::Later {
                retry_after: Some(asked),
                ..
            } => self.pause.pause((*asked).max(wait / 2), wait / 2).await,
            _ => self.pause.pause(wait / 2, wait / 2).await,
        }
    }

    /// Logs a change of the kind of status once, and shows every change of reason.
    fn tell(&self, status: SeriesStatus) {
        self.status.send_if_modified(|now| {
            if *now == status {
                return false;
            }
            if std::mem::discriminant(now) != std::mem::discriminant(&status) {
                match &status {
                    SeriesStatus::Working => tracing::info!("the series store takes points"),
                    SeriesStatus::Retrying { reason } => {
                        tracing::warn!(
                            reason,
                            "the series store is away; points wait in the journal"
                        );
                    }
                    SeriesStatus::Stopped { reason } => {
                        tracing::error!(
                            reason,
                            "the series store refuses us; points wait in the journal"
                        );
                    }
                }
            }
            *now = status;
            true
        });
    }
}

/// Points that are written together.
struct Piece<'points> {
    points: &'points [Point],
    /// How often the server failed on them.
    faults: u32,
}

impl<'points> Piece<'points> {
    fn new(points: &'points [Point]) -> Self {
        Self { points, faults: 0 }
    }
}

/// The server failed on these points: they go behind the others, in halves or not at all once there were too many tries.
///
/// Without a sign that the server works, halving goes on only as slowly as the waits grow, and nothing is given up.
fn set_aside<'points>(
    mut piece: Piece<'points>,
    server_works: bool,
    pieces: &mut VecDeque<Piece<'points>>,
    report: &mut WriteReport,
) {
    piece.faults += 1;
    if piece.faults < FAULTS_LIMIT {
        pieces.push_back(piece);
        return;
    }
    if piece.points.len() > 1 {
        let (first, second) = piece.points.split_at(piece.points.len() / 2);
        for points in [first, second] {
            let mut half = Piece::new(points);
            if server_works && points.len() > 1 {
                half.faults = FAULTS_LIMIT - TRIES_OF_A_HALF;
            }
            pieces.push_back(half);
        }
    } else if server_works {
        tracing::warn!(
            device.id = piece.points.first().map(|point| point.device.as_str()),
            "the series store keeps failing on a point; it is left out"
        );
        report.refuse(RefusedReason::ServerError, 1);
    } else {
        pieces.push_back(piece);
    }
}

fn is_suspect(error: &SeriesError) -> bool {
    matches!(
        error,
        SeriesError::Later {
            request_suspect: true,
            ..
        }
    )
}

fn status_of(error: &SeriesError) -> SeriesStatus {
    let reason = error.to_string();
    match error {
        SeriesError::Stop { .. } => SeriesStatus::Stopped { reason },
        SeriesError::Later { .. }
        | SeriesError::Split
        | SeriesError::BadLines { .. }
        | SeriesError::Partial { .. }
        | SeriesError::Query { .. } => SeriesStatus::Retrying { reason },
    }
}

/// FNV-1a: the same lane for a device in every process, which the hasher of the standard library does not promise.
fn lane_of(device: &str, lanes: usize) -> usize {
    let hash = device
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    usize::try_from(hash % lanes.max(1) as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
