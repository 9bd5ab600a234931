//! What fails in the demo's fleet: a month in which most kinds of failure came and went, some are being dealt with, and one has
//! just become dangerous; and what a visitor can watch afterwards.
//!
//! Written for 30 days, 24 seats and 16 brushes; other lengths are scaled and other fleets dealt round, so that any demo has a story.

use super::failure::Failure;
use super::failure::FailureKind;
use super::failure::PlannedFailure;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;

/// The days that the story was written for.
const STORY_DAYS: f64 = 30.0;

/// What fails, how many days before the end it begins, how many days it takes to full strength.
const SEATS: [(FailureKind, f64, f64); 25] = [
    // Long over: opened, repaired, closed.
    (FailureKind::HeaterStuckOn, 27.2, 0.0),
    (FailureKind::ValveLeak, 26.4, 1.0),
    (FailureKind::WaterSensor, 25.1, 0.0),
    (FailureKind::HeaterWeak, 24.6, 0.5),
    (FailureKind::SeatOverheats, 22.3, 0.5),
    (FailureKind::Leakage, 21.8, 12.0),
    (FailureKind::NozzleSlow, 19.5, 1.5),
    (FailureKind::ValveLeak, 18.7, 1.0),
    (FailureKind::HeaterWeak, 17.1, 0.5),
    (FailureKind::Limescale, 15.2, 9.0),
    (FailureKind::DryerFan, 14.8, 2.0),
    (FailureKind::HeaterStuckOn, 13.3, 0.0),
    (FailureKind::Limescale, 12.6, 8.0),
    (FailureKind::ValveLeak, 11.4, 1.0),
    (FailureKind::HeaterWeak, 10.2, 0.5),
    (FailureKind::NozzleSlow, 8.9, 1.5),
    // In work, or waiting.
    (FailureKind::Leakage, 10.5, 12.0),
    (FailureKind::DryerFan, 6.2, 2.0),
    (FailureKind::Limescale, 9.4, 9.0),
    (FailureKind::HeaterWeak, 3.6, 0.5),
    (FailureKind::NozzleSlow, 3.1, 1.0),
    (FailureKind::ValveLeak, 2.2, 1.0),
    (FailureKind::WaterSensor, 1.1, 0.0),
    // New.
    (FailureKind::SeatOverheats, 0.35, 0.1),
    (FailureKind::HeaterStuckOn, 0.25, 0.0),
];

/// The same of the brushes.
const BRUSHES: [(FailureKind, f64, f64); 12] = [
    (FailureKind::CutsOff, 25.3, 2.0),
    (FailureKind::PressureSticks, 23.7, 0.0),
    (FailureKind::ButtonSticks, 20.4, 0.0),
    (FailureKind::DockDead, 18.2, 4.0),
    (FailureKind::ChargesHot, 16.6, 0.5),
    (FailureKind::CellResists, 15.0, 6.0),
    (FailureKind::WaterInHandle, 11.8, 3.0),
    (FailureKind::HeadWorn, 9.5, 0.0),
    (FailureKind::DriveWears, 9.0, 5.0),
    (FailureKind::PressureSticks, 4.7, 0.0),
    (FailureKind::CutsOff, 3.4, 1.0),
    (FailureKind::DockDead, 7.5, 1.0),
];

/// The failures of a history of so many seats and brushes that ends at `until`. Equal arguments give equal failures.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "spans of some days in ms"
)]
pub fn failures(
    (toilets, brushes): (usize, usize),
    from: Timestamp,
    until: Timestamp,
) -> Vec<PlannedFailure> {
    let scale = until.since(from) as f64 / (STORY_DAYS * DAY_MS as f64);
    let ms = |days: f64| (days * scale * DAY_MS as f64) as i64;
    let deal = |story: &[(FailureKind, f64, f64)], first: usize, count: usize| {
        let planned = story.iter().enumerate().filter(|_| count > 0);
        let planned = planned.map(|(number, (kind, before_end, ripens))| PlannedFailure {
            // A step without a common factor with most fleet sizes, so that neighbours in time are no neighbours in the list.
            device: first + (number * 7 + 3) % count,
            failure: Failure {
                kind: *kind,
                ripens_ms: ms(*ripens),
            },
            begins: until - ms(*before_end),
        });
        planned.collect::<Vec<_>>()
    };
    let mut all = deal(&SEATS, 0, toilets);
    all.extend(deal(&BRUSHES, toilets, brushes));
    all
}

/// Something that a visitor of the running demo can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    /// What fails, how fast.
    pub failure: Failure,
    /// How long after the start it begins.
    pub after_ms: i64,
    /// Somebody uses the device so long after it began to fail; `None`: it shows without use.
    pub used_after_ms: Option<i64>,
}

/// What happens while a visitor watches, in order.
#[must_use]
pub fn scenes() -> Vec<Scene> {
    let scene = |kind, ripens_ms, after_ms, used_after_ms| Scene {
        failure: Failure { kind, ripens_ms },
        after_ms,
        used_after_ms,
    };
    vec![
        scene(FailureKind::HeaterStuckOn, 0, 30_000, Some(5_000)),
        scene(FailureKind::ValveLeak, 2 * MINUTE_MS, 2 * MINUTE_MS, None),
        scene(
            FailureKind::SeatOverheats,
            2 * MINUTE_MS,
            4 * MINUTE_MS,
            None,
        ),
        scene(FailureKind::Leakage, 5 * MINUTE_MS, 6 * MINUTE_MS, None),
        scene(FailureKind::WaterSensor, 0, 9 * MINUTE_MS, None),
        scene(FailureKind::HeaterWeak, HOUR_MS, 12 * MINUTE_MS, None),
    ]
}
