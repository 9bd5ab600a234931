//! A damaged journal of a real daemon: refused, salvaged, and opened again with everything that was whole.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::process::Daemon;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::points;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::tickets;
use crate::rig::wait_for_ticket;

const SERIAL: &str = "TSF5-MADEUP-07";

fn port(daemon: &Daemon) -> u16 {
    let address = daemon.mqtt.as_deref().unwrap();
    address.rsplit(':').next().unwrap().parse().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_damaged_journal_is_salvaged_and_the_daemon_goes_on_with_it() {
    let rig = Rig::alone("");
    let daemon = rig.start();
    // Large enough that a page in the middle is one of many, and holds no settings.
    for round in 0..40 {
        publish(port(&daemon), SERIAL, &readings(1 + round * 50, 50, 37.5));
    }
    publish(port(&daemon), "TSF5-MADEUP-06", &readings(1, 20, 49.2));
    wait_for_ticket(&daemon, "TSF5-MADEUP-06", "water_over_temp");
    wait_for("the points", SOON, || {
        (points(&daemon, SERIAL) > 0).then_some(())
    });
    assert!(daemon.stop().success());

    let journal = rig.data().join("journal");
    let live = journal.join("00000000000000000001.live");
    let mut bytes = fs::read(&live).unwrap();
    let middle = bytes.len() * 3 / 4 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xff);
    fs::write(&live, &bytes).unwrap();
    let verified = rig.command(&["journal", "verify", "--json"]);
    assert_eq!(verified.status.code(), Some(1));
    assert_eq!(json(&verified)["whole"], false);

    let into = rig.dir().join("salvaged");
    let into_text = into.to_str().unwrap();
    let salvaged = rig.command(&["journal", "salvage", "--json", "--into", into_text]);
    assert_eq!(salvaged.status.code(), Some(1), "something is lost");
    let report = json(&salvaged);
    assert!(report["saved"].as_u64().unwrap() > 500, "{report}");
    let lost = report["lost_positions"].as_u64().unwrap();
    assert!(lost > 0, "{report}");
    for loss in report["lost"].as_array().unwrap() {
        assert!(
            loss["received_after"].is_string() && loss["received_before"].is_string(),
            "{loss}"
        );
        let file = std::path::Path::new(loss["file"].as_str().unwrap());
        assert!(file.extension().is_some_and(|kind| kind == "live"));
        assert!(loss["reason"].is_string());
    }
    assert_eq!(
        report["advice"],
        Value::Null,
        "the saved state is newer than the damage: {report}"
    );
    assert_eq!(
        fs::read(&live).unwrap(),
        bytes,
        "the damaged file is as it was"
    );
    let again = rig.command(&["journal", "salvage", "--into", into_text]);
    assert_eq!(again.status.code(), Some(3), "it writes over nothing");

    fs::rename(&journal, rig.data().join("journal.damaged")).unwrap();
    fs::rename(into.join("journal"), &journal).unwrap();
    assert!(rig.command(&["journal", "verify"]).status.success());
    let daemon = rig.start();
    assert_eq!(tickets(&daemon).len(), 1);
    publish(port(&daemon), "TSF5-MADEUP-08", &readings(1, 20, 49.2));
    wait_for_ticket(&daemon, "TSF5-MADEUP-08", "water_over_temp");
    assert!(daemon.stop().success());
    let export = rig.export();
    let stated = |line: &&Value| line["control"]["kind"] == "lost";
    assert_eq!(
        export.iter().filter(stated).count(),
        report["lost"].as_array().unwrap().len()
    );

    // The salvaged journal alone, without store and state: everything is worked out again from what is left.
    let alone = Rig::alone("");
    fs::create_dir_all(alone.data()).unwrap();
    copy(&journal, &alone.data().join("journal"));
    let daemon = alone.start();
    assert_eq!(tickets(&daemon).len(), 2);
    assert!(daemon.stop().success());
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
