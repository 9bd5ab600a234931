//! A derive's values against its frozen baseline, over a window.
//!
//! Leaves learning to `derive`. Invariant: each value is compared with the baseline of its own mode; a value without one takes no
//! place.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::body::Body;
use super::derive::Frozen;
use super::plan::Plan;
use super::window::median;
use crate::profile::{Field, NodeKind, Window};

/// Most values looked back at; the oldest go.
const VALUE_LIMIT: usize = 128;
/// A change within so many robust spreads is none.
const SPREADS: f64 = 3.0;

/// Values of a derive with their modes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Compared {
    values: VecDeque<(i64, f64, Option<i64>)>,
}

impl Compared {
    /// Takes a new value.
    pub(super) fn push(&mut self, at: i64, value: f64, mode: Option<i64>) {
        if self.values.back().is_some_and(|last| at < last.0) {
            return;
        }
        self.values.push_back((at, value, mode));
        if self.values.len() > VALUE_LIMIT {
            self.values.pop_front();
        }
    }

    /// How many values it holds.
    pub(super) fn samples(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
    }

    /// One of its outputs; the median over the window's values.
    pub(super) fn value(
        &self,
        plan: &Plan,
        body: &Body,
        node: usize,
        now: i64,
        field: Field,
    ) -> Option<f64> {
        let NodeKind::Baseline { derive, window } = &plan.program.nodes.get(node)?.kind else {
            return None;
        };
        let state = body.derives.get(*derive)?;
        if field == Field::Frozen {
            let mode = self.values.back().map_or(state.mode, |last| last.2);
            return state.frozen(mode).map(|frozen| frozen.median);
        }
        let compared = |(_, value, mode): &(i64, f64, Option<i64>)| {
            state
                .frozen(*mode)
                .and_then(|frozen| compare(*value, frozen, field))
        };
        let mut values: Vec<f64> = match window {
            Window::Last(count) => {
                let count = usize::try_from(*count).unwrap_or(VALUE_LIMIT);
                let mut values: Vec<f64> = self
                    .values
                    .iter()
                    .rev()
                    .filter_map(compared)
                    .take(count)
                    .collect();
                values.reverse();
                values
            }
            Window::Span { span_ms, ago_ms } => self
                .values
                .iter()
                .filter(|v| v.0 > now - ago_ms - span_ms && v.0 <= now - ago_ms)
                .filter_map(compared)
                .collect(),
            Window::Session(session) => {
                let start = body.sessions.get(*session)?.start?;
                self.values
                    .iter()
                    .filter(|v| v.0 >= start)
                    .filter_map(compared)
                    .collect()
            }
            Window::Day => self.values.iter().filter_map(compared).collect(),
        };
        median(&mut values)
    }
}

fn compare(value: f64, frozen: Frozen, field: Field) -> Option<f64> {
    let delta = value - frozen.median;
    let relative = || (frozen.median != 0.0).then(|| delta / frozen.median.abs());
    let sure = |change: f64| {
        if change > 0.0 && delta.abs() > SPREADS * frozen.spread {
            change
        } else {
            0.0
        }
    };
    match field {
        Field::Value => Some(value),
        Field::Ratio => (frozen.median != 0.0).then(|| value / frozen.median),
        Field::Delta => Some(delta),
        Field::Z => (frozen.spread > 0.0).then(|| delta / frozen.spread),
        Field::Up => relative().map(sure),
        Field::Down => relative().map(|change| sure(-change)),
        Field::Frozen => Some(frozen.median),
    }
}
