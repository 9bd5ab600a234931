//! Offsets of every time zone as data for the journal, so that a tzdata update changes no result of the past.

use chrono::{Datelike, NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::telemetry::{DAY_MS, Timestamp, ZoneTable};

/// Whole calendar years before the current one that the table covers: late data is at most 45 days old.
const YEARS_BEFORE: i32 = 1;
/// Whole calendar years after the current one that the table covers (DESIGN section 1: two years ahead).
const YEARS_AFTER: i32 = 2;
/// Transitions are looked for at this distance; no zone has two within it.
const STEP_MS: i64 = 7 * DAY_MS;

/// The offsets of all zones around `now`. Equal for every instant of one calendar year, so that it is journalled once a year.
#[must_use]
pub fn zone_table(now: Timestamp) -> ZoneTable {
    let year = Utc
        .timestamp_millis_opt(now.ms())
        .single()
        .map_or(2026, |time| time.year());
    let from = first_of(year - YEARS_BEFORE);
    let to = first_of(year + YEARS_AFTER + 1);
    TZ_VARIANTS
        .iter()
        .map(|zone| (zone.name().into(), offsets(*zone, from, to)))
        .collect()
}

/// Seconds that a zone is ahead of UTC at an instant.
#[must_use]
pub fn offset_s(zone: Tz, at: Timestamp) -> i32 {
    offset(zone, at.ms())
}

fn first_of(year: i32) -> i64 {
    NaiveDate::from_ymd_opt(year, 1, 1)
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map_or(0, |time| time.and_utc().timestamp_millis())
}

/// The zone's offset at `from` and each change up to `to`.
fn offsets(zone: Tz, from: i64, to: i64) -> Vec<(Timestamp, i32)> {
    let mut found = vec![(Timestamp::from_ms(from), offset(zone, from))];
    let mut at = from;
    while at < to {
        let next = (at + STEP_MS).min(to);
        let (before, after) = (offset(zone, at), offset(zone, next));
        if before != after {
            let (mut low, mut high) = (at, next);
            while high - low > 1_000 {
                let middle = low + (high - low) / 2 / 1_000 * 1_000;
                let middle = if middle == low { low + 1_000 } else { middle };
                if offset(zone, middle) == before {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            found.push((Timestamp::from_ms(high), after));
        }
        at = next;
    }
    found
}

/// Seconds that the zone's clocks are ahead of UTC at this instant.
fn offset(zone: Tz, ms: i64) -> i32 {
    Utc.timestamp_millis_opt(ms).single().map_or(0, |time| {
        zone.offset_from_utc_datetime(&time.naive_utc())
            .fix()
            .local_minus_utc()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn berlin_changes_twice_a_year_and_shanghai_never() {
        let table = zone_table("2026-03-01T00:00:00.000Z".parse().expect("a time"));
        assert_eq!(table["Asia/Shanghai"].len(), 1);
        assert_eq!(table["Asia/Shanghai"][0].1, 8 * 3600);
        let berlin = &table["Europe/Berlin"];
        assert_eq!(berlin.len(), 1 + 2 * 4);
        let summer = berlin
            .iter()
            .find(|(at, _)| at.to_string().starts_with("2026-03"))
            .expect("the change of March");
        assert_eq!(
            (summer.0.to_string().as_str(), summer.1),
            ("2026-03-29T01:00:00.000Z", 7200)
        );
    }

    #[test]
    fn the_table_is_equal_all_year() {
        let january = zone_table("2026-01-01T00:00:00.000Z".parse().expect("a time"));
        assert_eq!(
            january,
            zone_table("2026-12-31T23:59:59.999Z".parse().expect("a time"))
        );
    }
}
