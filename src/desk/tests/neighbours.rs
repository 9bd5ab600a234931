//! What one fault's ticket does to others of the same device.

use super::*;
use FaultEventKind::{Raised, Withdrawn, Worsened};
use Stage::{Fault, Warn};

#[test]
fn an_absorbing_fault_ends_the_tickets_of_the_faults_it_names() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Start);
    bench.say(Raised, "filter", Warn, START);
    assert_eq!(
        bench.say(Raised, "body", Warn, day(1)),
        "opened T-3 new; cancelled T-1 cancelled absorbed"
    );
    assert_eq!(bench.ticket("T-1").linked.as_deref(), Some("T-3"));
    assert_eq!(
        bench.commands(),
        [DetectCommand::Rearm {
            fault: "scale".into()
        }]
    );
    assert!(bench.ticket("T-2").is_open());
}

#[test]
fn worsening_absorbs_too_and_a_resolved_ticket_is_closed_by_it() {
    let mut bench = Bench::resolved(START);
    bench.say(Raised, "body", Warn, START);
    assert!(!bench.ticket("T-1").is_open());
    bench.say(Raised, "scale", Warn, day(1));
    assert_eq!(
        bench.say(Worsened, "body", Fault, day(2)),
        "worsened T-2 new; cancelled T-1 cancelled absorbed"
    );
    let mut bench = Bench::resolved(START);
    assert_eq!(
        bench.say(Raised, "body", Warn, day(1)),
        "opened T-2 new; acted T-1 closed absorbed"
    );
}

#[test]
fn another_device_is_not_absorbed() {
    let mut bench = Bench::new();
    let mut other = event(Raised, "scale", Warn, START);
    other.device = device("0002");
    bench.give(&other);
    assert_eq!(bench.say(Raised, "body", Warn, day(1)), "opened T-2 new");
}

#[test]
fn a_danger_is_absorbed_by_another_danger_only() {
    let mut bench = Bench::new();
    bench.say(Raised, "scald", Fault, START);
    assert_eq!(bench.say(Raised, "body", Warn, day(1)), "opened T-2 new");
    assert_eq!(
        bench.say(Worsened, "body", Fault, day(2)),
        "worsened T-2 new; cancelled T-1 cancelled absorbed"
    );
}

#[test]
fn a_notice_absorbs_no_ticket() {
    let mut bench = Bench::new();
    bench.program.faults[4].absorbs = vec!["scale".into()];
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(bench.say(Raised, "filter", Warn, day(1)), "opened T-2 new");
    assert_eq!(
        bench.say(Worsened, "filter", Fault, day(2)),
        "worsened T-2 new; cancelled T-1 cancelled absorbed"
    );
}

#[test]
fn a_withdrawn_rule_leaves_a_ticket_that_speaks_for_others() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.say(Raised, "body", Warn, START);
    assert_eq!(
        bench.say(Withdrawn, "body", Warn, day(1)),
        "acted T-2 new rule_withdrawn"
    );
}

#[test]
fn a_faulty_sensor_cancels_what_nobody_acknowledged_and_notes_it_on_the_rest() {
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    assert_eq!(
        bench.say(Raised, "sensor", Fault, day(1)),
        "opened T-2 new; cancelled T-1 cancelled sensor_verdict"
    );
    assert_eq!(bench.ticket("T-1").linked.as_deref(), Some("T-2"));
    let mut bench = Bench::new();
    bench.say(Raised, "scale", Warn, START);
    bench.act(START, "T-1", &TicketAction::Acknowledge);
    assert_eq!(
        bench.say(Raised, "sensor", Fault, day(1)),
        "opened T-2 new; acted T-1 acknowledged sensor_verdict"
    );
    assert_eq!(bench.commands(), []);
}

#[test]
fn a_faulty_sensor_holds_back_no_danger_and_nothing_it_does_not_feed() {
    let mut bench = Bench::new();
    bench.say(Raised, "scald", Fault, START);
    bench.say(Raised, "body", Warn, START);
    assert_eq!(bench.say(Raised, "sensor", Fault, day(1)), "opened T-3 new");
    assert!(bench.ticket("T-1").is_open() && bench.ticket("T-2").is_open());
}
