//! Thinning: many values become at most so many windows, and none of their extremes is lost.
//!
//! Leaves reading to the stores. Invariant: a [`Grid`] follows from the query alone, so both stores cut alike.

use std::collections::BTreeMap;

use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;

use super::{RangeQuery, Sample};

/// From this width on windows are whole hours that begin with an hour, so that the embedded store can answer from its hourly cells:
/// of a chart of 1,000 points so are those of 84 days and more.
const WHOLE_HOURS_FROM_MS: i64 = 2 * HOUR_MS;
/// The instants that a range is taken to lie within, ms: what InfluxDB can hold, with room for both ends: the years 1678 to 2261.
const TIME_LIMIT_MS: i64 = 9_214_560_000_000;

/// How a range is cut into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Where the first window would begin if the range did, ms.
    pub(super) origin: i64,
    /// Width of a window, ms.
    pub(super) width: i64,
    /// Where the range begins, ms.
    pub(super) from: i64,
}

impl Grid {
    /// The narrowest windows of which the asked-for number is enough.
    pub(super) fn new(query: &RangeQuery) -> Self {
        let limit = i64::from(query.limit());
        let from = query.from.ms().clamp(-TIME_LIMIT_MS, TIME_LIMIT_MS);
        let to = query.to.ms().clamp(-TIME_LIMIT_MS, TIME_LIMIT_MS);
        let width_from = |origin: i64| ((to - origin + limit - 1) / limit).max(1);
        let grid = Self {
            origin: from,
            width: width_from(from),
            from,
        };
        if grid.width < WHOLE_HOURS_FROM_MS {
            return grid;
        }
        let origin = from.div_euclid(HOUR_MS) * HOUR_MS;
        let hours = (width_from(origin) + HOUR_MS - 1) / HOUR_MS;
        Self {
            origin,
            width: hours * HOUR_MS,
            from,
        }
    }

    /// Whether every hour lies in one window.
    pub(super) const fn is_of_whole_hours(&self) -> bool {
        self.width % HOUR_MS == 0 && self.origin % HOUR_MS == 0
    }

    /// Where the window of an instant begins, ms; that of the first one is where the range begins.
    pub(super) fn start(&self, at_ms: i64) -> i64 {
        let past = at_ms.saturating_sub(self.origin);
        (at_ms - past.rem_euclid(self.width)).max(self.from)
    }
}

/// Collects values (or windows of values) by the instant their window begins at.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: BTreeMap<i64, Window>,
    /// The one that was added to last: values mostly come in the order of time.
    current: Option<(i64, Window)>,
}

/// What is known of a window, or of values that all lie in one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// Smallest value.
    pub(super) min: f64,
    /// Largest value.
    pub(super) max: f64,
    /// Sum of the values.
    pub(super) sum: f64,
    /// How many.
    pub(super) count: u64,
}

impl Window {
    /// Of one value.
    pub(super) const fn of(value: f64) -> Self {
        Self {
            min: value,
            max: value,
            sum: value,
            count: 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
    }
}

impl Windows {
    /// Adds to the window that begins at `start_ms` (and opens it).
    pub(super) fn add(&mut self, start_ms: i64, values: &Window) {
        match &mut self.current {
            Some((start, window)) if *start == start_ms => window.add(values),
            current => {
                if let Some((start, window)) = current.replace((start_ms, *values)) {
                    self.close(start, window);
                }
            }
        }
    }

    fn close(&mut self, start_ms: i64, window: Window) {
        self.open
            .entry(start_ms)
            .and_modify(|open| open.add(&window))
            .or_insert(window);
    }

    /// The windows in rising time.
    pub(super) fn samples(mut self) -> Vec<Sample> {
        if let Some((start, window)) = self.current.take() {
            self.close(start, window);
        }
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
    grid: Grid,
    limit: usize,
    single: Vec<(i64, f64)>,
    windows: Option<Windows>,
}

impl Thinner {
    /// For the values of one query.
    pub(super) fn new(query: &RangeQuery) -> Self {
        Self {
            grid: Grid::new(query),
            limit: query.limit() as usize,
            single: Vec::new(),
            windows: None,
        }
    }

    /// Adds a value at an instant of the query's range.
    pub(super) fn add(&mut self, at_ms: i64, value: f64) {
        if let Some(windows) = &mut self.windows {
            windows.add(self.grid.start(at_ms), &Window::of(value));
            return;
        }
        self.single.push((at_ms, value));
        if self.single.len() > self.limit {
            let mut windows = Windows::default();
            for (at_ms, value) in std::mem::take(&mut self.single) {
                windows.add(self.grid.start(at_ms), &Window::of(value));
            }
            self.windows = Some(windows);
        }
    }

    /// What is to be shown, in rising time.
    pub(super) fn samples(mut self) -> Vec<Sample> {
        if let Some(windows) = self.windows {
            return windows.samples();
        }
        self.single.sort_by_key(|(at_ms, _)| *at_ms);
        let single = self.single.into_iter().map(|(at_ms, value)| Sample {
            at: Timestamp::from_ms(at_ms),
            min: value,
            max: value,
            mean: value,
            count: 1,
        });
        single.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::DAY_MS;
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
            thinner.add(*at, *value);
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
        let width = |from, to, points| Grid::new(&query(from, to, points)).width;
        assert_eq!(width(5, 5, 10), 1);
        assert_eq!(width(0, 101, 10), 11);
        assert!(width(i64::MIN, i64::MAX, 1) > 0);
        assert!(width(i64::MAX, i64::MIN, 1) > 0);
    }

    #[test]
    fn wide_windows_are_whole_hours_and_still_no_more_than_asked_for() {
        for (from, days, points) in [
            (0, 365, 1_000),
            (1, 365, 1_000),
            (HOUR_MS - 1, 100, 7),
            (-1, 84, 1_000),
        ] {
            let query = query(from, from + days * DAY_MS, points);
            let grid = Grid::new(&query);
            assert!(grid.is_of_whole_hours(), "{query:?}");
            let last = grid.start(query.to.ms() - 1);
            assert!(
                (last - grid.origin) / grid.width < i64::from(points),
                "{query:?}"
            );
            assert_eq!(grid.start(from), from);
        }
        let narrow = Grid::new(&query(1, 1 + 2_000 * 2 * HOUR_MS - 2_000, 2_000));
        assert_eq!((narrow.width, narrow.origin), (2 * HOUR_MS - 1, 1));
        assert!(!narrow.is_of_whole_hours());
    }

    #[test]
    fn windows_that_come_again_are_one() {
        let mut windows = Windows::default();
        for (start, value) in [(0, 1.0), (10, 5.0), (0, 3.0), (0, -1.0)] {
            windows.add(start, &Window::of(value));
        }
        let samples = windows.samples();
        let read: Vec<_> = samples
            .iter()
            .map(|s| (s.at.ms(), s.min, s.max, s.mean, s.count))
            .collect();
        assert_eq!(read, [(0, -1.0, 3.0, 1.0, 3), (10, 5.0, 5.0, 5.0, 1)]);
    }
}
