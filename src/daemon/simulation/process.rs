//! One life of the daemon: the stages on one thread, each doing one thing when it is told to.
//!
//! Only what waits and what is beyond is replaced; every decision is the daemon's own: the journal's writer, the stage of the
//! worker, the feed and the writer of the series, the clerks of intake. An error that ends the daemon ends this.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use anyhow::Context as _;

use super::judge;
use super::neighbours::Neighbours;
use super::series::ModelPause;
use super::series::ModelSeries;
use crate::daemon::announce::announcement;
use crate::daemon::brokers::sink;
use crate::daemon::effects::StoreBatch;
use crate::daemon::effects::point_of;
use crate::daemon::feed;
use crate::daemon::feed::Feed;
use crate::daemon::feed::OutboxTask;
use crate::daemon::handover::handover;
use crate::daemon::recover;
use crate::daemon::saver::Order;
use crate::daemon::saver::Progress;
use crate::daemon::saver::Saver;
use crate::daemon::series::CONSUMER;
use crate::daemon::series::OUTBOX_LEASE_MS;
use crate::daemon::series::OUTBOX_LIMIT;
use crate::daemon::stage;
use crate::daemon::stage::Stage;
use crate::daemon::stage_times::Stages;
use crate::daemon::understanding::Understanding;
use crate::intake::simulated::BrokerLine;
use crate::intake::simulated::Line;
use crate::intake::simulated::ListenerLine;
use crate::journal::AppendError;
use crate::journal::Clock as _;
use crate::journal::Journal;
use crate::journal::simulated::SteppedJournal;
use crate::series::WriteReport;
use crate::series::Writer;
use crate::series::WriterOptions;
use crate::store::Batch;
use crate::store::StoreError;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;

/// What a person adds to a byte budget that leaves no room for a start.
const MORE_BYTES: u64 = 4_000;
/// Steps of a stop; it has 20 seconds.
const STOP_STEPS: usize = 200;

/// What the journal answered to records of ours, and where they are.
pub(super) type Placed = Arc<Mutex<Vec<(Position, Vec<Record>)>>>;

type Writing = Pin<Box<dyn Future<Output = WriteReport>>>;

/// The daemon while it runs.
pub(super) struct Process {
    journal: SteppedJournal,
    /// The disk refused: the journal's thread waits until then.
    journal_waits_until: i64,
    stage: Stage,
    /// What the thread that saves is to do, and what it did.
    orders: VecDeque<Order>,
    saver: Saver,
    progress: Progress,
    feed: Feed,
    writer: Arc<Writer<ModelSeries, ModelPause>>,
    /// What the series consumer waits for.
    writing: Option<(Points, Writing)>,
    pub(super) lines: [Box<dyn Line>; 2],
    announced: Arc<AtomicBool>,
    is_ticking: Arc<AtomicBool>,
    placed: Placed,
}

/// Where points come from.
enum Points {
    Journal(Position),
    Outbox(Vec<i64>),
}

impl Process {
    /// Starts as the daemon does.
    pub(super) fn start(around: &mut Neighbours) -> anyhow::Result<Self> {
        let now = around.clock.monotonic_ms();
        let journal = SteppedJournal::open(&around.disk, around.options())?;
        let handle = journal.handle();
        around.look_at(handle)?;
        around.state.crash();
        let pipeline = recover::resume(
            around.state.load(),
            Path::new("state"),
            handle.first(),
            around.store.position(),
        );
        // What the message says to do.
        let pipeline = pipeline.inspect_err(|_| around.state.lose())?;
        let records = announcement(handle, &pipeline, Neighbours::world())?;
        judge::series_state(around);
        let saved = around.series_state.load();
        let saved = saved.map(Understanding::restored).transpose();
        let before = Position(handle.first().0.saturating_sub(1));
        let (giver, taker) = handover(around.room());
        let feed = Feed::new(saved?, before, taker, now);
        handle.set_cursor(CONSUMER, feed.position())?;
        around.store.release_outbox(around.clock.wall());
        let options = WriterOptions {
            lanes: 1,
            ..WriterOptions::default()
        };
        let pause = ModelPause(around.clock.clone());
        let writer = Writer::with_pause(around.series.clone(), options, pause);
        let process = Self {
            stage: Stage::new(
                pipeline,
                around.store.position(),
                giver,
                around.limits(),
                now,
            ),
            orders: VecDeque::new(),
            saver: Saver::default(),
            progress: Progress::default(),
            feed,
            writer: Arc::new(writer),
            writing: None,
            lines: [
                Box::new(BrokerLine::new(sink(handle, &Stages::default()))),
                Box::new(ListenerLine::new(sink(handle, &Stages::default()))),
            ],
            announced: Arc::default(),
            is_ticking: Arc::default(),
            placed: Arc::clone(&around.placed),
            journal_waits_until: 0,
            journal,
        };
        let announced = Arc::clone(&process.announced);
        let appended = process.append(records, move |is_durable| {
            announced.store(is_durable, Ordering::Release);
        });
        // What the message says to do.
        appended.inspect_err(|_| around.max_bytes += MORE_BYTES)?;
        Ok(process)
    }

    /// Devices are let in only once the start is journalled.
    pub(super) fn is_up(&self) -> bool {
        self.announced.load(Ordering::Acquire)
    }

    /// Appends records, and notes where they came to lie.
    ///
    /// # Errors
    /// When the journal refused them at once, of which `told` was told.
    pub(super) fn append(
        &self,
        records: Vec<Record>,
        told: impl FnOnce(bool) + Send + 'static,
    ) -> Result<(), AppendError> {
        let placed = Arc::clone(&self.placed);
        let noted = records.clone();
        let done = Box::new(move |result: Result<Position, _>| {
            told(result.is_ok());
            if let Ok(position) = result {
                let mut placed = placed.lock().expect("nothing panics while it is held");
                placed.push((position, noted));
            }
        });
        self.journal.handle().append(records, done)
    }

    /// The journal's thread.
    pub(super) fn journal_step(&mut self, around: &Neighbours) {
        if around.clock.monotonic_ms() < self.journal_waits_until {
            return;
        }
        if let Err(pause) = self.journal.step() {
            let pause = i64::try_from(pause.as_millis()).expect("some seconds");
            self.journal_waits_until = around.clock.monotonic_ms() + pause;
        }
    }

    /// The worker's thread does one thing. True when it rests.
    pub(super) fn worker_step(&mut self, around: &mut Neighbours) -> anyhow::Result<bool> {
        self.hear_saver(around);
        let last = *self.journal.handle().durable().borrow();
        let task = self.stage.task(around.clock.monotonic_ms(), last);
        self.work(task, around)?;
        Ok(task == stage::Task::Rest && !self.stage.is_saving())
    }

    fn hear_saver(&mut self, around: &Neighbours) {
        let now = around.clock.monotonic_ms();
        let Progress { absorbed, outcome } = std::mem::take(&mut self.progress);
        self.stage.absorbed(absorbed);
        match outcome {
            Some(Ok(())) => self.stage.saved(now),
            Some(Err(_)) => self.stage.not_saved(now),
            None => {}
        }
    }

    /// The thread that saves does one thing.
    pub(super) fn saver_step(&mut self, around: &mut Neighbours) {
        let Some(order) = self.orders.pop_front() else {
            return;
        };
        let news = self.saver.take(order, &mut around.state);
        self.progress.absorbed += news.absorbed;
        if news.outcome.is_some() {
            around.check_snapshot();
            assert!(self.progress.outcome.is_none(), "two outcomes at once");
            self.progress.outcome = news.outcome;
        }
    }

    fn work(&mut self, task: stage::Task, around: &mut Neighbours) -> anyhow::Result<()> {
        let now = around.clock.monotonic_ms();
        match task {
            stage::Task::Read { from, entries } => {
                let entries = entries.min(around.batch_entries());
                let entries = read(self.journal.handle(), from, entries, around)?;
                self.stage.step(&entries, now);
            }
            stage::Task::Commit(place) => {
                let batch = StoreBatch::of(self.stage.effects());
                let batch = batch.at(place.position, place.received_at);
                if commit(around, batch) {
                    self.stage.committed(place, now);
                }
            }
            stage::Task::Tell(position) => {
                let effects = self.stage.told(now);
                around.told(position, &effects);
            }
            stage::Task::CommitPlace(place) => {
                let batch = Batch {
                    position: place.position,
                    received_at: place.received_at,
                    ..Batch::default()
                };
                if commit(around, batch) {
                    self.stage.committed(place, now);
                }
            }
            stage::Task::Begin(place) => {
                self.orders.push_back(Order::Begin);
                self.orders.push_back(Order::Rows(self.stage.begin(place)));
            }
            stage::Task::Take(rows) => {
                let rows = self.stage.take(rows);
                self.orders.push_back(Order::Rows(rows));
            }
            stage::Task::Close(place) => {
                self.orders.push_back(Order::Commit(place));
                self.stage.closed(place);
            }
            stage::Task::Base(position) => {
                assert!(
                    around.state.position() >= Some(position),
                    "a base without a snapshot"
                );
                // What is refused, the next snapshot tells.
                self.journal.handle().set_base(position).ok();
                self.stage.based();
            }
            stage::Task::Rest | stage::Task::Await => {}
        }
        Ok(())
    }

    /// The worker asks for a tick when one is due.
    pub(super) fn tick_if_due(&mut self, around: &Neighbours) {
        let is_due = self.stage.until_tick(around.clock.monotonic_ms()) <= 0;
        if is_due && !self.is_ticking.swap(true, Ordering::AcqRel) {
            let is_ticking = Arc::clone(&self.is_ticking);
            // A full journal takes no tick.
            let told = move |_| is_ticking.store(false, Ordering::Release);
            self.append(vec![Record::Tick], told).ok();
        }
    }

    /// The series consumer does one thing, or waits for the one it does. True when it rests.
    pub(super) fn series_step(&mut self, around: &mut Neighbours) -> anyhow::Result<bool> {
        if self.is_writing() {
            return Ok(false);
        }
        let now = around.clock.monotonic_ms();
        let pipeline = self.stage.pipeline().position();
        let task = self.feed.task(now, self.journal.handle().last(), pipeline);
        self.feed(task, around)?;
        Ok(task == feed::Task::Rest)
    }

    /// The series consumer looks into the outbox.
    pub(super) fn outbox_step(&mut self, around: &mut Neighbours) {
        if self.is_writing() {
            return;
        }
        let now = match self.feed.outbox_task(around.clock.wall()) {
            OutboxTask::Take(now) => now,
            OutboxTask::Forget(ids) => {
                if around.store.outbox_done(ids).is_ok() {
                    self.feed.forgotten();
                }
                return;
            }
        };
        let rows = around.store.take_outbox(OUTBOX_LIMIT, now, OUTBOX_LEASE_MS);
        if rows.is_empty() {
            return;
        }
        let points = rows.iter().filter_map(|(_, row)| point_of(row)).collect();
        let ids = rows.iter().map(|(id, _)| *id).collect();
        self.write(Points::Outbox(ids), points);
        self.is_writing();
    }

    fn feed(&mut self, task: feed::Task, around: &mut Neighbours) -> anyhow::Result<()> {
        let now = around.clock.monotonic_ms();
        match task {
            feed::Task::Read { from, entries } => {
                let entries = entries.min(around.batch_entries());
                let entries = read(self.journal.handle(), from, entries, around)?;
                self.feed.gather(entries, now);
            }
            feed::Task::Write => {
                if let Some(batch) = self.feed.drain() {
                    self.write(Points::Journal(batch.through), batch.points);
                }
            }
            feed::Task::Take => self.feed.take(now),
            feed::Task::Save(place) => {
                let (position, received_at) = (place.position, place.received_at);
                assert!(
                    position <= self.feed.position(),
                    "the cursor passes points that are not written"
                );
                let (changed, removed) = self.feed.rows();
                let file = &mut around.series_state;
                let saved = file.write(position, received_at, &changed, &removed);
                judge::series_state(around);
                let journal = self.journal.handle();
                let noted = saved.and_then(|()| Ok(journal.set_cursor(CONSUMER, position)?));
                if noted.is_ok() {
                    self.feed.saved(position);
                }
                self.feed.tried_to_save(now, now);
            }
            feed::Task::Restore => {
                let saved = around.series_state.load();
                let saved = saved.map(Understanding::restored).transpose()?;
                self.feed.restored(saved);
            }
            feed::Task::Rest => {}
        }
        Ok(())
    }

    fn write(&mut self, from: Points, points: Vec<crate::telemetry::Point>) {
        let writer = Arc::clone(&self.writer);
        let writing = Box::pin(async move { writer.write(points).await });
        self.writing = Some((from, writing));
    }

    /// Looks whether the write that is under way is done.
    fn is_writing(&mut self) -> bool {
        let Some((_, writing)) = &mut self.writing else {
            return false;
        };
        let poll = writing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(report) = poll else {
            return true;
        };
        assert!(
            report.refused.is_empty(),
            "points were given up: {report:?}"
        );
        match self.writing.take() {
            Some((Points::Journal(through), _)) => self.feed.written(through),
            Some((Points::Outbox(ids), _)) => self.feed.delivered(ids),
            None => {}
        }
        false
    }

    /// Stops as the daemon does; what takes too long is left to the next start.
    pub(super) fn stop(mut self, around: &mut Neighbours) -> anyhow::Result<()> {
        let mut steps = 0..STOP_STEPS;
        let mut more = || steps.next().is_some();
        while more() && !self.worker_step(around)? {
            self.saver_step(around);
        }
        let now = around.clock.monotonic_ms();
        self.stage.want_snapshot(now);
        while self.stage.is_saving() && more() {
            let task = self.stage.task(around.clock.monotonic_ms(), Position(0));
            self.work(task, around)?;
            self.saver_step(around);
            self.hear_saver(around);
        }
        while more() {
            if self.is_writing() {
                continue;
            }
            let now = around.clock.monotonic_ms();
            match self.feed.last_task(now, self.journal.handle().last()) {
                feed::Task::Rest => break,
                task => {
                    self.feed(task, around)?;
                    // Saved, or refused by the disk.
                    if matches!(task, feed::Task::Save(_)) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing is under way anywhere.
    pub(super) fn is_idle(&self) -> bool {
        let stats = self.journal.handle().stats();
        let lines = self.lines.iter().all(|line| line.is_settled());
        let feed = self.feed.position() == self.journal.handle().last();
        lines && feed && stats.queued_records == 0 && !stats.failing && self.writing.is_none()
    }

    pub(super) fn journal(&self) -> &Journal {
        self.journal.handle()
    }
}

fn read(
    journal: &Journal,
    from: Position,
    entries: usize,
    around: &mut Neighbours,
) -> anyhow::Result<Vec<Entry>> {
    let entries = journal
        .read(from, entries, usize::MAX)
        .context("cannot read the journal")?;
    anyhow::ensure!(!entries.is_empty(), "nothing from {from} on");
    around.saw(&entries);
    Ok(entries)
}

/// One transaction. False when it is to be tried again.
fn commit(around: &mut Neighbours, batch: Batch<'_>) -> bool {
    let position = batch.position;
    let result = around.store.apply(batch);
    assert!(
        around.store.position() <= around.disk.durable_end(),
        "the store is ahead of the journal"
    );
    match result {
        Ok(_) => {
            assert!(
                around.store.position() >= position,
                "committed and not there"
            );
            true
        }
        Err(StoreError::Unavailable(_)) => false,
        Err(error) => panic!("the store and the decisions disagree: {error}"),
    }
}
