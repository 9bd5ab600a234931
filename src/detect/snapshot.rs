//! A device's state as bytes, and back: as it lies in memory while it is packed, and on disk.
//!
//! Leaves the disk to `checkpoint`, how rules find their state again to `slots`. Invariant: numbers come back bit for bit; what was
//! damaged is refused, and the device returns to Learning.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body::{Body, EventState, NodeSlot};
use super::derive::DeriveState;
use super::device::{Device, Head};
use super::devices::Due;
use super::fault::FaultSlot;
use super::plan::Plan;
use super::session::SessionState;
use super::signal::SignalState;
use super::slots::{Layout, Slot, fill, slots};
use super::squeeze::{Squeezer, expand_before};
use crate::telemetry::{DeviceId, Timestamp};

/// The form of the bytes. A release reads this one and the one before it.
const FORMAT: u16 = 3;
/// The form before: a slot for each rule, and the values of windows in another form; they learn anew.
const FORMAT_BEFORE: u16 = 2;

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
    /// What the rows have in common.
    #[error("the places of the rules in the saved state cannot be read")]
    Layouts,
    /// Damaged.
    #[error("the state of {device} cannot be read")]
    Damaged {
        /// Whose.
        device: DeviceId,
    },
}

/// What stands in front: enough to know a device without unpacking it.
#[derive(Serialize, Deserialize)]
pub(super) struct Front {
    /// Of the rules that the state belongs to; 0 where there are none.
    pub(super) layout: u64,
    /// When the device next wants to be looked at, by the journal's time.
    pub(super) due: Option<Timestamp>,
    /// [`Device::is_quiet`].
    pub(super) quiet: bool,
    pub(super) head: Head,
}

/// What a device remembers, by the places of its rules. The nodes come last, by themselves: their form changes most often.
#[derive(Serialize)]
struct Learnt<'a> {
    signals: &'a [SignalState],
    events: &'a [EventState],
    sessions: &'a [SessionState],
    derives: &'a [DeriveState],
    faults: &'a [FaultSlot],
    online: bool,
    first_seen: i64,
    loose: &'a [Slot],
}

#[derive(Deserialize)]
struct OwnLearnt {
    signals: Vec<SignalState>,
    events: Vec<EventState>,
    sessions: Vec<SessionState>,
    derives: Vec<DeriveState>,
    faults: Vec<FaultSlot>,
    online: bool,
    first_seen: i64,
    loose: Vec<Slot>,
}

/// A row as it was read.
pub(super) enum Row {
    /// It belongs to the rules that are in force and may stay packed; what stands in front of it.
    Packed(Box<Front>),
    /// It had to be brought to other rules.
    Moved(Box<Device>),
}

impl Device {
    /// The device in few bytes; `None` when there is no memory for it.
    pub(super) fn save(&self, squeezer: &mut Squeezer) -> Option<Vec<u8>> {
        Self::row_of(&self.content(), squeezer)
    }

    /// The row of a device of which this is the content.
    pub(super) fn row_of(content: &[u8], squeezer: &mut Squeezer) -> Option<Vec<u8>> {
        squeezer.squeeze(&FORMAT.to_le_bytes(), content)
    }

    /// What [`Self::save`] squeezes.
    ///
    /// # Panics
    /// Never: plain lists and numbers always encode.
    pub(super) fn content(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct All<'a>(u64, Option<Timestamp>, bool, &'a Head, Learnt<'a>, &'a [NodeSlot]);
        let body = &self.body;
        let all = All(
            self.plan.as_ref().map_or(0, |plan| plan.layout.hash()),
            self.due.at,
            self.is_quiet(),
            &self.head,
            Learnt {
                signals: &body.signals,
                events: &body.events,
                sessions: &body.sessions,
                derives: &body.derives,
                faults: &body.faults,
                online: body.online,
                first_seen: body.first_seen,
                loose: &self.loose,
            },
            &body.nodes,
        );
        postcard::to_stdvec(&all).expect("plain lists and numbers always encode")
    }

    /// The device that was saved, with the rules that it was saved with; limits follow from its identity.
    pub(super) fn unpack(
        id: DeviceId,
        bytes: &[u8],
        plan: Option<Arc<Plan>>,
        squeezer: &mut Squeezer,
    ) -> Option<Self> {
        let content = squeezer.expand(bytes.get(FORMAT.to_le_bytes().len()..)?)?;
        let (front, rest) = postcard::take_from_bytes::<Front>(&content).ok()?;
        let mut device = Self::of_front(id, front);
        let (body, loose) = body(rest)?;
        (device.body, device.loose) = (body, loose);
        if let Some(plan) = &plan {
            if !plan.layout.fits(&device.body) {
                return None;
            }
            device.body.resolve_limits(plan, &device.head.identity);
        }
        device.plan = plan;
        Some(device)
    }

    /// What stands in front of a packed device.
    pub(super) fn peek(bytes: &[u8], squeezer: &mut Squeezer) -> Option<Front> {
        let content = squeezer.expand(bytes.get(FORMAT.to_le_bytes().len()..)?)?;
        postcard::take_from_bytes(&content).ok().map(|read| read.0)
    }

    fn of_front(id: DeviceId, front: Front) -> Self {
        let mut device = Self::new(id, "", None);
        device.head = front.head;
        device.due = Due {
            at: front.due,
            filed: None,
        };
        device
    }

    /// Reads a row of the disk. `layouts` are those of the rules in force when it was written. State waits for its rules where
    /// there are none.
    pub(super) fn load(
        id: &DeviceId,
        bytes: &[u8],
        plan: Option<Arc<Plan>>,
        layouts: &[Layout],
        squeezer: &mut Squeezer,
        alerts: &mut Vec<String>,
    ) -> Result<Row, RestoreError> {
        let damaged = || RestoreError::Damaged { device: id.clone() };
        let (format, rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        let found = u16::from_le_bytes(*format);
        if found == FORMAT_BEFORE {
            return Self::load_before(id, rest, plan, alerts).ok_or_else(damaged);
        }
        if found != FORMAT {
            let device = id.clone();
            return Err(RestoreError::Format { device, found });
        }
        let content = squeezer.expand(rest).ok_or_else(damaged)?;
        let (front, rest) = postcard::take_from_bytes::<Front>(&content).map_err(|_| damaged())?;
        if front.layout == plan.as_ref().map_or(0, |plan| plan.layout.hash()) {
            return Ok(Row::Packed(Box::new(front)));
        }
        let layout = layouts.iter().find(|one| one.hash() == front.layout);
        let mut device = Self::of_front(id.clone(), front);
        let (body, mut loose) = body(rest).ok_or_else(damaged)?;
        if let Some(layout) = layout.filter(|layout| layout.fits(&body)) {
            loose = slots(layout, &body);
        } else if !body.is_empty() {
            alerts.push(format!(
                "{id}: the rules that its state belongs to are not known; it learns anew"
            ));
        }
        device.loose = loose;
        Ok(device.moved(plan, alerts))
    }

    /// A row of the release before this one.
    fn load_before(
        id: &DeviceId,
        bytes: &[u8],
        plan: Option<Arc<Plan>>,
        alerts: &mut Vec<String>,
    ) -> Option<Row> {
        let content = expand_before(bytes)?;
        let (check, head, mut slots): (u64, Vec<u8>, Vec<Slot>) =
            postcard::from_bytes(&content).ok()?;
        if super::slots::sum(&head) != check {
            return None;
        }
        slots.retain(|slot| !slot.is_of_node());
        alerts.push(format!(
            "{id}: its windows were saved by an earlier release; they learn anew"
        ));
        let head: Head = postcard::from_bytes(&head).ok()?;
        let mut device = Self::new(id.clone(), &head.source, None);
        device.head = head;
        device.loose = slots;
        Some(device.moved(plan, alerts))
    }

    fn moved(mut self, plan: Option<Arc<Plan>>, alerts: &mut Vec<String>) -> Row {
        if let Some(plan) = plan {
            let unsettled = self.head.unsettled;
            let whole = self.adopt(plan, alerts);
            self.head.unsettled = unsettled || !whole;
        }
        Row::Moved(Box::new(self))
    }

    /// Moves to another layout: slots with an equal hash keep their state, all others begin anew.
    ///
    /// True when every slot could be read.
    pub(super) fn adopt(&mut self, plan: Arc<Plan>, alerts: &mut Vec<String>) -> bool {
        let slots = match &self.plan {
            Some(old) => slots(&old.layout, &self.body),
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
            self.loose = slots(&plan.layout, &self.body);
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

/// What a device remembers, and what waits for its rules.
fn body(bytes: &[u8]) -> Option<(Body, Vec<Slot>)> {
    let (learnt, rest) = postcard::take_from_bytes::<OwnLearnt>(bytes).ok()?;
    let body = Body {
        signals: learnt.signals,
        events: learnt.events,
        sessions: learnt.sessions,
        derives: learnt.derives,
        faults: learnt.faults,
        nodes: all(rest)?,
        limits: Vec::new(),
        online: learnt.online,
        first_seen: learnt.first_seen,
    };
    Some((body, learnt.loose))
}

fn all<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
