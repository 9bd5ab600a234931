//! Segments end, are packed, and read as before.

use std::fs;

use super::support::TestClock;
use super::support::append;
use super::support::append_many;
use super::support::assert_contiguous;
use super::support::crash;
use super::support::four_segments;
use super::support::message;
use super::support::names;
use super::support::open;
use super::support::options;
use super::support::read_all;
use super::support::records;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::journal::JournalReader;
use crate::journal::verify;
use crate::telemetry::Position;

#[test]
fn segments_of_an_hour_are_sealed_and_read_as_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = four_segments(dir.path(), &clock);
    let expected = [
        "00000000000000000001.sealed",
        "00000000000000000011.sealed",
        "00000000000000000021.sealed",
        "00000000000000000031.live",
    ];
    assert_eq!(names(dir.path()), expected);
    let before = read_all(&journal);
    journal.close();
    // A fresh process has nothing in its cache.
    let journal = open(dir.path());
    let entries = read_all(&journal);
    assert_eq!(entries, before);
    assert_contiguous(&entries, 1);
    let expected: Vec<_> = (0..31).map(|number| message(number, 0)).collect();
    assert_eq!(records(&entries), expected);
    for from in 1..=31 {
        let one = journal.read(Position(from), 1, 1).unwrap();
        assert_eq!(
            one.first().map(|entry| entry.position),
            Some(Position(from))
        );
    }
}

#[test]
fn an_hour_less_a_millisecond_is_no_end() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..1);
    clock.pass(3_600_000 - 1);
    append_many(&journal, 1..2);
    assert_eq!(names(dir.path()), ["00000000000000000001.live"]);
    clock.pass(1);
    append_many(&journal, 2..3);
    journal.tidy();
    let expected = ["00000000000000000001.sealed", "00000000000000000003.live"];
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn a_segment_ends_at_its_size_and_sealing_makes_it_small() {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        segment_bytes: 1_000_000,
        ..options(&TestClock::new())
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    let mut number = 0;
    while journal.stats().segments < 3 {
        let batch = (number..number + 50)
            .map(|number| message(number, 200))
            .collect();
        append(&journal, batch).unwrap();
        number += 50;
    }
    journal.tidy();
    let report = verify(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    for segment in report.segments.iter().filter(|one| one.sealed) {
        let (first, last) = segment.positions.unwrap();
        assert_eq!(segment.entries, last.0 - first.0 + 1);
        assert!(segment.bytes < 250_000, "{} bytes", segment.bytes);
    }
    assert_eq!(journal.stats().sealed, 2);
    journal.close();
    let entries = read_all(&open(dir.path()));
    assert_contiguous(&entries, 1);
    assert_eq!(entries.len(), number);
}

#[test]
fn a_crash_before_the_packed_file_has_its_name_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..5);
    journal.close();
    fs::write(
        dir.path().join("00000000000000000001.sealing"),
        "half of it",
    )
    .unwrap();
    let journal = open(dir.path());
    assert_eq!(read_all(&journal).len(), 5);
    assert_eq!(names(dir.path()), ["00000000000000000001.live"]);
}

#[test]
fn a_crash_before_the_live_file_is_removed_leaves_one_segment() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..5);
    let before = crash(&journal);
    clock.pass(3_600_000);
    append_many(&journal, 5..6);
    journal.tidy();
    journal.close();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("00000000000000000001.live{suffix}");
        fs::copy(before.path().join(&name), dir.path().join(&name)).unwrap();
    }
    assert_eq!(JournalReader::open(dir.path()).unwrap().last(), Position(6));
    let journal = open(dir.path());
    assert_eq!(read_all(&journal).len(), 6);
    let expected = ["00000000000000000001.sealed", "00000000000000000006.live"];
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn a_segment_that_was_closed_but_not_sealed_is_sealed_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..5);
    let before = crash(&journal);
    clock.pass(3_600_000);
    append_many(&journal, 5..6);
    journal.tidy();
    journal.close();
    fs::remove_file(dir.path().join("00000000000000000001.sealed")).unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("00000000000000000001.live{suffix}");
        fs::copy(before.path().join(&name), dir.path().join(&name)).unwrap();
    }
    let journal = open(dir.path());
    journal.tidy();
    let expected = ["00000000000000000001.sealed", "00000000000000000006.live"];
    assert_eq!(names(dir.path()), expected);
    assert_eq!(read_all(&journal).len(), 6);
}

#[test]
fn someone_who_looks_on_sees_the_journal_while_it_is_sealed_under_them() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..5);
    let reader = JournalReader::open(dir.path()).unwrap();
    assert_eq!((reader.first(), reader.last()), (Position(1), Position(5)));
    clock.pass(3_600_000);
    append_many(&journal, 5..8);
    journal.tidy();
    assert_eq!(reader.read(Position(1), 100, usize::MAX).unwrap().len(), 8);
    assert_eq!(reader.id(), journal.id());
    assert_eq!(reader.stats().sealed, 1);
    assert!(verify(dir.path()).unwrap().is_whole());
    append_many(&journal, 8..9);
}

#[test]
fn reading_stops_at_its_limits_but_gives_at_least_one() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let batch = (0..10).map(|number| message(number, 10_000)).collect();
    append(&journal, batch).unwrap();
    let count = |entries, bytes| journal.read(Position(2), entries, bytes).unwrap().len();
    assert_eq!(count(3, usize::MAX), 3);
    assert_eq!(count(100, usize::MAX), 9);
    assert_eq!(count(100, 1), 1);
    assert_eq!(count(100, 25_000), 3);
    assert_eq!(count(0, 1), 0);
}
