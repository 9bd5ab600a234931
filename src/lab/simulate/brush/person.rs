//! Who brushes: when, how long, how hard, and when the brush comes onto its dock.
//!
//! Knows nothing of the brush. Days are planned one by one, in the local time of the place.

use crate::lab::simulate::chance::Chance;
use crate::lab::simulate::place::Place;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Length that the brush suggests.
pub(super) const TARGET_MS: i64 = 120 * SECOND_MS;

/// A mode with its word and the motor current of a new drive, mA.
#[derive(Debug, PartialEq)]
pub(super) struct Mode {
    pub(super) word: &'static str,
    pub(super) ma: f64,
}

const MODES: [Mode; 5] = [
    mode("daily", 700.0),
    mode("sensitive", 560.0),
    mode("gum", 610.0),
    mode("white", 760.0),
    mode("intense", 860.0),
];

const fn mode(word: &'static str, ma: f64) -> Mode {
    Mode { word, ma }
}

/// How one session goes, as far as the person decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Brushing {
    pub(super) mode: &'static Mode,
    pub(super) lasts_ms: i64,
    /// Ended by the timer; else by the button.
    pub(super) timer: bool,
    /// Share of it with too much pressure.
    pub(super) high: f64,
    /// Mean and greatest force, N.
    pub(super) force_n: (f64, f64),
    /// How often the button was pressed to start.
    pub(super) presses: i64,
}

/// One user of one brush.
pub(super) struct Person {
    place: &'static Place,
    chance: Chance,
    usual: &'static Mode,
    /// Now and then another one.
    other: &'static Mode,
    morning_ms: i64,
    evening_ms: i64,
    hasty: bool,
    high: f64,
    mean_n: f64,
    /// Docks for the night below so many points.
    low_pct: i64,
    /// When nobody brushes here.
    away: (Timestamp, Timestamp),
}

impl Person {
    pub(super) fn new(place: &'static Place, from: Timestamp, mut chance: Chance) -> Self {
        let usual = chance.pick(&[0_usize, 0, 0, 1, 2, 3, 4]);
        let other = chance.pick(&[0_usize, 2, 3]);
        let leaves = from + chance.span_ms(5 * DAY_MS, 50 * DAY_MS);
        Self {
            place,
            usual: &MODES[*usual],
            other: &MODES[*other],
            morning_ms: chance.span_ms(6 * HOUR_MS, 8 * HOUR_MS + 30 * MINUTE_MS),
            evening_ms: chance.span_ms(21 * HOUR_MS, 23 * HOUR_MS),
            hasty: chance.happens(0.3),
            high: chance.between(0.02, 0.13),
            mean_n: chance.between(1.2, 2.2),
            low_pct: chance.span_ms(32, 48),
            away: (leaves, leaves + chance.span_ms(2 * DAY_MS, 6 * DAY_MS)),
            chance,
        }
    }

    /// When sessions begin on the day of this midnight.
    pub(super) fn day(&mut self, midnight: Timestamp) -> Vec<Timestamp> {
        if midnight >= self.away.1 {
            let leaves = midnight + self.chance.span_ms(25 * DAY_MS, 60 * DAY_MS);
            let back = leaves + self.chance.span_ms(2 * DAY_MS, 6 * DAY_MS);
            self.away = (leaves, back);
        }
        let mut sessions = Vec::with_capacity(2);
        for (usual, spread, likely) in [
            (self.morning_ms, 25 * MINUTE_MS, 0.95),
            (self.evening_ms, 45 * MINUTE_MS, 0.97),
        ] {
            let at = midnight + usual + self.chance.span_ms(-spread, spread);
            let away = self.away.0 <= at && at < self.away.1;
            if self.chance.happens(likely) && !away {
                sessions.push(at);
            }
        }
        sessions
    }

    /// The session that begins now.
    pub(super) fn brushes(&mut self) -> Brushing {
        let mode = if self.chance.happens(0.08) {
            self.other
        } else {
            self.usual
        };
        let timer = self.chance.happens(if self.hasty { 0.2 } else { 0.75 });
        let lasts_ms = if timer {
            TARGET_MS
        } else if self.hasty {
            self.chance.span_ms(70 * SECOND_MS, 118 * SECOND_MS)
        } else {
            self.chance.span_ms(100 * SECOND_MS, 150 * SECOND_MS)
        };
        let mean_n = self.mean_n * (1.0 + 0.08 * self.chance.noise());
        Brushing {
            mode,
            lasts_ms,
            timer,
            high: (self.high * (1.0 + 0.25 * self.chance.noise())).max(0.0),
            force_n: (mean_n, mean_n + self.chance.between(0.7, 1.6)),
            presses: if self.chance.happens(0.08) { 2 } else { 1 },
        }
    }

    /// Whether the brush comes onto its dock after a session.
    pub(super) fn docks(&mut self, at: Timestamp, pct: i64) -> bool {
        let evening = at.since(self.place.midnight(at)) >= 18 * HOUR_MS;
        pct < 12 || evening && (pct < self.low_pct || self.chance.happens(0.15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::simulate::place::PLACES;

    #[test]
    fn people_brush_mornings_and_evenings_and_go_away_at_times() {
        let from: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
        let place = &PLACES[1];
        let mut person = Person::new(place, from, Chance::new(3, 0, 2));
        let days: Vec<usize> = (0..60)
            .map(|day| person.day(place.midnight(from) + day * DAY_MS).len())
            .collect();
        let sessions: usize = days.iter().sum();
        assert!((90..120).contains(&sessions), "{sessions} in 60 days");
        assert!(days.windows(2).any(|pair| pair == [0, 0]), "never away");
    }
}
