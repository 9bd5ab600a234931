//! All devices by name: those at work stand open, the others are packed into a few bytes each.
//!
//! What a device remembers is a tree of lists; in memory it takes many times what its numbers need. Most devices of a large fleet
//! say something once a minute at most, so only the last few thousand that did anything are kept open. A packed device is just what
//! its row on disk is, so that neither a start nor a snapshot has to unpack it. Leaves to `snapshot` what the bytes are. Invariant:
//! packing changes nothing: what is unpacked is what was packed, bit for bit, and when a device is due is known without unpacking it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use smol_str::SmolStr;

use super::device::{Device, Head};
use super::packed::{Aside, DeviceCopy, Packed, Told};
use super::plan::Plan;
use super::snapshot::Front;
use super::squeeze::Squeezer;
use crate::sweep::Mark;
use crate::sweep::Marked;
use crate::sweep::Sweep;
use crate::sweep::Swept;
use crate::telemetry::{DeviceId, Timestamp};

/// Devices that stand open unless told. One that is asked for beyond that takes the place of one that did nothing for long.
pub const OPEN_LIMIT: usize = 4_096;

/// How many devices stand open, and how often one had to be unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenDevices {
    /// Those that stand open now.
    pub now: usize,
    /// How often one was unpacked so far, which costs several times as much as judging a message.
    pub unpacked: u64,
}

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
    unpacked: u64,
    /// Devices whose bytes could not be read, which only a fault of our own can cause; they learn anew.
    lost: Vec<DeviceId>,
    squeezer: Squeezer,
    /// What is to be saved.
    sweep: Sweep<DeviceCopy>,
}

#[derive(Debug)]
enum Kept {
    Open(Box<Device>),
    Packed(Packed),
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
            unpacked: 0,
            lost: Vec::new(),
            squeezer: Squeezer::default(),
            sweep: Sweep::default(),
        }
    }

    /// At most so many stand open from here on.
    pub(super) fn set_open_limit(&mut self, limit: usize) {
        self.open_limit = limit.max(1);
        self.pack_down_to(self.open_limit);
    }

    /// How many stand open, and how often one was unpacked.
    pub(super) fn opened(&self) -> OpenDevices {
        OpenDevices {
            now: self.open.len(),
            unpacked: self.unpacked,
        }
    }

    /// The device, opened. This and [`Self::due_mut`] are the only ways to change one.
    pub(super) fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Device> {
        self.before_change(id);
        if matches!(self.by_id.get(id)?, Kept::Packed(_)) {
            self.open(id);
        }
        self.standing_open(id)
    }

    /// It stands open.
    fn standing_open(&mut self, id: &DeviceId) -> Option<&mut Device> {
        match self.by_id.get_mut(id)? {
            Kept::Open(device) => {
                device.used = true;
                Some(device)
            }
            Kept::Packed(_) => None,
        }
    }

    /// The device, opened, or else this new one.
    pub(super) fn get_or_insert(
        &mut self,
        id: &DeviceId,
        new: impl FnOnce() -> Device,
    ) -> Option<&mut Device> {
        self.before_change(id);
        match self.by_id.get(id) {
            Some(Kept::Open(_)) => {}
            Some(Kept::Packed(_)) => self.open(id),
            None => self.insert(new()),
        }
        self.standing_open(id)
    }

    /// What `look` sees in the device, which stays as it is.
    pub(super) fn look<T>(&self, id: &DeviceId, look: impl FnOnce(&Device) -> T) -> Option<T> {
        let kept = self.by_id.get(id)?;
        Some(Self::look_at(id, kept, &mut Squeezer::default(), look))
    }

    fn look_at<T>(
        id: &DeviceId,
        kept: &Kept,
        squeezer: &mut Squeezer,
        look: impl FnOnce(&Device) -> T,
    ) -> T {
        match kept {
            Kept::Open(device) => look(device),
            Kept::Packed(packed) => look(&packed.unpack(id, squeezer).0),
        }
    }

    /// The rules of the device, and whether it is frozen, without opening it.
    pub(super) fn rules(&self, id: &DeviceId) -> Option<(Option<&Arc<Plan>>, bool)> {
        self.by_id.get(id).map(|kept| match kept {
            Kept::Open(device) => (device.plan.as_ref(), device.head.frozen),
            Kept::Packed(packed) => (packed.plan.as_ref(), packed.frozen),
        })
    }

    /// The devices that were last heard over this source, in order.
    pub(super) fn of_source(&self, source: &str) -> Vec<DeviceId> {
        self.by_id
            .iter()
            .filter(|(_, kept)| match kept {
                Kept::Open(device) => device.head.source == source,
                Kept::Packed(packed) => packed.source == source,
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Over which source the device was last heard.
    pub(super) fn source(&self, id: &DeviceId) -> Option<&SmolStr> {
        self.by_id.get(id).map(|kept| match kept {
            Kept::Open(device) => &device.head.source,
            Kept::Packed(packed) => &packed.source,
        })
    }

    /// Leaves something for later that a packed device need not be opened for.
    pub(super) fn set_aside(&mut self, id: &DeviceId, aside: Aside) -> Told {
        self.before_change(id);
        let Some(Kept::Packed(packed)) = self.by_id.get_mut(id) else {
            return Told::Not;
        };
        packed.set_aside(aside)
    }

    /// The devices of whose head this is true, in order; none is opened.
    pub(super) fn those(&mut self, wanted: impl Fn(&Head) -> bool) -> Vec<DeviceId> {
        let squeezer = &mut self.squeezer;
        self.by_id
            .iter()
            .filter(|(_, kept)| match kept {
                Kept::Open(device) => wanted(&device.head),
                Kept::Packed(packed) => packed.is(&wanted, squeezer),
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// When it is due, without opening it.
    pub(super) fn due_mut(&mut self, id: &DeviceId) -> Option<&mut Due> {
        self.before_change(id);
        self.by_id.get_mut(id).map(|kept| match kept {
            Kept::Open(device) => &mut device.due,
            Kept::Packed(packed) => &mut packed.due,
        })
    }

    /// It is known.
    pub(super) fn has(&self, id: &DeviceId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Adds a device as its row has it, to be opened when it does something.
    pub(super) fn insert_packed(
        &mut self,
        id: DeviceId,
        plan: Option<Arc<Plan>>,
        row: &[u8],
        front: &Front,
    ) {
        self.remove(&id);
        let packed = Packed::of_row(plan, row, front);
        self.by_id.insert(id, Kept::Packed(packed));
    }

    /// What makes rows smaller, and back.
    pub(super) fn squeezer(&mut self) -> &mut Squeezer {
        &mut self.squeezer
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
        let mut squeezer = Squeezer::default();
        self.by_id
            .range::<str, _>((from, Bound::Unbounded))
            .map(move |(id, kept)| (id, Self::look_at(id, kept, &mut squeezer, &look)))
    }

    /// Notes when a device that has just changed is due, and that its row must be saved; true when it must be filed anew.
    pub(super) fn settle(&mut self, id: &DeviceId, due: Option<Timestamp>) -> bool {
        let (known, mark) = match self.by_id.get_mut(id) {
            Some(Kept::Open(device)) => (&mut device.due, &mut device.mark),
            Some(Kept::Packed(packed)) => (&mut packed.due, &mut packed.mark),
            None => return false,
        };
        self.sweep.soil(mark, id);
        let moved = known.at != due;
        known.at = due;
        // Most messages move what is due further away: then it is filed anew when its old time comes, not for each of them.
        let filed = known.filed;
        moved && due.is_some_and(|due| filed.is_none_or(|filed| due < filed))
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
            let (device, whole) = packed.unpack(id, &mut self.squeezer);
            *kept = Kept::Open(Box::new(device));
            self.open.push_back(id.clone());
            self.unpacked += 1;
            if !whole {
                self.lost.push(id.clone());
            }
        }
    }

    /// Packs devices until one more may be opened.
    fn make_room(&mut self) {
        self.pack_down_to(self.open_limit - 1);
    }

    /// Packs devices until at most so many stand open: the first in the row that was not used since it last came up.
    fn pack_down_to(&mut self, most: usize) {
        while self.open.len() > most {
            let Some(id) = self.open.pop_front() else {
                return;
            };
            let Some(kept) = self.by_id.get_mut(&id) else {
                continue;
            };
            if let Kept::Open(device) = kept {
                if std::mem::take(&mut device.used) {
                    self.open.push_back(id);
                } else if let Some(packed) = Packed::of(device, &mut self.squeezer) {
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

    fn copy_marked(&mut self, id: &DeviceId, marked: Marked) -> Option<DeviceCopy> {
        match self.by_id.get_mut(id)? {
            Kept::Open(device) => marked
                .take(&mut device.mark)
                .then(|| DeviceCopy::of(device)),
            Kept::Packed(packed) => marked.take(&mut packed.mark).then(|| packed.copy(id)),
        }
    }
}
