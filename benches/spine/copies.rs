//! State of many devices out of that of a few: each row of a device is written again under further names.
//!
//! Names have one length, so a name inside a row is replaced where it stands.

use std::path::Path;

use foremend::checkpoint::{Checkpoints, Row};

use crate::day;

/// Rows that are written at once.
const AT_ONCE: usize = 10_000;

/// Gives each device from number `made` up to `all` the rows of one of the first `made`.
pub(crate) fn make(path: &Path, made: u32, all: u32) {
    let journal: String = rusqlite::Connection::open(path)
        .and_then(|file| {
            let sql = "SELECT value FROM meta WHERE name = 'journal'";
            file.query_row(sql, [], |row| row.get(0))
        })
        .expect("a state file says to which journal it belongs");
    let file = Checkpoints::open(path, &journal).expect("a state file");
    let Some(loaded) = file.load().expect("a state that is whole") else {
        return;
    };
    file.begin().expect("a snapshot begins");
    let mut rows = Vec::new();
    for row in &loaded.rows {
        let number = row.key.rsplit_once('-').map(|(_, number)| number.parse());
        let Some(Ok(number)) = number else { continue };
        assert_eq!(row.key, day::device(number), "one of the devices played");
        let further = (number..all).step_by(usize::try_from(made).expect("small"));
        rows.extend(further.skip(1).map(|number| renamed(row, number)));
        if rows.len() >= AT_ONCE {
            file.put(&rows, &[]).expect("rows are written");
            rows.clear();
        }
    }
    file.put(&rows, &[]).expect("rows are written");
    file.commit(loaded.position, loaded.received_at)
        .expect("the snapshot is written");
}

fn renamed(row: &Row, number: u32) -> Row {
    let (before, after) = (row.key.as_bytes(), day::device(number));
    let mut bytes = row.bytes.clone();
    let mut at = 0;
    while let Some(part) = bytes.get(at..at + before.len()) {
        if part == before {
            bytes[at..at + before.len()].copy_from_slice(after.as_bytes());
        }
        at += 1;
    }
    Row {
        part: row.part,
        key: after,
        bytes,
    }
}
