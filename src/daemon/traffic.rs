//! What arrived per half minute over the last day, as the pages draw it.
//!
//! Counted from the daemon's own counters, once a second; it begins anew with each process, and says since when. Leaves the journal
//! and the store alone: looking at a page costs them nothing.

use std::collections::VecDeque;

use crate::telemetry::DAY_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;
use crate::web::Traffic;
use crate::web::TrafficBucket;
use crate::web::TrafficCounts;

/// Width of a bucket.
const BUCKET_MS: i64 = 30 * SECOND_MS;
/// Buckets that are kept: a day.
const BUCKETS_LIMIT: usize = 2_880;

/// The last day's traffic.
#[derive(Debug, Default)]
pub(super) struct TrafficLog {
    since: Option<Timestamp>,
    /// The counters at the last look.
    before: TrafficCounts,
    buckets: VecDeque<TrafficBucket>,
}

impl TrafficLog {
    /// Takes the counters as they are now. The first look only sets where counting begins.
    pub(super) fn look(&mut self, now: Timestamp, total: TrafficCounts) {
        if self.since.is_none() {
            self.since = Some(now);
            self.before = total;
        }
        let grown = total.less(self.before);
        self.before = total;
        let at = Timestamp::from_ms(now.ms().div_euclid(BUCKET_MS) * BUCKET_MS);
        match self.buckets.back_mut() {
            // A wall clock that went back adds to the newest bucket.
            Some(last) if last.at >= at => last.counts = last.counts.plus(grown),
            _ => {
                if self.buckets.len() == BUCKETS_LIMIT {
                    self.buckets.pop_front();
                }
                self.buckets.push_back(TrafficBucket { at, counts: grown });
            }
        }
    }

    /// What was seen so far.
    pub(super) fn seen(&self, now: Timestamp) -> Traffic {
        Traffic {
            since: self.since.unwrap_or(now).max(now - DAY_MS),
            bucket_ms: BUCKET_MS,
            buckets: self
                .buckets
                .iter()
                .filter(|bucket| now.since(bucket.at) < DAY_MS)
                .copied()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(received: u64, rejected: u64) -> TrafficCounts {
        TrafficCounts {
            received,
            decoded: received - rejected,
            rejected,
            duplicate: 0,
        }
    }

    #[test]
    fn it_counts_from_the_first_look_on() {
        let start = Timestamp::from_ms(1_000 * BUCKET_MS);
        let mut log = TrafficLog::default();
        log.look(start, counts(500, 5));
        log.look(start + 1_000, counts(510, 5));
        log.look(start + BUCKET_MS, counts(530, 6));
        let seen = log.seen(start + BUCKET_MS);
        assert_eq!(seen.since, start);
        let received: Vec<u64> = seen.buckets.iter().map(|b| b.counts.received).collect();
        assert_eq!(received, [10, 20]);
        assert_eq!(seen.total(), counts(30, 1));
    }

    #[test]
    fn it_keeps_a_day() {
        let start = Timestamp::from_ms(0);
        let mut log = TrafficLog::default();
        let day = DAY_MS / BUCKET_MS;
        for n in 0..day + 100 {
            log.look(start + n * BUCKET_MS, counts(n.cast_unsigned(), 0));
        }
        assert_eq!(log.buckets.len(), BUCKETS_LIMIT);
        let now = start + (day + 99) * BUCKET_MS;
        assert_eq!(log.seen(now).buckets.len(), BUCKETS_LIMIT);
    }
}
