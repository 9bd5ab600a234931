//! How numbers, durations and times are written in each language, in the site's time zone.
//!
//! Time is told twice (how long, and when); a machine finds the instant in `datetime`, a person the whole local time in `title`.
//! Between a number and its unit stands a no-break space.

use chrono::DateTime;
use chrono::Datelike as _;
use chrono::Offset as _;
use chrono::TimeZone as _;
use chrono::Timelike as _;
use chrono_tz::Tz;

use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Lang;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

use super::parts::Markup;
use super::parts::escaped;

/// No-break space: a number and its unit stay together.
pub(in crate::web) const NBSP: char = '\u{a0}';

/// Months as English short dates have them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Writes for one reader.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Show {
    lang: Lang,
    zone: Tz,
    now: Timestamp,
}

impl Show {
    /// In this language and zone, as of `now`.
    pub(in crate::web) const fn new(lang: Lang, zone: Tz, now: Timestamp) -> Self {
        Self { lang, zone, now }
    }

    /// The same in another zone.
    pub(in crate::web) const fn in_zone(self, zone: Tz) -> Self {
        Self { zone, ..self }
    }

    /// As of when the page is.
    pub(in crate::web) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The zone that times are shown in.
    pub(in crate::web) const fn zone(&self) -> Tz {
        self.zone
    }

    /// `Asia/Shanghai (UTC+8)`.
    pub(in crate::web) fn zone_name(&self) -> String {
        format!(
            "{} ({})",
            self.zone.name(),
            self.offset(self.local(self.now))
        )
    }

    /// A count: `1,182`.
    #[expect(clippy::unused_self, reason = "reads like its sisters")]
    pub(in crate::web) fn count(&self, n: u64) -> String {
        grouped_digits(&n.to_string())
    }

    /// A share of one as a percentage: `64 %`, Chinese `64%`.
    pub(in crate::web) fn percent(&self, share: f64) -> String {
        let number = grouped((share * 100.0).round());
        match self.lang {
            Lang::En => format!("{number}{NBSP}%"),
            Lang::Zh => format!("{number}%"),
        }
    }

    /// How long, in the largest unit that says enough: `8 s`, `14 min`, `5 h`, `11 d`.
    pub(in crate::web) fn duration(&self, ms: i64) -> String {
        let ms = ms.max(0);
        let (n, en, zh) = if ms < MINUTE_MS {
            (ms / SECOND_MS, "s", "秒")
        } else if ms < 2 * HOUR_MS {
            (ms / MINUTE_MS, "min", "分钟")
        } else if ms < 2 * DAY_MS {
            (ms / HOUR_MS, "h", "小时")
        } else {
            (ms / DAY_MS, "d", "天")
        };
        let unit = match self.lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        format!("{n}{NBSP}{unit}")
    }

    /// `14:06`.
    pub(in crate::web) fn clock(&self, at: Timestamp) -> String {
        let at = self.local(at);
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// `14:06:09`.
    pub(in crate::web) fn clock_s(&self, at: Timestamp) -> String {
        let at = self.local(at);
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// `6 Mar`, Chinese `3月6日`; with the year when it is not this one.
    pub(in crate::web) fn date(&self, at: Timestamp) -> String {
        let year = self.local(self.now).year();
        let at = self.local(at);
        let month = MONTHS
            .get(at.month0() as usize)
            .copied()
            .unwrap_or_default();
        match (self.lang, at.year() == year) {
            (Lang::En, true) => format!("{}{NBSP}{month}", at.day()),
            (Lang::En, false) => format!("{}{NBSP}{month}{NBSP}{}", at.day(), at.year()),
            (Lang::Zh, true) => format!("{}月{}日", at.month(), at.day()),
            (Lang::Zh, false) => format!("{}年{}月{}日", at.year(), at.month(), at.day()),
        }
    }

    /// Date and time without "today": for charts and what is printed. `6 Mar 07:12`.
    pub(in crate::web) fn date_time(&self, at: Timestamp) -> String {
        format!("{} {}", self.date(at), self.clock(at))
    }

    /// When, as short as it is clear: `14:06` today, else `6 Mar`.
    pub(in crate::web) fn brief(&self, at: Timestamp) -> String {
        if self.is_today(at) {
            self.clock(at)
        } else {
            self.date(at)
        }
    }

    /// When, in a sentence: `today 06:52`, `6 Mar 07:12`.
    pub(in crate::web) fn day_time(&self, at: Timestamp) -> String {
        match (self.is_today(at), self.lang) {
            (true, Lang::En) => format!("today {}", self.clock(at)),
            (true, Lang::Zh) => format!("今天 {}", self.clock(at)),
            (false, _) => self.date_time(at),
        }
    }

    /// The whole local time with its zone: `2026-03-17 14:06:09 UTC+8`.
    pub(in crate::web) fn full(&self, at: Timestamp) -> String {
        let local = self.local(at);
        format!(
            "{} {}",
            local.format("%Y-%m-%d %H:%M:%S"),
            self.offset(local)
        )
    }

    /// A `time` element around any wording of an instant.
    pub(in crate::web) fn time(&self, at: Timestamp, text: &str) -> Markup {
        Markup::trusted(format!(
            "<time datetime=\"{at}\" title=\"{}\">{}</time>",
            escaped(&self.full(at)),
            escaped(text)
        ))
    }

    /// A `time` element that tells how long ago: `14 min`.
    pub(in crate::web) fn age(&self, at: Timestamp) -> Markup {
        self.time(at, &self.duration(self.now.since(at)))
    }

    /// A `time` element that tells when: `today 06:52`.
    pub(in crate::web) fn when(&self, at: Timestamp) -> Markup {
        self.time(at, &self.day_time(at))
    }

    /// `2026-03-17`: what a date field holds.
    pub(in crate::web) fn iso_day(&self, at: Timestamp) -> String {
        self.local(at).format("%Y-%m-%d").to_string()
    }

    /// Whether an instant lies on the reader's present day.
    pub(in crate::web) fn is_today(&self, at: Timestamp) -> bool {
        self.local(at).date_naive() == self.local(self.now).date_naive()
    }

    /// Seconds that the zone is ahead of UTC at an instant.
    pub(in crate::web) fn offset_s(&self, at: Timestamp) -> i32 {
        self.local(at).offset().fix().local_minus_utc()
    }

    fn local(&self, at: Timestamp) -> DateTime<Tz> {
        self.zone
            .timestamp_millis_opt(at.ms())
            .single()
            .unwrap_or_else(|| DateTime::UNIX_EPOCH.with_timezone(&self.zone))
    }

    #[expect(clippy::unused_self, reason = "reads like its sisters")]
    fn offset(&self, at: DateTime<Tz>) -> String {
        let minutes = at.offset().fix().local_minus_utc() / 60;
        let sign = if minutes < 0 { '\u{2212}' } else { '+' };
        match (minutes.abs() / 60, minutes.abs() % 60) {
            (hours, 0) => format!("UTC{sign}{hours}"),
            (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
        }
    }
}

/// A number with its thousands grouped: `1,182`, `-0.41`.
pub(in crate::web) fn grouped(value: f64) -> String {
    grouped_digits(&value.to_string())
}

fn grouped_digits(text: &str) -> String {
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("\u{2212}", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(w, f)| (w, f));
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = String::from(sign);
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(lang: Lang) -> Show {
        let now = "2026-03-17T06:20:05Z".parse().expect("a time");
        Show::new(lang, chrono_tz::Asia::Shanghai, now)
    }

    #[test]
    fn times_are_local_and_say_so() {
        let show = show(Lang::En);
        let at: Timestamp = "2026-03-05T23:12:31Z".parse().expect("a time");
        assert_eq!(show.date_time(at), "6\u{a0}Mar 07:12");
        assert_eq!(show.full(at), "2026-03-06 07:12:31 UTC+8");
        assert_eq!(show.duration(show.now().since(at)), "11\u{a0}d");
        let early = "2026-03-16T22:52:00Z".parse().expect("a time");
        assert_eq!(show.day_time(early), "today 06:52");
        assert_eq!(show.zone_name(), "Asia/Shanghai (UTC+8)");
        assert!(
            show.when(at)
                .as_str()
                .contains("datetime=\"2026-03-05T23:12:31.000Z\"")
        );
    }

    #[test]
    fn chinese_has_its_own_dates_and_no_space_before_percent() {
        let show = show(Lang::Zh);
        let at = "2025-12-31T23:12:31Z".parse().expect("a time");
        assert_eq!(show.date(at), "1月1日");
        assert_eq!(show.percent(0.64), "64%");
        assert_eq!(show.duration(14 * MINUTE_MS), "14\u{a0}分钟");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(1_182_000.5), "1,182,000.5");
        assert_eq!(grouped(-12.0), "\u{2212}12");
        assert_eq!(grouped(f64::INFINITY), "inf");
    }
}
