//! How long to wait before the next attempt.
//!
//! Doubling with jitter, so that a fleet of daemons does not return in step. A connection resets it only by lasting: two
//! clients that throw each other out by turns (MQTT 3.1.1 cannot say so) would otherwise fight at full speed.

use std::time::Duration;

/// Growing delays between two bounds.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    attempts: u32,
}

impl Backoff {
    /// Delays from about `first` up to at most `most`.
    pub(super) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            attempts: 0,
        }
    }

    /// Begins anew.
    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Failed attempts since the last reset.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next delay; `dice` lies in 0..=1 and chooses within the upper half of the step.
    pub(super) fn next(&mut self, dice: f64) -> Duration {
        let step = self
            .first
            .saturating_mul(2_u32.saturating_pow(self.attempts.min(20)))
            .min(self.most);
        self.attempts = self.attempts.saturating_add(1);
        step.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_begin_anew_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(1));
        let steps: Vec<u128> = (0..9).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(
            steps,
            [
                500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000
            ]
        );
        backoff.reset();
        assert_eq!(backoff.next(0.0).as_millis(), 250);
    }

    #[test]
    fn a_day_of_failures_overflows_nothing() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(1));
        for _ in 0..100_000 {
            assert!(backoff.next(1.0) <= Duration::from_mins(1));
        }
    }
}
