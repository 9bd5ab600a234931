//! Sessions and what is measured in them.

use super::bench::{Bench, profile, t};

const SIGNALS: &str = r#"[signals]
run = { from = "run", bool = true, cadence = "change", stale_after = "10 min" }
v = { from = "v", unit = "V", range = [0, 100], stale_after = "150 s" }
n = { from = "n", unit = "1", counter = true, stale_after = "10 min" }
"#;

fn bench(rest: &str, keys: &str) -> Bench {
    Bench::new(&profile(&format!("{SIGNALS}{rest}"), keys))
}

fn derived(bench: &mut Bench) -> Vec<(String, f64)> {
    std::mem::take(&mut bench.out)
        .derived
        .into_iter()
        .map(|value| (value.name.to_string(), value.value))
        .collect()
}

const USE: &str = r#"[sessions]
use = { start = "run", end = "not run", max = "5 min", at_max = "AT_MAX" }
[derive]
d = { per = "use", value = "max(v)", unit = "V", label = { en = "d", zh = "d" } }
"#;

fn of(at_max: &str) -> Bench {
    bench(
        &USE.replace("AT_MAX", at_max),
        "when = \"d > 90 V\"\nclear = \"d < 1 V\"",
    )
}

#[test]
fn a_derive_sees_its_session_and_its_end() {
    let mut bench = of("drop");
    bench.tele(0.0, &[("run", 0.0), ("v", 50.0)]);
    bench.tele(10.0, &[("run", 1.0), ("v", 5.0)]);
    bench.tele(20.0, &[("v", 7.0)]);
    bench.tele(30.0, &[("run", 0.0), ("v", 8.0)]);
    bench.tele(40.0, &[("v", 60.0)]);
    assert_eq!(derived(&mut bench), [("d".to_owned(), 8.0)]);
}

#[test]
fn at_max_drops_closes_or_restarts() {
    for (at_max, expected) in [
        ("drop", vec![]),
        ("close", vec![5.0]),
        ("restart", vec![5.0, 9.0]),
    ] {
        let mut bench = of(at_max);
        bench.tele(0.0, &[("run", 0.0), ("v", 50.0)]);
        bench.tele(10.0, &[("run", 1.0), ("v", 5.0)]);
        bench.wait(310.1);
        assert!(
            derived(&mut bench).is_empty(),
            "{at_max}: not before its longest time"
        );
        bench.wait(310.2);
        let mut values = derived(&mut bench);
        bench.tele(320.0, &[("v", 9.0)]);
        bench.tele(330.0, &[("run", 0.0)]);
        values.extend(derived(&mut bench));
        let values: Vec<f64> = values.into_iter().map(|v| v.1).collect();
        assert_eq!(values, expected, "{at_max}");
    }
}

#[test]
fn a_session_whose_end_fell_into_a_gap_is_dropped() {
    let mut bench = of("close");
    bench.tele(0.0, &[("run", 0.0)]);
    bench.tele(10.0, &[("run", 1.0), ("v", 5.0)]);
    // Live, it is closed at its longest time; here `run` is stale by then and nobody knows.
    let mut bench2 = bench_with_long_max();
    bench2.tele(0.0, &[("run", 0.0)]);
    bench2.tele(10.0, &[("run", 1.0), ("v", 5.0)]);
    bench2.tele(700.0, &[("run", 0.0)]);
    assert!(derived(&mut bench2).is_empty());
    // Seen in time, it counts.
    bench2.tele(710.0, &[("run", 1.0), ("v", 6.0)]);
    bench2.tele(1200.0, &[("run", 0.0)]);
    assert_eq!(derived(&mut bench2), [("d".to_owned(), 6.0)]);
}

fn bench_with_long_max() -> Bench {
    bench(
        &USE.replace("AT_MAX", "drop").replace("5 min", "1 h"),
        "when = \"d > 90 V\"\nclear = \"d < 1 V\"",
    )
}

#[test]
fn a_session_whose_start_fell_into_a_gap_is_dropped() {
    let mut bench = bench_with_long_max();
    bench.tele(0.0, &[("run", 0.0)]);
    bench.tele(700.0, &[("run", 1.0), ("v", 5.0)]);
    bench.tele(710.0, &[("run", 0.0)]);
    assert!(derived(&mut bench).is_empty());
    // The first thing ever known of a device is no gap.
    let mut bench = bench_with_long_max();
    bench.tele(0.0, &[("run", 1.0), ("v", 5.0)]);
    bench.tele(10.0, &[("run", 0.0)]);
    assert_eq!(derived(&mut bench).len(), 1);
}

#[test]
fn an_aborted_session_gives_nothing() {
    let text = USE.replace("AT_MAX", "drop").replace(
        "end = \"not run\"",
        "end = \"not run\", abort = \"v > 50 V\"",
    );
    let mut bench = bench(&text, "when = \"d > 90 V\"\nclear = \"d < 1 V\"");
    bench.tele(0.0, &[("run", 0.0)]);
    bench.tele(10.0, &[("run", 1.0), ("v", 5.0)]);
    bench.tele(20.0, &[("v", 51.0)]);
    bench.tele(30.0, &[("run", 0.0), ("v", 5.0)]);
    assert!(derived(&mut bench).is_empty());
}

#[test]
fn before_and_at_look_where_they_say() {
    let text = r#"[events]
on = { from = "on", label = { en = "on", zh = "on" } }
off = { from = "off", label = { en = "off", zh = "off" } }
[sessions]
use = { start = "on", end = "off", max = "10 min", at_max = "drop" }
[derive]
d = { per = "use", value = "before(v, 10 s) - at(v, 30 s)", unit = "V", label = { en = "d", zh = "d" } }
"#;
    let keys = "when = \"d > 90 V\"\nclear = \"d < 1 V\"";
    let mut bench1 = bench(text, keys);
    bench1.tele(0.0, &[("v", 10.0)]);
    bench1.event(10.0, "on", &[("v", 9.0)]);
    bench1.tele(31.0, &[("v", 1.0)]);
    bench1.tele(39.0, &[("v", 3.0)]);
    bench1.tele(42.0, &[("v", 4.0)]);
    bench1.event(60.0, "off", &[("v", 5.0)]);
    assert_eq!(derived(&mut bench1), [("d".to_owned(), 7.0)]);
    // The sample before is too old, or none lies near the offset: no value.
    for (first, second) in [(-0.5, 39.0), (0.0, 29.0), (0.0, 51.0)] {
        let mut bench = bench(text, keys);
        bench.tele(first, &[("v", 10.0)]);
        bench.event(10.0, "on", &[]);
        bench.tele(second, &[("v", 3.0)]);
        bench.event(60.0, "off", &[]);
        assert!(derived(&mut bench).is_empty(), "{first} {second}");
    }
}

#[test]
fn a_counter_grows_through_reset_within_its_session_only() {
    let text = r#"[sessions]
use = { start = "run", end = "not run", max = "1 h", at_max = "drop" }
[derive]
d = { per = "use", value = "increase(n)", unit = "1", label = { en = "d", zh = "d" } }
"#;
    let mut bench = bench(text, "when = \"d > 90\"\nclear = \"d < 1\"");
    bench.tele(0.0, &[("run", 0.0), ("n", 100.0)]);
    bench.tele(10.0, &[("run", 1.0)]);
    bench.tele(20.0, &[("n", 110.0)]);
    bench.tele(30.0, &[("n", 113.0)]);
    bench.tele(40.0, &[("n", 2.0)]);
    bench.tele(50.0, &[("n", 6.0), ("run", 0.0)]);
    assert_eq!(derived(&mut bench), [("d".to_owned(), 9.0)]);
}

#[test]
fn a_day_ends_by_the_devices_own_zone() {
    let text = r#"[derive]
d = { per = "day", value = "count(v)", unit = "1", label = { en = "d", zh = "d" } }
"#;
    let mut bench = bench(text, "when = \"d > 90\"\nclear = \"d < 1\"");
    let zones = [("Asia/Shanghai".into(), vec![(t(-1e8), 8 * 3600)])].into();
    bench.detector.zones("Asia/Shanghai", &zones);
    // Local midnight is 16:00 UTC.
    let midnight = 16.0 * 3600.0;
    bench.tele(midnight - 120.0, &[("v", 1.0)]);
    bench.tele(midnight - 60.0, &[("v", 1.0)]);
    bench.tele(midnight, &[("v", 1.0)]);
    let out = std::mem::take(&mut bench.out);
    assert_eq!(out.derived.len(), 1);
    assert!((out.derived[0].value - 2.0).abs() < 1e-9);
    assert_eq!(out.derived[0].at, t(midnight));
    // Nothing more comes: the day ends an hour after midnight by itself.
    let next = midnight + 86_400.0;
    bench.wait(next + 3600.0);
    assert!(bench.out.derived.is_empty());
    bench.wait(next + 3600.2);
    assert_eq!(bench.out.derived.len(), 1);
}
