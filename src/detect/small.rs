//! The small functions: before and at in a session, changed, stuck, newly set bits, signs, silence.
//!
//! Leaves to `node` when they are stepped. Invariant: each remembers a fixed number of values.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::body::{NEVER, Pass};
use super::session::SessionState;
use super::window::{median, seconds};
use crate::profile::Cadence;

/// How far from its offset `at(x, offset)` may look, ms (language.md section 3).
const AT_REACH_MS: i64 = 10_000;
/// Fewest samples before a value counts as stuck.
const STUCK_LEAST: u32 = 3;
/// Gaps between samples from which the cadence is learnt: their median.
const GAP_LIMIT: usize = 9;
/// Fewest gaps for a learnt cadence.
const GAP_LEAST: usize = 3;
/// Silence counts from so many cadences on (DESIGN section 6).
const SILENT_CADENCES: f64 = 3.0;
/// A signal is overdue at so many cadences: what it is given after an absence of ours.
const OVERDUE_CADENCES: f64 = 1.5;

/// The last sample before a session's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Anchored {
    last: Option<(i64, f64)>,
    kept: Option<f64>,
    number: u32,
}

impl Anchored {
    /// Keeps the last sample when a session starts, then takes this one.
    pub(super) fn step(
        &mut self,
        sample: Option<f64>,
        t: i64,
        session: SessionState,
        max_age_ms: i64,
    ) -> Option<f64> {
        if session.number != self.number {
            self.number = session.number;
            self.kept = session.start.and_then(|start| {
                self.last
                    .filter(|(at, _)| start - at <= max_age_ms)
                    .map(|(_, value)| value)
            });
        }
        if let Some(value) = sample {
            self.last = Some((t, value));
        }
        self.kept.filter(|_| session.start.is_some())
    }
}

/// The sample nearest to an offset in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Nearest {
    best: Option<(i64, f64)>,
    number: u32,
}

impl Nearest {
    /// Takes a sample if it is nearer than the one before.
    pub(super) fn step(
        &mut self,
        sample: Option<f64>,
        t: i64,
        session: SessionState,
        offset_ms: i64,
    ) -> Option<f64> {
        if session.number != self.number {
            self.number = session.number;
            self.best = None;
        }
        let start = session.start?;
        if let Some(value) = sample {
            let distance = (t - start - offset_ms).abs();
            if distance <= AT_REACH_MS && self.best.is_none_or(|best| distance < best.0) {
                self.best = Some((distance, value));
            }
        }
        self.best.map(|(_, value)| value)
    }
}

/// Whether a value differs from the one before, at the sample that differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    before: Option<f64>,
}

impl Turn {
    /// Takes a sample.
    pub(super) fn step(&mut self, sample: Option<f64>) -> Option<f64> {
        let before = self.before;
        let Some(value) = sample else {
            return before.map(|_| 0.0);
        };
        self.before = Some(value);
        before.map(|before| f64::from(before.to_bits() != value.to_bits()))
    }
}

/// Since when a value has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Still {
    value: f64,
    since: i64,
    last: i64,
    samples: u32,
    /// A change was seen: it is known not to be stuck until the span is over again.
    moved: bool,
}

impl Default for Still {
    fn default() -> Self {
        Self {
            value: 0.0,
            since: NEVER,
            last: NEVER,
            samples: 0,
            moved: false,
        }
    }
}

impl Still {
    /// Takes a sample; a gap longer than `stale_ms` starts over.
    pub(super) fn step(
        &mut self,
        sample: Option<f64>,
        t: i64,
        span_ms: i64,
        stale_ms: i64,
    ) -> Option<f64> {
        if let Some(value) = sample {
            let gap = self.samples > 0 && stale_ms > 0 && t - self.last > stale_ms;
            let same = self.samples > 0 && self.value.to_bits() == value.to_bits();
            if gap || !same {
                self.moved = !gap && self.samples > 0;
                self.since = t;
                self.samples = 0;
            }
            self.value = value;
            self.last = t;
            self.samples = self.samples.saturating_add(1);
        }
        if self.samples >= STUCK_LEAST && self.last - self.since >= span_ms {
            Some(1.0)
        } else {
            self.moved.then_some(0.0)
        }
    }
}

/// Bits of the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bit {
    before: Option<u64>,
}

impl Bit {
    /// Takes a sample: true when the bit is set in it and was not in the one before.
    pub(super) fn step(&mut self, sample: Option<f64>, bit: u8) -> Option<f64> {
        let before = self.before;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a bit field: whole, not negative, under 2^53"
        )]
        let Some(bits) = sample.filter(|v| *v >= 0.0).map(|v| v as u64) else {
            return before.map(|_| 0.0);
        };
        self.before = Some(bits);
        let mask = 1_u64.checked_shl(u32::from(bit)).unwrap_or(0);
        before.map(|before| f64::from(bits & mask != 0 && before & mask == 0))
    }
}

/// When each sign was last true.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Signs {
    last: Vec<i64>,
}

impl Signs {
    /// None seen yet.
    pub(super) fn new(count: usize) -> Self {
        Self {
            last: vec![NEVER; count],
        }
    }

    /// Looks at the signs.
    pub(super) fn step(
        &mut self,
        signs: impl Iterator<Item = Option<bool>>,
        t: i64,
        n: u32,
        span_ms: i64,
    ) -> Option<f64> {
        let (mut counted, mut unknown) = (0_u32, 0_u32);
        for (last, sign) in self.last.iter_mut().zip(signs) {
            if sign == Some(true) {
                *last = (*last).max(t);
            }
            if *last > NEVER && t - *last <= span_ms {
                counted += 1;
            } else if sign.is_none() {
                unknown += 1;
            }
        }
        if counted >= n {
            Some(1.0)
        } else if counted + unknown >= n {
            None
        } else {
            Some(0.0)
        }
    }
}

/// When a signal was last heard, by the journal's time, and how often it comes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Silence {
    heard: Option<i64>,
    gaps: VecDeque<i64>,
}

impl Silence {
    /// Takes a sample, and says for how long (s) there has been none: 0 until it is a silence at all.
    pub(super) fn step(
        &mut self,
        sample: bool,
        declared: Option<Cadence>,
        pass: &Pass,
    ) -> Option<f64> {
        if sample {
            // Of queued messages only the arrival is new: how often they were made shows later.
            if let Some(heard) = self.heard
                && pass.j > heard
                && !pass.late
            {
                self.gaps.push_back(pass.j - heard);
                if self.gaps.len() > GAP_LIMIT {
                    self.gaps.pop_front();
                }
            }
            self.heard = Some(self.heard.map_or(pass.j, |heard| heard.max(pass.j)));
        }
        let heard = self.heard?;
        if pass.muted {
            return None;
        }
        let silent = pass.j - heard;
        Some(if silent >= self.least(declared) {
            seconds(silent)
        } else {
            0.0
        })
    }

    /// From when on no sample is a silence, ms.
    fn least(&self, declared: Option<Cadence>) -> i64 {
        self.cadences(SILENT_CADENCES, declared)
    }

    fn cadences(&self, times: f64, declared: Option<Cadence>) -> i64 {
        let learnt = if self.gaps.len() >= GAP_LEAST {
            let mut gaps: Vec<f64> = self.gaps.iter().map(|gap| seconds(*gap)).collect();
            median(&mut gaps)
        } else {
            None
        };
        let cadence = match (learnt, declared) {
            (Some(cadence), _) => cadence,
            (None, Some(Cadence::Ms(ms))) => seconds(ms),
            (None, _) => 0.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a few cadences, far below 2^53 ms"
        )]
        let ms = libm::round(cadence * times * 1000.0) as i64;
        ms
    }

    /// When the silence will have lasted `limit_ms`, by the journal's time.
    pub(super) fn due(&self, limit_ms: i64, declared: Option<Cadence>) -> Option<i64> {
        Some(self.heard? + limit_ms.max(self.least(declared)))
    }

    /// We (or its gateway) were away from `from` to `to`: that time is no silence, and the signal gets time to come.
    pub(super) fn excuse(&mut self, from: i64, to: i64, declared: Option<Cadence>) {
        let grace = self.cadences(OVERDUE_CADENCES, declared);
        if let Some(heard) = &mut self.heard {
            let before = (from - *heard).max(0);
            *heard = (to - before).max(*heard) + grace;
        }
    }

    /// The journal's clock was set forward.
    pub(super) fn shift(&mut self, by: i64) {
        if let Some(heard) = &mut self.heard {
            *heard += by;
        }
    }
}
