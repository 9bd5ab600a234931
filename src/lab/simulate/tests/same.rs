//! Equal plans give equal bytes, other seeds other bytes, and time never goes back.

use super::*;
use crate::lab::simulate::Published;
use crate::lab::simulate::Quirk;

/// The first messages of a fleet.
fn first(plan: FleetPlan, count: usize) -> Vec<Published> {
    let mut fleet = Fleet::new(plan);
    (0..count).map_while(|_| fleet.next()).collect()
}

#[test]
fn equal_seeds_give_equal_bytes_and_other_seeds_do_not() {
    let (one, other) = (first(plan(7, 10), 20_000), first(plan(7, 10), 20_000));
    assert_eq!(one.len(), 20_000);
    assert!(one == other, "equal plans differ");
    let third = first(plan(8, 10), 20_000);
    assert!(one != third, "another seed gives the same");
}

#[test]
fn a_device_more_changes_nothing_in_the_others() {
    let of_the_first_two = |plan| -> Vec<_> {
        let all = first(plan, 9_000).into_iter();
        all.filter(|published| published.device < 2)
            .take(1_000)
            .collect()
    };
    assert!(of_the_first_two(plan(7, 2)) == of_the_first_two(plan(7, 5)));
}

#[test]
fn time_rises_and_is_known_before() {
    let mut fleet = Fleet::new(plan(7, 12));
    let mut last = FROM;
    for _ in 0..30_000 {
        let known = fleet.peek_at();
        let published = fleet.next().expect("endless");
        assert_eq!(known, Some(published.at));
        assert!(published.at >= last, "{published:?} after {last}");
        last = published.at;
    }
}

#[test]
fn a_fleet_without_devices_says_nothing() {
    let mut fleet = Fleet::new(plan(7, 0));
    assert_eq!((fleet.peek_at(), fleet.next()), (None, None));
}

#[test]
fn every_quirk_is_there_and_serials_are_made_up() {
    let devices = Fleet::new(plan(7, 24)).devices();
    for quirk in [
        Quirk::BadLink,
        Quirk::WrongClock,
        Quirk::ClockJumps,
        Quirk::Repeats,
        Quirk::Malformed,
    ] {
        assert!(
            devices.iter().any(|device| device.quirk == quirk),
            "{quirk:?}"
        );
    }
    assert_eq!(devices[11].id.as_str(), "ts-flash5/TSF5-DEMO-012");
    assert_eq!(
        devices[11].will_topic,
        "appl/v1/ts-flash5/TSF5-DEMO-012/state"
    );
}
