//! A new ticket from a fault event and the profile's words; and an old one that gets new facts.

use smol_str::SmolStr;

use crate::detect::FaultEvent;
use crate::profile::{Fault, Program, Severity, Stage, StageRule};
use crate::telemetry::{Identity, Text};

use super::book::id;
use super::{Change, Ticket, TicketKind, TicketStatus};

/// The ticket that a raise opens; its version is 0 until it is put into the book.
pub(super) fn new_ticket(
    number: u64,
    event: &FaultEvent,
    program: Option<&Program>,
    linked: Option<SmolStr>,
) -> Ticket {
    let fault = program.and_then(|program| find(program, &event.fault));
    let rule = fault.and_then(|fault| rule_of(fault, event.stage));
    let parts = fault.map_or_else(Vec::new, |fault| fault.parts.clone());
    Ticket {
        id: id(number),
        version: 0,
        kind: kind_of(event.severity),
        code: fault.map_or_else(SmolStr::default, |fault| fault.code.clone()),
        device: event.device.clone(),
        fault: event.fault.clone(),
        title: fault.map_or_else(|| Text::same(&event.fault), |fault| fault.title.clone()),
        stage: event.stage,
        severity: event.severity,
        status: TicketStatus::New,
        assignee: None,
        opened_at: event.at,
        event_time: event.event_time,
        first_event_time: event.first_event_time,
        updated_at: event.at,
        cleared_at: None,
        resolved_at: None,
        closed_at: None,
        occurrences: 1,
        late: event.late,
        reason: event.reason.clone(),
        evidence: event.evidence.clone(),
        profile_version: event.profile_version.clone(),
        cause: fault.map_or_else(SmolStr::default, |fault| fault.cause.clone()),
        action: rule.map_or_else(SmolStr::default, |rule| rule.action.clone()),
        message: rule.and_then(|rule| rule.message.clone()),
        lot: lot_of(&event.identity, &parts),
        firmware: event.identity.fw.clone(),
        region: event.identity.region.clone(),
        parts,
        waiting: None,
        verdict: None,
        fitted: Vec::new(),
        linked,
        last_change: Change::Opened,
    }
}

/// New facts on an old ticket. The stage follows the fault; the severity never falls, and what is to be done falls with it.
pub(super) fn refresh(ticket: &mut Ticket, event: &FaultEvent, program: Option<&Program>) {
    ticket.stage = event.stage;
    ticket.first_event_time = ticket.first_event_time.min(event.first_event_time);
    ticket.late |= event.late;
    ticket.reason = event.reason.clone();
    ticket.evidence.clone_from(&event.evidence);
    if event.severity <= ticket.severity {
        ticket.severity = event.severity;
        ticket.kind = kind_of(ticket.severity);
        let fault = program.and_then(|program| find(program, &event.fault));
        if let Some(rule) = fault.and_then(|fault| rule_of(fault, event.stage)) {
            ticket.action = rule.action.clone();
            ticket.message.clone_from(&rule.message);
        }
    }
}

pub(super) fn find<'a>(program: &'a Program, name: &str) -> Option<&'a Fault> {
    program.faults.iter().find(|fault| fault.name == name)
}

const fn kind_of(severity: Severity) -> TicketKind {
    match severity {
        Severity::S1 | Severity::S2 | Severity::S3 => TicketKind::Ticket,
        Severity::S4 => TicketKind::Notice,
    }
}

fn rule_of(fault: &Fault, stage: Stage) -> Option<&StageRule> {
    match stage {
        Stage::Warn => fault.warn.as_ref(),
        Stage::Fault => fault.fault.as_ref(),
    }
}

/// The lot of the whole device, else of the first part named whose kind has one: `HEATER-F5` is of the kind `heater`.
fn lot_of(identity: &Identity, parts: &[SmolStr]) -> Option<SmolStr> {
    identity.batch.clone().or_else(|| {
        parts.iter().find_map(|part| {
            let kind = part.split('-').next().unwrap_or(part).to_ascii_lowercase();
            identity
                .lots
                .iter()
                .find(|(name, _)| *name == part || name.to_ascii_lowercase() == kind)
                .map(|(_, lot)| lot.clone())
        })
    })
}
