//! Append, read, cursors, reopening.

use super::support::append;
use super::support::append_many;
use super::support::assert_contiguous;
use super::support::message;
use super::support::open;
use super::support::read_all;
use super::support::records;
use crate::telemetry::Position;

#[test]
fn what_was_appended_is_read_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.last(), Position(0));
    assert!(journal.read(Position(1), 10, 1000).unwrap().is_empty());
    let batch: Vec<_> = (0..5).map(|number| message(number, 0)).collect();
    assert_eq!(append(&journal, batch.clone()), Ok(Position(5)));
    append_many(&journal, 5..20);
    let entries = read_all(&journal);
    let expected: Vec<_> = (0..20).map(|number| message(number, 0)).collect();
    assert_eq!(records(&entries), expected);
    assert_contiguous(&entries, 1);
    assert_eq!(*journal.durable().borrow(), Position(20));
}

#[test]
fn a_cursor_after_the_end_stands_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..2);
    journal.set_cursor("series", Position(9)).unwrap();
    journal.set_base(Position(9)).unwrap();
    assert_eq!(journal.cursor("series").unwrap(), Some(Position(2)));
    journal.close();
    assert_eq!(open(dir.path()).stats().bases, [Position(2)]);
}

#[test]
fn positions_go_on_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = journal.id().to_owned();
    append_many(&journal, 0..3);
    journal.set_cursor("series", Position(2)).unwrap();
    journal.close();
    let journal = open(dir.path());
    assert_eq!(journal.id(), id);
    assert_eq!(journal.last(), Position(3));
    assert_eq!(journal.cursor("series").unwrap(), Some(Position(2)));
    append_many(&journal, 3..6);
    let entries = read_all(&journal);
    assert_contiguous(&entries, 1);
    assert_eq!(entries.len(), 6);
}
