//! The process ends at any moment.

use std::fs;

use super::support::append;
use super::support::append_many;
use super::support::assert_contiguous;
use super::support::crash;
use super::support::message;
use super::support::open;
use super::support::read_all;
use super::support::records;
use crate::journal::verify;
use crate::telemetry::Position;

#[test]
fn what_was_acknowledged_is_there_after_a_crash_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for number in 0..20 {
        append(&journal, vec![message(number, 300)]).unwrap();
        let crashed = crash(&journal);
        let after = open(crashed.path());
        let entries = read_all(&after);
        assert_eq!(entries.len(), number + 1);
        assert_contiguous(&entries, 1);
        assert_eq!(
            append(&after, vec![message(99, 0)]),
            Ok(Position(number as u64 + 2))
        );
    }
}

#[test]
fn a_torn_last_write_costs_only_what_was_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..10);
    let wal = dir.path().join("00000000000000000001.live-wal");
    let before = fs::read(&wal).unwrap().len();
    append(&journal, vec![message(10, 20_000)]).unwrap();
    let after = fs::read(&wal).unwrap().len();
    assert!(after > before + 20_000);
    for cut in [before, before + 1, before.midpoint(after), after - 1] {
        let crashed = crash(&journal);
        let wal = crashed.path().join("00000000000000000001.live-wal");
        let file = fs::File::options().write(true).open(&wal).unwrap();
        file.set_len(cut as u64).unwrap();
        // The shared memory does not survive a power cut.
        fs::remove_file(crashed.path().join("00000000000000000001.live-shm")).unwrap();
        let journal = open(crashed.path());
        let expected: Vec<_> = (0..10).map(|number| message(number, 0)).collect();
        assert_eq!(records(&read_all(&journal)), expected, "cut at {cut}");
        assert_eq!(append(&journal, vec![message(10, 0)]), Ok(Position(11)));
    }
}

#[test]
fn a_first_start_that_was_cut_off_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = journal.id().to_owned();
    journal.close();
    fs::remove_file(dir.path().join("journal.toml")).unwrap();
    fs::remove_file(dir.path().join("cursors")).unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.id(), id);
    append_many(&journal, 0..1);
    journal.close();
    assert_eq!(open(dir.path()).id(), id);
}

#[test]
fn a_segment_that_was_just_being_begun_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("00000000000000000001.live"), "").unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..3);
    journal.close();
    let next = dir.path().join("00000000000000000004.live");
    let begun = rusqlite::Connection::open(&next).unwrap();
    begun.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    drop(begun);
    assert!(verify(dir.path()).unwrap().is_whole());
    let journal = open(dir.path());
    assert_eq!(
        append(&journal, vec![message(3, 0)]),
        Ok(Position(4)),
        "the old one goes on"
    );
    assert_eq!(read_all(&journal).len(), 4);
    assert!(!next.exists());
}

/// What a process had begun and removed again can be there once more after a power cut, with others behind it.
#[test]
fn segments_without_a_table_say_nothing_of_where_others_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..7);
    journal.close();
    let names = ["00000000000000000005.live", "00000000000000000008.live"];
    for name in names {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let journal = open(dir.path());
    assert_eq!(read_all(&journal).len(), 7);
    assert_eq!(append(&journal, vec![message(7, 0)]), Ok(Position(8)));
    assert!(names.iter().all(|name| !dir.path().join(name).exists()));
}

#[test]
fn a_segment_that_was_being_begun_as_the_only_one_tells_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..3);
    journal.set_cursor("series", Position(3)).unwrap();
    journal.close();
    // What came before was removed, as retention does, and the process ended while it was beginning the next one.
    fs::remove_file(dir.path().join("00000000000000000001.live")).unwrap();
    fs::write(dir.path().join("00000000000000000004.live"), "").unwrap();
    let journal = open(dir.path());
    assert_eq!(
        (journal.first(), journal.last()),
        (Position(4), Position(3))
    );
    assert_eq!(append(&journal, vec![message(3, 0)]), Ok(Position(4)));
    journal.close();
    assert_eq!(read_all(&open(dir.path())).len(), 1);
}

#[test]
fn a_handle_that_is_dropped_frees_the_directory_and_keeps_what_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for number in 0..10 {
        journal
            .append(vec![message(number, 0)], Box::new(|_| {}))
            .unwrap();
    }
    drop(journal);
    assert_eq!(read_all(&open(dir.path())).len(), 10);
}
