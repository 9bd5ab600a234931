//! How long acknowledgements took, as their publishers saw it: counted in buckets of 3 %, so that millions of them take no memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of one doubling: a value is told within 1/32.
const STEPS: u64 = 32;
/// Doublings, each with its buckets: from a microsecond to more than any run takes.
const BUCKETS: usize = 40 * 32;

/// A count that many threads add to.
pub(crate) struct Acks {
    buckets: Vec<AtomicU64>,
    longest: AtomicU64,
    all: AtomicU64,
}

/// What was counted in a time.
pub(crate) struct Took {
    buckets: Vec<u64>,
    longest: u64,
}

impl Acks {
    pub(crate) fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            longest: AtomicU64::new(0),
            all: AtomicU64::new(0),
        }
    }

    /// One acknowledgement after this time.
    pub(crate) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.longest.fetch_max(micros, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
    }

    /// Acknowledgements since the beginning.
    pub(crate) fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Took {
        let swap = |number: &AtomicU64| number.swap(0, Ordering::Relaxed);
        Took {
            buckets: self.buckets.iter().map(swap).collect(),
            longest: swap(&self.longest),
        }
    }
}

impl Took {
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// `p50 1.2 ms, p99 3.4 ms, max 5.6 ms`.
    pub(crate) fn text(&self) -> String {
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.quantile_ms(50),
            self.quantile_ms(99),
            Duration::from_micros(self.longest).as_secs_f64() * 1e3
        )
    }

    /// The time that this many of a hundred did not exceed.
    fn quantile_ms(&self, percent: u64) -> f64 {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        let at = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted && seen > 0
        });
        at.map_or(f64::NAN, |at| {
            Duration::from_micros(upper(at).min(self.longest)).as_secs_f64() * 1e3
        })
    }
}

fn bucket(micros: u64) -> usize {
    let index = if micros < STEPS {
        micros
    } else {
        let shift = u64::from(micros.ilog2()) - u64::from(STEPS.ilog2());
        (shift + 1) * STEPS + (micros >> shift) - STEPS
    };
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The end of a bucket, µs.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        bucket
    } else {
        (bucket % STEPS + STEPS + 1) << (bucket / STEPS - 1)
    }
}
