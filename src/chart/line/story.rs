//! What a line chart says to those who cannot see it: where the value began, where it is, which limit it passed and when.

use super::super::calendar::{day_label, moment_label};
use super::super::{LimitLine, LineChart, number, words};
use super::drawn;
use super::trace::{last_value, usable};
use crate::telemetry::{DAY_MS, Lang, Timestamp};

/// The chart in words, one sentence each for the span, the value, its normal, each limit and each marker.
#[must_use]
pub fn story(chart: &LineChart<'_>) -> String {
    let lang = chart.lang;
    let day = |at| {
        if chart.to.since(chart.from) <= 2 * DAY_MS {
            moment_label(chart.zone, at, false, lang)
        } else {
            day_label(chart.zone, at, lang)
        }
    };
    let (from, to) = (day(chart.from), day(chart.to));
    let mut said = match lang {
        Lang::En => format!("Line chart, {from} to {to}."),
        Lang::Zh => format!("折线图，{from}至{to}。"),
    };
    let mut say = |en: String, zh: String| match lang {
        Lang::En => {
            said.push(' ');
            said.push_str(&en);
        }
        Lang::Zh => said.push_str(&zh),
    };
    let name = chart.name;
    let shown = |value| number::quantity(value, chart.unit, lang);
    match (usable(chart).next(), last_value(chart)) {
        (Some(first), Some(last)) => {
            let high = usable(chart)
                .map(|point| point.max)
                .fold(first.max, f64::max);
            let low = usable(chart)
                .map(|point| point.min)
                .fold(first.min, f64::min);
            let (first, last) = (shown(first.mean), shown(last.mean));
            let (low, high) = (shown(low), shown(high));
            say(
                format!(
                    "{name}: {first} at the start, {last} at the end, lowest {low}, highest {high}."
                ),
                format!("{name}：起始 {first}，最后 {last}，最低 {low}，最高 {high}。"),
            );
        }
        _ => say(format!("{name}: no values."), format!("{name}：没有数据。")),
    }
    if let Some((low, high)) = chart.band {
        let range = words::between(low, high, chart.unit, lang);
        say(
            format!("Its own normal is {range}."),
            format!("本机正常范围 {range}。"),
        );
    }
    for line in chart.limits.iter().filter(|line| drawn(line)) {
        let limit = words::limit(line, chart.unit, false, lang);
        let upper = capital(&limit);
        match passed(chart, line).map(day) {
            Some(day) => say(
                format!("{upper}: passed on {day}."),
                format!("{limit}：{day}越过。"),
            ),
            None => say(
                format!("{upper}: not passed."),
                format!("{limit}：未越过。"),
            ),
        }
    }
    for mark in chart.marks {
        let time = moment_label(chart.zone, mark.at, false, lang);
        let text = words::mark(mark.kind, &time, lang);
        let upper = capital(&text);
        say(format!("{upper}."), format!("{text}。"));
    }
    said
}

/// With a capital letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    first
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect()
}

/// When the value first lay beyond a limit.
fn passed(chart: &LineChart<'_>, line: &LimitLine) -> Option<Timestamp> {
    usable(chart)
        .find(|point| {
            if line.bad_above {
                point.max >= line.value
            } else {
                point.min <= line.value
            }
        })
        .map(|point| point.at)
}
