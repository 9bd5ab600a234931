//! The thread that writes snapshots: it works out rows, compresses them, and puts them into one open transaction.
//!
//! Leaves to `stage` what is written when, and to `checkpoint` the file. [`Saver`] is one step without waiting; the thread around it
//! waits. Keeps: a snapshot that something went wrong with is given up whole and told once; what comes for it afterwards is
//! dropped; the file is closed when the handle is gone. How many bytes may wait is `daemon::snapshot`'s to say.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::Notify;

use super::recover;
use super::stage::Place;
use crate::checkpoint;
use crate::checkpoint::Checkpoints;
use crate::detect::panic_text;
use crate::pipeline::RowMaker;
use crate::pipeline::TakenRow;

/// Orders that wait; the bytes of their rows are limited long before. When there are more, the path waits: this thread waits for
/// nobody, so it gets on.
const ORDER_LIMIT: usize = 4_096;
/// Name of the thread.
const SAVER: &str = "saver";

/// What is to be done for a snapshot, in this order.
#[derive(Debug)]
pub(super) enum Order {
    /// One begins; whatever was begun before comes to nothing.
    Begin,
    /// Rows of it.
    Rows(Vec<TakenRow>),
    /// That was all of them; they hold for this place.
    Commit(Place),
}

/// What became of orders since it was asked last.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Rows of so many bytes were written.
    pub(super) absorbed: usize,
    /// The snapshot is on the disk, or came to nothing.
    pub(super) outcome: Option<anyhow::Result<()>>,
}

/// Where snapshots are written.
pub(super) trait StateFile {
    /// A snapshot begins.
    fn begin(&mut self) -> anyhow::Result<()>;
    /// Rows of it.
    fn put(
        &mut self,
        changed: &[checkpoint::Row],
        removed: &[(checkpoint::Part, String)],
    ) -> anyhow::Result<()>;
    /// It is whole.
    fn commit(&mut self, place: Place) -> anyhow::Result<()>;
    /// It comes to nothing.
    fn roll_back(&mut self);
}

impl StateFile for Checkpoints {
    fn begin(&mut self) -> anyhow::Result<()> {
        Ok(Self::begin(self)?)
    }

    fn put(
        &mut self,
        changed: &[checkpoint::Row],
        removed: &[(checkpoint::Part, String)],
    ) -> anyhow::Result<()> {
        Ok(Self::put(self, changed, removed)?)
    }

    fn commit(&mut self, place: Place) -> anyhow::Result<()> {
        Ok(Self::commit(self, place.position, place.received_at)?)
    }

    fn roll_back(&mut self) {
        Self::roll_back(self);
    }
}

/// Writes one snapshot after the other.
#[derive(Debug, Default)]
pub(super) struct Saver {
    is_open: bool,
    maker: RowMaker,
}

impl Saver {
    /// Does what is ordered.
    pub(super) fn take(&mut self, order: Order, file: &mut impl StateFile) -> Progress {
        if !self.is_open && !matches!(order, Order::Begin) {
            // It was given up, and that was told.
            return Progress::default();
        }
        // A fault of our own in the making of one row must not end the thread: nothing would be saved any more.
        let done = catch_unwind(AssertUnwindSafe(|| self.perform(order, file)));
        let done = done.unwrap_or_else(|panic| {
            self.maker = RowMaker::default();
            Err(anyhow::anyhow!(
                "a row could not be made: {}",
                panic_text(panic.as_ref())
            ))
        });
        done.unwrap_or_else(|error| {
            self.is_open = false;
            file.roll_back();
            let outcome = Some(Err(error));
            Progress {
                outcome,
                ..Progress::default()
            }
        })
    }

    fn perform(&mut self, order: Order, file: &mut impl StateFile) -> anyhow::Result<Progress> {
        let mut progress = Progress::default();
        match order {
            Order::Begin => {
                file.begin()?;
                self.is_open = true;
            }
            Order::Rows(rows) => {
                progress.absorbed = rows.iter().map(TakenRow::size).sum();
                let rows = rows.into_iter();
                let rows: Option<_> = rows.map(|row| row.into_row(&mut self.maker)).collect();
                let rows = rows.context("there is no memory to make a row")?;
                let (changed, removed) = recover::in_file(rows);
                file.put(&changed, &removed)?;
            }
            Order::Commit(place) => {
                file.commit(place)?;
                self.is_open = false;
                progress.outcome = Some(Ok(()));
            }
        }
        Ok(progress)
    }
}

/// The thread, as the worker sees it.
pub(super) struct SaverThread {
    /// `None` when it is to end.
    orders: Option<mpsc::SyncSender<Order>>,
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    progress: Mutex<Progress>,
    news: Notify,
}

impl Told {
    fn tell(&self, news: Progress) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.absorbed += news.absorbed;
        progress.outcome = news.outcome.or_else(|| progress.outcome.take());
        drop(progress);
        self.news.notify_one();
    }
}

impl SaverThread {
    /// A thread that writes to this file.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(mut checkpoints: Checkpoints) -> anyhow::Result<Self> {
        let (orders, ordered) = mpsc::sync_channel(ORDER_LIMIT);
        let told = Arc::<Told>::default();
        let teller = Arc::clone(&told);
        let thread = std::thread::Builder::new()
            .name(SAVER.to_owned())
            .spawn(move || {
                let mut saver = Saver::default();
                while let Ok(order) = ordered.recv() {
                    teller.tell(saver.take(order, &mut checkpoints));
                }
                checkpoints.roll_back();
            })
            .context("no thread for saving the state")?;
        Ok(Self {
            orders: Some(orders),
            told,
            thread: Some(thread),
        })
    }

    /// Orders it to do something; what comes of it, [`Self::progress`] says.
    pub(super) fn order(&self, order: Order) {
        let sent = self.orders.as_ref().map(|orders| orders.send(order));
        if !matches!(sent, Some(Ok(()))) {
            let gone = anyhow::anyhow!("the thread that saves the state is gone");
            self.told.tell(Progress {
                absorbed: 0,
                outcome: Some(Err(gone)),
            });
        }
    }

    /// What became of orders since it was asked last.
    pub(super) fn progress(&self) -> Progress {
        let told = &self.told.progress;
        std::mem::take(&mut told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something to ask for. Nothing is missed when this is not waited for to its end.
    pub(super) async fn news(&self) {
        self.told.news.notified().await;
    }
}

impl Drop for SaverThread {
    fn drop(&mut self) {
        // Without orders it ends; what it does just now it does to its end.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pipeline::Pipeline;
    use crate::telemetry::Position;
    use crate::telemetry::Timestamp;

    /// However slow the machine is.
    const LIMIT: Duration = Duration::from_mins(2);

    fn place(position: u64) -> Place {
        Place {
            position: Position(position),
            received_at: Timestamp::from_ms(0),
        }
    }

    async fn outcome(saver: &SaverThread) -> anyhow::Result<()> {
        let ended = async {
            loop {
                let progress = saver.progress();
                if let Some(outcome) = progress.outcome {
                    return outcome;
                }
                saver.news().await;
            }
        };
        let in_time = tokio::time::timeout(LIMIT, ended).await;
        in_time.expect("something becomes of it")
    }

    fn position(state: &std::path::Path) -> Option<Position> {
        // Only to read: an owner writes when it opens, and would wait for the snapshot that is begun.
        let loaded = Checkpoints::open_to_read(state).unwrap().load().unwrap();
        loaded.map(|loaded| loaded.position)
    }

    #[tokio::test]
    async fn a_snapshot_is_on_the_disk_when_that_is_told_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let saver = SaverThread::start(Checkpoints::open(&state, "journal").unwrap()).unwrap();
        let rows = || Order::Rows(Pipeline::new().begin_snapshot());
        for order in [Order::Begin, rows(), Order::Commit(place(7))] {
            assert_eq!(position(&state), None);
            saver.order(order);
        }
        outcome(&saver).await.unwrap();
        assert_eq!(position(&state), Some(Position(7)));
        saver.order(Order::Begin);
        saver.order(rows());
        drop(saver);
        assert_eq!(position(&state), Some(Position(7)), "never committed");
    }

    #[tokio::test]
    async fn what_the_disk_refused_is_told_once_and_the_next_snapshot_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let saver = SaverThread::start(Checkpoints::open(&state, "journal").unwrap()).unwrap();
        let rows = || Order::Rows(Pipeline::new().begin_snapshot());
        let elsewhere = rusqlite::Connection::open(&state).unwrap();
        let rename = |sql: &str| elsewhere.execute_batch(sql).unwrap();
        rename("ALTER TABLE rows RENAME TO hidden");
        for order in [Order::Begin, rows(), rows(), Order::Commit(place(7))] {
            saver.order(order);
        }
        let error = outcome(&saver).await.expect_err("there is no table");
        assert!(format!("{error:#}").contains("rows"), "{error:#}");
        rename("ALTER TABLE hidden RENAME TO rows");
        for order in [Order::Begin, rows(), Order::Commit(place(8))] {
            saver.order(order);
        }
        outcome(&saver).await.unwrap();
        assert_eq!(position(&state), Some(Position(8)));
    }
}
