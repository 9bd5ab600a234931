//! Doubles and short cuts for the tests of the journal.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;

use crate::journal::AppendError;
use crate::journal::Clock;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// 2026-03-01T00:00:00Z.
pub(super) const START: i64 = 1_772_323_200_000;

/// A clock that a test moves.
pub(super) struct TestClock(Mutex<(i64, i64)>);

impl TestClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((START, 0))))
    }

    /// Time goes by for both clocks.
    pub(super) fn pass(&self, ms: i64) {
        let mut clocks = self.0.lock().unwrap();
        clocks.0 += ms;
        clocks.1 += ms;
    }

    /// Someone sets the wall clock.
    pub(super) fn step(&self, ms: i64) {
        self.0.lock().unwrap().0 += ms;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(self.0.lock().unwrap().0)
    }

    fn monotonic_ms(&self) -> i64 {
        self.0.lock().unwrap().1
    }
}

pub(super) fn options(clock: &Arc<TestClock>) -> JournalOptions {
    JournalOptions {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..JournalOptions::default()
    }
}

pub(super) fn open(dir: &Path) -> Journal {
    Journal::open(dir, options(&TestClock::new())).expect("the journal opens")
}

pub(super) fn message(number: usize, bytes: usize) -> Record {
    let mut payload = format!(
        "{{\"n\":{number},\"water\":{{\"out_c\":{}}}}}",
        40 + number % 9
    );
    while payload.len() < bytes {
        payload.push_str(" ,.;:");
    }
    Record::Message(RawMessage {
        source: "home".into(),
        topic: format!("appl/v1/ts-flash5/TSF5-{:06}/data", number % 100).into(),
        payload: Bytes::from(payload.into_bytes()),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    })
}

/// Appends and waits until it is durable.
pub(super) fn append(journal: &Journal, records: Vec<Record>) -> Result<Position, AppendError> {
    let (done, answer) = mpsc::sync_channel(1);
    journal.append(
        records,
        Box::new(move |result| done.send(result).expect("someone waits")),
    )?;
    answer
        .recv_timeout(Duration::from_mins(1))
        .expect("an answer within a minute")
}

/// Appends so many messages, one commit each.
pub(super) fn append_many(journal: &Journal, numbers: std::ops::Range<usize>) {
    for number in numbers {
        append(journal, vec![message(number, 0)]).expect("appended");
    }
}

/// Everything there is, read in small steps.
pub(super) fn read_all(journal: &Journal) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let from = entries
            .last()
            .map_or(journal.first(), |entry| entry.position.next());
        let more = journal.read(from, 7, usize::MAX).expect("readable");
        if more.is_empty() {
            return entries;
        }
        entries.extend(more);
    }
}

pub(super) fn records(entries: &[Entry]) -> Vec<Record> {
    entries.iter().map(|entry| entry.record.clone()).collect()
}

/// The positions count up from `first` without a hole.
pub(super) fn assert_contiguous(entries: &[Entry], first: u64) {
    for (entry, expected) in entries.iter().zip(first..) {
        assert_eq!(entry.position, Position(expected));
    }
}
