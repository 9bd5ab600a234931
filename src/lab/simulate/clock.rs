//! The clock inside a device: right, steadily wrong, or one that jumps.

use super::appliance::Quirk;
use super::chance::Chance;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;

/// What a clock shows that lost its power and was never set: 2000-01-01.
const NEVER_SET_MS: i64 = 946_684_800_000;

/// A device's clock.
pub(super) struct Clock {
    off: Off,
    jumps: bool,
    next_change: Timestamp,
    chance: Chance,
}

#[derive(Clone, Copy)]
enum Off {
    /// Ahead by so many ms; negative: behind.
    By(i64),
    /// Counts from 2000-01-01 since then.
    NeverSetSince(Timestamp),
}

impl Clock {
    /// The clock of a device in a zone so far east of UTC, ms.
    pub(super) fn new(quirk: Quirk, from: Timestamp, zone_ms: i64, mut chance: Chance) -> Self {
        // The usual mistake: local time is told as if it were UTC.
        let steady = if quirk == Quirk::WrongClock {
            zone_ms
        } else {
            0
        };
        let next_change = from + chance.span_ms(2 * DAY_MS, 6 * DAY_MS);
        Self {
            off: Off::By(steady),
            jumps: quirk == Quirk::ClockJumps,
            next_change,
            chance,
        }
    }

    /// What it shows at a true time, ms since 1970. Ask with times that rise.
    pub(super) fn shows(&mut self, at: Timestamp) -> i64 {
        if self.jumps && at >= self.next_change {
            self.change(at);
        }
        match self.off {
            Off::By(ms) => at.ms() + ms,
            Off::NeverSetSince(since) => NEVER_SET_MS + at.since(since),
        }
    }

    /// Jumps when it is right, is set right again when it is not.
    fn change(&mut self, at: Timestamp) {
        let right = matches!(self.off, Off::By(0));
        self.off = match (right, self.chance.happens(0.4)) {
            (false, _) => Off::By(0),
            (true, true) => Off::NeverSetSince(at),
            (true, false) => Off::By(self.chance.span_ms(-50 * MINUTE_MS, -20 * MINUTE_MS)),
        };
        self.next_change = at
            + if right {
                self.chance.span_ms(HOUR_MS, 10 * HOUR_MS)
            } else {
                self.chance.span_ms(3 * DAY_MS, 8 * DAY_MS)
            };
    }
}
