//! One device: its records in order of its own time, and what comes due between them.
//!
//! Leaves judgement to `fault` and telling to `publish`. Invariant: a moment that comes due is looked at once, at its own time,
//! and never inside a blind span; a record below the newest one moves only what it alone feeds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::body::{Body, NEVER, Pass};
use super::detector::DetectOut;
use super::devices::Due;
use super::event::DerivedValue;
use super::plan::Plan;
use super::slots::Slot;
use super::zones::Zones;
use super::{derive, fault, node, session, windowed};
use crate::profile::{DeriveIdx, Per, SessionIdx, SignalIdx, Step};
use crate::sweep::Mark;
use crate::telemetry::{
    DeviceId, Identity, MINUTE_MS, Scalar, Telemetry, TelemetryRecord, Timestamp,
};

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

impl Head {
    /// Its source is away.
    pub(super) fn is_away(&self) -> bool {
        self.blind.is_some_and(|blind| !blind.up)
    }
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

    /// Takes a record.
    pub(super) fn record(&mut self, record: &TelemetryRecord, late: bool, around: &mut Around<'_>) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        if self.head.frozen {
            return;
        }
        let t = record.event_time.ms();
        if record.time_unknown {
            self.head.unsettled = true;
            for (signal, value) in readings(&plan, record) {
                if let Some(state) = self.body.signals.get_mut(signal) {
                    state.take_untimed(&value);
                }
            }
            return;
        }
        if self.head.first_seen == NEVER {
            self.head.first_seen = t;
            self.body.first_seen = t;
        }
        let mut pass = Pass::for_plan(&plan);
        pass.late = late;
        pass.whole = false;
        pass.past = t < self.head.clock;
        if !pass.past {
            self.advance(&plan, t, late, around);
            self.turn_day(&plan, t, late, around);
            self.head.anchor_t = t;
            self.head.anchor_j = around.now;
        }
        pass.t = t;
        self.take(&plan, record, &mut pass, around);
        if pass.past && pass.touched.is_empty() && pass.event.is_none() {
            return;
        }
        pass.late |= pass.past;
        self.look(&plan, &mut pass, around);
    }

    /// A whole session ended at `t` and its derives gave these values: what a case of a profile says instead of samples.
    pub(super) fn ended(
        &mut self,
        t: i64,
        session: SessionIdx,
        derives: &[(DeriveIdx, f64)],
        around: &mut Around<'_>,
    ) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        self.touch(around.now);
        if self.head.first_seen == NEVER {
            self.head.first_seen = t;
            self.body.first_seen = t;
        }
        let t = t.max(self.head.clock);
        self.advance(&plan, t, false, around);
        self.turn_day(&plan, t, false, around);
        self.head.anchor_t = t;
        self.head.anchor_j = around.now;
        let mut pass = Pass::for_plan(&plan);
        pass.t = t;
        pass.ended.set(session);
        pass.forced = derives.to_vec();
        self.look(&plan, &mut pass, around);
    }

    /// Takes the readings and the occurrence of a record, each by its own place in time.
    pub(super) fn take(
        &mut self,
        plan: &Plan,
        record: &TelemetryRecord,
        pass: &mut Pass,
        around: &Around<'_>,
    ) {
        for (signal, value) in readings(plan, record) {
            let Some(state) = self.body.signals.get_mut(signal) else {
                continue;
            };
            if pass.t >= state.at {
                state.take(&value, pass.t);
                pass.touched.set(signal);
            } else if let crate::profile::SignalValue::Value(value) = value {
                self.late_reading(plan, signal, pass.t, value, around.zones);
            }
        }
        let Some(event) = record.event.as_deref().and_then(|name| plan.event_at(name)) else {
            return;
        };
        let Some(state) = self.body.events.get_mut(event) else {
            return;
        };
        if pass.t >= state.at {
            state.at = pass.t;
            pass.event = Some(event);
        } else {
            let day = around.zones.day(&self.head.identity, pass.t);
            for (at, node) in plan.program.nodes.iter().enumerate() {
                if matches!(&node.kind, crate::profile::NodeKind::CountEvent { event: of, .. } if *of == event)
                {
                    windowed::late(plan, &mut self.body, at, pass.t, day, 1.0);
                }
            }
        }
    }

    /// A reading older than the signal's newest one: only into windows that are still open.
    pub(super) fn late_reading(
        &mut self,
        plan: &Plan,
        signal: SignalIdx,
        t: i64,
        value: f64,
        zones: &Zones,
    ) {
        let day = zones.day(&self.head.identity, t);
        for (at, node) in plan.program.nodes.iter().enumerate() {
            if let crate::profile::NodeKind::Window { input, .. } = &node.kind
                && *input == crate::profile::Num::Signal(signal)
            {
                windowed::late(plan, &mut self.body, at, t, day, value);
            }
        }
    }

    /// Closes the local day that a moment lies behind.
    pub(super) fn turn_day(&mut self, plan: &Plan, t: i64, late: bool, around: &mut Around<'_>) {
        if !plan.has_day {
            return;
        }
        let day = around.zones.day(&self.head.identity, t);
        if self.head.day.is_some_and(|current| day > current) {
            let mut pass = Pass::for_plan(plan);
            pass.t = t;
            pass.late = late;
            pass.day_ends = true;
            self.look(plan, &mut pass, around);
        }
        if self.head.day.is_none_or(|current| day > current) {
            self.head.day = Some(day);
        }
    }

    /// One look at everything.
    pub(super) fn look(&mut self, plan: &Plan, pass: &mut Pass, around: &mut Around<'_>) {
        self.ahead = Ahead::Unknown;
        pass.j = around.now;
        if !pass.past {
            pass.whole |= std::mem::take(&mut self.head.unsettled);
        }
        pass.run = pass.t - self.head.blind_total;
        pass.muted = self.head.muted.is_some() || self.head.blind.is_some_and(|blind| !blind.up);
        pass.day = if pass.past && plan.has_day {
            around.zones.day(&self.head.identity, pass.t)
        } else {
            self.head.day.unwrap_or(0)
        };
        if !pass.past {
            self.head.clock = self.head.clock.max(pass.t);
        }
        // A fault that rises may be a sign of another: then once more, at most once for each fault.
        for _ in 0..=plan.program.faults.len() {
            for step in &plan.program.steps {
                match *step {
                    Step::Node(at) => node::step(plan, &mut self.body, pass, at),
                    Step::Session(at) => {
                        if session::step(plan, &mut self.body, pass, at) {
                            pass.ended.set(at);
                        }
                    }
                    Step::Derive(at) => self.derive(plan, pass, at, around),
                }
            }
            let mut changed = false;
            for at in &plan.order {
                changed |= fault::step(plan, &mut self.body, pass, *at);
            }
            for state in &mut self.body.sessions {
                self.head.unsettled |= state.settle(pass.t);
            }
            self.head.unsettled |= changed;
            if !(changed && plan.reads_faults) {
                break;
            }
            pass.settle();
        }
        self.publish(!around.deferring, around);
    }

    pub(super) fn derive(
        &mut self,
        plan: &Plan,
        pass: &mut Pass,
        at: usize,
        around: &mut Around<'_>,
    ) {
        let Some(given) = derive::step(plan, &mut self.body, pass, at) else {
            return;
        };
        pass.valued.set(at);
        let Some(rule) = plan.program.derives.get(at) else {
            return;
        };
        let time = match rule.per {
            Per::Sample => None,
            Per::Session(_) => Some(pass.t),
            Per::Day => Some(around.zones.day_end(&self.head.identity, pass.day)),
        };
        let told = [
            time.map(|time| (rule.name.clone(), time, given.value)),
            given
                .frozen
                .map(|frozen| (format!("{}.baseline", rule.name).into(), pass.t, frozen)),
        ];
        for (name, time, value) in told.into_iter().flatten() {
            around.out.derived.push(DerivedValue {
                device: self.id.clone(),
                name,
                mode: given.mode,
                at: Timestamp::from_ms(time),
                value: rule.unit.from_base(value),
            });
        }
    }

    pub(super) fn touch(&mut self, now: i64) {
        self.head.touched = self.head.touched.max(now);
    }
}

/// The readings of a record, by signal.
fn readings<'a>(
    plan: &'a Plan,
    record: &'a TelemetryRecord,
) -> impl Iterator<Item = (SignalIdx, crate::profile::SignalValue)> + 'a {
    record.readings.iter().flat_map(move |reading| {
        let value: &Scalar = &reading.value;
        plan.signals_at(&reading.path)
            .iter()
            .filter_map(move |signal| {
                let rule = plan.program.signals.get(*signal)?;
                Some((*signal, rule.read(value)))
            })
    })
}
