//! The past does not page, and a gap proves nothing.

use super::*;

const HOURS_8: i64 = 8 * 3_600;
/// Devices that are in the middle of a hold when the process stops.
const FLEET: usize = 1_000;

fn serial(nth: usize) -> String {
    format!("N{nth}")
}

/// The fleet got hot three minutes ago when the process stops at 200 s; five minutes are a fault.
fn stopped_in_a_hold() -> Site {
    let mut site = Site::new();
    for nth in 0..FLEET {
        let device = format!("x-1/{}", serial(nth));
        site.put(-1, on_device(&device, DeviceAction::Adopt));
    }
    for second in [0, 60, 120, 180] {
        for nth in 0..FLEET {
            site.tele(second, &serial(nth), "\"temp\":70");
        }
    }
    site.wait(200);
    assert_eq!(site.told(), [""; 0]);
    assert_eq!(site.pipeline.devices().count(), FLEET);
    site
}

fn come_back(site: &mut Site, second: i64) {
    site.put(second, started());
    site.put(second + 1, source(true));
}

#[test]
fn eight_hours_that_the_journal_does_not_have_open_no_ticket() {
    let lost = Control::Lost {
        from: Position(9),
        records: 1,
    };
    for control in [Control::Stalled, lost] {
        let mut site = stopped_in_a_hold();
        site.put(HOURS_8, Record::Control(control));
        site.wait(HOURS_8 + 60);
        for nth in 0..FLEET {
            let cold = tele(&serial(nth), HOURS_8 + 60, "\"temp\":20");
            site.put(HOURS_8 + 61, Record::Message(cold));
        }
        site.wait(HOURS_8 + 600);
        assert_eq!(site.told(), [""; 0]);
    }
}

#[test]
fn eight_hours_down_open_no_ticket() {
    let mut site = stopped_in_a_hold();
    come_back(&mut site, HOURS_8);
    for nth in 0..FLEET {
        let serial = serial(nth);
        let sent = match nth % 4 {
            // Queued while we were away, from the middle of the night: cold again.
            0 => tele(&serial, HOURS_8 / 2, "\"temp\":20"),
            // Queued without a time of its own.
            1 => {
                let mut queued = message(
                    &format!("appl/v1/x-1/{serial}/tele"),
                    "{\"s\":{\"temp\":70}}",
                );
                queued.queued = true;
                queued
            }
            // Made just now, and cold.
            2 => tele(&serial, HOURS_8 + 2, "\"temp\":20"),
            // A retained copy.
            _ => {
                let mut kept = tele(&serial, HOURS_8 + 2, "\"temp\":70");
                kept.retained = true;
                kept
            }
        };
        site.put(HOURS_8 + 2, Record::Message(sent));
    }
    // Silence counts from `SourceUp` on, half an hour is a fault: up to there nothing is told.
    site.wait(HOURS_8 + 1_700);
    assert_eq!(site.told(), [""; 0]);
}

#[test]
fn what_goes_on_after_the_gap_raises_when_its_hold_is_complete() {
    let mut site = Site::new();
    for second in [0, 60, 120, 180] {
        site.tele(second, "A", "\"temp\":70");
    }
    site.wait(200);
    come_back(&mut site, HOURS_8);
    // 200 s of the hold were seen; from the first message on it goes on for the 100 s that are left.
    site.tele(HOURS_8 + 60, "A", "\"temp\":70");
    site.wait(HOURS_8 + 159);
    assert_eq!(site.told(), [""; 0]);
    site.wait(HOURS_8 + 160);
    let told = site.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("opened T-1 x-1/A hot.fault @"),
        "{told:?}"
    );
}

#[test]
fn a_source_that_is_down_pauses_what_is_pending() {
    let mut site = Site::new();
    for second in [0, 60, 120, 180] {
        site.tele(second, "A", "\"temp\":70");
    }
    site.put(240, source(false));
    site.wait(3_600);
    site.put(3_700, source(true));
    site.wait(3_800);
    assert_eq!(site.told(), [""; 0], "the gap is no heat");
    site.tele(3_800, "A", "\"temp\":70");
    site.wait(3_859);
    assert_eq!(site.told(), [""; 0]);
    site.wait(3_860);
    assert_eq!(site.told(), ["opened T-1 x-1/A hot.fault @3860"]);
}

#[test]
fn silence_of_ours_is_no_silence_of_theirs() {
    let mut site = stopped_in_a_hold();
    come_back(&mut site, HOURS_8);
    site.wait(HOURS_8 + 1_500);
    assert_eq!(site.told(), [""; 0]);
    site.wait(HOURS_8 + 4_000);
    let told = site.told();
    assert_eq!(told.len(), FLEET, "who stays silent is silent");
    assert!(told.iter().all(|line| line.contains("silent.warn")));
}

#[test]
fn retained_copies_at_every_reconnect_change_nothing() {
    let run = |copies: bool| {
        let mut site = Site::new();
        for minute in 0..60 {
            let second = minute * 60;
            site.tele(
                second,
                "A",
                if minute < 30 {
                    "\"temp\":70,\"leak\":1"
                } else {
                    "\"temp\":20,\"leak\":1"
                },
            );
            if copies && minute % 5 == 0 {
                site.put(second + 1, source(false));
                site.put(second + 1, source(true));
                for values in ["\"temp\":20,\"leak\":50", "\"temp\":70"] {
                    let mut kept = tele("A", second - 300, values);
                    kept.retained = true;
                    site.put(second + 1, Record::Message(kept));
                }
            }
        }
        site.told()
    };
    let told = run(true);
    assert!(told[0].starts_with("opened T-1 x-1/A hot"), "{told:?}");
    assert_eq!(told.len(), run(false).len());
    assert_eq!(told.len(), 2, "{told:?}");
}

fn minutes(temps: &[i64]) -> Vec<(i64, String)> {
    (0..)
        .zip(temps)
        .map(|(minute, temp)| (minute * 60, format!("\"temp\":{temp}")))
        .collect()
}

#[test]
fn a_batch_whose_fault_rose_and_cleared_inside_opens_nothing() {
    let mut site = Site::new();
    let temps = [[70; 10], [20; 10]].concat();
    site.put(5_000, Record::Message(batch("A", &minutes(&temps))));
    site.wait(5_200);
    assert_eq!(site.told(), [""; 0]);
}

#[test]
fn a_batch_whose_fault_holds_at_its_end_opens_one_when_it_has_caught_up() {
    let mut site = Site::new();
    site.put(5_000, Record::Message(batch("A", &minutes(&[70; 20]))));
    site.wait(5_029);
    assert_eq!(site.told(), [""; 0]);
    site.wait(5_030);
    assert_eq!(site.told(), ["opened T-1 x-1/A hot.fault @5030"]);
}

#[test]
fn what_is_dangerous_is_told_at_once_also_from_old_data() {
    let mut site = Site::new();
    let records: Vec<(i64, String)> = (0..20)
        .map(|second| {
            (
                second,
                format!("\"leak\":{}", if second < 10 { 15 } else { 1 }),
            )
        })
        .collect();
    site.put(5_000, Record::Message(batch("A", &records)));
    let late: Vec<bool> = site
        .effects
        .changes
        .iter()
        .map(|change| change.ticket.late)
        .collect();
    assert_eq!(late, [true]);
    assert_eq!(site.told(), ["opened T-1 x-1/A live.fault @5000"]);
}

/// A device says that it is there, or its will that it is not.
fn state(serial: &str, online: bool, source: &str) -> Record {
    let mut state = message(
        &format!("appl/v1/x-1/{serial}/state"),
        format!("{{\"online\":{online}}}"),
    );
    state.source = source.into();
    Record::Message(state)
}

#[test]
fn who_was_present_at_the_listener_may_be_gone_after_our_restart() {
    let mut site = Site::new();
    site.put(0, state("HERE", true, "listener"));
    site.put(0, state("AWAY", false, "listener"));
    site.put(0, state("BEHIND", true, "plant"));
    site.effects.devices.clear();
    come_back(&mut site, 60);
    let told: Vec<_> = site
        .effects
        .devices
        .iter()
        .map(|presence| (presence.device.to_string(), presence.online))
        .collect();
    assert_eq!(told, [("x-1/HERE".to_owned(), None)]);
    let online = |site: &Site, device: &str| site.pipeline.presence(&id(device)).unwrap().online;
    assert_eq!(online(&site, "x-1/AWAY"), Some(false));
    assert_eq!(
        online(&site, "x-1/BEHIND"),
        Some(true),
        "its broker keeps wills"
    );
    site.put(70, state("HERE", true, "listener"));
    assert_eq!(online(&site, "x-1/HERE"), Some(true), "it spoke");
}
