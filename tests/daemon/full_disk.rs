//! The disk takes nothing for a while: nothing is acknowledged, readiness says so, and all goes on by itself.

use std::process::Command;

use crate::process::Daemon;
use crate::process::wait_for;
use crate::publisher::Publisher;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::check;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::status;
use crate::rig::topic;
use crate::rig::wait_for_ticket;

const SERIAL: &str = "TSF5-MADEUP-07";

/// Every write of the process to a file fails from now on (`0`), or works again (`unlimited`).
fn limit(daemon: &Daemon, bytes: &str) {
    let done = Command::new("prlimit")
        .args([
            "--pid",
            &daemon.pid().to_string(),
            &format!("--fsize={bytes}:"),
        ])
        .status();
    assert!(done.unwrap().success(), "prlimit works");
}

#[test]
fn a_disk_that_refuses_every_write_is_waited_out() {
    let rig = Rig::alone("");
    // A write over the limit then fails with an error, as on a full disk, and sends no signal.
    let mut shell = Command::new("bash");
    shell.args([
        "-c",
        "trap '' XFSZ; exec \"$@\"",
        "bash",
        env!("CARGO_BIN_EXE_foremend"),
    ]);
    let daemon = Daemon::try_start_by(rig.dir(), &rig.settings, shell).unwrap();
    let address = daemon.mqtt.clone().unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    publish(port, "TSF5-MADEUP-06", &readings(1, 5, 37.5));

    limit(&daemon, "0");
    let mut publisher = Publisher::connect(port, "waits");
    let payloads = readings(1, 20, 49.2);
    for payload in &payloads {
        publisher.publish(&topic(SERIAL, "tele"), payload.as_bytes());
    }
    let detail = wait_for("readiness to say it", SOON, || {
        let check = check(&daemon, "journal")?;
        (check["ok"] == false).then(|| check["detail"].to_string())
    });
    assert!(detail.contains("the disk refuses writes"), "{detail}");
    assert_eq!(status(&daemon, "/readyz"), 503);
    assert_eq!(status(&daemon, "/healthz"), 200);

    limit(&daemon, "unlimited");
    publisher.settle();
    wait_for_ticket(&daemon, SERIAL, "water_over_temp");
    wait_for("readiness", SOON, || {
        (status(&daemon, "/readyz") == 200).then_some(())
    });
    assert!(daemon.stop().success());
    rig.wait_for_messages(&payloads);
    assert!(rig.command(&["journal", "verify"]).status.success());
}
