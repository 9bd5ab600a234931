//! Holds over time and over values, on both sides of each border.

use super::bench::{Bench, profile};

const OUT: &str = r#"[signals]
out = { from = "out", unit = "°C", range = [-25, 120], stale_after = "150 s" }
wet = { from = "wet", bool = true, cadence = "change", stale_after = "never", default = false }"#;

fn hold(cond: &str) -> Bench {
    Bench::new(&profile(
        OUT,
        &format!("when = \"{cond}\"\nclear = \"out < 30 °C\""),
    ))
}

#[test]
fn a_short_spike_raises_nothing() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    for (s, value) in [
        (0.0, 40.0),
        (1.0, 61.0),
        (2.0, 40.0),
        (3.0, 40.0),
        (9.0, 41.0),
    ] {
        bench.tele(s, &[("out", value)]);
    }
    bench.wait(60.0);
    assert!(bench.told().is_empty());
}

#[test]
fn a_hold_completes_at_its_due_moment_while_its_signals_are_fresh() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    for s in [0.0, 1.0, 2.0] {
        bench.tele(s, &[("out", 50.0)]);
    }
    bench.wait(3.1);
    assert!(
        bench.told().is_empty(),
        "3 s after the first true sample, plus its way"
    );
    bench.wait(3.2);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_time, super::bench::t(3.0));
    assert_eq!(events[0].at, super::bench::t(3.2));
    assert_eq!(events[0].first_event_time, super::bench::t(0.0));
}

#[test]
fn one_sample_is_no_proof() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    bench.tele(0.0, &[("out", 50.0)]);
    bench.wait(100.0);
    assert!(bench.told().is_empty());
    bench.tele(101.0, &[("out", 50.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @101"]);
}

#[test]
fn a_change_signal_holds_between_its_changes() {
    let mut bench = hold("held(wet, 2 min)");
    bench.tele(0.0, &[("wet", 1.0)]);
    bench.wait(121.0);
    assert_eq!(bench.told(), ["Raised f.fault @120"]);
}

#[test]
fn a_false_moment_starts_the_hold_over() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    for (s, value) in [
        (0.0, 50.0),
        (1.0, 50.0),
        (2.0, 47.9),
        (3.0, 50.0),
        (4.0, 50.0),
    ] {
        bench.tele(s, &[("out", value)]);
    }
    bench.wait(5.9);
    assert!(bench.told().is_empty());
    bench.wait(6.2);
    assert_eq!(bench.told(), ["Raised f.fault @6"]);
}

#[test]
fn unknown_stretches_do_not_count_and_a_long_one_starts_over() {
    let mut bench = hold("held(out >= 48 °C, 3 min)");
    bench.tele(0.0, &[("out", 50.0)]);
    // Stale from 150 s to 300 s: 150 s counted, 150 s not.
    bench.tele(300.0, &[("out", 50.0)]);
    bench.wait(329.0);
    assert!(bench.told().is_empty());
    bench.wait(331.0);
    assert_eq!(bench.told(), ["Raised f.fault @330"]);

    let mut bench = hold("held(out >= 48 °C, 3 min)");
    bench.tele(0.0, &[("out", 50.0)]);
    // Unknown for 181 s, more than the hold: it starts over.
    bench.tele(331.0, &[("out", 50.0)]);
    bench.tele(391.0, &[("out", 50.0)]);
    bench.tele(451.0, &[("out", 50.0)]);
    bench.wait(510.0);
    assert!(bench.told().is_empty());
    bench.wait(511.2);
    assert_eq!(bench.told(), ["Raised f.fault @511"]);
}

#[test]
fn a_reading_out_of_range_is_no_value_and_invalid_at_once() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    for s in [0.0, 1.0, 2.0, 3.0, 4.0] {
        bench.tele(s, &[("out", 200.0)]);
    }
    assert!(bench.told().is_empty());
    let mut bench = hold("invalid(out)");
    bench.tele(0.0, &[("out", 120.0)]);
    assert!(bench.told().is_empty());
    bench.tele(1.0, &[("out", 120.1)]);
    assert_eq!(bench.told(), ["Raised f.fault @1"]);
}

#[test]
fn a_fault_clears_when_its_clear_holds_and_stays_while_unknown() {
    let mut bench = hold("out >= 48 °C");
    bench.tele(0.0, &[("out", 50.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @0"]);
    bench.tele(1.0, &[("out", 30.0)]);
    bench.tele(2.0, &[("out", 500.0)]);
    bench.wait(500.0);
    assert!(bench.told().is_empty());
    bench.tele(501.0, &[("out", 29.9)]);
    assert_eq!(bench.told(), ["Cleared f.fault @501"]);
}

#[test]
fn k_of_n_counts_known_values_of_the_derive() {
    let text = profile(
        r#"[signals]
v = { from = "v", unit = "V", range = [0, 10], stale_after = "150 s" }
w = { from = "w", unit = "V", range = [0, 10], stale_after = "1 s" }
[derive]
d = { per = "sample", value = "v", unit = "V", label = { en = "d", zh = "d" } }"#,
        "when = \"held(d >= 5 V, 2 of 3)\"\nclear = \"v < 1 V\"",
    );
    let mut bench = Bench::new(&text);
    for (s, v) in [(0.0, 6.0), (1.0, 4.0), (2.0, 4.0), (3.0, 6.0), (4.0, 4.0)] {
        bench.tele(s, &[("v", v)]);
    }
    assert!(bench.told().is_empty(), "never two of three");
    bench.tele(5.0, &[("v", 6.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @5"]);
}

#[test]
fn the_same_reading_told_twice_is_one_sample() {
    let mut bench = hold("held(out >= 48 °C, 3 s)");
    bench.tele(0.0, &[("out", 61.0)]);
    bench.tele(0.0, &[("out", 61.0)]);
    bench.wait(100.0);
    assert!(bench.told().is_empty());
}
