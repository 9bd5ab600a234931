//! States of faults: stages, latches, commands, verdicts on sensors, changed rules.

use super::bench::{Bench, START, compile, profile, section, t};
use crate::detect::{Blind, DetectCommand, DetectOut, FaultState};
use crate::telemetry::{Availability, Control, DeviceAction, Identity};

const V: &str = r#"[signals]
v = { from = "v", unit = "V", range = [0, 100], stale_after = "150 s" }
w = { from = "w", unit = "V", range = [0, 100], stale_after = "150 s" }
wet = { from = "wet", bool = true, cadence = "change", stale_after = "never" }
"#;

fn bench(keys: &str) -> Bench {
    Bench::new(&profile(V, keys))
}

fn command(fault: &str, what: &str) -> DetectCommand {
    let fault = fault.into();
    match what {
        "recheck" => DetectCommand::Recheck { fault },
        _ => DetectCommand::Rearm { fault },
    }
}

#[test]
fn a_fault_worsens_and_eases_only_after_a_while() {
    let mut bench = bench("warn = \"v > 10 V\"\nfault = \"v > 20 V\"\nclear = \"v < 5 V\"");
    bench.tele(0.0, &[("v", 11.0)]);
    bench.tele(1.0, &[("v", 21.0)]);
    bench.tele(60.0, &[("v", 15.0)]);
    bench.tele(120.0, &[("v", 15.0)]);
    assert_eq!(bench.told(), ["Raised f.warn @0", "Worsened f.fault @1"]);
    for minute in 3..=11 {
        bench.tele(f64::from(minute) * 60.0, &[("v", 15.0)]);
    }
    assert_eq!(bench.told(), ["Eased f.warn @660"]);
    bench.tele(700.0, &[("v", 4.0)]);
    assert_eq!(bench.told(), ["Cleared f.warn @700"]);
}

const LATCHED: &str = "when = \"v > 20 V\"\nclear = \"v < 5 V\"\nlatched = true\nrecheck = \"2 d\"\nticket = { cause = \"c\", action = \"visit\", parts = [\"P\"] }";

#[test]
fn a_latched_fault_stays_until_a_person_and_does_not_rise_again_by_itself() {
    let mut bench = bench(LATCHED);
    bench.tele(0.0, &[("v", 21.0)]);
    bench.tele(60.0, &[("v", 1.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @0"]);
    bench.command(70.0, &command("f", "rearm"));
    bench.tele(80.0, &[("v", 2.0)]);
    assert!(bench.told().is_empty());
    bench.tele(90.0, &[("v", 22.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @90"]);
    // Closed while it still holds: it must be seen to be over first.
    bench.command(95.0, &command("f", "rearm"));
    bench.tele(100.0, &[("v", 23.0)]);
    assert!(bench.told().is_empty());
    bench.tele(110.0, &[("v", 1.0)]);
    bench.tele(120.0, &[("v", 23.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @120"]);
}

#[test]
fn a_recheck_fails_passes_or_stays_unverified() {
    let mut failing = bench(LATCHED);
    failing.tele(0.0, &[("v", 21.0)]);
    failing.command(10.0, &command("f", "recheck"));
    failing.tele(20.0, &[("v", 1.0)]);
    failing.tele(30.0, &[("v", 21.0)]);
    assert_eq!(
        failing.told(),
        ["Raised f.fault @0", "RecheckFailed f.fault @30"]
    );

    let mut passing = bench(LATCHED);
    passing.tele(0.0, &[("v", 21.0)]);
    passing.command(10.0, &command("f", "recheck"));
    passing.tele(20.0, &[("v", 1.0)]);
    passing.told();
    let day = 86_400.0;
    passing.wait(2.0 * day + 9.0);
    assert!(passing.told().is_empty());
    passing.wait(2.0 * day + 10.0);
    let told = passing.told();
    assert!(
        told.len() == 1 && told[0].starts_with("RecheckPassed f.fault"),
        "{told:?}"
    );

    let mut unused = bench(LATCHED);
    unused.tele(0.0, &[("v", 21.0)]);
    unused.command(300.0, &command("f", "recheck"));
    unused.told();
    unused.wait(30.0 * day + 299.0);
    assert!(unused.told().is_empty());
    unused.wait(30.0 * day + 300.0);
    let told = unused.told();
    assert!(
        told.len() == 1 && told[0].starts_with("RecheckUnverified"),
        "{told:?}"
    );
}

#[test]
fn counts_begin_anew_at_a_recheck() {
    let mut bench =
        bench("when = \"count(v > 20 V, 1 d) >= 2\"\nclear = \"v < 0.5 V\"\nrecheck = \"2 d\"");
    for (s, v) in [(0.0, 21.0), (10.0, 1.0), (20.0, 21.0)] {
        bench.tele(s, &[("v", v)]);
    }
    assert_eq!(bench.told(), ["Raised f.fault @20"]);
    bench.command(25.0, &command("f", "recheck"));
    // Still true is no new start.
    for (s, v) in [(30.0, 22.0), (40.0, 1.0), (50.0, 21.0)] {
        bench.tele(s, &[("v", v)]);
    }
    assert!(bench.told().is_empty());
    bench.tele(60.0, &[("v", 1.0)]);
    bench.tele(70.0, &[("v", 21.0)]);
    assert_eq!(bench.told(), ["RecheckFailed f.fault @70"]);
}

#[test]
fn a_replaced_part_releases_the_latch_of_faults_that_name_it() {
    let mut bench = bench(&format!(
        "{LATCHED}\n[parts.P]\ntitle = {{ en = \"P\", zh = \"P\" }}\n"
    ));
    bench.tele(0.0, &[("v", 21.0)]);
    bench.command(10.0, &DetectCommand::PartReplaced { part: "Q".into() });
    assert_eq!(bench.told(), ["Raised f.fault @0"]);
    let device = bench.device.clone();
    let control = Control::Device {
        device,
        action: DeviceAction::PartReplaced {
            part: "P".into(),
            lot: None,
        },
        by: "tests".into(),
    };
    bench.wait(20.0);
    bench.detector.control(t(20.0), &control, &mut bench.out);
    assert_eq!(bench.told(), ["Cleared f.fault @20"]);
    bench.tele(30.0, &[("v", 21.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @30"]);
}

#[test]
fn a_sensor_verdict_keeps_others_from_being_judged_but_not_s1() {
    let text = profile(
        V,
        "when = \"held(v > 90 V, 10 s)\"\nclear = \"v < 5 V\"\nsensor_of = [\"v\"]",
    );
    let text = format!(
        "{text}\n{}\n{}",
        section("g", "when = \"v > 50 V\"\nclear = \"v < 5 V\""),
        section(
            "s",
            "when = \"v > 50 V\"\nclear = \"v < 5 V\"\nseverity = \"S1\"\nticket = { cause = \"c\", action = \"stop_use\", parts = [] }"
        ),
    );
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("v", 95.0)]);
    assert_eq!(bench.told(), ["Raised s.fault @0"]);
    let view = bench.detector.view(&bench.device).expect("a device");
    assert_eq!(view.faults[0].state, FaultState::Pending);
    assert!(
        matches!(&view.faults[1].blind, Some(Blind::HeldBack { fault, .. }) if fault == "f"),
        "{:?}",
        view.faults[1].blind
    );
    bench.tele(5.0, &[("v", 95.0)]);
    bench.tele(9.0, &[("v", 60.0)]);
    // The verdict is over: the water is judged again.
    assert_eq!(bench.told(), ["Raised g.fault @9"]);
}

#[test]
fn outside_its_gate_a_fault_neither_rises_nor_clears() {
    let mut bench = bench("gate = \"w > 10 V\"\nwhen = \"v > 20 V\"\nclear = \"v < 5 V\"");
    bench.tele(0.0, &[("v", 21.0), ("w", 1.0)]);
    assert!(bench.told().is_empty());
    bench.tele(1.0, &[("w", 11.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @1"]);
    bench.tele(2.0, &[("v", 1.0), ("w", 1.0)]);
    assert!(bench.told().is_empty());
    bench.tele(3.0, &[("w", 11.0)]);
    assert_eq!(bench.told(), ["Cleared f.fault @3"]);
}

#[test]
fn a_raised_fault_is_a_sign_of_another_in_the_same_record() {
    let text = profile(V, "when = \"v > 20 V\"\nclear = \"v < 5 V\"");
    let text = format!(
        "{text}\n{}",
        section(
            "g",
            "sign.a = \"raised(f)\"\nsign.b = \"w > 10 V\"\nwhen = \"at_least(2, signs, 1 h)\"\nclear = \"v < 1 V\""
        ),
    );
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("w", 11.0)]);
    bench.tele(60.0, &[("w", 1.0)]);
    bench.tele(100.0, &[("v", 21.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @100", "Raised g.fault @100"]);
}

#[test]
fn a_changed_text_keeps_state_and_a_gone_rule_is_withdrawn() {
    let keys = "when = \"held(v > 20 V, 100 s)\"\nclear = \"v < 5 V\"";
    let text = profile(V, keys);
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("v", 21.0)]);
    bench.tele(60.0, &[("v", 21.0)]);
    bench.wait(70.0);
    let renamed = text.replace("en = \"T\"", "en = \"Another title\"");
    bench
        .detector
        .activate(t(70.0), &compile(&renamed), &mut bench.out);
    bench.wait(100.1);
    assert!(bench.told().is_empty());
    bench.wait(100.2);
    assert_eq!(bench.told(), ["Raised f.fault @100"]);
    let gone = profile(V, keys).replace("[fault.f]", "[fault.other]");
    bench
        .detector
        .activate(t(100.5), &compile(&gone), &mut bench.out);
    let told = bench.told();
    assert!(
        told.len() == 1 && told[0].starts_with("Withdrawn f.fault"),
        "{told:?}"
    );
}

#[test]
fn a_changed_limit_learns_anew_and_keeps_what_a_ticket_hangs_on() {
    let text = profile(V, "when = \"v > 20 V\"\nclear = \"v < 5 V\"");
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("v", 21.0)]);
    bench.told();
    let changed = text.replace("v > 20 V", "v > 30 V");
    bench
        .detector
        .activate(t(1.0), &compile(&changed), &mut bench.out);
    assert!(bench.told().is_empty());
    bench.tele(2.0, &[("v", 1.0)]);
    assert_eq!(bench.told(), ["Cleared f.fault @2"]);
}

#[test]
fn a_shadow_fault_is_judged_and_told_to_nobody() {
    let mut bench = bench("when = \"v > 20 V\"\nclear = \"v < 5 V\"\nstate = \"shadow\"");
    bench.tele(0.0, &[("v", 21.0)]);
    assert!(bench.told().is_empty());
    let view = bench.detector.view(&bench.device).expect("a device");
    assert_eq!(view.faults[0].state, FaultState::Active);
    assert!(view.faults[0].shadow);
}

#[test]
fn an_unreadable_slot_alone_learns_anew_and_says_so() {
    let text = profile(V, "when = \"held(v > 20 V, 100 s)\"\nclear = \"v < 5 V\"");
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("v", 21.0)]);
    bench.tele(60.0, &[("v", 21.0)]);
    let rows = bench.detector.take_dirty();
    let row = rows[0].1.clone().expect("a row");
    // Every single byte may be damaged: it is read, or refused, or a slot is left out; never a panic.
    for place in (0..row.len()).step_by(7) {
        let mut bytes = row.clone();
        bytes[place] ^= 0xff;
        let mut detector = crate::detect::Detector::new();
        let mut out = DetectOut::default();
        detector.activate(t(60.0), &compile_once(&text), &mut out);
        if detector.restore(&bench.device, &bytes).is_ok() {
            detector.apply(
                t(61.0),
                "listener",
                &bench.telemetry(vec![super::bench::record(61.0, &[("v", 1.0)])], Some(0)),
                &mut out,
            );
        }
    }
    let mut cut = row.clone();
    cut.truncate(row.len() / 2);
    assert!(bench.detector.restore(&bench.device.clone(), &cut).is_err());
    assert!(
        bench
            .detector
            .restore(&bench.device.clone(), &[9, 0, 1])
            .is_err()
    );
}

fn compile_once(text: &str) -> std::sync::Arc<crate::profile::Profiles> {
    thread_local! {
        static LAST: std::cell::RefCell<Option<(String, std::sync::Arc<crate::profile::Profiles>)>> = const { std::cell::RefCell::new(None) };
    }
    LAST.with(|last| {
        let mut last = last.borrow_mut();
        match &*last {
            Some((of, profiles)) if of == text => profiles.clone(),
            _ => {
                let profiles = compile(text);
                *last = Some((text.to_owned(), profiles.clone()));
                profiles
            }
        }
    })
}

#[test]
fn a_retained_copy_gives_identity_and_presence_only() {
    let mut bench = bench("when = \"v > 20 V\"\nclear = \"v < 5 V\"");
    let mut telemetry = bench.telemetry(vec![super::bench::record(0.0, &[("v", 21.0)])], None);
    telemetry.retained = true;
    telemetry.availability = Some(Availability {
        online: true,
        fw: Some("1.2".into()),
        boot: None,
    });
    telemetry.identity = Some(Identity {
        hw: Some("B2".into()),
        ..Identity::default()
    });
    bench.send(t(1.0), &telemetry);
    assert!(bench.told().is_empty());
    let view = bench.detector.view(&bench.device).expect("a device");
    assert_eq!(
        (
            view.online,
            view.identity.hw.as_deref(),
            view.identity.fw.as_deref()
        ),
        (Some(true), Some("B2"), Some("1.2"))
    );
    assert_eq!(view.last_event, None);
}

#[test]
fn a_record_of_unknown_time_is_shown_and_moves_nothing() {
    let mut bench = bench("when = \"count(v, 1 h) >= 2\"\nclear = \"v < 0.5 V\"");
    bench.tele(0.0, &[("v", 21.0)]);
    let mut record = super::bench::record(10.0, &[("v", 22.0)]);
    record.time_unknown = true;
    let telemetry = bench.telemetry(vec![record], None);
    bench.send(t(10.0), &telemetry);
    bench.wait(20.0);
    assert!(bench.told().is_empty());
    let view = bench.detector.view(&bench.device).expect("a device");
    assert_eq!(view.signals[0].value, Some(22.0));
    assert_eq!(
        view.signals[0].at.map(crate::telemetry::Timestamp::ms),
        Some(START)
    );
}

#[test]
fn never_stale_holds_while_the_device_is_online() {
    let mut bench = bench("when = \"held(wet, 1 h)\"\nclear = \"not wet\"");
    bench.tele(0.0, &[("wet", 1.0)]);
    let mut telemetry = bench.telemetry(Vec::new(), None);
    telemetry.availability = Some(Availability {
        online: false,
        fw: None,
        boot: None,
    });
    bench.send(t(60.0), &telemetry);
    bench.wait(4000.0);
    assert!(bench.told().is_empty(), "offline for most of the hour");
    let mut telemetry =
        bench.telemetry(vec![super::bench::record(4001.0, &[("wet", 1.0)])], Some(0));
    telemetry.availability = Some(Availability {
        online: true,
        fw: None,
        boot: None,
    });
    bench.send(t(4001.2), &telemetry);
    bench.wait(4001.0 + 3700.0);
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn a_frozen_device_is_judged_again_after_the_next_activation() {
    let text = profile(V, "when = \"v > 20 V\"\nclear = \"v < 5 V\"");
    let mut bench = Bench::new(&text);
    bench.tele(0.0, &[("v", 1.0)]);
    let device = bench.device.clone();
    bench.detector.freeze(&device, &"a test", &mut bench.out);
    bench.tele(1.0, &[("v", 21.0)]);
    assert!(bench.told().is_empty());
    bench
        .detector
        .activate(t(2.0), &compile(&text), &mut bench.out);
    bench.tele(3.0, &[("v", 21.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @3"]);
}

#[test]
fn what_is_forgotten_leaves_no_row() {
    let mut bench = bench("when = \"v > 20 V\"\nclear = \"v < 5 V\"");
    bench.tele(0.0, &[("v", 1.0)]);
    bench.detector.take_dirty();
    bench.command(1.0, &DetectCommand::Forget);
    assert_eq!(bench.detector.take_dirty(), [(bench.device.clone(), None)]);
    assert_eq!(bench.detector.next_due(), None);
}

#[test]
fn a_recheck_of_a_device_that_never_spoke_ends_quietly() {
    let mut bench = bench(LATCHED);
    let mut telemetry = bench.telemetry(Vec::new(), None);
    telemetry.availability = Some(Availability {
        online: true,
        fw: None,
        boot: None,
    });
    bench.send(t(0.0), &telemetry);
    bench.command(10.0, &command("f", "recheck"));
    bench.wait(40.0 * 86_400.0);
    assert_eq!(bench.detector.next_due(), None);
}

#[test]
fn an_early_stage_that_cannot_be_judged_keeps_no_closed_fault_from_rising_again() {
    let keys = "warn = \"w > 10 V\"\nfault = \"v > 20 V\"\nclear = \"v < 5 V\"\nlatched = { fault = true }";
    let mut bench = bench(keys);
    bench.tele(0.0, &[("v", 21.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @0"]);
    bench.command(10.0, &command("f", "rearm"));
    // `w` was never told, so the early stage is unknown all the time.
    bench.tele(20.0, &[("v", 1.0)]);
    bench.tele(30.0, &[("v", 22.0)]);
    assert_eq!(bench.told(), ["Raised f.fault @30"]);
}
