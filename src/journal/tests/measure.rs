//! Rough numbers: `cargo test --lib journal::tests::measure -- --ignored --nocapture`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use sha2::Digest;

use super::support::append;
use super::support::message;
use crate::journal::Clock;
use crate::journal::Done;
use crate::journal::Journal;
use crate::journal::JournalOptions;
use crate::journal::SystemClock;
use crate::journal::block::Block;
use crate::journal::block::Encoded;
use crate::journal::options::SEALED_BLOCK_BYTES;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// A message as appliances send them, 200 bytes of payload, with values that differ.
fn sample(number: usize) -> Record {
    let noise = sha2::Sha256::digest(number.to_le_bytes());
    let value = |index: usize, base: u32| {
        let byte = noise.get(index).copied().map_or(0, u32::from);
        f64::from(base + byte / 2) / 10.0
    };
    let mut text = format!(
        r#"{{"ts":{},"boot":3,"seq":{number},"water":{{"out_c":{},"in_c":{},"flow_lpm":{}}},"heater":{{"w":{},"duty":{}}},"leak_ma":{},"seat":{{"c":{}}},"fan":{{"rpm":{}}}"#,
        1_772_347_269_120_u64 + 97 * number as u64,
        value(0, 380),
        value(1, 120),
        value(2, 5),
        value(3, 11_000),
        value(4, 300),
        value(5, 1),
        value(6, 330),
        value(7, 21_000),
    );
    while text.len() < 199 {
        text.push(' ');
    }
    text.push('}');
    let Record::Message(message) = message(number * 7919, 0) else {
        unreachable!("a message")
    };
    Record::Message(RawMessage {
        payload: text.into(),
        ..message
    })
}

#[test]
#[ignore = "a measurement, not a check"]
fn compression_levels() {
    let mut block = Block::new(Position(1), Timestamp::from_ms(0));
    let mut number = 0;
    while block.data.len() < SEALED_BLOCK_BYTES {
        let encoded = Encoded::new(&[sample(number)]).unwrap();
        for record in encoded.records() {
            block.push(Timestamp::from_ms(i64::try_from(number).unwrap()), record);
        }
        number += 1;
    }
    for level in [1, 2, 3, 4, 5, 6, 9, 12] {
        let clock = SystemClock::new();
        let mut bytes = 0;
        for _ in 0..20 {
            bytes = zstd::bulk::compress(&block.data, level).unwrap().len();
        }
        let ms = clock.monotonic_ms();
        say(&format!(
            "level {level}: {} bytes of {} a message, {ms} ms for 20 blocks\n",
            bytes / number,
            block.data.len() / number
        ));
    }
}

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
        journal.append(vec![sample(number)], done).unwrap();
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
    append(&journal, vec![sample(0)]).unwrap();
    let clock = SystemClock::new();
    journal.tidy();
    let seal_ms = clock.monotonic_ms();
    let after = std::fs::metadata(dir.path().join("00000000000000000001.sealed"))
        .unwrap()
        .len();
    let rate = MESSAGES as u128 * 1000 / u128::from(ms.unsigned_abs());
    let line = format!(
        "{rate} messages/s in {commits} commits; {} bytes each live, {} sealed; sealing {seal_ms} ms\n",
        before / MESSAGES as u64,
        after / MESSAGES as u64
    );
    say(&line);
}

fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
