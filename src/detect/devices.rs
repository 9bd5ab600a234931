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
use super::plan::Plan;
use super::snapshot::Front;
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
    squeezer: Squeezer,
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
    /// Its row, as it was when it was packed. Shared with a copy that is to be saved.
    bytes: Arc<[u8]>,
    due: Due,
    mark: Mark,
    frozen: bool,
    source: SmolStr,
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
            squeezer: Squeezer::default(),
            sweep: Sweep::default(),
        }
    }

    /// The device, opened. This and [`Self::due_mut`] are the only ways to change one.
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
        let away = matches!(aside, Aside::Away(_));
        if packed.away == away {
            return Told::Known;
        }
        if packed.asides.len() >= ASIDE_LIMIT || !(away || packed.quiet) {
            return Told::Not;
        }
        packed.away = away;
        packed.asides.push(aside);
        Told::Later
    }

    /// The devices of whose head this is true, in order; none is opened.
    pub(super) fn those(&mut self, wanted: impl Fn(&Head) -> bool) -> Vec<DeviceId> {
        let squeezer = &mut self.squeezer;
        self.by_id
            .iter()
            .filter(|(_, kept)| match kept {
                Kept::Open(device) => wanted(&device.head),
                Kept::Packed(packed) => {
                    Device::peek(&packed.bytes, squeezer).is_some_and(|front| wanted(&front.head))
                }
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
        let packed = Packed {
            plan,
            bytes: row.into(),
            due: Due::default(),
            mark: Mark::default(),
            frozen: front.head.frozen,
            source: front.head.source.clone(),
            away: front.head.is_away(),
            quiet: front.quiet,
            asides: Vec::new(),
        };
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
        let form = match self.by_id.get_mut(id)? {
            Kept::Open(device) => marked
                .take(&mut device.mark)
                .then(|| Form::Content(device.content())),
            Kept::Packed(packed) => marked.take(&mut packed.mark).then(|| {
                if packed.asides.is_empty() {
                    Form::Row(Arc::clone(&packed.bytes))
                } else {
                    Form::Untold(id.clone(), Box::new(packed.clone()))
                }
            }),
        };
        form.map(DeviceCopy)
    }
}

impl DeviceCopy {
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

impl Packed {
    /// The device in few bytes; `None` when there is no memory for it.
    fn of(device: &Device, squeezer: &mut Squeezer) -> Option<Self> {
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
    fn unpack(&self, id: &DeviceId, squeezer: &mut Squeezer) -> (Device, bool) {
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
}
