//! Baselines: frozen once, per mode, never learnt from a fault, learnt anew after a part was replaced.

use super::bench::{Bench, profile, t};
use crate::detect::DetectCommand;
use crate::profile::SessionIdx;

const USE: &str = r#"[signals]
run = { from = "run", bool = true, cadence = "change", stale_after = "10 min" }
v = { from = "v", unit = "V", range = [0, 1000], stale_after = "150 s" }
m = { from = "m", unit = "1", range = [1, 5], cadence = "change", stale_after = "never" }
[sessions]
use = { start = "run", end = "not run", max = "5 min", at_max = "drop" }
[derive]
d = { per = "use", value = "max(v)", unit = "V", mode = "last(m)", baseline = { samples = 5 }, label = { en = "d", zh = "d" } }
"#;

struct Uses {
    bench: Bench,
    at: f64,
}

impl Uses {
    fn new() -> Self {
        let keys = "when = \"held(baseline(d).up >= 30 %, 3 of 5)\"\nclear = \"baseline(d, last 3).ratio < 1.1\"\nticket = { cause = \"c\", action = \"visit\", parts = [\"P\"] }\n[parts.P]\ntitle = { en = \"P\", zh = \"P\" }\nresets = [\"d\"]";
        let bench = Bench::new(&profile(USE, keys));
        Self { bench, at: 0.0 }
    }

    /// A session with this value in this mode.
    fn one(&mut self, value: f64, mode: f64) {
        self.bench.tele(self.at, &[("run", 0.0), ("v", 0.0)]);
        self.bench
            .tele(self.at + 10.0, &[("run", 1.0), ("v", value), ("m", mode)]);
        self.bench
            .tele(self.at + 20.0, &[("run", 0.0), ("v", value), ("m", mode)]);
        self.at += 60.0;
    }

    fn frozen(&mut self) -> Vec<(Option<i64>, f64)> {
        std::mem::take(&mut self.bench.out.derived)
            .into_iter()
            .filter(|value| value.name == "d.baseline")
            .map(|value| (value.mode, value.value))
            .collect()
    }
}

#[test]
fn a_rise_is_measured_against_the_frozen_median_of_the_same_mode() {
    let mut uses = Uses::new();
    for value in [100.0, 101.0, 99.0, 102.0, 100.0] {
        uses.one(value, 1.0);
    }
    assert_eq!(uses.frozen(), [(Some(1), 100.0)]);
    // Another mode has no baseline yet: no rise, and no place among the values.
    for _ in 0..3 {
        uses.one(500.0, 2.0);
    }
    assert!(uses.bench.told().is_empty());
    uses.one(131.0, 1.0);
    uses.one(131.0, 1.0);
    assert!(uses.bench.told().is_empty());
    uses.one(131.0, 1.0);
    assert_eq!(uses.bench.told().len(), 1);
}

#[test]
fn a_rise_within_three_spreads_is_none() {
    let mut uses = Uses::new();
    // Median 100, median distance 20: three spreads are 89.
    for value in [60.0, 80.0, 100.0, 120.0, 140.0] {
        uses.one(value, 1.0);
    }
    for _ in 0..5 {
        uses.one(188.0, 1.0);
    }
    assert!(uses.bench.told().is_empty());
    for _ in 0..3 {
        uses.one(190.0, 1.0);
    }
    assert_eq!(uses.bench.told().len(), 1);
}

#[test]
fn nothing_is_learnt_while_a_fault_that_reads_it_is_pending_or_active() {
    let mut uses = Uses::new();
    for _ in 0..5 {
        uses.one(100.0, 1.0);
    }
    for _ in 0..4 {
        uses.one(200.0, 1.0);
    }
    uses.frozen();
    assert_eq!(uses.bench.told().len(), 1);
    for _ in 0..8 {
        uses.one(50.0, 3.0);
    }
    assert!(uses.frozen().is_empty());
}

#[test]
fn a_replaced_part_learns_anew_and_clears_what_compared_with_it() {
    let mut uses = Uses::new();
    for _ in 0..5 {
        uses.one(100.0, 1.0);
    }
    for _ in 0..3 {
        uses.one(200.0, 1.0);
    }
    assert_eq!(uses.bench.told().len(), 1);
    let at = uses.at;
    uses.bench
        .command(at, &DetectCommand::PartReplaced { part: "P".into() });
    let told = uses.bench.told();
    assert!(
        told.len() == 1 && told[0].starts_with("Cleared"),
        "{told:?}"
    );
    uses.frozen();
    uses.at += 60.0;
    for _ in 0..5 {
        uses.one(200.0, 1.0);
    }
    assert_eq!(uses.frozen(), [(Some(1), 200.0)]);
    for _ in 0..4 {
        uses.one(210.0, 1.0);
    }
    assert!(uses.bench.told().is_empty());
}

#[test]
fn a_recheck_keeps_the_baseline_and_forgets_the_values() {
    let mut uses = Uses::new();
    for _ in 0..5 {
        uses.one(100.0, 1.0);
    }
    for _ in 0..3 {
        uses.one(200.0, 1.0);
    }
    uses.bench.told();
    let at = uses.at;
    uses.bench
        .command(at, &DetectCommand::Recheck { fault: "f".into() });
    uses.at += 60.0;
    uses.one(200.0, 1.0);
    uses.one(200.0, 1.0);
    assert!(uses.bench.told().is_empty());
    uses.one(200.0, 1.0);
    let told = uses.bench.told();
    assert!(
        told.len() == 1 && told[0].starts_with("RecheckFailed"),
        "{told:?}"
    );
}

#[test]
fn a_forced_session_gives_what_a_case_says() {
    let mut uses = Uses::new();
    let device = uses.bench.device.clone();
    let (session, derive): (SessionIdx, usize) = (0, 0);
    for (place, value) in [100.0, 100.0, 100.0, 100.0, 100.0, 140.0, 140.0, 140.0]
        .into_iter()
        .enumerate()
    {
        #[expect(clippy::cast_precision_loss, reason = "small test numbers")]
        let now = t(60.0 * place as f64);
        uses.bench.detector.session_ended(
            now,
            &device,
            session,
            &[(derive, value)],
            &mut uses.bench.out,
        );
    }
    assert_eq!(uses.bench.told(), ["Raised f.fault @420"]);
}
