//! The fixed words of a chart, in both languages.
//!
//! Leaves numbers to `number` and dates to `calendar`. A device is not named: the page around the chart does that.

use crate::telemetry::{DAY_MS, HOUR_MS, Lang, MINUTE_MS, SECOND_MS};

use super::number::{quantity, relative};
use super::{Level, LimitLine, MarkKind};

/// How long, in its two largest units: `11 d 7 h`, `11 天 7 小时`; below two minutes in seconds.
#[must_use]
pub fn span_words(ms: i64, lang: Lang) -> String {
    let ms = ms.max(0);
    let units = [
        (DAY_MS, "d", "天"),
        (HOUR_MS, "h", "小时"),
        (MINUTE_MS, "min", "分钟"),
        (SECOND_MS, "s", "秒"),
    ];
    let word = |count: i64, en: &str, zh: &str| match lang {
        Lang::En => format!("{count}\u{a0}{en}"),
        Lang::Zh => format!("{count}\u{a0}{zh}"),
    };
    if ms < 2 * MINUTE_MS {
        let seconds = ms / SECOND_MS;
        return word(seconds, "s", "秒");
    }
    let first = units.iter().position(|(size, ..)| ms >= *size).unwrap_or(3);
    let (size, en, zh) = units[first];
    let count = ms / size;
    let mut text = word(count, en, zh);
    // From thirty days on, and below an hour, the smaller unit says nothing any more.
    if count < 30
        && first < 2
        && let Some((smaller, en, zh)) = units.get(first + 1)
    {
        let rest = ms % size / smaller;
        if rest > 0 {
            text.push(' ');
            text.push_str(&word(rest, en, zh));
        }
    }
    text
}

/// The label of a limit; `short` where there is little room.
pub(super) fn limit(line: &LimitLine, unit: &str, short: bool, lang: Lang) -> String {
    let name = match (line.level, lang, short) {
        (Level::Warning, Lang::En, false) => "warning limit",
        (Level::Warning, Lang::En, true) => "warning",
        (Level::Fault, Lang::En, _) => "fault limit",
        (Level::Warning, Lang::Zh, _) => "预警限",
        (Level::Fault, Lang::Zh, _) => "故障限",
    };
    let value = quantity(line.value, unit, lang);
    match (line.relative_pct, lang) {
        (Some(percent), Lang::En) => format!("{name} {value} ({})", relative(percent, lang)),
        (Some(percent), Lang::Zh) => format!("{name} {value}（{}）", relative(percent, lang)),
        (None, _) => format!("{name} {value}"),
    }
}

pub(super) const fn own_normal(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "its own normal",
        Lang::Zh => "本机正常范围",
    }
}

/// From one number to another, with the unit once.
pub(super) fn between(low: f64, high: f64, unit: &str, lang: Lang) -> String {
    let low = super::number::number(low, lang);
    let high = quantity(high, unit, lang);
    match lang {
        Lang::En => format!("{low} to {high}"),
        Lang::Zh => format!("{low}～{high}"),
    }
}

pub(super) const fn held(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "over a limit",
        Lang::Zh => "持续超限",
    }
}

/// The label of the last value's time.
pub(super) fn last(time: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("last {time}"),
        Lang::Zh => format!("最近 {time}"),
    }
}

/// The label of a vertical line.
pub(super) fn mark(kind: MarkKind, time: &str, lang: Lang) -> String {
    let (en, zh) = match kind {
        MarkKind::Opened => ("opened", "开单"),
        MarkKind::Worsened => ("worse", "加重"),
        MarkKind::Reopened => ("reopened", "重新打开"),
        MarkKind::Replaced => ("part replaced", "更换备件"),
        MarkKind::Cleared => ("over", "恢复正常"),
        MarkKind::Resolved => ("resolved", "已解决"),
    };
    match lang {
        Lang::En => format!("{en} {time}"),
        Lang::Zh => format!("{time} {zh}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_two_units() {
        let cases = [
            (
                11 * DAY_MS + 7 * HOUR_MS,
                "11\u{a0}d 7\u{a0}h",
                "11\u{a0}天 7\u{a0}小时",
            ),
            (45 * DAY_MS + 7 * HOUR_MS, "45\u{a0}d", "45\u{a0}天"),
            (3 * HOUR_MS, "3\u{a0}h", "3\u{a0}小时"),
            (14 * MINUTE_MS + 3_000, "14\u{a0}min", "14\u{a0}分钟"),
            (61_000, "61\u{a0}s", "61\u{a0}秒"),
            (-5, "0\u{a0}s", "0\u{a0}秒"),
        ];
        for (ms, en, zh) in cases {
            assert_eq!(span_words(ms, Lang::En), en);
            assert_eq!(span_words(ms, Lang::Zh), zh);
        }
    }
}
