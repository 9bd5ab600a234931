//! Any events and actions in any order: the desk's promises hold, and a restored desk goes on as if nothing had happened.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::properties::cases;
use crate::telemetry::{DeviceAction, HOUR_MS, WaitFor};

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Event(FaultEventKind, usize, Stage, bool),
    Act(u64, TicketAction, Option<u64>, Option<u8>),
    Device(bool, bool),
    Restore,
}

const FAULTS: [&str; 5] = ["scale", "scald", "body", "sensor", "filter"];

fn kinds() -> impl Strategy<Value = FaultEventKind> {
    use FaultEventKind as K;
    prop_oneof![
        4 => Just(K::Raised),
        2 => Just(K::Worsened),
        1 => Just(K::Eased),
        3 => Just(K::Cleared),
        1 => Just(K::Passed),
        1 => Just(K::RecheckFailed),
        1 => Just(K::RecheckPassed),
        1 => Just(K::RecheckUnverified),
        1 => Just(K::Withdrawn),
    ]
}

fn actions() -> impl Strategy<Value = TicketAction> {
    prop_oneof![
        Just(TicketAction::Acknowledge),
        Just(TicketAction::Assign { to: "mo".into() }),
        Just(TicketAction::Start),
        (-1_i64..60).prop_map(|days| TicketAction::Wait {
            reason: WaitFor::Visit,
            until: day(days),
        }),
        Just(TicketAction::Comment { blob: "b".into() }),
        Just(resolve()),
        Just(TicketAction::Close),
        Just(TicketAction::Reopen { reason: None }),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let stage = any::<bool>().prop_map(|high| if high { Stage::Fault } else { Stage::Warn });
    let version = proptest::option::weighted(0.2, 1_u64..5);
    let key = proptest::option::weighted(0.3, any::<u8>());
    prop_oneof![
        6 => (kinds(), 0..FAULTS.len(), stage, any::<bool>())
            .prop_map(|(kind, fault, stage, second)| Step::Event(kind, fault, stage, second)),
        6 => (0_u64..12, actions(), version, key)
            .prop_map(|(ticket, action, version, key)| Step::Act(ticket, action, version, key)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(second, retire)| Step::Device(second, retire)),
        1 => Just(Step::Restore),
    ]
}

fn serial(second: bool) -> DeviceId {
    device(if second { "0002" } else { "0001" })
}

fn run(desk: &mut Desk, now: Timestamp, step: &Step, program: &Program) -> DeskOut {
    let mut out = DeskOut::default();
    while let Some(due) = desk.next_due().filter(|due| *due <= now) {
        desk.fire(due, &mut out);
    }
    match step {
        Step::Event(kind, fault, stage, second) => {
            let mut event = event(*kind, FAULTS[*fault], *stage, now);
            event.device = serial(*second);
            desk.fault(&event, Some(program), &mut out);
        }
        Step::Act(ticket, action, expected_version, key) => {
            let key = key.map(|key| key.to_string());
            let request = Request {
                ticket: &format!("T-{ticket}"),
                action,
                by: "lena",
                expected_version: *expected_version,
                key: key.as_deref(),
            };
            desk.act(now, &request, &mut out);
            assert!(out.reply.is_some(), "every action is answered");
        }
        Step::Device(second, retire) => {
            let action = if *retire {
                DeviceAction::Retire
            } else {
                DeviceAction::PartReplaced {
                    part: "HEATER-F5".into(),
                    lot: None,
                }
            };
            desk.device(now, &serial(*second), &action, &mut out);
        }
        Step::Restore => {}
    }
    out
}

/// What a store would hold: the last version of every ticket.
#[derive(Default)]
struct Mirror(BTreeMap<SmolStr, Ticket>);

impl Mirror {
    fn take(&mut self, change: &TicketChange) {
        let ticket = &change.ticket;
        let version = self.0.get(&ticket.id).map_or(0, |known| known.version);
        assert_eq!(ticket.version, version + 1, "the version of {}", ticket.id);
        assert_eq!(ticket.updated_at, change.at);
        assert_eq!(ticket.closed_at.is_some(), !ticket.is_open());
        assert_eq!(
            ticket.waiting.is_some(),
            ticket.status == TicketStatus::Waiting
        );
        if let Some(before) = self.0.get(&ticket.id) {
            assert!(ticket.severity <= before.severity, "a severity fell");
            assert!(change.at >= before.updated_at, "time went back");
        }
        self.0.insert(ticket.id.clone(), ticket.clone());
        let same = |other: &&Ticket| {
            other.is_open() && other.device == ticket.device && other.fault == ticket.fault
        };
        assert!(
            self.0.values().filter(same).count() <= 1,
            "two open tickets"
        );
    }
}

proptest! {
    // A found history is printed, and becomes a test of its own rather than a file of seeds.
    #![proptest_config(cases(200))]

    #[test]
    fn any_history_keeps_the_promises_and_survives_a_restart_at_any_point(
        history in proptest::collection::vec((0_i64..400, steps()), 1..80)
    ) {
        let program = program();
        let (mut desk, mut restarted) = (Desk::new(), Desk::new());
        let mut mirror = Mirror::default();
        let mut now = START;
        for (hours, step) in &history {
            now = now + hours * HOUR_MS;
            if matches!(step, Step::Restore) {
                restarted = Desk::restore(&restarted.snapshot()).expect("its own bytes");
            }
            let out = run(&mut desk, now, step, &program);
            let again = run(&mut restarted, now, step, &program);
            prop_assert_eq!(&out.changes, &again.changes);
            prop_assert_eq!(&out.commands, &again.commands);
            prop_assert_eq!(&out.reply, &again.reply);
            for change in &out.changes {
                mirror.take(change);
            }
            prop_assert_eq!(desk.snapshot(), restarted.snapshot());
        }
        for ticket in mirror.0.values().filter(|ticket| ticket.is_open()) {
            prop_assert_eq!(desk.open(&ticket.device, &ticket.fault), Some(ticket));
        }
    }
}

#[test]
fn bytes_of_another_format_or_damaged_ones_are_refused() {
    use crate::desk::RestoreError;
    let bench = Bench::resolved(START);
    let bytes = bench.desk.snapshot();
    assert!(matches!(Desk::restore(&[]), Err(RestoreError::Empty)));
    let mut newer = bytes.clone();
    newer[0] = 99;
    assert!(matches!(
        Desk::restore(&newer),
        Err(RestoreError::Format { found: 99 })
    ));
    let cut = &bytes[..bytes.len() - 1];
    assert!(matches!(Desk::restore(cut), Err(RestoreError::Body(_))));
}
