//! Journals that are cut, flipped and overwritten at random places: what is whole is saved, and the rest is named.
//!
//! `FOREMEND_TEST_SALVAGES` says how many cases each journal gets (60 unless told), `FOREMEND_TEST_SEED` which.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::support::TestClock;
use super::support::append;
use super::support::append_many;
use super::support::copy;
use super::support::crash;
use super::support::four_segments;
use super::support::message;
use super::support::open;
use super::support::options;
use super::support::read_all;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalOptions;
use crate::journal::SalvageReport;
use crate::journal::raw::PAGE;
use crate::journal::raw::scan;
use crate::journal::raw::scan::Files;
use crate::journal::salvage;
use crate::journal::verify;
use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::Record;

/// Numbers that a seed gives; splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Bytes of a file.
type Bytes = (PathBuf, std::ops::Range<usize>);

/// A journal before the damage.
struct Original {
    dir: tempfile::TempDir,
    entries: BTreeMap<Position, Entry>,
    /// Of every block: its positions, and its bytes in each file.
    blocks: Vec<(Vec<Position>, Vec<Bytes>)>,
}

impl Original {
    /// Takes a directory that nobody has open; every block must be found in it.
    fn of(dir: tempfile::TempDir, entries: Vec<Entry>) -> Self {
        let entries: BTreeMap<_, _> = entries.into_iter().map(|one| (one.position, one)).collect();
        let mut blocks = Vec::new();
        for name in super::support::names(dir.path()) {
            let log = format!("{name}-wal");
            let read = |name: &str| fs::read(dir.path().join(name)).unwrap_or_default();
            let (main, wal) = (read(&name), read(&log));
            let found = scan::scan(Files {
                main: &main,
                wal: &wal,
            });
            assert!(found.torn.is_empty(), "{:?}", found.torn);
            for whole in &found.wholes {
                let head = whole.head;
                let positions = (head.first.0..=head.last().0).map(Position).collect();
                let [in_main, in_log] = whole.ranges();
                let of = |name: &str, ranges: Vec<std::ops::Range<usize>>| {
                    let name = PathBuf::from(name);
                    ranges
                        .into_iter()
                        .map(move |range| (name.clone(), range))
                        .collect::<Vec<_>>()
                };
                blocks.push((positions, [of(&name, in_main), of(&log, in_log)].concat()));
            }
        }
        let found: BTreeSet<_> = blocks.iter().flat_map(|(positions, _)| positions).collect();
        assert!(entries.keys().all(|position| found.contains(position)));
        Self {
            dir,
            entries,
            blocks,
        }
    }
}

/// Damages one file of a directory. Returns its name and which bytes are not what they were.
fn damage(dir: &Path, chance: &mut Chance, log: &mut String) -> (PathBuf, Vec<usize>) {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| PathBuf::from(file.unwrap().file_name()))
        .filter(|name| {
            let name = name.to_string_lossy();
            !name.ends_with("-shm") && !name.ends_with("lock")
        })
        .filter(|name| fs::metadata(dir.join(name)).unwrap().len() > 0)
        .collect();
    files.sort();
    let name = files[chance.below(files.len())].clone();
    let path = dir.join(&name);
    let before = fs::read(&path).unwrap();
    let mut bytes = before.clone();
    let kind = chance.below(6);
    let at = chance.below(bytes.len());
    match kind {
        0 => bytes.truncate(at),
        1 => {
            for _ in 0..=chance.below(4) {
                let at = chance.below(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
        }
        2 => {
            let end = (at + chance.below(3 * PAGE)).min(bytes.len());
            bytes[at..end].fill(if chance.below(2) == 0 { 0 } else { 0xff });
        }
        3 => {
            let page = at / PAGE * PAGE;
            let end = (page + PAGE).min(bytes.len());
            for byte in &mut bytes[page..end] {
                *byte = chance.next().to_le_bytes()[0];
            }
        }
        4 => {
            let from = chance.below(bytes.len()) / PAGE * PAGE;
            let page = at / PAGE * PAGE;
            let length = PAGE.min(bytes.len() - page.max(from));
            bytes.copy_within(from..from + length, page);
        }
        _ => {
            for at in 0..PAGE.min(bytes.len()) {
                if chance.below(3) == 0 {
                    bytes[at] = chance.next().to_le_bytes()[0];
                }
            }
        }
    }
    fs::write(&path, &bytes).unwrap();
    let told = format!("kind {kind} in {} at {at}; ", name.display());
    log.push_str(&told);
    let changed = |at: &usize| bytes.get(*at) != before.get(*at);
    (name, (0..before.len()).filter(changed).collect())
}

/// Every file with its content.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

/// One case: damage, salvage, and everything that must hold then.
fn case(original: &Original, seed: u64) -> u64 {
    let chance = &mut Chance(seed);
    let damaged = copy(original.dir.path());
    let mut log = format!("seed {seed}: ");
    let mut touched: BTreeMap<PathBuf, BTreeSet<usize>> = BTreeMap::new();
    for _ in 0..=chance.below(3) {
        let (name, bytes) = damage(damaged.path(), chance, &mut log);
        touched.entry(name).or_default().extend(bytes);
    }
    let before = contents(damaged.path());
    let into = tempfile::tempdir().unwrap();
    let new = into.path().join("journal");
    let report = salvage(damaged.path(), &new, &[]).unwrap_or_else(|error| panic!("{log}{error}"));
    assert_eq!(
        contents(damaged.path()),
        before,
        "{log}salvage changes nothing"
    );

    let mut kept = BTreeMap::new();
    if report.saved > 0 {
        kept = saved(&report, &new, &log);
    }
    for (position, entry) in &kept {
        assert_eq!(Some(entry), original.entries.get(position), "{log}");
    }
    for (positions, ranges) in &original.blocks {
        let hit = |(name, range): &Bytes| {
            touched
                .get(name)
                .is_some_and(|bytes| bytes.range(range.clone()).next().is_some())
        };
        let whole = !ranges.iter().any(hit);
        let saved = positions.iter().all(|position| kept.contains_key(position));
        assert!(
            saved || !whole,
            "{log}the block {positions:?} is whole and not saved: {report:?}"
        );
    }
    let mut lost: BTreeSet<u64> = BTreeSet::new();
    for loss in &report.lost {
        assert!(!loss.reason.is_empty());
        lost.extend(loss.first.0..=loss.last.0);
    }
    let cursors = |name: &PathBuf| name.to_string_lossy().starts_with("cursors");
    if report.saved > 0 && !touched.keys().any(cursors) {
        let rest: BTreeSet<u64> = original
            .entries
            .keys()
            .filter(|position| !kept.contains_key(position))
            .map(|position| position.0)
            .collect();
        assert_eq!(lost, rest, "{log}exactly the rest is named as lost");
    }
    never_called_whole(original, &damaged, &log);
    report.lost_positions()
}

/// The new journal is whole, goes on, and holds what the report says; its entries without the statements of loss.
fn saved(report: &SalvageReport, new: &Path, log: &str) -> BTreeMap<Position, Entry> {
    let told = verify(new).unwrap();
    assert!(told.is_whole(), "{log}{told:?}");
    let journal = open(new);
    assert_eq!(journal.id(), report.id, "{log}");
    let entries = read_all(&journal);
    let (first, last) = report.positions.unwrap();
    assert_eq!((journal.first(), journal.last()), (first, last), "{log}");
    super::support::assert_contiguous(&entries, first.0);
    assert!(entries.is_sorted_by_key(|entry| entry.received_at));
    assert_eq!(
        append(&journal, vec![message(7, 0)]),
        Ok(last.next()),
        "{log}"
    );
    let gone: BTreeSet<u64> = report
        .lost
        .iter()
        .flat_map(|loss| loss.first.0..=loss.last.0)
        .collect();
    for entry in entries
        .iter()
        .filter(|entry| gone.contains(&entry.position.0))
    {
        let stated = matches!(
            entry.record,
            Record::Tick | Record::Control(Control::Lost { .. })
        );
        assert!(stated, "{log}{entry:?}");
    }
    let kept: BTreeMap<_, _> = entries
        .into_iter()
        .filter(|entry| !gone.contains(&entry.position.0))
        .map(|entry| (entry.position, entry))
        .collect();
    assert_eq!(kept.len() as u64, report.saved, "{log}");
    kept
}

/// Where `verify` finds nothing, the journal opens and gives every entry.
fn never_called_whole(original: &Original, damaged: &tempfile::TempDir, log: &str) {
    let before = contents(damaged.path());
    let report = verify(damaged.path());
    let mut after = contents(damaged.path());
    // Where a file is broken, SQLite leaves an empty log beside it.
    after.retain(|path, bytes| {
        let made = bytes.is_empty() && !before.contains_key(path);
        !made && !path.to_string_lossy().ends_with("-shm")
    });
    for (path, bytes) in after {
        assert_eq!(
            before.get(&path),
            Some(&bytes),
            "{log}verify changes nothing: {path:?}"
        );
    }
    let Ok(report) = report else { return };
    if !report.is_whole() {
        return;
    }
    let opened = Journal::open(damaged.path(), options(&TestClock::new()));
    let journal = opened.unwrap_or_else(|error| panic!("{log}called whole, and: {error}"));
    let entries = read_all(&journal);
    assert!(
        entries.iter().eq(original.entries.values()),
        "{log}called whole, and {} of {} entries are there",
        entries.len(),
        original.entries.len()
    );
}

fn cases(original: &Original, salt: u64) {
    let seed = number("FOREMEND_TEST_SEED", 1);
    let mut lost = 0;
    for index in 0..number("FOREMEND_TEST_SALVAGES", 60) {
        lost += case(original, (seed << 32) ^ (salt << 24) ^ index);
    }
    assert!(lost > 0, "the damage hit something");
}

fn large(number: usize, chance: &mut Chance) -> Record {
    message(number, [40, 300, 3_000, 9_000, 40_000][chance.below(5)])
}

#[test]
fn sealed_segments() {
    let dir = tempfile::tempdir().unwrap();
    let journal = four_segments(dir.path(), &TestClock::new());
    journal.set_cursor("series", journal.last()).unwrap();
    let entries = read_all(&journal);
    journal.close();
    cases(&Original::of(dir, entries), 1);
}

#[test]
fn small_commits_in_the_log_of_a_killed_process() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..150);
    journal.set_cursor("series", journal.last()).unwrap();
    let entries = read_all(&journal);
    cases(&Original::of(crash(&journal), entries), 2);
}

#[test]
fn large_commits_in_a_file_and_its_log() {
    let chance = &mut Chance(3);
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for number in 0..60 {
        let records = (0..=chance.below(3))
            .map(|_| large(number, chance))
            .collect();
        append(&journal, records).unwrap();
    }
    journal.close();
    // What comes after a restart is in the log, what came before in the file.
    let journal = open(dir.path());
    for number in 60..80 {
        append(&journal, vec![large(number, chance)]).unwrap();
    }
    journal.set_cursor("series", journal.last()).unwrap();
    let entries = read_all(&journal);
    cases(&Original::of(crash(&journal), entries), 3);
}

#[test]
fn large_sealed_segments_and_a_live_one() {
    let chance = &mut Chance(4);
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        segment_bytes: 600_000,
        ..options(&TestClock::new())
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    for number in 0..300 {
        let mut records: Vec<_> = (0..=chance.below(4))
            .map(|_| large(number, chance))
            .collect();
        records.push(Record::Tick);
        append(&journal, records).unwrap();
    }
    journal.tidy();
    journal.set_cursor("series", journal.last()).unwrap();
    let entries = read_all(&journal);
    cases(&Original::of(crash(&journal), entries), 4);
}

#[test]
fn a_lost_file_is_stated_and_what_comes_before_is_filled_for_who_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = four_segments(dir.path(), &TestClock::new());
    journal.set_cursor("series", Position(4)).unwrap();
    journal.close();
    fs::remove_file(dir.path().join("00000000000000000001.sealed")).unwrap();
    let into = tempfile::tempdir().unwrap();
    let new = into.path().join("journal");
    let used = [("the store".to_owned(), Position(40))];
    let report = salvage(dir.path(), &new, &used).unwrap();
    let lost: Vec<_> = report
        .lost
        .iter()
        .map(|loss| (loss.first.0, loss.last.0))
        .collect();
    assert_eq!(lost, [(5, 10), (32, 40)]);
    assert_eq!(report.positions, Some((Position(5), Position(40))));
    let journal = open(&new);
    assert_eq!(journal.cursor("series").unwrap(), Some(Position(4)));
    let first = journal.read(Position(5), 6, usize::MAX).unwrap();
    let stated = Record::Control(Control::Lost {
        from: Position(5),
        records: 6,
    });
    assert_eq!(first.last().unwrap().record, stated);
    assert_eq!(append(&journal, vec![message(0, 0)]), Ok(Position(41)));
}

#[test]
fn nothing_is_written_over_and_nothing_taken_from_a_running_process() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append_many(&journal, 0..3);
    let into = tempfile::tempdir().unwrap();
    let running = salvage(dir.path(), into.path(), &[]);
    assert!(matches!(running, Err(JournalError::InUse { .. })));
    journal.close();
    fs::write(into.path().join("mine"), "x").unwrap();
    let occupied = salvage(dir.path(), into.path(), &[]);
    assert!(matches!(occupied, Err(JournalError::Occupied { .. })));
    let absent = salvage(into.path(), &into.path().join("new"), &[]);
    assert!(matches!(absent, Err(JournalError::Absent { .. })));
}

#[test]
fn a_payload_does_not_pose_as_a_block() {
    // A device sends the very bytes of a row with a control in it, inside a block that is whole and in one that is not.
    let other = tempfile::tempdir().unwrap();
    let journal = open(other.path());
    append_many(&journal, 0..20);
    journal.close();
    let row = fs::read(other.path().join("00000000000000000001.live")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let Record::Message(mut posing) = message(0, 0) else {
        unreachable!("a message")
    };
    posing.payload = row.into();
    append(&journal, vec![Record::Message(posing)]).unwrap();
    append_many(&journal, 1..5);
    journal.close();
    let into = tempfile::tempdir().unwrap();
    let report = salvage(dir.path(), &into.path().join("journal"), &[]).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(
        (report.saved, report.positions),
        (5, Some((Position(1), Position(5))))
    );
}
