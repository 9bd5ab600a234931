//! How many cases a property test tries, and which.
//!
//! Without a word the same ones in each run, so that a change is judged by what it changed and not by luck.
//! `FOREMEND_TEST_CASES=100` tries a hundred times as many, other ones each time; proptest prints the smallest case that fails.

use proptest::test_runner::{Config, RngSeed};

/// Names how many times the usual cases are tried.
const CASES: &str = "FOREMEND_TEST_CASES";
/// What the usual cases are drawn from.
const USUAL: u64 = 17;

/// The settings of a property test that usually tries `usual` cases.
///
/// # Panics
/// When the variable is no number of at least 1: a long run that silently is none helps nobody.
pub(crate) fn cases(usual: u32) -> Config {
    let (times, rng_seed) = match std::env::var(CASES) {
        Ok(text) => {
            let times = text.parse().ok().filter(|times: &u32| *times > 0);
            let times = times.unwrap_or_else(|| {
                panic!("{CASES} is '{text}'; expected a whole number from 1 on")
            });
            (times, RngSeed::Random)
        }
        Err(_) => (1, RngSeed::Fixed(USUAL)),
    };
    Config {
        cases: usual.saturating_mul(times),
        failure_persistence: None,
        rng_seed,
        ..Config::default()
    }
}
