//! Each failure opens its own ticket in time, and no other; a repaired part is as new.

use super::*;
use crate::lab::simulate::Failure;
use crate::lab::simulate::FailureKind;
use crate::lab::simulate::PlannedFailure;
use crate::telemetry::MINUTE_MS;

/// When something begins to fail here: on the first evening of the household.
const BEGINS: Timestamp = Timestamp::from_ms(FROM.ms() + 12 * HOUR_MS);

/// One seat of a large household, so that parts are used soon, in which something begins to fail and ripens in so many hours.
fn failing(kind: FailureKind, begins: Timestamp, hours: i64) -> FleetPlan {
    let planned = PlannedFailure {
        device: 0,
        failure: Failure {
            kind,
            ripens_ms: hours * HOUR_MS,
        },
        begins,
    };
    FleetPlan {
        failures: vec![planned],
        ..plan(36, 1)
    }
}

/// The failure of this kind, ripening in so many hours, is told within so many hours of its beginning, and nothing else is.
fn told_in_time(kind: FailureKind, ripens: i64, within: i64) {
    let mut playing = Playing::new(failing(kind, BEGINS, ripens));
    playing.until(BEGINS + within * HOUR_MS);
    let played = playing.played;
    let lines = played.lines();
    assert!(
        !lines.is_empty(),
        "{kind:?} was not noticed within {within} h"
    );
    for told in &played.told {
        assert_eq!(told.fault, kind.fault(), "{lines:#?}");
        assert!(told.at >= BEGINS, "{lines:#?}");
        assert_eq!(told.device.as_str(), "ts-flash5/TSF5-DEMO-001");
    }
}

#[test]
fn a_stuck_heater_is_told_within_a_day() {
    told_in_time(FailureKind::HeaterStuckOn, 0, 24);
}

#[test]
fn a_broken_element_is_told_within_a_day_and_a_half() {
    told_in_time(FailureKind::HeaterWeak, 0, 36);
}

#[test]
fn a_worn_sensor_contact_is_told_within_a_day() {
    told_in_time(FailureKind::WaterSensor, 24, 24);
}

#[test]
fn a_seat_that_overheats_is_told_within_hours() {
    told_in_time(FailureKind::SeatOverheats, 1, 3);
}

#[test]
fn a_weeping_valve_is_told_within_hours() {
    told_in_time(FailureKind::ValveLeak, 6, 6);
}

#[test]
fn a_stiff_arm_is_told_within_a_day_and_a_half() {
    told_in_time(FailureKind::NozzleSlow, 12, 36);
}

#[test]
fn a_weak_insulation_is_told_within_two_days() {
    told_in_time(FailureKind::Leakage, 36, 48);
}

#[test]
fn a_slow_fan_is_told_within_a_day_and_a_half() {
    told_in_time(FailureKind::DryerFan, 12, 36);
}

#[test]
fn fast_limescale_is_told_by_the_cut_out() {
    told_in_time(FailureKind::Limescale, 24, 48);
}

#[test]
fn slow_limescale_is_told_by_the_heat_that_it_stores() {
    // The heater of the first two weeks is what later washes are compared with.
    let played = play(
        failing(FailureKind::Limescale, FROM + 15 * DAY_MS, 16 * 24),
        24,
    );
    let first = played.told.first().expect("nothing was noticed");
    assert_eq!(first.fault, "scale", "{:#?}", played.lines());
    assert!(first.line.contains("S3"), "a warning first: {}", first.line);
    assert!(first.at > FROM + 18 * DAY_MS, "{}", first.line);
}

#[test]
fn every_kind_has_a_test_above() {
    // A kind that is added to the list needs one as well.
    assert_eq!(FailureKind::TOILET.len(), 9);
}

#[test]
fn a_repaired_heater_is_as_new() {
    let mut playing = Playing::new(failing(FailureKind::HeaterWeak, BEGINS, 0));
    let repaired = BEGINS + 36 * HOUR_MS;
    playing.until(repaired);
    assert_eq!(playing.fleet.devices()[0].failures.len(), 1);
    playing.fleet.repair(0, repaired);
    assert_eq!(playing.fleet.devices()[0].failures, []);
    playing.until(repaired + 36 * HOUR_MS);
    let changes: Vec<Change> = playing.played.told.iter().map(|told| told.change).collect();
    // Nobody worked on it, so that the end of the fault ends the ticket.
    assert_eq!(changes, [Change::Opened, Change::Cancelled]);
}

#[test]
fn what_is_injected_while_it_lives_shows_at_a_use_on_demand() {
    let mut playing = Playing::new(plan(36, 1));
    let now = FROM + 6 * HOUR_MS;
    playing.until(now);
    let failure = Failure {
        kind: FailureKind::HeaterStuckOn,
        ripens_ms: 0,
    };
    playing.fleet.inject(0, failure, now);
    playing.fleet.use_at(0, now + MINUTE_MS);
    playing.fleet.inject(99, failure, now);
    playing.fleet.use_at(99, now);
    playing.until(now + 4 * MINUTE_MS);
    let faults: Vec<&str> = playing
        .played
        .told
        .iter()
        .map(|told| told.fault.as_str())
        .collect();
    assert_eq!(faults, ["water_over_temp"], "{:#?}", playing.played.lines());
}
