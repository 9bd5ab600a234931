//! Recordings that are made, not recorded: the day of a large fleet, and a file of small messages. One message a line, as
//! `mosquitto_sub -F %j` prints them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::moments::moments;
use crate::voice;

/// Between the first words of two devices, ms: a daemon takes in a hundred strangers a second.
const FIRST_GAP_MS: u64 = 11;
/// From a device to the one who records, ms.
const WAY_MS: u64 = 40;

/// How long the day of a fleet takes, ms: each device begins a little after the one before.
pub(crate) fn length_ms(devices: u32, washes: u32) -> u64 {
    let last = moments(washes).last().map_or(0, |(offset, _)| ms(*offset));
    last + u64::from(devices) * FIRST_GAP_MS + WAY_MS
}

/// The name of a device.
pub(crate) fn device(number: u32) -> String {
    format!("ts-flash5/F-{number:06}")
}

/// Writes what a fleet of the shipped profile with the most faults says in a day with so many washes, in order of time; returns
/// the number of messages of each device.
pub(crate) fn fleet(
    out: &mut impl Write,
    devices: u32,
    washes: u32,
    start_ms: u64,
) -> io::Result<u32> {
    let moments: Vec<(u64, String)> = moments(washes)
        .into_iter()
        .map(|(offset, signals)| (ms(offset), signals.replace('"', "\\\"")))
        .collect();
    // The next message of each moment: everyone has the same moments, one after the other.
    let mut next: BinaryHeap<_> = moments
        .iter()
        .enumerate()
        .map(|(moment, (offset, _))| Reverse((start_ms + offset, moment, 0_u32)))
        .collect();
    while let Some(Reverse((at, moment, number))) = next.pop() {
        let signals = &moments[moment].1;
        let payload = format!(
            r#"{{\"ts\":{}.{:03},\"seq\":{},\"s\":{{{signals}}}}}"#,
            at / 1_000,
            at % 1_000,
            moment + 1
        );
        line(
            out,
            at,
            &format!("appl/v1/{}/tele", device(number)),
            &payload,
        )?;
        if number + 1 < devices {
            next.push(Reverse((at + FIRST_GAP_MS, moment, number + 1)));
        }
    }
    Ok(u32::try_from(moments.len()).unwrap_or(u32::MAX))
}

/// Writes so many messages of 200 bytes from so many devices of `twenty.toml`, each speaking once a second.
pub(crate) fn small(
    out: &mut impl Write,
    messages: u32,
    devices: u32,
    start_ms: u64,
) -> io::Result<()> {
    for nth in 0..messages {
        let (second, device) = (nth / devices, nth % devices);
        let at = start_ms + u64::from(second) * 1_000 + u64::from(device);
        let seconds = f64::from(second) + f64::from(device) / 1e3;
        #[expect(clippy::cast_precision_loss, reason = "a time in ms")]
        let ts = start_ms as f64 / 1e3 + seconds;
        let payload = voice::payload(ts, 100_000 + second, second, device).replace('"', "\\\"");
        line(out, at, &voice::topic("FILE", device), &payload)?;
    }
    Ok(())
}

fn line(out: &mut impl Write, at_ms: u64, topic: &str, escaped: &str) -> io::Result<()> {
    let received = i64::try_from(at_ms + WAY_MS).unwrap_or(i64::MAX);
    let time = chrono::DateTime::from_timestamp_millis(received).unwrap_or_default();
    let tst = time.format("%Y-%m-%dT%H:%M:%S%.6fZ+0000");
    writeln!(
        out,
        r#"{{"tst":"{tst}","topic":"{topic}","qos":1,"retain":0,"payload":"{escaped}"}}"#
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a day in ms"
)]
fn ms(seconds: f64) -> u64 {
    (seconds * 1e3) as u64
}
