//! A link that breaks loses nothing: what was not sent comes later, each record once and inside the convention's limits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::lab::simulate::Quirk;

/// Everything that the first device with this quirk says in so many days.
fn said(quirk: Quirk, days: i64) -> Vec<(String, Vec<u8>)> {
    let mut fleet = Fleet::new(plan(3, 7));
    let device = fleet
        .devices()
        .iter()
        .position(|device| device.quirk == quirk);
    let device = device.expect("a device with this quirk");
    let mut said = Vec::new();
    while fleet.peek_at().is_some_and(|at| at < FROM + days * DAY_MS) {
        let published = fleet.next().expect("it was there");
        if published.device == device {
            let kind = published.topic.rsplit('/').next().expect("a kind");
            said.push((kind.to_owned(), published.payload.to_vec()));
        }
    }
    said
}

/// The records of a payload.
fn records(kind: &str, payload: &[u8]) -> Vec<Value> {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else {
        return Vec::new();
    };
    match kind {
        "batch" => value["recs"].as_array().expect("records").clone(),
        "tele" | "event" => vec![value],
        _ => Vec::new(),
    }
}

#[test]
fn what_was_kept_offline_follows_whole() {
    let said = said(Quirk::BadLink, 9);
    let (mut batches, mut wills, mut boot) = (0, 0, 0);
    let mut seen: BTreeMap<u64, BTreeMap<u64, u32>> = BTreeMap::new();
    for (kind, payload) in &said {
        let batch = kind == "batch";
        batches += u32::from(batch);
        assert!(payload.len() <= 256 * 1_024);
        if kind == "state" {
            let state: Value = serde_json::from_slice(payload).expect("JSON");
            wills += u32::from(state["online"] == false);
            boot = state["boot"].as_u64().unwrap_or(boot);
        }
        let records = records(kind, payload);
        assert!(!batch || (1..=1_000).contains(&records.len()));
        for record in records {
            let boot = record["boot"].as_u64().unwrap_or(boot);
            let seq = record["seq"].as_u64().expect("a seq");
            *seen.entry(boot).or_default().entry(seq).or_default() += 1;
        }
    }
    assert!(batches > 0 && wills > 0, "{batches} batches, {wills} wills");
    for (boot, seqs) in seen {
        let last = *seqs.keys().next_back().expect("one at least");
        let count = u64::try_from(seqs.len()).expect("a count");
        assert_eq!(count, last, "records of boot {boot} are missing");
    }
}

#[test]
fn a_wrong_clock_is_steadily_wrong_and_one_that_jumps_is_right_again() {
    let shown = |quirk| -> Vec<f64> {
        let said = said(quirk, 8);
        let records = said
            .iter()
            .flat_map(|(kind, payload)| records(kind, payload));
        records.filter_map(|record| record["ts"].as_f64()).collect()
    };
    let from = 1_772_323_200.0;
    let wrong = shown(Quirk::WrongClock);
    assert!(wrong.iter().all(|ts| *ts > from + 3_600.0));
    let jumps = shown(Quirk::ClockJumps);
    let back = |pair: &[f64]| pair[1] < pair[0] - 600.0;
    assert!(jumps.windows(2).any(back), "it never jumps");
    let last = jumps.last().expect("it speaks");
    assert!(*last > from + 7.0 * 86_400.0, "it is not set right");
}
