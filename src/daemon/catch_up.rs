//! How far a consumer of the journal is behind, how fast it catches up, and how long that will take.
//!
//! Pure: it is told the time and the positions once a second. Leaves showing it to metrics, readiness, pages and the log.

use std::collections::VecDeque;
use std::time::Duration;

use crate::telemetry::Position;
use crate::web::Behind;

/// It has caught up when it is less than this behind.
const DONE_AT: u64 = 1_000;
/// Over how long the speed is measured.
const WINDOW_MS: i64 = 30_000;
/// Looks that are kept for it; one a second.
const LOOKS_KEPT: usize = 40;
/// How often the log says it.
const TOLD_EVERY_MS: i64 = 30_000;

/// One look.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: i64,
    done: u64,
    last: u64,
}

/// What the log should say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    Nothing,
    CatchingUp,
    CaughtUp,
}

/// The looks at one consumer.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    looks: VecDeque<Look>,
    told_at: Option<i64>,
}

impl CatchUp {
    /// Notes that at this time (ms of a clock that never goes back) the consumer was done with `done` of a journal that ends at
    /// `last`; says how it stands, and whether to tell.
    pub(super) fn look(&mut self, now: i64, done: Position, last: Position) -> (Behind, Tell) {
        self.looks.push_back(Look {
            at: now,
            done: done.0,
            last: last.0,
        });
        while self.looks.len() > LOOKS_KEPT
            || self
                .looks
                .front()
                .is_some_and(|oldest| now - oldest.at > WINDOW_MS)
        {
            self.looks.pop_front();
        }
        let behind = self.behind();
        let due = self.told_at.is_none_or(|told| now - told >= TOLD_EVERY_MS);
        let tell = if behind.is_told() && due {
            self.told_at = Some(now);
            Tell::CatchingUp
        } else if behind.records < DONE_AT && self.told_at.take().is_some() {
            Tell::CaughtUp
        } else {
            Tell::Nothing
        };
        (behind, tell)
    }

    fn behind(&self) -> Behind {
        let (Some(from), Some(to)) = (self.looks.front(), self.looks.back()) else {
            return Behind::default();
        };
        let records = to.last.saturating_sub(to.done);
        let ms = u64::try_from(to.at - from.at).unwrap_or(0);
        if ms == 0 {
            return Behind {
                records,
                ..Behind::default()
            };
        }
        let done = to.done.saturating_sub(from.done);
        let arrived = to.last.saturating_sub(from.last);
        let nearer = done.checked_sub(arrived).filter(|nearer| *nearer > 0);
        Behind {
            records,
            per_second: done.saturating_mul(1_000) / ms,
            left: nearer
                .map(|nearer| Duration::from_millis(records.saturating_mul(ms).div_ceil(nearer))),
        }
    }
}

/// What readiness says of a consumer that is behind, in a few words.
pub(super) fn words(behind: &Behind) -> String {
    let Behind {
        records,
        per_second,
        left,
    } = behind;
    let left = left.map_or_else(
        || "and not getting nearer".to_owned(),
        |left| format!("about {} s left", left.as_secs().max(1)),
    );
    format!("{records} records behind the journal, {per_second} a second, {left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(catch_up: &mut CatchUp, second: i64, done: u64, last: u64) -> (Behind, Tell) {
        catch_up.look(second * 1_000, Position(done), Position(last))
    }

    #[test]
    fn the_time_left_counts_what_arrives_meanwhile() {
        let mut catch_up = CatchUp::default();
        look(&mut catch_up, 0, 0, 100_000);
        let (behind, _) = look(&mut catch_up, 10, 30_000, 110_000);
        assert_eq!((behind.records, behind.per_second), (80_000, 3_000));
        assert_eq!(behind.left, Some(Duration::from_secs(40)));
        assert_eq!(
            words(&behind),
            "80000 records behind the journal, 3000 a second, about 40 s left"
        );
    }

    #[test]
    fn a_consumer_that_stands_still_has_no_time_left() {
        let mut catch_up = CatchUp::default();
        look(&mut catch_up, 0, 5, 100_000);
        let (behind, _) = look(&mut catch_up, 5, 5, 120_000);
        assert_eq!((behind.per_second, behind.left), (0, None));
        assert!(words(&behind).ends_with("not getting nearer"));
    }

    #[test]
    fn the_speed_is_that_of_the_last_half_minute() {
        let mut catch_up = CatchUp::default();
        for second in 0_i64..120 {
            let done = if second < 60 {
                0
            } else {
                second.unsigned_abs() - 60
            } * 100;
            look(&mut catch_up, second, done, 1_000_000);
        }
        let (behind, _) = look(&mut catch_up, 120, 6_000, 1_000_000);
        assert_eq!(behind.per_second, 100);
        assert!(catch_up.looks.len() <= LOOKS_KEPT);
    }

    #[test]
    fn it_is_told_at_once_then_every_half_minute_then_that_it_is_over() {
        let mut catch_up = CatchUp::default();
        let mut told = Vec::new();
        for second in 0_i64..100 {
            let done = second.unsigned_abs() * 1_000;
            let (_, tell) = look(&mut catch_up, second, done, 100_000);
            if tell != Tell::Nothing {
                told.push((second, tell));
            }
        }
        let (_, tell) = look(&mut catch_up, 100, 100_000, 100_000);
        assert_eq!(tell, Tell::CaughtUp);
        let seconds: Vec<_> = told.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [0, 30, 60, 90]);
    }
}
