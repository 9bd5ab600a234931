//! What the desk asks of a device: watch a repair, re-arm a latch, learn anew after a part was replaced.
//!
//! Leaves tickets to the desk. Invariant: a command touches the named fault's own rules; baselines change only with their part.

use super::body::Body;
use super::device::{Around, Device};
use super::event::{DetectCommand, FaultEventKind};
use super::fault::{Watch, rule};
use super::node::NodeState;
use super::plan::Plan;
use super::publish::Speaker;
use crate::profile::{Fault, FaultIdx, NodeKind, RuleState};

impl Device {
    /// Carries a command out. [`DetectCommand::Forget`] is the detector's own.
    pub(super) fn command(&mut self, command: &DetectCommand, around: &mut Around<'_>) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        self.head.unsettled = true;
        match command {
            DetectCommand::Recheck { fault } => {
                if let Some((at, rule)) = find(&plan, fault) {
                    self.recheck(&plan, at, rule, around.now);
                }
            }
            DetectCommand::Rearm { fault } => {
                if let Some((at, rule)) = find(&plan, fault) {
                    self.rearm(at, rule);
                }
            }
            DetectCommand::PartReplaced { part } => self.part_replaced(&plan, part, around),
            DetectCommand::Forget => {}
        }
    }

    fn recheck(&mut self, plan: &Plan, at: FaultIdx, fault: &Fault, now: i64) {
        begin_anew(plan, &mut self.body, fault);
        let since = self.head.clock;
        if let Some(slot) = self.body.faults.get_mut(at) {
            slot.release();
            slot.published = None;
            slot.await_over = false;
            slot.outcome = None;
            slot.recheck = Some(Watch::begin(fault.recheck, since, now));
        }
    }

    fn rearm(&mut self, at: FaultIdx, fault: &Fault) {
        let Some(slot) = self.body.faults.get_mut(at) else {
            return;
        };
        slot.recheck = None;
        slot.outcome = None;
        let latched = slot
            .active
            .and_then(|stage| rule(fault, stage))
            .is_some_and(|rule| rule.latched);
        if latched {
            slot.release();
            slot.published = None;
            slot.await_over = true;
        }
    }

    fn part_replaced(&mut self, plan: &Plan, number: &str, around: &mut Around<'_>) {
        let resets: Vec<usize> = plan
            .program
            .parts
            .iter()
            .filter(|part| part.number == number)
            .flat_map(|part| part.resets.iter().copied())
            .collect();
        for derive in &resets {
            if let Some(state) = self.body.derives.get_mut(*derive) {
                state.modes.clear();
            }
        }
        for (rule, slot) in plan.program.nodes.iter().zip(&mut self.body.nodes) {
            let follows = match (&rule.kind, &slot.state) {
                (NodeKind::Baseline { derive, .. }, NodeState::Baseline(_)) => {
                    resets.contains(derive)
                }
                _ => false,
            };
            if follows {
                slot.reset(rule);
            }
        }
        for (at, fault) in plan.program.faults.iter().enumerate() {
            let Some(slot) = self.body.faults.get(at) else {
                continue;
            };
            let Some(stage) = slot.active else { continue };
            let latched = rule(fault, stage).is_some_and(|rule| rule.latched)
                && fault.parts.iter().any(|part| part == number);
            let compares = fault.nodes.iter().any(|node| {
                matches!(
                    plan.program.nodes.get(*node).map(|n| &n.kind),
                    Some(NodeKind::Baseline { derive, .. }) if resets.contains(derive)
                )
            });
            if !latched && !compares {
                continue;
            }
            begin_anew(plan, &mut self.body, fault);
            let told = self.body.faults.get_mut(at).and_then(|slot| {
                slot.release();
                slot.published.take()
            });
            if let (Some(stage), RuleState::Live) = (told, fault.state) {
                let speaker = Speaker {
                    device: &self.id,
                    identity: &self.head.identity,
                    program: &plan.program,
                    fault,
                    now: around.now,
                };
                let event = speaker.event(FaultEventKind::Cleared, stage, None);
                around.out.events.push(event);
            }
        }
    }
}

fn find<'a>(plan: &'a Plan, name: &str) -> Option<(FaultIdx, &'a Fault)> {
    plan.program
        .faults
        .iter()
        .enumerate()
        .find(|(_, fault)| fault.name == name)
}

/// Windows, counts and holds of the fault begin anew. Those inside derives do not: they measure what was, and are cleared by their
/// own sessions and days. A window that another fault reads too begins anew for both: the repair changed what it looks at.
fn begin_anew(plan: &Plan, body: &mut Body, fault: &Fault) {
    let kept: Vec<usize> = plan
        .program
        .derives
        .iter()
        .enumerate()
        .flat_map(|(at, _)| plan.nodes_of_derive(at))
        .collect();
    for at in &fault.nodes {
        if kept.contains(at) {
            continue;
        }
        if let (Some(rule), Some(slot)) = (plan.program.nodes.get(*at), body.nodes.get_mut(*at)) {
            slot.reset(rule);
        }
    }
}
