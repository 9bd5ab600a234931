//! The desk: what a fault event, a person's action or a passed date does to tickets.
//!
//! Pure: it gets the time with each call and reads nothing else, so that the same journal gives the same tickets anywhere.
//! It leaves to others: judging faults (`detect`), the words behind a ticket's cause, action and message (`profile`), keeping
//! what was said and done for ever (the store), and telling people (notify).
//!
//! The invariant: at most one open ticket per (device, fault), and every change of a ticket is one [`TicketChange`] with the
//! whole ticket after it and a version one higher than before.

mod ticket;

mod moves;

mod reply;

mod book;

mod fault;

mod open;

mod neighbours;

mod action;

mod snapshot;

mod line;

mod wording;

mod verdict;

#[cfg(test)]
mod tests;

pub use book::{CLOSED_LIMIT, KEYS_LIMIT, LINK_MS, LINKS_LIMIT};
pub use fault::{NOTICE_REPEAT_MS, REOPEN_MS};
pub use line::change_line;
pub use moves::{allowed, next_status};
pub use reply::{PARTS_LIMIT, Refusal, Reply, Request, WAIT_LIMIT_MS};
pub use snapshot::RestoreError;
pub use ticket::{Change, Ticket, TicketChange, TicketKind, TicketStatus, Waiting};
pub use verdict::{CountsAs, Precision, VERDICTS_LEAST, counts_as};
pub use wording::{change_text, change_words};

use crate::detect::{DetectCommand, FaultEvent, FaultEventKind};
use crate::profile::Program;
use crate::telemetry::{DeviceAction, DeviceId, Timestamp};
use book::Book;

/// All tickets that are open or may still be taken up again.
#[derive(Debug, Default)]
pub struct Desk {
    book: Book,
}

/// What a step of the desk leads to.
#[derive(Debug, Default)]
pub struct DeskOut {
    /// Changes of tickets, in order.
    pub changes: Vec<TicketChange>,
    /// What detection is to do, in order.
    pub commands: Vec<(DeviceId, DetectCommand)>,
    /// The answer to a person's action.
    pub reply: Option<Reply>,
}

impl Desk {
    /// A desk without tickets; the first will be `T-1`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what detection says about a fault. `program` is the profile in force of the event's device, for the words of a new
    /// ticket and for what the fault absorbs; without one the ticket is opened with the fault's name for words.
    pub fn fault(&mut self, event: &FaultEvent, program: Option<&Program>, out: &mut DeskOut) {
        match event.kind {
            FaultEventKind::Raised | FaultEventKind::Worsened | FaultEventKind::RecheckFailed => {
                fault::raise(&mut self.book, event, program, out);
            }
            FaultEventKind::Eased => fault::ease(&mut self.book, event, out),
            FaultEventKind::Cleared => fault::clear(&mut self.book, event, out),
            FaultEventKind::RecheckPassed | FaultEventKind::RecheckUnverified => {
                fault::recheck_over(&mut self.book, event, out);
            }
            FaultEventKind::Withdrawn => fault::withdraw(&mut self.book, event, out),
            FaultEventKind::Passed => {}
        }
    }

    /// Takes a person's action; leaves exactly one reply in `out`.
    pub fn act(&mut self, now: Timestamp, request: &Request<'_>, out: &mut DeskOut) {
        out.reply = Some(action::act(&mut self.book, now, request, out));
    }

    /// Takes what was done with a device.
    pub fn device(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        action: &DeviceAction,
        out: &mut DeskOut,
    ) {
        action::device(&mut self.book, now, device, action, out);
    }

    /// When the next thing is due: a wait that ends, a notice that repeats.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.book.next_due()
    }

    /// Fires everything that is due up to `due`, each stamped with its own due time, in (due, device, fault) order.
    pub fn fire(&mut self, due: Timestamp, out: &mut DeskOut) {
        while let Some((at, number)) = self.book.pop_due(due) {
            fault::due(&mut self.book, at, number, out);
        }
    }

    /// A ticket that is open or ended so lately that it may be taken up again.
    #[must_use]
    pub fn ticket(&self, id: &str) -> Option<&Ticket> {
        self.book.ticket(id)
    }

    /// The open ticket of a fault of a device.
    #[must_use]
    pub fn open(&self, device: &DeviceId, fault: &str) -> Option<&Ticket> {
        self.book.open(device, fault)
    }

    /// The whole state as bytes; equal state gives equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.book)
    }

    /// The state that [`Desk::snapshot`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another format or damaged.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        snapshot::read(bytes).map(|book| Self { book })
    }
}
