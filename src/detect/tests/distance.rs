//! How far a fault is from its limits, how far learning is, and why a fault is blind.

use super::bench::{Bench, profile, section};
use crate::detect::{Blind, FaultState, FaultView, HoldView, StageView, TermView};
use crate::profile::Stage;

const SIGNALS: &str = r#"[signals]
v = { from = "v", unit = "V", range = [-1000, 1000], stale_after = "150 s" }
w = { from = "w", unit = "V", range = [0, 1000], stale_after = "150 s" }
p = { from = "p", unit = "%", range = [0, 200], stale_after = "150 s" }
c = { from = "c", unit = "°C", range = [-50, 200], stale_after = "150 s" }
b = { from = "b", bool = true, cadence = "change", stale_after = "never" }
"#;

const USE: &str = r#"[signals]
run = { from = "run", bool = true, cadence = "change", stale_after = "10 min" }
v = { from = "v", unit = "V", range = [0, 1000], stale_after = "150 s" }
[sessions]
use = { start = "run", end = "not run", max = "5 min", at_max = "drop" }
[derive]
d = { per = "use", value = "max(v)", unit = "mV", baseline = { samples = 5 }, label = { en = "Voltage of a use", zh = "单次电压" } }
"#;

/// The only fault after these values.
fn fault(keys: &str, values: &[(&str, f64)]) -> FaultView {
    let mut bench = Bench::new(&profile(SIGNALS, keys));
    bench.tele(0.0, values);
    first(&bench)
}

fn first(bench: &Bench) -> FaultView {
    let view = bench.detector.view(&bench.device).expect("a device");
    view.faults.into_iter().next().expect("a fault")
}

fn worst(fault: &FaultView) -> &StageView {
    fault.stages.last().expect("a stage")
}

fn nearest(fault: &FaultView) -> &TermView {
    let stage = worst(fault);
    &stage.terms[stage.nearest.expect("a term")]
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("a distance");
    assert!(
        (found - expected).abs() < 1e-9,
        "{found} instead of {expected}"
    );
}

/// The distance of one comparison at this value.
fn distance(when: &str, values: &[(&str, f64)]) -> Option<f64> {
    worst(&fault(&format!("when = \"{when}\""), values)).distance
}

#[test]
fn rest_follows_from_unit_and_limit() {
    for (when, signal, value, expected) in [
        ("v > 40 V", "v", 10.0, 0.25),
        ("v > 40 V", "v", -10.0, 0.0),
        ("v > 40 V", "v", 60.0, 1.5),
        ("v > 40 V", "v", 900.0, 10.0),
        // What must not fall rests at twice the limit.
        ("v < 10 V", "v", 15.0, 0.5),
        ("v < 10 V", "v", 30.0, 0.0),
        ("v < -10 V", "v", -5.0, 0.5),
        ("v > -10 V", "v", -15.0, 0.5),
        // A share is healthy when it is whole.
        ("p < 80 %", "p", 90.0, 0.5),
        ("p > 120 %", "p", 110.0, 0.5),
        ("p > 50 %", "p", 25.0, 0.5),
        // °C has no zero of its own: the room's 20 °C.
        ("c > 48 °C", "c", 34.0, 0.5),
        ("c <= -20 °C", "c", 0.0, 0.5),
        ("c > 10 °C", "c", 0.0, 0.5),
        ("c < 30 °C", "c", 40.0, 0.5),
    ] {
        near(distance(when, &[(signal, value)]), expected);
    }
    assert_eq!(distance("v > 40 V", &[("w", 1.0)]), None);
}

#[test]
fn a_limit_of_zero_and_a_truth_value_have_no_scale() {
    let kept = fault("when = \"v < 0 V\"", &[("v", 5.0)]);
    assert_eq!(worst(&kept).distance, Some(0.0));
    assert_eq!(worst(&kept).nearest, None);
    assert_eq!(worst(&kept).terms[0].distance, None);
    assert_eq!(distance("b", &[("b", 1.0)]), Some(1.0));
    assert_eq!(distance("b", &[("b", 0.0)]), Some(0.0));
    assert_eq!(distance("not b", &[("b", 1.0)]), Some(0.0));
}

#[test]
fn and_is_as_near_as_what_is_missing_most_and_or_as_what_is_nearest() {
    let values = [("v", 30.0), ("w", 10.0), ("b", 1.0)];
    near(distance("v > 40 V and w > 40 V", &values), 0.25);
    near(distance("v > 40 V or w > 40 V", &values), 0.75);
    near(distance("v > 40 V and b", &values), 0.75);
    assert_eq!(distance("v > 40 V and not b", &values), Some(0.0));
    near(distance("v > 40 V or not b", &values), 0.75);
    // "Not" turns both round: v <= 40 V is reached from above, from twice the limit.
    near(distance("not (v > 40 V)", &[("v", 60.0), ("w", 10.0)]), 0.5);
    near(
        distance("not (v > 40 V and w > 40 V)", &[("v", 60.0), ("w", 70.0)]),
        0.5,
    );
    // What is unknown decides "and", and stays aside in "or".
    assert_eq!(distance("v > 40 V and p > 50 %", &values), None);
    near(distance("v > 40 V or p > 50 %", &values), 0.75);
}

#[test]
fn the_stage_that_is_nearer_names_its_term() {
    let keys = "warn = \"v > 40 V\"\nfault = \"v > 80 V or w > 100 V\"";
    let found = fault(keys, &[("v", 20.0), ("w", 90.0)]);
    assert_eq!(found.stages[0].stage, Stage::Warn);
    near(found.stages[0].distance, 0.5);
    near(worst(&found).distance, 0.9);
    let term = nearest(&found);
    assert_eq!(term.evidence.term, "w > 100 V");
    assert_eq!(
        (term.evidence.value, term.evidence.limit, term.holds),
        (Some(90.0), Some(100.0), Some(false))
    );
    assert_eq!(worst(&found).holds, Some(false));
}

#[test]
fn a_hold_tells_how_much_of_it_is_complete() {
    let mut bench = Bench::new(&profile(SIGNALS, "when = \"held(v > 40 V, 60 s)\""));
    bench.tele(0.0, &[("v", 50.0)]);
    bench.tele(20.0, &[("v", 50.0)]);
    let found = first(&bench);
    assert_eq!(found.state, FaultState::Pending);
    assert_eq!(
        nearest(&found).hold,
        Some(HoldView::Time {
            held_ms: 20_000,
            of_ms: 60_000
        })
    );
    assert_eq!(nearest(&found).holds, Some(true));
    assert_eq!(worst(&found).holds, Some(false));
}

struct Uses {
    bench: Bench,
    at: f64,
}

impl Uses {
    fn new() -> Self {
        let keys = "when = \"held(baseline(d).up >= 30 %, 3 of 5)\"\nclear = \"baseline(d, last 3).ratio < 1.1\"";
        Self {
            bench: Bench::new(&profile(USE, keys)),
            at: 0.0,
        }
    }

    fn one(&mut self, value: f64) {
        self.bench.tele(self.at, &[("run", 0.0), ("v", 0.0)]);
        self.bench
            .tele(self.at + 10.0, &[("run", 1.0), ("v", value)]);
        self.bench
            .tele(self.at + 20.0, &[("run", 0.0), ("v", value)]);
        self.at += 60.0;
    }
}

#[test]
fn learning_tells_how_many_values_and_when() {
    let mut uses = Uses::new();
    uses.bench.tele(0.0, &[("run", 0.0), ("v", 0.0)]);
    let learning = |uses: &Uses| {
        let found = first(&uses.bench);
        let learning = found.blind.as_ref().and_then(Blind::learning).cloned();
        learning.expect("it is learning")
    };
    assert_eq!((learning(&uses).have, learning(&uses).need), (0, 5));
    assert_eq!(learning(&uses).ready_at, None);
    for _ in 0..3 {
        uses.one(100.0);
    }
    let after = learning(&uses);
    assert_eq!((after.have, after.need), (3, 5));
    assert_eq!(after.what, "derive.d");
    assert_eq!(after.label.zh, "单次电压");
    // One value each minute, the first at 20 s: the fifth comes at 260 s.
    assert_eq!(after.ready_at, Some(super::bench::t(260.0)));
    uses.one(100.0);
    uses.one(100.0);
    // The baseline is there; now the hold over values needs three that were compared with it.
    let compared = learning(&uses);
    assert_eq!((compared.have, compared.need), (1, 3));
}

#[test]
fn a_comparison_with_a_baseline_is_told_in_what_is_measured() {
    let mut uses = Uses::new();
    for value in [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.12] {
        uses.one(value);
    }
    let found = first(&uses.bench);
    assert_eq!(found.state, FaultState::Normal);
    assert_eq!(found.blind, None);
    let term = nearest(&found);
    // 120 of 100 mV when new; the limit lies at 130.
    let own = term.own.as_ref().expect("a baseline");
    for (found, expected) in [
        (own.value, 120.0),
        (own.normal, 100.0),
        (own.limit, 130.0),
        (own.spread, 0.0),
    ] {
        near(Some(found), expected);
    }
    assert_eq!((own.unit.as_str(), own.signal.as_str()), ("mV", "derive.d"));
    assert!((term.distance.expect("a distance") - 2.0 / 3.0).abs() < 1e-6);
    uses.one(0.14);
    assert_eq!(
        nearest(&first(&uses.bench)).hold,
        Some(HoldView::Values {
            held: 1,
            of: 3,
            among: 5
        })
    );
}

#[test]
fn a_blind_fault_says_what_it_lacks() {
    let keys = "gate = \"w > 10 V\"\nwhen = \"v > 20 V\"";
    let blind = |values: &[(&str, f64)]| fault(keys, values).blind.map(|blind| blind.code());
    assert_eq!(blind(&[("w", 1.0), ("v", 1.0)]), Some("not_now"));
    assert_eq!(blind(&[("w", 11.0)]), Some("no_signal"));
    assert_eq!(blind(&[("w", 11.0), ("v", 2000.0)]), Some("invalid"));
    assert_eq!(blind(&[("w", 11.0), ("v", 1.0)]), None);

    let mut bench = Bench::new(&profile(SIGNALS, "when = \"v > 20 V\""));
    bench.tele(0.0, &[("v", 1.0)]);
    bench.tele(200.0, &[("w", 1.0)]);
    let found = first(&bench);
    let Some(Blind::Stale { signal, at, .. }) = &found.blind else {
        panic!("{:?}", found.blind);
    };
    assert_eq!((signal.as_str(), *at), ("v", super::bench::t(0.0)));
    assert_eq!(worst(&found).distance, None);
    let text = found.blind.as_ref().expect("blind").text();
    assert_eq!(
        (text.en.as_str(), text.zh.as_str()),
        ("L: no fresh reading", "标：没有最新读数")
    );
}

#[test]
fn a_frozen_device_is_blind_whatever_it_knew() {
    let mut bench = Bench::new(&format!(
        "{}\n{}",
        profile(SIGNALS, "when = \"v > 20 V\""),
        section("g", "when = \"w > 20 V\"")
    ));
    bench.tele(0.0, &[("v", 1.0), ("w", 1.0)]);
    let device = bench.device.clone();
    bench.detector.freeze(&device, &"a test", &mut bench.out);
    let view = bench.detector.view(&bench.device).expect("a device");
    assert!(view.faults.iter().all(|f| f.blind == Some(Blind::Frozen)));
}
