//! The vertical axis: from where to where, and which round values are its grid.
//!
//! Leaves pixels to the chart. Invariant: the range is finite and not empty, whatever the values are.

/// Most grid lines.
const GRID_LIMIT: i64 = 5;
/// Share of the range that stays free above and below.
const AIR: f64 = 0.08;
/// Larger numbers are not drawn: their differences would not be numbers any more.
const DRAWABLE: f64 = 1e100;

/// A vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The grid, rising.
    pub(super) ticks: Vec<f64>,
    /// Decimals that its labels need.
    pub(super) decimals: usize,
}

/// It can be drawn.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() <= DRAWABLE
}

impl Scale {
    /// An axis on which all these values lie.
    pub(super) fn of(values: impl Iterator<Item = f64>, from_zero: bool) -> Self {
        let ends = values.filter(|value| drawable(*value)).fold(
            None,
            |ends: Option<(f64, f64)>, value| {
                Some(ends.map_or((value, value), |(low, high)| {
                    (low.min(value), high.max(value))
                }))
            },
        );
        let (mut low, mut high) = ends.unwrap_or((0.0, 1.0));
        if from_zero {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        let size = low.abs().max(high.abs());
        // Differences that floating point cannot tell from none.
        if high - low <= size * 1e-9 {
            let air = if size > 0.0 { size * 0.1 } else { 0.5 };
            low -= air;
            high += air;
        }
        let air = (high - low) * AIR;
        let starts_at_zero = low >= 0.0 && (from_zero || low < air);
        low = if starts_at_zero { 0.0 } else { low - air };
        high += air;
        let (ticks, decimals) = grid(low, high);
        Self {
            low,
            high,
            ticks,
            decimals,
        }
    }

    /// Where a value lies, 0 at the lower end and 1 at the upper one.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// Round values between two ends, with the decimals that they need.
fn grid(low: f64, high: f64) -> (Vec<f64>, usize) {
    let exponent = libm::floor(libm::log10((high - low) / 5.0));
    for power in 0..3 {
        let power = exponent + f64::from(power);
        let unit = libm::pow(10.0, power);
        for (factor, more) in [(1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0)] {
            let step = unit * factor;
            let first = libm::ceil(low / step);
            let count = libm::floor(high / step) - first + 1.0;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a cast saturates, and what is too large is refused next"
            )]
            let count = count as i64;
            if count <= GRID_LIMIT {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "at most as many as the grid has lines"
                )]
                let ticks = (0..count).map(|at| (first + at as f64) * step).collect();
                return (ticks, decimals(power, more));
            }
        }
    }
    (Vec::new(), 0)
}

fn decimals(power: f64, more: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the exponent of a drawable number is far below 400; a negative one saturates to 0"
    )]
    let below = (-power) as usize;
    below + more.min(usize::from(power <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_round_and_has_at_most_five_lines() {
        let cases = [
            (vec![386.0, 684.0], false, vec![400.0, 500.0, 600.0, 700.0]),
            (vec![0.5, 0.85], false, vec![0.5, 0.6, 0.7, 0.8]),
            (vec![0.0, 3.2], true, vec![0.0, 1.0, 2.0, 3.0]),
            (vec![-5.0, 5.0], false, vec![-4.0, -2.0, 0.0, 2.0, 4.0]),
        ];
        for (values, from_zero, ticks) in cases {
            let scale = Scale::of(values.into_iter(), from_zero);
            let near = |a: &f64, b: &f64| (a - b).abs() < 1e-9;
            assert!(
                scale.ticks.len() == ticks.len()
                    && scale.ticks.iter().zip(&ticks).all(|(a, b)| near(a, b)),
                "{scale:?}"
            );
        }
    }

    #[test]
    fn any_values_give_an_axis() {
        let odd = [
            vec![],
            vec![f64::NAN],
            vec![f64::INFINITY, 1.0],
            vec![0.0],
            vec![-3.0, -3.0],
            vec![1e300, -1e300],
            vec![1e99, -1e99],
            vec![1e15, 1e15 + 1.0],
            vec![1e-300, 2e-300],
        ];
        for values in odd {
            for from_zero in [false, true] {
                let scale = Scale::of(values.iter().copied(), from_zero);
                assert!(scale.high > scale.low, "{values:?} {scale:?}");
                assert!(scale.ticks.len() <= 5, "{values:?} {scale:?}");
                assert!(scale.share(f64::MAX) <= 1.0);
            }
        }
    }
}
