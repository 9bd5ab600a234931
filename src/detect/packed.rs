//! A packed device: its row on disk, and the few things that are asked of it without unpacking it.
//!
//! Leaves what the bytes are to `snapshot`, and which devices are packed to `devices`. Invariant: what is unpacked is what was packed,
//! bit for bit, and knows what it was left untold.

use std::sync::Arc;

use smol_str::SmolStr;

use super::device::{Device, Head};
use super::devices::Due;
use super::plan::Plan;
use super::snapshot::Front;
use super::squeeze::Squeezer;
use crate::sweep::Mark;
use crate::telemetry::DeviceId;

/// A device that does nothing at the moment.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// Its rules.
    pub(super) plan: Option<Arc<Plan>>,
    /// Its row, as it was when it was packed. Shared with a copy that is to be saved.
    bytes: Arc<[u8]>,
    /// When it wants to be looked at.
    pub(super) due: Due,
    /// Whether its row is to be saved.
    pub(super) mark: Mark,
    /// It is not judged.
    pub(super) frozen: bool,
    /// Over which source it was last heard.
    pub(super) source: SmolStr,
    /// Its source is away as far as it knows.
    away: bool,
    /// Nothing comes due when its source is back, before it speaks.
    quiet: bool,
    /// What it does not know yet, in order.
    asides: Vec<Aside>,
}

/// What happens to all devices of a source at once. A packed device is told when it is opened or saved: to open a large fleet for
/// each reconnection would hold up everything else for seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    /// We went away, or its source did, at this moment of the journal.
    Away(i64),
    /// Its source is back.
    Back(i64),
}

/// What became of an aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It must be told now.
    Not,
    /// It will be told later; nothing is due for it until it speaks.
    Later,
    /// It is no news to it.
    Known,
}

/// Most that a packed device is left untold; with one more it is opened.
const ASIDE_LIMIT: usize = 8;

/// A device as it was at a moment, cheap to make: its row is worked out later, on any thread.
#[derive(Clone, Debug)]
pub struct DeviceCopy(Form);

#[derive(Clone, Debug)]
enum Form {
    Row(Arc<[u8]>),
    /// Of one that was packed and is to be told something first.
    Untold(DeviceId, Box<Packed>),
    /// Of one that stood open: its row before it is squeezed.
    Content(Vec<u8>),
}

impl Packed {
    /// The device in few bytes; `None` when there is no memory for it.
    pub(super) fn of(device: &Device, squeezer: &mut Squeezer) -> Option<Self> {
        Some(Self {
            plan: device.plan.clone(),
            bytes: device.save(squeezer)?.into(),
            due: device.due,
            mark: device.mark,
            frozen: device.head.frozen,
            source: device.head.source.clone(),
            away: device.head.is_away(),
            quiet: device.is_quiet(),
            asides: Vec::new(),
        })
    }

    /// The device again; a fresh one and `false` when the bytes cannot be read.
    pub(super) fn unpack(&self, id: &DeviceId, squeezer: &mut Squeezer) -> (Device, bool) {
        let read = Device::unpack(id.clone(), &self.bytes, self.plan.clone(), squeezer);
        let whole = read.is_some();
        let mut device = read.unwrap_or_else(|| Device::new(id.clone(), "", self.plan.clone()));
        device.due = self.due;
        device.mark = self.mark;
        for aside in &self.asides {
            match aside {
                Aside::Away(at) => device.blind_from(*at),
                Aside::Back(at) => device.source_up(*at),
            }
        }
        (device, whole)
    }

    /// As its row has it.
    pub(super) fn of_row(plan: Option<Arc<Plan>>, row: &[u8], front: &Front) -> Self {
        Self {
            plan,
            bytes: row.into(),
            due: Due::default(),
            mark: Mark::default(),
            frozen: front.head.frozen,
            source: front.head.source.clone(),
            away: front.head.is_away(),
            quiet: front.quiet,
            asides: Vec::new(),
        }
    }

    /// Whether this is true of what is remembered whatever the profile.
    pub(super) fn is(&self, wanted: impl Fn(&Head) -> bool, squeezer: &mut Squeezer) -> bool {
        Device::peek(&self.bytes, squeezer).is_some_and(|front| wanted(&front.head))
    }

    /// Leaves something for later that it need not be opened for.
    pub(super) fn set_aside(&mut self, aside: Aside) -> Told {
        let away = matches!(aside, Aside::Away(_));
        if self.away == away {
            return Told::Known;
        }
        if self.asides.len() >= ASIDE_LIMIT || !(away || self.quiet) {
            return Told::Not;
        }
        self.away = away;
        self.asides.push(aside);
        Told::Later
    }

    /// It as it is now.
    pub(super) fn copy(&self, id: &DeviceId) -> DeviceCopy {
        DeviceCopy(if self.asides.is_empty() {
            Form::Row(Arc::clone(&self.bytes))
        } else {
            Form::Untold(id.clone(), Box::new(self.clone()))
        })
    }
}

impl DeviceCopy {
    /// Of a device that stands open.
    pub(super) fn of(device: &Device) -> Self {
        Self(Form::Content(device.content()))
    }

    /// The device's row, as it is saved; `None` when there is no memory to squeeze it.
    #[must_use]
    pub fn row(self, squeezer: &mut Squeezer) -> Option<Vec<u8>> {
        match self.0 {
            Form::Row(row) => Some(row.to_vec()),
            Form::Untold(id, packed) => packed.unpack(&id, squeezer).0.save(squeezer),
            Form::Content(content) => Device::row_of(&content, squeezer),
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Form::Row(row) => row.len(),
            Form::Untold(_, packed) => packed.bytes.len(),
            Form::Content(content) => content.len(),
        }
    }
}
