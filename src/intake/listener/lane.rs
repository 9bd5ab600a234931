//! From the connections to the journal: a byte budget, a thread that may block, and the answer to whoever waits.
//!
//! A connection hands on what one read brought and goes on; the thread gathers what came from all of them into one append, and
//! wakes each owner once that is durable. Invariants: nobody is told of a batch that the journal did not take; batches of one
//! owner reach the journal in their order; while the journal has no room the same batch is tried again, so nothing is lost.

use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::clients::Client;
use super::settings::Limits;
use super::settings::QUEUE;
use super::settings::RECORD_BYTES;
use super::status::ListenerStatus;
use crate::intake::probe::Probe;
use crate::intake::probe::Prober;
use crate::intake::sink::Sink;
use crate::intake::sink::SinkError;
use crate::intake::status::SourceState;
use crate::intake::status::add;
use crate::telemetry::Record;

/// Pieces gathered into one append at most: far more than fit by bytes, unless they are very small.
const GATHERED: usize = 4_096;

/// Records on their way, and whom to tell.
struct Parcel {
    records: Vec<Record>,
    bytes: usize,
    owner: Option<(Arc<Client>, u64)>,
    /// Where its time is taken.
    probe: Option<Probe>,
}

/// The connections' end.
pub(super) struct Lane {
    queue: mpsc::Sender<Parcel>,
    shared: Arc<Shared>,
}

struct Shared {
    budget: Semaphore,
    limits: Limits,
    status: Arc<ListenerStatus>,
    /// Parcels handed on, and parcels whose fate is known.
    given: AtomicU64,
    settled: AtomicU64,
    prober: Prober,
    /// The journal has no room now.
    refusing: Mutex<bool>,
    /// True: nothing is tried again any more.
    giving_up: Mutex<bool>,
    gave_up: Condvar,
}

impl Lane {
    /// Starts the thread. The receiver answers when it has ended, which it does once the lane is dropped and everything was appended.
    pub(super) fn start(
        limits: Limits,
        status: &Arc<ListenerStatus>,
        sink: Arc<dyn Sink>,
    ) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (queue, parcels) = mpsc::channel(QUEUE);
        let clerk = Clerk::new(limits, status, sink);
        let shared = Arc::clone(&clerk.shared);
        let (ended, end) = oneshot::channel();
        thread::Builder::new()
            .name("intake-listener".into())
            .spawn(move || {
                clerk.work(parcels);
                // Nobody waits any more when the stop's deadline has passed.
                ended.send(()).ok();
            })?;
        Ok((Self { queue, shared }, end))
    }

    /// Hands records on; waits while the budget is used up. The owner is told when they are durable, as batch `number`.
    /// False when the thread is gone.
    pub(super) async fn give(
        &self,
        records: Vec<Record>,
        owner: Option<(&Arc<Client>, u64)>,
    ) -> bool {
        let bytes = records.iter().map(size).sum::<usize>();
        let probe = self.shared.prober.begin();
        // One parcel alone may be larger than the budget is made to be.
        let bytes = bytes.min(self.shared.limits.waiting_bytes);
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        match self.shared.budget.acquire_many(wanted).await {
            Ok(permit) => permit.forget(),
            Err(_) => return false,
        }
        self.shared
            .status
            .waiting
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.given.fetch_add(1, Ordering::AcqRel);
        let owner = owner.map(|(client, number)| (Arc::clone(client), number));
        self.queue
            .send(Parcel {
                records,
                bytes,
                owner,
                probe,
            })
            .await
            .is_ok()
    }

    /// Parcels handed on so far, and those whose fate is known.
    pub(super) fn progress(&self) -> (u64, u64) {
        let settled = self.shared.settled.load(Ordering::Acquire);
        (self.shared.given.load(Ordering::Acquire), settled)
    }

    /// The journal has no room now, and is asked again and again.
    pub(super) fn is_refusing(&self) -> bool {
        *lock(&self.shared.refusing)
    }

    /// Nothing is tried again any more: what the journal does not take now is lost, and was never acknowledged.
    pub(super) fn give_up(&self) {
        self.handle().give_up();
    }

    /// The means to give up after the lane was dropped.
    pub(super) fn handle(&self) -> LaneHandle {
        LaneHandle(Arc::clone(&self.shared))
    }
}

/// See [`Lane::handle`].
pub(super) struct LaneHandle(Arc<Shared>);

impl LaneHandle {
    /// See [`Lane::give_up`].
    pub(super) fn give_up(&self) {
        *lock(&self.0.giving_up) = true;
        self.0.gave_up.notify_all();
    }
}

/// What a record costs on its way, in bytes.
pub(super) fn size(record: &Record) -> usize {
    match record {
        Record::Message(message) => message.payload.len() + message.topic.len() + RECORD_BYTES,
        Record::Control(_) | Record::Tick => RECORD_BYTES,
    }
}

/// The thread's side.
pub(super) struct Clerk {
    sink: Arc<dyn Sink>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
    parcels: u64,
    owners: Vec<(Arc<Client>, u64)>,
    probe: Option<Probe>,
}

/// One append, until its fate is known.
pub(super) struct Handed {
    shared: Arc<Shared>,
    bytes: usize,
    parcels: u64,
    owners: Vec<(Arc<Client>, u64)>,
    fate: Mutex<Fate>,
    sink: Arc<dyn Sink>,
    probe: Option<Probe>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// `append` has not returned yet.
    Handing,
    /// Refused before `append` returned: it can be tried again in its place.
    Refused(SinkError),
    /// Others may have been handed on after it: a failure is final.
    Handed,
}

impl Clerk {
    pub(super) fn new(limits: Limits, status: &Arc<ListenerStatus>, sink: Arc<dyn Sink>) -> Self {
        let shared = Arc::new(Shared {
            budget: Semaphore::new(limits.waiting_bytes),
            limits,
            status: Arc::clone(status),
            given: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            prober: Prober::default(),
            refusing: Mutex::new(false),
            giving_up: Mutex::new(false),
            gave_up: Condvar::new(),
        });
        Self { sink, shared }
    }

    fn work(&self, mut parcels: mpsc::Receiver<Parcel>) {
        let mut batch = Batch::default();
        let mut buffer = Vec::new();
        while parcels.blocking_recv_many(&mut buffer, GATHERED) > 0 {
            for parcel in buffer.drain(..) {
                batch.records.extend(parcel.records);
                batch.bytes += parcel.bytes;
                batch.parcels += 1;
                batch.owners.extend(parcel.owner);
                batch.probe = batch.probe.take().or(parcel.probe);
                if batch.bytes >= self.shared.limits.batch_bytes {
                    self.append(std::mem::take(&mut batch));
                }
            }
            if batch.parcels > 0 {
                self.append(std::mem::take(&mut batch));
            }
        }
    }

    /// Appends, and as long as the journal refuses at once, again.
    fn append(&self, batch: Batch) {
        let handed = self.handed(batch.bytes, batch.parcels, batch.owners, batch.probe);
        let mut pause = self.shared.limits.retry_first;
        while let Err(error) = self.offer(&handed, &batch.records) {
            if error == SinkError::Closed || self.refused(error, pause) {
                handed.fail();
                return;
            }
            pause = (pause * 2).min(self.shared.limits.retry_most);
        }
        self.accepted();
    }

    /// An append whose fate is open.
    pub(super) fn handed(
        &self,
        bytes: usize,
        parcels: u64,
        owners: Vec<(Arc<Client>, u64)>,
        probe: Option<Probe>,
    ) -> Arc<Handed> {
        Arc::new(Handed {
            shared: Arc::clone(&self.shared),
            bytes,
            parcels,
            owners,
            fate: Mutex::new(Fate::Handing),
            sink: Arc::clone(&self.sink),
            probe,
        })
    }

    /// Appends once. On an error the journal took nothing, nobody was told, and it may be offered again in its place.
    pub(super) fn offer(&self, handed: &Arc<Handed>, records: &[Record]) -> Result<(), SinkError> {
        *lock(&handed.fate) = Fate::Handing;
        let told = Arc::clone(handed);
        self.sink.append(
            // The records are kept until it is known that they were taken; their payloads are shared, not copied.
            records.to_vec(),
            Box::new(move |result| told.decided(result)),
        );
        let mut fate = lock(&handed.fate);
        if let Fate::Refused(error) = *fate {
            return Err(error);
        }
        *fate = Fate::Handed;
        Ok(())
    }

    fn accepted(&self) {
        let mut refusing = lock(&self.shared.refusing);
        if std::mem::take(&mut *refusing) {
            tracing::info!("listener: the journal takes messages again");
            self.shared.status.source().set(SourceState::Connected);
        }
    }

    /// Tells, and waits a while. True when nothing is to be tried again.
    fn refused(&self, error: SinkError, pause: Duration) -> bool {
        let mut refusing = lock(&self.shared.refusing);
        if !std::mem::replace(&mut *refusing, true) {
            tracing::error!(%error, "listener: nothing is acknowledged and reading pauses until the journal takes messages again; clients keep what they have");
            self.shared.status.source().set(SourceState::Stalled);
        }
        drop(refusing);
        let waited = self.shared.gave_up.wait_timeout_while(
            lock(&self.shared.giving_up),
            pause,
            |giving_up| !*giving_up,
        );
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Handed {
    /// The journal's answer; it may come before `append` returns, or from another thread.
    fn decided(&self, result: Result<(), SinkError>) {
        if let Err(error) = result {
            let mut fate = lock(&self.fate);
            if *fate == Fate::Handing {
                *fate = Fate::Refused(error);
                return;
            }
            drop(fate);
            self.fail();
            return;
        }
        for (client, number) in &self.owners {
            client.settled(*number);
        }
        if let Some(probe) = &self.probe {
            self.sink.acknowledged(probe.took());
        }
        self.release();
    }

    /// The journal will never take it: nothing of its owners is acknowledged any more.
    pub(super) fn fail(&self) {
        for (client, _) in &self.owners {
            client.fail();
        }
        self.release();
    }

    fn release(&self) {
        let status = &self.shared.status;
        status
            .waiting
            .fetch_sub(self.bytes as u64, Ordering::Relaxed);
        add(&self.shared.settled, self.parcels);
        self.shared.budget.add_permits(self.bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
