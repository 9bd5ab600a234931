//! The account of what devices sent: what was sent, taken, refused, and how long the answers took.
//!
//! Counters may be read by anyone at any time; the distribution of latencies belongs to one connection and is added up at the end.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Steps between one power of two of microseconds and the next: a latency is told to within 7 %.
const STEPS: u64 = 16;
/// Powers of two above [`STEPS`] that are told apart: up to about 19 hours; longer counts as that.
const POWERS: u64 = 32;

/// Running counters of all connections together.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) up: AtomicU64,
    pub(super) reconnects: AtomicU64,
}

impl Tally {
    /// Messages sent, each counted once.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Messages that the server acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }

    /// Messages that the server refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that stand now.
    #[must_use]
    pub fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Connections that were lost and made anew.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Relaxed)
    }
}

/// How long acknowledgements took: counts by duration, the steps growing with it.
#[derive(Clone, Debug)]
pub struct Latency {
    counts: Vec<u64>,
    longest: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        let steps = usize::try_from((POWERS + 1) * STEPS).unwrap_or(0);
        Self {
            counts: vec![0; steps],
            longest: Duration::ZERO,
        }
    }
}

impl Latency {
    /// Takes one.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        let step = usize::try_from(step(micros)).unwrap_or(last).min(last);
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.longest = self.longest.max(took);
    }

    /// Takes all of another.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
    }

    /// The duration that this share of all stayed within (0.5: the median), rounded up to the next step; `None` without any.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.counts.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among fewer than 2^52 messages"
        )]
        let rank = (total as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut below = 0;
        let step = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        let step = u64::try_from(step).unwrap_or(u64::MAX);
        Some(Duration::from_micros(end_of(step)).min(self.longest))
    }

    /// The longest.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }
}

/// The step that a number of microseconds falls into.
const fn step(micros: u64) -> u64 {
    if micros < STEPS {
        return micros;
    }
    // At least 4, since 16 = 2^4.
    let power = 63 - micros.leading_zeros() as u64;
    (power - 3) * STEPS + ((micros >> (power - 4)) & (STEPS - 1))
}

/// The largest number of microseconds in a step.
const fn end_of(step: u64) -> u64 {
    if step < STEPS {
        return step;
    }
    let shift = step / STEPS - 1;
    ((STEPS + step % STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_the_step_that_ends_at_or_after_it() {
        for micros in (0..5_000).chain([65_535, 65_536, 1_000_000, 3_600_000_000]) {
            let step = step(micros);
            assert!(end_of(step) >= micros, "{micros}");
            assert!(step == 0 || end_of(step - 1) < micros, "{micros}");
            assert!(end_of(step) - micros <= micros / 16 + 1, "{micros}");
        }
    }

    #[test]
    fn median_and_tail_of_a_hundred() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        let mut other = Latency::default();
        for ms in 1..=100 {
            let half = if ms % 2 == 0 {
                &mut latency
            } else {
                &mut other
            };
            half.add(Duration::from_millis(ms));
        }
        latency.merge(&other);
        let near = |share: f64, ms: u64| {
            let found = latency.quantile(share).expect("a hundred").as_secs_f64() * 1e3;
            let expected = Duration::from_millis(ms).as_secs_f64() * 1e3;
            assert!(
                found >= expected && found <= expected * 1.07,
                "{share}: {found} ms"
            );
        };
        near(0.5, 50);
        near(0.99, 99);
        assert_eq!(latency.quantile(1.0), Some(Duration::from_millis(100)));
        assert_eq!(latency.longest(), Duration::from_millis(100));
    }

    #[test]
    fn what_takes_longer_than_a_day_counts_as_the_longest() {
        let mut latency = Latency::default();
        latency.add(Duration::from_hours(48));
        assert_eq!(
            latency.quantile(0.5).map(|found| found.as_secs() > 3_600),
            Some(true)
        );
    }
}
