//! What is removed, what is not, and what happens when there is no space.

use std::sync::Arc;

use super::support::TestClock;
use super::support::append;
use super::support::append_many;
use super::support::four_segments;
use super::support::message;
use super::support::names;
use super::support::open;
use super::support::options;
use super::support::read_all;
use crate::journal::AppendError;
use crate::journal::Holder;
use crate::journal::Journal;
use crate::journal::JournalError;
use crate::journal::JournalOptions;
use crate::telemetry::DAY_MS;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;

/// Four segments (1-10, 11-20, 21-30, 31), the sealed ones of them older than 35 days.
fn old(dir: &std::path::Path, prepare: impl FnOnce(&Journal)) -> Journal {
    let clock = TestClock::new();
    let journal = four_segments(dir, &clock);
    prepare(&journal);
    clock.pass(36 * DAY_MS);
    append_many(&journal, 31..32);
    journal.tidy();
    journal
}

#[test]
fn what_is_too_old_and_needed_by_nobody_goes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = old(dir.path(), |_| {});
    assert_eq!(names(dir.path()), ["00000000000000000032.live"]);
    assert_eq!(journal.first(), Position(32));
    let gone = journal.read(Position(31), 1, 1);
    assert!(matches!(gone, Err(JournalError::Gone { .. })), "{gone:?}");
    let first = journal.read(Position(0), 10, usize::MAX).unwrap();
    assert_eq!(first.len(), 1);
    journal.close();
    let journal = open(dir.path());
    assert_eq!(append(&journal, vec![message(0, 0)]), Ok(Position(33)));
}

#[test]
fn what_is_young_stays() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = four_segments(dir.path(), &clock);
    clock.pass(35 * DAY_MS - 2 * 3_600_000);
    append_many(&journal, 31..32);
    journal.tidy();
    assert_eq!(
        journal.first(),
        Position(11),
        "the first is older, the second is 35 days old"
    );
}

#[test]
fn what_a_consumer_needs_stays_until_it_is_done_or_gone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = old(dir.path(), |journal| {
        journal.set_cursor("series", Position(15)).unwrap();
        journal.set_cursor("pipeline", Position(25)).unwrap();
    });
    assert_eq!(journal.first(), Position(11));
    journal.set_cursor("series", Position(19)).unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(11));
    journal.set_cursor("series", Position(20)).unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(21));
    journal.remove_cursor("pipeline").unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(21), "series is at 20");
    journal.remove_cursor("series").unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(32));
}

#[test]
fn a_consumer_that_has_not_begun_holds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let journal = old(dir.path(), |journal| {
        journal.set_cursor("series", Position(0)).unwrap();
    });
    assert_eq!(journal.first(), Position(1));
}

#[test]
fn what_the_older_of_the_newest_two_base_checkpoints_needs_stays() {
    let dir = tempfile::tempdir().unwrap();
    let journal = old(dir.path(), |journal| {
        for base in [3, 12, 25] {
            journal.set_base(Position(base)).unwrap();
        }
        journal.set_cursor("series", Position(31)).unwrap();
    });
    assert_eq!(journal.first(), Position(11));
    assert_eq!(journal.stats().bases, [Position(12), Position(25)]);
    journal.close();
    let journal = open(dir.path());
    journal.set_base(Position(31)).unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(21));
}

fn small_budget(clock: &Arc<TestClock>) -> JournalOptions {
    JournalOptions {
        max_bytes: 800_000,
        ..options(clock)
    }
}

/// A message that no compression makes small.
fn noise(number: usize) -> Vec<crate::telemetry::Record> {
    use sha2::Digest;
    let mut payload = Vec::new();
    while payload.len() < 4000 {
        payload.extend(sha2::Sha256::digest(format!("{number} {}", payload.len())));
    }
    let crate::telemetry::Record::Message(mut message) = message(number, 0) else {
        unreachable!("a message")
    };
    message.payload = payload.into();
    vec![crate::telemetry::Record::Message(message)]
}

#[test]
fn the_oldest_go_when_the_bytes_are_used_up() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    for number in 0..600 {
        append(&journal, noise(number)).expect("there is always space");
    }
    let stats = journal.stats();
    assert!(stats.bytes < 800_000, "{stats:?}");
    assert!(journal.first() > Position(1));
    assert_eq!(journal.last(), Position(600));
    let entries = read_all(&journal);
    assert!(entries.len() > 50, "{} are left", entries.len());
}

#[test]
fn a_full_journal_refuses_until_a_consumer_makes_space() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    journal.set_cursor("series", Position(0)).unwrap();
    let mut number = 0;
    let refused = loop {
        match append(&journal, noise(number)) {
            Ok(position) => assert_eq!(position, Position(number as u64 + 1)),
            Err(error) => break error,
        }
        number += 1;
        assert!(number < 1000);
    };
    assert_eq!(refused, AppendError::Full);
    let stats = journal.stats();
    assert!(stats.full && stats.bytes >= 800_000, "{stats:?}");
    assert_eq!(stats.first, Position(1));
    // Waiting works also across threads, and what was acknowledged can still be read.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(journal.space()));
        assert_eq!(read_all(&journal).len(), number);
        journal.set_cursor("series", journal.last()).unwrap();
        waiting.join().unwrap();
    });
    let last = Position(number as u64 + 1);
    assert_eq!(append(&journal, noise(number)), Ok(last));
    assert!(!journal.stats().full);
}

#[test]
fn a_full_journal_still_takes_controls_and_ticks_within_its_reserve() {
    use crate::telemetry::Control;
    use crate::telemetry::Record;
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    journal.set_cursor("series", Position(0)).unwrap();
    let mut number = 0;
    while append(&journal, noise(number)).is_ok() {
        number += 1;
    }
    let version = "0.1.0".into();
    let started = Record::Control(Control::Started { version });
    let last = Position(number as u64 + 2);
    assert_eq!(append(&journal, vec![started, Record::Tick]), Ok(last));
    let mixed = [vec![Record::Tick], noise(number)].concat();
    assert_eq!(append(&journal, mixed), Err(AppendError::Full));
    let text = ProfileText {
        name: "large.toml".into(),
        text: "x".repeat(2_000),
    };
    let large: Record = Record::Control(Control::Profiles {
        profiles: vec![text],
        words: vec![],
    });
    let mut taken = 0;
    while append(&journal, vec![large.clone()]).is_ok() {
        taken += 1;
        assert!(taken < 10_000, "the reserve has a bound");
    }
    assert!(taken > 0);
    let mut ticks = 0;
    while append(&journal, vec![Record::Tick]).is_ok() {
        ticks += 1;
        assert!(ticks < 10_000, "the reserve has a bound for ticks too");
    }
    journal.remove_cursor("series").unwrap();
    journal.tidy();
    assert!(append(&journal, noise(number)).is_ok());
}

#[test]
fn the_older_saved_state_gives_way_when_there_is_no_room_even_for_a_tick() {
    let tick = || vec![crate::telemetry::Record::Tick];
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    journal.set_base(Position(0)).unwrap();
    let mut number = 0;
    while append(&journal, noise(number)).is_ok() {
        number += 1;
    }
    journal.set_base(journal.last()).unwrap();
    journal.tidy();
    assert_eq!(journal.first(), Position(1), "there is the reserve yet");
    let mut ticks = 0;
    while journal.first() == Position(1) {
        append(&journal, tick()).expect("there is room for a tick");
        ticks += 1;
        assert!(ticks < 10_000, "the reserve has a bound");
    }
    // Without that no state newer than these two could ever be saved: it takes an entry.
    let last = append(&journal, tick()).expect("there is room for a tick");
    journal.set_base(last).unwrap();
    journal.tidy();
    assert!(append(&journal, noise(number)).is_ok());
}

#[test]
fn closing_ends_the_wait_for_space() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    journal.set_cursor("series", Position(0)).unwrap();
    let mut number = 0;
    while append(&journal, noise(number)).is_ok() {
        number += 1;
    }
    let other = journal.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(other.space()));
        journal.close();
        waiting.join().unwrap();
    });
    assert_eq!(append(&other, noise(number)), Err(AppendError::Closed));
}

#[test]
fn a_damaged_segment_goes_when_its_time_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append_many(&journal, 0..10);
    journal.close();
    let live = dir.path().join("00000000000000000001.live");
    let connection = rusqlite::Connection::open(&live).unwrap();
    let sql = "UPDATE blocks SET data = x'00' WHERE first = 5";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    clock.pass(36 * DAY_MS);
    append_many(&journal, 10..12);
    journal.tidy();
    assert_eq!(journal.first(), Position(11));
}

#[test]
fn a_journal_that_was_full_is_full_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), small_budget(&clock)).unwrap();
    journal.set_cursor("series", Position(0)).unwrap();
    let mut number = 0;
    while append(&journal, noise(number)).is_ok() {
        number += 1;
    }
    journal.close();
    let options = JournalOptions {
        max_bytes: 700_000,
        ..options(&clock)
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    assert_eq!(append(&journal, noise(number)), Err(AppendError::Full));
    journal.remove_cursor("series").unwrap();
    journal.tidy();
    assert!(append(&journal, noise(number)).is_ok());
}

#[test]
fn cursors_have_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for number in 0..crate::journal::options::CURSORS {
        journal
            .set_cursor(&format!("c{number}"), Position(1))
            .unwrap();
    }
    assert!(journal.set_cursor("one more", Position(1)).is_err());
    journal.set_cursor("c0", Position(2)).unwrap();
}

#[test]
fn what_a_stuck_consumer_holds_up_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = old(dir.path(), |journal| {
        journal.set_cursor("series", Position(15)).unwrap();
        journal.set_cursor("pipeline", Position(31)).unwrap();
    });
    let held = journal.stats().held.expect("the second and third are old");
    assert_eq!(held.holder, Holder::Consumer("series".to_owned()));
    assert_eq!(held.position, Position(15));
    assert_eq!(journal.stats().first, Position(11));
    journal.set_cursor("series", Position(20)).unwrap();
    journal.tidy();
    let less = journal.stats().held.expect("the third is old");
    assert!(less.bytes < held.bytes, "{less:?} {held:?}");
    journal.set_cursor("series", Position(31)).unwrap();
    journal.tidy();
    assert_eq!(journal.stats().held, None);
}

#[test]
fn what_is_too_much_and_held_is_told_before_the_journal_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), small_budget(&TestClock::new())).unwrap();
    journal.set_cursor("series", Position(0)).unwrap();
    let mut number = 0;
    let told = loop {
        append(&journal, noise(number)).expect("not full yet");
        let stats = journal.stats();
        if stats.held.is_some() {
            break stats;
        }
        number += 1;
    };
    assert!(!told.full && told.bytes < 800_000, "{told:?}");
    journal.remove_cursor("series").unwrap();
    journal.tidy();
    assert_eq!(journal.stats().held, None);
}
