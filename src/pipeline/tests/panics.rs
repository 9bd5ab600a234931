//! A fault of our own costs one device its judgement, never the others, and never the process again and again.

use super::*;
use crate::detect::Detector;

fn site(path: &str) -> Site {
    Site::with(
        Pipeline::with_detector(Detector::with_test_panic("x-1", path)),
        PROFILE,
    )
}

/// Ten minutes of heat of two devices, of which one tells the reading that is our undoing.
fn heat(site: &mut Site, from: i64, bad: Option<i64>) {
    for minute in 0..10 {
        let second = from + minute * 60;
        if bad == Some(minute) {
            site.tele(second, "A", "\"temp\":70,\"life\":80");
        } else {
            site.tele(second, "A", "\"temp\":70");
        }
        site.tele(second, "B", "\"temp\":70");
    }
}

#[test]
fn a_panic_freezes_this_device_alone_until_profiles_are_activated() {
    let mut site = site("life");
    heat(&mut site, 0, Some(2));
    assert_eq!(site.effects.alerts.len(), 1);
    assert!(
        site.effects.alerts[0].starts_with("x-1/A: its evaluation failed (asked to panic at life)")
    );
    assert_eq!(site.told(), ["opened T-1 x-1/B hot.fault @300"]);
    let counts = &site.effects.counts;
    assert_eq!(
        (counts.received, counts.decoded),
        (20, 20),
        "it was understood, and is counted"
    );
    // The text of the same profiles is activated again: after a fix of ours.
    site.put(1_000, profiles(PROFILE));
    heat(&mut site, 1_200, None);
    assert_eq!(site.told(), ["opened T-2 x-1/A hot.fault @1500"]);
}

#[test]
fn a_panic_is_the_same_on_replay_and_after_a_restart() {
    let run = |restart: bool| {
        let mut site = site("life");
        heat(&mut site, 0, Some(2));
        if restart {
            let mut file = File::default();
            file.take(&mut site.pipeline);
            site.pipeline = file.restore(&site.pipeline);
        }
        heat(&mut site, 600, None);
        (site.effects.alerts.clone(), lines(&site.effects))
    };
    assert_eq!(run(false), run(false));
    assert_eq!(run(false), run(true), "the frozen one stays frozen");
}

#[test]
fn a_panic_at_what_comes_due_freezes_the_device_and_does_not_come_again() {
    let mut site = site("due");
    site.tele(0, "A", "\"temp\":20");
    site.put(
        10,
        Record::Message(message("appl/v1/gateway/G/state", "{\"online\":true}")),
    );
    // Silence is due after half an hour.
    site.wait(3_600);
    assert_eq!(site.effects.alerts.len(), 1, "{:?}", site.effects.alerts);
    assert!(site.effects.alerts[0].contains("at what is due"));
    site.wait(90_000);
    site.tele(90_000, "A", "\"temp\":20");
    site.wait(180_000);
    assert_eq!(site.effects.alerts.len(), 1);
    assert_eq!(site.told(), [""; 0]);
}
