//! Controls: what a person, the registry, a source or the daemon itself did, as far as detection depends on it.
//!
//! Leaves each device's own part to `absence` and `command`. Invariant: no control by itself makes a fault rise.

use super::detector::{DetectOut, Detector};
use super::device::Head;
use super::event::DetectCommand;
use super::packed::{Aside, Told};
use crate::telemetry::{Control, DeviceAction, DeviceId, Timestamp};

impl Detector {
    /// Takes a control that concerns detection; all others are left to whom they concern. A clock step is not a time at which
    /// anything is due: what was due moves with it, so do not ask for what is due between its two times before.
    pub fn control(&mut self, now: Timestamp, control: &Control, out: &mut DetectOut) {
        match control {
            Control::Started { .. } => self.started(None, now),
            Control::Stalled => self.stalled(None, now),
            Control::SourceUp { source } => {
                self.fire_until(now, out);
                self.source_up(source, now.ms());
            }
            Control::SourceDown { source } => {
                self.fire_until(now, out);
                self.source_down(source, now.ms());
            }
            Control::ClockStep { from, to } => self.clock_step(*from, *to, out),
            Control::Device { device, action, .. } => {
                self.fire_until(now, out);
                self.device(now, device, action, out);
            }
            Control::PartReplaced { device, part, .. } => {
                let command = DetectCommand::PartReplaced { part: part.clone() };
                self.command(now, device, &command, out);
            }
            Control::Settings(_)
            | Control::Profiles { .. }
            | Control::Zones { .. }
            | Control::Ticket { .. }
            | Control::Replay { .. }
            | Control::Lost { .. }
            | Control::End => self.fire_until(now, out),
        }
    }

    /// A process started. `last` is when the journal took the record before: from there on we were away. Call it before asking
    /// for what is due: nothing inside the span is.
    pub fn started(&mut self, last: Option<Timestamp>, now: Timestamp) {
        let from = last.unwrap_or(now).ms();
        let ids: Vec<DeviceId> = self.devices.ids().cloned().collect();
        for id in ids {
            if let Some(source) = self.devices.source(&id) {
                self.down.insert(source.clone());
            }
            self.tell(&id, Aside::Away(from));
        }
    }

    /// The journal took nothing for a while, or lost what it had taken: as [`Self::started`], but the sources are there again at once, if they were before.
    pub fn stalled(&mut self, last: Option<Timestamp>, now: Timestamp) {
        let from = last.unwrap_or(now).ms();
        let ids: Vec<DeviceId> = self.devices.ids().cloned().collect();
        for id in ids {
            self.tell(&id, Aside::Away(from));
            let source = self.devices.source(&id);
            if source.is_some_and(|source| !self.down.contains(source)) {
                self.tell(&id, Aside::Back(now.ms()));
            }
        }
    }

    /// Tells a device of its source. A packed one is told later if nothing is due for it until it speaks.
    fn tell(&mut self, id: &DeviceId, aside: Aside) {
        match self.devices.set_aside(id, aside) {
            Told::Known => return,
            Told::Later => {
                self.changed(id);
                self.reschedule(id, None);
                return;
            }
            Told::Not => {}
        }
        if let Some(device) = self.devices.get_mut(id) {
            match aside {
                Aside::Away(at) => device.blind_from(at),
                Aside::Back(at) => device.source_up(at),
            }
        }
        self.after(id);
    }

    fn device(
        &mut self,
        now: Timestamp,
        id: &DeviceId,
        action: &DeviceAction,
        out: &mut DetectOut,
    ) {
        match action {
            DeviceAction::Set { identity } => {
                if let Some(device) = self.devices.get_mut(id) {
                    device.identify(identity);
                    self.after(id);
                }
            }
            DeviceAction::PartReplaced { part, .. } => {
                let command = DetectCommand::PartReplaced { part: part.clone() };
                self.command(now, id, &command, out);
            }
            // The desk cancels its tickets and then asks to forget it; a stranger is not here yet.
            DeviceAction::Adopt | DeviceAction::Retire => {}
        }
    }

    fn source_down(&mut self, source: &str, now: i64) {
        self.down.insert(source.into());
        for id in self.devices.of_source(source) {
            self.tell(&id, Aside::Away(now));
        }
    }

    pub(super) fn source_up(&mut self, source: &str, now: i64) {
        self.down.remove(source);
        for id in self.devices.of_source(source) {
            self.tell(&id, Aside::Back(now));
        }
    }

    fn clock_step(&mut self, from: Timestamp, to: Timestamp, out: &mut DetectOut) {
        let by = to.since(from);
        // A step back does not take the journal's time back: it waits until the wall clock has caught up.
        if by <= 0 {
            return;
        }
        self.fire_until(from, out);
        let ids: Vec<DeviceId> = self.devices.ids().cloned().collect();
        for id in ids {
            if let Some(device) = self.devices.get_mut(&id) {
                device.shift(by);
            }
            self.after(&id);
        }
    }

    /// A gateway came or went: while it is offline, the silence of its devices means nothing.
    pub(super) fn gateway(&mut self, serial: &str, online: Option<bool>, now: Timestamp) {
        let down = online == Some(false);
        let changed = if down {
            self.gateways_down.insert(serial.into())
        } else {
            self.gateways_down.remove(serial)
        };
        if !changed {
            return;
        }
        let behind = |head: &Head| head.identity.via.as_deref() == Some(serial);
        for id in self.devices.those(behind) {
            if let Some(device) = self.devices.get_mut(&id) {
                device.mute(down, now.ms());
            }
            self.after(&id);
        }
    }
}
