//! A run with crashes and one without: the same journal must give the same tickets, audit and state.
//!
//! Twice: the entries as they lie in the journal, stepped by a pipeline that is never interrupted, must give the state that the
//! daemon saved, byte for byte; and an export, kept by `foremend replay --into`, the same rows of the store. (An export leaves
//! ticks out, which changes positions and nothing else.)

use std::collections::BTreeMap;
use std::path::Path;

use foremend::checkpoint;
use foremend::checkpoint::Checkpoints;
use foremend::journal::JournalReader;
use foremend::pipeline::Effects;
use foremend::pipeline::Part;
use foremend::pipeline::Pipeline;
use foremend::telemetry::Position;

use crate::place::Place;
use crate::place::json_lines;

/// Entries read at once.
const READ_ENTRIES: usize = 8_192;
/// Bytes read at once.
const READ_BYTES: usize = 8 << 20;

/// What the store says apart from positions, deliveries and the memory of answers: each query's rows must be the same.
const STORED: [(&str, &str); 4] = [
    ("tickets", "SELECT * FROM tickets ORDER BY id"),
    (
        "audit",
        "SELECT ticket, version, at, change, what, by, blob, event_time, changed FROM audit ORDER BY seq",
    ),
    (
        "rejected messages",
        "SELECT item, received_at, source, topic, reason, detail, payload, payload_len, device, replayed_at IS NULL \
         FROM rejected ORDER BY position, item",
    ),
    ("devices", "SELECT * FROM devices ORDER BY device"),
];

/// State by part and key.
type State = BTreeMap<(&'static str, String), Vec<u8>>;

/// The saved state is that of a pipeline which saw the journal at one go.
pub(crate) fn check_state(data: &Path) {
    let journal = JournalReader::open(&data.join("journal")).expect("the journal");
    let mut pipeline = Pipeline::new();
    let mut next = Position(1);
    while next <= journal.last() {
        let entries = journal
            .read(next, READ_ENTRIES, READ_BYTES)
            .expect("entries");
        for entry in &entries {
            pipeline.step(entry, &mut Effects::default());
        }
        next = entries.last().expect("what there is").position.next();
    }
    let uninterrupted: State = pipeline
        .take_changed_rows()
        .into_iter()
        .filter_map(|row| {
            let part = match row.part {
                Part::Decode => "decode",
                Part::Detect => "detect",
                Part::Desk => "desk",
                Part::Context => return Some((("meta", "context".to_owned()), row.bytes?)),
                Part::Presence => "presence",
            };
            Some(((part, row.key), row.bytes?))
        })
        .collect();
    let (position, saved) = state(&data.join("state.sqlite"));
    assert_eq!(
        position,
        journal.last(),
        "the state is saved at the journal's end"
    );
    same_state("an uninterrupted pass", &saved, &uninterrupted);
    assert!(saved.len() > 20, "every appliance has a state");
}

/// The store and the states are those of a replay of the export, which was kept here.
pub(crate) fn check_replay(data: &Path, kept: &Path) {
    let tickets =
        |data: &Path| json_lines(&Place::command(&["tickets", "--json"], &[("--data", data)]));
    assert_eq!(tickets(data), tickets(kept), "tickets as JSON");
    for (what, sql) in STORED {
        let (found, replayed) = (rows(data, sql), rows(kept, sql));
        let other = found
            .iter()
            .zip(&replayed)
            .find(|(one, other)| one != other);
        assert!(other.is_none(), "{what}, and of a replay: {other:#?}");
        assert_eq!(
            found.len(),
            replayed.len(),
            "{what}: as many as a replay has"
        );
    }
    for file in ["state.sqlite", "series-state.sqlite"] {
        let (found, replayed) = (state(&data.join(file)).1, state(&kept.join(file)).1);
        same_state(&format!("{file} of a replay"), &found, &replayed);
    }
}

fn same_state(what: &str, found: &State, other: &State) {
    let differ: Vec<_> = found
        .keys()
        .chain(other.keys())
        .filter(|key| found.get(*key) != other.get(*key))
        .collect();
    assert!(
        differ.is_empty(),
        "the saved state and {what} differ in {differ:?}"
    );
}

fn state(file: &Path) -> (Position, State) {
    let loaded = Checkpoints::open_to_read(file)
        .and_then(|state| state.load())
        .expect("a state that can be read")
        .expect("a saved state");
    assert!(loaded.damaged.is_empty(), "{:?}", loaded.damaged);
    let rows = loaded
        .rows
        .into_iter()
        .map(|row| ((checkpoint::Part::as_str(row.part), row.key), row.bytes));
    (loaded.position, rows.collect())
}

/// Rows of a store, each as text.
fn rows(data: &Path, sql: &str) -> Vec<String> {
    let db = rusqlite::Connection::open(data.join("store.sqlite")).expect("the store");
    let mut query = db.prepare(sql).expect("a query");
    let columns = query.column_count();
    let rows = query
        .query_map([], |row| {
            let values: Result<Vec<_>, _> = (0..columns)
                .map(|at| row.get::<_, rusqlite::types::Value>(at))
                .collect();
            values.map(|values| format!("{values:?}"))
        })
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}
