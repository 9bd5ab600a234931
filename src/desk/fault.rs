//! What a fault event, or a date that has come, does to tickets.
//!
//! A fault that rises opens a ticket, adds to the open one, or takes up one that was resolved or lately closed. One that is
//! over cancels a ticket that nobody touched, ends a notice, and leaves every other ticket to its person.

use smol_str::SmolStr;

use crate::detect::{DetectCommand, FaultEvent, FaultEventKind};
use crate::profile::{Program, Severity};
use crate::telemetry::{DAY_MS, Timestamp};

use super::book::{Book, Held, LINK_MS, id};
use super::open::{new_ticket, refresh};
use super::{Change, DeskOut, Ticket, TicketChange, TicketKind, TicketStatus};

/// A fault that rises less than this after its ticket was closed takes the same ticket up again: the repair did not last.
pub const REOPEN_MS: i64 = 14 * DAY_MS;

/// A notice is told again at most this often.
pub const NOTICE_REPEAT_MS: i64 = 30 * DAY_MS;

/// What a change is called, who did it, and when it happened.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub at: Timestamp,
    pub event_time: Timestamp,
    pub change: Change,
    pub what: &'static str,
    pub by: Option<SmolStr>,
    pub blob: Option<SmolStr>,
}

impl Stamp {
    /// A change that Foremend itself makes.
    pub(super) fn own(at: Timestamp, change: Change, what: &'static str) -> Self {
        Self {
            at,
            event_time: at,
            change,
            what,
            by: None,
            blob: None,
        }
    }

    fn of(event: &FaultEvent, change: Change, what: &'static str) -> Self {
        Self {
            event_time: event.event_time,
            ..Self::own(event.at, change, what)
        }
    }
}

/// Puts a changed ticket back and tells the change.
pub(super) fn put(book: &mut Book, number: u64, mut held: Held, stamp: Stamp, out: &mut DeskOut) {
    // A notice that waited past its date is told at once, never in the past.
    held.told = held.told.max(stamp.at - NOTICE_REPEAT_MS);
    held.ticket.version += 1;
    held.ticket.updated_at = stamp.at;
    held.ticket.last_change = stamp.change;
    let ticket = held.ticket.clone();
    let key = held.key();
    book.put(number, held);
    if !ticket.is_open() && ticket.closed_at == Some(stamp.at) {
        book.note_end(number, key, stamp.at);
    }
    out.changes.push(TicketChange {
        at: stamp.at,
        change: stamp.change,
        what: stamp.what.into(),
        by: stamp.by,
        blob: stamp.blob,
        event_time: stamp.event_time,
        ticket,
    });
}

/// The fault holds: it rose, worsened, or came back while its repair was watched.
pub(super) fn raise(
    book: &mut Book,
    event: &FaultEvent,
    program: Option<&Program>,
    out: &mut DeskOut,
) {
    let number = match book.open_number(&event.device, &event.fault) {
        Some(number) => {
            add(book, number, event, program, out);
            number
        }
        None => match lately_ended(book, event) {
            Some(number) => {
                come_back(book, number, event, program, out);
                number
            }
            None => open(book, event, program, out),
        },
    };
    let Some(program) = program else { return };
    super::neighbours::absorb(book, number, event, program, out);
    if event.kind != FaultEventKind::Worsened {
        super::neighbours::doubt_sensors(book, number, event, program, out);
    }
}

fn open(book: &mut Book, event: &FaultEvent, program: Option<&Program>, out: &mut DeskOut) -> u64 {
    let linked = book
        .last(&(event.device.clone(), event.fault.clone()))
        .filter(|last| event.at < last.ended + LINK_MS)
        .map(|last| id(last.number));
    let number = book.next_number();
    let held = Held {
        ticket: new_ticket(number, event, program, linked),
        acted: false,
        absorbed: false,
        told: event.at,
    };
    put(
        book,
        number,
        held,
        Stamp::of(event, Change::Opened, ""),
        out,
    );
    number
}

/// The ticket that a raise takes up again although it ended.
fn lately_ended(book: &Book, event: &FaultEvent) -> Option<u64> {
    let last = book.last(&(event.device.clone(), event.fault.clone()))?;
    let held = book.get(last.number)?;
    let closed_lately =
        held.ticket.status == TicketStatus::Closed && event.at < last.ended + REOPEN_MS;
    let told_lately = held.ticket.kind == TicketKind::Notice
        && event.severity == Severity::S4
        && event.at < held.told + NOTICE_REPEAT_MS;
    (closed_lately || told_lately).then_some(last.number)
}

/// An ended ticket is taken up again.
fn come_back(
    book: &mut Book,
    number: u64,
    event: &FaultEvent,
    program: Option<&Program>,
    out: &mut DeskOut,
) {
    let Some(mut held) = book.take(number) else {
        return;
    };
    let quiet = held.ticket.kind == TicketKind::Notice
        && event.severity == Severity::S4
        && event.at < held.told + NOTICE_REPEAT_MS;
    take_up(&mut held, event, program);
    // A notice whose counter wavers around its limit is not told again before its 30 days are over.
    let change = if quiet {
        Change::Acted
    } else {
        held.told = event.at;
        Change::Reopened
    };
    let stamp = Stamp::of(event, change, "raised_again");
    put(book, number, held, stamp, out);
}

/// The fault holds (again) while its ticket is open.
fn add(
    book: &mut Book,
    number: u64,
    event: &FaultEvent,
    program: Option<&Program>,
    out: &mut DeskOut,
) {
    let Some(mut held) = book.take(number) else {
        return;
    };
    if held.ticket.status == TicketStatus::Resolved {
        take_up(&mut held, event, program);
        let stamp = Stamp::of(event, Change::Reopened, "repair_did_not_help");
        return put(book, number, held, stamp, out);
    }
    let ticket = &mut held.ticket;
    let worse = event.stage > ticket.stage || event.severity < ticket.severity;
    let was_over = ticket.cleared_at.take().is_some();
    if event.kind != FaultEventKind::Worsened {
        ticket.occurrences = ticket.occurrences.saturating_add(1);
    }
    refresh(ticket, event, program);
    let (change, what) = if worse {
        if ticket.status == TicketStatus::Waiting {
            // It was in work before it waited; the person who had it must look again.
            ticket.status = TicketStatus::InProgress;
            ticket.waiting = None;
        }
        (Change::Worsened, "")
    } else if was_over {
        (Change::Reopened, "raised_again")
    } else {
        (Change::Acted, "raised_again")
    };
    put(book, number, held, Stamp::of(event, change, what), out);
}

/// A resolved or ended ticket holds again: whoever had it goes on; without an assignee it is new.
fn take_up(held: &mut Held, event: &FaultEvent, program: Option<&Program>) {
    let ticket = &mut held.ticket;
    ticket.status = match ticket.assignee {
        Some(_) => TicketStatus::InProgress,
        None => TicketStatus::New,
    };
    ticket.occurrences = ticket.occurrences.saturating_add(1);
    ticket.event_time = event.event_time;
    ticket.profile_version = event.profile_version.clone();
    ticket.late = event.late;
    forget_end(ticket);
    refresh(ticket, event, program);
}

/// Takes back what ending a ticket set. The parts that were fitted stay fitted.
pub(super) fn forget_end(ticket: &mut Ticket) {
    ticket.cleared_at = None;
    ticket.resolved_at = None;
    ticket.closed_at = None;
    ticket.waiting = None;
    ticket.verdict = None;
}

/// `fault` became `warn`: the stage follows, the severity stays.
pub(super) fn ease(book: &mut Book, event: &FaultEvent, out: &mut DeskOut) {
    let Some(number) = book.open_number(&event.device, &event.fault) else {
        return;
    };
    let Some(mut held) = book.take(number) else {
        return;
    };
    held.ticket.stage = event.stage;
    if !event.evidence.is_empty() {
        held.ticket.evidence.clone_from(&event.evidence);
        held.ticket.reason = event.reason.clone();
    }
    put(book, number, held, Stamp::of(event, Change::Eased, ""), out);
}

/// The condition is over.
pub(super) fn clear(book: &mut Book, event: &FaultEvent, out: &mut DeskOut) {
    let Some(number) = book.open_number(&event.device, &event.fault) else {
        return;
    };
    let Some(mut held) = book.take(number) else {
        return;
    };
    let ticket = &mut held.ticket;
    if ticket.cleared_at.is_some() {
        return book.put(number, held);
    }
    ticket.cleared_at = Some(event.event_time);
    let untouched = ticket.status == TicketStatus::New && !held.acted;
    let stamp = if ticket.kind == TicketKind::Notice {
        end(ticket, TicketStatus::Closed, event.at);
        Stamp::of(event, Change::Cleared, "")
    } else if untouched {
        end(ticket, TicketStatus::Cancelled, event.at);
        Stamp::of(event, Change::Cancelled, "cleared")
    } else {
        Stamp::of(event, Change::Cleared, "")
    };
    put(book, number, held, stamp, out);
}

/// The recheck is over and the fault did not come back, or it could not be judged.
pub(super) fn recheck_over(book: &mut Book, event: &FaultEvent, out: &mut DeskOut) {
    let Some(number) = book.open_number(&event.device, &event.fault) else {
        return;
    };
    let Some(mut held) = book.take(number) else {
        return;
    };
    if held.ticket.status != TicketStatus::Resolved {
        return book.put(number, held);
    }
    end(&mut held.ticket, TicketStatus::Closed, event.at);
    let what = if event.kind == FaultEventKind::RecheckPassed {
        held.ticket.cleared_at.get_or_insert(event.event_time);
        "recheck_passed"
    } else {
        "unverified"
    };
    put(
        book,
        number,
        held,
        Stamp::of(event, Change::Acted, what),
        out,
    );
}

/// The rule was withdrawn: what it alone opened ends. A ticket that took others into itself speaks for them too and stays.
pub(super) fn withdraw(book: &mut Book, event: &FaultEvent, out: &mut DeskOut) {
    let Some(number) = book.open_number(&event.device, &event.fault) else {
        return;
    };
    let keeps = book.get(number).is_some_and(|held| held.absorbed);
    if !keeps {
        return end_without_work(book, number, event.at, "rule_withdrawn", out);
    }
    if let Some(held) = book.take(number) {
        let stamp = Stamp::of(event, Change::Acted, "rule_withdrawn");
        put(book, number, held, stamp, out);
    }
}

/// Ends a ticket for a reason outside of it: cancelled, or closed when it was resolved and only watched.
pub(super) fn end_without_work(
    book: &mut Book,
    number: u64,
    at: Timestamp,
    what: &'static str,
    out: &mut DeskOut,
) {
    let Some(mut held) = book.take(number) else {
        return;
    };
    let change = end_for(&mut held.ticket, at);
    put(book, number, held, Stamp::own(at, change, what), out);
}

/// The status and the change of [`end_without_work`].
pub(super) fn end_for(ticket: &mut Ticket, at: Timestamp) -> Change {
    if ticket.status == TicketStatus::Resolved {
        end(ticket, TicketStatus::Closed, at);
        Change::Acted
    } else {
        end(ticket, TicketStatus::Cancelled, at);
        Change::Cancelled
    }
}

/// Gives a ticket its last status.
pub(super) fn end(ticket: &mut Ticket, status: TicketStatus, at: Timestamp) {
    ticket.status = status;
    ticket.closed_at = Some(at);
    ticket.waiting = None;
}

/// A date has come: a wait is over, or a notice is told again.
pub(super) fn due(book: &mut Book, at: Timestamp, number: u64, out: &mut DeskOut) {
    let Some(mut held) = book.take(number) else {
        return;
    };
    let what = if held.ticket.status == TicketStatus::Waiting {
        held.ticket.status = TicketStatus::InProgress;
        held.ticket.waiting = None;
        "wait_over"
    } else {
        held.told = at;
        "notice_repeated"
    };
    put(book, number, held, Stamp::own(at, Change::Acted, what), out);
}

/// A ticket ended while its fault may still hold: a latched one is re-armed.
pub(super) fn rearm(ticket: &Ticket, out: &mut DeskOut) {
    let fault = ticket.fault.clone();
    out.commands
        .push((ticket.device.clone(), DetectCommand::Rearm { fault }));
}
