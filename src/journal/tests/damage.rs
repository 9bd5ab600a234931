//! Files that are foreign, damaged, missing, or in use.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::support::TestClock;
use super::support::append_many;
use super::support::four_segments;
use super::support::open;
use super::support::options;
use super::support::read_all;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalReader;
use crate::journal::verify;
use crate::telemetry::Position;

const SECOND: &str = "00000000000000000011.sealed";

fn refused(dir: &Path) -> JournalError {
    let opened = Journal::open(dir, options(&TestClock::new()));
    opened.err().expect("the journal is refused")
}

/// The text names all of these.
fn assert_names(error: &JournalError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "'{word}' is not in: {text}");
    }
}

fn prepared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    four_segments(dir.path(), &TestClock::new()).close();
    dir
}

fn execute(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn a_second_opener_is_told_who_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let error = refused(dir.path());
    let pid = std::process::id().to_string();
    let name = dir.path().display().to_string();
    assert_names(&error, &[&name, &pid, "in use", "stop that one"]);
    journal.close();
    drop(open(dir.path()));
}

#[test]
fn a_segment_of_another_journal_is_named_and_nothing_is_changed() {
    let (dir, other) = (prepared(), prepared());
    fs::copy(other.path().join(SECOND), dir.path().join(SECOND)).unwrap();
    let own = JournalReader::open(other.path()).unwrap().id().to_owned();
    assert_names(
        &refused(dir.path()),
        &[SECOND, &own, "belongs to the journal"],
    );
    let report = verify(dir.path()).unwrap();
    assert!(!report.is_whole());
    let damaged = report.segments.iter().filter(|one| !one.damage.is_empty());
    assert_eq!(damaged.count(), 1);
}

#[test]
fn cursors_of_another_journal_are_named() {
    let (dir, other) = (prepared(), prepared());
    fs::copy(other.path().join("cursors"), dir.path().join("cursors")).unwrap();
    assert_names(&refused(dir.path()), &["cursors"]);
}

#[test]
fn an_unknown_format_is_named() {
    let dir = prepared();
    let sql = "UPDATE meta SET value = '7' WHERE name = 'format'";
    execute(&dir.path().join(SECOND), sql);
    assert_names(&refused(dir.path()), &[SECOND, "format 7"]);
    let dir = prepared();
    let path = dir.path().join("journal.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("format = 1", "format = 8")).unwrap();
    assert_names(&refused(dir.path()), &["journal.toml", "format 8"]);
}

#[test]
fn a_broken_identity_file_is_named() {
    let dir = prepared();
    fs::write(dir.path().join("journal.toml"), "format = ").unwrap();
    assert_names(&refused(dir.path()), &["journal.toml", "damaged"]);
}

#[test]
fn a_missing_segment_is_named_by_its_positions() {
    let dir = prepared();
    fs::remove_file(dir.path().join(SECOND)).unwrap();
    assert_names(&refused(dir.path()), &["11 to 20", "journal verify"]);
    let report = verify(dir.path()).unwrap();
    assert_eq!(report.damage, ["positions 11 to 20 are missing"]);
}

#[test]
fn a_lost_end_is_noticed_by_the_consumers_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = four_segments(dir.path(), &TestClock::new());
    journal.set_cursor("series", Position(31)).unwrap();
    journal.close();
    fs::write(dir.path().join("00000000000000000031.live"), "").unwrap();
    assert_names(&refused(dir.path()), &["31 to 31", "missing"]);
}

#[test]
fn a_journal_without_segments_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close();
    fs::remove_file(dir.path().join("00000000000000000001.live")).unwrap();
    assert_names(&refused(dir.path()), &["journal.toml", "no segment"]);
}

#[test]
fn a_file_cut_short_is_named_with_its_positions() {
    let dir = prepared();
    let path = dir.path().join(SECOND);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(5000).unwrap();
    assert_names(
        &refused(dir.path()),
        &[SECOND, "positions 11", "journal verify"],
    );
    let report = verify(dir.path()).unwrap();
    assert!(!report.is_whole());
    assert!(
        report
            .segments
            .iter()
            .filter(|one| one.damage.is_empty())
            .count()
            == 3
    );
}

#[test]
fn a_file_that_is_no_segment_is_named() {
    let dir = prepared();
    fs::write(dir.path().join(SECOND), "not a database, ".repeat(1000)).unwrap();
    assert_names(&refused(dir.path()), &[SECOND, "journal verify"]);
}

#[test]
fn a_flipped_bit_in_the_middle_is_found_when_it_is_read_and_by_verify() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..30);
    journal.close();
    let live = dir.path().join("00000000000000000001.live");
    execute(
        &live,
        "UPDATE blocks SET data = zeroblob(length(data)) WHERE first = 12",
    );
    let journal = open(dir.path());
    let before = journal.read(Position(1), 100, usize::MAX).unwrap();
    assert_eq!(before.len(), 11, "what is whole before the damage");
    let error = journal.read(Position(12), 1, 1).expect_err("damaged");
    assert_names(
        &error,
        &[
            "00000000000000000001.live",
            "12 to 12",
            "checksum",
            "journal verify",
        ],
    );
    assert_eq!(
        journal.read(Position(13), 100, usize::MAX).unwrap().len(),
        18
    );
    let report = verify(dir.path()).unwrap();
    let segment = report.segments.first().unwrap();
    assert_eq!(
        segment.damage,
        ["positions 12 to 12: the checksum does not fit"]
    );
    assert_eq!(segment.entries, 29);
    assert_eq!(segment.positions, Some((Position(1), Position(30))));
}

#[test]
fn a_lost_row_in_the_middle_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..30);
    journal.close();
    let live = dir.path().join("00000000000000000001.live");
    execute(&live, "DELETE FROM blocks WHERE first = 12");
    let journal = open(dir.path());
    assert_eq!(journal.read(Position(1), 11, usize::MAX).unwrap().len(), 11);
    assert!(journal.read(Position(12), 1, 1).is_err());
    let report = verify(dir.path()).unwrap();
    let damage = &report.segments.first().unwrap().damage;
    assert_eq!(damage, &["position 12 should follow, but 13 does"]);
}

#[test]
fn verify_tells_what_is_whole_on_both_sides_of_a_broken_page() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for number in 0..100 {
        super::support::append(&journal, vec![super::support::message(number, 1000)]).unwrap();
    }
    journal.close();
    let live = dir.path().join("00000000000000000001.live");
    let mut bytes = fs::read(&live).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes.get_mut(middle..middle + 4096).unwrap().fill(0xff);
    fs::write(&live, bytes).unwrap();
    let report = verify(dir.path()).unwrap();
    let segment = report.segments.first().unwrap();
    assert_eq!(segment.damage.len(), 1, "{segment:?}");
    assert!(
        segment.damage.first().unwrap().contains("cannot be read"),
        "{segment:?}"
    );
    assert!((90..100).contains(&segment.entries), "{segment:?}");
    assert_eq!(segment.positions, Some((Position(1), Position(100))));
}

#[test]
fn a_damaged_segment_is_not_sealed_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..10);
    journal.close();
    let live = dir.path().join("00000000000000000001.live");
    execute(&live, "UPDATE blocks SET data = x'00' WHERE first = 5");
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    clock.pass(3_600_000);
    append_many(&journal, 10..20);
    journal.tidy();
    assert!(live.exists());
    assert_eq!(
        journal.read(Position(6), 100, usize::MAX).unwrap().len(),
        15
    );
}

#[test]
fn a_directory_without_a_journal_has_nothing_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        verify(dir.path()),
        Err(JournalError::Absent { .. })
    ));
    assert!(JournalReader::open(dir.path()).is_err());
}

#[test]
fn a_whole_journal_verifies_as_whole() {
    let dir = prepared();
    let report = verify(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let entries: Vec<u64> = report.segments.iter().map(|one| one.entries).collect();
    assert_eq!(entries, [10, 10, 10, 1]);
    assert_eq!(read_all(&open(dir.path())).len(), 31);
}
