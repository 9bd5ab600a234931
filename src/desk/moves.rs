//! Which action is allowed at which status, and where it leads: one table, one function.
//!
//! It knows nothing of the rest of a ticket; what needs more than the status (a stale version, another open ticket, a date in
//! the past) is refused elsewhere. Closing needs no resolve before it: a ticket may be laid down without a verdict, then it
//! counts for no statistics.

use crate::telemetry::BasicAction;

use super::TicketStatus;

/// The status after `action` at `status`; `None` when the move is not allowed.
///
/// `reopen` leads to `acknowledged` here: the person who does it has seen the ticket. One with an assignee goes on as
/// `in_progress`.
#[must_use]
pub const fn next_status(status: TicketStatus, action: BasicAction) -> Option<TicketStatus> {
    use TicketStatus::{Acknowledged, Cancelled, Closed, InProgress, New, Resolved, Waiting};
    match action {
        BasicAction::Comment => Some(status),
        BasicAction::Acknowledge => match status {
            New | Acknowledged => Some(Acknowledged),
            // A ticket that worsened while in work is acknowledged once more, and stays in work.
            InProgress => Some(InProgress),
            Waiting | Resolved | Closed | Cancelled => None,
        },
        BasicAction::Assign => match status {
            New | Acknowledged | InProgress | Waiting | Resolved => Some(status),
            Closed | Cancelled => None,
        },
        BasicAction::Start => match status {
            New | Acknowledged | Waiting => Some(InProgress),
            InProgress | Resolved | Closed | Cancelled => None,
        },
        BasicAction::Wait => match status {
            New | Acknowledged | InProgress | Waiting => Some(Waiting),
            Resolved | Closed | Cancelled => None,
        },
        BasicAction::Resolve => match status {
            New | Acknowledged | InProgress | Waiting => Some(Resolved),
            Resolved | Closed | Cancelled => None,
        },
        BasicAction::Close => match status {
            New | Acknowledged | InProgress | Waiting | Resolved => Some(Closed),
            Closed | Cancelled => None,
        },
        BasicAction::Reopen => match status {
            Resolved | Closed | Cancelled => Some(Acknowledged),
            New | Acknowledged | InProgress | Waiting => None,
        },
    }
}

/// What a person may do at this status.
pub fn allowed(status: TicketStatus) -> impl Iterator<Item = BasicAction> {
    BasicAction::ALL
        .into_iter()
        .filter(move |action| next_status(status, *action).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: TicketStatus, expected: &str) {
        let found: Vec<&str> = allowed(status).map(BasicAction::as_str).collect();
        assert_eq!(found.join(" "), expected, "at {status}");
    }

    #[test]
    fn each_status_allows_its_moves_and_no_other() {
        let all_but_reopen = "acknowledge assign start wait comment resolve close";
        check(TicketStatus::New, all_but_reopen);
        check(TicketStatus::Acknowledged, all_but_reopen);
        check(
            TicketStatus::InProgress,
            "acknowledge assign wait comment resolve close",
        );
        check(
            TicketStatus::Waiting,
            "assign start wait comment resolve close",
        );
        check(TicketStatus::Resolved, "assign comment close reopen");
        check(TicketStatus::Closed, "comment reopen");
        check(TicketStatus::Cancelled, "comment reopen");
    }
}
