//! Messages per second as a chart with its table.

use crate::chart::ChartPoint;
use crate::chart::LineChart;
use crate::chart::Size;
use crate::chart::Zone;
use crate::chart::line;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;
use crate::web::Traffic;
use crate::web::TrafficBucket;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Markup;

/// What the chart shows.
const SHOWN_MS: i64 = HOUR_MS;
/// Width of a row of the table.
const ROW_MS: i64 = 5 * MINUTE_MS;

/// The chart and what stands behind it.
pub(super) struct Rate {
    /// Messages per second over the newest minute.
    pub(super) now: String,
    /// `None` while there is too little to draw.
    pub(super) charts: Option<(Markup, Markup)>,
    /// From, received, rejected; newest first.
    pub(super) rows: Vec<(String, String, String)>,
}

/// Draws the last hour.
pub(super) fn rate(frame: &Frame, traffic: &Traffic) -> Rate {
    let now = frame.show.now();
    let shown: Vec<&TrafficBucket> = traffic
        .buckets
        .iter()
        .filter(|bucket| now.since(bucket.at) <= SHOWN_MS)
        .collect();
    // The newest bucket is not full yet.
    let whole = shown.split_last().map_or(&[][..], |(_, whole)| whole);
    let points: Vec<ChartPoint> = whole
        .iter()
        .map(|bucket| {
            ChartPoint::single(
                bucket.at,
                per_second(bucket.counts.received, traffic.bucket_ms),
            )
        })
        .collect();
    let lately: Vec<f64> = points
        .iter()
        .rev()
        .take(2)
        .map(|point| point.mean)
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "two values at most")]
    let mean = lately.iter().sum::<f64>() / lately.len().max(1) as f64;
    let name = frame.t.say("fleet-per-second-title").to_string();
    let offset = [(Timestamp::MIN, frame.show.offset_s(now))];
    let from = points.first().map_or(now, |point| point.at);
    let chart = LineChart {
        lang: frame.t.lang(),
        name: &name,
        unit: "1/s",
        zone: Zone(&offset),
        from,
        to: now,
        points: &points,
        gap_ms: Some(3 * traffic.bucket_ms),
        blind: &[],
        band: None,
        limits: &[],
        held: &[],
        marks: &[],
        from_zero: true,
    };
    Rate {
        now: number(mean),
        charts: (points.len() >= 3).then(|| {
            let draw = |size| Markup::trusted(line(&chart, size));
            (draw(Size::Half), draw(Size::Narrow))
        }),
        rows: rows(frame, traffic, &shown),
    }
}

fn rows(
    frame: &Frame,
    traffic: &Traffic,
    shown: &[&TrafficBucket],
) -> Vec<(String, String, String)> {
    let row_of = |bucket: &&&TrafficBucket| bucket.at.ms().div_euclid(ROW_MS);
    let mut rows: Vec<(String, String, String)> = shown
        .chunk_by(|a, b| row_of(&a) == row_of(&b))
        .filter_map(|some| {
            let at = Timestamp::from_ms(some.first()?.at.ms().div_euclid(ROW_MS) * ROW_MS);
            let span = traffic.bucket_ms * i64::try_from(some.len()).unwrap_or(1);
            let received = some.iter().map(|bucket| bucket.counts.received).sum();
            let rejected = some.iter().map(|bucket| bucket.counts.rejected).sum();
            Some((
                frame.show.clock(at),
                number(per_second(received, span)),
                number(per_second(rejected, span)),
            ))
        })
        .collect();
    rows.reverse();
    rows
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn per_second(count: u64, span_ms: i64) -> f64 {
    count as f64 * 1_000.0 / span_ms.max(1) as f64
}

/// Three digits that say something: `0.02`, `18.1`, `1240`.
fn number(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value < 1.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        crate::web::pages::show::grouped(value.round())
    }
}
