//! The writer step by step on a modelled disk: what a failing, slow or forgetful disk and a jumping clock may do, and may not.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::support::START;
use super::support::assert_contiguous;
use super::support::message;
use super::support::read_all;
use super::support::records;
use crate::journal::AppendError;
use crate::journal::Clock as _;
use crate::journal::JournalError;
use crate::journal::JournalOptions;
use crate::journal::simulated::ModelClock;
use crate::journal::simulated::ModelDisk;
use crate::journal::simulated::SteppedJournal;
use crate::journal::simulated::WriteFault;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

type Answers = Arc<Mutex<Vec<Result<Position, AppendError>>>>;

/// A disk, its clock, and what was answered.
struct Rig {
    clock: ModelClock,
    disk: ModelDisk,
    answers: Answers,
}

impl Rig {
    fn new() -> Self {
        let clock = ModelClock::at(Timestamp::from_ms(START));
        Self {
            disk: ModelDisk::new(&clock),
            answers: Answers::default(),
            clock,
        }
    }

    fn open(&self) -> Result<SteppedJournal, JournalError> {
        let options = JournalOptions {
            clock: Arc::new(self.clock.clone()),
            ..JournalOptions::default()
        };
        SteppedJournal::open(&self.disk, options)
    }

    fn append(&self, journal: &SteppedJournal, number: usize) {
        let answers = Arc::clone(&self.answers);
        let done = Box::new(move |result| answers.lock().unwrap().push(result));
        let appended = journal.handle().append(vec![message(number, 0)], done);
        appended.expect("there is room");
    }

    fn answers(&self) -> Vec<Result<Position, AppendError>> {
        std::mem::take(&mut *self.answers.lock().unwrap())
    }

    /// The power goes; nothing of what was not fsynced is left.
    fn cut_power(&self) {
        self.disk.cut_power(|_| 0);
    }
}

/// Three messages, one commit each.
fn begun(rig: &Rig) -> SteppedJournal {
    let mut journal = rig.open().unwrap();
    for number in 0..3 {
        rig.append(&journal, number);
        assert_eq!(journal.step(), Ok(()));
    }
    assert_eq!(rig.answers(), [1, 2, 3].map(|place| Ok(Position(place))));
    journal
}

fn holds(journal: &SteppedJournal, messages: usize) {
    let entries = read_all(journal.handle());
    let expected: Vec<_> = (0..messages).map(|number| message(number, 0)).collect();
    assert_eq!(records(&entries), expected);
    assert_contiguous(&entries, 1);
}

#[test]
fn nobody_is_answered_before_the_commit_and_pauses_grow_while_the_disk_is_full() {
    let rig = Rig::new();
    let mut journal = begun(&rig);
    rig.disk.plan(&[WriteFault::Full; 9]);
    rig.append(&journal, 3);
    rig.append(&journal, 4);
    let pauses: Vec<_> = (0..9).map(|_| journal.step().unwrap_err()).collect();
    let ms = [0, 50, 100, 200, 400, 800, 1_600, 2_000, 2_000];
    assert_eq!(pauses, ms.map(Duration::from_millis));
    assert_eq!(rig.answers(), []);
    assert!(journal.handle().stats().failing);
    assert_eq!(*journal.handle().durable().borrow(), Position(3));
    assert_eq!(journal.step(), Ok(()));
    assert_eq!(rig.answers(), [4, 5].map(|place| Ok(Position(place))));
    assert!(!journal.handle().stats().failing);
    holds(&journal, 5);
}

#[test]
fn after_a_failed_fsync_nothing_more_is_acknowledged_from_that_file() {
    let rig = Rig::new();
    let mut journal = begun(&rig);
    rig.disk.plan(&[WriteFault::NotSynced]);
    rig.append(&journal, 3);
    assert_eq!(journal.step(), Err(Duration::ZERO));
    assert_eq!(rig.answers(), []);
    assert_eq!(journal.step(), Ok(()));
    rig.append(&journal, 4);
    assert_eq!(journal.step(), Ok(()));
    assert_eq!(rig.answers(), [4, 5].map(|place| Ok(Position(place))));
    drop(journal);
    rig.cut_power();
    holds(&rig.open().unwrap(), 5);
}

#[test]
fn what_was_torn_by_the_power_cut_was_never_acknowledged_and_its_place_is_given_again() {
    for fault in [WriteFault::Torn, WriteFault::NotSynced] {
        let rig = Rig::new();
        let mut journal = begun(&rig);
        rig.disk.plan(&[fault]);
        rig.append(&journal, 3);
        assert_eq!(journal.step(), Err(Duration::ZERO));
        drop(journal);
        rig.cut_power();
        assert_eq!(rig.answers(), [Err(AppendError::Closed)], "told by the end");
        let mut journal = rig.open().unwrap();
        holds(&journal, 3);
        rig.append(&journal, 3);
        assert_eq!(journal.step(), Ok(()));
        assert_eq!(rig.answers(), [Ok(Position(4))]);
        holds(&journal, 4);
    }
}

#[test]
fn a_journal_whose_only_segment_was_being_begun_when_it_ended_opens_again() {
    for end in [WriteFault::Full, WriteFault::Torn, WriteFault::AnswerLost] {
        let rig = Rig::new();
        let mut journal = rig.open().unwrap();
        // The first commit fails, and so does the new segment for it.
        rig.disk.plan(&[WriteFault::Full, end]);
        rig.append(&journal, 0);
        assert_eq!(journal.step(), Err(Duration::ZERO));
        assert!(journal.step().is_err());
        drop(journal);
        rig.cut_power();
        rig.answers();
        // Nor does the start after it find space.
        rig.disk.plan(&[WriteFault::Full]);
        assert!(rig.open().is_err());
        let mut journal = rig.open().unwrap();
        rig.append(&journal, 0);
        assert_eq!(journal.step(), Ok(()));
        assert_eq!(rig.answers(), [Ok(Position(1))]);
        holds(&journal, 1);
    }
}

#[test]
fn a_segment_that_was_begun_without_its_name_on_the_disk_has_it_after_the_start() {
    let rig = Rig::new();
    let mut journal = begun(&rig);
    rig.disk.plan(&[WriteFault::Full, WriteFault::NotSynced]);
    rig.append(&journal, 3);
    assert!(journal.step().is_err() && journal.step().is_err());
    drop(journal);
    let mut journal = rig.open().unwrap();
    rig.append(&journal, 3);
    assert_eq!(journal.step(), Ok(()));
    drop(journal);
    rig.cut_power();
    holds(&rig.open().unwrap(), 4);
}

#[test]
fn a_slow_disk_only_takes_time() {
    let rig = Rig::new();
    let mut journal = begun(&rig);
    rig.disk.slow_down(4_000);
    for number in 3..6 {
        rig.append(&journal, number);
        assert_eq!(journal.step(), Ok(()));
    }
    assert_eq!(rig.clock.monotonic_ms(), 12_000);
    let times: Vec<_> = read_all(journal.handle())
        .iter()
        .map(|entry| entry.received_at.ms() - START)
        .collect();
    assert_eq!(times, [0, 0, 0, 0, 4_000, 8_000]);
}

#[test]
fn a_read_error_is_told_and_passes() {
    let rig = Rig::new();
    drop(begun(&rig));
    rig.disk.fail_reads(1);
    assert!(matches!(rig.open().err(), Some(JournalError::Io { .. })));
    let journal = rig.open().unwrap();
    rig.disk.fail_reads(1);
    let read = journal.handle().read(Position(1), 10, usize::MAX);
    assert!(matches!(read, Err(JournalError::Io { .. })));
    holds(&journal, 3);
}

#[test]
fn over_jumps_of_hours_and_kills_time_never_goes_back_and_each_jump_is_told() {
    let rig = Rig::new();
    let mut journal = begun(&rig);
    let hour = 3_600_000;
    for (number, jump) in (3..).zip([2 * hour, -5 * hour, 9 * hour]) {
        rig.clock.step(jump);
        rig.append(&journal, number);
        assert_eq!(journal.step(), Ok(()));
        drop(journal);
        journal = rig.open().unwrap();
    }
    let entries = read_all(journal.handle());
    assert!(
        entries
            .windows(2)
            .all(|two| two[0].received_at <= two[1].received_at)
    );
    assert_eq!(
        entries.len(),
        9,
        "three messages more, and what was told of each jump"
    );
}
