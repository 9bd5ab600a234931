//! Spans of use: when one starts, ends, is discarded, or reaches its longest time.
//!
//! Leaves what is measured in them to nodes and derives. Invariant: a session whose start or end fell into a gap of its signals
//! gives nothing.

use serde::{Deserialize, Serialize};

use super::body::{Body, NEVER, Pass};
use super::eval::Eval;
use super::plan::Plan;
use crate::profile::{AtMax, Cond, SessionIdx};

/// How long the start condition may be unknown between false and true before the start counts as unseen, ms. Signals that are sent
/// fast in use and slowly at rest are stale when the use begins and come one after the other; ten seconds is what `at(x, t)` takes
/// for near, too.
const START_SLACK_MS: i64 = 10_000;

/// What is remembered of a session kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SessionState {
    /// Start of the running session, by the device's time.
    pub(super) start: Option<i64>,
    /// Counts starts, so that windows know which session their values belong to.
    pub(super) number: u32,
    /// When one last started, ended or was dropped.
    pub(super) turned: i64,
    /// What the start condition last said while it was known.
    started_by: Option<bool>,
    /// Since when it is unknown because its signals are.
    unknown_since: Option<i64>,
    /// While it runs, the signals of its end had a gap: nobody knows whether it ended meanwhile.
    gap_inside: bool,
    /// The look at this pass: it ends here.
    ending: Ending,
}

/// What the end of a pass does with the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Ending {
    #[default]
    None,
    Stop,
    Restart,
}

impl Default for SessionState {
    fn default() -> Self {
        Self {
            start: None,
            number: 0,
            turned: NEVER,
            started_by: None,
            unknown_since: None,
            gap_inside: false,
            ending: Ending::None,
        }
    }
}

impl SessionState {
    fn begin(&mut self, at: i64) {
        self.start = Some(at);
        self.number = self.number.wrapping_add(1);
        self.turned = at;
        self.gap_inside = false;
    }

    fn stop(&mut self, at: i64) {
        self.start = None;
        self.turned = at;
        self.gap_inside = false;
    }

    /// Ends what ended in this pass; a kind with `restart` goes on at once.
    ///
    /// True when something changed by it.
    pub(super) fn settle(&mut self, at: i64) -> bool {
        match std::mem::take(&mut self.ending) {
            Ending::None => return false,
            Ending::Stop => self.stop(at),
            Ending::Restart => self.begin(at),
        }
        true
    }

    /// The session reached its longest time while nobody could see it.
    pub(super) fn drop_unseen(&mut self, at: i64) {
        self.stop(at);
    }
}

/// What the conditions of a session say at this pass.
struct Look {
    start: Option<bool>,
    end: Option<bool>,
    abort: Option<bool>,
    start_gap: bool,
    end_gap: bool,
}

/// Looks whether the session starts, ends or is aborted. True when it ended and counts.
pub(super) fn step(plan: &Plan, body: &mut Body, pass: &Pass, at: SessionIdx) -> bool {
    let (Some(rule), Some(deps), Some(&state)) = (
        plan.program.sessions.get(at),
        plan.sessions.get(at),
        body.sessions.get(at),
    ) else {
        return false;
    };
    if pass.leaves(deps) || (pass.past && (!pass.reaches(deps) || state.turned > pass.t)) {
        return false;
    }
    let eval = Eval::new(plan, body, pass);
    let gap = || deps.signals.iter().any(|signal| eval.stale(signal));
    let (start, end) = (eval.cond(&rule.start), eval.cond(&rule.end));
    let look = Look {
        start_gap: start.is_none() && gap(),
        end_gap: end.is_none() && gap(),
        abort: rule.abort.as_ref().and_then(|abort| eval.cond(abort)),
        start,
        end,
    };
    let by_event = plan.start_by_event.get(at).copied().unwrap_or(false);
    let momentary = by_event || momentary(&rule.start);
    let mut next = state;
    let ended = if next.start.is_some() {
        run(&mut next, &look, pass.t, rule.max_ms, rule.at_max)
    } else {
        false
    };
    let rises = rises(&mut next, &look, momentary, pass.t);
    if rises && (next.start.is_none() || (by_event && !ended)) && look.abort != Some(true) {
        next.begin(pass.t);
    }
    if let Some(slot) = body.sessions.get_mut(at) {
        *slot = next;
    }
    ended
}

/// Looks at a running session; true when it ends here and counts.
fn run(state: &mut SessionState, look: &Look, t: i64, max_ms: i64, at_max: AtMax) -> bool {
    state.gap_inside |= look.end_gap;
    let Some(start) = state.start else {
        return false;
    };
    if look.abort == Some(true) {
        state.stop(t);
        return false;
    }
    if let Some(end) = look.end {
        if state.gap_inside {
            state.stop(t);
            return false;
        }
        if end {
            state.ending = Ending::Stop;
            return true;
        }
    }
    if t - start < max_ms {
        return false;
    }
    match at_max {
        _ if state.gap_inside => {
            state.stop(t);
            false
        }
        AtMax::Drop => {
            state.stop(t);
            false
        }
        AtMax::Close => {
            state.ending = Ending::Stop;
            true
        }
        AtMax::Restart => {
            state.ending = Ending::Restart;
            true
        }
    }
}

/// True when the start condition became true where that could be seen. The first thing ever known of a device counts as seen.
fn rises(state: &mut SessionState, look: &Look, momentary: bool, t: i64) -> bool {
    let Some(truth) = look.start else {
        if look.start_gap && state.started_by.is_some() {
            state.unknown_since.get_or_insert(t);
        }
        return false;
    };
    let gap = state
        .unknown_since
        .take()
        .is_some_and(|since| t - since > START_SLACK_MS);
    let rises = truth && state.started_by != Some(true) && !gap;
    state.started_by = Some(truth && !momentary);
    rises
}

/// The condition is true at an instant only.
fn momentary(cond: &Cond) -> bool {
    match cond {
        Cond::Event(_) => true,
        Cond::All(all) => all.iter().any(momentary),
        Cond::Any(any) => !any.is_empty() && any.iter().all(momentary),
        _ => false,
    }
}
