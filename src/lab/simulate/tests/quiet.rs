//! Healthy seats open no ticket, and all that they say can be read.

use super::*;

#[test]
fn ten_healthy_seats_keep_quiet() {
    let played = play(plan(11, 10), 10);
    assert_eq!(played.lines(), [""; 0]);
    println!("{:?}", played.counts.received);
}

#[test]
#[ignore = "exploration"]
fn explore() {
    let get = |name: &str, or: u64| {
        std::env::var(name)
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(or)
    };
    let started = std::time::Instant::now();
    let played = play(
        plan(get("SEED", 1), get("SEATS", 25) as usize),
        get("DAYS", 30) as i64,
    );
    println!(
        "{} messages {} rejected {:?} dup {} in {:?}",
        played.counts.received,
        played.counts.rejected,
        played.counts.records_rejected,
        played.counts.duplicate,
        started.elapsed()
    );
    for line in played.lines() {
        println!("{line}");
    }
}
