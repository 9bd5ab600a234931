//! What a compiled expression reads, transitively, and what it costs to keep.

use std::collections::BTreeSet;

use super::Compiler;
use crate::profile::{
    Cadence, Cond, DeriveIdx, NodeIdx, NodeKind, Num, Per, SessionIdx, SignalIdx, StaleAfter,
    Window, WindowFn,
};
use crate::telemetry::{DAY_MS, SECOND_MS};

/// Most cells of a window, and bytes of one: two times, a count and five numbers. More values share cells.
const CELLS: i64 = 128;
const CELL_BYTES: i64 = 64;
/// Most values kept for a median, and bytes of one: time and number.
const POINTS: i64 = 256;
const POINT_BYTES: i64 = 16;
/// Most points of a slope.
const SLOPE_POINTS: i64 = 64;
/// Bytes of a value with its mode, or of a stretch of time.
const STRETCH_BYTES: i64 = 24;
/// Bytes of a node's fixed part: flags, times, running sums.
const FIXED_BYTES: i64 = 48;
/// Most modes of one baseline.
const BASELINE_MODES: i64 = 16;
/// Sessions of one kind in a day that a window is sized for: a busy household.
const SESSIONS_PER_DAY: i64 = 24;

/// What was found in an expression.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) signals: BTreeSet<SignalIdx>,
    pub(super) derives: BTreeSet<DeriveIdx>,
    pub(super) nodes: BTreeSet<NodeIdx>,
    pub(super) sessions: BTreeSet<SessionIdx>,
}

impl Compiler<'_, '_, '_> {
    /// Reads of a condition; derives and sessions are named and their signals added, their nodes are not.
    pub(super) fn reads_of(&self, cond: &Cond, reads: &mut Reads) {
        match cond {
            Cond::Const(_) | Cond::Event(_) | Cond::Raised(_) => {}
            Cond::Signal(index) | Cond::Has(index) | Cond::Invalid(index) => {
                reads.signals.insert(*index);
            }
            Cond::Running(session) => self.read_session(*session, reads),
            Cond::Compare { left, right, .. } => {
                self.reads_of_num(left, reads);
                self.reads_of_num(right, reads);
            }
            Cond::Within {
                value, low, high, ..
            } => {
                self.reads_of_num(value, reads);
                self.reads_of_num(low, reads);
                self.reads_of_num(high, reads);
            }
            Cond::Node(node) | Cond::BaselineReady(node) => self.read_node(*node, reads),
            Cond::All(list) | Cond::Any(list) => {
                for one in list {
                    self.reads_of(one, reads);
                }
            }
            // The counting node of `requires` is a means, not what is judged.
            Cond::Not(inner) | Cond::Requires { inner, .. } => self.reads_of(inner, reads),
        }
    }

    /// Reads of a number.
    pub(super) fn reads_of_num(&self, num: &Num, reads: &mut Reads) {
        match num {
            Num::Const(_) | Num::Limit(_) => {}
            Num::Signal(index) => {
                reads.signals.insert(*index);
            }
            Num::Derive(index) => self.read_derive(*index, reads),
            Num::Node(node, _) => self.read_node(*node, reads),
            Num::Neg(inner) | Num::Abs(inner) => self.reads_of_num(inner, reads),
            Num::Binary(_, left, right) => {
                self.reads_of_num(left, reads);
                self.reads_of_num(right, reads);
            }
        }
    }

    /// Signals that a node reads, transitively.
    pub(super) fn signals_of_node(&self, kind: &NodeKind) -> Vec<SignalIdx> {
        let mut reads = Reads::default();
        self.reads_of_kind(kind, &mut reads);
        reads.signals.into_iter().collect()
    }

    /// Derives that a condition reads itself.
    pub(super) fn derives_in(&self, cond: &Cond) -> Vec<DeriveIdx> {
        let mut reads = Reads::default();
        self.reads_of(cond, &mut reads);
        reads.derives.into_iter().collect()
    }

    /// Whether a number reads this derive.
    pub(super) fn mentions(&self, num: &Num, derive: DeriveIdx) -> bool {
        let mut reads = Reads::default();
        self.reads_of_num(num, &mut reads);
        reads.derives.contains(&derive)
    }

    /// Longest finite `stale_after` in ms, and whether any signal is sampled rather than sent on change.
    pub(super) fn freshness(&self, signals: &[SignalIdx]) -> (i64, bool) {
        let mut stale = 0;
        let mut sampled = false;
        for index in signals {
            let signal = &self.signals[*index];
            if let StaleAfter::Ms(ms) = signal.stale_after {
                stale = stale.max(ms);
            }
            sampled |= signal.cadence != Cadence::Change;
        }
        (stale, sampled)
    }

    /// Upper bound of a node's state, bytes.
    pub(super) fn state_bytes(&self, kind: &NodeKind) -> u32 {
        let bytes = match kind {
            NodeKind::Window {
                func,
                input,
                window,
            } => {
                let values = self.values_in(input, *window);
                match func {
                    WindowFn::Median | WindowFn::Quantile(_) => POINT_BYTES * values.min(POINTS),
                    WindowFn::Slope => POINT_BYTES * values.min(SLOPE_POINTS),
                    _ => CELL_BYTES * values.min(CELLS),
                }
            }
            NodeKind::CountEvent { .. } | NodeKind::CountStarts { .. } => CELL_BYTES * CELLS,
            NodeKind::Total { .. } => STRETCH_BYTES * CELLS,
            NodeKind::HeldOf { n, .. } => POINT_BYTES * i64::from(*n),
            NodeKind::Baseline { derive, window } => {
                let values = self.values_in(&Num::Derive(*derive), *window);
                STRETCH_BYTES * (values.min(CELLS) + BASELINE_MODES)
            }
            NodeKind::AtLeast { signs, .. } => {
                POINT_BYTES * i64::try_from(signs.len()).unwrap_or(CELLS)
            }
            // The last values before a start, those around an offset, the value before.
            NodeKind::Before { .. }
            | NodeKind::At { .. }
            | NodeKind::Stuck { .. }
            | NodeKind::Changed { .. } => 4 * POINT_BYTES,
            NodeKind::HeldFor { .. }
            | NodeKind::Duration { .. }
            | NodeKind::Newly { .. }
            | NodeKind::Since { .. }
            | NodeKind::Age
            | NodeKind::SilentFor { .. } => 0,
        };
        u32::try_from(FIXED_BYTES + bytes).unwrap_or(u32::MAX)
    }

    /// How many values a window may have to look at.
    fn values_in(&self, input: &Num, window: Window) -> i64 {
        let span = match window {
            Window::Last(n) => return i64::from(n),
            Window::Day => DAY_MS,
            Window::Session(session) => {
                let session = self.sessions[session].get();
                session.map_or(DAY_MS, |session| session.max_ms)
            }
            Window::Span { span_ms, ago_ms } => span_ms + ago_ms,
        };
        let mut reads = Reads::default();
        self.reads_of_num(input, &mut reads);
        let per = |derive: &DeriveIdx| match self.derives[*derive].get().map(|d| d.per) {
            Some(Per::Day) => DAY_MS,
            Some(Per::Session(_)) => DAY_MS / SESSIONS_PER_DAY,
            Some(Per::Sample) | None => SECOND_MS,
        };
        let spacing = reads.derives.iter().map(per).min().unwrap_or(SECOND_MS);
        (span / spacing + 1).max(1)
    }

    fn reads_of_kind(&self, kind: &NodeKind, reads: &mut Reads) {
        match kind {
            NodeKind::Window { input, window, .. } => {
                self.reads_of_num(input, reads);
                self.read_window(*window, reads);
            }
            NodeKind::CountEvent { window, .. } => self.read_window(*window, reads),
            NodeKind::CountStarts { cond, window } | NodeKind::Total { cond, window } => {
                self.reads_of(cond, reads);
                self.read_window(*window, reads);
            }
            NodeKind::HeldFor { cond, .. } | NodeKind::HeldOf { cond, .. } => {
                self.reads_of(cond, reads);
            }
            NodeKind::Baseline { derive, window } => {
                self.read_derive(*derive, reads);
                self.read_window(*window, reads);
            }
            NodeKind::Duration { session } => self.read_session(*session, reads),
            // Their session is the derive's own, which the derive itself names.
            NodeKind::Before { input, .. }
            | NodeKind::At { input, .. }
            | NodeKind::Changed { input }
            | NodeKind::Stuck { input, .. } => self.reads_of_num(input, reads),
            NodeKind::Newly { signal, .. } | NodeKind::SilentFor { signal } => {
                reads.signals.insert(*signal);
            }
            NodeKind::Since { .. } | NodeKind::Age => {}
            NodeKind::AtLeast { signs, .. } => {
                for sign in signs {
                    self.reads_of(sign, reads);
                }
            }
        }
    }

    fn read_window(&self, window: Window, reads: &mut Reads) {
        if let Window::Session(session) = window {
            self.read_session(session, reads);
        }
    }

    fn read_node(&self, node: NodeIdx, reads: &mut Reads) {
        if reads.nodes.insert(node)
            && let Some(node) = self.nodes.get(node)
        {
            self.reads_of_kind(&node.kind, reads);
        }
    }

    fn read_derive(&self, index: DeriveIdx, reads: &mut Reads) {
        if reads.derives.insert(index)
            && let Some(derive) = self.derives[index].get()
        {
            reads.signals.extend(&derive.signals);
        }
    }

    fn read_session(&self, index: SessionIdx, reads: &mut Reads) {
        if !reads.sessions.insert(index) {
            return;
        }
        let Some(session) = self.sessions[index].get() else {
            return;
        };
        let mut inner = Reads::default();
        self.reads_of(&session.start, &mut inner);
        self.reads_of(&session.end, &mut inner);
        if let Some(abort) = &session.abort {
            self.reads_of(abort, &mut inner);
        }
        reads.signals.extend(inner.signals);
    }
}
