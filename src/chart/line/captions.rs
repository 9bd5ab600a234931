//! The labels of a line chart and their order of preference: limits left, the last value and the normal right, markers left of
//! their line and the last one right of it.
//!
//! Leaves overlap to `labels`. What matters most is placed first, so that what is left out for want of room matters least.

use super::super::canvas::Anchor;
use super::super::labels::{Area, Labels, Place, Words};
use super::super::role::Role;
use super::super::{Level, LineChart, Size, span_words, words};
use super::drawn;
use super::layout::Layout;
use super::trace::Trace;

/// Distance of a label from the line that it belongs to.
const NEAR: f64 = 6.0;

pub(super) fn place(chart: &LineChart<'_>, layout: &Layout, trace: &Trace) -> Labels {
    let mut labels = Labels::new(layout.width, layout.height, layout.font);
    axes(&mut labels, chart, layout);
    now(&mut labels, layout, trace);
    limits(&mut labels, chart, layout, trace);
    marks(&mut labels, layout);
    band(&mut labels, chart, layout, trace);
    held(&mut labels, chart, layout, trace);
    labels
}

fn anywhere(_: &Area) -> bool {
    true
}

/// The line does not run through it.
fn clear_of(trace: &Trace) -> impl Fn(&Area) -> bool + '_ {
    |area| {
        trace
            .between(area.x0, area.x1)
            .is_none_or(|(high, low)| low < area.y0 - 1.0 || high > area.y1 + 1.0)
    }
}

/// The first free place that the line leaves alone, else the first free one.
fn best(labels: &mut Labels, lines: &[Words<'_>], places: &[Place], trace: &Trace) {
    if !labels.place(lines, places, clear_of(trace)) {
        labels.place(lines, places, anywhere);
    }
}

fn axes(labels: &mut Labels, chart: &LineChart<'_>, layout: &Layout) {
    let x = layout.left - NEAR;
    for (tick, text) in layout.scale.ticks.iter().zip(&layout.values) {
        let y = layout.y(*tick) + 4.0;
        labels.place(
            &[(Role::Plain, text)],
            &[Place::new(x, y, Anchor::End)],
            anywhere,
        );
    }
    // The unit once, above the top tick; a long one begins at the edge of the picture.
    let top = layout
        .scale
        .ticks
        .last()
        .map_or(layout.top, |tick| layout.y(*tick));
    let y = (top - layout.font).max(layout.font);
    let unit = [
        Place::new(x, y, Anchor::End),
        Place::new(0.0, y, Anchor::Start),
        Place::new(0.0, layout.font, Anchor::Start),
    ];
    labels.place(&[(Role::Plain, chart.unit)], &unit, anywhere);
    for (x, text) in &layout.times {
        let y = layout.bottom + 18.0;
        let places = [Place::new(*x, y, Anchor::Middle)];
        labels.place(&[(Role::Plain, text)], &places, anywhere);
    }
}

fn now(labels: &mut Labels, layout: &Layout, trace: &Trace) {
    let (Some((x, y)), Some((value, time))) = (trace.last, &layout.now) else {
        return;
    };
    if layout.size == Size::Narrow {
        let places = [
            Place::new(x - 9.0, y - 9.0, Anchor::End),
            Place::new(x - 9.0, y + 18.0, Anchor::End),
            Place::new(x + 9.0, y + 4.0, Anchor::Start),
            Place::new(x, y - 12.0, Anchor::Start),
            Place::new(x, y + 22.0, Anchor::Start),
        ];
        let lines = [(Role::Strong, value.as_str())];
        best(labels, &lines, &places, trace);
        return;
    }
    let lines = [(Role::Strong, value.as_str()), (Role::Plain, time.as_str())];
    right_column(labels, layout, y + 2.0, &lines);
}

/// A label right of the plot, as near as possible to where it belongs.
fn right_column(labels: &mut Labels, layout: &Layout, y: f64, lines: &[Words<'_>]) {
    let x = layout.right + 10.0;
    let least = layout.top + layout.font * 0.5;
    let most = layout.bottom - labels.line() * 0.5;
    let wanted = y.clamp(least, most.max(least));
    let places: Vec<Place> = (0..24)
        .flat_map(|step| {
            let off = f64::from(step) * 8.0;
            [wanted - off, wanted + off]
        })
        .map(|y| Place::new(x, y, Anchor::Start))
        .collect();
    labels.place(lines, &places, anywhere);
}

fn limits(labels: &mut Labels, chart: &LineChart<'_>, layout: &Layout, trace: &Trace) {
    let mut lines: Vec<_> = chart.limits.iter().filter(|line| drawn(line)).collect();
    // The fault limit is placed first.
    lines.sort_by_key(|line| std::cmp::Reverse(line.level));
    for line in lines {
        let y = layout.y(line.value);
        let role = match line.level {
            Level::Warning => Role::WarnText,
            Level::Fault => Role::LimitText,
        };
        let left = layout.left + NEAR;
        let below = y + layout.font + 2.0;
        let middle = f64::midpoint(layout.left, layout.right);
        let places = [
            Place::new(left, y - NEAR, Anchor::Start),
            Place::new(left, below, Anchor::Start),
            Place::new(middle, y - NEAR, Anchor::Middle),
            Place::new(middle, below, Anchor::Middle),
            Place::new(layout.right - NEAR, y - NEAR, Anchor::End),
            Place::new(layout.right - NEAR, below, Anchor::End),
        ];
        let narrow = layout.size == Size::Narrow;
        let long = words::limit(line, chart.unit, narrow, chart.lang);
        let text = [(role, long.as_str())];
        best(labels, &text, &places, trace);
    }
}

fn marks(labels: &mut Labels, layout: &Layout) {
    let count = layout.marks.len();
    for (at, mark) in layout.marks.iter().enumerate() {
        let y = Layout::row(mark.row);
        let left = Place::new(mark.x - NEAR, y, Anchor::End);
        let right = Place::new(mark.x + NEAR, y, Anchor::Start);
        let places = if at + 1 == count {
            [right, left]
        } else {
            [left, right]
        };
        labels.place(&[(Role::Strong, &mark.label)], &places, anywhere);
    }
}

fn band(labels: &mut Labels, chart: &LineChart<'_>, layout: &Layout, trace: &Trace) {
    let (Some((low, high)), Some((name, range))) = (chart.band, &layout.band) else {
        return;
    };
    let (upper, lower) = (layout.y(high), layout.y(low));
    if layout.size != Size::Narrow {
        let lines = [
            (Role::BandText, name.as_str()),
            (Role::BandText, range.as_str()),
        ];
        right_column(labels, layout, f64::midpoint(upper, lower) - 4.0, &lines);
        return;
    }
    let inside = f64::midpoint(upper, lower) + layout.font * 0.3;
    let places: Vec<Place> = [upper - 5.0, lower + layout.font + 2.0, inside]
        .into_iter()
        .flat_map(|y| {
            [
                Place::new(layout.left + NEAR, y, Anchor::Start),
                Place::new(layout.right - NEAR, y, Anchor::End),
            ]
        })
        .collect();
    let lines = [(Role::BandText, name.as_str())];
    best(labels, &lines, &places, trace);
}

/// How long it held, inside the shading, where the line leaves room.
fn held(labels: &mut Labels, chart: &LineChart<'_>, layout: &Layout, trace: &Trace) {
    let shaded = layout.held(chart);
    let from = shaded.iter().map(|(_, from, _)| *from).reduce(f64::min);
    let to = shaded.iter().map(|(_, _, to)| *to).reduce(f64::max);
    let (Some(from), Some(to)) = (from, to) else {
        return;
    };
    let begins = chart.held.iter().map(|held| held.span.from).min();
    let ends = chart.held.iter().map(|held| held.span.to).max();
    let (Some(begins), Some(ends)) = (begins, ends) else {
        return;
    };
    let length = span_words(ends.since(begins), chart.lang);
    let lines = [
        (Role::Plain, words::held(chart.lang)),
        (Role::Strong, length.as_str()),
    ];
    let widest = lines
        .iter()
        .map(|(_, text)| labels.width(text))
        .fold(0.0, f64::max);
    if widest > to - from {
        return;
    }
    let middle = f64::midpoint(from, to);
    let places: Vec<Place> = (0..40)
        .map(|step| layout.bottom - 10.0 - labels.line() - f64::from(step) * 6.0)
        .take_while(|y| *y > layout.top + layout.font)
        .map(|y| Place::new(middle, y, Anchor::Middle))
        .collect();
    labels.place(&lines, &places, clear_of(trace));
}
