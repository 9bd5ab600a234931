//! Silence, gateways, blind spans, clock steps, queued messages; and parts of a device that are late on their own.

use super::bench::{Bench, profile, record, t};
use crate::detect::Detector;
use crate::telemetry::{Availability, Control, DeviceId, Identity};

const V: &str = r#"[signals]
v = { from = "v", unit = "V", range = [0, 100], stale_after = "150 s" }
dock = { from = "dock", bool = true, cadence = "change", stale_after = "1 h" }
[events]
e = { from = "e", label = { en = "e", zh = "e" } }
"#;

fn silent() -> Bench {
    let mut bench = Bench::new(&profile(
        V,
        "when = \"silent_for(v) >= 30 min\"\nclear = \"silent_for(v) < 1 min\"",
    ));
    for minute in 0..10 {
        bench.tele(f64::from(minute) * 60.0, &[("v", 1.0)]);
    }
    bench
}

const LAST: f64 = 540.2;

#[test]
fn silence_comes_due_by_itself_and_ends_with_a_sample() {
    let mut bench = silent();
    bench.wait(LAST + 1799.9);
    assert!(bench.told().is_empty());
    bench.wait(LAST + 1800.0);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].at, t(LAST + 1800.0));
    bench.tele(3000.0, &[("v", 1.0)]);
    assert_eq!(bench.told(), ["Cleared f.fault @3000"]);
}

#[test]
fn a_rare_signal_is_silent_only_after_three_of_its_own_cadences() {
    let mut bench = Bench::new(&profile(
        V,
        "when = \"silent_for(v) >= 30 min\"\nclear = \"silent_for(v) < 1 min\"",
    ));
    for hour in 0..6 {
        bench.tele(f64::from(hour) * 3600.0, &[("v", 1.0)]);
    }
    // The first hours are silences still: no cadence was learnt.
    bench.told();
    let last = 5.0 * 3600.0 + 0.2;
    bench.wait(last + 3.0 * 3600.0 - 1.0);
    assert!(bench.told().is_empty());
    bench.wait(last + 3.0 * 3600.0);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn our_absence_is_no_silence() {
    let mut bench = silent();
    bench.detector.started(Some(t(600.0)), t(600.0 + 28_800.0));
    let up = 600.0 + 28_800.0;
    let source = Control::SourceUp {
        source: "listener".into(),
    };
    bench.detector.control(t(up), &source, &mut bench.out);
    // 59.8 s of silence before, 90 s of grace after: half an hour of silence is complete 1,830.2 s after we are back.
    bench.wait(up + 1830.1);
    assert!(bench.told().is_empty());
    bench.wait(up + 1830.3);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn a_journal_that_took_nothing_is_no_silence() {
    let mut bench = silent();
    let end = 600.0 + 28_800.0;
    bench.detector.stalled(Some(t(600.0)), t(end));
    // As if we had been away.
    bench.wait(end + 1830.1);
    assert!(bench.told().is_empty());
    bench.wait(end + 1830.3);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn a_source_that_was_down_stays_down_behind_a_stall() {
    let mut bench = silent();
    let down = Control::SourceDown {
        source: "listener".into(),
    };
    bench.detector.control(t(600.0), &down, &mut bench.out);
    bench.detector.stalled(Some(t(600.0)), t(900.0));
    bench.wait(100_000.0);
    assert!(bench.told().is_empty());
}

#[test]
fn a_silent_device_behind_a_silent_gateway_is_no_news() {
    let mut bench = silent();
    let mut ident = bench.telemetry(Vec::new(), None);
    ident.identity = Some(Identity {
        via: Some("G".into()),
        ..Identity::default()
    });
    bench.send(t(545.0), &ident);
    let gateway: DeviceId = "gateway/G".parse().expect("an id");
    let state = |online| {
        let mut telemetry = ident.clone();
        telemetry.device = gateway.clone();
        telemetry.identity = None;
        telemetry.availability = Some(Availability {
            online,
            fw: None,
            boot: None,
        });
        telemetry
    };
    bench.send(t(600.0), &state(false));
    bench.wait(9_000.0);
    assert!(bench.told().is_empty());
    bench.send(t(9_000.0), &state(true));
    bench.wait(9_000.0 + 1_700.0);
    assert!(bench.told().is_empty());
    bench.wait(9_000.0 + 1_900.0);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn a_thousand_devices_in_the_middle_of_a_hold_survive_a_night_without_us() {
    let keys = "when = \"held(v >= 48 V, 3 min)\"\nclear = \"v < 40 V\"";
    let mut bench = Bench::new(&profile(V, keys));
    let devices: Vec<DeviceId> = (0..1000)
        .map(|n| format!("x-1/D{n}").parse().expect("an id"))
        .collect();
    let say = |bench: &mut Bench, device: &DeviceId, received: f64, s: f64, v: f64| {
        let lag = t(received).since(t(s));
        let mut telemetry = bench.telemetry(vec![record(s, &[("v", v)])], Some(lag));
        telemetry.device = device.clone();
        bench.send(t(received), &telemetry);
    };
    for s in [0.0, 60.0] {
        for device in &devices {
            say(&mut bench, device, s + 0.5, s, 50.0);
        }
    }
    let up = 28_800.0;
    bench.detector.started(Some(t(61.0)), t(up));
    assert_eq!(bench.detector.next_due(), None);
    // The queue: what they said while we were away. It went cold a minute later.
    let source = Control::SourceUp {
        source: "listener".into(),
    };
    bench.detector.control(t(up), &source, &mut bench.out);
    for s in [120.0, 150.0, 200.0] {
        for device in &devices {
            say(
                &mut bench,
                device,
                up + 1.0 + s / 100.0,
                s,
                if s < 130.0 { 50.0 } else { 20.0 },
            );
        }
    }
    bench.wait(up + 3600.0);
    assert!(bench.told().is_empty());
}

#[test]
fn queued_proof_is_proof() {
    let keys = "when = \"held(v >= 48 V, 3 min)\"\nclear = \"v < 40 V\"";
    let mut bench = Bench::new(&profile(V, keys));
    bench.tele(0.0, &[("v", 50.0)]);
    bench.detector.started(Some(t(1.0)), t(28_800.0));
    for s in [60.0, 120.0, 180.0, 240.0] {
        bench.tele_late(28_801.0 + s / 100.0, s, &[("v", 50.0)]);
    }
    bench.wait(28_900.0);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert!(events[0].late);
}

#[test]
fn a_source_that_goes_down_stops_the_timers_of_its_own_devices() {
    let keys = "when = \"held(v >= 48 V, 3 min)\"\nclear = \"v < 40 V\"";
    let mut bench = Bench::new(&profile(V, keys));
    for s in [0.0, 60.0, 120.0] {
        bench.tele(s, &[("v", 50.0)]);
    }
    for (source, due) in [("another", true), ("listener", false)] {
        let down = Control::SourceDown {
            source: source.into(),
        };
        bench.detector.control(t(121.0), &down, &mut bench.out);
        assert_eq!(bench.detector.next_due().is_some(), due, "{source}");
    }
    bench.wait(1000.0);
    assert!(bench.told().is_empty());
}

#[test]
fn a_clock_step_moves_what_is_due_and_fires_nothing() {
    let mut bench = silent();
    let before = bench.detector.next_due().expect("a silence is watched");
    let step = Control::ClockStep {
        from: t(600.0),
        to: t(600.0 + 86_400.0),
    };
    bench
        .detector
        .control(t(600.0 + 86_400.0), &step, &mut bench.out);
    assert_eq!(bench.detector.next_due(), Some(before + 86_400_000));
    assert!(bench.told().is_empty());
}

#[test]
fn a_brush_brings_its_days_home_while_its_dock_is_live() {
    let keys = "when = \"count(v > 50 V, 1 d) >= 2\"\nclear = \"v < 0.5 V\"";
    let mut bench = Bench::new(&profile(V, keys));
    bench.tele(0.0, &[("v", 1.0), ("dock", 1.0)]);
    for minute in 1..200 {
        bench.tele(f64::from(minute) * 60.0, &[("dock", 1.0)]);
    }
    // Older than what the dock said, newer than all that the brush did.
    bench.batch(
        12_000.0,
        [(1000.0, 60.0), (2000.0, 1.0), (3000.0, 60.0)]
            .iter()
            .map(|(s, v)| record(*s, &[("v", *v)]))
            .collect(),
    );
    assert!(bench.told().is_empty(), "it is catching up");
    bench.tele(12_005.0, &[("dock", 1.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @3000"]);
    // And older than that: late.
    bench.batch(12_010.0, vec![record(2500.0, &[("v", 60.0)])]);
    assert!(bench.told().is_empty());
}

#[test]
fn the_panic_of_tests_is_for_tests() {
    let mut detector = Detector::with_test_panic("x-1", "v");
    let mut out = crate::detect::DetectOut::default();
    let text = profile(V, "when = \"v > 1 V\"\nclear = \"v < 0.5 V\"");
    let bench = Bench::new(&text);
    detector.activate(t(-1.0), &super::bench::compile(&text), &mut out);
    let ok = bench.telemetry(vec![record(0.0, &[("dock", 1.0)])], Some(0));
    detector.apply(t(0.0), "listener", &ok, &mut out);
    let bad = bench.telemetry(vec![record(1.0, &[("v", 1.0)])], Some(0));
    detector.apply(t(1.0), "listener", &bad, &mut out);
    assert_eq!(
        out.alerts,
        [
            "x-1/A: its evaluation failed (asked to panic at v); it is not judged until profiles are activated again"
        ]
    );
}
