//! What comes due: between two records by the device's own time, after the newest one by the journal's.
//!
//! Leaves the look itself to `look`. Invariant: nothing comes due inside a blind span, and nothing from receipt while the device
//! is catching up.

use std::sync::Arc;

use super::body::{NEVER, Pass};
use super::device::{Ahead, Around, CATCH_UP_MS, CATCH_UP_QUIET_MS, Device};
use super::plan::Plan;
use super::zones::Zones;
use super::{fault, node};
use crate::profile::RuleState;
use crate::telemetry::{HOUR_MS, Timestamp};

/// How long after its end a local day waits for late records when no later day begins by itself.
const DAY_GRACE_MS: i64 = HOUR_MS;
/// Most moments that come due between two records of a device; beyond, the rest are passed over. A profile whose shortest session
/// is a second would otherwise restart it some four million times in 45 days of silence.
const MOMENT_LIMIT: usize = 1_000;

impl Device {
    /// Looks at everything that comes due before `to`, each at its own moment.
    pub(super) fn advance(&mut self, plan: &Plan, to: i64, late: bool, around: &mut Around<'_>) {
        let Some(blind) = self.head.blind else {
            self.moments(plan, to, late, around);
            return;
        };
        if self.head.clock == NEVER {
            self.head.blind = None;
            return;
        }
        let from = self.carried_over(blind.from).max(self.head.clock);
        self.moments(plan, to.min(from), late, around);
        if to < from {
            return;
        }
        // Inside the span signals grow stale, and nothing else happens: holds stand still.
        let mut clock = from;
        for _ in 0..MOMENT_LIMIT {
            let Some(moment) = self.next_stale(plan, clock).filter(|moment| *moment < to) else {
                break;
            };
            self.head.blind_total += moment - clock;
            clock = moment;
            self.look_at(plan, moment, late, around);
        }
        self.head.blind_total += to - clock;
        self.head.blind = None;
        self.head.unsettled = true;
        for (rule, state) in plan.program.sessions.iter().zip(&mut self.body.sessions) {
            if state.start.is_some_and(|start| start + rule.max_ms < to) {
                state.drop_unseen(to);
            }
        }
    }

    pub(super) fn moments(&mut self, plan: &Plan, to: i64, late: bool, around: &mut Around<'_>) {
        for _ in 0..MOMENT_LIMIT {
            let clock = self.head.clock;
            let next = match std::mem::replace(&mut self.ahead, Ahead::Unknown) {
                Ahead::Known(next) => next,
                Ahead::Unknown => {
                    earlier(self.next_stale(plan, clock), self.next_moment(plan, clock))
                }
            };
            let Some(moment) = next.filter(|moment| *moment < to) else {
                break;
            };
            self.look_at(plan, moment, late, around);
        }
    }

    pub(super) fn look_at(&mut self, plan: &Plan, t: i64, late: bool, around: &mut Around<'_>) {
        let mut pass = Pass::for_plan(plan);
        pass.t = t;
        pass.late = late;
        self.look(plan, &mut pass, around);
    }

    /// The next moment after `clock` at which a signal grows stale.
    pub(super) fn next_stale(&self, plan: &Plan, clock: i64) -> Option<i64> {
        self.body
            .signals
            .iter()
            .zip(&plan.program.signals)
            .filter_map(|(state, rule)| state.stale_at(rule))
            .filter(|moment| *moment > clock)
            .min()
    }

    /// The next moment after `clock` at which a hold is complete, a session too long, or a fault kept long enough.
    pub(super) fn next_moment(&self, plan: &Plan, clock: i64) -> Option<i64> {
        let holds = plan.holds.iter().filter_map(|at| {
            let (rule, slot) = (plan.program.nodes.get(*at)?, self.body.nodes.get(*at)?);
            let node::NodeState::Held(held) = &slot.state else {
                return None;
            };
            Some(held.due(node::hold_rule(rule))? + self.head.blind_total)
        });
        let sessions = plan
            .program
            .sessions
            .iter()
            .zip(&self.body.sessions)
            .filter_map(|(rule, state)| Some(state.start? + rule.max_ms));
        let kept = plan
            .program
            .faults
            .iter()
            .zip(&self.body.faults)
            .filter_map(|(rule, slot)| fault::kept_until(rule, slot));
        holds
            .chain(sessions)
            .chain(kept)
            .filter(|moment| *moment > clock)
            .min()
    }

    /// The device's time at a moment of the journal, if its clock and the network go on as at its newest record.
    pub(super) fn carried_over(&self, j: i64) -> i64 {
        if self.head.anchor_t == NEVER {
            return self.head.clock;
        }
        self.head.anchor_t + (j - self.head.anchor_j)
    }

    /// True when what is due by the device's time comes due by receipt.
    pub(super) fn timers_run(&self) -> bool {
        self.head.blind.is_none() && !self.head.lagging && self.head.anchor_t != NEVER
    }

    /// Something came due.
    pub(super) fn fire(&mut self, around: &mut Around<'_>) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        self.touch(around.now);
        around.deferring = self.head.catch_up.is_some();
        if self.timers_run() {
            let t = self.carried_over(around.now).max(self.head.clock);
            self.advance(&plan, t, false, around);
            if self
                .day_due(&plan, around.zones)
                .is_some_and(|due| t >= due)
            {
                let ended = self.head.day;
                self.turn_day(&plan, t, false, around);
                if self.head.day == ended {
                    // The zone's clock was set back across midnight: the day is over all the same.
                    self.head.day = ended.map(|day| day + 1);
                }
            }
            self.look_at(&plan, t, false, around);
        } else if self.head.clock > NEVER {
            let (t, late) = (self.head.clock, self.head.lagging);
            self.look_at(&plan, t, late, around);
        }
        self.end_catch_up(around);
    }

    pub(super) fn day_due(&self, plan: &Plan, zones: &Zones) -> Option<i64> {
        let day = self.head.day.filter(|_| plan.has_day)?;
        Some(zones.day_end(&self.head.identity, day) + DAY_GRACE_MS)
    }

    /// In a blind span nothing comes due for it, even once its source is back, before it speaks: it watches no silence and no repair,
    /// and has nothing to catch up with.
    pub(super) fn is_quiet(&self) -> bool {
        let watches = (self.plan.as_ref()).is_some_and(|plan| !plan.silences.is_empty());
        let recheck = self.body.faults.iter().any(|slot| slot.recheck.is_some());
        !watches && !recheck && self.head.catch_up.is_none()
    }

    /// When something next comes due, by the journal's time. Nothing does inside a blind span.
    pub(super) fn next_due(&mut self, zones: &Zones) -> Option<Timestamp> {
        self.ahead = Ahead::Unknown;
        let plan = Arc::clone(self.plan.as_ref()?);
        let plan = &*plan;
        if self.head.frozen || self.head.blind.is_some_and(|blind| !blind.up) {
            return None;
        }
        let caught_up = self
            .head
            .catch_up
            .map(|state| (state.last + CATCH_UP_QUIET_MS).min(state.began + CATCH_UP_MS));
        let timed = if self.timers_run() {
            let clock = self.head.clock;
            let (stale, moment) = (self.next_stale(plan, clock), self.next_moment(plan, clock));
            self.ahead = Ahead::Known(earlier(stale, moment));
            [
                moment,
                stale.filter(|_| plan.wakes_on_stale),
                self.day_due(plan, zones),
            ]
            .into_iter()
            .flatten()
            .min()
            .map(|moment| self.head.anchor_j + (moment - self.head.anchor_t))
        } else {
            None
        };
        let watched = plan
            .program
            .faults
            .iter()
            .zip(&self.body.faults)
            .filter(|(rule, _)| rule.state != RuleState::Off)
            .filter_map(|(_, slot)| Some(slot.recheck?.due(self.head.touched)))
            .filter(|due| *due > self.head.touched);
        [caught_up, timed]
            .into_iter()
            .flatten()
            .chain(watched)
            .chain(self.silences(plan))
            .min()
            .map(Timestamp::from_ms)
    }

    /// When silences reach a limit that some fault asks for.
    pub(super) fn silences<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = i64> + 'a {
        let muted = self.head.muted.is_some();
        plan.silences
            .iter()
            .filter(move |_| !muted)
            .filter_map(|watch| {
                let slot = self.body.nodes.get(watch.node)?;
                let node::NodeState::Silent(silence) = &slot.state else {
                    return None;
                };
                let cadence = plan.program.signals.get(watch.signal).map(|s| s.cadence);
                let limit = watch.limit_ms(&self.body.limits)?;
                silence
                    .due(limit, cadence)
                    .filter(|due| *due > self.head.touched)
            })
    }
}

/// The earlier of two moments that may not come.
fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
