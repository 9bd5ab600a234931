//! After the repair: it holds again, it stays quiet, or nobody can tell.

use super::*;
use crate::telemetry::DAY_MS;

const DAY: i64 = DAY_MS / 1_000;

/// A minute by minute stretch of one temperature.
fn stretch(site: &mut Site, from: i64, minutes: i64, temp: i64) {
    for minute in 0..minutes {
        site.tele(from + minute * 60, "A", &format!("\"temp\":{temp}"));
    }
}

fn resolved() -> Site {
    let mut site = Site::new();
    stretch(&mut site, 0, 7, 70);
    assert_eq!(site.told(), ["opened T-1 x-1/A hot.fault @300"]);
    site.put(400, resolve("T-1", &[]));
    assert_eq!(site.whats(), ["acted resolve"]);
    site
}

#[test]
fn what_holds_again_takes_the_ticket_up_again() {
    let mut site = resolved();
    stretch(&mut site, 410, 1, 20);
    stretch(&mut site, 600, 5, 70);
    assert_eq!(site.whats(), [""; 0], "a hold begins anew");
    stretch(&mut site, 900, 1, 70);
    assert_eq!(site.whats(), ["reopened repair_did_not_help"]);
}

#[test]
fn what_stays_quiet_is_closed_at_the_end_of_the_watch() {
    let mut site = resolved();
    for hour in 1..48 {
        stretch(&mut site, hour * 3_600, 20, 20);
    }
    assert!(
        !site.whats().contains(&"acted recheck_passed".into()),
        "two days, not less"
    );
    stretch(&mut site, 2 * DAY + 600, 20, 20);
    assert!(site.whats().contains(&"acted recheck_passed".into()));
}

/// Uses of this warmth, ten minutes apart.
fn uses(site: &mut Site, from: i64, temps: &[i64]) -> i64 {
    let mut second = from;
    for temp in temps {
        site.tele(second, "A", "\"run\":false,\"temp\":20");
        site.tele(second + 10, "A", &format!("\"run\":true,\"temp\":{temp}"));
        site.tele(second + 30, "A", &format!("\"run\":true,\"temp\":{temp}"));
        site.tele(second + 40, "A", "\"run\":false,\"temp\":20");
        second += 600;
    }
    second
}

/// A baseline of 30 °C, then uses that are hotter: a ticket.
fn drifted() -> (Site, i64) {
    let mut site = Site::new();
    let next = uses(&mut site, 0, &[30; 6]);
    let next = uses(&mut site, next, &[44; 3]);
    assert!(
        site.told()
            .iter()
            .any(|told| told.contains("opened T-1 x-1/A drift.warn"))
    );
    (site, next)
}

#[test]
fn a_part_fitted_at_resolve_is_learnt_anew() {
    let (mut site, next) = drifted();
    site.put(next, resolve("T-1", &["P1", "not-in-the-profile"]));
    // The new heater is this warm by nature: that is its baseline, not a failed repair.
    uses(&mut site, next + 60, &[44; 9]);
    let whats = site.whats();
    assert!(
        !whats.contains(&"reopened repair_did_not_help".into()),
        "{whats:?}"
    );
    assert!(whats.contains(&"acted recheck_passed".into()), "{whats:?}");
}

#[test]
fn without_a_part_the_baseline_stays_and_the_repair_did_not_help() {
    for parts in [&[] as &[&str], &["P2"]] {
        let (mut site, next) = drifted();
        site.put(next, resolve("T-1", parts));
        uses(&mut site, next + 60, &[44; 3]);
        assert!(
            site.whats()
                .contains(&"reopened repair_did_not_help".into())
        );
    }
}

#[test]
fn what_nobody_can_judge_is_closed_as_unverified_after_thirty_days() {
    let (mut site, next) = drifted();
    site.put(next, resolve("T-1", &[]));
    // One use, of two that are asked for.
    uses(&mut site, next + 60, &[30]);
    site.wait(next + 30 * DAY - 1);
    assert!(!site.whats().contains(&"acted unverified".into()));
    site.wait(next + 30 * DAY);
    assert!(site.whats().contains(&"acted unverified".into()));
}
