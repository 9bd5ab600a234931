//! Everything that outlives a process: the disks, the other servers, the clocks, and what a watcher has seen so far.
//!
//! The watcher's notes hold the first half of the promises: what was durable once is so for ever, at its place; what was
//! acknowledged is there; every message is accounted for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::judge::Uninterrupted;
use super::process::Placed;
use super::publishers::Publisher;
use super::series::ModelSeries;
use super::snapshots::ModelSnapshots;
use super::store::ModelStore;
use crate::daemon::announce::World;
use crate::daemon::handover::Room;
use crate::daemon::snapshot::Limits;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::journal::simulated::ModelClock;
use crate::journal::simulated::ModelDisk;
use crate::pipeline::Effects;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Record;
use crate::telemetry::Settings;
use crate::telemetry::Timestamp;
use crate::telemetry::ZoneTable;

/// When everything begins: 2026-03-01 00:00 UTC.
const START: i64 = 1_772_323_200_000;
/// Small segments, so that a schedule has several.
const SEGMENT_BYTES: u64 = 2_000;
/// A budget that no schedule reaches.
const AMPLE_BYTES: u64 = 1 << 40;

/// Everything but the process.
pub(super) struct Neighbours {
    pub(super) chance: Chance,
    pub(super) clock: ModelClock,
    pub(super) disk: ModelDisk,
    pub(super) store: ModelStore,
    pub(super) state: ModelSnapshots,
    pub(super) series_state: ModelSnapshots,
    pub(super) series: ModelSeries,
    pub(super) publishers: [Publisher; 2],
    pub(super) placed: Placed,
    /// Every entry that anybody ever read, by position, the first at index 0.
    pub(super) seen: Vec<Entry>,
    pub(super) max_bytes: u64,
    uninterrupted: Uninterrupted,
}

impl Neighbours {
    pub(super) fn new(seed: u64) -> Self {
        let clock = ModelClock::at(Timestamp::from_ms(START));
        Self {
            chance: Chance::new(seed),
            disk: ModelDisk::new(&clock),
            store: ModelStore::default(),
            state: ModelSnapshots::default(),
            series_state: ModelSnapshots::default(),
            series: ModelSeries::new(),
            publishers: Default::default(),
            placed: Arc::default(),
            seen: Vec::new(),
            max_bytes: AMPLE_BYTES,
            uninterrupted: Uninterrupted::default(),
            clock,
        }
    }

    pub(super) fn options(&self) -> JournalOptions {
        JournalOptions {
            max_bytes: self.max_bytes,
            max_age: Duration::MAX,
            segment_bytes: SEGMENT_BYTES,
            segment_age: Duration::from_hours(1),
            clock: Arc::new(self.clock.clone()),
            ..JournalOptions::default()
        }
    }

    /// What the settings say.
    pub(super) fn world() -> World {
        World {
            settings: Settings::default(),
            zones: ZoneTable::default(),
            profiles: vec![ProfileText {
                name: "x-2.toml".into(),
                text: include_str!("appliance.toml").into(),
            }],
            words: Vec::new(),
        }
    }

    /// Entries of a batch at most, small enough that batches differ.
    pub(super) fn batch_entries(&mut self) -> usize {
        1 + self.chance.below(12)
    }

    /// How much may wait for the series: in half of the lives so little that the hand-over often breaks off.
    pub(super) fn room(&mut self) -> Room {
        if self.chance.percent(50) {
            return Room::default();
        }
        Room {
            batches: 1 + self.chance.below(4),
            bytes: 400 + self.chance.below(8_000),
            row_bytes: 400 + self.chance.below(4_000),
        }
    }

    /// Few rows of a snapshot at once and little room for those that wait, so that everything waits for everything.
    pub(super) fn limits(&mut self) -> Limits {
        Limits {
            rows: 1 + self.chance.below(3),
            entries: 1 + self.chance.below(4),
            ahead: *self.chance.of(&[1, 1_000, 1 << 20]),
            held: *self.chance.of(&[1_000, 8_000, 1 << 20]),
        }
    }

    /// Someone read entries, which are therefore durable.
    pub(super) fn saw(&mut self, entries: &[Entry]) {
        for entry in entries {
            let index = usize::try_from(entry.position.0 - 1).expect("a small number");
            assert!(index <= self.seen.len(), "entries were skipped");
            match self.seen.get(index) {
                Some(before) => assert_eq!(before, entry, "an entry that was durable has changed"),
                None => self.seen.push(entry.clone()),
            }
        }
        let newest = entries.last().map(|entry| entry.position);
        assert!(
            newest <= Some(self.disk.durable_end()),
            "entries were read that a power cut may take away"
        );
    }

    /// Looks at the whole journal, as it is after a start or at the end.
    pub(super) fn look_at(&mut self, journal: &Journal) -> anyhow::Result<()> {
        let mut next = journal.first();
        while next <= journal.last() {
            let entries = journal.read(next, 100, usize::MAX)?;
            let Some(last) = entries.last() else { break };
            next = last.position.next();
            self.saw(&entries);
        }
        let known = self.seen.len() as u64;
        assert_eq!(
            known,
            journal.last().0,
            "entries that were durable are gone"
        );
        let steady = |pair: &[Entry]| pair[0].received_at <= pair[1].received_at;
        assert!(self.seen.windows(2).all(steady), "time went back");
        self.check_acknowledged();
        Ok(())
    }

    /// What was acknowledged is in the journal, and what was told a place lies there.
    fn check_acknowledged(&self) {
        let kept: BTreeSet<(&str, &[u8])> = self
            .seen
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Message(message) => Some((message.topic.as_str(), &*message.payload)),
                Record::Control(_) | Record::Tick => None,
            })
            .collect();
        for publisher in &self.publishers {
            for message in publisher.acknowledged() {
                assert!(
                    kept.contains(&(message.topic.as_str(), &*message.payload)),
                    "an acknowledged message is lost: {message:?}"
                );
            }
        }
        let placed = self.placed.lock().expect("nothing panics while it is held");
        for (last, records) in placed.iter() {
            let end = usize::try_from(last.0).expect("a small number");
            let begin = end - records.len();
            let found = self.seen.get(begin..end).unwrap_or_default();
            assert!(
                found.iter().map(|entry| &entry.record).eq(records),
                "records that were told position {last} do not lie there"
            );
        }
    }

    /// A snapshot may have been written.
    pub(super) fn check_snapshot(&mut self) {
        assert!(
            self.state.position() <= Some(self.store.position()),
            "the snapshot is ahead of the store"
        );
        self.uninterrupted.check(&self.state, &self.seen);
    }

    /// The worker told what a batch brought.
    pub(super) fn told(&self, position: Position, effects: &Effects) {
        let counts = &effects.counts;
        assert_eq!(
            counts.received,
            counts.decoded + counts.rejected + counts.duplicate,
            "a message is not accounted for"
        );
        assert!(
            effects.is_empty() || self.store.position() >= position,
            "effects were told that are not committed"
        );
    }

    /// From now on everything works.
    pub(super) fn repair(&mut self) {
        self.disk.repair();
        self.store.repair();
        self.state.repair();
        self.series_state.repair();
        self.series.set(super::series::Mood::Works);
    }
}
