//! Healthy brushes keep quiet, each failure of a brush opens its own ticket, and what brushes say can be read.

use super::*;
use crate::lab::simulate::Failure;
use crate::lab::simulate::FailureKind;
use crate::lab::simulate::PlannedFailure;
use crate::lab::simulate::Published;
use crate::lab::simulate::Quirk;
use crate::lab::simulate::SimulatedDevice;

fn brushes(seed: u64, brushes: usize) -> FleetPlan {
    FleetPlan {
        brushes,
        ..plan(seed, 0)
    }
}

/// The first messages of a fleet.
fn first(plan: FleetPlan, count: usize) -> Vec<Published> {
    let mut fleet = Fleet::new(plan);
    (0..count).map_while(|_| fleet.next()).collect()
}

#[test]
fn healthy_brushes_keep_quiet_for_a_month() {
    // The third of them is often offline, and brings home what it kept.
    let played = play(brushes(11, 4), 30);
    assert_eq!(played.lines(), [""; 0]);
    assert_eq!(played.counts.rejected + played.counts.records_rejected, 0);
}

#[test]
fn only_what_was_garbled_is_rejected() {
    let plan = brushes(5, 15);
    let devices = Fleet::new(plan.clone()).devices();
    let faulty = devices
        .iter()
        .find(|device| device.quirk == Quirk::Malformed);
    let topic = format!("appl/v1/{}/", faulty.expect("a faulty sender").id);
    let played = play(plan, 5);
    assert_eq!(played.lines(), [""; 0]);
    assert!(!played.rejected.is_empty(), "nothing was garbled");
    for rejected in &played.rejected {
        assert!(rejected.message.topic.starts_with(&topic), "{rejected:?}");
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_other_seeds_do_not() {
    let one = first(brushes(7, 5), 8_000);
    assert_eq!(one.len(), 8_000);
    assert!(one == first(brushes(7, 5), 8_000), "equal plans differ");
    assert!(
        one != first(brushes(8, 5), 8_000),
        "another seed gives the same"
    );
    assert_eq!(one[0].topic.split('/').nth(2), Some("tb-iq9"));
}

#[test]
fn brushes_come_after_the_seats_and_show_every_quirk() {
    let plan = FleetPlan {
        brushes: 15,
        ..plan(7, 2)
    };
    let devices = Fleet::new(plan).devices();
    assert_eq!(devices[1].id.as_str(), "ts-flash5/TSF5-DEMO-002");
    assert_eq!(devices[2].id.as_str(), "tb-iq9/TBQ9-DEMO-001");
    for quirk in [
        Quirk::BadLink,
        Quirk::WrongClock,
        Quirk::ClockJumps,
        Quirk::Repeats,
        Quirk::Malformed,
    ] {
        let shows = |device: &SimulatedDevice| device.quirk == quirk;
        assert!(devices[2..].iter().any(shows), "{quirk:?}");
    }
}

#[test]
fn a_link_that_was_away_brings_home_what_was_kept() {
    let messages = first(brushes(7, 3), 6_000);
    let batch = messages
        .iter()
        .find(|published| published.device == 2 && published.topic.ends_with("/batch"))
        .expect("a batch");
    let text = std::str::from_utf8(&batch.payload).expect("text");
    assert!(text.contains("dock.rssi"), "{text}");
}

#[test]
fn a_new_head_counts_from_the_beginning() {
    let mut fleet = Fleet::new(failing(FailureKind::HeadWorn, 3, 1, 24));
    let mut days = Vec::new();
    while let Some(published) = fleet.next() {
        if published.at > FROM + 6 * DAY_MS {
            break;
        }
        let text = std::str::from_utf8(&published.payload).expect("text");
        if let Some((_, rest)) = text.split_once("\"head_days_left\":") {
            let number = rest.split(',').next().and_then(|n| n.parse::<i64>().ok());
            days.push(number.expect("a number"));
            if days.last() == Some(&0) {
                fleet.repair(0, published.at);
            }
        }
    }
    assert!(days[0] >= 50 && days.contains(&0), "{days:?}");
    assert!(days.last().is_some_and(|last| *last >= 85), "{days:?}");
}

/// One brush in which something begins to fail after so many days, and ripens in so many hours.
fn failing(kind: FailureKind, seed: u64, after: i64, hours: i64) -> FleetPlan {
    let planned = PlannedFailure {
        device: 0,
        failure: Failure {
            kind,
            ripens_ms: hours * HOUR_MS,
        },
        begins: FROM + after * DAY_MS,
    };
    FleetPlan {
        failures: vec![planned],
        ..brushes(seed, 1)
    }
}

/// The failure is told within so many days of its beginning, and nothing else is but these companions.
fn told_in_time(kind: FailureKind, after: i64, hours: i64, days: i64, companions: &[&str]) {
    let played = play(failing(kind, 5, after, hours), after + days);
    let lines = played.lines();
    let own = |told: &&Told| told.fault == kind.fault();
    assert!(
        played.told.iter().any(|told| own(&told)),
        "{kind:?} was not noticed within {days} d: {lines:#?}"
    );
    for told in played.told.iter().filter(|told| !own(told)) {
        assert!(companions.contains(&told.fault.as_str()), "{lines:#?}");
    }
    for told in &played.told {
        assert!(told.at >= FROM + after * DAY_MS, "{lines:#?}");
    }
}

#[test]
fn a_fading_cell_is_noticed() {
    told_in_time(FailureKind::CellFades, 17, 72, 14, &[]);
}

#[test]
fn a_resisting_cell_is_noticed() {
    told_in_time(FailureKind::CellResists, 1, 24, 10, &[]);
}

#[test]
fn a_motor_that_stops_is_noticed() {
    told_in_time(FailureKind::CutsOff, 1, 24, 6, &[]);
}

#[test]
fn a_dead_dock_is_noticed() {
    told_in_time(FailureKind::DockDead, 1, 24, 12, &[]);
}

#[test]
fn a_hot_charge_is_noticed() {
    told_in_time(FailureKind::ChargesHot, 1, 24, 12, &[]);
}

#[test]
fn water_in_the_handle_is_noticed() {
    // Its first sign is a button that triggers.
    told_in_time(FailureKind::WaterInHandle, 1, 48, 8, &["button_fault"]);
}

#[test]
fn a_worn_drive_is_noticed() {
    told_in_time(FailureKind::DriveWears, 13, 48, 12, &[]);
}

#[test]
fn a_stuck_pressure_sensor_is_noticed() {
    told_in_time(FailureKind::PressureSticks, 1, 24, 6, &[]);
}

#[test]
fn a_stuck_button_is_noticed() {
    told_in_time(FailureKind::ButtonSticks, 1, 48, 7, &[]);
}

#[test]
fn a_worn_head_is_noticed() {
    told_in_time(FailureKind::HeadWorn, 1, 48, 3, &[]);
}
