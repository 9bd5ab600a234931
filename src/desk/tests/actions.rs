//! What people do with tickets and devices.

use super::*;
use crate::desk::{KEYS_LIMIT, PARTS_LIMIT, WAIT_LIMIT_MS};
use crate::telemetry::{BasicAction, DeviceAction, WaitFor};
use FaultEventKind::{Cleared, Raised};
use Stage::{Fault, Warn};

fn wait(until: Timestamp) -> TicketAction {
    TicketAction::Wait {
        reason: WaitFor::Customer,
        until,
    }
}

fn raised() -> Bench {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench
}

#[test]
fn a_ticket_goes_its_way_from_new_to_closed() {
    let mut bench = raised();
    let way = [
        (
            TicketAction::Acknowledge,
            "acted T-1 acknowledged acknowledge",
        ),
        (
            TicketAction::Assign { to: "mo".into() },
            "acted T-1 acknowledged assign",
        ),
        (TicketAction::Start, "acted T-1 in_progress start"),
        (wait(day(3)), "acted T-1 waiting wait"),
        (TicketAction::Start, "acted T-1 in_progress start"),
        (resolve(), "acted T-1 resolved resolve"),
        (TicketAction::Close, "acted T-1 closed close"),
    ];
    for (version, (action, told)) in (2_u64..).zip(way) {
        assert_eq!(bench.act(day(1), "T-1", &action), told);
        let done = Reply::Done {
            ticket: "T-1".into(),
            version,
        };
        assert_eq!(bench.out.reply, Some(done));
        assert_eq!(bench.out.changes[0].by.as_deref(), Some("lena"));
    }
    let ticket = bench.ticket("T-1");
    assert_eq!(ticket.verdict, Some(Verdict::ConfirmedFault));
    assert_eq!(ticket.fitted, ["HEATER-F5"]);
    assert_eq!(ticket.waiting, None);
}

#[test]
fn resolving_tells_the_fitted_parts_then_starts_the_recheck_and_closing_re_arms() {
    let mut bench = raised();
    bench.act(START, "T-1", &resolve());
    assert_eq!(
        bench.commands(),
        [
            DetectCommand::PartReplaced {
                part: "HEATER-F5".into()
            },
            DetectCommand::Recheck {
                fault: "scale".into()
            }
        ]
    );
    assert_eq!(bench.out.changes[0].blob.as_deref(), Some("blob-1"));
    bench.act(START, "T-1", &TicketAction::Close);
    assert_eq!(
        bench.commands(),
        [DetectCommand::Rearm {
            fault: "scale".into()
        }]
    );
}

#[test]
fn an_illegal_move_is_refused_and_changes_nothing() {
    let mut bench = raised();
    bench.act(START, "T-1", &TicketAction::Close);
    assert_eq!(bench.act(START, "T-1", &TicketAction::Start), "");
    let refusal = Refusal::NotAllowed {
        status: TicketStatus::Closed,
        action: BasicAction::Start,
    };
    assert_eq!(bench.refusal(), &refusal);
    assert_eq!(bench.ticket("T-1").version, 2);
    assert_eq!(bench.commands(), []);
}

#[test]
fn a_ticket_that_never_was_is_unknown() {
    let mut bench = raised();
    for id in [
        "T-2",
        "T-0",
        "T-01",
        "T-",
        "1",
        "T--1",
        "T-99999999999999999999999",
    ] {
        bench.act(START, id, &TicketAction::Start);
        let unknown = Refusal::UnknownTicket { ticket: id.into() };
        assert_eq!(bench.refusal(), &unknown);
    }
}

#[test]
fn a_stale_version_is_refused_with_the_current_one() {
    let mut bench = raised();
    bench.ask(START, "T-1", &TicketAction::Acknowledge, Some(1), None);
    assert_eq!(
        bench.ask(START, "T-1", &TicketAction::Start, Some(1), None),
        ""
    );
    assert_eq!(bench.refusal(), &Refusal::Stale { current: 2 });
    assert_eq!(
        bench.ask(START, "T-1", &TicketAction::Start, Some(2), None),
        "acted T-1 in_progress start"
    );
}

#[test]
fn repeating_a_key_repeats_the_reply_and_does_nothing() {
    let mut bench = raised();
    bench.ask(
        START,
        "T-1",
        &TicketAction::Acknowledge,
        Some(1),
        Some("k1"),
    );
    let first = bench.out.reply.clone();
    assert_eq!(
        bench.ask(day(1), "T-1", &TicketAction::Start, Some(1), Some("k1")),
        ""
    );
    assert_eq!(bench.out.reply, first);
    bench.ask(START, "T-1", &TicketAction::Start, Some(1), Some("k2"));
    assert_eq!(bench.refusal(), &Refusal::Stale { current: 2 });
    bench.act(START, "T-1", &TicketAction::Start);
    bench.ask(START, "T-1", &TicketAction::Start, Some(3), Some("k2"));
    assert_eq!(
        bench.refusal(),
        &Refusal::Stale { current: 2 },
        "a refusal is repeated too"
    );
}

#[test]
fn a_key_belongs_to_a_person_and_a_ticket() {
    let mut bench = raised();
    bench.say(Raised, "scald", Fault, START);
    let ack = TicketAction::Acknowledge;
    assert_ne!(bench.ask(START, "T-1", &ack, None, Some("k")), "");
    assert_ne!(bench.ask(START, "T-2", &ack, None, Some("k")), "");
    let request = Request {
        ticket: "T-1",
        action: &TicketAction::Start,
        by: "mo",
        expected_version: None,
        key: Some("k"),
    };
    let mut out = DeskOut::default();
    bench.desk.act(START, &request, &mut out);
    assert_eq!(out.changes.len(), 1);
}

#[test]
fn only_the_last_keys_are_remembered() {
    let mut bench = raised();
    let comment = TicketAction::Comment { blob: "b".into() };
    bench.ask(START, "T-1", &comment, None, Some("first"));
    for number in 1..KEYS_LIMIT {
        bench.ask(START, "T-1", &comment, None, Some(&number.to_string()));
    }
    assert_eq!(bench.ask(START, "T-1", &comment, None, Some("first")), "");
    bench.ask(START, "T-1", &comment, None, Some("one more"));
    assert_ne!(bench.ask(START, "T-1", &comment, None, Some("first")), "");
}

#[test]
fn a_wait_ends_at_its_date() {
    let mut bench = raised();
    bench.act(START, "T-1", &wait(day(3)));
    assert_eq!(bench.desk.next_due(), Some(day(3)));
    assert_eq!(bench.fire(day(3) - 1), "");
    assert_eq!(bench.fire(day(3)), "acted T-1 in_progress wait_over");
    assert_eq!(bench.out.changes[0].at, day(3));
    assert_eq!(bench.desk.next_due(), None);
}

#[test]
fn a_wait_may_be_moved_and_ends_once() {
    let mut bench = raised();
    bench.act(START, "T-1", &wait(day(3)));
    bench.act(day(1), "T-1", &wait(day(5)));
    assert_eq!(bench.fire(day(4)), "");
    assert_eq!(bench.fire(day(9)), "acted T-1 in_progress wait_over");
    assert_eq!(bench.out.changes[0].at, day(5));
}

#[test]
fn a_wait_ends_after_now_and_within_a_year() {
    let mut bench = raised();
    let last = START + WAIT_LIMIT_MS;
    for until in [START, START - 1, last + 1] {
        bench.act(START, "T-1", &wait(until));
        assert_eq!(bench.refusal(), &Refusal::WaitUntil { until });
    }
    assert_eq!(
        bench.act(START, "T-1", &wait(START + 1)),
        "acted T-1 waiting wait"
    );
    assert_eq!(
        bench.act(START, "T-1", &wait(last)),
        "acted T-1 waiting wait"
    );
}

#[test]
fn a_resolve_names_a_bounded_number_of_parts() {
    let mut bench = raised();
    let with = |count| TicketAction::Resolve {
        verdict: Verdict::NoFaultFound,
        parts: vec!["P".into(); count],
        note: None,
    };
    bench.act(START, "T-1", &with(PARTS_LIMIT + 1));
    let refusal = Refusal::TooManyParts {
        parts: PARTS_LIMIT + 1,
    };
    assert_eq!(bench.refusal(), &refusal);
    assert_ne!(bench.act(START, "T-1", &with(PARTS_LIMIT)), "");
}

#[test]
fn a_person_reopens_what_is_resolved_closed_or_cancelled() {
    let reopen = TicketAction::Reopen {
        reason: Some("b".into()),
    };
    let mut bench = Bench::resolved(START);
    assert_eq!(
        bench.act(START, "T-1", &reopen),
        "reopened T-1 acknowledged reopen"
    );
    assert_eq!(bench.out.changes[0].blob.as_deref(), Some("b"));
    bench.act(START, "T-1", &TicketAction::Assign { to: "mo".into() });
    bench.act(START, "T-1", &TicketAction::Close);
    assert_eq!(
        bench.act(START, "T-1", &reopen),
        "reopened T-1 in_progress reopen"
    );
    assert_eq!(bench.ticket("T-1").closed_at, None);
    bench.act(START, "T-1", &reopen);
    assert!(matches!(bench.refusal(), Refusal::NotAllowed { .. }));
    let mut bench = raised();
    bench.say(Cleared, "scale", Warn, day(1));
    assert_eq!(
        bench.act(day(2), "T-1", &reopen),
        "reopened T-1 acknowledged reopen"
    );
    assert_eq!(bench.ticket("T-1").cleared_at, Some(day(1) - 1_000));
}

#[test]
fn a_person_reopens_nothing_while_another_ticket_is_open_for_the_fault() {
    let reopen = TicketAction::Reopen { reason: None };
    let mut bench = raised();
    bench.say(Cleared, "scale", Warn, day(1));
    bench.say(Raised, "scale", Warn, day(2));
    assert_eq!(bench.act(day(3), "T-1", &reopen), "");
    assert_eq!(
        bench.refusal(),
        &Refusal::AnotherOpen {
            ticket: "T-2".into()
        }
    );
    bench.act(day(3), "T-2", &TicketAction::Close);
    assert_eq!(
        bench.act(day(3), "T-1", &reopen),
        "reopened T-1 acknowledged reopen"
    );
}

#[test]
fn a_ticket_that_ended_14_days_ago_can_no_longer_be_changed() {
    let mut bench = raised();
    bench.act(START, "T-1", &TicketAction::Close);
    let comment = TicketAction::Comment { blob: "b".into() };
    assert_eq!(
        bench.act(day(14) - 1, "T-1", &comment),
        "acted T-1 closed comment"
    );
    bench.act(day(14), "T-1", &comment);
    assert_eq!(
        bench.refusal(),
        &Refusal::TooOld {
            ticket: "T-1".into()
        }
    );
}

#[test]
fn a_replaced_part_goes_to_detection_and_counts_as_acting() {
    let mut bench = raised();
    let replaced = |part: &str| DeviceAction::PartReplaced {
        part: part.into(),
        lot: None,
    };
    let mut out = DeskOut::default();
    bench
        .desk
        .device(START, &device("0001"), &replaced("HEATER-F5"), &mut out);
    let part = SmolStr::new("HEATER-F5");
    assert_eq!(
        out.commands,
        [(device("0001"), DetectCommand::PartReplaced { part })]
    );
    assert_eq!(bench.say(Cleared, "scale", Warn, day(1)), "cleared T-1 new");
    let mut bench = raised();
    bench
        .desk
        .device(START, &device("0001"), &replaced("OTHER"), &mut out);
    bench
        .desk
        .device(START, &device("0002"), &replaced("HEATER-F5"), &mut out);
    assert_eq!(
        bench.say(Cleared, "scale", Warn, day(1)),
        "cancelled T-1 cancelled cleared"
    );
}

#[test]
fn a_retired_device_loses_its_open_tickets_and_no_other_does() {
    let mut bench = raised();
    bench.say(Raised, "scald", Fault, START);
    let mut other = event(Raised, "scale", Warn, START);
    other.device = device("0002");
    bench.give(&other);
    let mut out = DeskOut::default();
    bench
        .desk
        .device(day(1), &device("0001"), &DeviceAction::Adopt, &mut out);
    assert!(out.changes.is_empty() && out.commands.is_empty());
    bench
        .desk
        .device(day(1), &device("0001"), &DeviceAction::Retire, &mut out);
    let told: Vec<String> = out.changes.iter().map(super::told).collect();
    assert_eq!(
        told,
        [
            "cancelled T-2 cancelled device_retired",
            "cancelled T-1 cancelled device_retired"
        ]
    );
    assert_eq!(out.commands, [(device("0001"), DetectCommand::Forget)]);
    assert!(bench.ticket("T-3").is_open());
}
