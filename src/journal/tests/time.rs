//! `received_at`: never back, slewed, steps told.

use std::sync::Arc;

use super::support::START;
use super::support::TestClock;
use super::support::append;
use super::support::message;
use super::support::options;
use super::support::read_all;
use crate::journal::Clock;
use crate::journal::Journal;
use crate::journal::clock::Stamper;
use crate::journal::clock::Step;
use crate::telemetry::Control;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

fn stamper(clock: &Arc<TestClock>) -> Stamper {
    Stamper::new(Arc::clone(clock) as Arc<dyn Clock>, None)
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

#[test]
fn time_follows_the_clock() {
    let clock = TestClock::new();
    let mut stamper = stamper(&clock);
    clock.pass(1500);
    assert_eq!(stamper.stamp().at, at(1500));
}

#[test]
fn a_small_step_is_made_up_at_a_tenth_of_the_time_that_goes_by() {
    let clock = TestClock::new();
    let mut stamper = stamper(&clock);
    clock.step(1000);
    assert_eq!(stamper.stamp().at, at(0));
    clock.pass(5000);
    assert_eq!(stamper.stamp().at, at(5500));
    clock.pass(5000);
    assert_eq!(stamper.stamp().at, at(11_000));
    clock.step(-1000);
    let mut before = stamper.stamp().at;
    // In steps of a millisecond too, and never back.
    for _ in 0..10_000 {
        clock.pass(1);
        let stamp = stamper.stamp();
        assert!(stamp.at >= before && stamp.step.is_none());
        before = stamp.at;
    }
    assert_eq!(before, at(20_000));
}

#[test]
fn two_seconds_are_no_step_and_a_millisecond_more_is_one() {
    let clock = TestClock::new();
    let mut stamper = stamper(&clock);
    clock.step(2000);
    assert_eq!(stamper.stamp().step, None);
    clock.step(2001);
    let stamp = stamper.stamp();
    let (from, to) = (at(0), at(4001));
    assert_eq!(stamp.step, Some(Step { from, to }));
    assert_eq!(stamp.at, to);
    assert_eq!(stamper.stamp().step, None, "told once");
}

#[test]
fn a_step_back_is_told_once_and_time_goes_on_slower() {
    let clock = TestClock::new();
    let mut stamper = stamper(&clock);
    clock.pass(1000);
    clock.step(-3_600_000);
    let stamp = stamper.stamp();
    let (from, to) = (at(1000), at(1000 - 3_600_000));
    assert_eq!(stamp.step, Some(Step { from, to }));
    assert_eq!(stamp.at, from);
    clock.pass(10_000);
    let stamp = stamper.stamp();
    assert_eq!((stamp.at, stamp.step), (at(10_000), None));
}

#[test]
fn a_step_is_a_record_stamped_before_it_and_what_follows_is_stamped_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append(&journal, vec![message(0, 0)]).unwrap();
    clock.pass(1000);
    clock.step(7_200_000);
    assert_eq!(append(&journal, vec![message(1, 0)]), Ok(Position(3)));
    let entries = read_all(&journal);
    let times: Vec<_> = entries.iter().map(|entry| entry.received_at).collect();
    let (from, to) = (at(1000), at(7_201_000));
    assert_eq!(times, [at(0), from, to]);
    let step = Record::Control(Control::ClockStep { from, to });
    assert_eq!(entries.get(1).map(|entry| &entry.record), Some(&step));
}

#[test]
fn time_does_not_go_back_when_the_clock_did_while_we_were_away() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    clock.pass(60_000);
    append(&journal, vec![message(0, 0)]).unwrap();
    journal.close();
    clock.step(-50_000);
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    append(&journal, vec![message(1, 0)]).unwrap();
    clock.pass(100);
    append(&journal, vec![message(2, 0)]).unwrap();
    let times: Vec<_> = read_all(&journal)
        .iter()
        .map(|entry| entry.received_at)
        .collect();
    assert_eq!(times, [at(60_000), at(60_000), at(60_090)]);
}

/// Imports ticks of these times and waits for the answer.
fn import(journal: &Journal, times: &[i64]) -> Position {
    let records = times.iter().map(|ms| (at(*ms), Record::Tick)).collect();
    let (done, answer) = std::sync::mpsc::sync_channel(1);
    let tell = move |result| drop(done.send(result));
    journal.import(records, Box::new(tell)).unwrap();
    answer.recv().unwrap().unwrap()
}

fn times(journal: &Journal) -> Vec<Timestamp> {
    let entries = read_all(journal);
    entries.iter().map(|entry| entry.received_at).collect()
}

#[test]
fn what_is_imported_keeps_its_own_times_which_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    let last = import(&journal, &[-90_000, -90_000, -60_000, -61_000, -59_999]);
    assert_eq!(last, Position(5));
    assert_eq!(import(&journal, &[-59_999, -60_000, 0]), Position(8));
    let expected = [
        -90_000, -90_000, -60_000, -60_000, -59_999, -59_999, -59_999, 0,
    ];
    assert_eq!(times(&journal), expected.map(at));
    journal.close();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    assert_eq!(times(&journal), expected.map(at));
}

#[test]
fn after_an_import_the_journals_own_time_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let journal = Journal::open(dir.path(), options(&clock)).unwrap();
    import(&journal, &[-90_000]);
    clock.pass(1000);
    append(&journal, vec![Record::Tick]).unwrap();
    import(&journal, &[-80_000]);
    clock.pass(1000);
    append(&journal, vec![Record::Tick]).unwrap();
    assert_eq!(times(&journal), [-90_000, 1000, 1000, 2000].map(at));
}
