//! What is due in which order.
//!
//! Leaves the look itself to the device. Invariant: whatever is due is looked at at its own due time, device by device in order of
//! time and name; nothing can keep the daemon in one instant.

use super::detector::{DetectOut, Detector};
use crate::telemetry::{DeviceId, SECOND_MS, Timestamp};

impl Detector {
    /// When something next comes due.
    pub fn next_due(&mut self) -> Option<Timestamp> {
        self.settle_due();
        self.earliest_due()
    }

    /// A moment before which nothing comes due: [`Self::next_due`], or an earlier one, that of a device whose own has moved away
    /// since. Firing at it files that device anew.
    pub fn earliest_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Files those anew whose due time has moved away, as far as they stand in front.
    fn settle_due(&mut self) {
        while let Some((filed, id)) = self.due.first() {
            let (filed, id) = (*filed, id.clone());
            let due = self.devices.due_mut(&id);
            if due.as_ref().is_some_and(|due| due.at == Some(filed)) {
                return;
            }
            if let Some(due) = due {
                due.filed = None;
            }
            self.due.pop_first();
            self.file(&id);
        }
    }

    /// Looks at everything that is due at `due`, device by device. What was due before is looked at first, at its own time.
    pub fn fire(&mut self, due: Timestamp, out: &mut DetectOut) {
        self.fire_until(due, out);
    }

    pub(super) fn fire_until(&mut self, until: Timestamp, out: &mut DetectOut) {
        while self.due.first().is_some_and(|(due, _)| *due <= until) {
            let Some((due, id)) = self.due.pop_first() else {
                return;
            };
            let Some(filed) = self.devices.due_mut(&id) else {
                continue;
            };
            filed.filed = None;
            if filed.at != Some(due) {
                // What it was filed for came sooner, or is later by now.
                self.file(&id);
                continue;
            }
            filed.at = None;
            let asked = (self.test_panic.as_ref())
                .is_some_and(|(model, what)| model == id.model() && what == "due");
            self.judge(&id, due, out, |device, around| {
                assert!(!asked, "asked to panic at what is due");
                device.fire(around);
            });
            self.insist_on_progress(&id, due);
        }
    }

    /// What fired is not due again at the same moment, whatever the rules say: no state can keep the daemon in one instant.
    pub(super) fn insist_on_progress(&mut self, id: &DeviceId, fired: Timestamp) {
        let due = self.devices.due_mut(id).and_then(|due| due.at);
        if due.is_some_and(|due| due <= fired) {
            self.reschedule(id, Some(fired + SECOND_MS));
        }
    }

    pub(super) fn schedule(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get_mut(id) else {
            return;
        };
        let due = device.next_due(&self.zones);
        self.reschedule(id, due);
    }

    pub(super) fn reschedule(&mut self, id: &DeviceId, due: Option<Timestamp>) {
        let Some(known) = self.devices.due_mut(id) else {
            return;
        };
        if known.at != due {
            known.at = due;
            // Most messages move what is due further away: then it is filed anew when its old time comes, not for each of them.
            let filed = known.filed;
            if due.is_some_and(|due| filed.is_none_or(|filed| due < filed)) {
                self.file(id);
            }
            // When it is due is part of its row.
            self.changed(id);
        }
    }

    /// Files a device as its row says.
    pub(super) fn file_at(&mut self, id: &DeviceId, due: Option<Timestamp>) {
        if let Some(known) = self.devices.due_mut(id) {
            known.at = due;
            self.file(id);
        }
    }

    /// Files the device under when it is due.
    fn file(&mut self, id: &DeviceId) {
        let Some(known) = self.devices.due_mut(id) else {
            return;
        };
        if let Some(filed) = std::mem::replace(&mut known.filed, known.at) {
            self.due.remove(&(filed, id.clone()));
        }
        if let Some(due) = known.at {
            self.due.insert((due, id.clone()));
        }
    }
}
