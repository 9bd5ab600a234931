//! The detector's state as rows: handed out for a snapshot, at one go or in slices, and read back.
//!
//! Leaves what a row holds to `snapshot`, which devices a slice takes to `devices`, and the disk to `checkpoint`. Invariant: what a
//! snapshot hands out is as it was when the snapshot began.

use super::detector::{Detector, GATEWAY};
use super::device::Device;
use super::packed::DeviceCopy;
use super::slots::Layout;
use super::snapshot::{RestoreError, Row};
use super::squeeze::Squeezer;
use crate::sweep::Swept as _;
use crate::telemetry::DeviceId;

impl Detector {
    /// State rows that changed since the last call, in order of the devices; `None` where the device was forgotten.
    pub fn take_dirty(&mut self) -> Vec<(DeviceId, Option<Vec<u8>>)> {
        let mut squeezer = Squeezer::default();
        self.devices
            .take_all()
            .into_iter()
            .map(|(id, copy)| (id, copy.and_then(|copy| copy.row(&mut squeezer))))
            .collect()
    }

    /// Begins a snapshot of the devices that changed since the one before; returns those whose rows go. What [`Self::take_slice`]
    /// hands out from here on is as of now.
    pub fn begin_snapshot(&mut self) -> Vec<DeviceId> {
        self.devices.begin_sweep()
    }

    /// Copies of devices that have changed since, and of further ones as long as `limit`, which goes down with each, lets it.
    pub fn take_slice(&mut self, limit: &mut usize) -> Vec<(DeviceId, DeviceCopy)> {
        self.devices.take_slice(limit)
    }

    /// A device of the snapshot under way is not handed out yet.
    pub fn is_row_left(&self) -> bool {
        self.devices.is_left()
    }

    /// The snapshot is on the disk, or came to nothing: then the next one has its devices.
    pub fn end_snapshot(&mut self, is_saved: bool) {
        if is_saved {
            self.devices.sweep_saved();
        } else {
            self.devices.sweep_refused();
        }
    }

    /// Reads a state row. Profiles may come before or after; a slot that cannot be read learns anew and is told with the next
    /// result.
    ///
    /// # Errors
    /// When the row as a whole cannot be read, or has a format of another release.
    pub fn restore(&mut self, device: &DeviceId, bytes: &[u8]) -> Result<(), RestoreError> {
        let plan = self.plans.get(device.model()).cloned();
        let (squeezer, layouts) = (self.devices.squeezer(), &self.layouts_before);
        let row = Device::load(
            device,
            bytes,
            plan.clone(),
            layouts,
            squeezer,
            &mut self.alerts,
        )?;
        let head = match &row {
            Row::Packed(front) => &front.head,
            Row::Moved(state) => &state.head,
        };
        if head.is_away() {
            self.down.insert(head.source.clone());
        }
        if device.model() == GATEWAY && head.online == Some(false) {
            self.gateways_down.insert(device.serial().into());
        }
        match row {
            Row::Packed(front) => {
                self.devices
                    .insert_packed(device.clone(), plan, bytes, &front);
                self.file_at(device, front.due);
            }
            Row::Moved(state) => {
                self.devices.insert(*state);
                // Its row belongs to rules that the next snapshot no longer tells of.
                self.after(device);
            }
        }
        Ok(())
    }

    /// What rows of devices have in common: the places of the rules in force.
    ///
    /// # Panics
    /// Never: plain lists and numbers always encode.
    #[must_use]
    pub fn common(&self) -> Vec<u8> {
        let layouts: Vec<&Layout> = self.plans.values().map(|plan| &plan.layout).collect();
        postcard::to_stdvec(&layouts).expect("plain lists and numbers always encode")
    }

    /// Reads what [`Self::common`] saved; to be called before rows are read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn restore_common(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        self.layouts_before = postcard::from_bytes(bytes).map_err(|_| RestoreError::Layouts)?;
        Ok(())
    }
}
