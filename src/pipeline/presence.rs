//! Who was heard of when: kept so that the store is told of changes at once and of mere life at most every five minutes.
//!
//! Saved as one row per device; the form of earlier releases, one row with all, is still read. Invariant: every change of a device
//! goes through [`Presences::get_mut`], [`Presences::get_or_insert`] or [`Presences::remove`], so that a snapshot under way has it
//! as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effects::Presence;
use super::effects::Standing;
use crate::sweep::Mark;
use crate::sweep::Marked;
use crate::sweep::Sweep;
use crate::sweep::Swept;
use crate::telemetry::DeviceId;
use crate::telemetry::Identity;
use crate::telemetry::LISTENER;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Telemetry;
use crate::telemetry::Timestamp;

/// A device that only goes on speaking is written this often; what happened in between is added up.
const WRITE_EVERY_MS: i64 = 5 * MINUTE_MS;
/// Most devices in quarantine that are listed; further strangers show in the rejected messages only.
const QUARANTINE_LIMIT: usize = 1_000;

/// Format of a row, its first byte; raised whenever what follows changes.
const FORMAT: u8 = 2;

/// Presence of every device.
#[derive(Debug, Default)]
pub(super) struct Presences {
    devices: BTreeMap<DeviceId, Tracked>,
    quarantined: usize,
    /// What is to be saved.
    sweep: Sweep<Arc<[u8]>>,
    /// The file still has the row of all.
    is_whole_saved: bool,
}

/// All devices in one row, as earlier releases saved them.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct Whole {
    devices: BTreeMap<DeviceId, Tracked>,
    quarantined: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tracked {
    presence: Presence,
    written_at: Timestamp,
    /// Whether its row is to be saved.
    #[serde(skip)]
    mark: Mark,
}

impl Tracked {
    fn new(device: &DeviceId, now: Timestamp, source: &str, standing: Standing) -> Self {
        let presence = Presence {
            device: device.clone(),
            first_seen: now,
            last_seen: now,
            online: None,
            identity: Identity::default(),
            standing,
            messages: 0,
            rejected: 0,
            duplicates: 0,
            seq_restarts: 0,
            source: source.into(),
        };
        Self {
            presence,
            written_at: Timestamp::MIN,
            mark: Mark::default(),
        }
    }

    /// What is to be written now, with the counts since the last time.
    fn write(&mut self, now: Timestamp) -> Presence {
        self.written_at = now;
        let written = self.presence.clone();
        self.presence.messages = 0;
        self.presence.rejected = 0;
        self.presence.duplicates = 0;
        self.presence.seq_restarts = 0;
        written
    }

    fn write_if(&mut self, changed: bool, now: Timestamp) -> Option<Presence> {
        (changed || now.since(self.written_at) >= WRITE_EVERY_MS).then(|| self.write(now))
    }
}

impl Presences {
    /// Notes a decoded message; returns what is to be written, if anything is.
    pub(super) fn heard(
        &mut self,
        now: Timestamp,
        source: &str,
        telemetry: &Telemetry,
    ) -> Option<Presence> {
        let refused = telemetry.bad_records.len() as u64;
        let device = &telemetry.device;
        let new = || Tracked::new(device, now, source, Standing::InService);
        let (tracked, quarantined) = self.get_or_insert(device, new);
        let presence = &mut tracked.presence;
        let mut changed =
            refused > 0 || telemetry.seq_restarted || presence.standing != Standing::InService;
        if presence.standing == Standing::Quarantined {
            *quarantined = quarantined.saturating_sub(1);
        }
        presence.standing = Standing::InService;
        presence.messages += 1;
        presence.rejected += refused;
        presence.seq_restarts += u64::from(telemetry.seq_restarted);
        if !telemetry.retained {
            presence.last_seen = now;
        }
        if presence.source != source {
            presence.source = source.into();
            changed = true;
        }
        if let Some(availability) = &telemetry.availability {
            changed |= presence.online != Some(availability.online);
            presence.online = Some(availability.online);
            if availability.fw.is_some() && presence.identity.fw != availability.fw {
                presence.identity.fw.clone_from(&availability.fw);
                changed = true;
            }
        }
        if let Some(identity) = &telemetry.identity {
            changed |= presence.identity != *identity;
            presence.identity = identity.clone();
        }
        tracked.write_if(changed, now)
    }

    /// Notes a message that was received before.
    pub(super) fn repeated(&mut self, now: Timestamp, device: &DeviceId) -> Option<Presence> {
        let (tracked, _) = self.get_mut(device)?;
        tracked.presence.duplicates += 1;
        tracked.write_if(false, now)
    }

    /// Notes a refused message. A stranger's makes it known as quarantined.
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        source: &str,
        device: &DeviceId,
        stranger: bool,
    ) -> Option<Presence> {
        if stranger && !self.devices.contains_key(device) && self.quarantined < QUARANTINE_LIMIT {
            let new = || Tracked::new(device, now, source, Standing::Quarantined);
            let (_, quarantined) = self.get_or_insert(device, new);
            *quarantined += 1;
        }
        let (tracked, _) = self.get_mut(device)?;
        tracked.presence.rejected += 1;
        tracked.write_if(false, now)
    }

    /// The registry told the identity of a device: what it names replaces what was known, field by field.
    pub(super) fn set_identity(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        identity: &Identity,
    ) -> Presence {
        let new = || Tracked::new(device, now, "", Standing::InService);
        let (tracked, _) = self.get_or_insert(device, new);
        tracked.presence.identity.merge(identity);
        tracked.write(now)
    }

    /// A person changed whether the device is in service. A retired one is forgotten here; the store keeps its history.
    pub(super) fn stand(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        standing: Standing,
    ) -> Option<Presence> {
        let (tracked, quarantined) = self.get_mut(device)?;
        if tracked.presence.standing == Standing::Quarantined && standing != Standing::Quarantined {
            *quarantined = quarantined.saturating_sub(1);
        }
        tracked.presence.standing = standing;
        let written = tracked.write(now);
        if standing == Standing::Retired {
            self.remove(device);
        }
        Some(written)
    }

    /// The listener is up again: nobody kept the wills of those who went while it was down, so whoever was present may be gone.
    /// Who was absent is absent still, until it speaks. (A broker keeps wills and states for us, and tells them.)
    pub(super) fn source_up(&mut self, now: Timestamp, source: &str) -> Vec<Presence> {
        if source != LISTENER {
            return Vec::new();
        }
        let present: Vec<DeviceId> = self
            .devices
            .iter()
            .filter(|(_, tracked)| {
                tracked.presence.source == source && tracked.presence.online == Some(true)
            })
            .map(|(device, _)| device.clone())
            .collect();
        let mut written = Vec::new();
        for device in present {
            if let Some((tracked, _)) = self.get_mut(&device) {
                tracked.presence.online = None;
                written.push(tracked.write(now));
            }
        }
        written
    }

    /// What is known of one device.
    pub(super) fn get(&self, device: &DeviceId) -> Option<&Presence> {
        self.devices.get(device).map(|tracked| &tracked.presence)
    }

    /// A device to be changed, and how many are in quarantine.
    fn get_mut(&mut self, device: &DeviceId) -> Option<(&mut Tracked, &mut usize)> {
        self.before_change(device);
        let tracked = self.devices.get_mut(device)?;
        self.sweep.soil(&mut tracked.mark, device);
        Some((tracked, &mut self.quarantined))
    }

    /// The same of one that is made when it is not there.
    fn get_or_insert(
        &mut self,
        device: &DeviceId,
        new: impl FnOnce() -> Tracked,
    ) -> (&mut Tracked, &mut usize) {
        self.before_change(device);
        let tracked = self.devices.entry(device.clone()).or_insert_with(new);
        self.sweep.soil(&mut tracked.mark, device);
        (tracked, &mut self.quarantined)
    }

    fn remove(&mut self, device: &DeviceId) {
        self.before_change(device);
        if self.devices.remove(device).is_some() {
            self.sweep.forget(device);
        }
    }

    /// A row of the snapshot under way is not handed out yet.
    pub(super) fn is_left(&self) -> bool {
        self.sweep.is_left()
    }

    /// The row of all goes: they have rows of their own.
    pub(super) const fn is_whole_saved(&self) -> bool {
        self.is_whole_saved
    }

    /// The snapshot under way is on the disk, or came to nothing: then the next one has its rows.
    pub(super) fn end_snapshot(&mut self, is_saved: bool) {
        if is_saved {
            self.is_whole_saved = false;
            self.sweep_saved();
        } else {
            self.sweep_refused();
        }
    }

    /// Puts one device back.
    ///
    /// # Errors
    /// When its row has another format or is damaged.
    pub(super) fn restore(&mut self, device: DeviceId, row: &[u8]) -> Result<(), String> {
        let rest = match row.split_first() {
            Some((&FORMAT, rest)) => rest,
            Some((other, _)) => return Err(format!("format {other}, this version reads {FORMAT}")),
            None => return Err("it is empty".to_owned()),
        };
        let tracked: Tracked = postcard::from_bytes(rest).map_err(|error| error.to_string())?;
        self.quarantined += usize::from(tracked.presence.standing == Standing::Quarantined);
        self.devices.insert(device, tracked);
        Ok(())
    }

    /// All devices, from the one row of an earlier release. They get rows of their own with the next snapshot.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn restore_whole(row: &[u8]) -> Result<Self, String> {
        let whole: Whole = postcard::from_bytes(row).map_err(|error| error.to_string())?;
        let mut presences = Self {
            devices: whole.devices,
            quarantined: whole.quarantined,
            is_whole_saved: true,
            ..Self::default()
        };
        for (device, tracked) in &mut presences.devices {
            presences.sweep.soil(&mut tracked.mark, device);
        }
        Ok(presences)
    }
}

impl Swept for Presences {
    type Copy = Arc<[u8]>;

    fn sweep(&mut self) -> &mut Sweep<Arc<[u8]>> {
        &mut self.sweep
    }

    fn mark(&mut self, device: &DeviceId) -> Option<&mut Mark> {
        self.devices
            .get_mut(device)
            .map(|tracked| &mut tracked.mark)
    }

    fn copy_marked(&mut self, device: &DeviceId, marked: Marked) -> Option<Arc<[u8]>> {
        let tracked = self.devices.get_mut(device)?;
        let is_wanted = marked.take(&mut tracked.mark);
        is_wanted.then(|| {
            let row = postcard::to_extend(tracked, vec![FORMAT]);
            row.expect("plain values in memory always serialise").into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_row_of_an_earlier_release_becomes_a_row_for_each_device() {
        let now = Timestamp::from_ms(7);
        let names = ["x/1", "x/2"];
        let ids = names.map(|name| name.parse::<DeviceId>().unwrap());
        let standings = [Standing::InService, Standing::Quarantined];
        let each = ids.iter().zip(standings);
        let devices = each
            .map(|(id, standing)| (id.clone(), Tracked::new(id, now, "plant", standing)))
            .collect();
        let whole = postcard::to_stdvec(&Whole {
            devices,
            quarantined: 1,
        });
        let mut read = Presences::restore_whole(&whole.unwrap()).unwrap();
        assert!(read.is_whole_saved());
        let rows = read.take_all();
        read.end_snapshot(true);
        assert!(!read.is_whole_saved());
        let mut again = Presences::default();
        for (id, row) in rows {
            again.restore(id, &row.expect("a row")).unwrap();
        }
        assert_eq!(again.quarantined, read.quarantined);
        for id in &ids {
            assert!(read.get(id).is_some());
            assert_eq!(read.get(id), again.get(id));
        }
        assert!(again.restore(ids[0].clone(), &[1, 2, 3]).is_err());
        assert!(Presences::restore_whole(&[9]).is_err());
    }
}
