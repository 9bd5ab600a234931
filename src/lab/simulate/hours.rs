//! When people at a service desk work: the hours of a made-up office in China, without holidays.

use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;

/// China has one zone and no summer time.
const OFFSET_MS: i64 = 8 * HOUR_MS;
/// The office opens, local time.
const OPENS_MS: i64 = 9 * HOUR_MS;
/// The office closes.
const CLOSES_MS: i64 = 18 * HOUR_MS;
/// Someone answers for what is dangerous from then on.
const DUTY_BEGINS_MS: i64 = 7 * HOUR_MS;
/// And until then.
const DUTY_ENDS_MS: i64 = 23 * HOUR_MS;

/// The time when so much working time has gone by since `from`; the office works Monday to Saturday.
pub(super) fn working(from: Timestamp, mut work_ms: i64) -> Timestamp {
    let mut at = from;
    loop {
        let (day, of_day) = local(at);
        let closed = is_sunday(day) || of_day >= CLOSES_MS;
        if closed {
            at = utc(day + 1, OPENS_MS);
        } else if of_day < OPENS_MS {
            at = utc(day, OPENS_MS);
        } else if work_ms < CLOSES_MS - of_day {
            return at + work_ms;
        } else {
            work_ms -= CLOSES_MS - of_day;
            at = utc(day + 1, OPENS_MS);
        }
    }
}

/// The first time from then on at which someone is on duty.
pub(super) fn on_duty(at: Timestamp) -> Timestamp {
    let (day, of_day) = local(at);
    if of_day < DUTY_BEGINS_MS {
        utc(day, DUTY_BEGINS_MS) + (at.ms() % (20 * 60_000))
    } else if of_day >= DUTY_ENDS_MS {
        utc(day + 1, DUTY_BEGINS_MS) + (at.ms() % (20 * 60_000))
    } else {
        at
    }
}

/// Local day since 1970, and the ms since its midnight.
const fn local(at: Timestamp) -> (i64, i64) {
    let ms = at.ms() + OFFSET_MS;
    (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS))
}

const fn utc(day: i64, of_day: i64) -> Timestamp {
    Timestamp::from_ms(day * DAY_MS + of_day - OFFSET_MS)
}

/// The first of January 1970 was a Thursday.
const fn is_sunday(day: i64) -> bool {
    (day + 4).rem_euclid(7) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn work_begins_at_nine_and_rests_at_night_and_on_sundays() {
        // 2026-03-06 is a Friday. Times are UTC; the office is eight hours ahead.
        let cases = [
            (
                "2026-03-06T02:00:00.000Z",
                2 * HOUR_MS,
                "2026-03-06T04:00:00.000Z",
            ),
            (
                "2026-03-06T09:30:00.000Z",
                HOUR_MS,
                "2026-03-07T01:30:00.000Z",
            ),
            (
                "2026-03-06T20:00:00.000Z",
                HOUR_MS,
                "2026-03-07T02:00:00.000Z",
            ),
            (
                "2026-03-07T09:00:00.000Z",
                9 * HOUR_MS,
                "2026-03-09T09:00:00.000Z",
            ),
        ];
        for (from, work, expected) in cases {
            let found = working(at(from), work);
            assert_eq!(found, at(expected), "{from} + {work}");
        }
    }

    #[test]
    fn whoever_is_on_duty_sleeps_at_night() {
        assert_eq!(
            on_duty(at("2026-03-06T12:00:00.000Z")),
            at("2026-03-06T12:00:00.000Z")
        );
        let morning = on_duty(at("2026-03-06T18:07:00.000Z"));
        assert!(
            morning >= at("2026-03-06T23:00:00.000Z") && morning < at("2026-03-06T23:20:00.000Z")
        );
        let late = on_duty(at("2026-03-06T15:30:00.000Z"));
        assert!(late >= at("2026-03-06T23:00:00.000Z") && late < at("2026-03-06T23:20:00.000Z"));
    }
}
