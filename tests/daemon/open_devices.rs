//! How many devices are kept ready in memory is the settings' word, and the numbers say what it costs.

use serde_json::json;

use crate::process::Daemon;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::metric;
use crate::rig::now_ms;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::tele;
use crate::rig::wait_for_ticket;

const SERIALS: [&str; 3] = ["TSF5-MADEUP-21", "TSF5-MADEUP-22", "TSF5-MADEUP-23"];
const UNPACKED: &str = "foremend_devices_unpacked_total";

/// Each of three devices speaks in turn, twice, and too hot the second time; how many were unpacked for it.
fn speak(daemon: &Daemon) -> u64 {
    let address = daemon.mqtt.as_deref().expect("a listener");
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let before = now_ms() - 60_000;
    for serial in SERIALS {
        let warm = json!({"water.out_c": 37.5});
        publish(port, serial, &[tele(before, 1, &warm)]);
    }
    for serial in SERIALS {
        publish(port, serial, &readings(2, 20, 49.2));
    }
    for serial in SERIALS {
        wait_for_ticket(daemon, serial, "water_over_temp");
    }
    wait_for("the last message to be counted", SOON, || {
        (metric(daemon, "foremend_messages_received_total") == 63).then_some(())
    });
    metric(daemon, UNPACKED)
}

#[test]
fn only_as_many_devices_stand_open_as_the_settings_say_and_tickets_are_the_same() {
    let rig = Rig::alone("[devices]\nopen = 1\n");
    let daemon = rig.start();
    let unpacked = speak(&daemon);
    assert!(unpacked >= 3, "each was packed in between: {unpacked}");
    assert_eq!(metric(&daemon, "foremend_devices_open"), 1);
    assert!(daemon.stop().success());

    let rig = Rig::alone("");
    let daemon = rig.start();
    assert_eq!(speak(&daemon), 0, "three find room in 4,096");
    assert_eq!(metric(&daemon, "foremend_devices_open"), 3);
    assert!(daemon.stop().success());
}
