//! What the window functions give, seen through a fault that compares them, and in the window's own words.

use super::bench::{Bench, profile, t};
use crate::detect::window::{Cells, Keeping, Points, Running, quantile};
use crate::profile::{Window, WindowFn};

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

/// What a window over so much time keeps for this function.
fn keeping(func: WindowFn, span_ms: i64) -> Keeping {
    Keeping::of(func, &Window::Span { span_ms, ago_ms: 0 })
}

#[test]
fn a_dense_window_stays_bounded_and_nearly_right() {
    let near = |value: Option<f64>, wanted: f64, slack: f64| {
        let value = value.expect("known");
        assert!((value - wanted).abs() <= slack, "{value} is not {wanted}");
    };
    for (func, wanted, slack) in [
        (WindowFn::Count, 10_000.0, 320.0),
        (WindowFn::Mean, 499.5, 20.0),
        (WindowFn::Max, 999.0, 0.0),
        (WindowFn::Min, 0.0, 0.0),
    ] {
        let (mut cells, keeping) = (Cells::default(), keeping(func, 10_000));
        for at in 0..100_000_i64 {
            cells.push(at, dense(at), keeping);
            cells.forget_until(at - 10_000);
        }
        near(cells.value(keeping, 89_999, i64::MAX).0, wanted, slack);
    }
    let mut points = Points::default();
    for at in 0..100_000_i64 {
        points.push_thinned(at, dense(at), 256);
        points.forget_until(at - 10_000);
    }
    let median = points.value(WindowFn::Median, 89_999, i64::MAX).0;
    near(median, 499.5, 30.0);
}

#[expect(clippy::cast_precision_loss, reason = "small test numbers")]
fn dense(at: i64) -> f64 {
    (at % 1_000) as f64
}

#[test]
fn a_late_value_finds_its_cell() {
    for (func, after, up_to, wanted) in [
        (WindowFn::Count, 0, 100, 5.0),
        (WindowFn::Max, 10, 100, 9.0),
        (WindowFn::Max, 15, 100, 1.0),
        (WindowFn::Min, 0, 100, -9.0),
        (WindowFn::Min, 5, 100, 1.0),
    ] {
        let (mut cells, keeping) = (Cells::default(), keeping(func, 100));
        for at in [10, 20, 30] {
            cells.push(at, 1.0, keeping);
        }
        cells.insert(15, 9.0, keeping);
        cells.insert(5, -9.0, keeping);
        assert_eq!(
            cells.value(keeping, after, up_to).0,
            Some(wanted),
            "{func:?}"
        );
    }
}

/// Numbers that look random and are the same each time (a linear congruential generator, Knuth's constants).
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// What the function gives over values that were all kept.
fn plainly(func: WindowFn, values: &[(i64, f64)]) -> Option<f64> {
    let first = values.first()?;
    let last = values.last()?;
    let only = values.iter().map(|value| value.1);
    match func {
        WindowFn::Max => only.reduce(f64::max),
        WindowFn::Min => only.reduce(f64::min),
        WindowFn::Last => Some(last.1),
        WindowFn::Increase { .. } | WindowFn::Integral => Some(last.1 - first.1),
        _ => None,
    }
}

#[test]
fn what_a_window_leaves_out_is_never_missed() {
    let growth = WindowFn::Increase {
        roll_over: None,
        counts_down: false,
    };
    for func in [WindowFn::Max, WindowFn::Min, WindowFn::Last, growth] {
        for seed in 0..200 {
            let mut number = numbers(seed);
            let (mut cells, mut all) = (Cells::default(), Vec::<(i64, f64)>::new());
            let span = i64::try_from(number(60)).unwrap() + 1;
            let keeping = keeping(func, span);
            let mut at = 0;
            for _ in 0..100 {
                at += i64::try_from(number(9)).unwrap();
                let value = f64::from(u32::try_from(number(6)).unwrap());
                let back = i64::try_from(number(20)).unwrap();
                let late = matches!(func, WindowFn::Max | WindowFn::Min) && number(4) == 0;
                if late && all.iter().all(|one| one.0 != at - back) {
                    cells.insert(at - back, value, keeping);
                    all.push((at - back, value));
                    all.sort_by_key(|one| one.0);
                } else {
                    cells.push(at, value, keeping);
                    all.push((at, value));
                }
                cells.forget_until(at - span);
                all.retain(|one| one.0 > at - span);
                let bytes = postcard::to_stdvec(&cells).unwrap();
                let mut read: Cells = postcard::from_bytes(&bytes).unwrap();
                assert_eq!(read, cells);
                let given = cells.value(keeping, at - span, at).0;
                assert_eq!(given, plainly(func, &all), "{func:?}, seed {seed}, at {at}");
                assert_eq!(read.value(keeping, at - span, at).0, given);
            }
        }
    }
}

#[test]
fn windows_keep_no_more_than_they_are_asked_for() {
    let size = |func: WindowFn, window: &Window, value: fn(i64) -> f64| {
        let (mut cells, keeping) = (Cells::default(), Keeping::of(func, window));
        for at in 0..100 {
            cells.push(at * 1_000, value(at), keeping);
        }
        postcard::to_stdvec(&cells).unwrap().len()
    };
    let growth = WindowFn::Increase {
        roll_over: None,
        counts_down: false,
    };
    let hour = Window::Span {
        span_ms: 3_600_000,
        ago_ms: 0,
    };
    assert!(size(WindowFn::Mean, &Window::Session(0), dense) < 40);
    assert!(size(WindowFn::Count, &Window::Day, dense) < 40);
    assert!(size(WindowFn::Max, &hour, dense) < 40);
    assert!(size(growth, &hour, |_| 7.0) < 40);
    assert!(size(WindowFn::Mean, &hour, dense) > 900);
}

#[test]
fn a_late_look_at_a_greatest_value_sees_it_as_it_is_now() {
    let mut bench = Bench::new(&profile(
        V,
        "when = \"max(v, 1 min) >= 7 V\"\nclear = \"v < -90 V\"",
    ));
    bench.tele(100.0, &[("v", 1.0)]);
    bench.tele(130.0, &[("c", 1.0)]);
    // A late reading of another signal's moment: older than the newest record, newer than the last reading of `v`.
    let record = super::bench::record(120.0, &[("v", 8.0)]);
    let telemetry = bench.telemetry(vec![record], Some(0));
    bench.send(t(131.0), &telemetry);
    bench.tele(132.0, &[("c", 2.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @120"]);
}

#[test]
fn quantiles_lie_between_their_neighbours() {
    assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), Some(2.0));
    assert_eq!(quantile(&mut [1.0, 2.0], 0.25), Some(1.25));
    assert_eq!(quantile(&mut [], 0.5), None);
}
