//! What the API and the pages show of a device's detection.
//!
//! Leaves texts and colours to the web. Invariant: it reads and changes nothing.

use smol_str::SmolStr;

use super::blind::{self, Blind};
use super::body::{NEVER, Pass};
use super::device::Device;
use super::distance::{self, StageView};
use super::eval::Eval;
use super::fault::{FaultSlot, eval};
use super::plan::Plan;
use crate::profile::{Fault, RuleState, Stage};
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

/// A derived value as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct DeriveView {
    /// Name in the profile.
    pub name: SmolStr,
    /// Last value, in the derive's own unit.
    pub value: Option<f64>,
    /// When, by the device's time.
    pub at: Option<Timestamp>,
    /// The frozen baseline of its newest mode: median and robust spread, in the same unit.
    pub normal: Option<(f64, f64)>,
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
    /// Why it cannot be judged now.
    pub blind: Option<Blind>,
    /// Its stages with their terms and how far each is from its limit, worst last.
    pub stages: Vec<StageView>,
    /// A repair is being watched.
    pub rechecking: bool,
    /// Only recorded: opens no ticket.
    pub shadow: bool,
}

/// How a fault stands, without the terms behind it: what is counted over a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultStanding {
    /// Name in the profile.
    pub fault: SmolStr,
    /// Its state.
    pub state: FaultState,
    /// Why it cannot be judged now.
    pub blind: Option<Blind>,
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
    /// Its derived values, in the profile's order.
    pub derives: Vec<DeriveView>,
    /// Its faults, in the profile's order; those that are off are left out.
    pub faults: Vec<FaultView>,
}

impl Device {
    /// When it last said something that carried records, by the journal's time.
    pub(super) fn last_heard(&self) -> Option<Timestamp> {
        (self.head.heard > NEVER).then(|| Timestamp::from_ms(self.head.heard))
    }

    /// How its faults stand, in the profile's order; those that are off are left out.
    pub(super) fn standings(&self) -> Vec<FaultStanding> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        let pass = self.present(plan);
        let rules = plan.program.faults.iter().enumerate();
        rules
            .filter(|(_, rule)| rule.state != RuleState::Off)
            .filter_map(|(at, rule)| {
                Some(FaultStanding {
                    fault: rule.name.clone(),
                    state: state(self.body.faults.get(at)?),
                    blind: self.blind(plan, &pass, at, rule),
                })
            })
            .collect()
    }

    /// A look at the device's newest moment.
    fn present(&self, plan: &Plan) -> Pass {
        let mut pass = Pass::for_plan(plan);
        pass.t = self.head.clock;
        pass.day = self.head.day.unwrap_or(0);
        pass
    }

    /// Why the fault cannot be judged now, if it cannot.
    fn blind(&self, plan: &Plan, pass: &Pass, at: usize, rule: &Fault) -> Option<Blind> {
        let known = self.body.faults.get(at).is_some_and(|slot| slot.known);
        (!known || self.head.frozen).then(|| blind::why(self, plan, pass, at, rule))
    }

    /// What there is to show.
    pub(super) fn view(&self) -> DeviceView {
        let moment = |ms: i64| (ms > NEVER).then(|| Timestamp::from_ms(ms));
        let (signals, derives, faults) = match &self.plan {
            Some(plan) => {
                let pass = self.present(plan);
                (
                    self.signals(plan, &pass),
                    self.derives(plan),
                    self.faults(plan, &pass),
                )
            }
            None => (Vec::new(), Vec::new(), Vec::new()),
        };
        DeviceView {
            identity: self.head.identity.clone(),
            online: self.head.online,
            source: self.head.source.clone(),
            last_heard: self.last_heard(),
            last_event: moment(self.head.clock),
            frozen: self.head.frozen,
            signals,
            derives,
            faults,
        }
    }

    fn derives(&self, plan: &Plan) -> Vec<DeriveView> {
        let rules = plan.program.derives.iter().zip(&self.body.derives);
        rules
            .map(|(rule, state)| DeriveView {
                name: rule.name.clone(),
                value: state.value.map(|value| rule.unit.from_base(value)),
                at: (state.at > NEVER).then(|| Timestamp::from_ms(state.at)),
                normal: state.frozen(state.mode).map(|frozen| {
                    (
                        rule.unit.from_base(frozen.median),
                        rule.unit.from_base(frozen.spread),
                    )
                }),
            })
            .collect()
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
            views.push(FaultView {
                fault: rule.name.clone(),
                state: state(slot),
                stage: slot.active,
                since: slot.active.map(|_| Timestamp::from_ms(slot.raised)),
                blind: self.blind(plan, pass, at, rule),
                stages: distance::stages(eval(plan, &self.body, pass, at), rule),
                rechecking: slot.recheck.is_some(),
                shadow: rule.state == RuleState::Shadow,
            });
        }
        views
    }
}

const fn state(slot: &FaultSlot) -> FaultState {
    match (slot.active, slot.clearing, slot.pending, slot.judged) {
        (Some(_), true, _, _) => FaultState::Clearing,
        (Some(_), false, _, _) => FaultState::Active,
        (None, _, true, _) => FaultState::Pending,
        (None, _, false, true) => FaultState::Normal,
        (None, _, false, false) => FaultState::Learning,
    }
}
