//! The worked faults of the brush, from raw samples to the ticket's proof.

use super::bench::{Bench, line};
use crate::detect::{Blind, FaultState};

const PROFILE: &str = include_str!("../../profile/tests/tb-iq9.toml");
const HALF_DAY: f64 = 43_200.0;

/// A brushing at `s` with this internal resistance in mΩ; at rest before, under load from the first second.
fn brushing(bench: &mut Bench, s: f64, milliohm: f64) {
    let rest = [
        ("battery_mv", 3900.0),
        ("battery_ma", 0.0),
        ("battery_pct", 70.0),
        ("battery_temp_c", 25.0),
    ];
    bench.tele(s - 5.0, &rest);
    bench.event(s, "session_start", &[]);
    let load = [
        ("battery_mv", 3900.0 - milliohm * 0.7),
        ("battery_ma", -700.0),
        ("battery_pct", 70.0),
        ("battery_temp_c", 26.0),
    ];
    bench.tele(s + 30.0, &load);
    bench.tele(s + 119.0, &load);
    bench.event(s + 120.0, "session_end", &[]);
}

fn brush() -> Bench {
    let mut bench = Bench::new(PROFILE);
    bench.device = "tb-iq9/A".parse().expect("an id");
    bench
}

#[test]
fn a_rising_resistance_is_seen_against_its_baseline() {
    let mut bench = brush();
    let mut s = 1000.0;
    for _ in 0..24 {
        brushing(&mut bench, s, 120.0);
        s += HALF_DAY;
    }
    assert!(bench.told().is_empty());
    let view = bench.detector.view(&bench.device).expect("a device");
    let rint = view
        .faults
        .iter()
        .find(|f| f.fault == "rint_high")
        .expect("a fault");
    assert_eq!((rint.state, &rint.blind), (FaultState::Normal, &None));
    // 196 mΩ is 63 % more, and under the absolute limit; half the values of 14 d must have risen.
    let mut raised = Vec::new();
    for _ in 0..28 {
        brushing(&mut bench, s, 196.0);
        s += HALF_DAY;
        raised.extend(bench.events());
    }
    assert_eq!(
        raised.len(),
        1,
        "{:?}",
        raised.iter().map(line).collect::<Vec<_>>()
    );
    let event = &raised[0];
    assert_eq!(line(event).split(' ').next(), Some("Raised"));
    assert_eq!(event.fault, "rint_high");
    let term = &event.evidence[0];
    assert!(term.held && term.baseline.is_some(), "{term:?}");
    assert!(
        (term.baseline.unwrap_or_default() - 120.0).abs() < 1.0,
        "{term:?}"
    );
    assert!(
        event.reason.en.contains("when new 120"),
        "{}",
        event.reason.en
    );
}

#[test]
fn too_few_values_are_no_judgement() {
    let mut bench = brush();
    for day in 0..7 {
        brushing(&mut bench, 1000.0 + f64::from(day) * HALF_DAY, 300.0);
    }
    assert!(bench.told().is_empty());
    let view = bench.detector.view(&bench.device).expect("a device");
    let rint = view
        .faults
        .iter()
        .find(|f| f.fault == "rint_high")
        .expect("a fault");
    assert_eq!(rint.state, FaultState::Learning);
    let learning = rint.blind.as_ref().and_then(Blind::learning);
    let learning = learning.expect("it needs more values");
    assert_eq!((learning.have, learning.need), (7, 8));
    // One each half day: the eighth comes half a day after the seventh.
    assert_eq!(
        learning.ready_at.map(|at| at.since(bench.now) / 3_600_000),
        Some(11)
    );
    // The eighth decides: 300 mΩ is over the absolute limit.
    brushing(&mut bench, 1000.0 + 7.0 * HALF_DAY, 300.0);
    let told = bench.told();
    assert!(
        told.len() == 1 && told[0].starts_with("Raised rint_high.fault"),
        "{told:?}"
    );
}

#[test]
fn a_dock_that_does_not_charge_is_told_while_it_stands_there() {
    let mut bench = brush();
    bench.tele(0.0, &[("dock.docked", 0.0)]);
    let standing = |bench: &mut Bench, s: f64| {
        bench.tele(
            s,
            &[
                ("dock.docked", 1.0),
                ("battery_pct", 40.0),
                ("battery_mv", 3700.0),
                ("battery_ma", 0.0),
                ("battery_temp_c", 22.0),
            ],
        );
    };
    for step in 0..5 {
        standing(&mut bench, 60.0 + f64::from(step) * 600.0);
    }
    assert!(bench.told().is_empty(), "not before 45 min");
    standing(&mut bench, 60.0 + 3000.0);
    assert_eq!(bench.told(), ["Raised no_charge.warn @3060"]);
}

#[test]
fn two_signs_of_water_are_a_fault_and_one_is_none() {
    let mut bench = brush();
    for (s, name) in [
        (10.0, "self_start"),
        (20.0, "self_start"),
        (30.0, "self_start"),
    ] {
        bench.event(s, name, &[("battery_temp_c", 25.0)]);
    }
    assert!(bench.told().is_empty());
    for step in 0..4 {
        bench.event(100.0 + f64::from(step), "reset", &[]);
    }
    assert!(bench.told().is_empty(), "four resets are no sign");
    bench.event(110.0, "reset", &[]);
    assert_eq!(bench.told(), ["Raised water_ingress.warn @110"]);
    // One impossible step of the clock is a sign by itself, at its instant.
    let mut bench = brush();
    bench.event(10.0, "clock_step", &[("clock_step.by_s", 7200.0)]);
    for (s, name) in [(20.0, "self_start"), (30.0, "self_start")] {
        bench.event(s, name, &[("battery_temp_c", 25.0)]);
    }
    assert_eq!(bench.told(), ["Raised water_ingress.warn @30"]);
}
