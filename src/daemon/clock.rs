//! The daemon's clocks: the only place outside the edges that reads them.

use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::telemetry::Timestamp;

/// The wall clock, UTC.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the daemon hands this value to those who may not read a clock"
)]
pub fn wall() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since the process first asked; never goes back.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the daemon hands this value to those who may not read a clock"
)]
pub(super) fn monotonic_ms() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// A point of the monotonic clock, to measure from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(Instant);

impl Moment {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured goes to metrics only; no decision rests on it"
    )]
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
