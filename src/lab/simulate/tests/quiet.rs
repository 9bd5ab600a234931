//! Healthy seats open no ticket, and all that they say can be read, but for what a faulty sender garbles.

use super::*;
use crate::lab::simulate::Quirk;
use crate::lab::simulate::SimulatedDevice;

#[test]
fn ten_healthy_seats_keep_quiet_and_can_be_read() {
    let plan = plan(11, 10);
    let devices = Fleet::new(plan.clone()).devices();
    let played = play(plan, 10);
    assert_eq!(played.lines(), [""; 0]);
    let counts = &played.counts;
    assert_eq!(
        counts.received,
        counts.decoded + counts.rejected + counts.duplicate
    );
    assert_eq!(counts.records_rejected, 0);
    assert!(played.garbled > 0 && counts.duplicate > 0);
    assert_eq!(
        played.rejected.len(),
        played.garbled,
        "{:?}",
        played.rejected
    );
    let faulty = |device: &SimulatedDevice| device.quirk == Quirk::Malformed;
    let faulty = devices.iter().find(|device| faulty(device)).expect("one");
    for rejected in &played.rejected {
        let topic = format!("appl/v1/{}/", faulty.id);
        assert!(rejected.message.topic.starts_with(&topic), "{rejected:?}");
    }
    // What a month of a seat costs at this cadence: 20 to 28 thousand messages.
    let month = counts.received * 3 / 10;
    assert!((20_000..28_000).contains(&month), "{month} messages");
}

#[test]
fn the_full_cadence_is_quiet_too() {
    let played = play(
        FleetPlan {
            cadence: Cadence::Full,
            ..plan(12, 2)
        },
        2,
    );
    assert_eq!(played.lines(), [""; 0]);
    assert!(played.counts.received > 4 * 1_440);
}
