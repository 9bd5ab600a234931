//! Who was heard of when: kept so that the store is told of changes at once and of mere life at most every five minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effects::Presence;
use super::effects::Standing;
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

/// Presence of every device.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Presences {
    devices: BTreeMap<DeviceId, Tracked>,
    quarantined: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tracked {
    presence: Presence,
    written_at: Timestamp,
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
        let tracked = self
            .devices
            .entry(telemetry.device.clone())
            .or_insert_with(|| Tracked::new(&telemetry.device, now, source, Standing::InService));
        let presence = &mut tracked.presence;
        let mut changed =
            refused > 0 || telemetry.seq_restarted || presence.standing != Standing::InService;
        if presence.standing == Standing::Quarantined {
            self.quarantined = self.quarantined.saturating_sub(1);
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
        let tracked = self.devices.get_mut(device)?;
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
            self.quarantined += 1;
            self.devices.insert(
                device.clone(),
                Tracked::new(device, now, source, Standing::Quarantined),
            );
        }
        let tracked = self.devices.get_mut(device)?;
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
        let tracked = self
            .devices
            .entry(device.clone())
            .or_insert_with(|| Tracked::new(device, now, "", Standing::InService));
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
        let tracked = self.devices.get_mut(device)?;
        if tracked.presence.standing == Standing::Quarantined && standing != Standing::Quarantined {
            self.quarantined = self.quarantined.saturating_sub(1);
        }
        tracked.presence.standing = standing;
        let written = tracked.write(now);
        if standing == Standing::Retired {
            self.devices.remove(device);
        }
        Some(written)
    }

    /// The listener is up again: nobody kept the wills of those who went while it was down, so whoever was present may be gone.
    /// Who was absent is absent still, until it speaks. (A broker keeps wills and states for us, and tells them.)
    pub(super) fn source_up(&mut self, now: Timestamp, source: &str) -> Vec<Presence> {
        if source != LISTENER {
            return Vec::new();
        }
        self.devices
            .values_mut()
            .filter(|tracked| {
                tracked.presence.source == source && tracked.presence.online == Some(true)
            })
            .map(|tracked| {
                tracked.presence.online = None;
                tracked.write(now)
            })
            .collect()
    }

    /// What is known of one device.
    pub(super) fn get(&self, device: &DeviceId) -> Option<&Presence> {
        self.devices.get(device).map(|tracked| &tracked.presence)
    }
}
