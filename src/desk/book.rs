//! The tickets that the desk still needs, with their indexes.
//!
//! Open tickets are kept in full for as long as they are open; there are at most as many as detection holds faults of devices.
//! Ended ones are kept in full only while they may be taken up again, after that as a link (the ticket that ended last on each
//! fault of a device), for the one that comes after. The invariant: `open`, `due`, `kept` and `ended` are functions of
//! `tickets` and `last`; only [`Book::take`] and [`Book::put`] move tickets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::telemetry::{DAY_MS, DeviceId, Timestamp};

use super::fault::{NOTICE_REPEAT_MS, REOPEN_MS};
use super::{Reply, Ticket, TicketKind, TicketStatus};

/// How many ended tickets are kept in full: 14 days of a fleet with 3,500 endings a day, about 50 MB. When full, the oldest
/// becomes a link early: a fault that comes back then opens a new ticket that names the old one.
pub const CLOSED_LIMIT: usize = 50_000;

/// How long an ended ticket is named by the next one on the same fault: two warranty years.
pub const LINK_MS: i64 = 730 * DAY_MS;

/// How many links are kept, about 100 bytes each. When full, the oldest is forgotten: the next ticket then names none.
pub const LINKS_LIMIT: usize = 500_000;

/// How many idempotency keys are remembered: an hour of a desk with one action a second. When full, the oldest is forgotten;
/// the version check still catches a repeated form.
pub const KEYS_LIMIT: usize = 4_096;

/// A device and one of its faults.
pub(super) type Key = (DeviceId, SmolStr);

/// A ticket with what the desk alone needs to know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// The ticket.
    pub ticket: Ticket,
    /// A person did something with it, or replaced a part that it names.
    pub acted: bool,
    /// It took other tickets into itself.
    pub absorbed: bool,
    /// When people were last told of it; a notice repeats by it.
    pub told: Timestamp,
}

impl Held {
    pub(super) fn key(&self) -> Key {
        (self.ticket.device.clone(), self.ticket.fault.clone())
    }

    /// Until when an ended ticket may be taken up again.
    pub(super) fn kept_until(&self) -> Timestamp {
        let ended = self.ticket.closed_at.unwrap_or(Timestamp::MIN) + REOPEN_MS;
        match self.ticket.kind {
            TicketKind::Ticket => ended,
            TicketKind::Notice => ended.max(self.told + NOTICE_REPEAT_MS),
        }
    }

    /// When something is due by itself.
    fn due(&self) -> Option<Timestamp> {
        match (self.ticket.status, self.ticket.kind) {
            (TicketStatus::Waiting, _) => self.ticket.waiting.as_ref().map(|wait| wait.until),
            (
                TicketStatus::New | TicketStatus::Acknowledged | TicketStatus::InProgress,
                TicketKind::Notice,
            ) => Some(self.told + NOTICE_REPEAT_MS),
            (
                TicketStatus::New | TicketStatus::Acknowledged | TicketStatus::InProgress,
                TicketKind::Ticket,
            )
            | (TicketStatus::Resolved | TicketStatus::Closed | TicketStatus::Cancelled, _) => None,
        }
    }
}

/// The ticket of a fault of a device that ended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    /// Its number.
    pub number: u64,
    /// When it ended.
    pub ended: Timestamp,
}

/// A remembered idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    pub by: SmolStr,
    pub ticket: SmolStr,
    pub key: SmolStr,
    pub reply: Reply,
}

/// The part of the book that a snapshot holds; all else follows from it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pages {
    /// The last number that was given.
    pub numbered: u64,
    pub tickets: BTreeMap<u64, Held>,
    pub last: BTreeMap<Key, Last>,
    pub answered: VecDeque<Answered>,
}

/// All tickets that are open or may be taken up again.
#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Pages,
    open: BTreeMap<Key, u64>,
    due: BTreeSet<(Timestamp, Key, u64)>,
    /// Ended tickets that are kept in full, by when they may go.
    kept: BTreeSet<(Timestamp, u64)>,
    /// Every entry of `last`, oldest first.
    ended: BTreeSet<(Timestamp, u64, Key)>,
}

impl Book {
    /// Builds the indexes; `None` when two open tickets stand for one fault of one device.
    pub(super) fn from_pages(mut pages: Pages) -> Option<Self> {
        let mut book = Self::default();
        for (number, held) in std::mem::take(&mut pages.tickets) {
            if held.ticket.is_open() && book.open.contains_key(&held.key()) {
                return None;
            }
            book.put(number, held);
        }
        for (key, last) in &pages.last {
            book.ended.insert((last.ended, last.number, key.clone()));
        }
        pages.tickets = std::mem::take(&mut book.pages.tickets);
        book.pages = pages;
        Some(book)
    }

    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The number of the next ticket.
    pub(super) fn next_number(&mut self) -> u64 {
        self.pages.numbered += 1;
        self.pages.numbered
    }

    pub(super) fn ticket(&self, id: &str) -> Option<&Ticket> {
        let number = number(id)?;
        Some(&self.pages.tickets.get(&number)?.ticket)
    }

    pub(super) fn open(&self, device: &DeviceId, fault: &str) -> Option<&Ticket> {
        let number = self.open_number(device, fault)?;
        Some(&self.pages.tickets.get(&number)?.ticket)
    }

    pub(super) fn open_number(&self, device: &DeviceId, fault: &str) -> Option<u64> {
        self.open
            .get(&(device.clone(), SmolStr::new(fault)))
            .copied()
    }

    /// The open tickets of a device, by fault.
    pub(super) fn open_of(&self, device: &DeviceId) -> Vec<u64> {
        self.open
            .range((device.clone(), SmolStr::default())..)
            .take_while(|((owner, _), _)| owner == device)
            .map(|(_, number)| *number)
            .collect()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Held> {
        self.pages.tickets.get(&number)
    }

    /// Notes that a person did something about this ticket's fault.
    pub(super) fn mark_acted(&mut self, number: u64) {
        if let Some(held) = self.pages.tickets.get_mut(&number) {
            held.acted = true;
        }
    }

    /// True when a ticket of this number was given once.
    pub(super) fn was_given(&self, number: u64) -> bool {
        (1..=self.pages.numbered).contains(&number)
    }

    /// Notes that this ticket took another one into itself.
    pub(super) fn mark_absorbing(&mut self, number: u64) {
        if let Some(held) = self.pages.tickets.get_mut(&number) {
            held.absorbed = true;
        }
    }

    pub(super) fn last(&self, key: &Key) -> Option<Last> {
        self.pages.last.get(key).copied()
    }

    /// Takes a ticket out of the book to change it.
    pub(super) fn take(&mut self, number: u64) -> Option<Held> {
        let held = self.pages.tickets.remove(&number)?;
        if held.ticket.is_open() {
            self.open.remove(&held.key());
        } else {
            self.kept.remove(&(held.kept_until(), number));
        }
        if let Some(due) = held.due() {
            self.due.remove(&(due, held.key(), number));
        }
        Some(held)
    }

    /// Puts a ticket into the book.
    pub(super) fn put(&mut self, number: u64, held: Held) {
        if held.ticket.is_open() {
            self.open.insert(held.key(), number);
        } else {
            self.kept.insert((held.kept_until(), number));
        }
        if let Some(due) = held.due() {
            self.due.insert((due, held.key(), number));
        }
        self.pages.tickets.insert(number, held);
    }

    /// Notes that this ticket ended now, and lets go of what is no longer needed.
    pub(super) fn note_end(&mut self, number: u64, key: Key, now: Timestamp) {
        if let Some(before) = self.pages.last.get(&key) {
            self.ended
                .remove(&(before.ended, before.number, key.clone()));
        }
        self.ended.insert((now, number, key.clone()));
        self.pages.last.insert(key, Last { number, ended: now });
        self.prune(now, CLOSED_LIMIT, LINKS_LIMIT);
    }

    fn prune(&mut self, now: Timestamp, closed_limit: usize, links_limit: usize) {
        while let Some((until, number)) = self.kept.first().copied() {
            if until > now && self.kept.len() <= closed_limit {
                break;
            }
            self.take(number);
            self.kept.remove(&(until, number));
        }
        while let Some((ended, _, _)) = self.ended.first() {
            if *ended + LINK_MS > now && self.ended.len() <= links_limit {
                break;
            }
            if let Some((_, _, key)) = self.ended.pop_first() {
                self.pages.last.remove(&key);
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _, _)| *due)
    }

    /// The first ticket that is due up to `until`.
    pub(super) fn pop_due(&mut self, until: Timestamp) -> Option<(Timestamp, u64)> {
        if self.next_due()? > until {
            return None;
        }
        self.due.pop_first().map(|(due, _, number)| (due, number))
    }

    pub(super) fn answered(&self, by: &str, ticket: &str, key: &str) -> Option<&Reply> {
        self.pages
            .answered
            .iter()
            .find(|answered| answered.key == key && answered.ticket == ticket && answered.by == by)
            .map(|answered| &answered.reply)
    }

    pub(super) fn note_answer(&mut self, answered: Answered) {
        if self.pages.answered.len() >= KEYS_LIMIT {
            self.pages.answered.pop_front();
        }
        self.pages.answered.push_back(answered);
    }
}

/// The name of a ticket.
pub(super) fn id(number: u64) -> SmolStr {
    smol_str::format_smolstr!("T-{number}")
}

/// The number in a ticket's name; only the form that [`id`] writes.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("T-")?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Desk;
    use crate::desk::tests::{Bench, START, day, device, event};
    use crate::detect::FaultEventKind::{Cleared, Raised};
    use crate::profile::Stage::Warn;

    /// Three tickets on three devices, ended a day apart.
    fn ended() -> Desk {
        let mut bench = Bench::new();
        for number in 0..3 {
            for kind in [Raised, Cleared] {
                let mut event = event(kind, "scale", Warn, day(number));
                event.device = device(&number.to_string());
                bench.give(&event);
            }
        }
        bench.desk
    }

    #[test]
    fn a_full_book_lets_the_oldest_ticket_go_and_keeps_its_link() {
        let mut desk = ended();
        desk.book.prune(day(3), 3, 3);
        assert_eq!((desk.book.kept.len(), desk.book.ended.len()), (3, 3));
        desk.book.prune(day(3), 2, 2);
        assert!(desk.ticket("T-1").is_none() && desk.ticket("T-2").is_some());
        let links: Vec<u64> = desk
            .book
            .pages
            .last
            .values()
            .map(|last| last.number)
            .collect();
        assert_eq!(links, [2, 3]);
        desk.book.prune(day(3), 1, 2);
        assert_eq!(desk.book.pages.tickets.len(), 1);
        assert_eq!(desk.book.pages.last.len(), 2);
    }

    #[test]
    fn an_ended_ticket_is_let_go_when_it_can_no_longer_be_taken_up() {
        let mut desk = ended();
        desk.book.prune(day(14) - 1, 9, 9);
        assert!(desk.ticket("T-1").is_some());
        desk.book.prune(day(14), 9, 9);
        assert!(desk.ticket("T-1").is_none() && desk.ticket("T-2").is_some());
        desk.book.prune(START + LINK_MS - 1, 9, 9);
        assert_eq!(desk.book.pages.last.len(), 3);
        desk.book.prune(START + LINK_MS, 9, 9);
        assert_eq!(desk.book.pages.last.len(), 2);
    }

    #[test]
    fn a_book_with_two_open_tickets_for_one_fault_is_refused() {
        let mut bench = Bench::new();
        bench.give(&event(Raised, "scale", Warn, START));
        let held = bench.desk.book.take(1).expect("the ticket");
        let tickets = BTreeMap::from([(1, held.clone()), (2, held)]);
        let pages = Pages {
            numbered: 2,
            tickets,
            ..Pages::default()
        };
        assert!(Book::from_pages(pages).is_none());
    }

    #[test]
    fn only_the_form_that_is_written_is_read() {
        assert_eq!(number(&id(17)), Some(17));
        for text in ["T-", "T-017", "T-1 ", "t-1", "T-+1", "17"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }
}
