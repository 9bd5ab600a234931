//! From a fault's state to what the desk is told: at once, or the net change of a batch or catch-up.
//!
//! Leaves the state to `fault`. Invariant: the desk hears of every change between what it was told and what is, once.

use super::detector::DetectOut;
use super::device::{Around, Device};
use super::event::{FaultEvent, FaultEventKind};
use super::fault::{FaultSlot, Outcome, Report, at_once, rule};
use super::plan::Plan;
use crate::profile::{Fault, Program, RuleState, Severity, Stage};
use crate::telemetry::{DeviceId, Identity, Timestamp};

impl Device {
    /// Tells what changed. `all`: everything; else only what is decided at once.
    pub(super) fn publish(&mut self, all: bool, around: &mut Around<'_>) {
        let Some(plan) = self.plan.clone() else {
            return;
        };
        for (fault, slot) in plan.program.faults.iter().zip(&mut self.body.faults) {
            let quiet = slot.active == slot.published
                && slot.risen.is_none()
                && slot.report.is_none()
                && slot.outcome.is_none();
            if quiet {
                continue;
            }
            let urgent = slot.active > slot.published
                && slot.active.is_some_and(|stage| at_once(fault, stage));
            let passed_urgent = slot
                .risen
                .as_ref()
                .is_some_and(|risen| at_once(fault, risen.stage));
            let over = slot
                .outcome
                .is_some_and(|outcome| outcome != Outcome::Failed);
            if !all && !urgent && !passed_urgent && !over {
                continue;
            }
            let speaker = Speaker {
                device: &self.id,
                identity: &self.head.identity,
                program: &plan.program,
                fault,
                now: around.now,
            };
            let events = [ended(slot, &speaker), tell(slot, &speaker)];
            if fault.state == RuleState::Live || around.tell_shadow {
                around.out.events.extend(events.into_iter().flatten());
            }
        }
    }

    /// Tells the desk of every fault that it knows of and that the new rules no longer have.
    pub(super) fn withdraw(&mut self, new: Option<&Plan>, now: Timestamp, out: &mut DetectOut) {
        let Some(old) = self.plan.clone() else {
            return;
        };
        for (fault, slot) in old.program.faults.iter().zip(&mut self.body.faults) {
            let stays = new.is_some_and(|plan| {
                plan.program
                    .faults
                    .iter()
                    .any(|other| other.name == fault.name && other.state == RuleState::Live)
            });
            if stays || fault.state != RuleState::Live {
                continue;
            }
            let Some(stage) = slot.published.take() else {
                continue;
            };
            let speaker = Speaker {
                device: &self.id,
                identity: &self.head.identity,
                program: &old.program,
                fault,
                now: now.ms(),
            };
            let event = speaker.event(FaultEventKind::Withdrawn, stage, slot.report.as_deref());
            out.events.push(event);
            slot.release();
        }
    }
}

/// Who speaks of which fault.
pub(super) struct Speaker<'a> {
    pub(super) device: &'a DeviceId,
    pub(super) identity: &'a Identity,
    pub(super) program: &'a Program,
    pub(super) fault: &'a Fault,
    pub(super) now: i64,
}

/// The event for a recheck that ended well, or without enough use.
fn ended(slot: &mut FaultSlot, speaker: &Speaker<'_>) -> Option<FaultEvent> {
    let kind = match slot.outcome? {
        Outcome::Passed => FaultEventKind::RecheckPassed,
        Outcome::Unverified => FaultEventKind::RecheckUnverified,
        Outcome::Failed => return None,
    };
    slot.outcome = None;
    Some(speaker.event(kind, worst(speaker.fault), None))
}

/// The event for the difference between what was told and what is; takes both to be equal from here on.
fn tell(slot: &mut FaultSlot, speaker: &Speaker<'_>) -> Option<FaultEvent> {
    let (report, risen) = (slot.report.take(), slot.risen.take());
    let (before, outcome) = (slot.published, slot.outcome.take());
    slot.published = slot.active;
    let (kind, stage, report) = match (before, slot.active, outcome) {
        (None, Some(stage), Some(Outcome::Failed)) => {
            (FaultEventKind::RecheckFailed, stage, report.or(risen))
        }
        (None, None, Some(Outcome::Failed)) => {
            let stage = risen.as_ref().map_or(Stage::Fault, |risen| risen.stage);
            (FaultEventKind::RecheckFailed, stage, risen)
        }
        (None, Some(stage), _) => (FaultEventKind::Raised, stage, report.or(risen)),
        (Some(before), Some(stage), _) if stage > before => {
            (FaultEventKind::Worsened, stage, report.or(risen))
        }
        (Some(before), Some(stage), _) if stage < before => (FaultEventKind::Eased, stage, report),
        (Some(before), None, _) => (FaultEventKind::Cleared, before, report),
        (None, None, _) => {
            let risen = risen?;
            (FaultEventKind::Passed, risen.stage, Some(risen))
        }
        (Some(_), Some(_), _) => return None,
    };
    Some(speaker.event(kind, stage, report.as_deref()))
}

/// The worst stage that the fault has.
fn worst(fault: &Fault) -> Stage {
    if fault.fault.is_some() {
        Stage::Fault
    } else {
        Stage::Warn
    }
}

impl Speaker<'_> {
    /// An event with its proof.
    pub(super) fn event(
        &self,
        kind: FaultEventKind,
        stage: Stage,
        report: Option<&Report>,
    ) -> FaultEvent {
        let rule = rule(self.fault, stage);
        let now = Timestamp::from_ms(self.now);
        FaultEvent {
            device: self.device.clone(),
            fault: self.fault.name.clone(),
            kind,
            stage,
            severity: rule.map_or(Severity::S3, |rule| rule.severity),
            latched: rule.is_some_and(|rule| rule.latched),
            at: now,
            event_time: report.map_or(now, |report| Timestamp::from_ms(report.event_time)),
            first_event_time: report.map_or(now, |report| Timestamp::from_ms(report.first)),
            late: report.is_some_and(|report| report.late),
            reason: report.map(|r| r.reason.clone()).unwrap_or_default(),
            evidence: report.map(|r| r.evidence.clone()).unwrap_or_default(),
            profile_version: self.program.profile_version.clone(),
            identity: self.identity.clone(),
        }
    }
}
