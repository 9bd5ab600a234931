//! All devices by name: those at work stand open, the others are packed into a few bytes each.
//!
//! What a device remembers is a tree of lists; in memory it takes many times what its numbers need. Most devices of a large fleet
//! say something once a minute at most, so only the last few thousand that did anything are kept open. Leaves to `snapshot` what
//! is written to disk. Invariant: packing changes nothing: what is unpacked is what was packed, bit for bit, and when a device
//! is due is known without unpacking it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::body::Body;
use super::device::{Device, Head};
use super::plan::Plan;
use super::snapshot::Slot;
use super::squeeze::Squeezer;
use crate::sweep::Mark;
use crate::sweep::Marked;
use crate::sweep::Sweep;
use crate::sweep::Swept;
use crate::telemetry::{DeviceId, Timestamp};

/// Devices that stand open. One that is asked for beyond that takes the place of one that did nothing for long.
pub(super) const OPEN_LIMIT: usize = 4_096;

/// When a device wants to be looked at, by the journal's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// When something next comes due.
    pub(super) at: Option<Timestamp>,
    /// Under which time it stands in the detector's order of what is due: `at`, or an earlier one that is passed over.
    pub(super) filed: Option<Timestamp>,
}

/// All devices.
#[derive(Debug)]
pub(super) struct Devices {
    by_id: BTreeMap<DeviceId, Kept>,
    /// Those that stand open, the one that was opened first in front.
    open: VecDeque<DeviceId>,
    open_limit: usize,
    /// Devices whose bytes could not be read, which only a fault of our own can cause; they learn anew.
    lost: Vec<DeviceId>,
    /// What is to be saved.
    sweep: Sweep<DeviceCopy>,
}

#[derive(Debug)]
enum Kept {
    Open(Box<Device>),
    Packed(Packed),
}

#[derive(Clone, Debug)]
struct Packed {
    plan: Option<Arc<Plan>>,
    /// Shared with a copy that is to be saved.
    bytes: Arc<[u8]>,
    due: Due,
    mark: Mark,
}

/// A device as it was at a moment, cheap to make: its row is worked out later, on any thread.
#[derive(Clone, Debug)]
pub struct DeviceCopy {
    id: DeviceId,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(Packed),
    /// Of one that could not be packed.
    Row(Vec<u8>),
}

/// The content of a packed device; limits follow from its identity.
#[derive(Serialize)]
struct Content<'a> {
    head: &'a Head,
    body: &'a Body,
    loose: &'a [Slot],
}

#[derive(Deserialize)]
struct OwnContent {
    head: Head,
    body: Body,
    loose: Vec<Slot>,
}

impl Default for Devices {
    fn default() -> Self {
        Self::new(OPEN_LIMIT)
    }
}

impl Devices {
    /// No devices; at most so many will stand open.
    pub(super) fn new(open_limit: usize) -> Self {
        Self {
            by_id: BTreeMap::new(),
            open: VecDeque::new(),
            open_limit: open_limit.max(1),
            lost: Vec::new(),
            sweep: Sweep::default(),
        }
    }

    /// The device, opened; the only way to change one.
    pub(super) fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.before_change(id);
        match self.by_id.get(id)? {
            Kept::Open(_) => {}
            Kept::Packed(_) => self.open(id),
        }
        match self.by_id.get_mut(id)? {
            Kept::Open(device) => {
                device.used = true;
                Some(device)
            }
            Kept::Packed(_) => None,
        }
    }

    /// What `look` sees in the device, which stays as it is.
    pub(super) fn look<T>(&self, id: &DeviceId, look: impl FnOnce(&Device) -> T) -> Option<T> {
        Some(Self::look_at(id, self.by_id.get(id)?, look))
    }

    fn look_at<T>(id: &DeviceId, kept: &Kept, look: impl FnOnce(&Device) -> T) -> T {
        match kept {
            Kept::Open(device) => look(device),
            Kept::Packed(packed) => look(&packed.unpack(id).0),
        }
    }

    /// When it is due, without opening it.
    pub(super) fn due_mut(&mut self, id: &DeviceId) -> Option<&mut Due> {
        self.by_id.get_mut(id).map(|kept| match kept {
            Kept::Open(device) => &mut device.due,
            Kept::Packed(packed) => &mut packed.due,
        })
    }

    /// It is known.
    pub(super) fn has(&self, id: &DeviceId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Adds a device, or takes the place of the one of that name.
    pub(super) fn insert(&mut self, device: Device) {
        let id = device.id.clone();
        self.before_change(&id);
        self.make_room();
        if !matches!(self.by_id.get(&id), Some(Kept::Open(_))) {
            self.open.push_back(id.clone());
        }
        self.by_id.insert(id, Kept::Open(Box::new(device)));
    }

    /// Takes a device out; when it was due.
    pub(super) fn remove(&mut self, id: &DeviceId) -> Option<Due> {
        let due = *self.due_mut(id)?;
        self.before_change(id);
        if let Some(Kept::Open(_)) = self.by_id.remove(id) {
            self.open.retain(|open| open != id);
        }
        self.sweep.forget(id);
        Some(due)
    }

    /// All names, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &DeviceId> {
        self.by_id.keys()
    }

    /// What `look` sees in the devices from this one on, in order; no device is opened.
    pub(super) fn range<'a, T: 'a>(
        &'a self,
        from: Bound<&str>,
        look: impl Fn(&Device) -> T + 'a,
    ) -> impl Iterator<Item = (&'a DeviceId, T)> {
        self.by_id
            .range::<str, _>((from, Bound::Unbounded))
            .map(move |(id, kept)| (id, Self::look_at(id, kept, &look)))
    }

    /// Notes that the row of a device must be saved.
    pub(super) fn soil(&mut self, id: &DeviceId) {
        let mark = match self.by_id.get_mut(id) {
            Some(Kept::Open(device)) => &mut device.mark,
            Some(Kept::Packed(packed)) => &mut packed.mark,
            None => return,
        };
        self.sweep.soil(mark, id);
    }

    /// A row of the snapshot under way is not handed out yet.
    pub(super) fn is_left(&self) -> bool {
        self.sweep.is_left()
    }

    /// Devices that were lost since the last call.
    pub(super) fn take_lost(&mut self) -> Vec<DeviceId> {
        std::mem::take(&mut self.lost)
    }

    fn open(&mut self, id: &DeviceId) {
        self.make_room();
        let Some(kept) = self.by_id.get_mut(id) else {
            return;
        };
        if let Kept::Packed(packed) = kept {
            let (device, whole) = packed.unpack(id);
            *kept = Kept::Open(Box::new(device));
            self.open.push_back(id.clone());
            if !whole {
                self.lost.push(id.clone());
            }
        }
    }

    /// Packs devices until one more may be opened: the first in the row that was not used since it last came up.
    fn make_room(&mut self) {
        while self.open.len() >= self.open_limit {
            let Some(id) = self.open.pop_front() else {
                return;
            };
            let Some(kept) = self.by_id.get_mut(&id) else {
                continue;
            };
            if let Kept::Open(device) = kept {
                if std::mem::take(&mut device.used) {
                    self.open.push_back(id);
                } else if let Some(packed) = Packed::of(device) {
                    *kept = Kept::Packed(packed);
                }
            }
        }
    }
}

impl Swept for Devices {
    type Copy = DeviceCopy;

    fn sweep(&mut self) -> &mut Sweep<DeviceCopy> {
        &mut self.sweep
    }

    fn mark(&mut self, device: &DeviceId) -> Option<&mut Mark> {
        self.by_id.get_mut(device).map(|kept| match kept {
            Kept::Open(device) => &mut device.mark,
            Kept::Packed(packed) => &mut packed.mark,
        })
    }

    fn copy_marked(&mut self, device: &DeviceId, marked: Marked) -> Option<DeviceCopy> {
        let form = match self.by_id.get_mut(device)? {
            Kept::Open(device) => marked.take(&mut device.mark).then(|| {
                Packed::of(device).map_or_else(
                    || Form::Row(device.save(&mut Squeezer::default())),
                    Form::Packed,
                )
            }),
            Kept::Packed(packed) => marked
                .take(&mut packed.mark)
                .then(|| Form::Packed(packed.clone())),
        };
        let id = device.clone();
        form.map(|form| DeviceCopy { id, form })
    }
}

impl DeviceCopy {
    /// The device's row, as it is saved: some hundred microseconds.
    #[must_use]
    pub fn row(self, squeezer: &mut Squeezer) -> Vec<u8> {
        match self.form {
            Form::Packed(packed) => packed.unpack(&self.id).0.save(squeezer),
            Form::Row(row) => row,
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.bytes.len(),
            Form::Row(row) => row.len(),
        }
    }
}

impl Packed {
    /// The device in few bytes; `None` when it cannot be written, which plain lists and numbers always can.
    fn of(device: &Device) -> Option<Self> {
        let content = Content {
            head: &device.head,
            body: &device.body,
            loose: &device.loose,
        };
        Some(Self {
            plan: device.plan.clone(),
            // Not squeezed: that takes ten times as long, which a fleet of thousands that all speak every second has not.
            bytes: postcard::to_stdvec(&content).ok()?.into(),
            due: device.due,
            mark: device.mark,
        })
    }

    /// The device again; a fresh one and `false` when the bytes cannot be read.
    fn unpack(&self, id: &DeviceId) -> (Device, bool) {
        let mut device = Device::new(id.clone(), "", None);
        let content = postcard::from_bytes::<OwnContent>(&self.bytes).ok();
        let whole = content.is_some();
        if let Some(content) = content {
            device.head = content.head;
            device.body = content.body;
            device.loose = content.loose;
        } else if let Some(plan) = &self.plan {
            device.body = Body::new(plan, &device.head.identity);
        }
        if let Some(plan) = &self.plan {
            device.body.resolve_limits(plan, &device.head.identity);
        }
        device.plan.clone_from(&self.plan);
        device.due = self.due;
        device.mark = self.mark;
        (device, whole)
    }
}
