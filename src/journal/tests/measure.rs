//! Rough numbers: `cargo test --lib journal::tests::measure -- --ignored --nocapture`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::support::append;
use super::support::message;
use crate::journal::Clock;
use crate::journal::Done;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::journal::SystemClock;

#[test]
#[ignore = "a measurement, not a check"]
fn throughput_and_bytes_of_messages_of_200_bytes() {
    const MESSAGES: usize = 300_000;
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        segment_bytes: 1 << 40,
        max_bytes: 1 << 50,
        ..JournalOptions::default()
    };
    let journal = Journal::open(dir.path(), options.clone()).unwrap();
    let clock = SystemClock::new();
    let done: Arc<AtomicUsize> = Arc::default();
    for number in 0..MESSAGES {
        let done = Arc::clone(&done);
        let done: Done = Box::new(move |_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        journal.append(vec![message(number, 200)], done).unwrap();
    }
    append(&journal, Vec::new()).unwrap();
    let ms = clock.monotonic_ms();
    let commits = journal.stats().commits;
    journal.close();
    assert_eq!(done.load(Ordering::Relaxed), MESSAGES);
    let before = std::fs::metadata(dir.path().join("00000000000000000001.live"))
        .unwrap()
        .len();
    let options = JournalOptions {
        segment_age: std::time::Duration::ZERO,
        ..options
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    append(&journal, vec![message(0, 200)]).unwrap();
    let clock = SystemClock::new();
    journal.tidy();
    let seal_ms = clock.monotonic_ms();
    let after = std::fs::metadata(dir.path().join("00000000000000000001.sealed"))
        .unwrap()
        .len();
    let rate = MESSAGES as u128 * 1000 / u128::from(ms.unsigned_abs());
    tracing::info!(rate, ms, commits, before, after, seal_ms, "measured");
    let line = format!(
        "{rate} messages/s in {commits} commits; {} bytes each live, {} sealed; sealing {seal_ms} ms\n",
        before / MESSAGES as u64,
        after / MESSAGES as u64
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
