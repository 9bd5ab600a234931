//! Where the axes of a line chart lie: margins by the width of their labels, rows for markers, time and value to user units.
//!
//! Leaves labels inside the picture to `captions`. Invariant: every point of the chart maps into the plot.

use super::super::calendar::{clock_label, moment_label, same_day, ticks};
use super::super::labels::width;
use super::super::scale::{Scale, drawable};
use super::super::{Level, LineChart, MarkKind, Size, number, words};
use crate::telemetry::{HOUR_MS, Timestamp};

/// Most vertical lines; further ones (the older) are left out, the timeline has them all.
const MARKS_LIMIT: usize = 8;
/// Most rows of marker labels above the plot.
const ROWS_LIMIT: usize = 3;
/// Widest column for labels right of the plot, user units.
const RIGHT_LIMIT: f64 = 190.0;
/// Distance of two rows of marker labels.
const ROW: f64 = 18.0;
/// Shading is never thinner: it must be seen.
const HELD_LEAST: f64 = 2.0;

/// A vertical line with its label.
pub(super) struct MarkLine {
    pub(super) x: f64,
    pub(super) label: String,
    /// Row of its label, from the top.
    pub(super) row: usize,
}

/// Sizes and axes.
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Largest font size that the style sheet shows at any width of the page, user units.
    pub(super) font: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) scale: Scale,
    /// Grid labels, beside `scale.ticks`.
    pub(super) values: Vec<String>,
    /// Ticks of the time axis.
    pub(super) times: Vec<(f64, String)>,
    pub(super) marks: Vec<MarkLine>,
    /// What stands at the last value: number, time.
    pub(super) now: Option<(String, String)>,
    /// What stands at the own normal: name, range.
    pub(super) band: Option<(String, String)>,
    from_ms: i64,
    span_ms: f64,
}

impl Layout {
    pub(super) fn new(chart: &LineChart<'_>, size: Size) -> Self {
        let (wide, height, font) = match size {
            Size::Wide => (760.0, 262.0, 14.0),
            Size::Half => (640.0, 262.0, 14.0),
            Size::Narrow => (360.0, 280.0, 13.0),
        };
        let scale = Scale::of(shown_values(chart), chart.from_zero);
        let values: Vec<String> = scale
            .ticks
            .iter()
            .map(|tick| number::tick(*tick, scale.decimals, chart.lang))
            .collect();
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| width(text, font)).fold(0.0, f64::max)
        };
        let ticks_width = widest(&mut values.iter().map(String::as_str));
        let least = if size == Size::Narrow { 38.0 } else { 46.0 };
        let left = (ticks_width + 8.0).clamp(least, wide / 4.0);
        let now = now_words(chart);
        let band = chart
            .band
            .filter(|(low, high)| drawable(*low) && drawable(*high))
            .map(|(low, high)| {
                let range = words::between(low, high, chart.unit, chart.lang);
                (words::own_normal(chart.lang).to_owned(), range)
            });
        let right = if size == Size::Narrow {
            wide - 10.0
        } else {
            let texts = now.iter().chain(&band);
            let labels = widest(&mut texts.flat_map(|(a, b)| [a.as_str(), b.as_str()]));
            wide - (labels + 16.0).clamp(24.0, RIGHT_LIMIT)
        };
        let span = chart.to.since(chart.from).max(1);
        let mut layout = Self {
            size,
            width: wide,
            height,
            font,
            left,
            right,
            top: 28.0,
            bottom: height - 30.0,
            scale,
            values,
            times: Vec::new(),
            marks: Vec::new(),
            now,
            band,
            from_ms: chart.from.ms(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of a chart are far below 2^53"
            )]
            span_ms: span as f64,
        };
        let room = |text: &str| (layout.right - layout.left) / (width(text, font) + 14.0);
        let times = ticks(chart.zone, (chart.from, chart.to), chart.lang, room);
        layout.times = times
            .into_iter()
            .map(|(at, label)| (layout.x(at), label))
            .collect();
        layout.set_marks(chart);
        layout
    }

    /// Puts each marker's label into the first row in which it does not run over the one before.
    fn set_marks(&mut self, chart: &LineChart<'_>) {
        let inside = |at: Timestamp| at >= chart.from && at <= chart.to;
        let kept: Vec<_> = chart.marks.iter().filter(|mark| inside(mark.at)).collect();
        let kept = &kept[kept.len().saturating_sub(MARKS_LIMIT)..];
        // Right end of what stands in each row so far.
        let mut ends = [0.0_f64; ROWS_LIMIT];
        for (place, mark) in kept.iter().enumerate() {
            let x = self.x(mark.at);
            let label = mark_words(chart, mark.kind, mark.at);
            let size = width(&label, self.font) + 6.0;
            let is_last = place + 1 == kept.len();
            let right_of_line = is_last && x + size <= self.width;
            let start = if right_of_line {
                x
            } else {
                (x - size).max(0.0)
            };
            let row = ends.iter().position(|end| start >= *end);
            let row = row.unwrap_or(ROWS_LIMIT - 1);
            ends[row] = ends[row].max(start + size + 4.0);
            self.marks.push(MarkLine { x, label, row });
        }
        let rows = self.marks.iter().map(|mark| mark.row + 1).max();
        if let Some(rows) = rows {
            #[expect(clippy::cast_precision_loss, reason = "at most three rows")]
            let rows = rows as f64;
            self.top = ROW + ROW * rows;
            if self.size == Size::Narrow {
                self.height += ROW * rows - ROW;
                self.bottom = self.height - 30.0;
            }
        }
    }

    /// Baseline of a row of marker labels.
    #[expect(clippy::cast_precision_loss, reason = "at most three rows")]
    pub(super) fn row(row: usize) -> f64 {
        ROW + row as f64 * ROW + 2.0
    }

    /// Upper end of a marker's line: beside its label.
    pub(super) fn mark_top(&self, at: usize) -> f64 {
        Self::row(self.marks.get(at).map_or(0, |mark| mark.row)) - 10.0
    }

    /// Where an instant lies.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a chart are far below 2^53"
        )]
        let into = at.ms().saturating_sub(self.from_ms) as f64;
        let share = (into / self.span_ms).clamp(0.0, 1.0);
        self.left + share * (self.right - self.left)
    }

    /// Where a value lies.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - self.scale.share(value) * (self.bottom - self.top)
    }

    /// The shaded spans that lie in the chart: stage, from, to.
    pub(super) fn held(&self, chart: &LineChart<'_>) -> Vec<(Level, f64, f64)> {
        chart
            .held
            .iter()
            .filter(|held| held.span.to >= chart.from && held.span.from <= chart.to)
            .map(|held| {
                let (from, to) = (self.x(held.span.from), self.x(held.span.to));
                let from = from.min(self.right - HELD_LEAST);
                (held.level, from, to.max(from + HELD_LEAST))
            })
            .collect()
    }
}

fn shown_values<'a>(chart: &'a LineChart<'_>) -> impl Iterator<Item = f64> + 'a {
    let inside = |at: Timestamp| at >= chart.from && at <= chart.to;
    let points = chart
        .points
        .iter()
        .filter(move |point| inside(point.at))
        .flat_map(|point| [point.min, point.max]);
    let limits = chart.limits.iter().map(|line| line.value);
    let band = chart.band.into_iter().flat_map(|(low, high)| [low, high]);
    points.chain(limits).chain(band)
}

/// The chart is so fine that seconds matter.
fn fine(chart: &LineChart<'_>) -> bool {
    chart.to.since(chart.from) <= HOUR_MS / 2
}

fn mark_words(chart: &LineChart<'_>, kind: MarkKind, at: Timestamp) -> String {
    let time = if fine(chart) {
        clock_label(chart.zone, at, true)
    } else {
        moment_label(chart.zone, at, false, chart.lang)
    };
    words::mark(kind, &time, chart.lang)
}

fn now_words(chart: &LineChart<'_>) -> Option<(String, String)> {
    let last = super::trace::last_value(chart)?;
    let value = number::quantity(last.mean, chart.unit, chart.lang);
    let time = if same_day(chart.zone, last.at, chart.to) {
        clock_label(chart.zone, last.at, fine(chart))
    } else {
        moment_label(chart.zone, last.at, false, chart.lang)
    };
    Some((value, words::last(&time, chart.lang)))
}
