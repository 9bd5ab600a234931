//! The disk fails at a commit.

use super::support::Fault;
use super::support::FaultyDisk;
use super::support::START;
use super::support::TestClock;
use super::support::append;
use super::support::append_many;
use super::support::assert_contiguous;
use super::support::copy;
use super::support::crash;
use super::support::message;
use super::support::names;
use super::support::open;
use super::support::options;
use super::support::read_all;
use super::support::records;
use crate::journal::AppendError;
use crate::journal::Done;
use crate::journal::JournalReader;
use crate::journal::block::Block;
use crate::journal::block::Encoded;
use crate::journal::disk::Disk;
use crate::journal::disk::SqliteDisk;
use crate::journal::segment::Opened;
use crate::journal::verify;
use crate::telemetry::Control;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// Seven messages, the fourth one with a fault; everything is there once, live, after a crash, and after reopening.
fn goes_on_after(faults: &[Fault]) {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open(dir.path());
    append_many(&journal, 0..3);
    disk.plan(faults);
    assert_eq!(append(&journal, vec![message(3, 0)]), Ok(Position(4)));
    append_many(&journal, 4..7);
    let stats = journal.stats();
    assert_eq!(stats.commit_errors, faults.len() as u64);
    assert!(!stats.failing);
    let expected: Vec<_> = (0..7).map(|number| message(number, 0)).collect();
    assert_eq!(records(&read_all(&journal)), expected);
    let crashed = crash(&journal);
    journal.tidy();
    journal.close();
    for dir in [crashed, dir] {
        let journal = open(dir.path());
        let entries = read_all(&journal);
        assert_eq!(records(&entries), expected, "{faults:?}");
        assert_contiguous(&entries, 1);
        assert_eq!(append(&journal, vec![message(7, 0)]), Ok(Position(8)));
        journal.tidy();
        assert_eq!(journal.stats().sealed, 1, "the failed segment is closed");
        let report = verify(dir.path()).unwrap();
        assert!(report.is_whole(), "{report:?}");
        let entries: u64 = report.segments.iter().map(|one| one.entries).sum();
        assert_eq!(entries, 8);
    }
}

#[test]
fn a_stall_is_told_once_and_before_what_came_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let disk = FaultyDisk::timed_by(&clock);
    let journal = disk.open_with(dir.path(), options(&clock));
    disk.plan(&[Fault::Slow(4_999), Fault::Slow(5_000)]);
    append(&journal, vec![message(0, 0)]).unwrap();
    append(&journal, vec![message(1, 0)]).unwrap();
    clock.step(3_600_000);
    append(&journal, vec![message(2, 0)]).unwrap();
    append(&journal, vec![message(3, 0)]).unwrap();
    let entries = read_all(&journal);
    let stalled = Record::Control(Control::Stalled);
    let places: Vec<_> = entries
        .iter()
        .filter(|entry| entry.record == stalled)
        .map(|entry| (entry.position, entry.received_at))
        .collect();
    // Before the step of the clock, which is no part of it.
    assert_eq!(places, [(Position(3), Timestamp::from_ms(START + 9_999))]);
    assert!(matches!(
        entries[3].record,
        Record::Control(Control::ClockStep { .. })
    ));
    assert_eq!(entries.len(), 6);
}

#[test]
fn after_a_commit_that_wrote_nothing_the_records_go_to_a_new_segment() {
    goes_on_after(&[Fault::Before]);
}

#[test]
fn after_a_commit_that_wrote_and_failed_the_records_are_there_once() {
    goes_on_after(&[Fault::After]);
}

#[test]
fn the_new_segment_may_fail_as_well() {
    goes_on_after(&[Fault::After, Fault::After, Fault::Before]);
}

#[test]
fn that_no_new_segment_can_be_made_is_waited_out() {
    goes_on_after(&[Fault::After, Fault::Create, Fault::Create]);
}

#[test]
fn nothing_is_acknowledged_while_the_disk_fails_and_closing_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open(dir.path());
    append_many(&journal, 0..2);
    disk.plan(&[Fault::Before; 100]);
    let (done, answers) = std::sync::mpsc::sync_channel(10);
    for number in 2..5 {
        let done = done.clone();
        let done: Done = Box::new(move |result| done.send(result).unwrap());
        journal.append(vec![message(number, 0)], done).unwrap();
    }
    journal.close();
    let answers: Vec<_> = answers.try_iter().collect();
    assert_eq!(answers, vec![Err(AppendError::Closed); 3]);
    let journal = open(dir.path());
    assert_eq!(journal.last(), Position(2));
    assert_eq!(append(&journal, vec![message(9, 0)]), Ok(Position(3)));
}

#[test]
fn what_a_failed_segment_holds_beyond_the_next_one_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open(dir.path());
    append_many(&journal, 0..3);
    disk.plan(&[Fault::After, Fault::Create, Fault::Create, Fault::Create]);
    let id = journal.id().to_owned();
    journal
        .append(vec![message(99, 0)], Box::new(|_| {}))
        .unwrap();
    journal.close();
    // The process ended after it had begun the new segment and before it wrote to it.
    let next = dir.path().join("00000000000000000004.live");
    let live = SqliteDisk.create(&next, &id).unwrap();
    let expected: Vec<_> = (0..5).map(|number| message(number, 0)).collect();
    // Or just after: someone who looks on, before anything is sealed, sees the new one too.
    let later = copy(dir.path());
    let mut block = Block::new(Position(4), Timestamp::from_ms(START));
    let encoded = Encoded::new(expected.get(3..).unwrap()).unwrap();
    for record in encoded.records() {
        block.push(Timestamp::from_ms(START), record);
    }
    let path = later.path().join("00000000000000000004.live");
    let mut later_live = SqliteDisk.reopen(&path, &id).unwrap();
    later_live.commit(&block).unwrap();
    let reader = JournalReader::open(later.path()).unwrap();
    let seen = reader.read(Position(1), 100, usize::MAX).unwrap();
    assert_eq!(records(&seen), expected);
    drop(live);
    let journal = open(dir.path());
    assert_eq!(journal.last(), Position(3));
    append_many(&journal, 3..5);
    let crashed = crash(&journal);
    journal.tidy();
    journal.close();
    for dir in [crashed, dir] {
        let journal = open(dir.path());
        assert_eq!(records(&read_all(&journal)), expected);
        journal.tidy();
        journal.close();
        let sealed = dir.path().join("00000000000000000001.sealed");
        let sealed = Opened::open(&sealed, &id, false).unwrap();
        let (_, newest) = sealed.ends(None).unwrap().expect("blocks");
        assert_eq!(newest.head.last(), Position(3));
        assert_eq!(records(&read_all(&open(dir.path()))), expected);
    }
}

#[test]
fn the_first_commit_of_a_new_journal_may_fail() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    disk.plan(&[Fault::After]);
    let journal = disk.open(dir.path());
    assert_eq!(append(&journal, vec![message(0, 0)]), Ok(Position(1)));
    assert_eq!(names(dir.path()), ["00000000000000000001.live"]);
    journal.close();
    assert_eq!(read_all(&open(dir.path())).len(), 1);
}
