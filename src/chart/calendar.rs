//! Local time on the horizontal axis: offsets as data, round ticks, and short dates in both languages.
//!
//! Leaves tzdata to whoever gives the offsets. Invariant: a tick lies on a round local time (a whole minute, midnight, a Monday,
//! the first of a month), also across a change of the clocks.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveDateTime, Timelike as _};

use crate::telemetry::{DAY_MS, HOUR_MS, Lang, MINUTE_MS, SECOND_MS, Timestamp};

/// Most ticks of one axis; a wide chart has room for fewer.
const TICKS_LIMIT: usize = 16;

/// Instants from which a zone is so many seconds ahead of UTC, in rising order; before the first its offset holds too. Empty is UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone<'a>(pub &'a [(Timestamp, i32)]);

impl Zone<'_> {
    /// Milliseconds that local time is ahead of UTC.
    fn ahead_ms(self, at: Timestamp) -> i64 {
        let place = self.0.partition_point(|(from, _)| *from <= at);
        self.0
            .get(place.saturating_sub(1))
            .map_or(0, |(_, seconds)| i64::from(*seconds) * SECOND_MS)
    }

    /// Local date and time; `None` outside the years that a calendar has.
    fn local(self, at: Timestamp) -> Option<NaiveDateTime> {
        let ms = at.ms().checked_add(self.ahead_ms(at))?;
        DateTime::from_timestamp_millis(ms).map(|time| time.naive_utc())
    }

    /// The instant of a local time; of one that the clocks skip, the instant just after.
    fn instant(self, local: NaiveDateTime) -> Timestamp {
        let local = local.and_utc().timestamp_millis();
        let guess = Timestamp::from_ms(local - self.ahead_ms(Timestamp::from_ms(local)));
        Timestamp::from_ms(local - self.ahead_ms(guess))
    }
}

/// How far ticks are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A part of a day, ms.
    Part(i64),
    Days(u64),
    /// From Monday to Monday.
    Weeks(u64),
    Months(u32),
    Years(u32),
}

const STEPS: [Step; 27] = [
    Step::Part(SECOND_MS),
    Step::Part(2 * SECOND_MS),
    Step::Part(5 * SECOND_MS),
    Step::Part(10 * SECOND_MS),
    Step::Part(15 * SECOND_MS),
    Step::Part(30 * SECOND_MS),
    Step::Part(MINUTE_MS),
    Step::Part(2 * MINUTE_MS),
    Step::Part(5 * MINUTE_MS),
    Step::Part(10 * MINUTE_MS),
    Step::Part(15 * MINUTE_MS),
    Step::Part(30 * MINUTE_MS),
    Step::Part(HOUR_MS),
    Step::Part(2 * HOUR_MS),
    Step::Part(3 * HOUR_MS),
    Step::Part(6 * HOUR_MS),
    Step::Part(12 * HOUR_MS),
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(5),
    Step::Years(50),
];

impl Step {
    /// Its usual length, ms.
    fn length_ms(self) -> i64 {
        match self {
            Self::Part(ms) => ms,
            Self::Days(days) => days.cast_signed() * DAY_MS,
            Self::Weeks(weeks) => weeks.cast_signed() * 7 * DAY_MS,
            Self::Months(months) => i64::from(months) * 30 * DAY_MS,
            Self::Years(years) => i64::from(years) * 365 * DAY_MS,
        }
    }

    /// The last round time at or before a local time.
    fn floor(self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let midnight = local.date().and_time(chrono::NaiveTime::MIN);
        match self {
            Self::Part(ms) => {
                let into = (local - midnight).num_milliseconds();
                Some(midnight + chrono::TimeDelta::milliseconds(into - into % ms))
            }
            Self::Days(days) => {
                let day = u64::try_from(local.date().num_days_from_ce()).ok()?;
                midnight.checked_sub_days(Days::new(day % days))
            }
            Self::Weeks(weeks) => {
                // Day 1 of the common era was a Monday.
                let day = u64::try_from(local.date().num_days_from_ce() - 1).ok()?;
                midnight.checked_sub_days(Days::new(day % (7 * weeks)))
            }
            Self::Months(months) => {
                let month = (local.month() - 1) / months * months + 1;
                NaiveDate::from_ymd_opt(local.year(), month, 1)?.and_hms_opt(0, 0, 0)
            }
            Self::Years(years) => {
                let years = i32::try_from(years).ok()?;
                let year = local.year().div_euclid(years) * years;
                NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)
            }
        }
    }

    fn next(self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Part(ms) => local.checked_add_signed(chrono::TimeDelta::milliseconds(ms)),
            Self::Days(days) => local.checked_add_days(Days::new(days)),
            Self::Weeks(weeks) => local.checked_add_days(Days::new(7 * weeks)),
            Self::Months(months) => local.checked_add_months(Months::new(months)),
            Self::Years(years) => local.checked_add_months(Months::new(12 * years)),
        }
    }

    fn label(self, local: NaiveDateTime, lang: Lang) -> String {
        let midnight = local.num_seconds_from_midnight() == 0;
        match self {
            Self::Part(ms) if !midnight => clock(local, ms < MINUTE_MS),
            Self::Part(_) | Self::Days(_) | Self::Weeks(_) => day(local, lang),
            Self::Months(_) if local.month() > 1 => month(local, lang),
            Self::Months(_) | Self::Years(_) => match lang {
                Lang::En => local.year().to_string(),
                Lang::Zh => format!("{}年", local.year()),
            },
        }
    }
}

/// Round local times of a span, as many as have room: the instant and its label. `room` tells how many labels of this text's
/// width fit beside one another.
pub(super) fn ticks(
    zone: Zone<'_>,
    (from, to): (Timestamp, Timestamp),
    lang: Lang,
    room: impl Fn(&str) -> f64,
) -> Vec<(Timestamp, String)> {
    let span = to.since(from);
    let Some(start) = zone.local(from).filter(|_| span > 0) else {
        return Vec::new();
    };
    for step in STEPS {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a chart are far below 2^53"
        )]
        let count = span as f64 / step.length_ms() as f64;
        let sample = match (step, lang) {
            // The widest label of the step.
            (Step::Part(ms), _) if ms < MINUTE_MS => "00:00:00",
            (Step::Part(_) | Step::Days(_) | Step::Weeks(_), Lang::En) => "28 Mar",
            (Step::Part(_) | Step::Days(_) | Step::Weeks(_), Lang::Zh) => "12月28日",
            (Step::Months(_) | Step::Years(_), _) => "2026年",
        };
        if count <= room(sample) {
            return all(zone, step, start, (from, to), lang);
        }
    }
    Vec::new()
}

fn all(
    zone: Zone<'_>,
    step: Step,
    start: NaiveDateTime,
    (from, to): (Timestamp, Timestamp),
    lang: Lang,
) -> Vec<(Timestamp, String)> {
    let mut found: Vec<(Timestamp, String)> = Vec::new();
    let mut local = step.floor(start);
    while let Some(time) = local {
        let at = zone.instant(time);
        if at > to || found.len() >= TICKS_LIMIT {
            break;
        }
        // A local time that the clocks skip would stand on the tick before it.
        if at >= from && found.last().is_none_or(|(last, _)| *last < at) {
            found.push((at, step.label(time, lang)));
        }
        local = step.next(time);
    }
    found
}

/// The day of an instant: `6 Mar`, `3月6日`.
#[must_use]
pub fn day_label(zone: Zone<'_>, at: Timestamp, lang: Lang) -> String {
    zone.local(at)
        .map_or_else(|| "–".to_owned(), |local| day(local, lang))
}

/// Day and minute of an instant: `6 Mar 07:12`, `3月6日 07:12`; with seconds where the chart is that fine.
#[must_use]
pub fn moment_label(zone: Zone<'_>, at: Timestamp, seconds: bool, lang: Lang) -> String {
    zone.local(at).map_or_else(
        || "–".to_owned(),
        |local| format!("{} {}", day(local, lang), clock(local, seconds)),
    )
}

/// The time of day alone.
pub(super) fn clock_label(zone: Zone<'_>, at: Timestamp, seconds: bool) -> String {
    zone.local(at)
        .map_or_else(|| "–".to_owned(), |local| clock(local, seconds))
}

/// Both lie on the same local day.
pub(super) fn same_day(zone: Zone<'_>, a: Timestamp, b: Timestamp) -> bool {
    zone.local(a).map(|local| local.date()) == zone.local(b).map(|local| local.date())
}

fn clock(local: NaiveDateTime, seconds: bool) -> String {
    let (hour, minute) = (local.hour(), local.minute());
    if seconds {
        format!("{hour:02}:{minute:02}:{:02}", local.second())
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

fn day(local: NaiveDateTime, lang: Lang) -> String {
    match lang {
        Lang::En => format!("{} {}", local.day(), month(local, lang)),
        Lang::Zh => format!("{}月{}日", local.month(), local.day()),
    }
}

fn month(local: NaiveDateTime, lang: Lang) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    match lang {
        Lang::En => MONTHS
            .get(local.month0() as usize)
            .copied()
            .unwrap_or_default()
            .to_owned(),
        Lang::Zh => format!("{}月", local.month()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn labels(zone: Zone<'_>, from: &str, to: &str, lang: Lang) -> Vec<String> {
        ticks(zone, (time(from), time(to)), lang, |_| 9.0)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn two_months_have_their_mondays_in_local_time() {
        let shanghai = [(Timestamp::from_ms(0), 8 * 3600)];
        let zone = Zone(&shanghai);
        let (from, to) = ("2026-01-18T04:00:00.000Z", "2026-03-17T06:20:00.000Z");
        assert_eq!(
            labels(zone, from, to, Lang::En)[..2],
            ["19 Jan".to_owned(), "26 Jan".to_owned()]
        );
        let found = ticks(zone, (time(from), time(to)), Lang::Zh, |_| 9.0);
        assert_eq!(found[0].1, "1月19日");
        // Midnight of Monday, 19 January, in Shanghai.
        assert_eq!(found[0].0, time("2026-01-18T16:00:00.000Z"));
    }

    #[test]
    fn a_scald_has_seconds_and_a_day_has_hours() {
        let second = labels(
            Zone::default(),
            "2026-03-21T00:18:58.300Z",
            "2026-03-21T00:19:20.000Z",
            Lang::En,
        );
        assert_eq!(
            second,
            ["00:19:00", "00:19:05", "00:19:10", "00:19:15", "00:19:20"]
        );
        let hours = labels(
            Zone::default(),
            "2026-03-21T05:00:00.000Z",
            "2026-03-22T05:00:00.000Z",
            Lang::En,
        );
        assert_eq!(
            hours,
            [
                "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "22 Mar", "03:00"
            ]
        );
    }

    #[test]
    fn hours_stay_round_when_the_clocks_change() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00.
        let berlin = [
            (Timestamp::from_ms(0), 3600),
            (time("2026-03-29T01:00:00.000Z"), 7200),
        ];
        let found = ticks(
            Zone(&berlin),
            (
                time("2026-03-28T23:00:00.000Z"),
                time("2026-03-29T04:00:00.000Z"),
            ),
            Lang::En,
            |_| 6.0,
        );
        let shown: Vec<&str> = found.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(
            shown,
            ["29 Mar", "01:00", "02:00", "04:00", "05:00", "06:00"]
        );
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn years_and_impossible_spans_give_few_ticks_or_none() {
        let years = labels(
            Zone::default(),
            "2001-05-01T00:00:00.000Z",
            "2026-03-01T00:00:00.000Z",
            Lang::Zh,
        );
        assert_eq!(years.first().map(String::as_str), Some("2005年"));
        for (from, to) in [
            (Timestamp::MIN, Timestamp::MAX),
            (Timestamp::MAX, Timestamp::MAX),
            (
                time("2026-03-01T00:00:00.000Z"),
                time("2026-03-01T00:00:00.000Z"),
            ),
        ] {
            assert!(ticks(Zone::default(), (from, to), Lang::En, |_| 9.0).len() <= TICKS_LIMIT);
        }
    }
}
