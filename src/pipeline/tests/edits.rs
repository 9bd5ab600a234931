//! A profile edit keeps what it does not touch.

use super::*;

/// Hot for four minutes, of five that are a fault.
fn pending() -> Site {
    let mut site = Site::new();
    for second in [0, 60, 120, 180, 240] {
        site.tele(second, "A", "\"temp\":70");
    }
    site
}

#[test]
fn an_edit_elsewhere_and_a_new_text_keep_a_pending_hold() {
    for (from, to) in [
        ("leak >= 10 mA, 2 s", "leak >= 12 mA, 2 s"),
        ("en = \"Hot\"", "en = \"Too hot\""),
        ("It has {temp}", "It is at {temp}"),
        ("samples = 5", "samples = 6"),
        ("version = \"1\"", "version = \"2\""),
    ] {
        assert!(PROFILE.contains(from), "{from}");
        let mut site = pending();
        site.put(250, profiles(&PROFILE.replace(from, to)));
        site.wait(299);
        assert_eq!(site.told(), [""; 0], "{to}");
        site.wait(300);
        assert_eq!(site.told(), ["opened T-1 x-1/A hot.fault @300"], "{to}");
    }
}

#[test]
fn a_changed_limit_resets_its_own_rule() {
    let mut site = pending();
    site.put(
        250,
        profiles(&PROFILE.replace("temp > 60 °C", "temp > 61 °C")),
    );
    site.tele(260, "A", "\"temp\":70");
    site.wait(300);
    assert_eq!(
        site.told(),
        ["opened T-1 x-1/A hot.warn @300"],
        "the early stage's hold goes on"
    );
    site.wait(540);
    assert_eq!(site.told(), [""; 0]);
    site.tele(541, "A", "\"temp\":70");
    site.wait(600);
    assert_eq!(site.told(), ["worsened T-1 x-1/A hot.fault @560"]);
}

fn uses(site: &mut Site, from: i64, temps: &[i64]) -> i64 {
    let mut second = from;
    for temp in temps {
        site.tele(second, "A", "\"run\":false,\"temp\":20");
        site.tele(second + 10, "A", &format!("\"run\":true,\"temp\":{temp}"));
        site.tele(second + 30, "A", "\"run\":false,\"temp\":20");
        second += 600;
    }
    second
}

#[test]
fn baselines_outlive_an_edit_of_other_rules() {
    let mut site = Site::new();
    let next = uses(&mut site, 0, &[30; 6]);
    let edited = PROFILE
        .replace("temp > 60 °C", "temp > 61 °C")
        .replace("Hotter than when new", "Hotter");
    site.put(next, profiles(&edited));
    uses(&mut site, next, &[44; 3]);
    assert!(site.told().iter().any(|told| told.contains("drift.warn")));
}

#[test]
fn a_changed_derive_learns_anew() {
    let mut site = Site::new();
    let next = uses(&mut site, 0, &[30; 6]);
    site.put(next, profiles(&PROFILE.replace("max(temp)", "mean(temp)")));
    uses(&mut site, next, &[44; 3]);
    assert!(!site.told().iter().any(|told| told.contains("drift.warn")));
}

#[test]
fn a_withdrawn_fault_cancels_what_it_alone_opened() {
    let mut site = pending();
    site.tele(290, "A", "\"temp\":70,\"leak\":1");
    site.wait(300);
    site.put(
        310,
        Record::Message(batch(
            "B",
            &[(300, "\"leak\":20".into()), (305, "\"leak\":20".into())],
        )),
    );
    assert_eq!(site.told().len(), 2);
    let text = PROFILE.replace("[fault.hot]", "[fault.hot]\nstate = \"off\"");
    site.put(400, profiles(&text));
    assert_eq!(
        site.told(),
        ["cancelled T-1 x-1/A hot.fault @400"],
        "the other one stays"
    );
    // The same text once more is no news.
    site.put(410, profiles(&text));
    assert_eq!(site.told(), [""; 0]);
}

#[test]
fn a_ticket_keeps_the_version_that_opened_it() {
    let mut site = pending();
    site.wait(300);
    let version = |site: &Site| {
        site.effects
            .changes
            .last()
            .map(|change| change.ticket.profile_version.clone())
    };
    let opened = version(&site);
    assert!(opened.is_some());
    site.put(
        310,
        profiles(&PROFILE.replace("version = \"1\"", "version = \"2\"")),
    );
    site.put(320, on_ticket("T-1", TicketAction::Acknowledge));
    assert_eq!(
        site.whats().last().map(String::as_str),
        Some("acted acknowledge")
    );
    site.put(330, on_ticket("T-1", TicketAction::Start));
    assert_eq!(version(&site), opened);
}

#[test]
fn profiles_that_do_not_compile_leave_those_before_in_force() {
    let mut site = pending();
    site.put(250, profiles("[profile"));
    assert_eq!(site.effects.alerts.len(), 1);
    assert!(
        site.effects.alerts[0].contains("error"),
        "{:?}",
        site.effects.alerts
    );
    site.wait(300);
    assert_eq!(site.told().len(), 1);
}
