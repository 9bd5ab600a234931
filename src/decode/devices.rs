//! The devices that are known, each with what decoding must remember of it.
//!
//! **Invariant:** a device is admitted only with a message that could be understood, or by a person or the registry; strangers
//! have a budget per second, and all devices together a limit.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::duplicates::Counters;
use super::snapshot::write;
use crate::sweep::Mark;
use crate::sweep::Marked;
use crate::sweep::Sweep;
use crate::sweep::Swept;
use crate::telemetry::{DeviceId, RejectReason, Rejection, SECOND_MS, Timestamp};

/// New devices a second (native convention, section 2). More are rejected as `unknown_device` and can be replayed.
pub(super) const STRANGERS_A_SECOND: u32 = 100;
/// Devices in all: twice the fleet that one process is meant for. More are rejected as `unknown_device`.
pub(super) const DEVICE_LIMIT: usize = 2_000_000;
/// Restarts remembered for each device, so that back-fill finds the one it belongs to. When full the oldest is dropped.
pub(super) const RESTART_LIMIT: usize = 4;

/// What is remembered of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    /// A message of it was taken.
    pub(super) seen: bool,
    /// What its clock is worth.
    pub(super) clock: Clock,
    /// Which records were received.
    pub(super) counters: Counters,
    /// When which restart counter was first told by `state`, rising.
    restarts: Vec<(Timestamp, u64)>,
    /// Whether its row is to be saved.
    #[serde(skip)]
    mark: Mark,
}

impl Device {
    /// A `state` told the restart counter.
    pub(super) fn restarted(&mut self, at: Timestamp, boot: u64) {
        let index = self.restarts.partition_point(|(time, _)| *time <= at);
        let before = index
            .checked_sub(1)
            .and_then(|before| self.restarts.get(before));
        if before.is_some_and(|(_, known)| *known == boot) {
            return;
        }
        match self.restarts.get_mut(index) {
            Some((time, known)) if *known == boot => *time = at,
            Some(_) | None => self.restarts.insert(index, (at, boot)),
        }
        if self.restarts.len() > RESTART_LIMIT {
            self.restarts.remove(0);
        }
    }

    /// When which restart counter was first told, rising; the newest few.
    pub(super) fn restarts(&self) -> &[(Timestamp, u64)] {
        &self.restarts
    }

    /// The restart counter of the newest `state`.
    pub(super) fn boot(&self) -> Option<u64> {
        self.restarts.last().map(|(_, boot)| *boot)
    }

    /// The restart counter of the newest `state` not after an instant.
    pub(super) fn boot_at(&self, at: Timestamp) -> Option<u64> {
        self.restarts
            .iter()
            .rev()
            .find(|(time, _)| *time <= at)
            .map(|(_, boot)| *boot)
    }
}

impl Swept for Devices {
    type Copy = Arc<[u8]>;

    fn sweep(&mut self) -> &mut Sweep<Arc<[u8]>> {
        &mut self.sweep
    }

    fn mark(&mut self, device: &DeviceId) -> Option<&mut Mark> {
        self.by_id.get_mut(device).map(|known| &mut known.mark)
    }

    fn copy_marked(&mut self, device: &DeviceId, marked: Marked) -> Option<Arc<[u8]>> {
        let known = self.by_id.get_mut(device)?;
        let is_wanted = marked.take(&mut known.mark);
        is_wanted.then(|| write(known).into())
    }
}

/// All devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Devices {
    by_id: BTreeMap<DeviceId, Device>,
    /// What is to be saved.
    sweep: Sweep<Arc<[u8]>>,
    /// The second that strangers are being counted in, since 1970.
    pub(super) second: i64,
    /// How many were admitted in it.
    pub(super) strangers: u32,
}

impl Devices {
    /// The id of a device that is not known yet.
    ///
    /// # Errors
    /// `unknown_topic` when the text cannot name a device.
    pub(super) fn stranger(&self, device: &str) -> Result<Option<DeviceId>, Rejection> {
        if self.by_id.contains_key(device) {
            return Ok(None);
        }
        match device.parse::<DeviceId>() {
            Ok(id) => Ok(Some(id)),
            Err(error) => Err(Rejection::new(
                RejectReason::UnknownTopic,
                error.to_string(),
            )),
        }
    }

    /// The device of a message that was understood, admitted if it is a stranger; `true` with its first message.
    ///
    /// # Errors
    /// `unknown_device` over the budget, over the limit, or while new devices are held in quarantine.
    pub(super) fn admit(
        &mut self,
        received_at: Timestamp,
        device: &str,
        stranger: Option<DeviceId>,
        adopt: bool,
    ) -> Result<(DeviceId, &mut Device, bool), Rejection> {
        if let Some(id) = stranger {
            self.afford(received_at, &id, adopt)?;
            self.by_id.insert(id, Device::default());
        }
        let only = (Bound::Included(device), Bound::Included(device));
        if self.sweep.is_under_way()
            && let Some(id) = self
                .by_id
                .range::<str, _>(only)
                .next()
                .map(|(id, _)| id.clone())
        {
            self.before_change(&id);
        }
        let Some((id, known)) = self.by_id.range_mut::<str, _>(only).next() else {
            return Err(Rejection::new(
                RejectReason::InternalError,
                "a device was lost while it was admitted",
            ));
        };
        self.sweep.soil(&mut known.mark, id);
        let first = !known.seen;
        known.seen = true;
        Ok((id.clone(), known, first))
    }

    fn afford(
        &mut self,
        received_at: Timestamp,
        id: &DeviceId,
        adopt: bool,
    ) -> Result<(), Rejection> {
        let refuse = |sentence: String| Err(Rejection::new(RejectReason::UnknownDevice, sentence));
        if !adopt {
            return refuse(format!(
                "{id} is new, and the settings hold new devices in quarantine; adopt it to take its messages"
            ));
        }
        if self.by_id.len() >= DEVICE_LIMIT {
            return refuse(format!(
                "{id} is new, but {DEVICE_LIMIT} devices are known already; retire some to make room"
            ));
        }
        let second = received_at.ms().div_euclid(SECOND_MS);
        if second != self.second {
            self.second = second;
            self.strangers = 0;
        }
        if self.strangers >= STRANGERS_A_SECOND {
            return refuse(format!(
                "{id} is new, but {STRANGERS_A_SECOND} new devices were admitted in this second; it is admitted with its next message, and this one can be replayed"
            ));
        }
        self.strangers += 1;
        Ok(())
    }

    /// A person or the registry says that the device is one of ours.
    pub(super) fn adopt(&mut self, id: &DeviceId) {
        if self.by_id.len() < DEVICE_LIMIT && !self.by_id.contains_key(id) {
            let mut device = Device::default();
            self.sweep.soil(&mut device.mark, id);
            self.by_id.insert(id.clone(), device);
        }
    }

    /// The device is out of service: everything about it is forgotten.
    pub(super) fn retire(&mut self, id: &DeviceId) {
        self.before_change(id);
        if self.by_id.remove(id).is_some() {
            self.sweep.forget(id);
        }
    }

    /// A row of the snapshot under way is not handed out yet.
    pub(super) fn is_left(&self) -> bool {
        self.sweep.is_left()
    }

    /// What is remembered of a device.
    pub(super) fn get(&self, id: &DeviceId) -> Option<&Device> {
        self.by_id.get(id)
    }

    /// All devices in order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DeviceId, &Device)> {
        self.by_id.iter()
    }

    /// Puts a device back as it was saved.
    pub(super) fn put(&mut self, id: DeviceId, device: Device) {
        self.by_id.insert(id, device);
    }
}
