//! One device: what is remembered of it, and its messages in order of its own time.
//!
//! Leaves a message's records to `record`, what comes due between them to `timing`, judgement to `look` and telling to `publish`.
//! Invariant: a moment that comes due is looked at once, at its own time, and never inside a blind span.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::body::{Body, NEVER};
use super::detector::DetectOut;
use super::devices::Due;
use super::plan::Plan;
use super::slots::Slot;
use super::zones::Zones;
use crate::sweep::Mark;
use crate::telemetry::{DeviceId, Identity, MINUTE_MS, Telemetry};

/// A message that lags more than this is old news (DESIGN section 6).
const LAG_MS: i64 = 2 * MINUTE_MS;
/// A catch-up is over after so much quiet,
pub(super) const CATCH_UP_QUIET_MS: i64 = 30_000;
/// or so long after it began,
pub(super) const CATCH_UP_MS: i64 = MINUTE_MS;
/// or after so many records (all three from DESIGN section 6).
const CATCH_UP_RECORDS: u32 = 10_000;

/// What is remembered of a device whatever its profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Over which source it was last heard.
    pub(super) source: SmolStr,
    /// What it says it is.
    pub(super) identity: Identity,
    /// What it said of its presence.
    pub(super) online: Option<bool>,
    /// First record, by its own time.
    pub(super) first_seen: i64,
    /// Newest moment looked at, by its own time.
    pub(super) clock: i64,
    /// Its newest record, by its own time,
    pub(super) anchor_t: i64,
    /// and when the journal took it: together they carry one time over to the other.
    pub(super) anchor_j: i64,
    /// All blind spans so far, ms.
    pub(super) blind_total: i64,
    /// A blind span that is not over for this device.
    pub(super) blind: Option<Blind>,
    /// Its last message was old news: nothing comes due from receipt.
    pub(super) lagging: bool,
    /// It is catching up.
    pub(super) catch_up: Option<CatchUp>,
    /// Its current local day.
    pub(super) day: Option<i64>,
    /// Something changed that no record shows: the next look is at everything.
    pub(super) unsettled: bool,
    /// A fault of our own froze it; judged again after the next activation.
    pub(super) frozen: bool,
    /// Its gateway is offline since then.
    pub(super) muted: Option<i64>,
    /// Last look, by the journal's time.
    pub(super) touched: i64,
    /// Last message, by the journal's time.
    pub(super) heard: i64,
}

/// Our own absence, as this device sees it (journal time).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Blind {
    /// Since when its timers stand still.
    pub(super) from: i64,
    /// Since when its silence proves nothing.
    pub(super) silent_from: i64,
    /// The source is up again; its next message ends the span.
    pub(super) up: bool,
}

/// A catch-up (journal time).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CatchUp {
    pub(super) began: i64,
    pub(super) last: i64,
    pub(super) records: u32,
}

/// The next moment at which there is something to look at, by the device's time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ahead {
    /// Not worked out.
    Unknown,
    /// This one, or none.
    Known(Option<i64>),
}

/// A device.
#[derive(Debug)]
pub(super) struct Device {
    /// Its name.
    pub(super) id: DeviceId,
    /// What is remembered whatever the profile.
    pub(super) head: Head,
    /// Its rules; none for a gateway, or until they come.
    pub(super) plan: Option<Arc<Plan>>,
    /// What is remembered for them.
    pub(super) body: Body,
    /// State read from disk whose rules are not there (yet).
    pub(super) loose: Vec<Slot>,
    /// When it wants to be looked at.
    pub(super) due: Due,
    /// What [`Device::moments`] would find next, as worked out after the last change: every change ends with asking what is due.
    pub(super) ahead: Ahead,
    /// Whether its row is to be saved.
    pub(super) mark: Mark,
    /// Asked for since it last came up for packing.
    pub(super) used: bool,
}

/// What a look needs from outside the device.
pub(super) struct Around<'a> {
    /// The journal's time.
    pub(super) now: i64,
    /// The time zones.
    pub(super) zones: &'a Zones,
    /// Changes are told as their net at the end of a batch or catch-up.
    pub(super) deferring: bool,
    /// Faults in shadow are told too.
    pub(super) tell_shadow: bool,
    /// Where results go.
    pub(super) out: &'a mut DetectOut,
}

impl Device {
    /// A device heard of for the first time.
    pub(super) fn new(id: DeviceId, source: &str, plan: Option<Arc<Plan>>) -> Self {
        let head = Head {
            source: source.into(),
            identity: Identity::default(),
            online: None,
            first_seen: NEVER,
            clock: NEVER,
            anchor_t: NEVER,
            anchor_j: NEVER,
            blind_total: 0,
            blind: None,
            lagging: false,
            catch_up: None,
            day: None,
            unsettled: true,
            frozen: false,
            muted: None,
            touched: NEVER,
            heard: NEVER,
        };
        let body = plan
            .as_ref()
            .map(|plan| Body::new(plan, &head.identity))
            .unwrap_or_default();
        Self {
            id,
            head,
            plan,
            body,
            loose: Vec::new(),
            due: Due::default(),
            ahead: Ahead::Unknown,
            mark: Mark::default(),
            used: false,
        }
    }

    /// Takes a message.
    pub(super) fn message(&mut self, telemetry: &Telemetry, around: &mut Around<'_>) {
        self.touch(around.now);
        if telemetry.identity.is_some() || telemetry.availability.is_some() {
            self.ahead = Ahead::Unknown;
        }
        if let Some(identity) = &telemetry.identity {
            self.identify(identity);
        }
        if let Some(availability) = &telemetry.availability {
            self.presence(availability.online, around);
            if availability.fw.is_some() {
                self.head.identity.fw.clone_from(&availability.fw);
            }
        }
        if telemetry.retained || telemetry.records.is_empty() {
            return;
        }
        self.head.heard = around.now;
        let timed = telemetry.records.iter().any(|record| !record.time_unknown);
        let lags = telemetry.lag_ms.is_some_and(|lag| lag > LAG_MS);
        let fresh = timed && !lags;
        self.catch_up(lags, fresh, telemetry.records.len(), around.now);
        let deferring = telemetry.batch || self.head.catch_up.is_some();
        around.deferring = deferring;
        let newest = telemetry.records.last().map(|record| record.event_time);
        for record in &telemetry.records {
            let behind = newest.map_or(0, |newest| newest.since(record.event_time));
            let late = telemetry.lag_ms.is_some_and(|lag| lag + behind > LAG_MS);
            self.record(record, late, around);
        }
        if fresh {
            self.head.catch_up = None;
            if self.head.online == Some(false) {
                self.set_online(true);
            }
        }
        self.end_catch_up(around);
    }

    /// Notes whether the device is catching up.
    pub(super) fn catch_up(&mut self, lags: bool, fresh: bool, records: usize, now: i64) {
        if lags {
            let state = self.head.catch_up.get_or_insert(CatchUp {
                began: now,
                last: now,
                records: 0,
            });
            state.last = now;
            state.records = state
                .records
                .saturating_add(u32::try_from(records).unwrap_or(u32::MAX));
            self.head.lagging = true;
        } else if fresh {
            self.head.lagging = false;
        }
    }

    /// Ends a catch-up whose time is over, and tells what is left of it.
    pub(super) fn end_catch_up(&mut self, around: &mut Around<'_>) {
        if let Some(state) = self.head.catch_up {
            let over = around.now - state.last >= CATCH_UP_QUIET_MS
                || around.now - state.began >= CATCH_UP_MS
                || state.records >= CATCH_UP_RECORDS;
            if !over {
                return;
            }
            self.head.catch_up = None;
        }
        self.publish(true, around);
    }

    pub(super) fn touch(&mut self, now: i64) {
        self.head.touched = self.head.touched.max(now);
    }
}
