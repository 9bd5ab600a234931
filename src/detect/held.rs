//! Holds: a condition that was true for so long, or for k of the last n values.
//!
//! Leaves the moments of looking to `pass`. Invariant: only time during which the condition was known to be true is counted, and
//! a false moment starts it over.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::body::Pass;

/// A hold over time. Moments named `run` are on the device's time without blind spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// First true moment, by the device's time.
    since: Option<i64>,
    /// True time counted up to `mark`, ms.
    counted: i64,
    /// Up to when it was counted (`run`).
    mark: i64,
    /// Unknown since (`run`); counting pauses.
    unknown_since: Option<i64>,
    /// True samples.
    samples: u32,
    /// When the last of them was taken: the same reading told twice is one sample.
    sampled_at: Option<i64>,
}

/// What a hold needs to be complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldRule {
    /// How long, ms.
    pub(super) hold_ms: i64,
    /// The longest finite `stale_after` of its signals, ms.
    pub(super) stale_ms: i64,
    /// It reads a sampled signal: two samples are needed.
    pub(super) sampled: bool,
}

impl Held {
    /// Looks at the condition; `sample` says that this pass carries a sample of one of its signals.
    pub(super) fn step(
        &mut self,
        truth: Option<bool>,
        sample: bool,
        pass: &Pass,
        rule: HoldRule,
    ) -> Option<bool> {
        if self.since.is_some() && self.unknown_since.is_none() {
            // Negative when data older than the last look came in: what was counted from then on was a guess.
            self.counted = (self.counted + pass.run - self.mark).max(0);
            self.mark = pass.run;
        }
        match truth {
            Some(false) => {
                *self = Self::default();
                Some(false)
            }
            None => {
                if self.since.is_some() && self.unknown_since.is_none() {
                    self.unknown_since = Some(pass.run);
                }
                None
            }
            Some(true) => {
                if let Some(unknown) = self.unknown_since.take()
                    && pass.run - unknown > rule.hold_ms.max(rule.stale_ms)
                {
                    *self = Self::default();
                }
                if self.since.is_none() {
                    self.since = Some(pass.t);
                    self.counted = 0;
                    self.sampled_at = None;
                }
                self.mark = pass.run;
                if sample && self.sampled_at.is_none_or(|at| pass.t > at) {
                    self.samples = self.samples.saturating_add(1);
                    self.sampled_at = Some(pass.t);
                }
                Some(self.complete(rule))
            }
        }
    }

    fn complete(&self, rule: HoldRule) -> bool {
        self.counted >= rule.hold_ms && self.enough(rule)
    }

    fn enough(&self, rule: HoldRule) -> bool {
        !rule.sampled || self.samples >= 2
    }

    /// When it will be complete if nothing changes (`run`); `None` when it is, or when time alone does not bring it.
    pub(super) fn due(&self, rule: HoldRule) -> Option<i64> {
        let runs = self.is_running() && self.enough(rule) && self.counted < rule.hold_ms;
        runs.then(|| self.mark + rule.hold_ms - self.counted)
    }

    /// The condition was true at the last look.
    pub(super) fn is_running(&self) -> bool {
        self.since.is_some() && self.unknown_since.is_none()
    }

    /// First true moment.
    pub(super) fn since(&self) -> Option<i64> {
        self.since
    }

    /// True samples so far.
    pub(super) fn samples(&self) -> u32 {
        self.samples
    }

    /// True time so far, ms.
    pub(super) fn counted_ms(&self) -> i64 {
        self.counted
    }

    /// Up to when it was looked at (`run`).
    pub(super) fn mark(&self) -> i64 {
        self.mark
    }
}

/// A hold over values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct HeldOf {
    values: VecDeque<(i64, bool)>,
}

/// Most values that a hold over values looks back at.
const VALUES_LIMIT: usize = 1_000;

impl HeldOf {
    /// Takes what the condition said of one more value; unknown takes no place.
    pub(super) fn push(&mut self, at: i64, truth: Option<bool>, n: u32) {
        let Some(truth) = truth else { return };
        if self.values.back().is_some_and(|last| at < last.0) {
            return;
        }
        self.values.push_back((at, truth));
        let limit = usize::try_from(n).map_or(VALUES_LIMIT, |n| n.clamp(1, VALUES_LIMIT));
        while self.values.len() > limit {
            self.values.pop_front();
        }
    }

    /// Whether it held: unknown until there are enough values for it to be possible.
    pub(super) fn truth(&self, k: u32) -> Option<bool> {
        let k = usize::try_from(k).unwrap_or(usize::MAX);
        (self.values.len() >= k).then(|| self.values.iter().filter(|v| v.1).count() >= k)
    }

    /// The newest value was a true one.
    pub(super) fn newest(&self) -> bool {
        self.values.back().is_some_and(|v| v.1)
    }

    /// When the oldest true value came.
    pub(super) fn since(&self) -> Option<i64> {
        self.values.iter().find(|v| v.1).map(|v| v.0)
    }

    /// How many values it looks at.
    pub(super) fn samples(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
    }

    /// How many of them were true ones.
    pub(super) fn true_values(&self) -> u32 {
        let count = self.values.iter().filter(|value| value.1).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// When the oldest value came.
    pub(super) fn first(&self) -> Option<i64> {
        self.values.front().map(|value| value.0)
    }
}

/// Time during which a condition was true, by stretches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Total {
    stretches: VecDeque<Stretch>,
    /// The condition was true at the last look, which was then (device time, and without blind spans).
    open: Option<(i64, i64)>,
}

/// A stretch of time with the part of it that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Stretch {
    from: i64,
    to: i64,
    counted: i64,
}

/// Most stretches; beyond, neighbours are joined into 64 and counted in proportion at the window's edge.
const STRETCH_LIMIT: usize = 128;
/// Stretches left after joining.
const STRETCH_SLOTS: i64 = 64;

impl Total {
    /// Looks at the condition.
    pub(super) fn step(&mut self, truth: Option<bool>, pass: &Pass) {
        if self.open.is_some_and(|(_, run)| run > pass.run) {
            return;
        }
        if let Some((t, run)) = self.open.take()
            && pass.run > run
        {
            let counted = pass.run - run;
            // A blind span lies behind the counted part, not before it.
            let (from, to) = (t, t + counted);
            match self.stretches.back_mut() {
                Some(last) if last.to == from && last.counted == last.to - last.from => {
                    last.to = to;
                    last.counted += counted;
                }
                _ => self.stretches.push_back(Stretch { from, to, counted }),
            }
            if self.stretches.len() > STRETCH_LIMIT {
                self.join();
            }
        }
        if truth == Some(true) {
            self.open = Some((pass.t, pass.run));
        }
    }

    /// Drops what ended at or before this moment.
    pub(super) fn forget_until(&mut self, until: i64) {
        while self.stretches.front().is_some_and(|s| s.to <= until) {
            self.stretches.pop_front();
        }
    }

    /// The condition was true at the last look.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Forgets everything but whether it is true now.
    pub(super) fn clear(&mut self) {
        self.stretches.clear();
    }

    /// Counted time after `after` and up to `up_to`, in s.
    pub(super) fn value(&self, after: i64, up_to: i64) -> f64 {
        let mut total = 0.0;
        for s in &self.stretches {
            let (from, to) = (s.from.max(after), s.to.min(up_to));
            if to > from && s.to > s.from {
                let share =
                    super::window::seconds(to - from) / super::window::seconds(s.to - s.from);
                total += super::window::seconds(s.counted) * share;
            }
        }
        total
    }

    /// When the oldest stretch began.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.stretches.front().map(|s| s.from)
    }

    fn join(&mut self) {
        let (Some(first), Some(last)) = (self.stretches.front(), self.stretches.back()) else {
            return;
        };
        let width = ((last.to - first.from) / STRETCH_SLOTS).max(1);
        let mut joined: VecDeque<Stretch> = VecDeque::with_capacity(STRETCH_LIMIT);
        for s in &self.stretches {
            match joined.back_mut() {
                Some(before) if before.from.div_euclid(width) == s.from.div_euclid(width) => {
                    before.to = s.to;
                    before.counted += s.counted;
                }
                _ => joined.push_back(*s),
            }
        }
        self.stretches = joined;
    }
}
