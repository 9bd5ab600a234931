//! Expressions against a device's state: numbers that may be unknown, and Kleene's three values.
//!
//! Leaves all change of state to others. Invariant: an unknown operand makes a number unknown, and no result is NaN or infinite.

use super::body::{Body, Pass};
use super::node::NodeState;
use super::plan::Plan;
use crate::profile::{CompareOp, Cond, Field, Num, NumOp, Per, SignalIdx};

/// A look at a device's state at one moment.
#[derive(Clone, Copy)]
pub(super) struct Eval<'a> {
    /// The rules.
    pub(super) plan: &'a Plan,
    /// The state.
    pub(super) body: &'a Body,
    /// The moment.
    pub(super) pass: &'a Pass,
    /// Holds that are running count as complete: what would be true if nothing changed any more.
    pub(super) hopeful: bool,
    /// Derived values from before this moment do not count (a repair was made then).
    pub(super) since: i64,
}

impl<'a> Eval<'a> {
    /// The plain look.
    pub(super) fn new(plan: &'a Plan, body: &'a Body, pass: &'a Pass) -> Self {
        Self {
            plan,
            body,
            pass,
            hopeful: false,
            since: super::body::NEVER,
        }
    }

    /// The signal's value while it is known.
    pub(super) fn signal(&self, signal: SignalIdx) -> Option<f64> {
        let (rule, state) = (
            self.plan.program.signals.get(signal)?,
            self.body.signals.get(signal)?,
        );
        state.known(
            rule,
            self.pass.t,
            self.pass.touched.has(signal),
            self.body.online,
        )
    }

    /// The signal's newest reading still counts.
    fn fresh(&self, signal: SignalIdx) -> bool {
        match (
            self.plan.program.signals.get(signal),
            self.body.signals.get(signal),
        ) {
            (Some(rule), Some(state)) => state.fresh(
                rule,
                self.pass.t,
                self.pass.touched.has(signal),
                self.body.online,
            ),
            _ => false,
        }
    }

    /// The signal was read and has grown stale since: a gap.
    pub(super) fn stale(&self, signal: SignalIdx) -> bool {
        self.body
            .signals
            .get(signal)
            .is_some_and(|state| state.seen() && state.at <= self.pass.t && !self.fresh(signal))
    }

    /// The derive's last value.
    fn derive(&self, derive: usize) -> Option<f64> {
        let (rule, state) = (
            self.plan.program.derives.get(derive)?,
            self.body.derives.get(derive)?,
        );
        if state.at <= self.since {
            return None;
        }
        if matches!(rule.per, Per::Sample) {
            let fresh = self.plan.derives.get(derive).is_some_and(|plan| {
                plan.triggers
                    .signals()
                    .iter()
                    .all(|signal| self.signal(signal).is_some())
            });
            return state.value.filter(|_| fresh);
        }
        state.value
    }

    /// A number.
    pub(super) fn num(&self, num: &Num) -> Option<f64> {
        let value = match num {
            Num::Const(value) => Some(*value),
            Num::Signal(signal) => self.signal(*signal),
            Num::Derive(derive) => self.derive(*derive),
            Num::Limit(limit) => self.body.limits.get(*limit).copied(),
            Num::Node(node, field) => self.node(*node, *field),
            Num::Neg(inner) => self.num(inner).map(|v| -v),
            Num::Abs(inner) => self.num(inner).map(f64::abs),
            Num::Binary(op, left, right) => {
                let (left, right) = (self.num(left)?, self.num(right)?);
                match op {
                    NumOp::Add => Some(left + right),
                    NumOp::Sub => Some(left - right),
                    NumOp::Mul => Some(left * right),
                    NumOp::Div => (right != 0.0).then(|| left / right),
                    NumOp::Min => Some(left.min(right)),
                    NumOp::Max => Some(left.max(right)),
                }
            }
        };
        value.filter(|v| v.is_finite())
    }

    /// What a node gives.
    pub(super) fn node(&self, node: usize, field: Field) -> Option<f64> {
        let slot = self.body.nodes.get(node)?;
        match (&slot.state, field) {
            (NodeState::Baseline(values), field) => {
                values.value(self.plan, self.body, node, self.pass.t, field)
            }
            (NodeState::Window(_), Field::Value)
                if self.plan.nodes.get(node).is_some_and(|plan| plan.lazy) =>
            {
                super::windowed::read(self.plan, self.body, self.pass, node).map(|read| read.0)
            }
            (_, Field::Value) => slot.out,
            (_, _) => None,
        }
    }

    /// A condition.
    pub(super) fn cond(&self, cond: &Cond) -> Option<bool> {
        match cond {
            Cond::Const(truth) => Some(*truth),
            Cond::Signal(signal) => self.signal(*signal).map(|v| v != 0.0),
            Cond::Event(event) => Some(self.pass.event == Some(*event)),
            Cond::Running(session) => self
                .body
                .sessions
                .get(*session)
                .map(|state| state.start.is_some()),
            Cond::Compare {
                op, left, right, ..
            } => Some(compare(*op, self.num(left)?, self.num(right)?)),
            Cond::Within {
                value, low, high, ..
            } => {
                let value = self.num(value)?;
                Some(self.num(low)? <= value && value <= self.num(high)?)
            }
            Cond::Node(node) => self.truth(*node),
            Cond::BaselineReady(node) => Some(self.node(*node, Field::Frozen).is_some()),
            Cond::Has(signal) => Some(self.signal(*signal).is_some()),
            Cond::Invalid(signal) => {
                let state = self.body.signals.get(*signal)?;
                self.fresh(*signal).then_some(state.invalid)
            }
            Cond::Raised(fault) => self
                .body
                .faults
                .get(*fault)
                .map(|slot| slot.active.is_some()),
            Cond::Not(inner) => self.cond(inner).map(|truth| !truth),
            Cond::All(all) => self.all(all),
            Cond::Any(any) => self.any(any),
            Cond::Requires { node, count, inner } => {
                let values = self.node(*node, Field::Value)?;
                if values >= f64::from(*count) {
                    self.cond(inner)
                } else {
                    None
                }
            }
        }
    }

    fn all(&self, all: &[Cond]) -> Option<bool> {
        let mut result = Some(true);
        for inner in all {
            match self.cond(inner) {
                Some(false) => return Some(false),
                None => result = None,
                Some(true) => {}
            }
        }
        result
    }

    fn any(&self, any: &[Cond]) -> Option<bool> {
        let mut result = Some(false);
        for inner in any {
            match self.cond(inner) {
                Some(true) => return Some(true),
                None => result = None,
                Some(false) => {}
            }
        }
        result
    }

    fn truth(&self, node: usize) -> Option<bool> {
        let slot = self.body.nodes.get(node)?;
        if self.hopeful {
            match &slot.state {
                NodeState::Held(held) if held.is_running() => return Some(true),
                NodeState::HeldOf(held) if held.newest() => return Some(true),
                _ => {}
            }
        }
        slot.out.map(|v| v != 0.0)
    }
}

#[expect(
    clippy::float_cmp,
    reason = "the profile's == asks for exactly this value: a level, an enumeration's index"
)]
fn compare(op: CompareOp, left: f64, right: f64) -> bool {
    match op {
        CompareOp::Equal => left == right,
        CompareOp::NotEqual => left != right,
        CompareOp::Less => left < right,
        CompareOp::LessOrEqual => left <= right,
        CompareOp::Greater => left > right,
        CompareOp::GreaterOrEqual => left >= right,
    }
}
