//! Content hashes: equal content, equal hash, whatever things are called (DESIGN section 5, "unchanged").
//!
//! A hash covers what a thing reads, transitively, through the hashes of those. Names, labels, titles, severities and texts
//! are left out; a changed range, unit or scale changes everything that depends on it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Compiler;
use crate::profile::{
    Cond, DeriveIdx, LimitIdx, NodeIdx, NodeKind, Num, SessionIdx, Signal, SlotHash, Window,
};

/// Hash of a text.
pub(super) fn of_text(text: &str) -> SlotHash {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// Hash of a signal: everything but its name, label and whether its text is stored.
pub(super) fn signal(signal: &Signal) -> SlotHash {
    let mut key = format!("signal {} ", signal.path);
    add(&mut key, &[signal.unit.scale, signal.scale, signal.offset]);
    if let Some((low, high)) = signal.range {
        add(&mut key, &[low, high]);
    }
    key.push_str(" no ");
    add(&mut key, &signal.no_value);
    key.push_str(" default ");
    add(&mut key, signal.default.as_slice());
    let rest = (
        signal.unit.dim,
        &signal.kind,
        signal.cadence,
        signal.stale_after,
    );
    push(&mut key, &rest);
    of_text(&key)
}

impl Compiler<'_, '_, '_> {
    /// Hash of a node.
    pub(super) fn hash_of(&self, kind: &NodeKind) -> SlotHash {
        let mut key = String::new();
        self.node_key(kind, &mut key);
        of_text(&key)
    }

    /// Content of a condition.
    pub(super) fn cond_key(&self, cond: &Cond, key: &mut String) {
        match cond {
            Cond::Const(truth) => push(key, truth),
            Cond::Signal(index) => tag(key, "truth", self.signals[*index].hash),
            Cond::Event(index) => push(key, &("event", &self.events[*index].path)),
            Cond::Running(index) => self.session_key("running", *index, key),
            Cond::Compare {
                op, left, right, ..
            } => {
                key.push_str(op.symbol());
                self.nums(&[left, right], key);
            }
            Cond::Within {
                value, low, high, ..
            } => {
                key.push_str("within");
                self.nums(&[value, low, high], key);
            }
            Cond::Node(node) => tag(key, "node", self.node_hash(*node)),
            Cond::BaselineReady(node) => tag(key, "ready", self.node_hash(*node)),
            Cond::Has(index) => tag(key, "has", self.signals[*index].hash),
            Cond::Invalid(index) => tag(key, "invalid", self.signals[*index].hash),
            Cond::Raised(index) => {
                let hash = self.faults[*index].get().map_or(0, |fault| fault.hash);
                tag(key, "raised", hash);
            }
            Cond::Not(inner) => self.conds("not", std::slice::from_ref(inner.as_ref()), key),
            Cond::All(list) => self.conds("all", list, key),
            Cond::Any(list) => self.conds("any", list, key),
            Cond::Requires { node, count, inner } => {
                tag(key, "requires", self.node_hash(*node));
                push(key, count);
                self.conds("", std::slice::from_ref(inner.as_ref()), key);
            }
        }
    }

    /// Content of a number.
    pub(super) fn num_key(&self, num: &Num, key: &mut String) {
        match num {
            Num::Const(value) => add(key, &[*value]),
            Num::Signal(index) => tag(key, "signal", self.signals[*index].hash),
            Num::Derive(index) => self.derive_key("derive", *index, key),
            Num::Limit(index) => self.limit_key(*index, key),
            Num::Node(node, field) => {
                tag(key, "node", self.node_hash(*node));
                push(key, field);
            }
            Num::Neg(inner) => {
                key.push_str("neg");
                self.nums(&[inner], key);
            }
            Num::Abs(inner) => {
                key.push_str("abs");
                self.nums(&[inner], key);
            }
            Num::Binary(op, left, right) => {
                push(key, op);
                self.nums(&[left, right], key);
            }
        }
    }

    fn node_key(&self, kind: &NodeKind, key: &mut String) {
        match kind {
            NodeKind::Window {
                func,
                input,
                window,
            } => {
                push(key, func);
                self.nums(&[input], key);
                self.window_key(*window, key);
            }
            NodeKind::CountEvent { event, window } => {
                push(key, &("count", &self.events[*event].path));
                self.window_key(*window, key);
            }
            NodeKind::CountStarts { cond, window } => {
                self.conds("starts", std::slice::from_ref(cond), key);
                self.window_key(*window, key);
            }
            NodeKind::Total { cond, window } => {
                self.conds("total", std::slice::from_ref(cond), key);
                self.window_key(*window, key);
            }
            NodeKind::HeldFor { cond, hold_ms } => {
                self.conds("held", std::slice::from_ref(cond), key);
                push(key, hold_ms);
            }
            NodeKind::HeldOf { cond, derive, k, n } => {
                self.conds("of", std::slice::from_ref(cond), key);
                self.derive_key("values", *derive, key);
                push(key, &(k, n));
            }
            NodeKind::Baseline { derive, window } => {
                self.derive_key("baseline", *derive, key);
                self.window_key(*window, key);
            }
            NodeKind::Duration { session } => self.session_key("duration", *session, key),
            NodeKind::Before {
                input,
                max_age_ms,
                session,
            } => {
                self.nums(&[input], key);
                self.session_key("before", *session, key);
                push(key, max_age_ms);
            }
            NodeKind::At {
                input,
                offset_ms,
                session,
            } => {
                self.nums(&[input], key);
                self.session_key("at", *session, key);
                push(key, offset_ms);
            }
            NodeKind::Changed { .. }
            | NodeKind::Stuck { .. }
            | NodeKind::Newly { .. }
            | NodeKind::Since { .. }
            | NodeKind::Age
            | NodeKind::SilentFor { .. }
            | NodeKind::AtLeast { .. } => self.small_key(kind, key),
        }
    }

    fn small_key(&self, kind: &NodeKind, key: &mut String) {
        match kind {
            NodeKind::Changed { input } => {
                key.push_str("changed");
                self.nums(&[input], key);
            }
            NodeKind::Stuck { input, span_ms } => {
                push(key, &("stuck", span_ms));
                self.nums(&[input], key);
            }
            NodeKind::Newly { signal, bit } => {
                tag(key, "newly", self.signals[*signal].hash);
                push(key, bit);
            }
            NodeKind::Since { event } => push(key, &("since", &self.events[*event].path)),
            NodeKind::SilentFor { signal } => {
                tag(key, "silent", self.signals[*signal].hash);
            }
            NodeKind::AtLeast { n, signs, span_ms } => {
                push(key, &("at_least", n, span_ms));
                self.conds("", signs, key);
            }
            _ => key.push_str("age"),
        }
    }

    fn window_key(&self, window: Window, key: &mut String) {
        match window {
            Window::Session(session) => self.session_key("in", session, key),
            Window::Span { .. } | Window::Last(_) | Window::Day => push(key, &window),
        }
    }

    fn limit_key(&self, index: LimitIdx, key: &mut String) {
        let limit = &self.limits[index];
        add(key, &[limit.default]);
        for (name, value) in limit.by_hw.iter().chain(&limit.by_region) {
            push(key, name);
            add(key, &[*value]);
        }
    }

    fn session_key(&self, what: &str, index: SessionIdx, key: &mut String) {
        let hash = self.sessions[index].get().map_or(0, |one| one.hash);
        tag(key, what, hash);
    }

    fn derive_key(&self, what: &str, index: DeriveIdx, key: &mut String) {
        let hash = self.derives[index].get().map_or(0, |one| one.hash);
        tag(key, what, hash);
    }

    fn node_hash(&self, index: NodeIdx) -> SlotHash {
        self.nodes.get(index).map_or(0, |node| node.hash)
    }

    fn nums(&self, list: &[&Num], key: &mut String) {
        key.push('(');
        for one in list {
            self.num_key(one, key);
            key.push(',');
        }
        key.push(')');
    }

    fn conds(&self, what: &str, list: &[Cond], key: &mut String) {
        key.push_str(what);
        key.push('{');
        for one in list {
            self.cond_key(one, key);
            key.push(',');
        }
        key.push('}');
    }
}

/// A hash with what it is of.
fn tag(key: &mut String, what: &str, hash: SlotHash) {
    push(key, &(what, hash));
}

/// Numbers bit for bit.
pub(super) fn add(key: &mut String, numbers: &[f64]) {
    for number in numbers {
        push(key, &number.to_bits());
    }
}

/// Plain data as its debug form: stable within a release's format version.
pub(super) fn push(key: &mut String, value: &impl std::fmt::Debug) {
    if write!(key, "{value:?};").is_err() {
        // Writing to a String does not fail.
        key.push('?');
    }
}
