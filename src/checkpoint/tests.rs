//! The checkpoint's promises, tried to break.

use std::fs;
use std::path::Path;

use super::CheckpointError;
use super::Checkpoints;
use super::Loaded;
use super::Part;
use super::Row;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

fn row(part: Part, key: &str, bytes: &[u8]) -> Row {
    Row {
        part,
        key: key.to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn open(path: &Path) -> Checkpoints {
    Checkpoints::open(path, "one").expect("the state opens")
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn loaded(checkpoints: &Checkpoints) -> Loaded {
    checkpoints.load().unwrap().expect("a snapshot")
}

#[test]
fn a_new_file_holds_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(&dir.path().join("state")).load().unwrap(), None);
}

#[test]
fn a_snapshot_is_what_changed_on_top_of_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = open(&path);
    let first = [
        row(Part::Detect, "m/1", b"a"),
        row(Part::Detect, "m/2", b"b"),
        row(Part::Desk, "m/1", b"same key, other part"),
        row(Part::Decode, "", b""),
        row(Part::Meta, "last", &[0, 255]),
        row(Part::Series, "decode", b"s"),
    ];
    state.write(Position(7), at(70), &first, &[]).unwrap();
    let changed = [
        row(Part::Detect, "m/1", b"A"),
        row(Part::Detect, "m/3", b"c"),
    ];
    let removed = [
        (Part::Detect, "m/2".to_owned()),
        (Part::Detect, "m/3".to_owned()),
        (Part::Detect, "never there".to_owned()),
    ];
    state
        .write(Position(9), at(90), &changed, &removed)
        .unwrap();
    drop(state);
    let found = loaded(&open(&path));
    assert_eq!((found.position, found.received_at), (Position(9), at(90)));
    let expected = [
        row(Part::Decode, "", b""),
        row(Part::Desk, "m/1", b"same key, other part"),
        row(Part::Detect, "m/1", b"A"),
        row(Part::Detect, "m/3", b"c"),
        row(Part::Meta, "last", &[0, 255]),
        row(Part::Series, "decode", b"s"),
    ];
    assert_eq!(found.rows, expected);
    assert!(found.damaged.is_empty());
}

#[test]
fn a_torn_write_leaves_the_snapshot_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = open(&path);
    let rows = |byte: u8| -> Vec<Row> {
        let keys = (0..50).map(|number| format!("m/{number}"));
        keys.map(|key| row(Part::Detect, &key, &[byte; 500]))
            .collect()
    };
    let wal = dir.path().join("state-wal");
    state.write(Position(1), at(1), &rows(1), &[]).unwrap();
    let before = fs::read(&wal).unwrap().len();
    state.write(Position(2), at(2), &rows(2), &[]).unwrap();
    let log = fs::read(&wal).unwrap();
    let length = log.len();
    assert!(length > before + 10_000);
    let torn = tempfile::tempdir().unwrap();
    for cut in [before + 1, before.midpoint(length), length - 1, length] {
        let copy = torn.path().join(format!("state{cut}"));
        fs::copy(&path, &copy).unwrap();
        let log = log.get(..cut).unwrap();
        fs::write(torn.path().join(format!("state{cut}-wal")), log).unwrap();
        let found = loaded(&open(&copy));
        let whole = if cut == length { 2_u8 } else { 1 };
        assert_eq!(found.position, Position(u64::from(whole)), "cut at {cut}");
        assert!(found.rows.iter().all(|row| row.bytes == [whole; 500]));
        assert_eq!(found.rows.len(), 50);
    }
}

/// Copies the file and its log as a crash would leave them.
fn crashed(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = format!("{}{end}", from.display());
        if Path::new(&name).exists() {
            fs::copy(&name, format!("{}{end}", to.display())).unwrap();
        }
    }
}

#[test]
fn a_crash_between_two_pieces_of_a_snapshot_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = open(&path);
    // Larger than SQLite's cache, so that pages go to the disk before the commit.
    let rows = |byte: u8, from: u32| -> Vec<Row> {
        let keys = (from..from + 40).map(|number| format!("m/{number}"));
        keys.map(|key| row(Part::Detect, &key, &vec![byte; 50_000]))
            .collect()
    };
    state.begin().unwrap();
    state.put(&rows(1, 0), &[]).unwrap();
    state.put(&rows(1, 40), &[]).unwrap();
    state.commit(Position(1), at(1)).unwrap();
    state.begin().unwrap();
    for piece in 0..2 {
        state.put(&rows(2, 40 * piece), &[]).unwrap();
        let copy = dir.path().join(format!("copy{piece}"));
        crashed(&path, &copy);
        let found = loaded(&open(&copy));
        assert_eq!(found.position, Position(1), "after piece {piece}");
        assert_eq!(found.rows.len(), 80);
        assert!(found.rows.iter().all(|row| row.bytes == vec![1; 50_000]));
    }
    state.commit(Position(2), at(2)).unwrap();
    let found = loaded(&state);
    assert_eq!(found.position, Position(2));
    assert!(found.rows.iter().all(|row| row.bytes == vec![2; 50_000]));

    // One that is given up leaves nothing, and nothing is written outside of one.
    state.begin().unwrap();
    state.put(&rows(3, 0), &[]).unwrap();
    state.roll_back();
    assert!(state.put(&rows(3, 0), &[]).is_err());
    assert!(state.commit(Position(3), at(3)).is_err());
    assert_eq!(loaded(&state), found);
    // And one that was begun and left is no part of the next.
    state.begin().unwrap();
    state.put(&rows(4, 0), &[]).unwrap();
    state.write(Position(5), at(5), &[], &[]).unwrap();
    let found = loaded(&state);
    assert_eq!(found.position, Position(5));
    assert!(found.rows.iter().all(|row| row.bytes == vec![2; 50_000]));
}

#[test]
fn the_state_of_another_journal_is_refused_and_both_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    open(&path).write(Position(1), at(1), &[], &[]).unwrap();
    let error = Checkpoints::open(&path, "two").err().expect("refused");
    let text = error.to_string();
    assert!(matches!(error, CheckpointError::Foreign { .. }));
    for word in ["state", " one,", " two;"] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    assert_eq!(loaded(&open(&path)).position, Position(1), "untouched");
}

#[test]
fn an_unknown_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    drop(open(&path));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("UPDATE meta SET value = '99' WHERE name = 'format'", [])
        .unwrap();
    let error = Checkpoints::open(&path, "one").err().expect("refused");
    assert!(error.to_string().contains("format 99"), "{error}");
}

#[test]
fn a_file_that_is_no_state_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    fs::write(&path, "Dear diary, ".repeat(1000)).unwrap();
    let error = Checkpoints::open(&path, "one").err().expect("refused");
    assert!(matches!(error, CheckpointError::Sqlite { .. }));
}

#[test]
fn a_row_that_is_not_whole_is_named_and_the_others_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = open(&path);
    let rows = [
        row(Part::Detect, "m/1", b"a"),
        row(Part::Detect, "m/2", b"b"),
    ];
    state.write(Position(1), at(1), &rows, &[]).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("UPDATE rows SET bytes = x'00' WHERE key = 'm/1'", [])
        .unwrap();
    let found = loaded(&state);
    assert_eq!(found.damaged, [(Part::Detect, "m/1".to_owned())]);
    assert_eq!(found.rows, [row(Part::Detect, "m/2", b"b")]);
}
