//! Derived values: one per sample, per local day, or per session; and their frozen baselines.
//!
//! Leaves windows over them to `node`. Invariant: a baseline is frozen once and changes only when a part resets it; it does not
//! learn while a fault that reads it is pending or active.

use serde::{Deserialize, Serialize};

use super::body::{Body, NEVER, Pass};
use super::eval::Eval;
use super::plan::Plan;
use super::window::median;
use crate::profile::{BaselineRule, DeriveIdx, Per};

/// Most modes of one derive that get a baseline; values of further modes have none.
const MODE_LIMIT: usize = 16;
/// Most values a baseline learns from; a rule that asks for more gets this many. While the learning time is longer than these
/// take, every second one is kept.
const LEARN_LIMIT: usize = 128;
/// Median absolute deviation to standard deviation, for a normal distribution.
const SPREAD_OF_MAD: f64 = 1.4826;

/// What is remembered of a derive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DeriveState {
    /// Last value in base units; a derive per sample has none while its `where` does not hold.
    pub(super) value: Option<f64>,
    /// When, by the device's time.
    pub(super) at: i64,
    /// Its mode.
    pub(super) mode: Option<i64>,
    /// Baselines with their modes (0 where the derive has none), at most [`MODE_LIMIT`], in the order in which they came.
    pub(super) modes: Vec<(i64, Mode)>,
}

impl Default for DeriveState {
    fn default() -> Self {
        Self {
            value: None,
            at: NEVER,
            mode: None,
            modes: Vec::new(),
        }
    }
}

/// A baseline of one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Mode {
    /// Values so far.
    Learning {
        /// When the first came.
        first: i64,
        /// Them.
        values: Vec<f64>,
        /// Every so many values one is kept.
        stride: u32,
        /// How many came.
        seen: u32,
    },
    /// What it was when new.
    Frozen(Frozen),
}

/// What a derived value was when the device was new.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Frozen {
    /// Median.
    pub(super) median: f64,
    /// Robust spread, 1.4826 × median absolute deviation.
    pub(super) spread: f64,
}

/// What a step of a derive gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// The value in base units.
    pub(super) value: f64,
    /// Its mode, where the derive has one.
    pub(super) mode: Option<i64>,
    /// The baseline that was frozen by it.
    pub(super) frozen: Option<f64>,
}

/// Evaluates the derive where its time has come.
pub(super) fn step(plan: &Plan, body: &mut Body, pass: &Pass, at: DeriveIdx) -> Option<Given> {
    let (rule, around) = (plan.program.derives.get(at)?, plan.derives.get(at)?);
    let comes = match rule.per {
        Per::Sample => around
            .triggers
            .fired(&pass.touched, &pass.valued, pass.event),
        Per::Day => pass.day_ends,
        Per::Session(session) => pass.ended.has(session),
    };
    if !comes || body.derives.get(at)?.at > pass.t {
        return None;
    }
    let eval = Eval::new(plan, body, pass);
    let (value, mode) = if matches!(rule.per, Per::Session(_)) && !pass.forced.is_empty() {
        let forced = pass.forced.iter().find(|(derive, _)| *derive == at);
        (forced.map(|(_, value)| *value), None)
    } else {
        let holds = rule
            .filter
            .as_ref()
            .is_none_or(|filter| eval.cond(filter) == Some(true));
        let value = if holds { eval.num(&rule.value) } else { None };
        let mode = rule.mode.as_ref();
        (value, mode.map(|mode| eval.num(mode).and_then(whole)))
    };
    let pauses = around.read_by.iter().any(|fault| {
        body.faults
            .get(*fault)
            .is_some_and(|slot| slot.active.is_some() || slot.pending)
    });
    let state = body.derives.get_mut(at)?;
    let Some(value) = value else {
        if matches!(rule.per, Per::Sample) {
            state.value = None;
            state.at = pass.t;
        }
        return None;
    };
    state.value = Some(value);
    state.at = pass.t;
    state.mode = mode.flatten();
    let frozen = match (rule.baseline, mode) {
        (None, _) | (_, Some(None)) => None,
        (Some(baseline), mode) => {
            let mode = mode.flatten().unwrap_or(0);
            state.learn(mode, value, pass.t, baseline, pauses)
        }
    };
    Some(Given {
        value,
        mode: mode.flatten(),
        frozen,
    })
}

impl DeriveState {
    /// The frozen baseline of a mode.
    pub(super) fn frozen(&self, mode: Option<i64>) -> Option<Frozen> {
        let mode = mode.unwrap_or(0);
        match self.modes.iter().find(|known| known.0 == mode)? {
            (_, Mode::Frozen(frozen)) => Some(*frozen),
            (_, Mode::Learning { .. }) => None,
        }
    }

    /// Takes a value in while the mode still learns; the median when this froze it.
    fn learn(
        &mut self,
        mode: i64,
        value: f64,
        t: i64,
        rule: BaselineRule,
        pauses: bool,
    ) -> Option<f64> {
        if pauses {
            return None;
        }
        let known = self.modes.iter().position(|known| known.0 == mode);
        let place = known.unwrap_or(self.modes.len());
        if known.is_none() {
            if place >= MODE_LIMIT {
                return None;
            }
            self.modes.reserve_exact(1);
            let learning = Mode::Learning {
                first: t,
                values: Vec::new(),
                stride: 1,
                seen: 0,
            };
            self.modes.push((mode, learning));
        }
        let (_, slot) = self.modes.get_mut(place)?;
        let Mode::Learning {
            first,
            values,
            stride,
            seen,
        } = slot
        else {
            return None;
        };
        *seen = seen.saturating_add(1);
        if seen.is_multiple_of(*stride) {
            values.push(value);
        }
        if values.len() > LEARN_LIMIT {
            let mut keep = false;
            values.retain(|_| {
                keep = !keep;
                keep
            });
            *stride = stride.saturating_mul(2);
        }
        if *seen < rule.samples || t - *first < rule.span_ms {
            return None;
        }
        let frozen = freeze(values)?;
        *slot = Mode::Frozen(frozen);
        Some(frozen.median)
    }
}

fn freeze(values: &[f64]) -> Option<Frozen> {
    let middle = median(&mut values.to_vec())?;
    let mut distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some(Frozen {
        median: middle,
        spread: SPREAD_OF_MAD * median(&mut distances)?,
    })
}

/// A mode is the nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to lie where every whole number is exact"
)]
fn whole(value: f64) -> Option<i64> {
    let rounded = libm::round(value);
    (rounded.abs() < 9.0e15).then_some(rounded as i64)
}
