//! The proof: which terms held, with values, limits and since when; and the sentence made of them.
//!
//! Leaves the decision to `fault`. Invariant: every number shown was read from the state at the moment of the decision.

use super::body::{Body, Pass};
use super::eval::Eval;
use super::event::Evidence;
use super::fault::{Report, rule};
use super::node;
use super::plan::Plan;
use super::windowed;
use crate::profile::{Cond, FaultIdx, Field, NodeIdx, NodeKind, Num, Stage, TermIdx, Unit};
use crate::telemetry::{Text, Timestamp};

/// Most terms in one proof; further ones are left out.
const TERM_LIMIT: usize = 16;

/// The proof of a change. `rises`: of the stage's condition; else of its end.
pub(super) fn report(
    plan: &Plan,
    body: &Body,
    pass: &Pass,
    at: FaultIdx,
    stage: Stage,
    rises: bool,
) -> Report {
    let mut report = Report {
        stage,
        event_time: pass.t,
        first: pass.t,
        reason: Text::default(),
        evidence: Vec::new(),
        late: pass.late,
    };
    let Some(fault) = plan.program.faults.get(at) else {
        return report;
    };
    let mut terms = Terms::new(Eval::new(plan, body, pass));
    let cond = if rises {
        rule(fault, stage).map(|rule| &rule.when)
    } else {
        Some(&fault.clear)
    };
    if let Some(cond) = cond {
        terms.walk(cond, None, None);
    }
    let mut found = terms.found;
    // What held comes first: that is what the reader wants to see.
    found.sort_by_key(|evidence| !evidence.held);
    report.first = found
        .iter()
        .filter(|evidence| evidence.held)
        .filter_map(|evidence| evidence.since)
        .map(Timestamp::ms)
        .min()
        .unwrap_or(pass.t)
        .min(pass.t);
    let eval = Eval::new(plan, body, pass);
    report.reason = match &fault.reason {
        Some(template) => template.render(&|num| eval.num(num)),
        None => sentence(&found),
    };
    report.evidence = found;
    report
}

/// The sentence of a fault without one: the terms that held.
fn sentence(found: &[Evidence]) -> Text {
    let mut text = Text::default();
    for evidence in found.iter().filter(|evidence| evidence.held).take(3) {
        let number = |value: Option<f64>| {
            value.map_or_else(
                || "–".to_owned(),
                |value| {
                    let unit = Unit {
                        symbol: evidence.unit.clone(),
                        scale: 1.0,
                        dim: crate::profile::Dim::default(),
                    };
                    unit.format(value)
                },
            )
        };
        for out in [&mut text.en, &mut text.zh] {
            if !out.is_empty() {
                out.push_str("; ");
            }
        }
        let (value, limit) = (number(evidence.value), number(evidence.limit));
        let (en, zh) = if evidence.label.is_empty() {
            (evidence.term.as_str(), evidence.term.as_str())
        } else {
            (evidence.label.en.as_str(), evidence.label.zh.as_str())
        };
        let (en, zh) = if evidence.limit.is_some() {
            (
                format!("{en} {value} (limit {limit})"),
                format!("{zh} {value}（限值 {limit}）"),
            )
        } else {
            (format!("{en} {value}"), format!("{zh} {value}"))
        };
        text.en.push_str(&en);
        text.zh.push_str(&zh);
    }
    text
}

/// Collects the terms of a condition.
pub(super) struct Terms<'a> {
    plan: &'a Plan,
    body: &'a Body,
    eval: Eval<'a>,
    pass: &'a Pass,
    found: Vec<Evidence>,
}

impl<'a> Terms<'a> {
    /// None yet; numbers are read through `eval`.
    pub(super) fn new(eval: Eval<'a>) -> Self {
        Self {
            plan: eval.plan,
            body: eval.body,
            pass: eval.pass,
            eval,
            found: Vec::new(),
        }
    }

    /// Goes through a condition. `held` is what the hold around it says, `since` since when.
    fn walk(&mut self, cond: &Cond, held: Option<bool>, since: Option<i64>) {
        if self.found.len() >= TERM_LIMIT {
            return;
        }
        match cond {
            Cond::Compare {
                left, right, term, ..
            } => {
                let truth = held.unwrap_or_else(|| self.eval.cond(cond) == Some(true));
                self.found
                    .extend(self.compared(*term, left, right, truth, since));
            }
            Cond::Within {
                value, high, term, ..
            } => {
                let truth = held.unwrap_or_else(|| self.eval.cond(cond) == Some(true));
                self.found
                    .extend(self.compared(*term, value, high, truth, since));
            }
            Cond::Node(node) => self.node(*node, held, since),
            Cond::Not(inner) | Cond::Requires { inner, .. } => self.walk(inner, held, since),
            Cond::All(all) => {
                let truth = held.or_else(|| (self.eval.cond(cond) != Some(true)).then_some(false));
                for inner in all {
                    self.walk(inner, truth, since);
                }
            }
            Cond::Any(any) => {
                for inner in any {
                    let truth = match held {
                        Some(false) => Some(false),
                        // Inside a hold that is complete, the branches say for themselves which of them hold now.
                        Some(true) | None => None,
                    };
                    self.walk(inner, truth, since);
                }
            }
            Cond::Signal(signal) | Cond::Invalid(signal) | Cond::Has(signal) => {
                let asked = match cond {
                    Cond::Invalid(_) => "invalid",
                    Cond::Has(_) => "has",
                    _ => "",
                };
                let truth = held.unwrap_or_else(|| self.eval.cond(cond) == Some(true));
                self.found.extend(self.asked(*signal, asked, truth, since));
            }
            Cond::Const(_)
            | Cond::Event(_)
            | Cond::Running(_)
            | Cond::BaselineReady(_)
            | Cond::Raised(_) => {}
        }
    }

    fn node(&mut self, at: NodeIdx, held: Option<bool>, since: Option<i64>) {
        let (Some(node), Some(slot)) = (self.plan.program.nodes.get(at), self.body.nodes.get(at))
        else {
            return;
        };
        let truth = held.unwrap_or(slot.out.is_some_and(|v| v != 0.0));
        let since = node::since(slot).or(since);
        match &node.kind {
            NodeKind::HeldFor { cond, .. } | NodeKind::HeldOf { cond, .. } => {
                self.walk(cond, Some(truth), since);
            }
            NodeKind::AtLeast { signs, .. } => {
                for sign in signs {
                    self.walk(sign, None, since);
                }
            }
            _ => self.found.extend(self.given(at, truth, since)),
        }
    }

    /// What a function gives that is itself a condition.
    pub(super) fn given(&self, at: NodeIdx, held: bool, since: Option<i64>) -> Option<Evidence> {
        let node = self.plan.program.nodes.get(at)?;
        let slot = self.body.nodes.get(at)?;
        Some(Evidence {
            term: node.text.clone(),
            signal: self.main_signal(&node.signals),
            label: self.label(&node.signals),
            value: self.eval.node(at, Field::Value),
            unit: node.unit.symbol.clone(),
            op: smol_str::SmolStr::default(),
            limit: None,
            baseline: None,
            samples: Some(slot.samples),
            since: node::since(slot).or(since).map(Timestamp::from_ms),
            until: None,
            held,
        })
    }

    /// The unit in which a term is shown.
    pub(super) fn unit(&self, at: TermIdx) -> Option<Unit> {
        self.plan
            .program
            .terms
            .get(at)
            .map(|term| term.unit.clone())
    }

    fn main_signal(&self, signals: &[usize]) -> Option<smol_str::SmolStr> {
        let first = self.plan.program.signals.get(*signals.first()?)?;
        Some(first.path.clone())
    }

    fn label(&self, signals: &[usize]) -> Text {
        signals
            .first()
            .and_then(|first| self.plan.program.signals.get(*first))
            .map(|signal| signal.label.clone())
            .unwrap_or_default()
    }

    /// A comparison with its two sides.
    pub(super) fn compared(
        &self,
        at: TermIdx,
        left: &Num,
        right: &Num,
        held: bool,
        since: Option<i64>,
    ) -> Option<Evidence> {
        let term = self.plan.program.terms.get(at)?;
        let shown = |value: f64| term.unit.from_base(value);
        let (samples, inner) = self.behind(left);
        let baseline = term.baseline.and_then(|node| self.frozen(node));
        Some(Evidence {
            term: term.text.clone(),
            signal: term.signal.clone(),
            label: term.label.clone(),
            value: self.eval.num(left).map(shown),
            unit: term.unit.symbol.clone(),
            op: term.op.clone(),
            limit: self.eval.num(right).map(shown),
            baseline,
            samples,
            since: if held {
                Some(Timestamp::from_ms(
                    since.or(inner).unwrap_or(self.pass.t).min(self.pass.t),
                ))
            } else {
                None
            },
            until: None,
            held,
        })
    }

    /// The frozen baseline behind a node, in its derive's own unit: a relative term has none of its own.
    fn frozen(&self, node: NodeIdx) -> Option<f64> {
        let value = self.eval.num(&Num::Node(node, Field::Frozen))?;
        let NodeKind::Baseline { derive, .. } = &self.plan.program.nodes.get(node)?.kind else {
            return None;
        };
        let derive = self.plan.program.derives.get(*derive)?;
        Some(derive.unit.from_base(value))
    }

    /// How many values stand behind a number, and since when.
    fn behind(&self, num: &Num) -> (Option<u32>, Option<i64>) {
        match num {
            Num::Node(node, _) => self.body.nodes.get(*node).map_or((None, None), |slot| {
                let read = windowed::read(self.plan, self.body, self.pass, *node);
                let samples = read.map_or(slot.samples, |read| read.1);
                (Some(samples), node::since(slot))
            }),
            Num::Neg(inner) | Num::Abs(inner) => self.behind(inner),
            Num::Binary(_, left, _) => self.behind(left),
            Num::Const(_) | Num::Signal(_) | Num::Derive(_) | Num::Limit(_) => (None, None),
        }
    }

    /// A signal that is itself a condition, or `asked` about.
    pub(super) fn asked(
        &self,
        at: usize,
        asked: &str,
        held: bool,
        since: Option<i64>,
    ) -> Option<Evidence> {
        let signal = self.plan.program.signals.get(at)?;
        let state = self.body.signals.get(at)?;
        Some(Evidence {
            term: if asked.is_empty() {
                signal.name.clone()
            } else {
                format!("{asked}({})", signal.name).into()
            },
            signal: Some(signal.path.clone()),
            label: signal.label.clone(),
            value: state.shown.map(|value| signal.unit.from_base(value)),
            unit: signal.unit.symbol.clone(),
            op: smol_str::SmolStr::default(),
            limit: None,
            baseline: None,
            samples: None,
            since: since
                .or((state.at > super::body::NEVER).then_some(state.at))
                .map(Timestamp::from_ms),
            until: None,
            held,
        })
    }
}
