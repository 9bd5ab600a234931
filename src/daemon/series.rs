//! The series consumer: journal entries and the store's outbox to the series store, at its own pace.
//!
//! It has its own journal cursor, and decodes for itself unless it keeps up with the pipeline, which then hands over what it has
//! decoded: a series store that is away holds up nothing else and loses no point. State is saved with the cursor, and rewriting a
//! point is harmless. What is done next is [`Feed`]'s word; here it is done, and what a task waits for is waited for. Tickets come
//! first: while the pipeline is behind, it gives way. It runs on a thread of its own, for it reads and writes files.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use super::clock;
use super::effects::point_of;
use super::feed::Feed;
use super::feed::OutboxTask;
use super::feed::Task;
use super::handover::Taker;
use super::metrics::Delivered;
use super::shared::Shared;
use super::stage::Place;
use super::stage_times::Stopwatch;
use super::understanding::Understanding;
use crate::checkpoint::Checkpoints;
use crate::journal::Journal;
use crate::series::Series;
use crate::series::SeriesStatus;
use crate::series::Writer;
use crate::series::WriterOptions;
use crate::store::SERIES_CHANNEL;
use crate::store::Store;
use crate::telemetry::Position;

/// Name of its journal cursor and of its metrics.
pub(super) const CONSUMER: &str = super::shared::SERIES;
/// Name of the trouble with its saved state.
const STATE: &str = "series state";
/// Bytes read at once.
const READ_BYTES: usize = 8 << 20;
/// While the pipeline is more than this many records behind, the series wait: two of its batches.
const GIVE_WAY: u64 = 8_192;
/// The longest wait before the next read all the same, so that a pipeline that is always behind does not stop the series, and with
/// them the journal's retention, for good.
const GIVE_WAY_LIMIT: Duration = Duration::from_secs(5);
/// Points of the outbox written at once.
pub(super) const OUTBOX_LIMIT: usize = 500;
/// How long a taken outbox row is ours before another look may take it again: longer than the longest write attempt.
pub(super) const OUTBOX_LEASE_MS: i64 = 120_000;
/// How long a stop waits for the series store; what it has not taken by then is written after the next start.
const FINISH_LIMIT: Duration = Duration::from_secs(5);
/// How long the consumer waits for more before it writes what it has.
const IDLE: Duration = Duration::from_millis(200);

/// Where points come from and go to.
#[derive(Clone)]
pub(super) struct Stores {
    /// What devices said.
    pub(super) journal: Journal,
    /// Its outbox has derived values and ticket changes.
    pub(super) store: Store,
    /// Where they go.
    pub(super) series: Series,
}

/// How it hangs together with the other parts.
pub(super) struct Links {
    pub(super) shared: Arc<Shared>,
    /// What the worker has decoded.
    pub(super) taker: Taker,
    /// True: write what is left, and end.
    pub(super) shutdown: watch::Receiver<bool>,
}

/// Moves points from journal and outbox to the series store.
pub(super) struct SeriesConsumer {
    journal: Journal,
    store: Store,
    checkpoints: Checkpoints,
    writer: Writer<Series>,
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
    feed: Feed,
}

impl SeriesConsumer {
    /// Goes on from the saved cursor; without one from the journal's beginning.
    ///
    /// # Errors
    /// When the saved state cannot be read.
    pub(super) fn open(
        stores: Stores,
        checkpoints: Checkpoints,
        links: Links,
    ) -> anyhow::Result<Self> {
        let Links {
            shared,
            taker,
            shutdown,
        } = links;
        let Stores {
            journal,
            store,
            series,
        } = stores;
        let saved = Understanding::load(&checkpoints)?;
        let before = Position(journal.first().0.saturating_sub(1));
        let feed = Feed::new(saved, before, taker, clock::monotonic_ms());
        journal.set_cursor(CONSUMER, feed.position())?;
        shared.set_series_written(feed.position());
        let options = WriterOptions {
            lanes: series.lanes(),
            ..WriterOptions::default()
        };
        let writer = Writer::new(series, options);
        Ok(Self {
            journal,
            store,
            checkpoints,
            writer,
            shared,
            shutdown,
            feed,
        })
    }

    /// Works until shutdown, on a thread of its own, for it waits for files; then writes what is left if the store takes it soon, else that is written after the next start.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut shutdown = self.shutdown.clone();
        let status = self.writer.status();
        let given_up = async {
            drop(shutdown.wait_for(|stop| *stop).await);
            // A store that is away already will not be back just now.
            if *status.borrow() == SeriesStatus::Working {
                tokio::time::sleep(FINISH_LIMIT).await;
            }
        };
        // Points whose write is cut off are nowhere but in the journal: then the saved cursor stays where it was.
        tokio::select! {
            result = self.work() => result,
            () = given_up => Ok(()),
        }
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        self.take_over_deliveries().await;
        let mut durable = self.journal.durable();
        while !*self.shutdown.borrow() {
            let last = *durable.borrow_and_update();
            let pipeline = *self.shared.processed().borrow();
            let task = self.feed.task(clock::monotonic_ms(), last, pipeline);
            self.perform(task).await?;
            if task == Task::Rest && self.feed.is_attached() {
                // Points wait for company anyway: only when much has come, or after a pause.
                drop(tokio::time::timeout(IDLE, self.feed.filling()).await);
            } else if task == Task::Rest {
                // A change of the journal or a pause, whichever comes first.
                drop(tokio::time::timeout(IDLE, durable.changed()).await);
            }
            if matches!(task, Task::Rest | Task::Write) {
                self.outbox().await;
            }
        }
        self.finish().await
    }

    /// Nothing new comes in any more: the rest of the journal, and the cursor behind it.
    async fn finish(&mut self) -> anyhow::Result<()> {
        loop {
            let last = self.journal.last();
            let task = self.feed.last_task(clock::monotonic_ms(), last);
            self.perform(task).await?;
            // Saved, or refused by the disk: nothing is waited for any more.
            if matches!(task, Task::Rest | Task::Save(_)) {
                break;
            }
        }
        while self.outbox().await {}
        Ok(())
    }

    /// A process that was killed holds what it had taken for minutes more; nobody else has the directory, so that is ours now. Left
    /// to its lease, it would come behind what is newer.
    async fn take_over_deliveries(&self) {
        let released = self.store.release_outbox(SERIES_CHANNEL, clock::wall());
        if let Err(error) = released.await {
            tracing::warn!(error = %error, "deliveries of the process before this one wait until its lease runs out");
        }
    }

    /// Does one thing that the feed wants done.
    async fn perform(&mut self, task: Task) -> anyhow::Result<()> {
        match task {
            Task::Read { from, entries } => {
                give_way(self.shared.processed(), || self.journal.last()).await;
                let entries = self.journal.read(from, entries, READ_BYTES)?;
                anyhow::ensure!(
                    !entries.is_empty(),
                    "the journal says that more is durable and gives nothing from {from} on"
                );
                self.feed.gather(entries, clock::monotonic_ms());
            }
            Task::Take => {
                give_way(self.shared.processed(), || self.journal.last()).await;
                self.feed.take(clock::monotonic_ms());
            }
            Task::Write => self.write().await,
            Task::Save(place) => self.save(place),
            Task::Restore => {
                let saved = Understanding::load(&self.checkpoints)?;
                self.feed.restored(saved);
                tracing::info!(
                    "the series are behind what the pipeline hands over; they decode for themselves until they have caught up"
                );
            }
            Task::Rest => {}
        }
        let metrics = &self.shared.metrics;
        metrics.series_feed(self.feed.is_attached(), self.feed.take_decoded());
        Ok(())
    }

    /// Saves state and cursor.
    fn save(&mut self, place: Place) {
        let Place {
            position,
            received_at,
        } = place;
        let began = clock::monotonic_ms();
        let (changed, removed) = self.feed.rows();
        let saved = self
            .checkpoints
            .write(position, received_at, &changed, &removed)
            .context("cannot save the series writer's state")
            .and_then(|()| Ok(self.journal.set_cursor(CONSUMER, position)?));
        match saved {
            Ok(()) => {
                self.feed.saved(position);
                self.shared.well(STATE);
            }
            Err(error) => {
                self.shared.trouble(
                    STATE,
                    "the disk refuses it; tried again, and after a crash the journal has everything",
                );
                tracing::error!("{error:#}; tried again");
            }
        }
        self.feed.tried_to_save(began, clock::monotonic_ms());
    }

    /// Writes what is gathered, however long the store is away.
    async fn write(&mut self) {
        if let Some(batch) = self.feed.drain() {
            let writing = Stopwatch::begin();
            let mut report = self.writer.write(batch.points).await;
            writing.note(&self.shared.metrics.stages.series_write);
            report.add(&batch.refused);
            self.shared.metrics.count_points(&report);
            self.feed.written(batch.through);
        }
        self.shared.set_series_written(self.feed.position());
    }

    /// Writes what waits in the outbox: derived values and ticket changes. Tells whether there may be more.
    async fn outbox(&mut self) -> bool {
        let now = match self.feed.outbox_task(clock::wall()) {
            OutboxTask::Take(now) => now,
            OutboxTask::Forget(_) => return self.forget().await,
        };
        let taken = self
            .store
            .take_outbox(SERIES_CHANNEL, OUTBOX_LIMIT, now, OUTBOX_LEASE_MS);
        let rows = match taken.await {
            Ok(rows) if rows.is_empty() => return false,
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(error = %error, "the outbox cannot be read; trying again");
                return false;
            }
        };
        let points = rows
            .iter()
            .filter_map(|row| point_of(&row.payload))
            .collect();
        let report = self.writer.write(points).await;
        self.shared.metrics.count_points(&report);
        let labels = Delivered {
            channel: SERIES_CHANNEL.into(),
            result: "delivered".into(),
        };
        self.shared
            .metrics
            .deliveries
            .get_or_create(&labels)
            .inc_by(rows.len() as u64);
        self.feed.delivered(rows.iter().map(|row| row.id).collect());
        self.forget().await
    }

    /// Marks as done what was delivered. Tells whether that worked.
    async fn forget(&mut self) -> bool {
        let OutboxTask::Forget(ids) = self.feed.outbox_task(clock::wall()) else {
            return true;
        };
        if let Err(error) = self.store.outbox_done(ids).await {
            tracing::warn!(error = %error, "deliveries could not be marked done; trying again");
            return false;
        }
        self.feed.forgotten();
        true
    }

    /// How the series store fares.
    pub(super) fn status(&self) -> watch::Receiver<SeriesStatus> {
        self.writer.status()
    }
}

/// Waits while the pipeline has more to do than a moment's work, but not for ever.
async fn give_way(mut processed: watch::Receiver<Position>, last: impl Fn() -> Position) {
    let near = |done: &Position| last().0.saturating_sub(done.0) <= GIVE_WAY;
    let waited = tokio::time::timeout(GIVE_WAY_LIMIT, processed.wait_for(near)).await;
    if waited.is_err() {
        tracing::debug!("the pipeline is still behind; the series take one batch");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Position = Position(100_000);

    #[tokio::test(start_paused = true)]
    async fn the_series_wait_until_the_pipeline_has_caught_up() {
        let (pipeline, processed) = watch::channel(Position(0));
        let mut waiting = std::pin::pin!(give_way(processed, || LAST));
        let second = Duration::from_secs(1);
        for done in [20_000, 91_807] {
            pipeline.send_replace(Position(done));
            let waited = tokio::time::timeout(second, &mut waiting).await;
            assert!(waited.is_err(), "{done}");
        }
        pipeline.send_replace(Position(91_808));
        let began = tokio::time::Instant::now();
        waiting.await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipeline_that_never_catches_up_does_not_stop_the_series_for_good() {
        let (_pipeline, processed) = watch::channel(Position(0));
        let began = tokio::time::Instant::now();
        give_way(processed, || LAST).await;
        assert_eq!(began.elapsed(), GIVE_WAY_LIMIT);
    }
}
