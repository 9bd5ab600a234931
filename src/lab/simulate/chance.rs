//! Chance: one seeded generator per appliance, with the few distributions that the fleet needs.
//!
//! **Invariant:** the same numbers on every platform (a named algorithm, and only arithmetic that is exact everywhere).

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::Xoshiro256PlusPlus;

/// The chance of one appliance.
#[derive(Clone, Debug)]
pub(super) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    /// The chance of the device of this index; `stream` keeps independent parts of it apart, so that one more throw in one of
    /// them changes nothing in the others.
    pub(super) fn new(seed: u64, index: usize, stream: u64) -> Self {
        // Multiplied by odd constants, so that neighbours begin far apart; the generator's own seeding mixes the rest.
        let index = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let stream = stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(Xoshiro256PlusPlus::seed_from_u64(
            seed ^ index.rotate_left(17) ^ stream,
        ))
    }

    /// Evenly in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Evenly in `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A time evenly in `low..=high`, in ms.
    pub(super) fn span_ms(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high.max(low))
    }

    /// True with this probability.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// About normal with mean 0 and deviation 1, and never beyond 3.5: a healthy sensor has no outliers (the sum of four even
    /// throws, Irwin and Hall).
    pub(super) fn noise(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.unit()).sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }

    /// One of them; the first of an empty list does not exist, so give none.
    pub(super) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.0.random_range(0..among.len())]
    }
}
