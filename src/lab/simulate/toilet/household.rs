//! The people of one bathroom: who comes when, for how long, and how they like it.
//!
//! Knows nothing of the seat. Days are planned one by one, in the local time of the place.

use super::super::chance::Chance;
use super::super::place::Place;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// One visit to the toilet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Visit {
    /// When the person comes.
    pub(super) at: Timestamp,
    /// How long they sit before they wash or rise, ms; `None`: they stand.
    pub(super) sits_ms: Option<i64>,
    /// The wash, if they take one.
    pub(super) wash: Option<Wash>,
    /// How long they dry, ms; 0: not.
    pub(super) dries_ms: i64,
}

/// How a person likes the wash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wash {
    /// Water level 1 to 5.
    pub(super) level: u8,
    /// Water temperature, °C.
    pub(super) set_c: f64,
    /// How long, ms.
    pub(super) lasts_ms: i64,
}

struct Person {
    level: u8,
    set_c: f64,
    wash_ms: i64,
    dries: f64,
    /// When they sit in the morning, ms after midnight.
    morning_ms: i64,
    /// How often they sit a second time.
    evenings: f64,
    /// How often they stand, in visits a day.
    stands: i64,
}

impl Person {
    fn new(chance: &mut Chance) -> Self {
        Self {
            level: *chance.pick(&[2, 3, 3, 3, 4, 5]),
            set_c: *chance.pick(&[36.0, 37.0, 38.0, 38.0, 38.0, 39.0, 40.0]),
            wash_ms: chance.span_ms(40 * SECOND_MS, 58 * SECOND_MS),
            dries: *chance.pick(&[0.0, 0.3, 0.6, 0.9]),
            morning_ms: chance.span_ms(6 * HOUR_MS + 10 * MINUTE_MS, 8 * HOUR_MS + 40 * MINUTE_MS),
            evenings: chance.between(0.1, 0.5),
            stands: chance.span_ms(0, 3),
        }
    }
}

/// The people, and the visits of the day that is planned.
pub(super) struct Household {
    place: &'static Place,
    people: Vec<Person>,
    chance: Chance,
    /// Visits of the planned day, the last first.
    planned: Vec<Visit>,
    /// Midnight of the next day to plan.
    next_day: Timestamp,
    /// When nobody is at home.
    away: (Timestamp, Timestamp),
}

impl Household {
    pub(super) fn new(place: &'static Place, from: Timestamp, mut chance: Chance) -> Self {
        let size = *chance.pick(&[1, 2, 2, 2, 3, 4]);
        let mut people: Vec<Person> = (0..size).map(|_| Person::new(&mut chance)).collect();
        // Somebody uses what the seat has: a part that nobody uses shows no failure.
        if let Some(first) = people.first_mut() {
            first.dries = first.dries.max(0.5);
        }
        let leaves = from + chance.span_ms(5 * DAY_MS, 45 * DAY_MS);
        let away = (leaves, leaves + chance.span_ms(2 * DAY_MS, 6 * DAY_MS));
        Self {
            place,
            people,
            chance,
            planned: Vec::new(),
            next_day: place.midnight(from),
            away,
        }
    }

    /// The next visit not before this time.
    pub(super) fn next(&mut self, not_before: Timestamp) -> Visit {
        loop {
            while let Some(visit) = self.planned.pop() {
                let away = self.away.0 <= visit.at && visit.at < self.away.1;
                // Two at once: the second waits for the door.
                let late = not_before.since(visit.at);
                if !away && late < HOUR_MS {
                    return Visit {
                        at: visit.at.max(not_before),
                        ..visit
                    };
                }
            }
            self.plan();
        }
    }

    /// Somebody comes now and takes a wash, whatever the day's plan says.
    pub(super) fn comes(&mut self, at: Timestamp) -> Visit {
        let sits_ms = 20 * SECOND_MS;
        Visit {
            at,
            ..self.sitting(0, at, sits_ms, 1.0)
        }
    }

    fn plan(&mut self) {
        let midnight = self.next_day;
        self.next_day = midnight + DAY_MS;
        if midnight >= self.away.1 {
            let leaves = midnight + self.chance.span_ms(25 * DAY_MS, 60 * DAY_MS);
            self.away = (leaves, leaves + self.chance.span_ms(2 * DAY_MS, 6 * DAY_MS));
        }
        // 1970-01-01 was a Thursday: Saturday and Sunday are days 2 and 3 from there on.
        let weekday = (midnight.ms() + self.place.zone_ms())
            .div_euclid(DAY_MS)
            .rem_euclid(7);
        let later_ms = if matches!(weekday, 2 | 3) {
            70 * MINUTE_MS
        } else {
            0
        };
        for person in 0..self.people.len() {
            self.plan_for(person, midnight, later_ms);
        }
        self.planned
            .sort_by_key(|visit| std::cmp::Reverse(visit.at));
    }

    fn plan_for(&mut self, person: usize, midnight: Timestamp, later_ms: i64) {
        let Person {
            morning_ms,
            evenings,
            stands,
            ..
        } = self.people[person];
        if self.chance.happens(0.9) {
            let at = midnight
                + morning_ms
                + later_ms
                + self.chance.span_ms(-25 * MINUTE_MS, 25 * MINUTE_MS);
            let sits_ms = self.chance.span_ms(100 * SECOND_MS, 6 * MINUTE_MS);
            let visit = self.sitting(person, at, sits_ms, 0.92);
            self.planned.push(visit);
        }
        if self.chance.happens(evenings) {
            let at = midnight + self.chance.span_ms(18 * HOUR_MS, 23 * HOUR_MS);
            let sits_ms = self.chance.span_ms(90 * SECOND_MS, 5 * MINUTE_MS);
            let visit = self.sitting(person, at, sits_ms, 0.85);
            self.planned.push(visit);
        }
        for _ in 0..stands {
            // Mostly in the evening, sometimes at night.
            let at = midnight
                + if self.chance.happens(0.12) {
                    self.chance.span_ms(HOUR_MS, 5 * HOUR_MS)
                } else {
                    self.chance
                        .span_ms(9 * HOUR_MS, 23 * HOUR_MS + 30 * MINUTE_MS)
                };
            self.planned.push(Visit {
                at,
                sits_ms: None,
                wash: None,
                dries_ms: 0,
            });
        }
    }

    fn sitting(&mut self, person: usize, at: Timestamp, sits_ms: i64, washes: f64) -> Visit {
        let Person {
            level,
            set_c,
            wash_ms,
            dries,
            ..
        } = self.people[person];
        let wash = self.chance.happens(washes).then(|| {
            // Now and then another level than the usual one.
            let level = if self.chance.happens(0.06) { 3 } else { level };
            let lasts_ms = wash_ms + self.chance.span_ms(-8 * SECOND_MS, 8 * SECOND_MS);
            Wash {
                level,
                set_c,
                lasts_ms,
            }
        });
        let dries = wash.is_some() && self.chance.happens(dries);
        let dries_ms = self.chance.span_ms(35 * SECOND_MS, 65 * SECOND_MS);
        Visit {
            at,
            sits_ms: Some(sits_ms),
            wash,
            dries_ms: if dries { dries_ms } else { 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::place::PLACES;
    use super::*;

    #[test]
    fn people_come_in_order_mostly_by_day_and_go_away_at_times() {
        let from: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
        let mut home = Household::new(&PLACES[0], from, Chance::new(7, 0, 9));
        let (mut at, mut visits, mut nightly, mut longest) = (from, 0, 0, 0);
        while at < from + 60 * DAY_MS {
            let visit = home.next(at);
            assert!(visit.at >= at);
            longest = longest.max(visit.at.since(at));
            let hour = visit.at.since(PLACES[0].midnight(visit.at)) / HOUR_MS;
            nightly += i32::from(hour < 6);
            visits += 1;
            at = visit.at + MINUTE_MS;
        }
        assert!((100..1_200).contains(&visits), "{visits} visits in 60 days");
        assert!(nightly * 8 < visits, "{nightly} of {visits} at night");
        assert!(longest > DAY_MS, "never away: {longest} ms");
    }
}
