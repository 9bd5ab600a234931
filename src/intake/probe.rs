//! Takes the time of messages on their way from the network to the disk: of one at a time.
//!
//! So the clock is read about once per commit of the journal and not once per message, whatever the load. Leaves to others what
//! is done with the times. Invariant: a message that is lost on its way frees the place for the next.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

/// Whether a time is being taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Prober {
    busy: Arc<AtomicBool>,
}

/// The time that is being taken; dropped, it makes room for the next.
#[derive(Debug)]
pub(super) struct Probe {
    since: Instant,
    busy: Arc<AtomicBool>,
}

impl Prober {
    /// Begins now, unless one is under way.
    pub(super) fn begin(&self) -> Option<Probe> {
        // The look before spares most messages a write that all connections would wait for.
        let free = !self.busy.load(Ordering::Relaxed) && !self.busy.swap(true, Ordering::AcqRel);
        free.then(|| Probe {
            since: Instant::now(),
            busy: Arc::clone(&self.busy),
        })
    }
}

impl Probe {
    /// How long it took until now.
    pub(super) fn took(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_a_lost_one_frees_the_place() {
        let prober = Prober::default();
        let first = prober.begin().unwrap();
        assert!(prober.begin().is_none());
        tokio::time::advance(Duration::from_millis(3)).await;
        assert_eq!(first.took(), Duration::from_millis(3));
        drop(first);
        assert!(prober.begin().is_some());
    }
}
