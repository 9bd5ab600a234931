//! The state of one fault: judged at every look, told to the desk when it may be.
//!
//! Leaves the wording to `evidence` and the telling to `publish`. Invariant: an unknown condition neither raises nor clears, and a
//! latched stage ends only by a person or a replaced part.

use serde::{Deserialize, Serialize};

use super::body::{Body, NEVER, Pass};
use super::eval::Eval;
use super::event::Evidence;
use super::evidence;
use super::node::NodeState;
use super::plan::Plan;
use crate::profile::{Fault, FaultIdx, Recheck, RuleState, SessionIdx, Severity, Stage, StageRule};
use crate::telemetry::{DAY_MS, MINUTE_MS, Text};

/// How long the fault stage must be over, with the early one still true, before it is eased: as long as the least default of
/// `clear`.
const EASE_MS: i64 = 10 * MINUTE_MS;
/// A repair that could not be judged in this time is unverified (language.md section 4).
pub(super) const UNVERIFIED_MS: i64 = 30 * DAY_MS;

/// What is remembered of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FaultSlot {
    /// Its stage while Active.
    pub(super) active: Option<Stage>,
    /// Since when, by the device's time.
    pub(super) raised: i64,
    /// What the desk was told last.
    pub(super) published: Option<Stage>,
    /// Not active, but would be if the holds that run were complete.
    pub(super) pending: bool,
    /// Active, but would be over if the holds that run were complete.
    pub(super) clearing: bool,
    /// It could be judged at the last look.
    pub(super) known: bool,
    /// It could be judged at least once.
    pub(super) judged: bool,
    /// Re-armed by a person: it must be seen to be over before it may rise again.
    pub(super) await_over: bool,
    /// Since when only the early stage holds.
    eased: Option<i64>,
    /// The repair is being watched.
    pub(super) recheck: Option<Watch>,
    /// The last change, until it is told.
    pub(super) report: Option<Box<Report>>,
    /// The worst rise since the desk was last told, for what rose and cleared meanwhile.
    pub(super) risen: Option<Box<Report>>,
    /// How a recheck ended, until it is told.
    pub(super) outcome: Option<Outcome>,
}

impl Default for FaultSlot {
    fn default() -> Self {
        Self {
            active: None,
            raised: NEVER,
            published: None,
            pending: false,
            clearing: false,
            known: false,
            judged: false,
            await_over: false,
            eased: None,
            recheck: None,
            report: None,
            risen: None,
            outcome: None,
        }
    }
}

/// How a recheck ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Failed,
    Passed,
    Unverified,
}

/// A repair that is being watched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Since when, by the device's time: derived values from before do not count.
    pub(super) since: i64,
    /// Sessions still to come.
    sessions: Option<(SessionIdx, u32)>,
    /// When a watch over time is over, by the journal's time.
    until: i64,
    /// When it ends unverified, by the journal's time.
    pub(super) last: i64,
    /// It could be judged since, and was quiet.
    quiet: bool,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin(recheck: Recheck, since: i64, now: i64) -> Self {
        let last = now + UNVERIFIED_MS;
        let (sessions, until) = match recheck {
            Recheck::Sessions { session, count } => (Some((session, count)), i64::MAX / 4),
            Recheck::Span(ms) => (None, now + ms),
        };
        Self {
            since,
            sessions,
            until,
            last: last.max(if sessions.is_some() { last } else { until }),
            quiet: false,
        }
    }

    /// The next moment at which it may end, after `now` (journal time).
    pub(super) fn due(&self, now: i64) -> i64 {
        if self.until > now {
            self.until.min(self.last)
        } else {
            self.last
        }
    }

    /// The journal's clock was set forward, or we were away.
    pub(super) fn shift(&mut self, by: i64) {
        self.until += by;
        self.last += by;
    }
}

/// A change of state with its proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) stage: Stage,
    pub(super) event_time: i64,
    pub(super) first: i64,
    pub(super) reason: Text,
    pub(super) evidence: Vec<Evidence>,
    pub(super) late: bool,
}

/// The rule of a stage.
pub(super) fn rule(fault: &Fault, stage: Stage) -> Option<&StageRule> {
    match stage {
        Stage::Warn => fault.warn.as_ref(),
        Stage::Fault => fault.fault.as_ref(),
    }
}

/// True when the stage is decided at once, also from old data.
pub(super) fn at_once(fault: &Fault, stage: Stage) -> bool {
    rule(fault, stage).is_some_and(|rule| rule.latched || rule.severity == Severity::S1)
}

/// What the conditions of a fault say.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// The worst stage that is true.
    stage: Option<Stage>,
    /// The worst stage that would be true.
    hopeful: Option<Stage>,
    /// Every stage is known.
    known: bool,
    fault_known: bool,
    clear: Option<bool>,
    clear_hopeful: bool,
}

/// A stage of it, as far as it may be judged.
fn stage(
    eval: Eval<'_>,
    rule: Option<&StageRule>,
    held_back: bool,
    runs: bool,
) -> (Option<bool>, bool) {
    let Some(rule) = rule else {
        return (Some(false), false);
    };
    if held_back && rule.severity != Severity::S1 {
        return (None, false);
    }
    if let Some(gate) = &rule.gate
        && eval.cond(gate) != Some(true)
    {
        return (None, false);
    }
    let truth = eval.cond(&rule.when);
    let hopeful = Eval {
        hopeful: true,
        ..eval
    };
    (
        truth,
        truth == Some(true) || runs && hopeful.cond(&rule.when) == Some(true),
    )
}

/// Another fault keeps this one from being judged: one that names it, or a sensor verdict on a signal it reads.
pub(super) fn held_back(plan: &Plan, body: &Body, at: FaultIdx) -> Option<FaultIdx> {
    let fault = plan.program.faults.get(at)?;
    let inhibitor = fault.inhibited_by.iter().copied().find(|by| {
        body.faults
            .get(*by)
            .is_some_and(|slot| slot.active.is_some())
    });
    let sensors = plan.sensors.get(at)?;
    inhibitor.or_else(|| {
        sensors.iter().copied().find(|by| {
            body.faults
                .get(*by)
                .is_some_and(|slot| slot.active.is_some() || slot.pending)
        })
    })
}

/// The look that a fault is judged by: while a repair is watched, values from before it do not count.
pub(super) fn eval<'a>(plan: &'a Plan, body: &'a Body, pass: &'a Pass, at: FaultIdx) -> Eval<'a> {
    let since = body
        .faults
        .get(at)
        .and_then(|slot| slot.recheck)
        .map_or(NEVER, |watch| watch.since);
    Eval {
        since,
        ..Eval::new(plan, body, pass)
    }
}

fn look(plan: &Plan, body: &Body, pass: &Pass, at: FaultIdx, fault: &Fault) -> Look {
    let eval = eval(plan, body, pass, at);
    let held_back = held_back(plan, body, at).is_some();
    // Without a hold that runs, hope is what is: most looks end here.
    let runs = fault.nodes.iter().any(|node| {
        body.nodes.get(*node).is_some_and(|slot| match &slot.state {
            NodeState::Held(held) => held.is_running(),
            NodeState::HeldOf(held) => held.newest(),
            _ => false,
        })
    });
    let (warn, warn_hopeful) = stage(eval, fault.warn.as_ref(), held_back, runs);
    let (hard, hard_hopeful) = stage(eval, fault.fault.as_ref(), held_back, runs);
    let worst = |warn: bool, hard: bool| match (warn, hard) {
        (_, true) => Some(Stage::Fault),
        (true, false) => Some(Stage::Warn),
        (false, false) => None,
    };
    let active = body.faults.get(at).and_then(|slot| slot.active);
    let gated = active
        .and_then(|stage| rule(fault, stage))
        .is_some_and(|rule| {
            (held_back && rule.severity != Severity::S1)
                || rule
                    .gate
                    .as_ref()
                    .is_some_and(|gate| eval.cond(gate) != Some(true))
        });
    let hopeful = Eval {
        hopeful: true,
        ..eval
    };
    Look {
        stage: worst(warn == Some(true), hard == Some(true)),
        hopeful: worst(warn_hopeful, hard_hopeful),
        known: warn.is_some() && hard.is_some(),
        fault_known: hard.is_some(),
        clear: match active {
            Some(_) if !gated => eval.cond(&fault.clear),
            _ => None,
        },
        clear_hopeful: active.is_some() && !gated && hopeful.cond(&fault.clear) == Some(true),
    }
}

/// Judges the fault. True when it became or ceased to be active or pending.
pub(super) fn step(plan: &Plan, body: &mut Body, pass: &Pass, at: FaultIdx) -> bool {
    let (Some(fault), Some(deps)) = (plan.program.faults.get(at), plan.faults.get(at)) else {
        return false;
    };
    if fault.state == RuleState::Off || (pass.past && !pass.reaches(deps)) {
        return false;
    }
    let Some(slot) = body.faults.get(at) else {
        return false;
    };
    let idle = slot.active.is_none() && !slot.pending && slot.recheck.is_none();
    if idle && pass.leaves(deps) {
        return false;
    }
    let look = look(plan, body, pass, at, fault);
    let Some(slot) = body.faults.get(at) else {
        return false;
    };
    let change = decide(slot, look, pass, fault);
    // The proof is taken from the state as it is, before the slot changes.
    let report = change.map(|change| {
        let stage = change.to.or(slot.active).unwrap_or(Stage::Fault);
        let rises = change.to > slot.active;
        Box::new(evidence::report(plan, body, pass, at, stage, rises))
    });
    let Some(slot) = body.faults.get_mut(at) else {
        return false;
    };
    let (before, waited) = (slot.active.is_some(), slot.pending);
    apply(slot, look, pass);
    if let (Some(change), Some(report)) = (change, report) {
        if change.to > slot.active {
            if slot.active.is_none() {
                slot.raised = pass.t;
            }
            if slot.risen.as_ref().is_none_or(|r| r.stage < report.stage) {
                slot.risen = Some(report.clone());
            }
            if slot.recheck.take().is_some() {
                slot.outcome = Some(Outcome::Failed);
            }
        }
        slot.active = change.to;
        slot.eased = None;
        slot.report = Some(report);
    }
    slot.pending = slot.active.is_none() && look.hopeful.is_some() && !slot.await_over;
    slot.clearing = slot.active.is_some() && look.clear_hopeful && look.hopeful.is_none();
    watch(slot, look, pass);
    before != slot.active.is_some() || waited != slot.pending
}

#[derive(Clone, Copy)]
struct Change {
    to: Option<Stage>,
}

/// What follows from the look.
fn decide(slot: &FaultSlot, look: Look, pass: &Pass, fault: &Fault) -> Option<Change> {
    let Some(active) = slot.active else {
        let rises = look.stage.is_some() && !slot.await_over;
        return rises.then_some(Change { to: look.stage });
    };
    if look.stage > Some(active) {
        return Some(Change { to: look.stage });
    }
    let rule = rule(fault, active)?;
    if rule.latched {
        return None;
    }
    let kept = pass.t - slot.raised >= rule.keep_ms;
    if look.stage.is_none() {
        return (look.clear == Some(true) && kept).then_some(Change { to: None });
    }
    let eases = active == Stage::Fault
        && look.stage == Some(Stage::Warn)
        && look.fault_known
        && slot.eased.is_some_and(|since| pass.t - since >= EASE_MS);
    (eases && kept).then_some(Change {
        to: Some(Stage::Warn),
    })
}

/// Notes what the look said, whatever follows from it.
fn apply(slot: &mut FaultSlot, look: Look, pass: &Pass) {
    slot.known = look.known || look.stage.is_some();
    slot.judged |= slot.known;
    // An early stage that cannot be judged must not keep a fault stage that is over from rising again.
    if slot.await_over && (look.known || look.fault_known) && look.stage.is_none() {
        slot.await_over = false;
    }
    let only_early =
        slot.active == Some(Stage::Fault) && look.stage == Some(Stage::Warn) && look.fault_known;
    if !only_early {
        slot.eased = None;
    } else if slot.eased.is_none() {
        slot.eased = Some(pass.t);
    }
}

/// Watches a repair.
fn watch(slot: &mut FaultSlot, look: Look, pass: &Pass) {
    let Some(watch) = &mut slot.recheck else {
        return;
    };
    watch.quiet |= look.known && look.stage.is_none() && pass.t >= watch.since;
    if let Some((session, left)) = &mut watch.sessions
        && pass.ended.has(*session)
    {
        *left = left.saturating_sub(1);
    }
    let over = match watch.sessions {
        Some((_, left)) => left == 0,
        None => pass.j >= watch.until && watch.quiet,
    };
    if over {
        slot.recheck = None;
        slot.outcome = Some(Outcome::Passed);
    } else if pass.j >= watch.last {
        slot.recheck = None;
        slot.outcome = Some(Outcome::Unverified);
    }
}

/// The moment at which `keep` is over for a fault that is clear already, by the device's time.
pub(super) fn kept_until(fault: &Fault, slot: &FaultSlot) -> Option<i64> {
    let rule = rule(fault, slot.active?)?;
    (rule.keep_ms > 0 && !rule.latched).then(|| slot.raised + rule.keep_ms)
}

impl FaultSlot {
    /// What stays when the rule was changed: that it is active, which a ticket hangs on, and that a repair is being watched.
    pub(super) fn after_change(self, fault: &Fault) -> Self {
        let has = |stage: Option<Stage>| {
            stage.map(|stage| match (rule(fault, stage), stage) {
                (Some(_), stage) => stage,
                (None, Stage::Warn) => Stage::Fault,
                (None, Stage::Fault) => Stage::Warn,
            })
        };
        Self {
            active: has(self.active),
            published: has(self.published),
            raised: self.raised,
            await_over: self.await_over,
            ..Self::default()
        }
    }

    /// No longer active, by a person or a replaced part; what was learnt elsewhere stays.
    pub(super) fn release(&mut self) {
        self.active = None;
        self.pending = false;
        self.clearing = false;
        self.eased = None;
        self.report = None;
        self.risen = None;
    }
}
