//! Simulation with faults: thousands of seeded schedules over the daemon's own stages, on one thread, with modelled disks, clocks and
//! neighbours.
//!
//! A schedule draws who does what next: devices publish, intake, journal, worker and series each take a step, disks and servers fail in
//! every way they can, clocks jump, people act, the process is killed or the power is cut between any two steps. Then all faults
//! end, everything must come to rest within a bounded number of steps, and the promises of the architecture page are checked. The
//! code under test is the daemon's; what is modelled is only what lies beyond it, and each model says what it can do.
//!
//! `FOREMEND_TEST_SCHEDULES=100000` runs as many, `FOREMEND_TEST_SEED=17` runs that one and prints its story.

mod chance;

mod judge;

mod neighbours;

mod people;

mod process;

mod publishers;

mod schedule;

mod series;

mod snapshots;

mod store;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use schedule::Schedule;

/// Schedules of a usual test run.
const SCHEDULES: u64 = 2_000;
/// So many broken ones are enough.
const BROKEN: usize = 12;
/// Lines of a story that are shown; the end is what matters.
const STORY_LINES: usize = 150;

/// Runs one schedule; an error is the story of how it went wrong.
fn run(seed: u64) -> Result<Vec<String>, String> {
    let mut schedule = Schedule::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| schedule.run()));
    let story = schedule.story;
    let Err(panic) = result else { return Ok(story) };
    let shown = story.len().saturating_sub(STORY_LINES);
    Err(format!(
        "schedule {seed} breaks a promise: {}\nagain: FOREMEND_TEST_SEED={seed} cargo test --lib daemon::simulation\n{}",
        words(panic.as_ref()),
        story[shown..].join("\n")
    ))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn every_schedule_of_faults_keeps_the_promises() {
    if let Some(seed) = number("FOREMEND_TEST_SEED") {
        match run(seed) {
            Ok(story) => eprintln!("{}", story.join("\n")),
            Err(broken) => panic!("{broken}"),
        }
        return;
    }
    let count = number("FOREMEND_TEST_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let broken = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while broken.lock().expect("nobody panicked").len() < BROKEN {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    if let Err(how) = run(seed) {
                        // A long run may be ended before it tells.
                        eprintln!("{}", how.lines().next().unwrap_or_default());
                        broken.lock().expect("nobody panicked").insert(seed, how);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().expect("nobody panicked");
    let first_lines: Vec<&str> = broken
        .values()
        .filter_map(|how| how.lines().next())
        .collect();
    if let Some(how) = broken.values().next() {
        panic!("{how}\n\nof {count}:\n{}", first_lines.join("\n"));
    }
}

#[test]
fn a_schedule_is_the_same_each_time() {
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed));
    }
}
