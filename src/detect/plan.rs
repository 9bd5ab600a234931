//! What is worked out once per compiled profile: who reads what, and which paths feed which signals.
//!
//! Leaves evaluation to `eval` and `node`. Invariant: the closures of dependence follow [`Program::steps`], in which what a step
//! reads stands before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::bits::Bits;
use super::reads::Build;
use super::slots::Layout;
use crate::profile::{
    CompareOp, Cond, EventIdx, FaultIdx, NodeIdx, NodeKind, Num, Per, Program, SignalIdx, Window,
};

/// Everything an expression reads, through nodes, sessions and derives.
#[derive(Clone, Debug)]
pub(super) struct Deps {
    /// Signals.
    pub(super) signals: Bits,
    /// Occurrences.
    pub(super) events: Bits,
    /// Derives.
    pub(super) derives: Bits,
    /// Nodes.
    pub(super) nodes: Bits,
    /// Some node that it reads, other than through a derive, changes by time alone; or it looks at other faults.
    pub(super) timed: bool,
    /// Other faults.
    pub(super) faults: Bits,
    /// It reads something known at its instant only: between two records it is not true.
    pub(super) instant: bool,
    /// It asks whether a value is known.
    pub(super) knows: bool,
}

/// What makes a value of an expression: samples of signals, values of derives, occurrences.
#[derive(Clone, Debug)]
pub(super) struct Triggers {
    pub(super) signals: Bits,
    pub(super) derives: Bits,
    pub(super) events: Bits,
}

impl Triggers {
    /// True when one of them came in.
    pub(super) fn fired(&self, signals: &Bits, derives: &Bits, event: Option<EventIdx>) -> bool {
        self.signals.meets(signals)
            || self.derives.meets(derives)
            || event.is_some_and(|event| self.events.has(event))
    }

    /// The signals among them.
    pub(super) fn signals(&self) -> &Bits {
        &self.signals
    }
}

/// A node's surroundings.
#[derive(Clone, Debug)]
pub(super) struct NodePlan {
    /// What it reads, transitively.
    pub(super) deps: Deps,
    /// What makes its values.
    pub(super) triggers: Triggers,
    /// What it gives changes by time alone.
    pub(super) timed: bool,
    /// What it gives is worked out when it is read: a window over a session, read at its end, or one that only a sentence shows.
    pub(super) lazy: bool,
    /// Those of its signals that are sampled rather than sent on change.
    pub(super) sampled: Bits,
}

/// A derive's surroundings.
#[derive(Clone, Debug)]
pub(super) struct DerivePlan {
    /// What it reads, transitively.
    pub(super) deps: Deps,
    /// What makes its values, for a derive per sample.
    pub(super) triggers: Triggers,
    /// Faults that read it: while one is pending or active, its baseline does not learn.
    pub(super) read_by: Vec<FaultIdx>,
}

/// A compiled profile with its closures of dependence.
#[derive(Debug)]
pub(super) struct Plan {
    /// The profile.
    pub(super) program: Arc<Program>,
    /// The places of its rules.
    pub(super) layout: Layout,
    by_path: BTreeMap<SmolStr, Vec<SignalIdx>>,
    by_event: BTreeMap<SmolStr, EventIdx>,
    /// By node.
    pub(super) nodes: Vec<NodePlan>,
    /// By session kind.
    pub(super) sessions: Vec<Deps>,
    /// Session kinds whose start is an occurrence: a second start while running is a new session.
    pub(super) start_by_event: Vec<bool>,
    /// By derive.
    pub(super) derives: Vec<DerivePlan>,
    /// By fault.
    pub(super) faults: Vec<Deps>,
    /// Faults in the order of judgement: those that others look at first.
    pub(super) order: Vec<FaultIdx>,
    /// By fault: the sensor verdicts on a signal that it reads.
    pub(super) sensors: Vec<Vec<FaultIdx>>,
    /// Nodes with a hold over time.
    pub(super) holds: Vec<NodeIdx>,
    /// Silences that a condition compares with a limit.
    pub(super) silences: Vec<SilenceWatch>,
    /// A derive looks at local days.
    pub(super) has_day: bool,
    /// Some condition asks whether a value is known: growing stale is then something that comes due.
    pub(super) wakes_on_stale: bool,
    /// Some node or session reads the state of a fault.
    pub(super) reads_faults: bool,
}

impl Plan {
    /// Works it out.
    pub(super) fn new(program: Arc<Program>) -> Self {
        let mut build = Build::new(&program);
        for step in &program.steps {
            build.step(*step);
        }
        let faults: Vec<Deps> = program
            .faults
            .iter()
            .map(|fault| build.fault(fault))
            .collect();
        let (mut nodes, sessions, mut derives) = (build.nodes, build.sessions, build.derives);
        lazy(&program, &mut nodes, &faults, &sessions, &derives);
        for (at, deps) in faults.iter().enumerate() {
            for derive in deps.derives.iter() {
                if let Some(derive) = derives.get_mut(derive) {
                    derive.read_by.push(at);
                }
            }
        }
        nodes.shrink_to_fit();
        let order = order(&program, &faults);
        let (mut by_path, mut by_event) = (BTreeMap::new(), BTreeMap::new());
        for (at, signal) in program.signals.iter().enumerate() {
            by_path
                .entry(signal.path.clone())
                .or_insert_with(Vec::new)
                .push(at);
        }
        for (at, event) in program.events.iter().enumerate() {
            by_event.entry(event.path.clone()).or_insert(at);
        }
        let pick = |wanted: fn(&NodeKind) -> bool| -> Vec<NodeIdx> {
            (0..program.nodes.len())
                .filter(|at| program.nodes.get(*at).is_some_and(|n| wanted(&n.kind)))
                .collect()
        };
        Self {
            by_path,
            by_event,
            start_by_event: program
                .sessions
                .iter()
                .map(|session| matches!(session.start, Cond::Event(_)))
                .collect(),
            order,
            sensors: sensors(&program),
            holds: pick(|kind| matches!(kind, NodeKind::HeldFor { .. })),
            silences: silences(&program),
            has_day: program.derives.iter().any(|d| matches!(d.per, Per::Day)),
            wakes_on_stale: faults.iter().any(|deps| deps.knows),
            reads_faults: nodes.iter().any(|node| !node.deps.faults.is_empty())
                || sessions.iter().any(|deps| !deps.faults.is_empty()),
            nodes,
            sessions,
            derives,
            faults,
            layout: Layout::of(&program),
            program,
        }
    }

    /// The nodes that a derive reads, transitively.
    pub(super) fn nodes_of_derive(&self, derive: usize) -> Vec<NodeIdx> {
        self.derives
            .get(derive)
            .map(|plan| plan.deps.nodes.iter().collect())
            .unwrap_or_default()
    }

    /// The signals that this wire path feeds.
    pub(super) fn signals_at(&self, path: &str) -> &[SignalIdx] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// The occurrence of this wire name.
    pub(super) fn event_at(&self, name: &str) -> Option<EventIdx> {
        self.by_event.get(name).copied()
    }
}

/// Marks the windows that are worked out only when they are read.
fn lazy(
    program: &Program,
    nodes: &mut [NodePlan],
    faults: &[Deps],
    sessions: &[Deps],
    derives: &[DerivePlan],
) {
    let mut watched = Bits::with_room(program.nodes.len());
    for deps in faults
        .iter()
        .chain(sessions)
        .chain(derives.iter().map(|derive| &derive.deps))
        .chain(nodes.iter().map(|node| &node.deps))
    {
        watched.add(&deps.nodes);
    }
    for (at, (rule, node)) in program.nodes.iter().zip(nodes).enumerate() {
        node.lazy = match &rule.kind {
            NodeKind::Window { window, .. }
            | NodeKind::CountEvent { window, .. }
            | NodeKind::CountStarts { window, .. } => {
                matches!(window, Window::Session(_) | Window::Day) || !watched.has(at)
            }
            _ => false,
        };
    }
}

/// A silence with the limit it is compared with: when it is reached, there is something to look at though nothing came.
#[derive(Clone, Debug)]
pub(super) struct SilenceWatch {
    /// The node that measures it.
    pub(super) node: NodeIdx,
    /// The signal that is silent.
    pub(super) signal: SignalIdx,
    limit: Num,
    /// The limit must be passed, not only reached.
    past: bool,
}

impl SilenceWatch {
    /// After how much silence there is something to look at, ms. Limits that are not plain numbers are looked at with the next
    /// record only.
    pub(super) fn limit_ms(&self, limits: &[f64]) -> Option<i64> {
        let seconds = match &self.limit {
            Num::Const(seconds) => *seconds,
            Num::Limit(limit) => *limits.get(*limit)?,
            _ => return None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float to integer cast saturates, and the limit is clamped to a century"
        )]
        let ms = libm::round(seconds.clamp(0.0, 3.2e9) * 1000.0) as i64;
        Some(ms + i64::from(self.past))
    }
}

fn silences(program: &Program) -> Vec<SilenceWatch> {
    let mut found = Vec::new();
    let mut visit = |cond: &Cond| {
        let Cond::Compare {
            op, left, right, ..
        } = cond
        else {
            return;
        };
        for (num, limit) in [(left, right), (right, left)] {
            if let Num::Node(node, _) = num
                && let Some(NodeKind::SilentFor { signal }) =
                    program.nodes.get(*node).map(|n| &n.kind)
            {
                found.push(SilenceWatch {
                    node: *node,
                    signal: *signal,
                    limit: limit.clone(),
                    past: matches!(
                        op,
                        CompareOp::Greater | CompareOp::LessOrEqual | CompareOp::NotEqual
                    ),
                });
            }
        }
    };
    for fault in &program.faults {
        for stage in [&fault.warn, &fault.fault].into_iter().flatten() {
            each(&stage.when, &mut visit);
        }
        each(&fault.clear, &mut visit);
    }
    for node in &program.nodes {
        match &node.kind {
            NodeKind::HeldFor { cond, .. }
            | NodeKind::HeldOf { cond, .. }
            | NodeKind::CountStarts { cond, .. }
            | NodeKind::Total { cond, .. } => each(cond, &mut visit),
            NodeKind::AtLeast { signs, .. } => {
                for sign in signs {
                    each(sign, &mut visit);
                }
            }
            _ => {}
        }
    }
    found
}

/// Visits a condition and all its parts.
fn each(cond: &Cond, visit: &mut impl FnMut(&Cond)) {
    visit(cond);
    match cond {
        Cond::Not(inner) | Cond::Requires { inner, .. } => each(inner, visit),
        Cond::All(all) | Cond::Any(all) => {
            for inner in all {
                each(inner, visit);
            }
        }
        _ => {}
    }
}

/// For each fault, the others that are verdicts on a sensor whose signal it reads.
fn sensors(program: &Program) -> Vec<Vec<FaultIdx>> {
    let reads = |at: FaultIdx, sensor: FaultIdx| {
        let (Some(fault), Some(by)) = (program.faults.get(at), program.faults.get(sensor)) else {
            return false;
        };
        at != sensor
            && by
                .sensor_of
                .iter()
                .any(|signal| fault.signals.contains(signal))
    };
    let all = 0..program.faults.len();
    all.clone()
        .map(|at| all.clone().filter(|sensor| reads(at, *sensor)).collect())
        .collect()
}

/// Faults by name of what they look at first; the order of the profile otherwise. A cycle (refused by the compiler) ends in
/// profile order.
fn order(program: &Program, deps: &[Deps]) -> Vec<FaultIdx> {
    let count = program.faults.len();
    let before = |first: FaultIdx, then: FaultIdx| -> bool {
        let (Some(a), Some(b)) = (program.faults.get(first), program.faults.get(then)) else {
            return false;
        };
        first != then
            && (b.inhibited_by.contains(&first)
                || deps.get(then).is_some_and(|d| d.faults.has(first))
                || a.sensor_of.iter().any(|signal| b.signals.contains(signal)))
    };
    let mut order = Vec::with_capacity(count);
    let mut left: Vec<FaultIdx> = (0..count).collect();
    while !left.is_empty() {
        let free = left
            .iter()
            .position(|then| !left.iter().any(|first| before(*first, *then)))
            .unwrap_or(0);
        order.push(left.remove(free));
    }
    order
}
