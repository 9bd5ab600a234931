//! What one fault's ticket does to the tickets of other faults of the same device: it absorbs them, or it doubts the sensor
//! they rest on.

use crate::detect::FaultEvent;
use crate::profile::{Program, Severity};

use super::book::{Book, Held, id};
use super::fault::{Stamp, end_for, put, rearm};
use super::open::find;
use super::{Change, DeskOut, TicketKind, TicketStatus};

/// Ends the open tickets of the faults that this one absorbs, each with a link to it.
///
/// An S1 ticket is absorbed by none but another S1, and no ticket by a notice: what endangers people, or needs a person at
/// all, must not end inside something less.
pub(super) fn absorb(
    book: &mut Book,
    into: u64,
    event: &FaultEvent,
    program: &Program,
    out: &mut DeskOut,
) {
    let Some(fault) = find(program, &event.fault) else {
        return;
    };
    let Some((severity, kind)) = book
        .get(into)
        .map(|held| (held.ticket.severity, held.ticket.kind))
    else {
        return;
    };
    for name in &fault.absorbs {
        let Some(number) = book.open_number(&event.device, name) else {
            continue;
        };
        let stays = |held: &Held| {
            let danger = held.ticket.severity == Severity::S1 && severity != Severity::S1;
            let work = held.ticket.kind == TicketKind::Ticket && kind == TicketKind::Notice;
            danger || work
        };
        if number == into || book.get(number).is_none_or(stays) {
            continue;
        }
        let Some(mut held) = book.take(number) else {
            continue;
        };
        let change = end_for(&mut held.ticket, event.at);
        held.ticket.linked = Some(id(into));
        rearm(&held.ticket, out);
        put(
            book,
            number,
            held,
            Stamp::own(event.at, change, "absorbed"),
            out,
        );
        book.mark_absorbing(into);
    }
}

/// A fault of a sensor has become Active: tickets of faults that read the sensor's signals rest on nothing. Those nobody
/// acknowledged are cancelled with a link, the others get a note; S1 is never held back.
pub(super) fn doubt_sensors(
    book: &mut Book,
    because: u64,
    event: &FaultEvent,
    program: &Program,
    out: &mut DeskOut,
) {
    let Some(sensor) = find(program, &event.fault) else {
        return;
    };
    if sensor.sensor_of.is_empty() {
        return;
    }
    let reads_it = |signals: &[usize]| {
        signals
            .iter()
            .any(|signal| sensor.sensor_of.contains(signal))
    };
    for other in &program.faults {
        if other.name == sensor.name || !reads_it(&other.signals) {
            continue;
        }
        let Some(number) = book.open_number(&event.device, &other.name) else {
            continue;
        };
        let Some(mut held) = book.take(number) else {
            continue;
        };
        if held.ticket.severity == Severity::S1 {
            book.put(number, held);
            continue;
        }
        let change = if held.ticket.status == TicketStatus::New {
            held.ticket.linked = Some(id(because));
            rearm(&held.ticket, out);
            end_for(&mut held.ticket, event.at)
        } else {
            held.ticket.linked.get_or_insert_with(|| id(because));
            Change::Acted
        };
        put(
            book,
            number,
            held,
            Stamp::own(event.at, change, "sensor_verdict"),
            out,
        );
    }
}
