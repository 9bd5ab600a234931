//! Pictures of a device's page, drawn by `chart`: bullet, sparkline, and the line chart of one signal.

use crate::chart;
use crate::chart::Bullet;
use crate::chart::ChartPoint;
use crate::chart::LineChart;
use crate::chart::Size;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;
use crate::web::backend::SeriesSample;
use crate::web::pages::parts::Markup;
use crate::web::pages::show::Show;

use super::range::Looked;

/// Places of a sparkline on its time.
pub(super) const SPARK_PLACES: u32 = 150;
/// Samples further apart than so many of their usual distances are not joined.
const GAP_FACTOR: i64 = 4;

/// A bullet.
pub(super) fn bullet(bullet: &Bullet<'_>) -> Markup {
    Markup::trusted(chart::bullet(bullet))
}

/// The samples of a range as a sparkline; empty without any.
pub(super) fn sparkline(samples: &[SeriesSample], looked: Looked) -> Markup {
    if samples.is_empty() {
        return Markup::default();
    }
    Markup::trusted(chart::sparkline(&places(samples, looked)))
}

/// The chart, wide and narrow; the style sheet shows the one that fits.
pub(super) fn line(chart: &LineChart<'_>) -> Markup {
    Markup::trusted(format!(
        "{}{}",
        chart::line(chart, Size::Wide),
        chart::line(chart, Size::Narrow)
    ))
}

/// The samples as points of a chart.
pub(super) fn points(samples: &[SeriesSample]) -> Vec<ChartPoint> {
    samples
        .iter()
        .map(|sample| ChartPoint {
            at: sample.at,
            min: sample.min,
            max: sample.max,
            mean: sample.mean,
        })
        .collect()
}

/// Beyond this distance two samples have a gap between them, ms.
pub(super) fn gap_ms(samples: &[SeriesSample], looked: Looked) -> i64 {
    let mut apart: Vec<i64> = samples
        .windows(2)
        .filter_map(|pair| match pair {
            [earlier, later] => Some(later.at.since(earlier.at)),
            _ => None,
        })
        .collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(0);
    let place = looked.to.since(looked.from) / i64::from(SPARK_PLACES);
    (usual * GAP_FACTOR).max(2 * place)
}

/// From when on the zone is so far ahead of UTC, in the range: an hour is fine enough for any change of the clocks.
pub(super) fn zone_steps(show: &Show, looked: Looked) -> Vec<(Timestamp, i32)> {
    let mut steps = vec![(looked.from, show.offset_s(looked.from))];
    let mut at = looked.from;
    while at < looked.to {
        at = at + HOUR_MS;
        let offset = show.offset_s(at);
        if steps.last().is_some_and(|(_, last)| *last != offset) {
            steps.push((at, offset));
        }
    }
    steps
}

/// One value for each place on the time of a sparkline: straight lines between neighbours, nothing inside a gap.
fn places(samples: &[SeriesSample], looked: Looked) -> Vec<Option<f64>> {
    let span = looked.to.since(looked.from).max(1);
    let gap = gap_ms(samples, looked);
    let last = i64::from(SPARK_PLACES) - 1;
    let mut after = 0;
    (0..=last)
        .map(|place| {
            let at = looked.from + span * place / last;
            while samples.get(after).is_some_and(|sample| sample.at <= at) {
                after += 1;
            }
            let before = after.checked_sub(1).and_then(|before| samples.get(before));
            match (before, samples.get(after)) {
                (Some(before), Some(next)) if next.at.since(before.at) <= gap => {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a share of a span of at most a year"
                    )]
                    let share = at.since(before.at) as f64 / next.at.since(before.at).max(1) as f64;
                    Some(before.mean + (next.mean - before.mean) * share)
                }
                (Some(before), _) if at.since(before.at) <= span / last => Some(before.mean),
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::device::range::Range;

    fn at(ms: i64, value: f64) -> SeriesSample {
        SeriesSample {
            at: Timestamp::from_ms(ms),
            min: value,
            max: value,
            mean: value,
        }
    }

    fn looked(to: i64) -> Looked {
        Looked {
            range: Range::Day,
            from: Timestamp::from_ms(0),
            to: Timestamp::from_ms(to),
        }
    }

    #[test]
    fn few_samples_are_joined_and_a_gap_is_not() {
        // Every 10 s for 100 s, then nothing for 500 s, then one more.
        let mut samples: Vec<SeriesSample> = (0..11).map(|n| at(n * 10_000, 1.0)).collect();
        samples.push(at(600_000, 2.0));
        let places = places(&samples, looked(600_000));
        assert_eq!(places.len(), 150);
        assert_eq!(places[10], Some(1.0));
        assert_eq!(places[80], None);
        assert_eq!(places[149], Some(2.0));
    }

    #[test]
    fn a_place_between_two_samples_lies_between_their_values() {
        let samples = [at(0, 0.0), at(149_000, 149.0)];
        let places = places(&samples, looked(149_000));
        let middle = places[75].expect("a value");
        assert!((middle - 75.0).abs() < 1e-9, "{middle}");
    }

    #[test]
    fn one_sample_is_seen() {
        let places = places(&[at(50_000, 3.0)], looked(149_000));
        assert!(places.contains(&Some(3.0)));
    }
}
