//! The second half of the promises, looked at when everything has come to rest: what came of it all is what one uninterrupted
//! pass over the same journal gives.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::neighbours::Neighbours;
use super::series::Values;
use super::series::put;
use super::snapshots::ModelSnapshots;
use super::snapshots::Rows;
use super::store::ModelStore;
use crate::daemon::effects::StoreBatch;
use crate::daemon::effects::point_of;
use crate::daemon::keep::Keep;
use crate::daemon::recover;
use crate::daemon::stage::Place;
use crate::daemon::understanding::Understanding;
use crate::journal::simulated::SteppedJournal;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::series::consumer::Gatherer;
use crate::telemetry::Entry;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// A pass over the journal that nothing interrupts, as far as a snapshot has come, and the rows that it leaves.
#[derive(Default)]
pub(super) struct Uninterrupted {
    pipeline: Pipeline,
    rows: Rows,
}

impl Uninterrupted {
    /// The snapshot holds what it leaves at its position, whatever happened while the snapshot was taken.
    pub(super) fn check(&mut self, state: &ModelSnapshots, seen: &[Entry]) {
        let (Some(at), Some(saved)) = (state.position(), state.rows()) else {
            return;
        };
        if at < self.pipeline.position() {
            // The files were lost or put back.
            *self = Self::default();
        }
        for entry in seen {
            if entry.position > self.pipeline.position() && entry.position <= at {
                self.pipeline.step(entry, &mut Effects::default());
            }
        }
        let (changed, removed) = recover::in_file(self.pipeline.take_changed_rows());
        for key in removed {
            self.rows.remove(&key);
        }
        let changed = changed.into_iter();
        self.rows
            .extend(changed.map(|row| ((row.part, row.key), row.bytes)));
        assert!(
            *saved == self.rows,
            "the snapshot at {at} is not as an uninterrupted pass leaves it"
        );
    }
}

/// Looks at everything; panics at what is broken.
pub(super) fn judge(around: &mut Neighbours) {
    let journal = SteppedJournal::open(&around.disk, around.options()).expect("it opens");
    around.look_at(journal.handle()).expect("it reads");
    assert_eq!(around.store.position().0, around.seen.len() as u64);
    messages(around);
    let reference = pipeline(around);
    series(around, &reference);
    series_state(around);
    one_ticket(&around.store);
}

/// Every message is there, as often as it was sent at most, in the order in which its publisher gave it.
fn messages(around: &Neighbours) {
    let mut entries: BTreeMap<(&str, &[u8]), usize> = BTreeMap::new();
    let mut order: Vec<(&str, &[u8])> = Vec::new();
    for entry in &around.seen {
        if let Record::Message(message) = &entry.record {
            let key = (message.topic.as_str(), &*message.payload);
            let count = entries.entry(key).or_default();
            *count += 1;
            if *count == 1 {
                order.push(key);
            }
        }
    }
    for publisher in &around.publishers {
        let messages = publisher.messages();
        let mine: BTreeSet<(&str, &[u8])> = messages
            .iter()
            .map(|(message, _)| (message.topic.as_str(), &*message.payload))
            .collect();
        let first_times: Vec<_> = order.iter().filter(|key| mine.contains(*key)).collect();
        assert_eq!(first_times.len(), messages.len(), "a message is missing");
        for ((message, sent), key) in messages.iter().zip(first_times) {
            let wanted = (message.topic.as_str(), &*message.payload);
            assert_eq!(wanted, *key, "a message was overtaken");
            assert!(
                entries[key] <= *sent,
                "more entries than were sent: {message:?}"
            );
        }
    }
}

/// The store and the saved state are those of one pass.
fn pipeline(around: &Neighbours) -> ModelStore {
    let mut pipeline = Pipeline::new();
    let mut store = ModelStore::default();
    let mut received = 0;
    for entry in &around.seen {
        let mut effects = Effects::default();
        pipeline.step(entry, &mut effects);
        received += effects.counts.received;
        let batch = StoreBatch::of(&effects);
        store
            .apply(batch.at(entry.position, entry.received_at))
            .expect("decisions and store agree");
        assert!(effects.alerts.is_empty(), "{:?}", effects.alerts);
    }
    let messages = |entry: &&Entry| matches!(entry.record, Record::Message(_));
    assert_eq!(received, around.seen.iter().filter(messages).count() as u64);
    assert_eq!(
        around.store.seen(),
        store.seen(),
        "the store is not as an uninterrupted pass leaves it"
    );
    assert_eq!(
        around.state.position(),
        Some(pipeline.position()),
        "the last snapshot"
    );
    let (changed, _) = recover::in_file(pipeline.take_changed_rows());
    let rows: Rows = changed
        .into_iter()
        .map(|row| ((row.part, row.key), row.bytes))
        .collect();
    let saved = around.state.rows().expect("a snapshot");
    assert!(
        *saved == rows,
        "the state is not as an uninterrupted pass leaves it"
    );
    store
}

/// The series store holds exactly the points of the journal and of what was to be delivered.
fn series(around: &Neighbours, reference: &ModelStore) {
    let mut understanding = Understanding::new();
    let mut gatherer = Gatherer::default();
    let mut entries = around.seen.as_slice();
    let mut values = Values::new();
    while !entries.is_empty() {
        let taken = gatherer.gather(Timestamp::MIN, entries, &mut |entry| {
            understanding.take(entry)
        });
        entries = &entries[taken..];
        let batch = gatherer.drain().expect("entries were taken");
        put(&mut values, &batch.points);
    }
    for item in reference.deliveries() {
        put(
            &mut values,
            &point_of(&item.payload).into_iter().collect::<Vec<_>>(),
        );
    }
    let stored = around.series.values();
    let missing: Vec<_> = values
        .iter()
        .filter(|(key, value)| stored.get(key) != Some(value))
        .collect();
    assert!(
        missing.is_empty(),
        "not in the series, or another value: {missing:?}"
    );
    let surplus: Vec<_> = stored
        .keys()
        .filter(|key| !values.contains_key(key))
        .collect();
    assert!(
        surplus.is_empty(),
        "in the series and not in the journal: {surplus:?}"
    );
}

/// What the series consumer saved is what one pass up to that place knows.
pub(super) fn series_state(around: &Neighbours) {
    let Some(position) = around.series_state.position() else {
        return;
    };
    let end = usize::try_from(position.0).expect("a small number");
    let mut understanding = Understanding::new();
    let mut gatherer = Gatherer::default();
    let mut received_at = Timestamp::MIN;
    for entry in &around.seen[..end] {
        let taken = gatherer.gather(Timestamp::MIN, std::slice::from_ref(entry), &mut |entry| {
            understanding.take(entry)
        });
        assert_eq!(taken, 1);
        gatherer.drain();
        received_at = entry.received_at;
    }
    let place = Place {
        position,
        received_at,
    };
    let mut keep = Keep::default();
    understanding.keep(place, &gatherer, &mut keep);
    let rows: Rows = keep
        .rows()
        .0
        .into_iter()
        .map(|row| ((row.part, row.key), row.bytes))
        .collect();
    let saved = around.series_state.rows().expect("a snapshot");
    let keys = |rows: &Rows| rows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(saved),
        keys(&rows),
        "the series' state has other rows than one pass up to {position}"
    );
    for (key, bytes) in saved {
        assert!(
            rows.get(key) == Some(bytes),
            "the series' state at {position} is not that of one pass: {key:?}"
        );
    }
}

/// At most one open ticket per device and fault.
fn one_ticket(store: &ModelStore) {
    let mut open = BTreeSet::new();
    for ticket in store.tickets().filter(|ticket| ticket.is_open()) {
        let key = (ticket.device.clone(), ticket.fault.clone());
        assert!(open.insert(key), "two open tickets: {ticket:?}");
    }
}
