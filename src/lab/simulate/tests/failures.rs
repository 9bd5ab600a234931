//! Each failure opens its own ticket in time, and no other.

use super::*;
use crate::lab::simulate::Failure;
use crate::lab::simulate::FailureKind;
use crate::lab::simulate::PlannedFailure;

/// One seat in which something begins to fail a day after the start, and ripens in so many hours.
fn failing(kind: FailureKind, seed: u64, hours: i64) -> FleetPlan {
    let planned = PlannedFailure {
        device: 0,
        failure: Failure {
            kind,
            ripens_ms: hours * HOUR_MS,
        },
        begins: FROM + DAY_MS,
    };
    FleetPlan {
        failures: vec![planned],
        ..plan(seed, 1)
    }
}

/// The failure of this kind, ripening in so many hours, is told within so many days of its beginning, and nothing else is.
fn told_in_time(kind: FailureKind, hours: i64, days: i64) {
    let played = play(failing(kind, 5, hours), 1 + days);
    let lines = played.lines();
    assert!(
        !lines.is_empty(),
        "{kind:?} was not noticed within {days} d"
    );
    for told in &played.told {
        assert_eq!(told.fault, kind.fault(), "{lines:#?}");
        assert!(told.at >= FROM + DAY_MS, "{lines:#?}");
        assert_eq!(told.device.as_str(), "ts-flash5/TSF5-DEMO-001");
    }
}

#[test]
fn a_repaired_heater_is_as_new() {
    let mut playing = Playing::new(failing(FailureKind::HeaterWeak, 5, 0));
    playing.until(FROM + 4 * DAY_MS);
    assert!(playing.fleet.devices()[0].failures.len() == 1);
    playing.fleet.repair(0, FROM + 4 * DAY_MS);
    assert_eq!(playing.fleet.devices()[0].failures, []);
    playing.until(FROM + 8 * DAY_MS);
    let changes: Vec<Change> = playing.played.told.iter().map(|told| told.change).collect();
    assert_eq!(
        changes,
        [Change::Opened, Change::Cleared],
        "{:#?}",
        playing.played.lines()
    );
}

#[test]
#[ignore = "exploration"]
fn explore() {
    let get = |name: &str, or: u64| {
        std::env::var(name)
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(or)
    };
    let seeds = get("SEEDS", 4);
    for (kind, hours, days) in [
        (FailureKind::HeaterStuckOn, 0, 2),
        (FailureKind::HeaterWeak, 0, 4),
        (FailureKind::WaterSensor, 24, 3),
        (FailureKind::SeatOverheats, 1, 1),
        (FailureKind::ValveLeak, 6, 1),
        (FailureKind::NozzleSlow, 24, 4),
        (FailureKind::Leakage, 72, 4),
        (FailureKind::DryerFan, 24, 5),
        (FailureKind::Limescale, 48, 5),
    ] {
        for seed in 1..=seeds {
            let played = play(failing(kind, seed, hours), days + 1);
            println!(
                "{kind:?} {seed}: {}",
                if played.told.is_empty() {
                    "NOTHING"
                } else {
                    ""
                }
            );
            for told in played.told {
                println!(
                    "  {} {} {}",
                    if told.fault == kind.fault() {
                        ""
                    } else {
                        "!!!"
                    },
                    told.at.since(FROM + DAY_MS) / HOUR_MS,
                    told.line
                );
            }
        }
    }
}
