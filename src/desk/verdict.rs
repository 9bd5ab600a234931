//! What verdicts say about a fault's rule: how often it was right, and how sure that number is.
//!
//! Leaves counting tickets to the store. Invariant: below [`VERDICTS_LEAST`] there is no precision, only a number of verdicts.

use crate::telemetry::Verdict;

/// Verdicts from which on a precision is told: with fewer, the likely range covers most of 0 to 100 %.
pub const VERDICTS_LEAST: u64 = 10;
/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;

/// What a verdict says about the rule that opened the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountsAs {
    /// Something was there that a person had to deal with.
    Right,
    /// Nothing was there.
    Wrong,
    /// Nobody found out.
    Nothing,
}

/// Which of the three a verdict is.
#[must_use]
pub const fn counts_as(verdict: Verdict) -> CountsAs {
    match verdict {
        Verdict::ConfirmedFault
        | Verdict::Consumable
        | Verdict::UserEducation
        | Verdict::Environment
        | Verdict::KnownProblem => CountsAs::Right,
        Verdict::NoFaultFound | Verdict::SensorError => CountsAs::Wrong,
        Verdict::Unreachable | Verdict::Declined | Verdict::Duplicate => CountsAs::Nothing,
    }
}

/// How often a rule was right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Tickets that were right.
    pub right: u64,
    /// Tickets that were right or wrong.
    pub checked: u64,
    /// Lower end of the 95 % interval after Wilson, 0 to 1.
    pub low: f64,
    /// Upper end, 0 to 1.
    pub high: f64,
}

impl Precision {
    /// Of so many right and wrong ones; `None` while they are fewer than [`VERDICTS_LEAST`].
    ///
    /// The interval is Wilson's score interval (E. B. Wilson, 1927): it stays within 0 and 1 also when all were right.
    #[must_use]
    pub fn of(right: u64, wrong: u64) -> Option<Self> {
        let checked = right.saturating_add(wrong);
        if checked < VERDICTS_LEAST {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of tickets")]
        let (n, p) = (checked as f64, right as f64 / checked as f64);
        let z2 = Z * Z;
        let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
        Some(Self {
            right,
            checked,
            low: (center - half).max(0.0),
            high: (center + half).min(1.0),
        })
    }

    /// The share that was right, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of tickets")]
    pub fn share(&self) -> f64 {
        self.right as f64 / self.checked as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_one_of_forty_eight_is_likely_between_73_and_93_percent() {
        let precision = Precision::of(41, 7).expect("enough verdicts");
        assert_eq!((precision.right, precision.checked), (41, 48));
        assert!((precision.share() - 0.854).abs() < 0.001);
        assert!((precision.low - 0.728).abs() < 0.001, "{precision:?}");
        assert!((precision.high - 0.928).abs() < 0.001, "{precision:?}");
    }

    #[test]
    fn few_verdicts_prove_nothing_and_all_right_is_not_certain() {
        assert_eq!(Precision::of(9, 0), None);
        assert_eq!(Precision::of(0, 0), None);
        let all = Precision::of(10, 0).expect("enough");
        assert!((all.low - 0.722).abs() < 0.001, "{all:?}");
        assert!((all.high - 1.0).abs() < 1e-9);
        let none = Precision::of(0, 10).expect("enough");
        assert!(none.low.abs() < 1e-9 && none.high < 0.28, "{none:?}");
    }

    #[test]
    fn what_nobody_found_out_counts_for_nothing() {
        assert_eq!(counts_as(Verdict::Consumable), CountsAs::Right);
        assert_eq!(counts_as(Verdict::SensorError), CountsAs::Wrong);
        assert_eq!(counts_as(Verdict::Unreachable), CountsAs::Nothing);
    }
}
