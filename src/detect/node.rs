//! One step of each stateful function: what enters it at a record, and what it gives.
//!
//! Leaves the arithmetic to `windowed`, `held`, `baseline` and `small`. Invariant: a step reads the state of what stands before it
//! and changes its own slot only.

use serde::{Deserialize, Serialize};

use super::baseline::Compared;
use super::body::{Body, NEVER, NodeSlot, Pass};
use super::eval::Eval;
use super::held::{Held, HeldOf, HoldRule, Total};
use super::plan::{NodePlan, Plan};
use super::small::{Anchored, Bit, Nearest, Signs, Silence, Still, Turn};
use super::window::seconds;
use super::windowed;
use super::windowed::{Frame, Windowed};
use crate::profile::{Node, NodeIdx, NodeKind};

/// What a node remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum NodeState {
    /// Nothing.
    Idle,
    /// Values in a window.
    Window(Box<Windowed>),
    /// True time in a window.
    Total(Total, Frame),
    /// A hold over time.
    Held(Held),
    /// A hold over values.
    HeldOf(HeldOf),
    /// Values against a baseline.
    Baseline(Compared),
    /// The value before a session.
    Before(Anchored),
    /// The value at an offset in a session.
    At(Nearest),
    /// The value before this one.
    Changed(Turn),
    /// Since when nothing changed.
    Stuck(Still),
    /// The bits before these.
    Newly(Bit),
    /// When each sign was last true.
    AtLeast(Signs),
    /// When the signal was last heard.
    Silent(Silence),
}

impl NodeSlot {
    /// Nothing remembered.
    pub(super) fn new(node: &Node) -> Self {
        let state = match &node.kind {
            NodeKind::Window { func, window, .. } => {
                NodeState::Window(Box::new(Windowed::new(*func, window)))
            }
            NodeKind::CountEvent { .. } | NodeKind::CountStarts { .. } => {
                NodeState::Window(Box::default())
            }
            NodeKind::Total { .. } => NodeState::Total(Total::default(), Frame::default()),
            NodeKind::HeldFor { .. } => NodeState::Held(Held::default()),
            NodeKind::HeldOf { .. } => NodeState::HeldOf(HeldOf::default()),
            NodeKind::Baseline { .. } => NodeState::Baseline(Compared::default()),
            NodeKind::Duration { .. } | NodeKind::Since { .. } | NodeKind::Age => NodeState::Idle,
            NodeKind::Before { .. } => NodeState::Before(Anchored::default()),
            NodeKind::At { .. } => NodeState::At(Nearest::default()),
            NodeKind::Changed { .. } => NodeState::Changed(Turn::default()),
            NodeKind::Stuck { .. } => NodeState::Stuck(Still::default()),
            NodeKind::Newly { .. } => NodeState::Newly(Bit::default()),
            NodeKind::SilentFor { .. } => NodeState::Silent(Silence::default()),
            NodeKind::AtLeast { signs, .. } => NodeState::AtLeast(Signs::new(signs.len())),
        };
        Self {
            state,
            out: None,
            samples: 0,
            valid_until: None,
        }
    }

    /// Begins anew, as after a repair. A counted condition that is true stays seen: it is no new start.
    pub(super) fn reset(&mut self, node: &Node) {
        let before = std::mem::replace(self, Self::new(node));
        if let (NodeState::Window(window), NodeState::Window(before)) =
            (&mut self.state, &before.state)
        {
            window.keep_truth(before);
        }
    }
}

/// Steps the node.
pub(super) fn step(plan: &Plan, body: &mut Body, pass: &Pass, at: NodeIdx) {
    let (Some(node), Some(around)) = (plan.program.nodes.get(at), plan.nodes.get(at)) else {
        return;
    };
    let left = pass.leaves(&around.deps);
    if (pass.past && !pass.reaches(&around.deps)) || (left && !around.timed) {
        return;
    }
    match &node.kind {
        NodeKind::Window { .. } | NodeKind::CountEvent { .. } | NodeKind::CountStarts { .. } => {
            windowed::step(plan, body, pass, at);
        }
        NodeKind::Total { cond, window } => {
            let truth = (!left).then(|| Eval::new(plan, body, pass).cond(cond));
            let Some(view) = windowed::view(body, pass, window) else {
                return;
            };
            let Some(slot) = body.nodes.get_mut(at) else {
                return;
            };
            if let NodeState::Total(total, frame) = &mut slot.state {
                if *frame != view.frame {
                    *frame = view.frame;
                    total.clear();
                }
                let truth = truth.unwrap_or_else(|| total.is_open().then_some(true));
                total.step(truth, pass);
                total.forget_until(view.keep_after);
                slot.out = view.open.then(|| total.value(view.after, view.up_to));
            }
        }
        NodeKind::HeldFor { cond, .. } => {
            let truth = Eval::new(plan, body, pass).cond(cond);
            // Only a record from before asks.
            let newest = if pass.past {
                newest_sample(body, around)
            } else {
                NEVER
            };
            let Some(slot) = body.nodes.get_mut(at) else {
                return;
            };
            if let NodeState::Held(held) = &mut slot.state {
                if pass.past && held.mark() > pass.run && newest > pass.t {
                    return;
                }
                let sample = around.sampled.meets(&pass.touched);
                slot.out = held
                    .step(truth, sample, pass, hold_rule(node))
                    .map(f64::from);
                slot.samples = held.samples();
            }
        }
        _ => small(plan, body, pass, at, around),
    }
}

/// What a hold needs.
pub(super) fn hold_rule(node: &Node) -> HoldRule {
    HoldRule {
        hold_ms: if let NodeKind::HeldFor { hold_ms, .. } = &node.kind {
            *hold_ms
        } else {
            0
        },
        stale_ms: node.stale_ms,
        sampled: node.sampled,
    }
}

fn newest_sample(body: &Body, around: &NodePlan) -> i64 {
    around
        .deps
        .signals
        .iter()
        .filter_map(|signal| body.signals.get(signal).map(|state| state.at))
        .max()
        .unwrap_or(NEVER)
}

fn small(plan: &Plan, body: &mut Body, pass: &Pass, at: NodeIdx, around: &NodePlan) {
    let Some(node) = plan.program.nodes.get(at) else {
        return;
    };
    // Taken out while everything else is read: a node does not read itself.
    let Some(slot) = body.nodes.get_mut(at) else {
        return;
    };
    let mut state = std::mem::replace(&mut slot.state, NodeState::Idle);
    let eval = Eval::new(plan, body, pass);
    let out = if matches!(state, NodeState::Idle) {
        stateless(body, pass, &node.kind)
    } else {
        let fired = around
            .triggers
            .fired(&pass.touched, &pass.valued, pass.event);
        stateful(eval, node, &mut state, fired)
    };
    let samples = match &state {
        NodeState::HeldOf(held) => held.samples(),
        NodeState::Baseline(compared) => compared.samples(),
        _ => 0,
    };
    if let Some(slot) = body.nodes.get_mut(at) {
        slot.state = state;
        slot.out = out.filter(|v| v.is_finite());
        slot.samples = samples;
    }
}

/// Functions that remember nothing of their own.
fn stateless(body: &Body, pass: &Pass, kind: &NodeKind) -> Option<f64> {
    match kind {
        NodeKind::Duration { session } => {
            let start = body.sessions.get(*session)?.start?;
            Some(seconds(pass.t - start))
        }
        NodeKind::Since { event } => {
            let at = body.events.get(*event)?.at;
            (at > NEVER && at <= pass.t).then(|| seconds(pass.t - at))
        }
        NodeKind::Age => {
            (body.first_seen > NEVER).then(|| seconds((pass.t - body.first_seen).max(0)))
        }
        _ => None,
    }
}

/// Functions over a few remembered values.
fn stateful(eval: Eval<'_>, node: &Node, state: &mut NodeState, fired: bool) -> Option<f64> {
    let (body, pass) = (eval.body, eval.pass);
    let sample = |input| if fired { eval.num(input) } else { None };
    let session = |session: usize| body.sessions.get(session).copied().unwrap_or_default();
    match (&node.kind, state) {
        (NodeKind::HeldOf { cond, derive, k, n }, NodeState::HeldOf(held)) => {
            if pass.valued.has(*derive) {
                held.push(pass.t, eval.cond(cond), *n);
            }
            held.truth(*k).map(f64::from)
        }
        (NodeKind::Baseline { derive, .. }, NodeState::Baseline(compared)) => {
            if pass.valued.has(*derive)
                && let Some(state) = body.derives.get(*derive)
                && let Some(value) = state.value
            {
                compared.push(pass.t, value, state.mode);
            }
            None
        }
        (
            NodeKind::Before {
                input,
                max_age_ms,
                session: of,
            },
            NodeState::Before(anchored),
        ) => anchored.step(sample(input), pass.t, session(*of), *max_age_ms),
        (
            NodeKind::At {
                input,
                offset_ms,
                session: of,
            },
            NodeState::At(nearest),
        ) => nearest.step(sample(input), pass.t, session(*of), *offset_ms),
        (NodeKind::Changed { input }, NodeState::Changed(turn)) => turn.step(sample(input)),
        (NodeKind::Stuck { input, span_ms }, NodeState::Stuck(still)) => {
            still.step(sample(input), pass.t, *span_ms, node.stale_ms)
        }
        (NodeKind::Newly { signal, bit }, NodeState::Newly(before)) => {
            let value = if fired { eval.signal(*signal) } else { None };
            before.step(value, *bit)
        }
        (NodeKind::AtLeast { n, signs, span_ms }, NodeState::AtLeast(seen)) => {
            let signs = signs.iter().map(|sign| eval.cond(sign));
            seen.step(signs, pass.t, *n, *span_ms)
        }
        (NodeKind::SilentFor { signal }, NodeState::Silent(silence)) => {
            let cadence = eval.plan.program.signals.get(*signal).map(|s| s.cadence);
            silence.step(fired, cadence, pass)
        }
        _ => None,
    }
}

/// Since when the values behind a node reach back, for the proof.
pub(super) fn since(slot: &NodeSlot) -> Option<i64> {
    match &slot.state {
        NodeState::Window(state) => state.oldest(),
        NodeState::Total(total, _) => total.oldest(),
        NodeState::Held(held) => held.since(),
        NodeState::HeldOf(held) => held.since(),
        _ => None,
    }
}
