//! What the window functions give, seen through a fault that compares them, and in the window's own words.

use super::bench::{Bench, profile, t};
use crate::detect::window::{Cells, Points, Running, quantile};
use crate::profile::WindowFn;

const V: &str = r#"[signals]
v = { from = "v", unit = "V", range = [-100, 100], stale_after = "150 s" }
c = { from = "c", unit = "1", counter = true, stale_after = "1 d" }
[events]
e = { from = "e", label = { en = "e", zh = "e" } }
"#;

/// Samples at these seconds, and the second at which the condition first holds.
fn first(cond: &str, path: &str, samples: &[(f64, f64)]) -> Option<f64> {
    let mut bench = Bench::new(&profile(
        V,
        &format!("when = \"{cond}\"\nclear = \"v < -90 V\""),
    ));
    for (s, value) in samples {
        bench.tele(*s, &[(path, *value)]);
    }
    let events = bench.events();
    #[expect(clippy::cast_precision_loss, reason = "small test numbers")]
    let at = events
        .first()
        .map(|event| event.event_time.since(t(0.0)) as f64 / 1000.0);
    at
}

#[test]
fn each_function_raises_at_its_border_and_not_before() {
    let rising: Vec<(f64, f64)> = (0..20).map(|s| (f64::from(s), f64::from(s))).collect();
    for (cond, expected) in [
        ("max(v, 1 min) >= 7 V", Some(7.0)),
        ("min(v, 5 s) >= 3 V", Some(7.0)),
        ("mean(v, 3 s) >= 6 V", Some(7.0)),
        ("median(v, last 3) >= 6 V", Some(7.0)),
        ("sum(v, 2 s) >= 13 V", Some(7.0)),
        ("first(v, last 4) >= 4 V", Some(7.0)),
        ("count(v, 1 min) >= 8", Some(7.0)),
        ("count(v, 5 s) >= 6", None),
        ("quantile(v, 0.5, last 3) >= 6 V", Some(7.0)),
        ("integral(v, 1 min) >= 24.5 V*s", Some(7.0)),
        ("integral(v, 1 min) >= 24.6 V*s", Some(8.0)),
        ("rate(v, 5 s) >= 1 V/s", Some(1.0)),
        ("rate(v, 5 s) > 1 V/s", None),
        ("slope(v, 1 min) >= 1 V/s", Some(2.0)),
        ("total(v > 2 V, 1 min) >= 4 s", Some(7.0)),
        ("total(v > 2 V, 1 min) >= 4.1 s", Some(8.0)),
        ("max(v, 2 s, ago = 3 s) >= 4 V", Some(7.0)),
        ("changed(v)", Some(1.0)),
    ] {
        assert_eq!(first(cond, "v", &rising), expected, "{cond}");
    }
}

#[test]
fn a_window_forgets_by_time_alone() {
    let mut bench = Bench::new(&profile(
        V,
        "when = \"max(v, 60 s) >= 7 V\"\nclear = \"max(v, 60 s) < 7 V\"",
    ));
    bench.tele(0.0, &[("v", 7.0)]);
    bench.tele(59.0, &[("v", 1.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @0"]);
    bench.tele(60.0, &[("v", 1.0)]);
    assert_eq!(bench.told(), ["Cleared f.fault @60"]);
}

#[test]
fn counters_grow_through_reset_and_roll_over() {
    let samples = [(0.0, 10.0), (60.0, 12.0), (120.0, 1.0), (180.0, 3.0)];
    assert_eq!(first("increase(c, 1 h) >= 5", "c", &samples), Some(180.0));
    assert_eq!(first("increase(c, 1 h) >= 5.1", "c", &samples), None);
    let mut rolling = Running::default();
    for (at, value, total) in [
        (0, 250.0, 0.0),
        (1, 254.0, 4.0),
        (2, 2.0, 8.0),
        (3, 0.0, 8.0),
    ] {
        let grown = rolling.counter(at, value, Some(256.0), false);
        assert!((grown - total).abs() < 1e-9, "{at}: {grown}");
    }
    let mut down = Running::default();
    for (at, value, total) in [
        (0, 90.0, 0.0),
        (1, 88.0, 2.0),
        (2, 100.0, 2.0),
        (3, 97.0, 5.0),
    ] {
        let used = down.counter(at, value, None, true);
        assert!((used - total).abs() < 1e-9, "{at}: {used}");
    }
}

#[test]
fn occurrences_count_also_when_they_come_late() {
    let mut bench = Bench::new(&profile(
        V,
        "when = \"count(e, 1 h) >= 3\"\nclear = \"v < -90 V\"",
    ));
    bench.event(100.0, "e", &[]);
    bench.event(200.0, "e", &[]);
    let mut record = super::bench::record(150.0, &[]);
    record.event = Some("e".into());
    let telemetry = bench.telemetry(vec![record], Some(0));
    bench.send(t(201.0), &telemetry);
    bench.tele(210.0, &[("v", 0.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @210"]);
}

#[test]
fn a_dense_window_stays_bounded_and_nearly_right() {
    let (mut cells, mut points) = (Cells::default(), Points::default());
    for at in 0..100_000_i64 {
        #[expect(clippy::cast_precision_loss, reason = "small test numbers")]
        let value = (at % 1_000) as f64;
        cells.push(at, value);
        points.push_thinned(at, value, 256);
        cells.forget_until(at - 10_000);
        points.forget_until(at - 10_000);
    }
    let near = |value: Option<f64>, wanted: f64, slack: f64| {
        let value = value.expect("known");
        assert!((value - wanted).abs() <= slack, "{value} is not {wanted}");
    };
    near(
        cells.value(WindowFn::Count, 89_999, i64::MAX).0,
        10_000.0,
        320.0,
    );
    near(cells.value(WindowFn::Mean, 89_999, i64::MAX).0, 499.5, 20.0);
    near(cells.value(WindowFn::Max, 89_999, i64::MAX).0, 999.0, 0.0);
    near(
        points.value(WindowFn::Median, 89_999, i64::MAX).0,
        499.5,
        30.0,
    );
}

#[test]
fn a_late_value_finds_its_cell() {
    let mut cells = Cells::default();
    for at in [10, 20, 30] {
        cells.push(at, 1.0);
    }
    cells.insert(15, 9.0);
    cells.insert(5, -9.0);
    assert_eq!(cells.value(WindowFn::Count, 0, 100).0, Some(5.0));
    assert_eq!(cells.value(WindowFn::Max, 10, 19).0, Some(9.0));
    assert_eq!(cells.value(WindowFn::Last, 0, 100).0, Some(1.0));
}

#[test]
fn quantiles_lie_between_their_neighbours() {
    assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    assert_eq!(quantile(&mut [1.0, 2.0], 0.25), Some(1.25));
    assert_eq!(quantile(&mut [], 0.5), None);
}
