//! State by rule: how a rule finds its state again when a profile was edited.
//!
//! Leaves the bytes of a whole device to `snapshot`. Invariant: state goes to rules with an equal content hash, that of a fault to the
//! fault of that name; a slot that cannot be read is left out alone, and so returns to Learning.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::body::Body;
use super::plan::Plan;
use crate::profile::{Program, RuleState};

/// What a slot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SlotKind {
    Signal,
    Session,
    Derive,
    Node,
    Fault,
    Event,
}

/// The state of one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    kind: SlotKind,
    hash: u64,
    /// Of faults and events, which are found by name: an open ticket outlives a changed limit.
    name: Option<SmolStr>,
    bytes: Vec<u8>,
    /// Of the bytes: damaged ones may still read as something.
    sum: u64,
}

impl Slot {
    /// It belongs to a function of a condition.
    pub(super) fn is_of_node(&self) -> bool {
        self.kind == SlotKind::Node
    }

    /// The state, if its bytes are whole.
    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        (sum(&self.bytes) == self.sum)
            .then(|| postcard::from_bytes(&self.bytes).ok())
            .flatten()
    }
}

/// FNV-1a: enough to notice a damaged disk.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing into a vector cannot fail; were it to, the slot would be unreadable and learn anew.
    postcard::to_stdvec(value).unwrap_or_default()
}

/// Which rule has which place, and by what it is found again when places change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    hash: u64,
    rules: Vec<Rule>,
}

/// A rule, as its state knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rule {
    kind: SlotKind,
    hash: u64,
    /// Of faults and events, which are found by name: an open ticket outlives a changed limit.
    name: Option<SmolStr>,
    /// A fault that is off keeps nothing.
    off: bool,
}

impl Layout {
    /// Of a profile's rules.
    pub(super) fn of(program: &Program) -> Self {
        let rule = |kind, hash, name: Option<&SmolStr>, off| Rule {
            kind,
            hash,
            name: name.cloned(),
            off,
        };
        let plain = |kind| move |hash: &u64| rule(kind, *hash, None, false);
        let (signals, events) = (program.signals.iter(), program.events.iter());
        let rules: Vec<Rule> = (signals.map(|one| &one.hash).map(plain(SlotKind::Signal)))
            .chain(events.map(|one| rule(SlotKind::Event, 0, Some(&one.path), false)))
            .chain((program.sessions.iter().map(|one| &one.hash)).map(plain(SlotKind::Session)))
            .chain((program.derives.iter().map(|one| &one.hash)).map(plain(SlotKind::Derive)))
            .chain((program.nodes.iter().map(|one| &one.hash)).map(plain(SlotKind::Node)))
            .chain(program.faults.iter().map(|one| {
                let off = one.state == RuleState::Off;
                rule(SlotKind::Fault, one.hash, Some(&one.name), off)
            }))
            .collect();
        // 0 stands for no rules at all.
        let hash = sum(&encode(&rules)).max(1);
        Self { hash, rules }
    }

    /// Tells it from others.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The body has a place for each rule.
    pub(super) fn fits(&self, body: &Body) -> bool {
        let count = |kind| self.rules.iter().filter(|rule| rule.kind == kind).count();
        [
            (SlotKind::Signal, body.signals.len()),
            (SlotKind::Event, body.events.len()),
            (SlotKind::Session, body.sessions.len()),
            (SlotKind::Derive, body.derives.len()),
            (SlotKind::Node, body.nodes.len()),
            (SlotKind::Fault, body.faults.len()),
        ]
        .into_iter()
        .all(|(kind, len)| count(kind) == len)
    }
}

/// The state of each rule by itself.
pub(super) fn slots(layout: &Layout, body: &Body) -> Vec<Slot> {
    let states = (body.signals.iter().map(encode))
        .chain(body.events.iter().map(encode))
        .chain(body.sessions.iter().map(encode))
        .chain(body.derives.iter().map(encode))
        .chain(body.nodes.iter().map(encode))
        .chain(body.faults.iter().map(encode));
    (layout.rules.iter().zip(states))
        .filter(|(rule, _)| !rule.off)
        .map(|(rule, bytes)| Slot {
            kind: rule.kind,
            hash: rule.hash,
            name: rule.name.clone(),
            sum: sum(&bytes),
            bytes,
        })
        .collect()
}

/// Where the next slot of each kind is expected: slots are written in the order of the rules.
#[derive(Default)]
struct Next {
    signal: usize,
    event: usize,
    session: usize,
    derive: usize,
    node: usize,
}

/// Puts slots where their rules are; how many could not be read.
pub(super) fn fill(plan: &Plan, body: &mut Body, slots: &[Slot]) -> usize {
    let program = &plan.program;
    let mut next = Next::default();
    let mut unreadable = 0;
    for slot in slots {
        let same = |hash: Option<u64>| hash == Some(slot.hash);
        let read = match slot.kind {
            SlotKind::Signal => put(
                slot,
                &mut next.signal,
                |at| same(program.signals.get(at).map(|rule| rule.hash)),
                &mut body.signals,
            ),
            SlotKind::Event => put(
                slot,
                &mut next.event,
                |at| {
                    let rule = program.events.get(at);
                    rule.is_some_and(|rule| Some(&rule.path) == slot.name.as_ref())
                },
                &mut body.events,
            ),
            SlotKind::Session => put(
                slot,
                &mut next.session,
                |at| same(program.sessions.get(at).map(|rule| rule.hash)),
                &mut body.sessions,
            ),
            SlotKind::Derive => put(
                slot,
                &mut next.derive,
                |at| same(program.derives.get(at).map(|rule| rule.hash)),
                &mut body.derives,
            ),
            SlotKind::Node => put(
                slot,
                &mut next.node,
                |at| same(program.nodes.get(at).map(|rule| rule.hash)),
                &mut body.nodes,
            ),
            SlotKind::Fault => fault(plan, body, slot),
        };
        unreadable += usize::from(!read);
    }
    unreadable
}

/// Reads a state into the slot where it is expected, or else into every slot of its rule. False when it could not be read.
fn put<T: DeserializeOwned + Clone>(
    from: &Slot,
    next: &mut usize,
    wanted: impl Fn(usize) -> bool,
    into: &mut [T],
) -> bool {
    let expected = *next;
    *next += 1;
    if wanted(expected) {
        let (Some(state), Some(slot)) = (from.read(), into.get_mut(expected)) else {
            return false;
        };
        *slot = state;
        return true;
    }
    let mut state = None;
    for (at, slot) in into.iter_mut().enumerate() {
        if !wanted(at) {
            continue;
        }
        if state.is_none() {
            let Some(read) = from.read::<T>() else {
                return false;
            };
            state = Some(read);
        }
        if let Some(state) = &state {
            slot.clone_from(state);
        }
    }
    true
}

/// A fault keeps its state when its rule is the same; when the rule was changed, only what a ticket hangs on.
fn fault(plan: &Plan, body: &mut Body, slot: &Slot) -> bool {
    let place = plan
        .program
        .faults
        .iter()
        .position(|rule| Some(&rule.name) == slot.name.as_ref());
    let Some((rule, state)) = place.and_then(|at| {
        let rule = plan.program.faults.get(at)?;
        Some((rule, body.faults.get_mut(at)?))
    }) else {
        return true;
    };
    let Some(read) = slot.read::<super::fault::FaultSlot>() else {
        return false;
    };
    *state = if rule.hash == slot.hash {
        read
    } else {
        read.after_change(rule)
    };
    true
}
