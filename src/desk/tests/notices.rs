//! Notices: S4, never in the queue.

use super::*;
use crate::desk::TicketKind;
use FaultEventKind::{Cleared, Raised, Worsened};
use Stage::{Fault, Warn};

fn noticed() -> Bench {
    let mut bench = Bench::new();
    bench.say(Raised, "filter", Warn, START);
    bench
}

#[test]
fn a_consumable_that_is_due_is_a_notice_and_ends_when_it_clears() {
    let mut bench = noticed();
    assert_eq!(bench.ticket("T-1").kind, TicketKind::Notice);
    assert_eq!(
        bench.say(Cleared, "filter", Warn, day(3)),
        "cleared T-1 closed"
    );
    assert_eq!(bench.desk.next_due(), None);
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(bench.ticket("T-1").kind, TicketKind::Ticket);
    assert_eq!(bench.desk.next_due(), None);
}

#[test]
fn a_notice_is_told_again_every_30_days() {
    let mut bench = noticed();
    assert_eq!(bench.desk.next_due(), Some(day(30)));
    assert_eq!(bench.fire(day(30) - 1), "");
    assert_eq!(
        bench.fire(day(60)),
        "acted T-1 new notice_repeated; acted T-1 new notice_repeated"
    );
    assert_eq!(bench.desk.next_due(), Some(day(90)));
}

#[test]
fn a_notice_that_wavers_around_its_limit_is_not_told_again_within_30_days() {
    let mut bench = noticed();
    bench.say(Cleared, "filter", Warn, day(1));
    assert_eq!(
        bench.say(Raised, "filter", Warn, day(20)),
        "acted T-1 new raised_again"
    );
    assert_eq!(bench.desk.next_due(), Some(day(30)));
    bench.say(Cleared, "filter", Warn, day(21));
    assert_eq!(
        bench.say(Raised, "filter", Warn, day(30)),
        "reopened T-1 new raised_again"
    );
    assert_eq!(bench.desk.next_due(), Some(day(60)));
}

#[test]
fn a_notice_that_ended_long_ago_is_followed_by_a_linked_one() {
    let mut bench = noticed();
    bench.say(Cleared, "filter", Warn, day(1));
    assert_eq!(bench.say(Raised, "filter", Warn, day(30)), "opened T-2 new");
    assert_eq!(bench.ticket("T-2").linked.as_deref(), Some("T-1"));
}

#[test]
fn a_notice_that_worsens_becomes_a_ticket() {
    let mut bench = noticed();
    assert_eq!(
        bench.say(Worsened, "filter", Fault, day(1)),
        "worsened T-1 new"
    );
    assert_eq!(bench.ticket("T-1").kind, TicketKind::Ticket);
    assert_eq!(bench.desk.next_due(), None);
}

#[test]
fn a_notice_that_waited_past_its_date_is_told_when_the_wait_is_over() {
    let mut bench = noticed();
    let wait = TicketAction::Wait {
        reason: crate::telemetry::WaitFor::Part,
        until: day(40),
    };
    bench.act(START, "T-1", &wait);
    assert_eq!(bench.desk.next_due(), Some(day(40)));
    bench.fire(day(40));
    let times: Vec<Timestamp> = bench.out.changes.iter().map(|change| change.at).collect();
    assert_eq!(times, [day(40), day(40)]);
    assert_eq!(bench.desk.next_due(), Some(day(70)));
}
