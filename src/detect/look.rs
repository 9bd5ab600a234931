//! One look at everything: each rule of a device once, in the order of the program, and what they gave.
//!
//! Leaves each rule to its own file and telling to `publish`. Invariant: a rule is asked after those it
//! reads, and a fault that rises is seen in the same look by those that read it.

use super::body::Pass;
use super::device::{Ahead, Around, Device};
use super::event::DerivedValue;
use super::plan::Plan;
use super::{derive, fault, node, session};
use crate::profile::{Per, Step};
use crate::telemetry::Timestamp;

impl Device {
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
}
