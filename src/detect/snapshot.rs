//! A device's state as bytes, and back: per slot, keyed by content hash.
//!
//! Leaves the disk to `checkpoint`. Invariant: numbers come back bit for bit; a slot that cannot be read is left out alone, and so
//! returns to Learning; the same way carries state from one version of a profile to the next.

use std::sync::Arc;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::Body;
use super::device::{Device, Head};
use super::plan::Plan;
use super::squeeze::{Squeezer, expand};
use crate::profile::RuleState;
use crate::telemetry::DeviceId;

/// The form of the bytes. A release reads this one and the one before it.
const FORMAT: u16 = 2;
/// The form before: not squeezed, and the values of windows in another form; they learn anew.
const FORMAT_BEFORE: u16 = 1;

/// The bytes are not a device's state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RestoreError {
    /// Another form than this release reads.
    #[error("the state of {device} has format {found}; this release reads {FORMAT}")]
    Format {
        /// Whose.
        device: DeviceId,
        /// Its format.
        found: u16,
    },
    /// Damaged beyond its slots.
    #[error("the state of {device} cannot be read")]
    Damaged {
        /// Whose.
        device: DeviceId,
    },
}

/// What a slot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) enum SlotKind {
    Signal,
    Session,
    Derive,
    Node,
    Fault,
    Event,
}

/// The state of one rule.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub(super) struct Slot {
    kind: SlotKind,
    hash: u64,
    /// Of faults and events, which are found by name: an open ticket outlives a changed limit.
    name: Option<smol_str::SmolStr>,
    bytes: Vec<u8>,
    /// Of the bytes: damaged ones may still read as something.
    sum: u64,
}

impl Slot {
    /// The state, if its bytes are whole.
    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        (sum(&self.bytes) == self.sum)
            .then(|| postcard::from_bytes(&self.bytes).ok())
            .flatten()
    }
}

/// FNV-1a: enough to notice a damaged disk.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Device {
    /// The device's row: the format, and squeezed the checksum of the head, the head and the slots.
    pub(super) fn save(&self, squeezer: &mut Squeezer) -> Vec<u8> {
        let mut content = Vec::new();
        let head = encode(&self.head);
        append(&mut content, &(sum(&head), head));
        if let Some(plan) = &self.plan {
            // As a list of slots is encoded, without making one: how many there are, then one after the other.
            let (mut count, mut slots) = (0_usize, Vec::new());
            each_slot(plan, &self.body, |kind, hash, name, bytes| {
                count += 1;
                append(&mut slots, &(kind, hash, name, bytes.len()));
                slots.extend_from_slice(bytes);
                append(&mut slots, &sum(bytes));
            });
            append(&mut content, &count);
            content.extend_from_slice(&slots);
        } else {
            append(&mut content, &self.loose);
        }
        let mut row = FORMAT.to_le_bytes().to_vec();
        squeezer.squeeze(&content, &mut row);
        row
    }

    /// Reads a row. Slots wait for their rules where there are none.
    pub(super) fn load(
        id: DeviceId,
        bytes: &[u8],
        plan: Option<Arc<Plan>>,
        alerts: &mut Vec<String>,
    ) -> Result<Self, RestoreError> {
        let damaged = || RestoreError::Damaged { device: id.clone() };
        let (format, rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        let found = u16::from_le_bytes(*format);
        if found != FORMAT && found != FORMAT_BEFORE {
            return Err(RestoreError::Format { device: id, found });
        }
        let content = if found == FORMAT_BEFORE {
            rest.to_vec()
        } else {
            expand(rest).ok_or_else(damaged)?
        };
        let (check, head, mut slots): (u64, Vec<u8>, Vec<Slot>) =
            postcard::from_bytes(&content).map_err(|_| damaged())?;
        if sum(&head) != check {
            return Err(damaged());
        }
        let head: Head = postcard::from_bytes(&head).map_err(|_| damaged())?;
        if found == FORMAT_BEFORE {
            slots.retain(|slot| slot.kind != SlotKind::Node);
            alerts.push(format!(
                "{id}: its windows were saved by an earlier release; they learn anew"
            ));
        }
        let mut device = Self::new(id, &head.source, None);
        device.head = head;
        device.loose = slots;
        if let Some(plan) = plan {
            let unsettled = device.head.unsettled;
            let whole = device.adopt(plan, alerts);
            device.head.unsettled = unsettled || !whole;
        }
        Ok(device)
    }

    /// Moves to another layout: slots with an equal hash keep their state, all others begin anew.
    ///
    /// True when every slot could be read.
    pub(super) fn adopt(&mut self, plan: Arc<Plan>, alerts: &mut Vec<String>) -> bool {
        let slots = match &self.plan {
            Some(old) => slots(old, &self.body),
            None => std::mem::take(&mut self.loose),
        };
        self.body = Body::new(&plan, &self.head.identity);
        self.body.first_seen = self.head.first_seen;
        self.body.online = self.head.online != Some(false);
        let unreadable = fill(&plan, &mut self.body, &slots);
        if unreadable > 0 {
            alerts.push(format!(
                "{}: the state of {unreadable} rules could not be read; they learn anew",
                self.id
            ));
        }
        self.plan = Some(plan);
        self.head.unsettled = true;
        unreadable == 0
    }

    /// Its rules are gone: what was learnt waits for them to come back.
    pub(super) fn abandon(&mut self) {
        if let Some(plan) = self.plan.take() {
            self.loose = slots(&plan, &self.body);
            self.body = Body::default();
        }
    }

    /// Drops all that was learnt; who the device is stays, and what the desk was told.
    pub(super) fn forget_state(&mut self) {
        if let Some(plan) = self.plan.clone() {
            let faults = std::mem::take(&mut self.body.faults);
            self.body = Body::new(&plan, &self.head.identity);
            for ((rule, old), new) in plan
                .program
                .faults
                .iter()
                .zip(faults)
                .zip(&mut self.body.faults)
            {
                *new = old.after_change(rule);
            }
            self.body.first_seen = self.head.first_seen;
            self.body.online = self.head.online != Some(false);
        }
        self.loose.clear();
        self.head.unsettled = true;
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing into a vector cannot fail; were it to, the slot would be unreadable and learn anew.
    postcard::to_stdvec(value).unwrap_or_default()
}

/// Encodes at the end of a buffer; writing into one cannot fail.
fn append<T: Serialize + ?Sized>(onto: &mut Vec<u8>, value: &T) {
    struct Onto<'a>(&'a mut Vec<u8>);
    impl Flavor for Onto<'_> {
        type Output = ();

        fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
            self.0.extend_from_slice(data);
            Ok(())
        }

        fn try_push(&mut self, data: u8) -> postcard::Result<()> {
            self.0.push(data);
            Ok(())
        }

        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    let before = onto.len();
    if postcard::serialize_with_flavor(value, Onto(onto)).is_err() {
        // Were it to fail, the slot would be unreadable and learn anew.
        onto.truncate(before);
    }
}

fn slots(plan: &Plan, body: &Body) -> Vec<Slot> {
    let mut slots = Vec::new();
    each_slot(plan, body, |kind, hash, name, bytes| {
        slots.push(Slot {
            kind,
            hash,
            name: name.cloned(),
            sum: sum(bytes),
            bytes: bytes.to_vec(),
        });
    });
    slots
}

/// Gives each slot's kind, hash, name and state, in the order of the rules.
fn each_slot(
    plan: &Plan,
    body: &Body,
    mut give: impl FnMut(SlotKind, u64, Option<&smol_str::SmolStr>, &[u8]),
) {
    let program = &plan.program;
    let mut bytes = Vec::new();
    for (rule, state) in program.signals.iter().zip(&body.signals) {
        give(SlotKind::Signal, rule.hash, None, anew(&mut bytes, state));
    }
    for (rule, state) in program.events.iter().zip(&body.events) {
        give(
            SlotKind::Event,
            0,
            Some(&rule.path),
            anew(&mut bytes, state),
        );
    }
    for (rule, state) in program.sessions.iter().zip(&body.sessions) {
        give(SlotKind::Session, rule.hash, None, anew(&mut bytes, state));
    }
    for (rule, state) in program.derives.iter().zip(&body.derives) {
        give(SlotKind::Derive, rule.hash, None, anew(&mut bytes, state));
    }
    for (rule, state) in program.nodes.iter().zip(&body.nodes) {
        give(SlotKind::Node, rule.hash, None, anew(&mut bytes, state));
    }
    for (rule, state) in program.faults.iter().zip(&body.faults) {
        if rule.state != RuleState::Off {
            let bytes = anew(&mut bytes, state);
            give(SlotKind::Fault, rule.hash, Some(&rule.name), bytes);
        }
    }
}

/// The value's bytes, in place of what the buffer held.
fn anew<'a, T: Serialize>(buffer: &'a mut Vec<u8>, value: &T) -> &'a [u8] {
    buffer.clear();
    append(buffer, value);
    buffer
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
fn fill(plan: &Plan, body: &mut Body, slots: &[Slot]) -> usize {
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
