//! The thread that owns the pipeline: journal in, store out.
//!
//! What is done next is [`Stage`]'s word: entries are read and stepped, the effects of a batch committed with their position in one
//! transaction of the store, a snapshot of the state taken every so often, in slices between batches, and handed to the thread that
//! writes it. Here it is done, and what a task waits for is waited for. It also answers questions about devices, and asks the journal for a tick when something falls due without a record. At
//! start it replays the journal from the newest snapshot; the store drops what it already has.

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
use super::handover::Giver;
use super::saver::Order;
use super::saver::SaverThread;
use super::shared::Known;
use super::shared::Question;
use super::shared::Shared;
use super::snapshot::Limits;
use super::snapshot::SNAPSHOT_EVERY_MS;
use super::stage::Place;
use super::stage::Stage;
use super::stage::Task;
use super::stage_times::Pauses;
use super::stage_times::Stopwatch;
use crate::checkpoint::Checkpoints;
use crate::journal::Journal;
use crate::pipeline::Answer;
use crate::pipeline::Pipeline;
use crate::pipeline::TakenRow;
use crate::store::Batch;
use crate::store::Store;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::SECOND_MS;

/// Bytes of one batch at most.
const BATCH_BYTES: usize = 4 << 20;
/// Name of the saved state's trouble.
const STATE: &str = "state";
/// Pause before the store is tried again after an error that may pass.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Answers to actions are kept for those who ask later; the oldest go when there are more.
const ANSWERS_KEPT: usize = 1_024;
/// Devices whose faults are told at once: some milliseconds, during which the pipeline waits.
pub(super) const STANDINGS_LIMIT: usize = 100;
/// Shortest wait between two looks at the clock, so that a tick on its way is not asked for again and again.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);

/// The worker shows a sign of life this often when nothing happens, so that the watchdog can tell waiting from hanging.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Owner of the pipeline.
pub(super) struct Worker {
    stage: Stage,
    parts: Parts,
    saver: SaverThread,
    /// Of the snapshot under way.
    pauses: Pauses,
    /// A tick is on its way to the journal.
    tick_under_way: Arc<AtomicBool>,
    answers: BTreeMap<Position, Answer>,
    waiting: BTreeMap<Position, oneshot::Sender<Option<Answer>>>,
}

/// What the worker works with.
pub(super) struct Parts {
    pub(super) journal: Journal,
    pub(super) store: Store,
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
    /// A worker that goes on from a restored pipeline, saves it to `checkpoints`, and hands over what it decodes when someone wants
    /// it.
    ///
    /// # Errors
    /// When the system gives no thread to save on.
    pub(super) fn new(
        pipeline: Pipeline,
        checkpoints: Checkpoints,
        giver: Giver,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let (store, now) = (parts.store.position(), clock::monotonic_ms());
        Ok(Self {
            stage: Stage::new(pipeline, store, giver, Limits::default(), now),
            saver: SaverThread::start(checkpoints)?,
            pauses: Pauses::default(),
            tick_under_way: Arc::default(),
            answers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            parts,
        })
    }

    /// Works until it is told to end; the state is then saved as far as it came.
    ///
    /// # Errors
    /// When the journal cannot be read, or the store holds two open tickets for one fault: both mean that going on would do harm.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut durable = self.parts.journal.durable();
        loop {
            self.parts.shared.worker_is_alive();
            self.hear_saver();
            // The order before the journal's end: what was durable when it was given is done.
            let orders = *self.parts.orders.borrow();
            let last = *durable.borrow_and_update();
            // Whoever has to leave does what is begun, and reads no more.
            let end = if orders == Orders::Leave {
                Position(0)
            } else {
                last
            };
            let task = self.stage.task(clock::monotonic_ms(), end);
            let awaits = task == Task::Await;
            if task != Task::Rest && !awaits {
                self.perform(task).await?;
                // A batch without effects waits for nothing; who shares the task hears of it all the same.
                tokio::task::yield_now().await;
                continue;
            }
            if orders != Orders::Work && !awaits {
                break;
            }
            if !awaits {
                self.tick_if_due();
            }
            let look = self.until_next_look();
            let question = tokio::select! {
                changed = durable.changed(), if !awaits => {
                    changed.context("the journal's writer is gone")?;
                    None
                }
                () = self.saver.news() => None,
                question = self.parts.questions.recv() => question,
                _ = self.parts.orders.changed() => None,
                () = tokio::time::sleep(look) => None,
            };
            if let Some(question) = question {
                self.answer(question);
            }
        }
        // The one under way, and one of all that was done.
        self.finish_snapshot().await?;
        self.stage.want_snapshot(clock::monotonic_ms());
        self.finish_snapshot().await?;
        anyhow::ensure!(
            self.stage.is_saved(),
            "the state could not be saved; the next start works through the journal from position {} on",
            self.stage.snapshot_position().next()
        );
        Ok(())
    }

    /// Reads nothing more until no snapshot is under way.
    async fn finish_snapshot(&mut self) -> anyhow::Result<()> {
        while self.stage.is_saving() {
            self.parts.shared.worker_is_alive();
            match self.stage.task(clock::monotonic_ms(), Position(0)) {
                Task::Rest | Task::Await => {
                    let news = self.saver.news();
                    // In time for a sign of life.
                    drop(tokio::time::timeout(SIGN_OF_LIFE, news).await);
                }
                task => self.perform(task).await?,
            }
            self.hear_saver();
        }
        Ok(())
    }

    /// Does one thing that the stage wants done.
    async fn perform(&mut self, task: Task) -> anyhow::Result<()> {
        match task {
            Task::Read { from, entries } => self.read(from, entries)?,
            Task::Commit(place) => self.commit(place).await?,
            Task::Tell(position) => {
                self.tell(position);
                self.answer_all();
            }
            Task::CommitPlace(place) => self.commit_place(place).await?,
            Task::Begin(place) => {
                self.pauses = Pauses::default();
                self.saver.order(Order::Begin);
                self.hand_over(|stage| stage.begin(place));
            }
            Task::Take(rows) => {
                self.hand_over(|stage| stage.take(rows));
                self.answer_all();
            }
            Task::Close(place) => {
                self.saver.order(Order::Commit(place));
                self.stage.closed(place);
            }
            Task::Base(position) => {
                let noted = self.parts.journal.set_base(position);
                self.told_of_state(noted.context("how far the saved state is cannot be written"));
                self.stage.based();
            }
            Task::Rest | Task::Await => {}
        }
        Ok(())
    }

    /// Hands rows of the snapshot to the thread that writes them. The pipeline waits while they are taken.
    fn hand_over(&mut self, take: impl FnOnce(&mut Stage) -> Vec<TakenRow>) {
        let pause = Stopwatch::begin();
        let rows = take(&mut self.stage);
        self.pauses.add(pause, &self.parts.shared.metrics.stages);
        if !rows.is_empty() {
            self.saver.order(Order::Rows(rows));
        }
    }

    /// Takes note of what was written. When the disk refuses a snapshot, it is tried again: the journal has everything, so nothing
    /// is lost and tickets go on.
    fn hear_saver(&mut self) {
        let progress = self.saver.progress();
        self.stage.absorbed(progress.absorbed);
        let Some(outcome) = progress.outcome else {
            return;
        };
        let now = clock::monotonic_ms();
        if outcome.is_ok() {
            self.stage.saved(now);
        } else {
            self.stage.not_saved(now);
        }
        self.pauses.end(&self.parts.shared.metrics.stages);
        self.told_of_state(outcome.context("the state cannot be saved"));
    }

    fn told_of_state(&self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => self.parts.shared.well(STATE),
            Err(error) => {
                self.parts.shared.trouble(
                    STATE,
                    "the disk refuses it; tried again, and after a crash the journal has everything",
                );
                tracing::error!(
                    "{error:#}; tried again in {} s",
                    SNAPSHOT_EVERY_MS / SECOND_MS
                );
            }
        }
    }

    /// Reads and steps one batch.
    fn read(&mut self, from: Position, limit: usize) -> anyhow::Result<()> {
        let entries = self
            .parts
            .journal
            .read(from, limit, BATCH_BYTES)
            .context("cannot read the journal")?;
        anyhow::ensure!(
            !entries.is_empty(),
            "the journal says that more is durable and gives nothing from {from} on"
        );
        let stepping = Stopwatch::begin();
        self.stage.step(&entries, clock::monotonic_ms());
        stepping.note(&self.parts.shared.metrics.stages.pipeline);
        Ok(())
    }

    /// Tells everyone who wants to know what a committed batch brought.
    fn tell(&mut self, position: Position) {
        let mut effects = self.stage.told(clock::monotonic_ms());
        for alert in &effects.alerts {
            tracing::error!("{alert}");
        }
        if !self.stage.is_replay(position) {
            self.parts.shared.metrics.count(&effects);
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
        shared
            .metrics
            .open_devices(self.stage.pipeline().open_devices());
        shared.set_profiles(self.stage.pipeline().profiles());
        shared.set_processed(position);
    }

    /// One transaction: effects and position.
    async fn commit(&mut self, place: Place) -> anyhow::Result<()> {
        let now = clock::monotonic_ms();
        let batch = StoreBatch::of(self.stage.effects());
        apply(&self.parts, batch.at(place.position, place.received_at)).await?;
        self.stage.committed(place, now);
        Ok(())
    }

    /// One transaction: the position alone.
    async fn commit_place(&mut self, place: Place) -> anyhow::Result<()> {
        let now = clock::monotonic_ms();
        let batch = Batch {
            position: place.position,
            received_at: place.received_at,
            ..Batch::default()
        };
        apply(&self.parts, batch).await?;
        self.stage.committed(place, now);
        Ok(())
    }

    /// Asks the journal for a tick when something is due, or a minute went by.
    fn tick_if_due(&mut self) {
        let is_due = self.stage.until_tick(clock::monotonic_ms()) <= 0;
        if !is_due || self.tick_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let under_way = Arc::clone(&self.tick_under_way);
        let done = Box::new(move |_| under_way.store(false, Ordering::Release));
        // A full journal takes no tick; whatever is due then fires with the next record that fits.
        if let Err(error) = self.parts.journal.append(vec![Record::Tick], done) {
            tracing::debug!(error = %error, "no tick could be written");
        }
    }

    fn until_next_look(&mut self) -> Duration {
        let wait = self.stage.until_tick(clock::monotonic_ms());
        Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(SHORTEST_LOOK, SIGN_OF_LIFE)
    }

    /// Answers what is asked by now.
    fn answer_all(&mut self) {
        while let Ok(question) = self.parts.questions.try_recv() {
            self.answer(question);
        }
    }

    fn answer(&mut self, question: Question) {
        // Whoever asked may have given up; then nobody is to be told.
        match question {
            Question::Device { device, reply } => {
                let known = self.stage.pipeline().device(&device).map(|view| {
                    Box::new(Known {
                        view,
                        decoding: self.stage.pipeline().decoding(&device).unwrap_or_default(),
                    })
                });
                drop(reply.send(known));
            }
            Question::Unwritten { devices, reply } => {
                let heard = devices
                    .iter()
                    .map(|device| self.stage.pipeline().presence(device).cloned())
                    .collect();
                drop(reply.send(heard));
            }
            Question::Standings {
                model,
                after,
                reply,
            } => {
                let found =
                    self.stage
                        .pipeline()
                        .standings(&model, after.as_ref(), STANDINGS_LIMIT);
                drop(reply.send(found));
            }
            Question::Answer { position, reply }
                if self.stage.pipeline().position() >= position =>
            {
                drop(reply.send(self.answers.remove(&position)));
            }
            Question::Answer { position, reply } => {
                self.waiting.insert(position, reply);
            }
        }
    }
}

/// Tried until it works, because nothing may be lost and nothing may overtake it.
async fn apply(parts: &Parts, batch: Batch<'_>) -> anyhow::Result<()> {
    loop {
        let committing = Stopwatch::begin();
        match parts.store.apply(batch).await {
            Ok(_) => {
                committing.note(&parts.shared.metrics.stages.store_commit);
                break;
            }
            Err(error) if !error.is_retryable() => {
                return Err(error).context(
                    "the store and the decisions disagree; stopped so that nothing worse happens",
                );
            }
            Err(error) => {
                parts.shared.trouble("store", &error.to_string());
                tracing::error!(error = %error, "the store cannot be written; trying again");
                // It waits, and it lives: a restart would not mend a full disk.
                parts.shared.worker_is_alive();
                anyhow::ensure!(
                    *parts.orders.borrow() != Orders::Leave,
                    "the store cannot be written: {error}; the journal has what is left"
                );
                tokio::time::sleep(STORE_RETRY).await;
            }
        }
    }
    parts.shared.well("store");
    Ok(())
}
