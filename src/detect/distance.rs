//! How far a fault is from its limits now: the terms of each stage with value, limit and the distance between them.
//!
//! Leaves judgement to `fault`: what is said here decides nothing. Invariant: 0 is where a healthy device rests, 1 is at the limit;
//! a term without a scale (a word, a truth value, a limit of 0) has no distance.

use smol_str::SmolStr;

use super::eval::Eval;
use super::event::Evidence;
use super::evidence::Terms;
use super::fault::rule;
use super::node::NodeState;
use crate::profile::{
    CompareOp, Cond, Fault, Field, NodeIdx, NodeKind, Num, Severity, SignalIdx, Stage, Unit,
};
use crate::telemetry::Text;

/// Most terms told of one stage; further ones still count for the distance.
const TERM_LIMIT: usize = 16;
/// A distance beyond this says nothing more.
const DISTANCE_LIMIT: f64 = 10.0;
/// The Celsius scale has no zero to measure from: a device at rest has the temperature of its room.
const ROOM_C: f64 = 20.0;
/// A share is healthy when it is whole.
const WHOLE_PERCENT: f64 = 100.0;

/// One stage of a fault as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct StageView {
    /// Which.
    pub stage: Stage,
    /// Its severity.
    pub severity: Severity,
    /// Raised until a person or a replaced part clears it.
    pub latched: bool,
    /// Its condition holds now; `None` when that cannot be known.
    pub holds: Option<bool>,
    /// The terms of its condition, as written, at most 16.
    pub terms: Vec<TermView>,
    /// Of the whole condition: 0 at rest, 1 at the limit; `None` when it has no scale or is not known.
    pub distance: Option<f64>,
    /// The term that decides it: an index into `terms`.
    pub nearest: Option<usize>,
}

/// One term of a condition as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TermView {
    /// Value, limit, baseline and words, as a ticket would tell them; `held` says whether it is known to hold now.
    pub evidence: Evidence,
    /// It holds; `None` when that cannot be known.
    pub holds: Option<bool>,
    /// 0 at rest, 1 at the limit.
    pub distance: Option<f64>,
    /// What `distance` is measured from, in the evidence's unit.
    pub rest: Option<f64>,
    /// The same against the device's own normal, in the unit of what is measured: for terms that compare with a baseline.
    pub own: Option<OwnNormal>,
    /// How much of the hold around it is complete.
    pub hold: Option<HoldView>,
}

/// A value beside what it was when the device was new.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnNormal {
    /// `derive.NAME`.
    pub signal: SmolStr,
    /// In words.
    pub label: Text,
    /// Unit of all numbers here.
    pub unit: SmolStr,
    /// What is compared now.
    pub value: f64,
    /// The frozen median.
    pub normal: f64,
    /// The frozen robust spread.
    pub spread: f64,
    /// The limit, as this device has it.
    pub limit: f64,
}

/// How much of a hold is complete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldView {
    /// True without a break for so long.
    Time {
        /// So far, ms.
        held_ms: i64,
        /// Needed, ms.
        of_ms: i64,
    },
    /// True for so many of the last values.
    Values {
        /// So far.
        held: u32,
        /// Needed.
        of: u32,
        /// Of the last so many.
        among: u32,
    },
}

/// The stages of a fault, worst last.
pub(super) fn stages(eval: Eval<'_>, fault: &Fault) -> Vec<StageView> {
    let mut views = Vec::new();
    for stage in [Stage::Warn, Stage::Fault] {
        let Some(rule) = rule(fault, stage) else {
            continue;
        };
        let mut walk = Walk {
            terms: Terms::new(eval),
            eval,
            found: Vec::new(),
        };
        let near = walk.walk(&rule.when, false, None);
        let holds = walk.eval.cond(&rule.when);
        let (distance, nearest) = match near {
            Near::At(distance, term) => (Some(distance), term),
            Near::Open => (Some(1.0), None),
            Near::Shut => (Some(0.0), None),
            Near::Unknown => (None, None),
        };
        views.push(StageView {
            stage,
            severity: rule.severity,
            latched: rule.latched,
            holds,
            nearest: nearest.filter(|term| *term < walk.found.len()),
            terms: walk.found,
            distance,
        });
    }
    views
}

/// How near a condition is to being true.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Near {
    /// Nobody knows.
    Unknown,
    /// It has no scale, and is true.
    Open,
    /// It has no scale, and is false.
    Shut,
    /// So far, by this term.
    At(f64, Option<usize>),
}

impl Near {
    fn of(truth: Option<bool>) -> Self {
        match truth {
            Some(true) => Self::Open,
            Some(false) => Self::Shut,
            None => Self::Unknown,
        }
    }

    /// For "or": what is nearest to being true comes last.
    fn rank(self) -> (u8, f64) {
        match self {
            Self::Shut => (0, 0.0),
            Self::Unknown => (1, 0.0),
            Self::At(distance, _) => (2, distance),
            Self::Open => (3, 0.0),
        }
    }

    fn nearer(self, other: Self) -> Self {
        let (mine, theirs) = (self.rank(), other.rank());
        // Something at its limit is true, as what has no scale and is true.
        if theirs.0 > mine.0 || (theirs.0 == mine.0 && theirs.1 > mine.1) {
            other
        } else {
            self
        }
    }

    /// For "and": what is missing most decides; what has no scale and is true asks for nothing more.
    fn farther(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shut, _) | (_, Self::Shut) => Self::Shut,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Open, rest) | (rest, Self::Open) => rest,
            (Self::At(mine, _), Self::At(theirs, _)) => {
                if theirs < mine {
                    other
                } else {
                    self
                }
            }
        }
    }
}

/// Goes through a condition and collects its terms.
struct Walk<'a> {
    terms: Terms<'a>,
    eval: Eval<'a>,
    found: Vec<TermView>,
}

impl Walk<'_> {
    /// `flip`: the condition stands under a `not`. `hold`: the hold around it.
    fn walk(&mut self, cond: &Cond, flip: bool, hold: Option<HoldView>) -> Near {
        let truth = self.eval.cond(cond).map(|truth| truth != flip);
        match cond {
            Cond::Compare {
                op,
                left,
                right,
                term,
            } => {
                let evidence = self
                    .terms
                    .compared(*term, left, right, truth == Some(true), None);
                let unit = self.terms.unit(*term);
                let rising = rising(*op, flip);
                self.add(evidence, truth, hold, |walk, evidence| {
                    walk.scale(left, evidence, unit.as_ref(), rising?)
                })
            }
            Cond::Within {
                value,
                low,
                high,
                term,
            } => {
                // Only the end that the value has yet to reach is a limit for it.
                let under = match (self.eval.num(value), self.eval.num(low)) {
                    (Some(value), Some(low)) => value < low,
                    _ => true,
                };
                let limit = if under { low } else { high };
                let evidence = self
                    .terms
                    .compared(*term, value, limit, truth == Some(true), None);
                let unit = self.terms.unit(*term);
                let scaled = !flip && truth != Some(true);
                self.add(evidence, truth, hold, |walk, evidence| {
                    scaled.then(|| walk.scale(value, evidence, unit.as_ref(), under))?
                })
            }
            Cond::Node(node) => self.node(*node, flip, hold, truth),
            Cond::Not(inner) => self.walk(inner, !flip, hold),
            Cond::Requires { inner, .. } => {
                let near = self.walk(inner, flip, hold);
                if truth.is_none() { Near::Unknown } else { near }
            }
            Cond::All(all) | Cond::Any(all) => {
                let every = matches!(cond, Cond::All(_)) != flip;
                let mut whole: Option<Near> = None;
                for inner in all {
                    let near = self.walk(inner, flip, hold);
                    whole = Some(match whole {
                        None => near,
                        Some(whole) if every => whole.farther(near),
                        Some(whole) => whole.nearer(near),
                    });
                }
                whole.unwrap_or(Near::Unknown)
            }
            Cond::Signal(signal) => self.asked(*signal, "", truth, hold),
            Cond::Invalid(signal) => self.asked(*signal, "invalid", truth, hold),
            Cond::Has(signal) => self.asked(*signal, "has", truth, hold),
            Cond::Const(_)
            | Cond::Event(_)
            | Cond::Running(_)
            | Cond::BaselineReady(_)
            | Cond::Raised(_) => Near::of(truth),
        }
    }

    /// A signal that is itself a condition, or `question` about it.
    fn asked(
        &mut self,
        signal: SignalIdx,
        question: &str,
        truth: Option<bool>,
        hold: Option<HoldView>,
    ) -> Near {
        let evidence = self
            .terms
            .asked(signal, question, truth == Some(true), None);
        self.add(evidence, truth, hold, |_, _| None)
    }

    fn node(
        &mut self,
        at: NodeIdx,
        flip: bool,
        hold: Option<HoldView>,
        truth: Option<bool>,
    ) -> Near {
        let plan = self.eval.plan;
        let (Some(rule), Some(slot)) = (plan.program.nodes.get(at), self.eval.body.nodes.get(at))
        else {
            return Near::Unknown;
        };
        match (&rule.kind, &slot.state) {
            (NodeKind::HeldFor { cond, hold_ms }, NodeState::Held(span)) => {
                let inside = HoldView::Time {
                    held_ms: span.counted_ms().min(*hold_ms),
                    of_ms: *hold_ms,
                };
                self.walk(cond, flip, Some(inside))
            }
            (NodeKind::HeldOf { cond, k, n, .. }, NodeState::HeldOf(values)) => {
                let inside = HoldView::Values {
                    held: values.true_values(),
                    of: *k,
                    among: *n,
                };
                self.walk(cond, flip, Some(inside))
            }
            (NodeKind::AtLeast { n, signs, .. }, _) => {
                let mut nears: Vec<Near> = signs
                    .iter()
                    .map(|sign| self.walk(sign, flip, hold))
                    .collect();
                nears.sort_by(|a, b| {
                    let (a, b) = (a.rank(), b.rank());
                    b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
                });
                let deciding = usize::try_from(*n).unwrap_or(usize::MAX).saturating_sub(1);
                nears.get(deciding).copied().unwrap_or(Near::Unknown)
            }
            _ => {
                let evidence = self.terms.given(at, truth == Some(true), None);
                self.add(evidence, truth, hold, |_, _| None)
            }
        }
    }

    /// Keeps a term; its distance when it has a scale.
    fn add(
        &mut self,
        evidence: Option<Evidence>,
        truth: Option<bool>,
        hold: Option<HoldView>,
        scale: impl FnOnce(&Self, &Evidence) -> Option<Scaled>,
    ) -> Near {
        let Some(evidence) = evidence else {
            return Near::of(truth);
        };
        let scaled = scale(self, &evidence);
        let place = (self.found.len() < TERM_LIMIT).then_some(self.found.len());
        let near = match (&scaled, truth) {
            (Some(scaled), Some(_)) => Near::At(scaled.distance, place),
            _ => Near::of(truth),
        };
        if place.is_some() {
            let (distance, rest, own) = match scaled {
                Some(scaled) => (Some(scaled.distance), Some(scaled.rest), scaled.own),
                None => (None, None, None),
            };
            self.found.push(TermView {
                evidence,
                holds: truth,
                distance: distance.filter(|_| truth.is_some()),
                rest,
                own,
                hold,
            });
        }
        near
    }

    /// Where between rest and limit a value stands.
    fn scale(
        &self,
        left: &Num,
        evidence: &Evidence,
        unit: Option<&Unit>,
        rising: bool,
    ) -> Option<Scaled> {
        let (value, limit) = (evidence.value?, evidence.limit?);
        if let Some(scaled) = self.own_normal(left, limit, unit) {
            return Some(scaled);
        }
        let rest = rest(limit, unit?, rising)?;
        Some(Scaled {
            distance: share(value, rest, limit)?,
            rest,
            own: None,
        })
    }

    /// The same for a term that compares with a baseline: from the device's own normal to the limit that follows from it.
    fn own_normal(&self, left: &Num, limit: f64, unit: Option<&Unit>) -> Option<Scaled> {
        let Num::Node(node, field) = left else {
            return None;
        };
        let plan = self.eval.plan;
        let NodeKind::Baseline { derive, .. } = &plan.program.nodes.get(*node)?.kind else {
            return None;
        };
        let rule = plan.program.derives.get(*derive)?;
        let state = self.eval.body.derives.get(*derive)?;
        let frozen = state.frozen(state.mode)?;
        let value = self.eval.node(*node, Field::Value)?;
        let limit = unit.map_or(limit, |unit| unit.to_base(limit));
        let (rest_of_field, own_limit) = match field {
            Field::Up => (0.0, frozen.median + limit * frozen.median.abs()),
            Field::Down => (0.0, frozen.median - limit * frozen.median.abs()),
            Field::Ratio => (1.0, frozen.median * limit),
            Field::Delta => (0.0, frozen.median + limit),
            Field::Z => (0.0, frozen.median + limit * frozen.spread),
            Field::Value | Field::Frozen => return None,
        };
        let distance = share(value, frozen.median, own_limit)?;
        let shown = |value: f64| rule.unit.from_base(value);
        Some(Scaled {
            distance,
            rest: unit.map_or(rest_of_field, |unit| unit.from_base(rest_of_field)),
            own: Some(OwnNormal {
                signal: super::blind::name_of(&rule.name),
                label: rule.label.clone(),
                unit: rule.unit.symbol.clone(),
                value: shown(value),
                normal: shown(frozen.median),
                spread: shown(frozen.spread),
                limit: shown(own_limit),
            }),
        })
    }
}

/// A place on the way from rest to limit.
struct Scaled {
    distance: f64,
    rest: f64,
    own: Option<OwnNormal>,
}

/// The side from which a comparison is reached; `None` for one that has no scale.
const fn rising(op: CompareOp, flip: bool) -> Option<bool> {
    match op {
        CompareOp::Greater | CompareOp::GreaterOrEqual => Some(!flip),
        CompareOp::Less | CompareOp::LessOrEqual => Some(flip),
        CompareOp::Equal | CompareOp::NotEqual => None,
    }
}

/// Where a healthy value rests, as far as unit and limit tell: the temperature of a room, a whole share, nothing at all, or, for a
/// value that must not fall, twice the limit. A limit of 0 has no scale.
fn rest(limit: f64, unit: &Unit, rising: bool) -> Option<f64> {
    if unit.dim.absolute {
        let usual = if rising {
            limit > ROOM_C
        } else {
            limit < ROOM_C
        };
        let beyond = if rising { -ROOM_C } else { ROOM_C };
        return Some(if usual { ROOM_C } else { limit + beyond });
    }
    if limit == 0.0 {
        return None;
    }
    let whole = unit.symbol == "%"
        && if rising {
            limit > WHOLE_PERCENT
        } else {
            limit < WHOLE_PERCENT
        };
    Some(if whole {
        WHOLE_PERCENT
    } else if rising == (limit > 0.0) {
        0.0
    } else {
        2.0 * limit
    })
}

/// How much of the way from rest to limit is gone; never less than nothing.
fn share(value: f64, rest: f64, limit: f64) -> Option<f64> {
    let whole = limit - rest;
    let share = (value - rest) / whole;
    share.is_finite().then(|| share.clamp(0.0, DISTANCE_LIMIT))
}
