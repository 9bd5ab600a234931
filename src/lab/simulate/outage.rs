//! When a link breaks and when it is back.

use super::appliance::Quirk;
use super::chance::Chance;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// After so long without a sign of life the broker publishes the will: one and a half keep-alives of 60 s, as MQTT asks.
const WILL_AFTER_MS: i64 = 90 * SECOND_MS;

/// What happens to a link at its next moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It breaks.
    Lost,
    /// The broker notices.
    Will,
    /// It is back.
    Back,
}

/// The state of a link.
pub(super) struct Outage {
    quirk: Quirk,
    chance: Chance,
    /// The next turns, the first last.
    turns: Vec<(Timestamp, Turn)>,
}

impl Outage {
    pub(super) fn new(quirk: Quirk, from: Timestamp, chance: Chance) -> Self {
        let mut outage = Self {
            quirk,
            chance,
            turns: Vec::new(),
        };
        outage.plan(from);
        outage
    }

    /// When the next turn comes.
    pub(super) fn next_moment(&self) -> Timestamp {
        self.turns.last().map_or(Timestamp::MAX, |turn| turn.0)
    }

    /// Takes the next turn.
    pub(super) fn turn(&mut self) -> Option<(Timestamp, Turn)> {
        let turn = self.turns.pop();
        if let Some((at, Turn::Back)) = turn {
            self.plan(at);
        }
        turn
    }

    fn plan(&mut self, from: Timestamp) {
        let (after, lasts) = if self.quirk == Quirk::BadLink {
            ((2 * DAY_MS, 6 * DAY_MS), (5 * HOUR_MS, 50 * HOUR_MS))
        } else {
            ((3 * DAY_MS, 14 * DAY_MS), (3 * MINUTE_MS, 40 * MINUTE_MS))
        };
        let lost = from + self.chance.span_ms(after.0, after.1);
        let back = lost + self.chance.span_ms(lasts.0, lasts.1);
        self.turns = vec![
            (back, Turn::Back),
            (lost + WILL_AFTER_MS, Turn::Will),
            (lost, Turn::Lost),
        ];
    }
}
