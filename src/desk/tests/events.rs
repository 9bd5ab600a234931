//! Fault events: opening, adding, clearing, coming back.

use super::*;
use FaultEventKind::{
    Cleared, Eased, Passed, Raised, RecheckFailed, RecheckPassed, RecheckUnverified, Withdrawn,
    Worsened,
};
use Stage::{Fault, Warn};

#[test]
fn a_raise_opens_a_ticket_with_the_words_of_the_profile() {
    let mut bench = Bench::new();
    let mut raised = event(Raised, "scale", Warn, START);
    raised.identity.fw = Some("1.4.2".into());
    raised.identity.region = Some("CN-ZJ".into());
    raised.identity.lots.insert("heater".into(), "H2509".into());
    assert_eq!(bench.give(&raised), "opened T-1 new");
    let ticket = bench.ticket("T-1");
    assert_eq!(ticket.version, 1);
    assert_eq!(ticket.title.en, "title of scale");
    assert_eq!(
        (ticket.code.as_str(), ticket.cause.as_str()),
        ("B1", "dirt")
    );
    assert_eq!(
        (ticket.action.as_str(), ticket.message.as_deref()),
        ("look", Some("M14"))
    );
    assert_eq!(ticket.lot.as_deref(), Some("H2509"));
    assert_eq!(ticket.firmware.as_deref(), Some("1.4.2"));
    assert_eq!(ticket.severity, Severity::S3);
    assert_eq!(
        (ticket.opened_at, ticket.event_time),
        (START, START - 1_000)
    );
    assert_eq!(ticket, &bench.out.changes[0].ticket);
}

#[test]
fn the_lot_of_the_device_comes_before_the_lot_of_a_part() {
    let mut bench = Bench::new();
    let mut raised = event(Raised, "scale", Warn, START);
    raised.identity.batch = Some("B7".into());
    raised.identity.lots.insert("heater".into(), "H2509".into());
    bench.give(&raised);
    assert_eq!(bench.ticket("T-1").lot.as_deref(), Some("B7"));
}

#[test]
fn a_fault_that_the_profile_does_not_know_opens_a_ticket_all_the_same() {
    let mut desk = Desk::new();
    let mut out = DeskOut::default();
    desk.fault(&event(Raised, "odd", Warn, START), None, &mut out);
    assert_eq!(out.changes[0].ticket.title, Text::same("odd"));
}

#[test]
fn ids_are_given_in_journal_order() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(Raised, "scald", Fault, START), "opened T-1 new");
    let mut other = event(Raised, "scald", Fault, START);
    other.device = device("0002");
    assert_eq!(bench.give(&other), "opened T-2 new");
}

#[test]
fn a_raise_while_a_ticket_is_open_opens_no_second_one() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(
        bench.say(Raised, "scale", Warn, day(1)),
        "acted T-1 new raised_again"
    );
    let ticket = bench.ticket("T-1");
    assert_eq!((ticket.occurrences, ticket.version), (2, 2));
}

#[test]
fn worsening_raises_the_severity_and_easing_leaves_it() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(
        bench.say(Worsened, "scale", Fault, day(1)),
        "worsened T-1 new"
    );
    let ticket = bench.ticket("T-1");
    assert_eq!((ticket.stage, ticket.severity), (Fault, Severity::S2));
    assert_eq!((ticket.action.as_str(), ticket.occurrences), ("visit", 1));
    assert_eq!(bench.say(Eased, "scale", Warn, day(2)), "eased T-1 new");
    let ticket = bench.ticket("T-1");
    assert_eq!((ticket.stage, ticket.severity), (Warn, Severity::S2));
    assert_eq!(ticket.action, "visit");
    assert_eq!(
        bench.say(Worsened, "scale", Fault, day(3)),
        "worsened T-1 new"
    );
}

#[test]
fn worsening_wakes_a_waiting_ticket_and_a_repeated_raise_does_not() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    let wait = TicketAction::Wait {
        reason: crate::telemetry::WaitFor::Part,
        until: day(9),
    };
    bench.act(START, "T-1", &wait);
    assert_eq!(
        bench.say(Raised, "scale", Warn, day(1)),
        "acted T-1 waiting raised_again"
    );
    assert_eq!(
        bench.say(Worsened, "scale", Fault, day(2)),
        "worsened T-1 in_progress"
    );
    assert_eq!(bench.ticket("T-1").waiting, None);
    assert_eq!(bench.desk.next_due(), None);
}

#[test]
fn a_ticket_that_nobody_touched_is_cancelled_when_the_fault_clears() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(
        bench.say(Cleared, "scale", Warn, day(1)),
        "cancelled T-1 cancelled cleared"
    );
    assert_eq!(bench.ticket("T-1").closed_at, Some(day(1)));
    assert_eq!(bench.ticket("T-1").cleared_at, Some(day(1) - 1_000));
    assert_eq!(bench.say(Cleared, "scale", Warn, day(1)), "");
}

#[test]
fn a_ticket_that_a_person_has_stays_open_when_the_fault_clears() {
    for action in [
        TicketAction::Acknowledge,
        TicketAction::Assign { to: "mo".into() },
        TicketAction::Comment { blob: "b".into() },
        TicketAction::Start,
    ] {
        let mut bench = Bench::new();
        bench.say(Raised, "scale", Warn, START);
        bench.act(START, "T-1", &action);
        let told = bench.say(Cleared, "scale", Warn, day(1));
        assert!(told.starts_with("cleared T-1"), "{action:?}: {told}");
        assert!(bench.ticket("T-1").is_open());
        assert_eq!(bench.say(Cleared, "scale", Warn, day(1)), "");
    }
}

#[test]
fn an_open_ticket_whose_fault_had_cleared_is_reopened_by_the_next_raise() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Start);
    bench.say(Cleared, "scale", Warn, day(1));
    assert_eq!(
        bench.say(Raised, "scale", Warn, day(2)),
        "reopened T-1 in_progress raised_again"
    );
    assert_eq!(bench.ticket("T-1").cleared_at, None);
}

#[test]
fn a_raise_while_resolved_reopens_the_ticket() {
    for kind in [Raised, Worsened, RecheckFailed] {
        let mut bench = Bench::resolved(START);
        assert_eq!(
            bench.say(kind, "scale", Warn, day(1)),
            "reopened T-1 new repair_did_not_help"
        );
        let ticket = bench.ticket("T-1");
        assert_eq!((ticket.verdict, ticket.resolved_at), (None, None));
    }
}

#[test]
fn a_reopened_ticket_goes_on_with_the_person_who_had_it() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Assign { to: "mo".into() });
    bench.act(START, "T-1", &resolve());
    assert_eq!(
        bench.say(RecheckFailed, "scale", Warn, day(1)),
        "reopened T-1 in_progress repair_did_not_help"
    );
    assert_eq!(bench.ticket("T-1").assignee.as_deref(), Some("mo"));
    // It was worked on before, so it is not cancelled as if nobody had seen it.
    let told = bench.say(Cleared, "scale", Warn, day(2));
    assert_eq!(told, "cleared T-1 in_progress");
}

#[test]
fn a_quiet_recheck_closes_a_resolved_ticket() {
    for (kind, what) in [
        (RecheckPassed, "recheck_passed"),
        (RecheckUnverified, "unverified"),
    ] {
        let mut bench = Bench::resolved(START);
        assert_eq!(
            bench.say(kind, "scale", Warn, day(3)),
            format!("acted T-1 closed {what}")
        );
        assert_eq!(bench.commands(), []);
        assert_eq!(bench.ticket("T-1").closed_at, Some(day(3)));
    }
}

#[test]
fn a_recheck_closes_nothing_that_is_not_resolved() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(bench.say(RecheckPassed, "scale", Warn, day(1)), "");
    assert_eq!(bench.ticket("T-1").version, 1);
    assert_eq!(bench.say(RecheckPassed, "scald", Fault, day(1)), "");
}

#[test]
fn within_14_days_of_closing_a_raise_reopens_and_after_them_it_opens_a_linked_ticket() {
    let close_and_raise = |at| {
        let mut bench = Bench::resolved(START);
        bench.act(START, "T-1", &TicketAction::Close);
        let told = bench.say(Raised, "scale", Warn, at);
        (bench, told)
    };
    let (_, told) = close_and_raise(day(14) - 1);
    assert_eq!(told, "reopened T-1 new raised_again");
    let (bench, told) = close_and_raise(day(14));
    assert_eq!(told, "opened T-2 new");
    assert_eq!(bench.ticket("T-2").linked.as_deref(), Some("T-1"));
}

#[test]
fn worsening_after_closing_takes_the_ticket_up_again() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Close);
    assert_eq!(bench.say(Eased, "scale", Warn, day(1)), "");
    assert_eq!(
        bench.say(Worsened, "scale", Fault, day(1)),
        "reopened T-1 new raised_again"
    );
    assert_eq!(bench.ticket("T-1").severity, Severity::S2);
}

#[test]
fn a_raise_after_a_cancelled_ticket_opens_a_linked_one() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.say(Cleared, "scale", Warn, day(1));
    assert_eq!(bench.say(Raised, "scale", Warn, day(2)), "opened T-2 new");
    assert_eq!(bench.ticket("T-2").linked.as_deref(), Some("T-1"));
}

#[test]
fn a_link_is_forgotten_after_two_years() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.say(Cleared, "scale", Warn, START);
    bench.say(Raised, "scale", Warn, day(730));
    assert_eq!(bench.ticket("T-2").linked, None);
    // What ended long ago is let go of at the next ending.
    bench.say(Cleared, "scale", Warn, day(730));
    assert!(bench.desk.ticket("T-1").is_none());
}

#[test]
fn a_withdrawn_rule_cancels_what_it_opened() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Start);
    assert_eq!(
        bench.say(Withdrawn, "scale", Warn, day(1)),
        "cancelled T-1 cancelled rule_withdrawn"
    );
    assert_eq!(bench.say(Withdrawn, "scale", Warn, day(1)), "");
    let mut bench = Bench::resolved(START);
    assert_eq!(
        bench.say(Withdrawn, "scale", Warn, day(1)),
        "acted T-1 closed rule_withdrawn"
    );
}

#[test]
fn what_passed_inside_a_batch_is_no_ticket() {
    let mut bench = Bench::new();
    assert_eq!(bench.say(Passed, "scale", Warn, START), "");
    assert_eq!(bench.desk.open(&device("0001"), "scale"), None);
}
