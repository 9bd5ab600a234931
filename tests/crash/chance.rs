//! Moments by chance: the same for the same seed, so that a failure can be looked at again.
//!
//! How far the daemon is at such a moment is the machine's to say; the seed repeats the plan of a run, not its outcome.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Names the seed of a run that is to be repeated.
const SEED: &str = "FOREMEND_TEST_SEED";

/// Numbers by `SplitMix64` (Steele, Lea and Flood, 2014): good for any seed, also for small ones.
pub(crate) struct Chance(u64);

impl Chance {
    /// By the seed of the environment, else by one of its own; a failing test shows which.
    pub(crate) fn of_this_run(test: &str) -> Self {
        let seed = std::env::var(SEED).map_or_else(
            |_| RandomState::new().hash_one(test) >> 16,
            |text| text.parse().expect("the seed is a number"),
        );
        eprintln!("{test}: {SEED}={seed}");
        Self(seed)
    }

    /// One that goes its own way from here on.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A time within this one, to the microsecond.
    pub(crate) fn moment(&mut self, within: Duration) -> Duration {
        let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
