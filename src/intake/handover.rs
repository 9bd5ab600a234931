//! From the connection to the journal: a bounded queue, a thread that may block, and the account of what waits.
//!
//! The connection's task must never wait for the journal, since acknowledgements go out through that very task. So it only
//! ever tries to hand on; this thread gathers what came into batches, appends them, and acknowledges once they are durable.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::ack::AckHandle;
use super::ack::AckLane;
use super::probe::Probe;
use super::probe::Prober;
use super::settings::Limits;
use super::sink::Sink;
use super::status::SourceStatus;
use super::status::add;
use crate::telemetry::Control;
use crate::telemetry::Record;

/// Room in the queue above `waiting_messages`. QoS 0 is dropped at that bound; QoS 1 and 2 are still taken into the first
/// half of this room, and reading pauses at its end. The other half is for what the client had read by then, and for controls.
const SPARE: usize = 1_024;

/// What a record costs besides its payload, in bytes: the record itself, topic and bookkeeping.
const RECORD_BYTES: usize = 256;

/// One record on its way, and whom to thank for it.
pub(super) struct Item {
    pub(super) generation: u64,
    pub(super) record: Record,
    pub(super) ack: Option<AckHandle>,
    /// Where its time is taken.
    pub(super) probe: Option<Probe>,
}

/// How much has been received and is not yet durable.
pub(super) struct Backlog {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    changed: Notify,
    down_missed: AtomicBool,
    limits: Limits,
}

impl Backlog {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            changed: Notify::new(),
            down_missed: AtomicBool::new(false),
            limits,
        }
    }

    /// The bound is reached: QoS 0 is dropped.
    pub(super) fn is_full(&self) -> bool {
        self.messages.load(Ordering::Acquire) >= self.limits.waiting_messages
            || self.bytes.load(Ordering::Acquire) >= self.limits.waiting_bytes
    }

    /// Messages that may not be dropped have gone beyond the bound: reading has to pause.
    pub(super) fn must_pause(&self) -> bool {
        self.messages.load(Ordering::Acquire) >= self.limits.waiting_messages + SPARE / 2
            || self.bytes.load(Ordering::Acquire)
                >= self.limits.waiting_bytes + self.limits.waiting_bytes / 4
    }

    /// Returns once less than half of the bound is taken: pausing at every single message would cost more than it saves.
    pub(super) async fn half_empty(&self) {
        self.until(|| {
            self.messages.load(Ordering::Acquire) <= self.limits.waiting_messages / 2
                && self.bytes.load(Ordering::Acquire) <= self.limits.waiting_bytes / 2
        })
        .await;
    }

    /// Everything is settled.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.load(Ordering::Acquire) == 0 && self.bytes.load(Ordering::Acquire) == 0
    }

    /// Returns once everything is settled.
    pub(super) async fn empty(&self) {
        self.until(|| self.messages.load(Ordering::Acquire) == 0)
            .await;
    }

    /// A `SourceDown` could not be written; asking forgets it.
    pub(super) fn take_down_missed(&self) -> bool {
        self.down_missed.swap(false, Ordering::AcqRel)
    }

    async fn until(&self, reached: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached() {
                return;
            }
            changed.await;
        }
    }

    /// One record more waits.
    pub(super) fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn release(&self, messages: usize, bytes: usize) {
        self.messages.fetch_sub(messages, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.changed.notify_waiters();
    }
}

/// The connection's end of the queue.
pub(super) struct Handover {
    queue: mpsc::Sender<Item>,
    backlog: Arc<Backlog>,
    pub(super) prober: Prober,
}

impl Handover {
    /// Starts the thread. The receiver answers when the thread has ended, which it does once the handover is dropped and
    /// everything in the queue was appended.
    pub(super) fn start(
        name: &str,
        limits: Limits,
        status: &Arc<SourceStatus>,
        sink: Arc<dyn Sink>,
        lane: Arc<AckLane>,
    ) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (queue, items) = mpsc::channel(limits.waiting_messages.saturating_add(SPARE));
        let backlog = Arc::new(Backlog::new(limits));
        let (ended, end) = oneshot::channel();
        let clerk = Clerk {
            sink,
            status: Arc::clone(status),
            lane,
            backlog: Arc::clone(&backlog),
        };
        thread::Builder::new()
            .name(format!("intake-{name}"))
            .spawn(move || {
                clerk.work(items);
                // Nobody waits any more when the stop's deadline has passed.
                ended.send(()).ok();
            })?;
        let handover = Self {
            queue,
            backlog,
            prober: Prober::default(),
        };
        Ok((handover, end))
    }

    pub(super) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Hands on one record without waiting. False when the queue is full, which the pause of reading prevents.
    pub(super) fn give(&self, item: Item) -> bool {
        let bytes = size(&item.record);
        self.backlog.add(bytes);
        let given = self.queue.try_send(item).is_ok();
        if !given {
            self.backlog.release(1, bytes);
        }
        given
    }
}

/// The thread's side.
pub(super) struct Clerk {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) lane: Arc<AckLane>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) status: Arc<SourceStatus>,
}

impl Clerk {
    fn work(&self, mut items: mpsc::Receiver<Item>) {
        let limits = self.backlog.limits;
        let mut buffer = Vec::new();
        while items.blocking_recv_many(&mut buffer, limits.batch_messages) > 0 {
            self.step(buffer.drain(..));
        }
    }

    /// Appends what came together.
    pub(super) fn step(&self, items: impl Iterator<Item = Item>) {
        let mut batch = Batch::default();
        for item in items {
            self.take(item, &mut batch);
            if batch.bytes >= self.backlog.limits.batch_bytes {
                self.append(std::mem::take(&mut batch));
            }
        }
        if !batch.records.is_empty() {
            self.append(batch);
        }
    }

    fn take(&self, item: Item, batch: &mut Batch) {
        let bytes = size(&item.record);
        let is_message = matches!(item.record, Record::Message(_));
        if is_message && !self.lane.accepts(item.generation) {
            // The journal refused an earlier one of this connection; the broker sends both again, in order.
            if item.ack.is_none() {
                add(&self.status.qos0_dropped, 1);
            }
            self.backlog.release(1, bytes);
            return;
        }
        batch.bytes += bytes;
        batch.probe = batch.probe.take().or(item.probe);
        batch.generation = item.generation;
        batch.has_down |= matches!(item.record, Record::Control(Control::SourceDown { .. }));
        batch.records.push(item.record);
        batch.handles.extend(item.ack);
    }

    fn append(&self, batch: Batch) {
        let sink = Arc::clone(&self.sink);
        let lane = Arc::clone(&self.lane);
        let backlog = Arc::clone(&self.backlog);
        let count = batch.records.len();
        let (handles, generation) = (batch.handles, batch.generation);
        let (bytes, has_down) = (batch.bytes, batch.has_down);
        let probe = batch.probe;
        self.sink.append(
            batch.records,
            Box::new(move |result| {
                match result {
                    Ok(()) => {
                        lane.acknowledge(&handles);
                        if let Some(probe) = &probe {
                            sink.acknowledged(probe.took());
                        }
                    }
                    Err(error) => {
                        if has_down {
                            backlog.down_missed.store(true, Ordering::Release);
                        }
                        lane.fail(generation, error);
                    }
                }
                backlog.release(count, bytes);
            }),
        );
    }
}

/// Records that are appended together.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    handles: Vec<AckHandle>,
    bytes: usize,
    generation: u64,
    has_down: bool,
    probe: Option<Probe>,
}

/// What a record counts in the backlog, in bytes.
pub(super) fn size(record: &Record) -> usize {
    match record {
        Record::Message(message) => message.payload.len() + message.topic.len() + RECORD_BYTES,
        Record::Control(_) | Record::Tick => RECORD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::intake::client::ConnectOptions;
    use crate::intake::client::Connection;
    use crate::intake::settings::BrokerSettings;
    use crate::intake::sink::Done;
    use crate::intake::sink::SinkError;
    use crate::telemetry::RawMessage;

    /// Refuses the first append, and keeps what comes later.
    #[derive(Default)]
    struct OnceFull {
        appends: Mutex<Vec<Vec<Record>>>,
    }

    impl Sink for OnceFull {
        fn append(&self, records: Vec<Record>, done: Done) {
            let mut appends = self.appends.lock().unwrap();
            appends.push(records);
            let result = if appends.len() == 1 {
                Err(SinkError::Full)
            } else {
                Ok(())
            };
            drop(appends);
            done(result);
        }
    }

    fn item(generation: u64, payload: &'static str) -> Item {
        Item {
            generation,
            record: Record::Message(RawMessage {
                source: "plant".into(),
                topic: "t".into(),
                payload: payload.into(),
                qos: 0,
                dup: false,
                retained: false,
                queued: false,
                content_type: None,
                oversize: None,
            }),
            ack: None,
            probe: None,
        }
    }

    #[tokio::test]
    async fn what_follows_a_refused_message_does_not_overtake_it() {
        let settings = BrokerSettings::new(
            "plant",
            "mqtt://b".parse().expect("an address"),
            "id".into(),
            vec!["#".into()],
        );
        let options = ConnectOptions::consumer(&settings).expect("options");
        let connection = Connection::open(options);
        let status = Arc::new(SourceStatus::new("plant"));
        let lane = Arc::new(AckLane::new(Arc::clone(&status)));
        let sink = Arc::new(OnceFull::default());
        let (handover, end) = Handover::start(
            "plant",
            Limits {
                batch_bytes: 1,
                ..Limits::default()
            },
            &status,
            Arc::clone(&sink) as Arc<dyn Sink>,
            Arc::clone(&lane),
        )
        .expect("a thread");
        lane.open(1, connection.requests());
        assert!(handover.give(item(1, "refused")));
        assert!(handover.give(item(1, "must not overtake")));
        handover.backlog().empty().await;
        lane.open(2, connection.requests());
        assert!(handover.give(item(2, "on the next connection")));
        drop(handover);
        end.await.expect("the thread to end");
        let kept = sink.appends.lock().unwrap().len();
        assert_eq!(
            kept, 2,
            "the refused one, and the one of the next connection"
        );
        assert_eq!(status.snapshot().qos0_dropped, 1);
    }
}
