//! Which devices' rows a snapshot has to take, and the copies of those that were about to change before it came to them.
//!
//! A snapshot holds for one moment but is taken in slices while the devices go on. When it begins, all devices that changed since
//! the one before are marked; a marked device is copied once, either when its turn comes or just before it changes, whichever is
//! first. Leaves to others what a copy is and where it goes. *Pure.* Invariants: what a snapshot hands out is as it was when the
//! snapshot began; beginning one costs the same for one changed device as for a million; a snapshot that came to nothing leaves
//! every device of it to the next one.

#[cfg(test)]
mod tests;

use crate::telemetry::DeviceId;

/// Since which snapshot a device's row is to be taken; the default: it is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u32);

/// What is to be taken of a collection of devices.
#[derive(Clone, Debug)]
pub struct Sweep<C> {
    /// Number of the snapshot that is begun next.
    next: u32,
    /// Those that changed since the newest snapshot began; one that was forgotten and came back may stand here twice.
    changed: Vec<DeviceId>,
    /// Those that were forgotten since.
    forgotten: Vec<DeviceId>,
    under_way: bool,
    /// Those that the snapshot under way has to take,
    marked: Vec<DeviceId>,
    /// of which so many were looked at,
    looked_at: usize,
    /// and those whose rows it removes.
    gone: Vec<DeviceId>,
    /// Copies that were made before a change.
    copies: Vec<(DeviceId, C)>,
}

impl<C> Default for Sweep<C> {
    fn default() -> Self {
        Self {
            next: 1,
            changed: Vec::new(),
            forgotten: Vec::new(),
            under_way: false,
            marked: Vec::new(),
            looked_at: 0,
            gone: Vec::new(),
            copies: Vec::new(),
        }
    }
}

/// How far snapshots are decides nothing: equal is what has the same left to do.
impl<C> PartialEq for Sweep<C> {
    fn eq(&self, other: &Self) -> bool {
        self.changed == other.changed && self.forgotten == other.forgotten
    }
}

impl<C> Eq for Sweep<C> {}

impl<C> Sweep<C> {
    /// A device changed, or came to be.
    pub fn soil(&mut self, mark: &mut Mark, device: &DeviceId) {
        if mark.0 != self.next {
            mark.0 = self.next;
            self.changed.push(device.clone());
        }
    }

    /// A device is no more.
    pub fn forget(&mut self, device: &DeviceId) {
        self.forgotten.push(device.clone());
    }

    /// Something is left to be handed out.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.looked_at < self.marked.len() || !self.copies.is_empty()
    }

    /// A snapshot is under way, so that [`Swept::before_change`] must be asked.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.under_way
    }

    const fn marked(&self) -> Marked {
        Marked {
            under_way: self.under_way,
            next: self.next,
        }
    }
}

/// Which marks are those of the snapshot under way.
#[derive(Clone, Copy, Debug)]
pub struct Marked {
    under_way: bool,
    next: u32,
}

impl Marked {
    /// Takes the mark away if it is one of them; true when it was.
    #[must_use]
    pub fn take(self, mark: &mut Mark) -> bool {
        let is_marked = self.under_way && mark.0 != 0 && mark.0 != self.next;
        if is_marked {
            *mark = Mark::default();
        }
        is_marked
    }
}

/// A collection of devices that is saved in sweeps.
pub trait Swept {
    /// A device as it was, in whatever form is cheap to make.
    type Copy;

    /// What is to be taken.
    fn sweep(&mut self) -> &mut Sweep<Self::Copy>;

    /// The mark of a device; `None` when it is not there.
    fn mark(&mut self, device: &DeviceId) -> Option<&mut Mark>;

    /// The device as it is now, if [`Marked::take`] says of its mark that it is wanted.
    fn copy_marked(&mut self, device: &DeviceId, marked: Marked) -> Option<Self::Copy>;

    /// Marks what changed since the last call; returns the devices whose rows go. One that is under way comes to nothing.
    fn begin_sweep(&mut self) -> Vec<DeviceId> {
        self.sweep_refused();
        let sweep = self.sweep();
        sweep.marked = std::mem::take(&mut sweep.changed);
        sweep.gone = std::mem::take(&mut sweep.forgotten);
        sweep.looked_at = 0;
        sweep.next += 1;
        sweep.under_way = true;
        let gone = sweep.gone.clone();
        gone.into_iter()
            .filter(|device| self.mark(device).is_none())
            .collect()
    }

    /// To be asked before a device changes or goes: one that is marked is copied first.
    fn before_change(&mut self, device: &DeviceId) {
        let marked = self.sweep().marked();
        if marked.under_way
            && let Some(copy) = self.copy_marked(device, marked)
        {
            self.sweep().copies.push((device.clone(), copy));
        }
    }

    /// All copies that were made, and after them marked devices as long as `limit`, which goes down with each, lets it.
    fn take_slice(&mut self, limit: &mut usize) -> Vec<(DeviceId, Self::Copy)> {
        let mut slice = std::mem::take(&mut self.sweep().copies);
        while *limit > 0 {
            let sweep = self.sweep();
            let Some(device) = sweep.marked.get(sweep.looked_at).cloned() else {
                break;
            };
            sweep.looked_at += 1;
            *limit -= 1;
            let marked = sweep.marked();
            if let Some(copy) = self.copy_marked(&device, marked) {
                slice.push((device, copy));
            }
        }
        slice
    }

    /// The snapshot under way is on the disk.
    fn sweep_saved(&mut self) {
        let sweep = self.sweep();
        sweep.under_way = false;
        sweep.marked = Vec::new();
        sweep.gone = Vec::new();
        sweep.looked_at = 0;
    }

    /// The snapshot under way came to nothing: the next one has all of it.
    fn sweep_refused(&mut self) {
        let sweep = self.sweep();
        if !sweep.under_way {
            return;
        }
        sweep.copies = Vec::new();
        let gone = std::mem::take(&mut sweep.gone);
        sweep.forgotten.extend(gone);
        let next = sweep.next;
        for device in std::mem::take(&mut sweep.marked) {
            let Some(mark) = self.mark(&device) else {
                continue;
            };
            if mark.0 != next {
                mark.0 = next;
                self.sweep().changed.push(device);
            }
        }
        self.sweep_saved();
    }

    /// Everything that changed, at one go: devices with what is there of them, in their order.
    fn take_all(&mut self) -> Vec<(DeviceId, Option<Self::Copy>)> {
        let gone = self.begin_sweep();
        let mut limit = usize::MAX;
        let slice = self.take_slice(&mut limit);
        self.sweep_saved();
        let mut all: Vec<_> = gone.into_iter().map(|device| (device, None)).collect();
        all.extend(slice.into_iter().map(|(device, copy)| (device, Some(copy))));
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.dedup_by(|(one, _), (other, _)| one == other);
        all
    }
}
