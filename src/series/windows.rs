//! Thinning: many values become at most so many windows, and none of their extremes is lost.
//!
//! Leaves reading to the stores. Invariant: windows begin at `from` plus whole widths, so both stores cut alike.

use std::collections::BTreeMap;

use crate::telemetry::Timestamp;

use super::{RangeQuery, Sample};

/// The width of a window, ms: the smallest that needs at most the asked-for number of them.
pub(super) fn width_ms(query: &RangeQuery) -> i64 {
    let span = i128::from(query.to.ms()) - i128::from(query.from.ms());
    let points = i128::from(query.limit());
    i64::try_from(((span + points - 1) / points).max(1)).unwrap_or(i64::MAX)
}

/// Collects values (or windows of values) by the instant their window begins at.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: BTreeMap<i64, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    min: f64,
    max: f64,
    sum: f64,
    count: u64,
}

impl Windows {
    /// Adds to the window that begins at `start_ms` (and opens it).
    pub(super) fn add(&mut self, start_ms: i64, sample: &Sample) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of values is far below 2^53"
        )]
        let sum = sample.mean * sample.count as f64;
        self.open
            .entry(start_ms)
            .and_modify(|window| {
                window.min = window.min.min(sample.min);
                window.max = window.max.max(sample.max);
                window.sum += sum;
                window.count += sample.count;
            })
            .or_insert(Window {
                min: sample.min,
                max: sample.max,
                sum,
                count: sample.count,
            });
    }

    /// The windows in rising time.
    pub(super) fn samples(self) -> Vec<Sample> {
        self.open
            .into_iter()
            .map(|(start_ms, window)| {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a count of values is far below 2^53"
                )]
                let mean = window.sum / window.count.max(1) as f64;
                Sample {
                    at: Timestamp::from_ms(start_ms),
                    min: window.min,
                    max: window.max,
                    // Rounding must not carry the mean out of its window's bounds.
                    mean: mean.max(window.min).min(window.max),
                    count: window.count,
                }
            })
            .collect()
    }
}

/// Values one by one, turned into windows as soon as there are too many.
#[derive(Debug)]
pub(super) struct Thinner {
    from_ms: i64,
    width_ms: i64,
    limit: usize,
    single: Vec<Sample>,
    windows: Option<Windows>,
}

impl Thinner {
    /// For the values of one query.
    pub(super) fn new(query: &RangeQuery) -> Self {
        Self {
            from_ms: query.from.ms(),
            width_ms: width_ms(query),
            limit: query.limit() as usize,
            single: Vec::new(),
            windows: None,
        }
    }

    /// Adds a value at an instant not before the query's `from`.
    pub(super) fn add(&mut self, at: Timestamp, value: f64) {
        let sample = Sample {
            at,
            min: value,
            max: value,
            mean: value,
            count: 1,
        };
        if self.windows.is_none() && self.single.len() < self.limit {
            self.single.push(sample);
            return;
        }
        let mut windows = self.windows.take().unwrap_or_default();
        for earlier in std::mem::take(&mut self.single) {
            windows.add(self.start(earlier.at), &earlier);
        }
        windows.add(self.start(at), &sample);
        self.windows = Some(windows);
    }

    /// What is to be shown, in rising time.
    pub(super) fn samples(mut self) -> Vec<Sample> {
        if let Some(windows) = self.windows {
            return windows.samples();
        }
        self.single.sort_by_key(|sample| sample.at);
        self.single
    }

    fn start(&self, at: Timestamp) -> i64 {
        let past = at.ms().saturating_sub(self.from_ms);
        self.from_ms
            .saturating_add(past - past.rem_euclid(self.width_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Measurement;

    fn query(from: i64, to: i64, points: u32) -> RangeQuery {
        RangeQuery {
            measurement: Measurement::Telemetry,
            device: "m/1".parse().unwrap(),
            field: "a".into(),
            from: Timestamp::from_ms(from),
            to: Timestamp::from_ms(to),
            points,
        }
    }

    fn thin(values: &[(i64, f64)], points: u32) -> Vec<Sample> {
        let mut thinner = Thinner::new(&query(0, 100, points));
        for (at, value) in values {
            thinner.add(Timestamp::from_ms(*at), *value);
        }
        thinner.samples()
    }

    #[test]
    fn as_many_values_as_asked_for_stay_single() {
        let samples = thin(&[(1, 5.0), (2, 7.0)], 2);
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[1].at.ms(), samples[1].mean), (2, 7.0));
    }

    #[test]
    fn one_value_more_makes_windows_that_keep_the_extremes() {
        let samples = thin(&[(1, 5.0), (2, 7.0), (99, -3.0)], 2);
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[0].at.ms(), 0);
        assert_eq!((samples[0].min, samples[0].max), (5.0, 7.0));
        assert_eq!((samples[0].mean, samples[0].count), (6.0, 2));
        assert_eq!((samples[1].at.ms(), samples[1].min), (50, -3.0));
    }

    #[test]
    fn there_are_never_more_windows_than_asked_for() {
        for points in [1, 2, 3, 7, 64, 99] {
            let values: Vec<_> = (0..100_u8)
                .map(|at| (i64::from(at), f64::from(at)))
                .collect();
            assert!(thin(&values, points).len() <= points as usize, "{points}");
        }
    }

    #[test]
    fn a_width_is_never_zero_nor_overflows() {
        assert_eq!(width_ms(&query(5, 5, 10)), 1);
        assert_eq!(width_ms(&query(0, 101, 10)), 11);
        assert!(width_ms(&query(i64::MIN, i64::MAX, 1)) > 0);
    }
}
