//! Values in windows: what enters at a record, which session or day it belongs to, and what the window gives.
//!
//! Leaves the arithmetic to `window`. Invariant: what a window gives is worked out anew when a value entered or left, and not
//! otherwise.

use serde::{Deserialize, Serialize};

use super::body::{Body, NodeSlot, Pass};
use super::eval::Eval;
use super::node::NodeState;
use super::plan::{NodePlan, Plan};
use super::window::{Cells, Keeping, POINT_LIMIT, Points, Running, SLOPE_LIMIT};
use crate::profile::{Node, NodeIdx, NodeKind, Window, WindowFn};

/// Which session or day the values belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    number: u32,
    day: i64,
}

/// Values in a window, with what makes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Windowed {
    values: Values,
    running: Running,
    frame: Frame,
    /// What the counted condition last said while it was known.
    truth: Option<bool>,
}

/// How values are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Values {
    Cells(Cells),
    Points(Points),
}

impl Default for Values {
    fn default() -> Self {
        Self::Cells(Cells::default())
    }
}

/// True for a window function that needs the single values.
fn needs_points(func: WindowFn, window: &Window) -> bool {
    matches!(window, Window::Last(_))
        || matches!(
            func,
            WindowFn::Median | WindowFn::Quantile(_) | WindowFn::Slope
        )
}

impl Windowed {
    /// Nothing in it.
    pub(super) fn new(func: WindowFn, window: &Window) -> Self {
        let values = if needs_points(func, window) {
            Values::Points(Points::default())
        } else {
            Values::Cells(Cells::default())
        };
        Self {
            values,
            ..Self::default()
        }
    }

    /// What begins anew after a repair: all but the truth of a counted condition, which is no new start.
    pub(super) fn keep_truth(&mut self, before: &Self) {
        self.truth = before.truth;
    }

    fn forget_until(&mut self, until: i64) {
        match &mut self.values {
            Values::Cells(cells) => cells.forget_until(until),
            Values::Points(points) => points.forget_until(until),
        }
    }

    /// When the oldest value came.
    pub(super) fn oldest(&self) -> Option<i64> {
        match &self.values {
            Values::Cells(cells) => cells.oldest(),
            Values::Points(points) => points.oldest(),
        }
    }

    /// Starts over when the session or day is another one.
    fn enter(&mut self, frame: Frame) {
        if self.frame != frame {
            self.frame = frame;
            self.release();
        }
    }

    /// Forgets the values; which session or day they were of is still known.
    fn release(&mut self) {
        self.running = Running::default();
        match &mut self.values {
            Values::Cells(cells) => cells.clear(),
            Values::Points(points) => points.clear(),
        }
    }

    /// When the newest value came, where the values that are kept say nothing of an earlier moment.
    fn newest(&self, keeping: Keeping) -> Option<i64> {
        match &self.values {
            Values::Cells(cells) if keeping.is_of_now() => cells.newest(),
            _ => None,
        }
    }

    fn push(&mut self, at: i64, value: f64, func: WindowFn, window: &Window, stale_ms: i64) {
        let value = match func {
            WindowFn::Increase {
                roll_over,
                counts_down,
            } => self.running.counter(at, value, roll_over, counts_down),
            WindowFn::Integral => self.running.integral(at, value, stale_ms),
            _ => value,
        };
        match (&mut self.values, window) {
            (Values::Cells(cells), _) => cells.push(at, value, Keeping::of(func, window)),
            (Values::Points(points), Window::Last(count)) => {
                points.push_last(at, value, last_limit(*count));
            }
            (Values::Points(points), _) if matches!(func, WindowFn::Slope) => {
                points.push_thinned(at, value, SLOPE_LIMIT);
            }
            (Values::Points(points), _) => points.push_thinned(at, value, POINT_LIMIT),
        }
    }

    /// A late value, into functions for which order does not matter.
    fn insert(&mut self, at: i64, value: f64, func: WindowFn, window: &Window) -> bool {
        let day = matches!(window, Window::Day);
        let keeping = Keeping::of(func, window);
        match (&mut self.values, func) {
            (Values::Cells(cells), WindowFn::Count | WindowFn::Min | WindowFn::Max) => {
                cells.insert(at, value, keeping);
            }
            (Values::Cells(cells), WindowFn::Sum | WindowFn::Mean) if day => {
                cells.insert(at, value, keeping);
            }
            (Values::Points(points), WindowFn::Median | WindowFn::Quantile(_)) if day => {
                points.insert(at, value, POINT_LIMIT);
            }
            _ => return false,
        }
        true
    }
}

/// Most values of a window over the last so many.
const LAST_LIMIT: usize = 1_000;

fn last_limit(count: u32) -> usize {
    usize::try_from(count).map_or(LAST_LIMIT, |count| count.clamp(1, LAST_LIMIT))
}

/// The part of time a window looks at.
pub(super) struct View {
    pub(super) frame: Frame,
    /// Outside its session a window is unknown.
    pub(super) open: bool,
    pub(super) after: i64,
    pub(super) up_to: i64,
    pub(super) keep_after: i64,
}

impl View {
    /// A window that keeps only what matters now has nothing to say of an earlier moment: a late look sees it as it is now.
    fn for_past(&mut self, pass: &Pass, window: &Window, newest: Option<i64>) {
        if let (true, Window::Span { span_ms, .. }, Some(newest)) = (pass.past, window, newest) {
            self.up_to = i64::MAX;
            self.after = self.after.max(newest - span_ms);
        }
    }
}

/// Which part that is now.
pub(super) fn view(body: &Body, pass: &Pass, window: &Window) -> Option<View> {
    let mut view = View {
        frame: Frame::default(),
        open: true,
        after: i64::MIN,
        up_to: i64::MAX,
        keep_after: i64::MIN,
    };
    match window {
        Window::Span { span_ms, ago_ms } => {
            view.up_to = pass.t - ago_ms;
            view.after = view.up_to - span_ms;
            view.keep_after = view.after;
        }
        Window::Last(_) => {}
        Window::Session(session) => {
            let state = body.sessions.get(*session)?;
            view.open = state.start.is_some();
            view.frame.number = state.number;
        }
        Window::Day => view.frame.day = pass.day,
    }
    Some(view)
}

/// What comes into a window in this pass.
enum Entering {
    Nothing,
    Value(f64),
    Truth(Option<bool>),
}

/// Steps a window, a count of occurrences, or a count of starts.
pub(super) fn step(plan: &Plan, body: &mut Body, pass: &Pass, at: NodeIdx) {
    let (Some(node), Some(around)) = (plan.program.nodes.get(at), plan.nodes.get(at)) else {
        return;
    };
    let Some((entering, func, window)) = entering(plan, body, pass, around, &node.kind) else {
        return;
    };
    let Some(mut view) = view(body, pass, window) else {
        return;
    };
    let held = if view.open && matches!(window, Window::Session(_)) && begins(body, at, view.frame)
    {
        held_value(plan, body, pass, node, around)
    } else {
        None
    };
    let Some(slot) = body.nodes.get_mut(at) else {
        return;
    };
    let NodeState::Window(state) = &mut slot.state else {
        return;
    };
    let other = state.frame != view.frame;
    if pass.past && other {
        // A day that is over, or a session that is: what it gave was given.
        return;
    }
    state.enter(view.frame);
    let value = match entering {
        Entering::Nothing => None,
        Entering::Value(value) => Some(value),
        Entering::Truth(truth) => {
            starts(&mut state.truth, truth, around.deps.instant).then_some(1.0)
        }
    };
    let value = value.or(held);
    let entered = value.is_some() && view.open;
    if let (Some(value), true) = (value, view.open)
        && !(pass.past && state.insert(pass.t, value, func, window))
    {
        state.push(pass.t, value, func, window, node.stale_ms);
    }
    if !view.open {
        // Nobody can ask for them any more, and a device has dozens of such windows.
        state.release();
    }
    if around.lazy {
        if entered {
            state.forget_until(view.keep_after);
        }
        return;
    }
    view.for_past(pass, window, state.newest(Keeping::of(func, window)));
    let due = slot.valid_until.is_none_or(|until| pass.t >= until);
    if entered || other || due {
        refresh(slot, &view, func, window, pass);
    } else if !view.open {
        slot.out = None;
    }
}

/// The window's values are of another session.
fn begins(body: &Body, at: NodeIdx, frame: Frame) -> bool {
    matches!(body.nodes.get(at).map(|slot| &slot.state), Some(NodeState::Window(state)) if state.frame != frame)
}

/// The value that a session finds when it begins, where all signals behind it are told on change: such a value holds until the next
/// one, so the session has it from its first moment. (Which level the wash runs at was told long before the wash.)
fn held_value(
    plan: &Plan,
    body: &Body,
    pass: &Pass,
    node: &Node,
    around: &NodePlan,
) -> Option<f64> {
    let NodeKind::Window { func, input, .. } = &node.kind else {
        return None;
    };
    let of_values = matches!(
        func,
        WindowFn::Last
            | WindowFn::First
            | WindowFn::Mean
            | WindowFn::Median
            | WindowFn::Min
            | WindowFn::Max
    );
    let on_change = around.triggers.derives.is_empty()
        && !around.triggers.signals.is_empty()
        && !around.triggers.signals.meets(&around.sampled);
    let held = of_values && on_change && !pass.past;
    held.then(|| Eval::new(plan, body, pass).num(input))
        .flatten()
}

/// What comes in, for which function, into which window.
fn entering<'a>(
    plan: &Plan,
    body: &Body,
    pass: &Pass,
    around: &NodePlan,
    kind: &'a NodeKind,
) -> Option<(Entering, WindowFn, &'a Window)> {
    let fired = around
        .triggers
        .fired(&pass.touched, &pass.valued, pass.event);
    match kind {
        NodeKind::Window {
            func,
            input,
            window,
        } => {
            let value = if fired {
                Eval::new(plan, body, pass).num(input)
            } else {
                None
            };
            let entering = value.map_or(Entering::Nothing, Entering::Value);
            Some((entering, *func, window))
        }
        NodeKind::CountEvent { window, .. } => {
            let entering = if fired {
                Entering::Value(1.0)
            } else {
                Entering::Nothing
            };
            Some((entering, WindowFn::Count, window))
        }
        NodeKind::CountStarts { cond, window } => {
            let entering = if pass.leaves(&around.deps) {
                Entering::Nothing
            } else {
                Entering::Truth(Eval::new(plan, body, pass).cond(cond))
            };
            Some((entering, WindowFn::Count, window))
        }
        _ => None,
    }
}

/// True when the condition starts here. One that lives for an instant starts at each.
fn starts(before: &mut Option<bool>, truth: Option<bool>, instant: bool) -> bool {
    let Some(truth) = truth else { return false };
    let starts = truth && *before != Some(true);
    *before = Some(truth && !instant);
    starts
}

/// What a lazy window gives, and over how many values.
pub(super) fn read(plan: &Plan, body: &Body, pass: &Pass, at: NodeIdx) -> Option<(f64, u32)> {
    let (func, window) = match &plan.program.nodes.get(at)?.kind {
        NodeKind::Window { func, window, .. } => (*func, window),
        NodeKind::CountEvent { window, .. } | NodeKind::CountStarts { window, .. } => {
            (WindowFn::Count, window)
        }
        _ => return None,
    };
    let mut view = view(body, pass, window).filter(|view| view.open)?;
    let NodeState::Window(state) = &body.nodes.get(at)?.state else {
        return None;
    };
    let keeping = Keeping::of(func, window);
    view.for_past(pass, window, state.newest(keeping));
    let (value, samples) = if state.frame == view.frame {
        match &state.values {
            Values::Cells(cells) => cells.part(keeping, view.after, view.up_to),
            Values::Points(points) => points.part(func, view.after, view.up_to),
        }
    } else {
        // Nothing came in this session or day yet.
        Cells::default().part(keeping, view.after, view.up_to)
    };
    Some((value?, samples))
}

/// Works out what the window gives now, and until when.
fn refresh(slot: &mut NodeSlot, view: &View, func: WindowFn, window: &Window, pass: &Pass) {
    let NodeState::Window(state) = &mut slot.state else {
        return;
    };
    let (span, ago) = match window {
        Window::Span { span_ms, ago_ms } => (*span_ms, *ago_ms),
        _ => (i64::MAX / 4, 0),
    };
    let ((out, samples), until) = match &mut state.values {
        Values::Cells(cells) => {
            cells.forget_until(view.keep_after);
            (
                cells.value(Keeping::of(func, window), view.after, view.up_to),
                cells.next_change(pass.t, span, ago),
            )
        }
        Values::Points(points) => {
            points.forget_until(view.keep_after);
            (
                points.value(func, view.after, view.up_to),
                points.next_change(pass.t, span, ago),
            )
        }
    };
    slot.out = if view.open { out } else { None };
    slot.samples = samples;
    // What it was in the past is no longer so at the next look.
    slot.valid_until = (!pass.past).then_some(until);
}

/// A late reading or occurrence, into the windows that still take it.
pub(super) fn late(plan: &Plan, body: &mut Body, at: NodeIdx, time: i64, day: i64, value: f64) {
    let Some(node) = plan.program.nodes.get(at) else {
        return;
    };
    let (func, window) = match &node.kind {
        NodeKind::Window { func, window, .. } => (*func, window),
        NodeKind::CountEvent { window, .. } => (WindowFn::Count, window),
        _ => return,
    };
    let Some(slot) = body.nodes.get_mut(at) else {
        return;
    };
    let NodeState::Window(state) = &mut slot.state else {
        return;
    };
    let takes = match window {
        Window::Span { .. } => true,
        Window::Day => state.frame.day == day,
        // A late value belongs to no session that is known, and is not among the last ones.
        Window::Last(_) | Window::Session(_) => false,
    };
    if takes && state.insert(time, value, func, window) {
        slot.valid_until = None;
    }
}
