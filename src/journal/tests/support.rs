//! Doubles and short cuts for the tests of the journal.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;

use crate::journal::AppendError;
use crate::journal::Clock;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalOptions;
use crate::journal::block::Block;
use crate::journal::disk::Disk;
use crate::journal::disk::Live;
use crate::journal::disk::SqliteDisk;
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

/// What the disk does at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It works.
    None,
    /// Nothing is written.
    Before,
    /// It is written, and the disk says that it is not.
    After,
    /// No new file can be made.
    Create,
    /// It works, and takes so many ms of the test's clock.
    Slow(i64),
}

/// A disk that does as the test says, commit by commit; then it works.
#[derive(Clone, Default)]
pub(super) struct FaultyDisk {
    plan: Arc<Mutex<VecDeque<Fault>>>,
    /// Held by a test to stop all commits.
    pub(super) gate: Arc<Mutex<()>>,
    pub(super) commits: Arc<AtomicUsize>,
    /// Whose time a slow commit takes.
    clock: Option<Arc<TestClock>>,
}

struct FaultyLive {
    live: Box<dyn Live>,
    disk: FaultyDisk,
}

impl FaultyDisk {
    /// One whose slow commits take the time of this clock.
    pub(super) fn timed_by(clock: &Arc<TestClock>) -> Self {
        Self {
            clock: Some(Arc::clone(clock)),
            ..Self::default()
        }
    }

    pub(super) fn plan(&self, faults: &[Fault]) {
        self.plan.lock().unwrap().extend(faults);
    }

    pub(super) fn open(&self, dir: &Path) -> Journal {
        self.open_with(dir, options(&TestClock::new()))
    }

    pub(super) fn open_with(&self, dir: &Path, options: JournalOptions) -> Journal {
        Journal::open_on(dir, options, Arc::new(self.clone())).expect("the journal opens")
    }

    fn next(&self) -> Fault {
        self.plan.lock().unwrap().pop_front().unwrap_or(Fault::None)
    }

    fn error(path: &Path) -> JournalError {
        JournalError::io(
            "writing",
            path,
            std::io::Error::other("the disk is on fire"),
        )
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        let mut plan = self.plan.lock().unwrap();
        if plan.front() == Some(&Fault::Create) {
            plan.pop_front();
            return Err(Self::error(path));
        }
        let live = SqliteDisk.create(path, journal)?;
        let disk = self.clone();
        Ok(Box::new(FaultyLive { live, disk }))
    }

    fn reopen(&self, path: &Path, journal: &str) -> Result<Box<dyn Live>, JournalError> {
        let live = SqliteDisk.reopen(path, journal)?;
        let disk = self.clone();
        Ok(Box::new(FaultyLive { live, disk }))
    }
}

impl Live for FaultyLive {
    fn commit(&mut self, block: &Block) -> Result<(), JournalError> {
        drop(self.disk.gate.lock().unwrap());
        self.disk.commits.fetch_add(1, Ordering::Relaxed);
        match self.disk.next() {
            Fault::None => self.live.commit(block),
            Fault::Slow(ms) => {
                if let Some(clock) = &self.disk.clock {
                    clock.pass(ms);
                }
                self.live.commit(block)
            }
            Fault::Before | Fault::Create => Err(FaultyDisk::error(Path::new("disk"))),
            Fault::After => {
                self.live.commit(block)?;
                Err(FaultyDisk::error(Path::new("disk")))
            }
        }
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

/// The segment files, by name.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with("live") || name.contains("seal"))
        .collect();
    names.sort();
    names
}

/// A copy of the directory as a crash at this moment would leave it. Not while the housekeeper moves files: a copy takes time.
pub(super) fn crash(journal: &Journal) -> tempfile::TempDir {
    let shared = &journal.running.shared;
    let _quiet = shared.keeper.sealing.lock().unwrap();
    copy(&shared.files.dir)
}

pub(super) fn copy(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// Segments of an hour, three of them with ten messages each and a live one with one; two are sealed for sure.
pub(super) fn four_segments(dir: &Path, clock: &Arc<TestClock>) -> Journal {
    let journal = Journal::open(dir, options(clock)).unwrap();
    for hour in 0..3 {
        append_many(&journal, hour * 10..hour * 10 + 10);
        clock.pass(3_600_000);
    }
    append_many(&journal, 30..31);
    journal.tidy();
    journal
}
