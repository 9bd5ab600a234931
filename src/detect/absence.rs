//! Presence and identity of a device, and our own absence as it sees it.
//!
//! Leaves what comes due to `timing`. Invariant: time during which nobody could hear the device is no silence, and moves no hold.

use super::body::NEVER;
use super::device::{Around, Blind, Device, Head};
use super::node;
use crate::telemetry::Identity;

impl Head {
    /// Its source is away.
    pub(super) fn is_away(&self) -> bool {
        self.blind.is_some_and(|blind| !blind.up)
    }
}

impl Device {
    /// Takes what the device or the registry says of its identity, field by field.
    pub(super) fn identify(&mut self, identity: &Identity) {
        let mine = &mut self.head.identity;
        for (mine, told) in [
            (&mut mine.hw, &identity.hw),
            (&mut mine.fw, &identity.fw),
            (&mut mine.made, &identity.made),
            (&mut mine.batch, &identity.batch),
            (&mut mine.first_use, &identity.first_use),
            (&mut mine.region, &identity.region),
            (&mut mine.tz, &identity.tz),
            (&mut mine.site, &identity.site),
            (&mut mine.via, &identity.via),
        ] {
            if told.is_some() {
                mine.clone_from(told);
            }
        }
        for (kind, lot) in &identity.lots {
            mine.lots.insert(kind.clone(), lot.clone());
        }
        if let Some(plan) = &self.plan {
            self.body.resolve_limits(plan, &self.head.identity);
            self.head.unsettled = true;
        }
    }

    pub(super) fn set_online(&mut self, online: bool) {
        self.head.online = Some(online);
        self.body.online = online;
        self.head.unsettled = true;
    }

    /// The device says, or its will says, whether it is on the air.
    pub(super) fn presence(&mut self, online: bool, around: &mut Around<'_>) {
        let before = self.head.online;
        self.set_online(online);
        if before == Some(online) || !self.timers_run() || self.head.frozen {
            return;
        }
        // What is known "while the device is online" changes here, by the device's time.
        if let Some(plan) = self.plan.clone() {
            let t = self.carried_over(around.now).max(self.head.clock);
            around.deferring = self.head.catch_up.is_some();
            self.advance(&plan, t, false, around);
            self.look_at(&plan, t, false, around);
        }
    }

    /// We went away, or its source did.
    pub(super) fn blind_from(&mut self, j: i64) {
        match &mut self.head.blind {
            Some(blind) if blind.up => {
                blind.up = false;
                blind.silent_from = j;
            }
            Some(_) => {}
            None => {
                self.head.blind = Some(Blind {
                    from: j,
                    silent_from: j,
                    up: false,
                });
            }
        }
    }

    /// Its source is back: silence counts again, everything else waits for its next message.
    pub(super) fn source_up(&mut self, j: i64) {
        let Some(blind) = self.head.blind.as_mut().filter(|blind| !blind.up) else {
            return;
        };
        blind.up = true;
        let from = blind.silent_from;
        self.excuse(from, j);
        for slot in &mut self.body.faults {
            if let Some(watch) = &mut slot.recheck {
                watch.shift((j - from).max(0));
            }
        }
        if let Some(state) = &mut self.head.catch_up {
            state.last += (j - from).max(0);
            state.began += (j - from).max(0);
        }
    }

    /// Silence between these moments of the journal proves nothing.
    pub(super) fn excuse(&mut self, from: i64, to: i64) {
        let Some(plan) = &self.plan else { return };
        for (slot, rule) in self.body.nodes.iter_mut().zip(&plan.program.nodes) {
            if let (
                node::NodeState::Silent(silence),
                crate::profile::NodeKind::SilentFor { signal },
            ) = (&mut slot.state, &rule.kind)
            {
                let cadence = plan.program.signals.get(*signal).map(|s| s.cadence);
                silence.excuse(from, to, cadence);
            }
        }
    }

    /// The journal's clock was set forward by so much: what was due is due that much later.
    pub(super) fn shift(&mut self, by: i64) {
        let head = &mut self.head;
        for moment in [&mut head.anchor_j, &mut head.touched, &mut head.heard] {
            if *moment > NEVER {
                *moment += by;
            }
        }
        if let Some(blind) = &mut head.blind {
            blind.from += by;
            blind.silent_from += by;
        }
        if let Some(state) = &mut head.catch_up {
            state.began += by;
            state.last += by;
        }
        if let Some(muted) = &mut head.muted {
            *muted += by;
        }
        for slot in &mut self.body.faults {
            if let Some(watch) = &mut slot.recheck {
                watch.shift(by);
            }
        }
        for slot in &mut self.body.nodes {
            if let node::NodeState::Silent(silence) = &mut slot.state {
                silence.shift(by);
            }
        }
    }

    /// Its gateway went offline, or is back.
    pub(super) fn mute(&mut self, down: bool, now: i64) {
        match (self.head.muted, down) {
            (None, true) => self.head.muted = Some(now),
            (Some(since), false) => {
                self.head.muted = None;
                self.excuse(since, now);
            }
            (None, false) | (Some(_), true) => {}
        }
    }
}
