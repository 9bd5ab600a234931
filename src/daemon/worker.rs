//! The thread that owns the pipeline: journal in, store out.
//!
//! It reads durable entries, steps the pipeline, and commits the effects of a batch with their position in one transaction of the
//! store. It answers questions about devices, asks the journal for a tick when something falls due without a record, and writes a
//! snapshot of the state every so often. At start it replays the journal from the newest snapshot; the store drops what it already
//! has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use super::clock;
use super::effects::StoreBatch;
use super::recover::Unsaved;
use super::shared::Known;
use super::shared::Question;
use super::shared::Shared;
use super::stages::Stopwatch;
use crate::checkpoint::Checkpoints;
use crate::journal::Journal;
use crate::pipeline::Answer;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::store::Store;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Entries of one batch at most: enough to spread a commit over, few enough to answer questions in between.
const BATCH_ENTRIES: usize = 4_096;
/// Bytes of one batch at most.
const BATCH_BYTES: usize = 4 << 20;
/// A tick is written at least this often (DESIGN section 6): it bounds how late a due thing is noticed.
const TICK_EVERY_MS: i64 = MINUTE_MS;
/// Without effects the store's position still moves this often.
const POSITION_EVERY_MS: i64 = SECOND_MS;
/// A snapshot of the state is written this often while records come in.
const SNAPSHOT_EVERY_MS: i64 = 30 * SECOND_MS;
/// Or after this many entries, so that a restart never replays for long.
const SNAPSHOT_EVERY_ENTRIES: u64 = 200_000;
/// Name of the saved state's trouble.
const STATE: &str = "state";
/// Pause before the store is tried again after an error that may pass.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Answers to actions are kept for those who ask later; the oldest go when there are more.
const ANSWERS_KEPT: usize = 1_024;
/// The worker shows a sign of life this often when nothing happens, so that the watchdog can tell waiting from hanging.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// Devices whose faults are told at once: some milliseconds, during which the pipeline waits.
pub(super) const STANDINGS_LIMIT: usize = 100;
/// Shortest wait between two looks at the clock, so that a tick on its way is not asked for again and again.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);

/// Owner of the pipeline.
pub(super) struct Worker {
    pipeline: Pipeline,
    parts: Parts,
    /// Effects up to here were in the store when the process started: a replay of them is not counted again.
    replay_until: Position,
    snapshot_at: i64,
    snapshot_position: Position,
    /// State that the disk refused so far.
    unsaved: Unsaved,
    position_written_at: i64,
    /// When the newest entry was stepped, by the monotonic clock, ms.
    stepped_at: i64,
    /// A tick is on its way to the journal.
    tick_under_way: Arc<AtomicBool>,
    answers: BTreeMap<Position, Answer>,
    waiting: BTreeMap<Position, oneshot::Sender<Option<Answer>>>,
}

/// What the worker works with.
pub(super) struct Parts {
    pub(super) journal: Journal,
    pub(super) store: Store,
    pub(super) checkpoints: Checkpoints,
    pub(super) shared: Arc<Shared>,
    pub(super) questions: mpsc::Receiver<Question>,
    /// When to end.
    pub(super) orders: watch::Receiver<Orders>,
}

/// What the worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orders {
    /// Work.
    Work,
    /// Do what is durable, then end.
    Finish,
    /// End after the batch under way: what is left is durable, and the next start's to replay.
    Leave,
}

impl Worker {
    /// A worker that goes on from a restored pipeline.
    pub(super) fn new(pipeline: Pipeline, parts: Parts) -> Self {
        Self {
            replay_until: parts.store.position(),
            snapshot_at: clock::monotonic_ms(),
            snapshot_position: pipeline.position(),
            unsaved: Unsaved::default(),
            position_written_at: 0,
            stepped_at: clock::monotonic_ms(),
            tick_under_way: Arc::default(),
            answers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            pipeline,
            parts,
        }
    }

    /// Works until it is told to end; the state is then saved as far as it came.
    ///
    /// # Errors
    /// When the journal cannot be read, or the store holds two open tickets for one fault: both mean that going on would do harm.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut durable = self.parts.journal.durable();
        loop {
            self.parts.shared.worker_is_alive();
            // The order before the journal's end: what was durable when it was given is done.
            let orders = *self.parts.orders.borrow();
            let last = *durable.borrow_and_update();
            if orders != Orders::Leave && self.pipeline.position() < last {
                self.batch(last).await?;
                // A batch without effects waits for nothing; who shares the task hears of it all the same.
                tokio::task::yield_now().await;
                continue;
            }
            if orders != Orders::Work {
                break;
            }
            self.tick_if_due();
            let look = self.until_next_look();
            let question = tokio::select! {
                changed = durable.changed() => {
                    changed.context("the journal's writer is gone")?;
                    None
                }
                question = self.parts.questions.recv() => question,
                _ = self.parts.orders.changed() => None,
                () = tokio::time::sleep(look) => None,
            };
            if let Some(question) = question {
                self.answer(question);
            }
        }
        self.snapshot().await?;
        anyhow::ensure!(
            self.unsaved.is_empty(),
            "the state could not be saved; the next start works through the journal from position {} on",
            self.snapshot_position.next()
        );
        Ok(())
    }

    /// Reads, steps and commits one batch.
    async fn batch(&mut self, durable: Position) -> anyhow::Result<()> {
        let from = self.pipeline.position().next();
        // A batch ends where the store stood at the start, so that what was counted before is not counted again.
        let replayed = self
            .replay_until
            .0
            .checked_sub(from.0)
            .map_or(BATCH_ENTRIES as u64, |left| left + 1);
        let limit = usize::try_from(replayed)
            .unwrap_or(BATCH_ENTRIES)
            .min(BATCH_ENTRIES);
        let entries = self
            .parts
            .journal
            .read(from, limit, BATCH_BYTES)
            .context("cannot read the journal")?;
        let stepping = Stopwatch::begin();
        let mut effects = Effects::default();
        for entry in &entries {
            self.pipeline.step(entry, &mut effects);
        }
        stepping.note(&self.parts.shared.metrics.stages.pipeline);
        let Some(last) = entries.last() else {
            anyhow::bail!(
                "the journal says that {durable} is durable and gives nothing from {from} on"
            );
        };
        self.stepped_at = clock::monotonic_ms();
        self.commit(last.position, last.received_at, &effects)
            .await?;
        self.tell(&mut effects, last.position);
        let due = clock::monotonic_ms() - self.snapshot_at >= SNAPSHOT_EVERY_MS;
        let many = last.position.0 - self.snapshot_position.0 >= SNAPSHOT_EVERY_ENTRIES;
        if due || (many && self.unsaved.is_empty()) {
            self.snapshot().await?;
        }
        while let Ok(question) = self.parts.questions.try_recv() {
            self.answer(question);
        }
        Ok(())
    }

    /// Tells everyone who wants to know what a committed batch brought.
    fn tell(&mut self, effects: &mut Effects, position: Position) {
        for alert in &effects.alerts {
            tracing::error!("{alert}");
        }
        if position > self.replay_until {
            self.parts.shared.metrics.count(effects);
            for change in &effects.changes {
                tracing::info!(
                    ticket.id = %change.ticket.id,
                    device.id = %change.ticket.device,
                    fault = %change.ticket.fault,
                    change = change.change.as_str(),
                    "ticket changed"
                );
            }
        }
        for (position, answer) in effects.answers.drain(..) {
            self.answers.insert(position, answer);
            if self.answers.len() > ANSWERS_KEPT {
                self.answers.pop_first();
            }
        }
        let later = self.waiting.split_off(&position.next());
        for (asked, reply) in std::mem::replace(&mut self.waiting, later) {
            // Whoever asked may have given up; then nobody is to be told.
            drop(reply.send(self.answers.remove(&asked)));
        }
        let shared = &self.parts.shared;
        shared.set_profiles(self.pipeline.profiles());
        shared.set_processed(position);
    }

    /// One transaction: effects and position. Tried until it works, because nothing may be lost and nothing may overtake it.
    async fn commit(
        &mut self,
        position: Position,
        received_at: Timestamp,
        effects: &Effects,
    ) -> anyhow::Result<()> {
        let now = clock::monotonic_ms();
        if effects.is_empty() && now - self.position_written_at < POSITION_EVERY_MS {
            return Ok(());
        }
        let batch = StoreBatch::of(effects);
        loop {
            let committing = Stopwatch::begin();
            match self
                .parts
                .store
                .apply(batch.at(position, received_at))
                .await
            {
                Ok(_) => {
                    committing.note(&self.parts.shared.metrics.stages.store_commit);
                    break;
                }
                Err(error) if !error.is_retryable() => {
                    return Err(error).context("the store and the decisions disagree; stopped so that nothing worse happens");
                }
                Err(error) => {
                    self.parts.shared.trouble("store", &error.to_string());
                    tracing::error!(error = %error, "the store cannot be written; trying again");
                    // It waits, and it lives: a restart would not mend a full disk.
                    self.parts.shared.worker_is_alive();
                    anyhow::ensure!(
                        *self.parts.orders.borrow() != Orders::Leave,
                        "the store cannot be written: {error}; the journal has what is left"
                    );
                    tokio::time::sleep(STORE_RETRY).await;
                }
            }
        }
        self.parts.shared.well("store");
        self.position_written_at = now;
        Ok(())
    }

    /// Saves the state as of the pipeline's position. The pipeline waits meanwhile: some milliseconds for thousands of devices.
    /// When the disk refuses it, the next look tries again: the journal has everything, so nothing is lost and tickets go on.
    async fn snapshot(&mut self) -> anyhow::Result<()> {
        self.snapshot_at = clock::monotonic_ms();
        let position = self.pipeline.position();
        let Some(received_at) = self
            .pipeline
            .last_received_at()
            .filter(|_| position != self.snapshot_position)
        else {
            return Ok(());
        };
        // The store's position first: a state that is ahead of it says at the next start that effects are missing.
        self.position_written_at = i64::MIN / 2;
        self.commit(position, received_at, &Effects::default())
            .await?;
        let saving = Stopwatch::begin();
        self.unsaved.take(self.pipeline.take_changed_rows());
        let parts = &self.parts;
        let saved = self
            .unsaved
            .save(&parts.checkpoints, position, received_at)
            .context("the state cannot be saved");
        if saved.is_ok() {
            self.snapshot_position = position;
        }
        let noted = saved.and_then(|()| {
            let noted = parts.journal.set_base(position);
            noted.context("how far the saved state is cannot be written")
        });
        match noted {
            Ok(()) => parts.shared.well(STATE),
            Err(error) => {
                parts.shared.trouble(STATE, "the disk refuses it; tried again, and after a crash the journal has everything");
                tracing::error!(
                    "{error:#}; tried again in {} s",
                    SNAPSHOT_EVERY_MS / SECOND_MS
                );
            }
        }
        saving.note(&self.parts.shared.metrics.stages.checkpoint);
        Ok(())
    }

    /// Asks the journal for a tick when something is due, or a minute went by.
    fn tick_if_due(&mut self) {
        if self.next_tick() > self.journal_now() || self.tick_under_way.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let under_way = Arc::clone(&self.tick_under_way);
        let done = Box::new(move |_| under_way.store(false, Ordering::Release));
        // A full journal takes no tick; whatever is due then fires with the next record that fits.
        if let Err(error) = self.parts.journal.append(vec![Record::Tick], done) {
            tracing::debug!(error = %error, "no tick could be written");
        }
    }

    /// What the journal's time is now: it goes on from the newest record, also when the wall clock was set back.
    fn journal_now(&self) -> Timestamp {
        let since = clock::monotonic_ms() - self.stepped_at;
        self.pipeline
            .last_received_at()
            .map_or_else(clock::wall, |last| last + since)
    }

    fn next_tick(&mut self) -> Timestamp {
        let regular = self
            .pipeline
            .last_received_at()
            .map_or_else(|| self.journal_now(), |last| last + TICK_EVERY_MS);
        self.pipeline
            .next_due()
            .map_or(regular, |due| due.min(regular))
    }

    fn until_next_look(&mut self) -> Duration {
        let wait = self.next_tick().since(self.journal_now());
        Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(SHORTEST_LOOK, SIGN_OF_LIFE)
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have given up; then nobody is to be told.
        match question {
            Question::Device { device, reply } => {
                let known = self.pipeline.device(&device).map(|view| {
                    Box::new(Known {
                        view,
                        decoding: self.pipeline.decoding(&device).unwrap_or_default(),
                    })
                });
                drop(reply.send(known));
            }
            Question::Unwritten { devices, reply } => {
                let heard = devices
                    .iter()
                    .map(|device| self.pipeline.presence(device).cloned())
                    .collect();
                drop(reply.send(heard));
            }
            Question::Standings {
                model,
                after,
                reply,
            } => {
                let found = self
                    .pipeline
                    .standings(&model, after.as_ref(), STANDINGS_LIMIT);
                drop(reply.send(found));
            }
            Question::Answer { position, reply } if self.pipeline.position() >= position => {
                drop(reply.send(self.answers.remove(&position)));
            }
            Question::Answer { position, reply } => {
                self.waiting.insert(position, reply);
            }
        }
    }
}
