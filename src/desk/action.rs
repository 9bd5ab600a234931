//! What a person does with a ticket or with a device.

use smol_str::SmolStr;

use crate::detect::DetectCommand;
use crate::telemetry::{BasicAction, DeviceAction, DeviceId, TicketAction, Timestamp};

use super::book::{Answered, Book, Held, id, number};
use super::fault::{Stamp, end, end_without_work, forget_end, put, rearm};
use super::moves::next_status;
use super::{
    Change, DeskOut, PARTS_LIMIT, Refusal, Reply, Request, TicketStatus, WAIT_LIMIT_MS, Waiting,
};

/// Does what a person asks, or says why not. A key that was answered gets the same answer.
pub(super) fn act(
    book: &mut Book,
    now: Timestamp,
    request: &Request<'_>,
    out: &mut DeskOut,
) -> Reply {
    if let Some(key) = request.key
        && let Some(reply) = book.answered(request.by, request.ticket, key)
    {
        return reply.clone();
    }
    let reply = match check(book, now, request) {
        Ok((number, status)) => carry_out(book, now, request, (number, status), out),
        Err(refusal) => Reply::Refused(refusal),
    };
    if let Some(key) = request.key {
        book.note_answer(Answered {
            by: request.by.into(),
            ticket: request.ticket.into(),
            key: key.into(),
            reply: reply.clone(),
        });
    }
    reply
}

/// Takes what was done with a device.
pub(super) fn device(
    book: &mut Book,
    now: Timestamp,
    device: &DeviceId,
    action: &DeviceAction,
    out: &mut DeskOut,
) {
    match action {
        DeviceAction::PartReplaced { part, .. } => {
            // Whoever fitted the part acted on what it may cure: such a ticket waits for its verdict when the fault clears.
            for number in book.open_of(device) {
                if let Some(held) = book.get(number)
                    && held.ticket.parts.contains(part)
                {
                    book.mark_acted(number);
                }
            }
            let part = part.clone();
            out.commands
                .push((device.clone(), DetectCommand::PartReplaced { part }));
        }
        DeviceAction::Retire => {
            for number in book.open_of(device) {
                end_without_work(book, number, now, "device_retired", out);
            }
            out.commands.push((device.clone(), DetectCommand::Forget));
        }
        DeviceAction::Set { .. } | DeviceAction::Adopt => {}
    }
}

/// The ticket's number and its status after the action, or why it is refused.
fn check(
    book: &Book,
    now: Timestamp,
    request: &Request<'_>,
) -> Result<(u64, TicketStatus), Refusal> {
    let ticket = SmolStr::new(request.ticket);
    let number = match number(request.ticket) {
        Some(number) if book.was_given(number) => number,
        Some(_) | None => return Err(Refusal::UnknownTicket { ticket }),
    };
    let held = match book.get(number) {
        Some(held) if held.ticket.is_open() || now < held.kept_until() => held,
        Some(_) | None => return Err(Refusal::TooOld { ticket }),
    };
    let current = held.ticket.version;
    if request.expected_version.is_some_and(|seen| seen != current) {
        return Err(Refusal::Stale { current });
    }
    let (status, action) = (held.ticket.status, request.action.basic());
    let Some(next) = next_status(status, action) else {
        return Err(Refusal::NotAllowed { status, action });
    };
    match request.action {
        TicketAction::Wait { until, .. } if *until <= now || *until > now + WAIT_LIMIT_MS => {
            Err(Refusal::WaitUntil { until: *until })
        }
        TicketAction::Resolve { parts, .. } if parts.len() > PARTS_LIMIT => {
            Err(Refusal::TooManyParts { parts: parts.len() })
        }
        TicketAction::Reopen { .. } => match another_open(book, number, held) {
            Some(ticket) => Err(Refusal::AnotherOpen { ticket }),
            None => Ok((number, next)),
        },
        TicketAction::Acknowledge
        | TicketAction::Assign { .. }
        | TicketAction::Start
        | TicketAction::Wait { .. }
        | TicketAction::Comment { .. }
        | TicketAction::Resolve { .. }
        | TicketAction::Close => Ok((number, next)),
    }
}

fn another_open(book: &Book, number: u64, held: &Held) -> Option<SmolStr> {
    book.open_number(&held.ticket.device, &held.ticket.fault)
        .filter(|open| *open != number)
        .map(id)
}

fn carry_out(
    book: &mut Book,
    now: Timestamp,
    request: &Request<'_>,
    (number, status): (u64, TicketStatus),
    out: &mut DeskOut,
) -> Reply {
    let Some(mut held) = book.take(number) else {
        let ticket = request.ticket.into();
        return Reply::Refused(Refusal::UnknownTicket { ticket });
    };
    let blob = apply(&mut held, now, request.action, status, out);
    let (ticket, version) = (held.ticket.id.clone(), held.ticket.version + 1);
    let action = request.action.basic();
    let change = if action == BasicAction::Reopen {
        Change::Reopened
    } else {
        Change::Acted
    };
    let stamp = Stamp {
        by: Some(request.by.into()),
        blob,
        ..Stamp::own(now, change, action.as_str())
    };
    put(book, number, held, stamp, out);
    Reply::Done { ticket, version }
}

/// Changes the ticket; gives the blob of what the person wrote.
fn apply(
    held: &mut Held,
    now: Timestamp,
    action: &TicketAction,
    status: TicketStatus,
    out: &mut DeskOut,
) -> Option<SmolStr> {
    held.acted = true;
    let ticket = &mut held.ticket;
    ticket.status = status;
    match action {
        TicketAction::Acknowledge => None,
        TicketAction::Assign { to } => {
            ticket.assignee = (!to.is_empty()).then(|| to.clone());
            None
        }
        TicketAction::Start => {
            ticket.waiting = None;
            None
        }
        TicketAction::Wait { reason, until } => {
            ticket.waiting = Some(Waiting {
                reason: *reason,
                until: *until,
            });
            None
        }
        TicketAction::Comment { blob } => Some(blob.clone()),
        TicketAction::Resolve {
            verdict,
            parts,
            note,
        } => {
            ticket.waiting = None;
            ticket.resolved_at = Some(now);
            ticket.verdict = Some(*verdict);
            ticket.fitted.clone_from(parts);
            // First the parts, so that the recheck watches what is there now. Detection knows which parts the profile has.
            let fitted = parts
                .iter()
                .map(|part| DetectCommand::PartReplaced { part: part.clone() });
            let fault = ticket.fault.clone();
            let recheck = DetectCommand::Recheck { fault };
            out.commands.extend(
                fitted
                    .chain([recheck])
                    .map(|command| (ticket.device.clone(), command)),
            );
            note.clone()
        }
        TicketAction::Close => {
            end(ticket, TicketStatus::Closed, now);
            rearm(ticket, out);
            None
        }
        TicketAction::Reopen { reason } => {
            // Whether the condition holds is not the person's to say: `cleared_at` stays as detection left it.
            let cleared_at = ticket.cleared_at;
            forget_end(ticket);
            ticket.cleared_at = cleared_at;
            if ticket.assignee.is_some() {
                ticket.status = TicketStatus::InProgress;
            }
            reason.clone()
        }
    }
}
