//! Many appending at once: order, completeness, few commits, bounds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use futures_util::FutureExt;

use super::support::FaultyDisk;
use super::support::append;
use super::support::message;
use super::support::open;
use super::support::read_all;
use crate::journal::AppendError;
use crate::journal::Done;
use crate::journal::options::APPEND_BYTES;
use crate::journal::options::QUEUE_BYTES;
use crate::telemetry::Position;

const THREADS: usize = 8;
const EACH: usize = 200;

#[test]
fn callbacks_of_eight_threads_come_all_once_and_in_the_order_of_positions() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let called: Arc<Mutex<Vec<(Position, usize)>>> = Arc::default();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, called) = (&journal, &called);
            scope.spawn(move || {
                for index in 0..EACH {
                    let number = thread * EACH + index;
                    let called = Arc::clone(called);
                    let done: Done = Box::new(move |result| {
                        called.lock().unwrap().push((result.unwrap(), number));
                    });
                    let records = vec![message(number, 0), message(number, 0)];
                    journal.append(records, done).unwrap();
                }
            });
        }
    });
    append(&journal, Vec::new()).expect("all before it is durable");
    let called = called.lock().unwrap().clone();
    let positions: Vec<u64> = called.iter().map(|(position, _)| position.0).collect();
    let expected: Vec<u64> = (1..=THREADS * EACH).map(|index| 2 * index as u64).collect();
    assert_eq!(positions, expected);
    let numbers: BTreeSet<usize> = called.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers.len(), THREADS * EACH);
    // What was called back with a position lies there, and each thread's own are in its order.
    let entries = read_all(&journal);
    for (entry, number) in entries
        .iter()
        .skip(1)
        .step_by(2)
        .zip(called.iter().map(|one| one.1))
    {
        assert_eq!(entry.record, message(number, 0));
    }
    for thread in 0..THREADS {
        let own = called
            .iter()
            .map(|one| one.1)
            .filter(|number| number / EACH == thread);
        assert!(own.is_sorted());
    }
    let commits = journal.stats().commits;
    assert!(commits < (THREADS * EACH) as u64 / 4, "{commits} commits");
}

#[test]
fn what_waits_behind_a_commit_goes_into_one_commit_together() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open(dir.path());
    let (done, answers) = mpsc::sync_channel(200);
    let gate = disk.gate.lock().unwrap();
    for number in 0..100 {
        let done = done.clone();
        let done: Done = Box::new(move |result| done.send(result.unwrap()).unwrap());
        journal.append(vec![message(number, 0)], done).unwrap();
    }
    drop(gate);
    let answers: Vec<Position> = answers.iter().take(100).collect();
    assert!(answers.is_sorted());
    let commits = disk.commits.load(Ordering::Relaxed);
    assert!((1..=2).contains(&commits), "{commits} commits");
}

#[test]
fn an_append_without_company_is_committed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = crate::journal::Journal::open(
        dir.path(),
        crate::journal::JournalOptions {
            // Waiting this long once would fail the test.
            commit_interval: std::time::Duration::from_hours(1),
            ..super::support::options(&super::support::TestClock::new())
        },
    )
    .unwrap();
    for number in 0..5 {
        append(&journal, vec![message(number, 0)]).unwrap();
    }
    assert_eq!(journal.stats().commits, 5);
}

#[test]
fn a_mebibyte_does_not_wait_for_company() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open_with(
        dir.path(),
        crate::journal::JournalOptions {
            commit_interval: std::time::Duration::from_hours(1),
            ..super::support::options(&super::support::TestClock::new())
        },
    );
    let (done, answers) = mpsc::sync_channel(10);
    let gate = disk.gate.lock().unwrap();
    for number in 0..3 {
        let done = done.clone();
        let done: Done = Box::new(move |result| done.send(result.unwrap()).unwrap());
        journal
            .append(vec![message(number, 1_100_000)], done)
            .unwrap();
    }
    drop(gate);
    assert_eq!(answers.iter().take(3).count(), 3);
}

#[test]
fn a_full_queue_makes_callers_wait_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = disk.open(dir.path());
    let gate = disk.gate.lock().unwrap();
    let nothing = || -> Done { Box::new(|result| assert!(result.is_ok())) };
    // One may be with the writer already; what is taken beyond that is within the limit.
    let mut taken = 0;
    while let Some(answer) = journal
        .append_async(vec![message(taken, 500_000)], nothing())
        .now_or_never()
    {
        answer.unwrap();
        taken += 1;
        assert!(journal.stats().queued_bytes <= QUEUE_BYTES);
        assert!(taken < 100);
    }
    assert!(taken >= QUEUE_BYTES / 600_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(|| append(&journal, vec![message(1000, 0)]));
        let asynchronous = scope
            .spawn(|| runtime.block_on(journal.append_async(vec![message(1001, 0)], nothing())));
        drop(gate);
        assert!(blocked.join().unwrap().is_ok());
        assert_eq!(asynchronous.join().unwrap(), Ok(()));
    });
    append(&journal, Vec::new()).unwrap();
    assert_eq!(journal.last(), Position(taken as u64 + 2));
}

#[test]
fn an_append_over_the_limit_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let refused = append(&journal, vec![message(0, APPEND_BYTES + 1)]);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    assert_eq!(append(&journal, vec![message(0, 0)]), Ok(Position(1)));
}

#[test]
fn what_is_refused_is_called_back_too() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let other = journal.clone();
    journal.close();
    let (done, answer) = mpsc::sync_channel(1);
    let done: Done = Box::new(move |result| done.send(result).unwrap());
    let returned = other.append(vec![message(0, 0)], done);
    assert_eq!(returned, Err(AppendError::Closed));
    assert_eq!(answer.try_recv(), Ok(Err(AppendError::Closed)));
}

#[test]
fn a_callback_that_panics_stops_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let done: Done = Box::new(|_| panic!("not the journal's fault"));
    journal.append(vec![message(0, 0)], done).unwrap();
    assert_eq!(append(&journal, vec![message(1, 0)]), Ok(Position(2)));
}

#[test]
fn a_callback_may_append_and_may_hold_the_last_handle() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (done, answer) = mpsc::sync_channel(1);
    let handle = journal.clone();
    let gate: Arc<Mutex<()>> = Arc::default();
    let held = gate.lock().unwrap();
    let waits = Arc::clone(&gate);
    let again: Done = Box::new(move |_| {
        drop(waits.lock());
        let last: Done = Box::new(move |result| done.send(result).unwrap());
        handle.append(vec![message(1, 0)], last).unwrap();
    });
    journal.append(vec![message(0, 0)], again).unwrap();
    drop(journal);
    drop(held);
    assert_eq!(answer.recv(), Ok(Ok(Position(2))));
}

#[test]
fn closing_writes_what_was_taken_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let other = journal.clone();
    let (done, answers) = mpsc::sync_channel(100);
    for number in 0..50 {
        let done = done.clone();
        let done: Done = Box::new(move |result| done.send(result).unwrap());
        journal.append(vec![message(number, 0)], done).unwrap();
    }
    journal.close();
    assert!(answers.try_iter().take(50).all(|answer| answer.is_ok()));
    assert_eq!(
        append(&other, vec![message(50, 0)]),
        Err(AppendError::Closed)
    );
    assert_eq!(other.last(), Position(50));
    assert_eq!(read_all(&open(dir.path())).len(), 50);
}
