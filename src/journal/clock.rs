//! The journal's time: the wall clock, made to never go back.
//!
//! Leaves to others what a step means (detect shifts what was due). Keeps: stamps never fall; they follow the monotonic clock
//! and are pulled to the wall clock by at most a tenth of the time that went by; a step of the wall clock over 2 s is told once.

use std::sync::Arc;
use std::time::Instant;
use std::time::SystemTime;

use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// A wall clock that moved by more than this against the monotonic clock has stepped (DESIGN section 6).
const STEP_MS: i64 = 2 * SECOND_MS;
/// The journal's time runs at most a tenth faster or slower than the monotonic clock while it is pulled to the wall clock:
/// fast enough to make up a second within ten, slow enough that no duration is off by more than 10 %.
const SLEW_PART: i64 = 10;

/// Where the journal reads the time; tests bring their own.
pub trait Clock: Send + Sync {
    /// The wall clock, UTC.
    fn wall(&self) -> Timestamp;
    /// Milliseconds since any fixed instant of this process; never goes back.
    fn monotonic_ms(&self) -> i64;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

/// The time of the next record, and the step to be told before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) step: Option<Step>,
}

/// The wall clock stepped. The record of it is stamped `from`; what follows is stamped `max(from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The journal's time without the step.
    pub(super) from: Timestamp,
    /// What the wall clock says.
    pub(super) to: Timestamp,
}

/// Gives every record its `received_at`.
pub(super) struct Stamper {
    clock: Arc<dyn Clock>,
    /// The journal's time; no stamp of our own lies before it.
    last: Timestamp,
    /// The newest time given to a record; without records as early as can be.
    newest: Timestamp,
    wall: Timestamp,
    monotonic_ms: i64,
    /// Time that went by while the journal's time was off, not yet used for pulling; in ms.
    credit_ms: i64,
}

impl SystemClock {
    /// Starts its monotonic time at zero.
    #[expect(
        clippy::disallowed_methods,
        reason = "the journal is where time enters the system; everything behind it reads received_at"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the journal is where time enters the system; everything behind it reads received_at"
    )]
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // A clock before 1970 is a clock that was never set.
        let ms = since.map_or(0, |since| since.as_millis());
        Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Stamper {
    /// Goes on after `last`, the newest time in the journal.
    pub(super) fn new(clock: Arc<dyn Clock>, last: Option<Timestamp>) -> Self {
        let wall = clock.wall();
        let newest = last.unwrap_or(Timestamp::MIN);
        let last = last.unwrap_or(wall);
        if last.since(wall) > STEP_MS {
            tracing::warn!(
                journal = %last,
                wall = %wall,
                "the wall clock is behind the newest record; the journal's time goes on from that record and slows down until the clock has caught up"
            );
        }
        Self {
            last: last.max(wall),
            newest,
            wall,
            monotonic_ms: clock.monotonic_ms(),
            credit_ms: 0,
            clock,
        }
    }

    /// The time of the next record.
    pub(super) fn stamp(&mut self) -> Stamp {
        let stamp = self.own();
        self.newest = stamp.at;
        stamp
    }

    /// The time of a record that was received elsewhere: its own, but never before the record before it.
    pub(super) fn import(&mut self, at: Timestamp) -> Timestamp {
        self.newest = self.newest.max(at);
        self.last = self.last.max(self.newest);
        self.newest
    }

    fn own(&mut self) -> Stamp {
        let wall = self.clock.wall();
        let monotonic_ms = self.clock.monotonic_ms();
        let elapsed = (monotonic_ms - self.monotonic_ms).max(0);
        let jump = wall.since(self.wall + elapsed);
        let steady = self.last + elapsed;
        self.wall = wall;
        self.monotonic_ms = monotonic_ms.max(self.monotonic_ms);
        if jump.abs() > STEP_MS {
            self.credit_ms = 0;
            self.last = steady.max(wall);
            let step = Some(Step {
                from: steady,
                to: wall,
            });
            return Stamp {
                at: self.last,
                step,
            };
        }
        self.last = steady + self.pull(wall.since(steady), elapsed);
        Stamp {
            at: self.last,
            step: None,
        }
    }

    /// Milliseconds since any fixed instant of this process.
    pub(super) fn monotonic_ms(&self) -> i64 {
        self.clock.monotonic_ms()
    }

    /// The newest time given to a record.
    pub(super) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// How much of `off` ms can be made up now, after `elapsed` ms.
    fn pull(&mut self, off: i64, elapsed: i64) -> i64 {
        if off == 0 {
            self.credit_ms = 0;
            return 0;
        }
        self.credit_ms += elapsed;
        // Slower than standing still would be going back.
        let most = (self.credit_ms / SLEW_PART).min(if off < 0 { elapsed } else { i64::MAX });
        let made_up = off.abs().min(most);
        self.credit_ms -= made_up * SLEW_PART;
        made_up * off.signum()
    }
}
