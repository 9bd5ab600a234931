//! Mosquitto restarted under the running daemon, with and without its memory; a journal without room.

use crate::mosquitto::Mosquitto;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::check;
use crate::rig::controls;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::status;
use crate::rig::tele;
use crate::rig::wait_for_ticket;

#[test]
fn a_broker_that_restarts_with_or_without_its_memory_is_subscribed_again() {
    let mut broker = Mosquitto::start("");
    let rig = Rig::on(&broker, "");
    let daemon = rig.start_connected();
    let mut sent = readings(1, 3, 37.5);
    publish(broker.port(), "TSF5-1", &sent);
    for (round, forget) in [(1, false), (2, true)] {
        broker.stop();
        wait_for("the loss", SOON, || {
            (check(&daemon, "broker plant")?["ok"] == false).then_some(())
        });
        if forget {
            broker.forget();
        }
        broker.run();
        wait_for("the connection", SOON, || {
            (status(&daemon, "/readyz") == 200).then_some(())
        });
        let serial = format!("TSF5-HOT{round}");
        let hot = readings(1, 10, 49.2);
        publish(broker.port(), &serial, &hot);
        wait_for_ticket(&daemon, &serial, "water_over_temp");
        sent.extend(hot);
    }
    let export = rig.wait_for_messages(&sent);
    let kinds: Vec<&str> = controls(&export)
        .into_iter()
        .filter(|kind| kind.starts_with("source"))
        .collect();
    assert_eq!(
        kinds,
        [
            "source_up",
            "source_down",
            "source_up",
            "source_down",
            "source_up"
        ]
    );
    assert!(daemon.stop().success());
}

#[test]
fn a_full_journal_acknowledges_nothing_says_so_and_goes_on_with_room() {
    let broker = Mosquitto::start("");
    let mut rig = Rig::on(&broker, "[journal]\nmax_bytes = \"2 MiB\"\n");
    let daemon = rig.start_connected();
    let filler = "x".repeat(8_000);
    let sent: Vec<String> = (1..=400)
        .map(|seq| {
            tele(
                crate::rig::now_ms(),
                seq,
                &serde_json::json!({"filler": filler}),
            )
        })
        .collect();
    publish(broker.port(), "TSF5-1", &sent);
    let detail = wait_for("the full journal", SOON, || {
        let check = check(&daemon, "journal")?;
        (check["ok"] == false).then(|| check["detail"].to_string())
    });
    assert!(detail.contains("nothing is acknowledged"), "{detail}");
    assert_eq!(status(&daemon, "/readyz"), 503);
    assert_eq!(status(&daemon, "/healthz"), 200);
    assert!(
        daemon.stop().success(),
        "it stops in order though it is full"
    );
    rig.settings = rig.settings.replace("2 MiB", "200 MiB");
    let daemon = rig.start_connected();
    rig.wait_for_messages(&sent);
    assert!(daemon.stop().success());
}
