//! The line itself: what can be drawn, cut at gaps, thinned to what the width can show.
//!
//! Invariants: nothing is drawn across a span that nobody saw; thinning loses no peak.

use super::super::scale::drawable;
use super::super::{ChartPoint, LineChart, Size};
use super::layout::Layout;

/// Buckets over the width of a chart; more cannot be told apart.
const BUCKETS_WIDE: usize = 360;
const BUCKETS_NARROW: usize = 160;
/// A range is drawn when it is taller than this somewhere, user units.
const RANGE_LEAST: f64 = 1.5;

/// A line in user units.
pub(super) struct Trace {
    /// The means, one run between two gaps.
    pub(super) runs: Vec<Vec<(f64, f64)>>,
    /// Outlines from the smallest to the largest values of each run.
    pub(super) ranges: Vec<Vec<(f64, f64)>>,
    /// The last point.
    pub(super) last: Option<(f64, f64)>,
}

/// The newest value that can be drawn.
pub(super) fn last_value<'a>(chart: &'a LineChart<'_>) -> Option<&'a ChartPoint> {
    usable(chart).next_back()
}

/// What lies in the chart and is a number.
pub(super) fn usable<'a>(
    chart: &'a LineChart<'_>,
) -> impl DoubleEndedIterator<Item = &'a ChartPoint> {
    chart.points.iter().filter(|point| {
        point.at >= chart.from
            && point.at <= chart.to
            && [point.min, point.mean, point.max].into_iter().all(drawable)
    })
}

impl Trace {
    pub(super) fn new(chart: &LineChart<'_>, layout: &Layout) -> Self {
        let buckets = match layout.size {
            Size::Wide | Size::Half => BUCKETS_WIDE,
            Size::Narrow => BUCKETS_NARROW,
        };
        let runs = runs(chart);
        let total: usize = runs.iter().map(Vec::len).sum();
        let thin = total > 2 * buckets;
        let mut trace = Self {
            runs: Vec::new(),
            ranges: Vec::new(),
            last: None,
        };
        for run in runs {
            let run = if thin {
                bucketed(&run, chart, buckets)
            } else {
                run
            };
            let line = run
                .iter()
                .map(|point| (layout.x(point.at), layout.y(point.mean)))
                .collect();
            let upper = run
                .iter()
                .map(|point| (layout.x(point.at), layout.y(point.max)));
            let lower = run
                .iter()
                .rev()
                .map(|point| (layout.x(point.at), layout.y(point.min)));
            let tall = run
                .iter()
                .any(|point| layout.y(point.min) - layout.y(point.max) > RANGE_LEAST);
            if tall {
                trace.ranges.push(upper.chain(lower).collect());
            }
            trace.runs.push(line);
        }
        trace.last = last_value(chart).map(|point| (layout.x(point.at), layout.y(point.mean)));
        trace
    }

    /// The highest and lowest place (smallest and largest y) of the line between two x; `None` where there is no line.
    pub(super) fn between(&self, x0: f64, x1: f64) -> Option<(f64, f64)> {
        let mut found: Option<(f64, f64)> = None;
        let mut take = |y: f64| {
            found = Some(found.map_or((y, y), |(high, low)| (high.min(y), low.max(y))));
        };
        for run in self.runs.iter().chain(&self.ranges) {
            for pair in run.windows(2) {
                let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
                if ax.max(bx) >= x0 && ax.min(bx) <= x1 {
                    for (x, y) in [(ax, ay), (bx, by)] {
                        if x >= x0 && x <= x1 {
                            take(y);
                        }
                    }
                    for edge in [x0, x1] {
                        if (ax..=bx).contains(&edge) && bx > ax {
                            take(ay + (by - ay) * (edge - ax) / (bx - ax));
                        }
                    }
                }
            }
        }
        found
    }
}

/// Runs of points without a gap between them.
fn runs(chart: &LineChart<'_>) -> Vec<Vec<ChartPoint>> {
    let mut runs: Vec<Vec<ChartPoint>> = Vec::new();
    let mut before: Option<&ChartPoint> = None;
    for point in usable(chart) {
        let joined = before.is_some_and(|before| {
            let long = chart
                .gap_ms
                .is_some_and(|gap| point.at.since(before.at) > gap);
            let unseen = chart
                .blind
                .iter()
                .any(|span| span.from < point.at && span.to > before.at);
            !long && !unseen
        });
        match runs.last_mut() {
            Some(run) if joined => run.push(*point),
            _ => runs.push(vec![*point]),
        }
        before = Some(point);
    }
    runs
}

/// One point for each bucket of the chart's span that has any.
fn bucketed(run: &[ChartPoint], chart: &LineChart<'_>, buckets: usize) -> Vec<ChartPoint> {
    let buckets = i64::try_from(buckets).unwrap_or(1);
    let width = (chart.to.since(chart.from) / buckets).max(1);
    let mut out: Vec<(i64, ChartPoint, f64)> = Vec::new();
    for point in run {
        let bucket = point.at.since(chart.from) / width;
        match out.last_mut() {
            Some((last, merged, count)) if *last == bucket => {
                merged.min = merged.min.min(point.min);
                merged.max = merged.max.max(point.max);
                *count += 1.0;
                merged.mean += (point.mean - merged.mean) / *count;
            }
            _ => out.push((bucket, *point, 1.0)),
        }
    }
    out.into_iter().map(|(_, point, _)| point).collect()
}
