//! Our own absence, late and caught-up data.

use super::bench::{Bench, profile, record, t};
use crate::telemetry::Control;

const OUT: &str = r#"[signals]
out = { from = "out", unit = "°C", range = [-25, 120], stale_after = "150 s" }"#;

fn bench(keys: &str) -> Bench {
    Bench::new(&profile(OUT, keys))
}

#[test]
fn eight_hours_down_in_the_middle_of_a_hold_raise_nothing_by_themselves() {
    let mut bench = bench("when = \"held(out >= 48 °C, 3 min)\"\nclear = \"out < 40 °C\"");
    bench.tele(0.0, &[("out", 50.0)]);
    bench.tele(60.0, &[("out", 50.0)]);
    let up = 60.0 + 8.0 * 3600.0;
    bench.detector.started(Some(t(61.0)), t(up));
    assert_eq!(bench.detector.next_due(), None);
    let source = Control::SourceUp {
        source: "listener".into(),
    };
    bench.detector.control(t(up), &source, &mut bench.out);
    bench.wait(up + 600.0);
    assert!(bench.told().is_empty());
    // The hold goes on at the next message: 60.8 s were counted before.
    bench.tele(up + 700.0, &[("out", 50.0)]);
    bench.tele(up + 760.0, &[("out", 50.0)]);
    bench.wait(up + 818.0);
    assert!(bench.told().is_empty());
    bench.wait(up + 820.0);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn what_rose_and_cleared_inside_a_batch_is_history() {
    let mut bench = bench("when = \"out >= 48 °C\"\nclear = \"out < 40 °C\"");
    bench.tele(0.0, &[("out", 30.0)]);
    let records = [(10.0, 50.0), (20.0, 39.0), (30.0, 38.0)];
    bench.batch(
        40.0,
        records
            .iter()
            .map(|(s, v)| record(*s, &[("out", *v)]))
            .collect(),
    );
    assert_eq!(bench.told(), ["Passed f.fault @10"]);
    bench.batch(60.0, vec![record(50.0, &[("out", 50.0)])]);
    assert_eq!(bench.told(), ["Raised f.fault @50"]);
}

#[test]
fn an_s1_stage_is_decided_at_once_from_old_data() {
    let mut bench = bench(
        "when = \"out >= 48 °C\"\nclear = \"out < 40 °C\"\nseverity = \"S1\"\nticket = { cause = \"c\", action = \"stop_use\", parts = [] }",
    );
    bench.tele(0.0, &[("out", 30.0)]);
    let records = [(10.0, 50.0), (20.0, 39.0)];
    bench.batch(
        40.0,
        records
            .iter()
            .map(|(s, v)| record(*s, &[("out", *v)]))
            .collect(),
    );
    let events = bench.events();
    assert_eq!(
        events.iter().map(super::bench::line).collect::<Vec<_>>(),
        ["Raised f.fault @10", "Cleared f.fault @20"]
    );
    assert!(!events[0].late, "half a minute is not late");
    bench.tele_late(1000.0, 100.0, &[("out", 50.0)]);
    assert!(bench.events()[0].late);
}

#[test]
fn a_catch_up_is_told_as_its_net_change_after_thirty_seconds_of_quiet() {
    let mut bench = bench("when = \"out >= 48 °C\"\nclear = \"out < 40 °C\"");
    bench.tele(0.0, &[("out", 30.0)]);
    bench.tele_late(1000.0, 100.0, &[("out", 50.0)]);
    bench.tele_late(1001.0, 200.0, &[("out", 30.0)]);
    bench.tele_late(1002.0, 300.0, &[("out", 50.0)]);
    bench.wait(1031.9);
    assert!(bench.told().is_empty());
    bench.wait(1032.0);
    assert_eq!(bench.told(), ["Raised f.fault @300"]);
}

#[test]
fn a_late_reading_moves_no_hold_but_counts_in_an_open_window() {
    let mut bench = bench("when = \"count(out, 1 h) >= 3\"\nclear = \"out < 0 °C\"");
    bench.tele(100.0, &[("out", 50.0)]);
    bench.tele(200.0, &[("out", 50.0)]);
    bench.tele_late(201.0, 150.0, &[("out", 20.0)]);
    bench.tele(202.0, &[]);
    assert_eq!(bench.told(), ["Raised f.fault @202"]);
}
