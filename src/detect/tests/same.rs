//! The same entries give the same events and the same state: in one piece, with restarts, and however often it is asked.

use super::bench::{Bench, START, compile, line, record, t};
use crate::detect::{DetectCommand, DetectOut, Detector};
use crate::telemetry::{Control, DeviceId, Scalar, Telemetry, Timestamp};

const PROFILE: &str = include_str!("../../profile/tests/ts-flash5.toml");

/// A few days of a toilet that scalds now and then, drips, leaks, goes offline and catches up. Everything follows from `seed`.
fn story(seed: u64) -> Vec<(Timestamp, Telemetry)> {
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let bench = Bench::new(PROFILE);
    let devices: Vec<DeviceId> = ["ts-flash5/A", "ts-flash5/B"]
        .iter()
        .map(|id| id.parse().expect("an id"))
        .collect();
    let (mut made, mut received) = ([0.0_f64; 2], 0.0_f64);
    let mut entries = Vec::new();
    for _ in 0..1_500 {
        let which = usize::try_from(next(2)).expect("small");
        #[expect(clippy::cast_precision_loss, reason = "small test numbers")]
        let mut some = |low: f64, step: f64, below: u64| low + step * next(below) as f64;
        let washing = some(0.0, 1.0, 4) > 2.0;
        made[which] += if washing { 1.0 } else { some(20.0, 20.0, 4) };
        if some(0.0, 1.0, 40) < 1.0 {
            made[which] += some(600.0, 3000.0, 9);
        }
        received = f64::max(received + 0.1, made[which] + some(0.0, 0.1, 5));
        let lags = some(0.0, 1.0, 25) < 1.0;
        let delay = if lags { some(130.0, 50.0, 5) } else { 0.0 };
        received += delay;
        let mut said = record(
            made[which],
            &[
                ("water.out_c", some(30.0, 1.0, 22)),
                ("water.in_c", some(10.0, 1.0, 5)),
                ("water.set_c", some(36.0, 1.0, 6)),
                ("water.flow_lpm", some(0.0, 0.05, 14)),
                ("heater.power_w", some(0.0, 100.0, 14)),
                ("heater.cmd_w", some(0.0, 400.0, 4)),
                ("leak.ma", some(0.1, 0.1, 9)),
                ("water.level", some(1.0, 1.0, 2)),
                ("water.total_l", made[which] / 600.0),
                ("function", if washing { 1.0 } else { 0.0 }),
            ],
        );
        if some(0.0, 1.0, 200) < 1.0 {
            said.event = Some("rcd_trip".into());
        }
        if some(0.0, 1.0, 50) < 1.0 {
            said.readings[0].value = Scalar::Null;
        }
        let lag = t(received).since(t(made[which]));
        let mut telemetry = bench.telemetry(vec![said], Some(lag));
        telemetry.device = devices[which].clone();
        entries.push((t(received), telemetry));
    }
    entries
}

fn fresh() -> Detector {
    let mut detector = Detector::new();
    let start = Timestamp::from_ms(START);
    detector.activate(start, &compile(PROFILE), &mut DetectOut::default());
    detector
}

/// Every now and then everything was repaired.
fn repair(detector: &mut Detector, place: usize, now: Timestamp, out: &mut DetectOut) {
    if place % 90 != 60 {
        return;
    }
    let devices: Vec<DeviceId> = detector.devices().cloned().collect();
    for device in devices {
        for fault in ["water_over_temp", "scale", "valve_leak", "leakage"] {
            let fault = fault.into();
            let command = if place % 180 == 60 {
                DetectCommand::Recheck { fault }
            } else {
                DetectCommand::Rearm { fault }
            };
            detector.command(now, &device, &command, out);
        }
    }
}

fn rows(detector: &mut Detector) -> Vec<(DeviceId, Option<Vec<u8>>)> {
    detector.take_dirty()
}

#[test]
fn restarts_and_questions_change_no_result() {
    for seed in 1..4 {
        let entries = story(seed);
        let (mut whole, mut out) = (fresh(), DetectOut::default());
        for (place, (now, telemetry)) in entries.iter().enumerate() {
            whole.apply(*now, "listener", telemetry, &mut out);
            repair(&mut whole, place, *now, &mut out);
        }
        let (mut pieces, mut again) = (fresh(), DetectOut::default());
        let mut saved: std::collections::BTreeMap<DeviceId, Vec<u8>> =
            std::collections::BTreeMap::new();
        for (place, (now, telemetry)) in entries.iter().enumerate() {
            // Asking between the entries, at any moment, is the same as not asking.
            while let Some(due) = pieces.next_due().filter(|due| due <= now) {
                pieces.fire(due, &mut again);
            }
            pieces.apply(*now, "listener", telemetry, &mut again);
            repair(&mut pieces, place, *now, &mut again);
            if place % 100 == 99 {
                for (id, row) in rows(&mut pieces) {
                    saved.insert(id, row.expect("nothing is forgotten"));
                }
                pieces = fresh();
                for (id, row) in &saved {
                    pieces.restore(id, row).expect("its own state");
                }
            }
        }
        let lines = |out: &DetectOut| out.events.iter().map(line).collect::<Vec<_>>();
        assert!(lines(&out).len() > 10, "the story is about something");
        assert_eq!(lines(&out), lines(&again), "seed {seed}");
        assert_eq!(out, again, "seed {seed}");
        for (id, row) in rows(&mut pieces) {
            saved.insert(id, row.expect("nothing is forgotten"));
        }
        for (id, row) in rows(&mut whole) {
            assert_eq!(row.as_ref(), saved.get(&id), "state of {id}, seed {seed}");
        }
    }
}

/// Three devices of which one at a time stands open: every message packs one and unpacks another.
#[test]
fn packing_devices_changes_no_result() {
    for seed in 1..4 {
        let (mut open, mut out) = (fresh(), DetectOut::default());
        let (mut packed, mut again) = (Detector::with_open_limit(1), DetectOut::default());
        let start = Timestamp::from_ms(START);
        packed.activate(start, &compile(PROFILE), &mut DetectOut::default());
        for (place, (now, telemetry)) in story(seed).iter().enumerate() {
            for (detector, out) in [(&mut open, &mut out), (&mut packed, &mut again)] {
                detector.apply(*now, "listener", telemetry, out);
                repair(detector, place, *now, out);
            }
            let device = &telemetry.device;
            assert_eq!(
                open.view(device),
                packed.view(device),
                "seed {seed}, entry {place}"
            );
        }
        assert_eq!(out, again, "seed {seed}");
        assert_eq!(rows(&mut open), rows(&mut packed), "seed {seed}");
        let (open, packed) = (open.open_devices(), packed.open_devices());
        assert_eq!((open.unpacked, packed.now), (0, 1), "seed {seed}");
        assert!(packed.unpacked > 10, "seed {seed}: {packed:?}");
    }
}

/// It may be set at any time.
#[test]
fn how_many_stand_open_can_be_changed() {
    let mut detector = fresh();
    let story = story(1);
    let mut out = DetectOut::default();
    let (before, after) = story.split_at(story.len() / 2);
    for (now, telemetry) in before {
        detector.apply(*now, "listener", telemetry, &mut out);
    }
    let all = detector.open_devices();
    assert!(all.now > 1 && all.unpacked == 0, "{all:?}");
    detector.set_open_limit(1);
    assert_eq!(detector.open_devices().now, 1);
    for (now, telemetry) in after {
        detector.apply(*now, "listener", telemetry, &mut out);
    }
    let one = detector.open_devices();
    assert!(one.now == 1 && one.unpacked > 1, "{one:?}");
    detector.set_open_limit(8);
    for id in detector.devices().cloned().collect::<Vec<_>>() {
        detector.devices.get_mut(&id).expect("known");
    }
    assert_eq!(detector.open_devices().now, all.now);
}

#[test]
fn looking_only_at_what_a_record_touches_changes_no_result() {
    for seed in 1..4 {
        let entries = story(seed);
        let (mut sparing, mut out) = (fresh(), DetectOut::default());
        let (mut thorough, mut all) = (fresh(), DetectOut::default());
        for (place, (now, telemetry)) in entries.iter().enumerate() {
            sparing.apply(*now, "listener", telemetry, &mut out);
            repair(&mut sparing, place, *now, &mut out);
            for id in thorough.devices().cloned().collect::<Vec<_>>() {
                let device = thorough.devices.get_mut(&id).expect("it is there");
                device.head.unsettled = true;
            }
            thorough.apply(*now, "listener", telemetry, &mut all);
            repair(&mut thorough, place, *now, &mut all);
        }
        assert_eq!(out, all, "seed {seed}");
    }
}

/// Sources go away and come back, and the process does, while most devices are packed: they are told later, and nothing differs.
#[test]
fn packed_devices_that_are_told_later_know_the_same() {
    for seed in 1..4 {
        let (mut open, mut out) = (fresh(), DetectOut::default());
        let (mut packed, mut again) = (Detector::with_open_limit(1), DetectOut::default());
        let start = Timestamp::from_ms(START);
        packed.activate(start, &compile(PROFILE), &mut DetectOut::default());
        let source = || "listener".into();
        for (place, (now, telemetry)) in story(seed).iter().enumerate() {
            for (detector, out) in [(&mut open, &mut out), (&mut packed, &mut again)] {
                match place % 41 {
                    7 => detector.control(*now, &Control::SourceDown { source: source() }, out),
                    9 => detector.started(Some(*now), *now),
                    // More often than a packed device is left untold.
                    11..=24 if place % 2 == 1 => {
                        detector.control(*now, &Control::SourceUp { source: source() }, out);
                    }
                    11..=24 => {
                        detector.control(*now, &Control::SourceDown { source: source() }, out);
                    }
                    30 => detector.stalled(Some(*now), *now),
                    _ => detector.apply(*now, "listener", telemetry, out),
                }
                repair(detector, place, *now, out);
            }
            if place % 100 == 99 {
                assert_eq!(rows(&mut open), rows(&mut packed), "seed {seed}, {place}");
            }
        }
        assert_eq!(out, again, "seed {seed}");
        assert_eq!(open.next_due(), packed.next_due(), "seed {seed}");
    }
}
