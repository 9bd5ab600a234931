//! What the API and the pages show of a device's detection.
//!
//! Leaves texts and colours to the web. Invariant: it reads and changes nothing.

use smol_str::SmolStr;

use super::body::{NEVER, Pass};
use super::device::Device;
use super::eval::Eval;
use super::fault::held_back;
use super::plan::Plan;
use crate::profile::{Cond, Fault, Field, NodeKind, Num, RuleState, SignalIdx, Stage};
use crate::telemetry::{Identity, Timestamp};

/// The state of a fault, as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultState {
    /// Not judged yet.
    Learning,
    /// Nothing is wrong.
    Normal,
    /// The condition holds, but not long enough yet.
    Pending,
    /// It is raised.
    Active,
    /// It is raised, and over, but not long enough yet.
    Clearing,
}

/// A signal's newest value.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalView {
    /// Wire path.
    pub path: SmolStr,
    /// Newest value told, in the signal's own unit, even out of range.
    pub value: Option<f64>,
    /// When, by the device's time.
    pub at: Option<Timestamp>,
    /// It still counts: not stale, in range.
    pub known: bool,
    /// It was outside its range.
    pub invalid: bool,
}

/// A fault as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultView {
    /// Name in the profile.
    pub fault: SmolStr,
    /// Its state.
    pub state: FaultState,
    /// Its stage while it is Active or Clearing.
    pub stage: Option<Stage>,
    /// Since when, by the device's time.
    pub since: Option<Timestamp>,
    /// Why it cannot be judged now: the gate, the signal that is missing, the values that are too few, the fault in its way.
    pub blind: Option<String>,
    /// A repair is being watched.
    pub rechecking: bool,
    /// Only recorded: opens no ticket.
    pub shadow: bool,
}

/// A device as detection sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// What it says it is.
    pub identity: Identity,
    /// What it said of its presence.
    pub online: Option<bool>,
    /// Over which source it was last heard.
    pub source: SmolStr,
    /// Last message that carried records, by the journal's time.
    pub last_heard: Option<Timestamp>,
    /// Its newest record, by its own time.
    pub last_event: Option<Timestamp>,
    /// Frozen after a fault of our own, until the next activation of profiles.
    pub frozen: bool,
    /// Its signals, in the profile's order.
    pub signals: Vec<SignalView>,
    /// Its faults, in the profile's order; those that are off are left out.
    pub faults: Vec<FaultView>,
}

impl Device {
    /// What there is to show.
    pub(super) fn view(&self) -> DeviceView {
        let moment = |ms: i64| (ms > NEVER).then(|| Timestamp::from_ms(ms));
        let (signals, faults) = match &self.plan {
            Some(plan) => {
                let mut pass = Pass::for_plan(plan);
                pass.t = self.head.clock;
                (self.signals(plan, &pass), self.faults(plan, &pass))
            }
            None => (Vec::new(), Vec::new()),
        };
        DeviceView {
            identity: self.head.identity.clone(),
            online: self.head.online,
            source: self.head.source.clone(),
            last_heard: moment(self.head.heard),
            last_event: moment(self.head.clock),
            frozen: self.head.frozen,
            signals,
            faults,
        }
    }

    fn signals(&self, plan: &Plan, pass: &Pass) -> Vec<SignalView> {
        let eval = Eval::new(plan, &self.body, pass);
        plan.program
            .signals
            .iter()
            .zip(&self.body.signals)
            .enumerate()
            .map(|(at, (rule, state))| SignalView {
                path: rule.path.clone(),
                value: state.shown.map(|value| rule.unit.from_base(value)),
                at: (state.at > NEVER).then(|| Timestamp::from_ms(state.at)),
                known: eval.signal(at).is_some(),
                invalid: state.invalid,
            })
            .collect()
    }

    fn faults(&self, plan: &Plan, pass: &Pass) -> Vec<FaultView> {
        let mut views = Vec::new();
        for (at, (rule, slot)) in plan
            .program
            .faults
            .iter()
            .zip(&self.body.faults)
            .enumerate()
        {
            if rule.state == RuleState::Off {
                continue;
            }
            let state = match (slot.active, slot.clearing, slot.pending, slot.judged) {
                (Some(_), true, _, _) => FaultState::Clearing,
                (Some(_), false, _, _) => FaultState::Active,
                (None, _, true, _) => FaultState::Pending,
                (None, _, false, true) => FaultState::Normal,
                (None, _, false, false) => FaultState::Learning,
            };
            views.push(FaultView {
                fault: rule.name.clone(),
                state,
                stage: slot.active,
                since: slot.active.map(|_| Timestamp::from_ms(slot.raised)),
                blind: if slot.known {
                    None
                } else {
                    Some(self.blindness(plan, pass, at, rule))
                },
                rechecking: slot.recheck.is_some(),
                shadow: rule.state == RuleState::Shadow,
            });
        }
        views
    }

    fn blindness(&self, plan: &Plan, pass: &Pass, at: usize, fault: &Fault) -> String {
        if self.head.frozen {
            return "frozen after an internal error".to_owned();
        }
        if let Some(by) = held_back(plan, &self.body, at) {
            let name = plan.program.faults.get(by).map(|f| f.name.as_str());
            return format!("fault {}", name.unwrap_or_default());
        }
        let eval = Eval::new(plan, &self.body, pass);
        for stage in [&fault.fault, &fault.warn].into_iter().flatten() {
            if let Some(gate) = &stage.gate {
                match eval.cond(gate) {
                    Some(true) => {}
                    Some(false) => return "gate".to_owned(),
                    None => {
                        let missing = missing(plan, eval, gate);
                        return missing.unwrap_or_else(|| "gate".to_owned());
                    }
                }
            }
            if let Some(reason) = missing(plan, eval, &stage.when) {
                return reason;
            }
        }
        "nothing was seen yet".to_owned()
    }
}

/// The first thing that makes a condition unknown.
fn missing(plan: &Plan, eval: Eval<'_>, cond: &Cond) -> Option<String> {
    if eval.cond(cond).is_some() {
        return None;
    }
    match cond {
        Cond::Signal(signal) | Cond::Invalid(signal) => Some(named(plan, *signal)),
        Cond::Compare { left, right, .. } => {
            missing_num(plan, eval, left).or_else(|| missing_num(plan, eval, right))
        }
        Cond::Within {
            value, low, high, ..
        } => [value, low, high]
            .into_iter()
            .find_map(|num| missing_num(plan, eval, num)),
        Cond::Node(node) => missing_node(plan, eval, *node),
        Cond::Not(inner) => missing(plan, eval, inner),
        Cond::All(all) | Cond::Any(all) => all.iter().find_map(|inner| missing(plan, eval, inner)),
        Cond::Requires { node, count, inner } => {
            let have = eval.node(*node, Field::Value);
            if have.is_some_and(|have| have >= f64::from(*count)) {
                missing(plan, eval, inner)
            } else {
                let text = plan.program.nodes.get(*node).map(|n| n.text.as_str());
                Some(format!(
                    "requires {}: {} of {count}",
                    text.unwrap_or_default(),
                    have.unwrap_or(0.0)
                ))
            }
        }
        Cond::Const(_)
        | Cond::Event(_)
        | Cond::Running(_)
        | Cond::BaselineReady(_)
        | Cond::Has(_)
        | Cond::Raised(_) => None,
    }
}

fn missing_num(plan: &Plan, eval: Eval<'_>, num: &Num) -> Option<String> {
    if eval.num(num).is_some() {
        return None;
    }
    match num {
        Num::Signal(signal) => Some(named(plan, *signal)),
        Num::Derive(derive) => plan
            .program
            .derives
            .get(*derive)
            .map(|derive| format!("derive {}", derive.name)),
        Num::Node(node, _) => missing_node(plan, eval, *node),
        Num::Neg(inner) | Num::Abs(inner) => missing_num(plan, eval, inner),
        Num::Binary(_, left, right) => {
            missing_num(plan, eval, left).or_else(|| missing_num(plan, eval, right))
        }
        Num::Const(_) | Num::Limit(_) => None,
    }
}

fn missing_node(plan: &Plan, eval: Eval<'_>, node: usize) -> Option<String> {
    let rule = plan.program.nodes.get(node)?;
    let inner = match &rule.kind {
        NodeKind::HeldFor { cond, .. } => missing(plan, eval, cond),
        NodeKind::Window { input, .. } => missing_num(plan, eval, input),
        _ => None,
    };
    inner.or_else(|| Some(rule.text.to_string()))
}

fn named(plan: &Plan, signal: SignalIdx) -> String {
    let path = plan.program.signals.get(signal).map(|s| s.path.as_str());
    format!("signal {}", path.unwrap_or_default())
}
