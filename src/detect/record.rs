//! One record of a device: its readings and its occurrence, each by its own place in time.
//!
//! Leaves what follows from them to `look`, and what comes due between two records to `timing`. Invariant: a record below the
//! newest one moves only what it alone feeds.

use super::body::{NEVER, Pass};
use super::device::{Around, Device};
use super::plan::Plan;
use super::windowed;
use super::zones::Zones;
use crate::profile::{DeriveIdx, SessionIdx, SignalIdx};
use crate::telemetry::{Scalar, TelemetryRecord};

impl Device {
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
