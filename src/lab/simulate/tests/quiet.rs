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
    let mut by: std::collections::BTreeMap<String, Vec<f64>> = std::collections::BTreeMap::new();
    for d in &played.derived {
        by.entry(format!(
            "{} {}",
            d.name,
            if std::env::var("EACH").is_ok() {
                d.device.as_str()
            } else {
                ""
            }
        ))
        .or_default()
        .push(d.value);
    }
    for (n, mut v) in by {
        v.sort_by(f64::total_cmp);
        println!(
            "{n} n={} min {} med {} max {}",
            v.len(),
            v[0],
            v[v.len() / 2],
            v[v.len() - 1]
        );
    }
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
