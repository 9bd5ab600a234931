//! Who reads what: the closures of dependence of nodes, sessions, derives and faults.
//!
//! Leaves their use to `plan` and `body`. Invariant: a step is worked out after all it reads, in the order of
//! [`Program::steps`].

use super::bits::Bits;
use super::plan::{Deps, DerivePlan, NodePlan, Triggers};
use crate::profile::{
    Cadence, Cond, NodeIdx, NodeKind, Num, Per, Program, SessionIdx, SignalIdx, StaleAfter, Step,
    Window,
};

/// The closures, as far as they are worked out.
pub(super) struct Build<'a> {
    program: &'a Program,
    pub(super) nodes: Vec<NodePlan>,
    pub(super) sessions: Vec<Deps>,
    pub(super) derives: Vec<DerivePlan>,
}

impl<'a> Build<'a> {
    pub(super) fn new(program: &'a Program) -> Self {
        let mut build = Self {
            program,
            nodes: Vec::new(),
            sessions: Vec::new(),
            derives: Vec::new(),
        };
        let (deps, triggers) = (build.no_deps(), build.no_triggers());
        build.nodes = program
            .nodes
            .iter()
            .map(|_| NodePlan {
                deps: deps.clone(),
                triggers: triggers.clone(),
                timed: true,
                lazy: false,
                sampled: Bits::default(),
            })
            .collect();
        build.sessions = program.sessions.iter().map(|_| deps.clone()).collect();
        build.derives = program
            .derives
            .iter()
            .map(|_| DerivePlan {
                deps: deps.clone(),
                triggers: triggers.clone(),
                read_by: Vec::new(),
            })
            .collect();
        build
    }

    fn no_deps(&self) -> Deps {
        Deps {
            signals: Bits::with_room(self.program.signals.len()),
            events: Bits::with_room(self.program.events.len()),
            derives: Bits::with_room(self.program.derives.len()),
            nodes: Bits::with_room(self.program.nodes.len()),
            faults: Bits::with_room(self.program.faults.len()),
            timed: false,
            instant: false,
            knows: false,
        }
    }

    fn no_triggers(&self) -> Triggers {
        Triggers {
            signals: Bits::with_room(self.program.signals.len()),
            derives: Bits::with_room(self.program.derives.len()),
            events: Bits::with_room(self.program.events.len()),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Node(at) => {
                let Some(node) = self.program.nodes.get(at) else {
                    return;
                };
                let (mut deps, mut triggers) = (self.no_deps(), self.no_triggers());
                self.node(&node.kind, &mut deps, &mut triggers);
                if let Some(slot) = self.nodes.get_mut(at) {
                    let mut sampled = Bits::with_room(self.program.signals.len());
                    for signal in deps.signals.iter() {
                        if self
                            .program
                            .signals
                            .get(signal)
                            .is_some_and(|s| s.cadence != Cadence::Change)
                        {
                            sampled.set(signal);
                        }
                    }
                    *slot = NodePlan {
                        lazy: false,
                        timed: deps.timed || deps.instant || moves(&node.kind),
                        deps,
                        triggers,
                        sampled,
                    };
                }
            }
            Step::Session(at) => {
                let Some(session) = self.program.sessions.get(at) else {
                    return;
                };
                let mut deps = self.no_deps();
                self.cond(&session.start, &mut deps);
                self.cond(&session.end, &mut deps);
                if let Some(abort) = &session.abort {
                    self.cond(abort, &mut deps);
                }
                if let Some(slot) = self.sessions.get_mut(at) {
                    *slot = deps;
                }
            }
            Step::Derive(at) => {
                let Some(derive) = self.program.derives.get(at) else {
                    return;
                };
                let (mut deps, mut triggers) = (self.no_deps(), self.no_triggers());
                self.num(&derive.value, &mut deps);
                self.triggers(&derive.value, &mut triggers);
                if let Some(filter) = &derive.filter {
                    self.cond(filter, &mut deps);
                }
                if let Some(mode) = &derive.mode {
                    self.num(mode, &mut deps);
                }
                if let Per::Session(session) = derive.per {
                    self.session(session, &mut deps);
                }
                if let Some(slot) = self.derives.get_mut(at) {
                    slot.deps = deps;
                    slot.triggers = triggers;
                }
            }
        }
    }

    pub(super) fn fault(&self, fault: &crate::profile::Fault) -> Deps {
        let mut deps = self.no_deps();
        for stage in [&fault.warn, &fault.fault].into_iter().flatten() {
            self.cond(&stage.when, &mut deps);
            if let Some(gate) = &stage.gate {
                self.cond(gate, &mut deps);
            }
        }
        self.cond(&fault.clear, &mut deps);
        for inhibitor in &fault.inhibited_by {
            deps.timed = true;
            deps.faults.set(*inhibitor);
        }
        deps
    }

    fn session(&self, session: SessionIdx, deps: &mut Deps) {
        if let Some(inner) = self.sessions.get(session) {
            join(deps, inner);
        }
    }

    fn window(&self, window: &Window, deps: &mut Deps) {
        if let Window::Session(session) = window {
            self.session(*session, deps);
        }
    }

    fn node(&self, kind: &NodeKind, deps: &mut Deps, triggers: &mut Triggers) {
        match kind {
            NodeKind::Window { input, window, .. } => {
                self.value(input, deps, triggers);
                self.window(window, deps);
            }
            NodeKind::CountEvent { event, window } => {
                deps.events.set(*event);
                triggers.events.set(*event);
                self.window(window, deps);
            }
            NodeKind::CountStarts { cond, window } | NodeKind::Total { cond, window } => {
                self.cond(cond, deps);
                self.window(window, deps);
            }
            NodeKind::HeldFor { cond, .. } => self.cond(cond, deps),
            NodeKind::HeldOf { cond, derive, .. } => {
                self.cond(cond, deps);
                self.derive(*derive, deps);
                triggers.derives.set(*derive);
            }
            NodeKind::Baseline { derive, window } => {
                self.derive(*derive, deps);
                triggers.derives.set(*derive);
                self.window(window, deps);
            }
            NodeKind::Duration { session } => self.session(*session, deps),
            NodeKind::Before { input, session, .. } | NodeKind::At { input, session, .. } => {
                self.value(input, deps, triggers);
                self.session(*session, deps);
            }
            NodeKind::Changed { input } | NodeKind::Stuck { input, .. } => {
                self.value(input, deps, triggers);
            }
            NodeKind::Newly { signal, .. } | NodeKind::SilentFor { signal } => {
                deps.signals.set(*signal);
                triggers.signals.set(*signal);
            }
            NodeKind::Since { event } => {
                deps.events.set(*event);
                triggers.events.set(*event);
            }
            NodeKind::Age => {}
            NodeKind::AtLeast { signs, .. } => {
                for sign in signs {
                    self.cond(sign, deps);
                }
            }
        }
    }

    fn value(&self, input: &Num, deps: &mut Deps, triggers: &mut Triggers) {
        self.num(input, deps);
        self.triggers(input, triggers);
    }

    fn derive(&self, derive: usize, deps: &mut Deps) {
        deps.derives.set(derive);
        if let Some(inner) = self.derives.get(derive) {
            join(deps, &inner.deps);
        }
    }

    fn num(&self, num: &Num, deps: &mut Deps) {
        match num {
            Num::Const(_) | Num::Limit(_) => {}
            Num::Signal(signal) => self.signal(*signal, deps),
            Num::Derive(derive) => self.derive(*derive, deps),
            Num::Node(node, _) => self.node_deps(*node, deps),
            Num::Neg(inner) | Num::Abs(inner) => self.num(inner, deps),
            Num::Binary(_, left, right) => {
                self.num(left, deps);
                self.num(right, deps);
            }
        }
    }

    fn signal(&self, signal: SignalIdx, deps: &mut Deps) {
        deps.signals.set(signal);
        deps.instant |= self
            .program
            .signals
            .get(signal)
            .is_some_and(|s| s.stale_after == StaleAfter::Instant);
    }

    fn node_deps(&self, node: NodeIdx, deps: &mut Deps) {
        deps.nodes.set(node);
        if let Some(inner) = self.nodes.get(node) {
            join(deps, &inner.deps);
            deps.timed |= inner.timed;
        }
    }

    fn cond(&self, cond: &Cond, deps: &mut Deps) {
        match cond {
            Cond::Const(_) => {}
            Cond::Signal(signal) | Cond::Invalid(signal) => self.signal(*signal, deps),
            Cond::Has(signal) => {
                deps.knows = true;
                self.signal(*signal, deps);
            }
            Cond::Event(event) => {
                deps.events.set(*event);
                deps.instant = true;
            }
            Cond::Running(session) => self.session(*session, deps),
            Cond::Compare { left, right, .. } => {
                self.num(left, deps);
                self.num(right, deps);
            }
            Cond::Within {
                value, low, high, ..
            } => {
                self.num(value, deps);
                self.num(low, deps);
                self.num(high, deps);
            }
            Cond::Node(node) | Cond::BaselineReady(node) => self.node_deps(*node, deps),
            Cond::Raised(fault) => {
                deps.timed = true;
                deps.faults.set(*fault);
            }
            Cond::Not(inner) => self.cond(inner, deps),
            Cond::All(all) | Cond::Any(all) => {
                for inner in all {
                    self.cond(inner, deps);
                }
            }
            Cond::Requires { node, inner, .. } => {
                self.node_deps(*node, deps);
                self.cond(inner, deps);
            }
        }
    }

    fn triggers(&self, num: &Num, triggers: &mut Triggers) {
        match num {
            Num::Const(_) | Num::Limit(_) => {}
            Num::Signal(signal) => triggers.signals.set(*signal),
            Num::Derive(derive) => triggers.derives.set(*derive),
            Num::Node(node, _) => {
                if let Some(inner) = self.nodes.get(*node) {
                    triggers.signals.add(&inner.triggers.signals);
                    triggers.derives.add(&inner.triggers.derives);
                    triggers.events.add(&inner.triggers.events);
                }
            }
            Num::Neg(inner) | Num::Abs(inner) => self.triggers(inner, triggers),
            Num::Binary(_, left, right) => {
                self.triggers(left, triggers);
                self.triggers(right, triggers);
            }
        }
    }
}

/// Adds what another rule reads. `instant` stays: what a node or derive makes of instants is known for longer.
fn join(deps: &mut Deps, other: &Deps) {
    deps.signals.add(&other.signals);
    deps.events.add(&other.events);
    deps.derives.add(&other.derives);
    deps.nodes.add(&other.nodes);
    deps.faults.add(&other.faults);
    deps.knows |= other.knows;
}

/// What a node of this kind gives changes by time alone, or at the record after.
fn moves(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Window { window, .. }
        | NodeKind::CountEvent { window, .. }
        | NodeKind::CountStarts { window, .. }
        | NodeKind::Baseline { window, .. } => matches!(window, Window::Span { .. } | Window::Day),
        NodeKind::Total { .. }
        | NodeKind::Duration { .. }
        | NodeKind::Since { .. }
        | NodeKind::Age
        | NodeKind::SilentFor { .. }
        | NodeKind::AtLeast { .. }
        | NodeKind::Changed { .. }
        | NodeKind::Newly { .. } => true,
        NodeKind::HeldFor { .. }
        | NodeKind::HeldOf { .. }
        | NodeKind::Before { .. }
        | NodeKind::At { .. }
        | NodeKind::Stuck { .. } => false,
    }
}
