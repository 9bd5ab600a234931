//! Mosquitto restarted under the running daemon, with and without its memory; a journal without room.

use serde_json::json;

use crate::mosquitto::Mosquitto;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::check;
use crate::rig::controls;
use crate::rig::now_ms;
use crate::rig::points;
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

/// Messages that are more than the budget of 2 MiB, also packed.
const FILLERS: u64 = 600;

/// A message of 8 kB that does not compress.
fn filler(seq: u64) -> String {
    let mut state = seq;
    let text: String = (0..8_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(
                b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-"
                    [(state >> 58) as usize],
            )
        })
        .collect();
    // Stamps of their own, so that each has its point.
    let reading = json!({"water.out_c": 37.5, "filler": text});
    tele(now_ms() - FILLERS + seq, seq, &reading)
}

#[test]
fn a_full_journal_acknowledges_nothing_says_so_and_goes_on_with_room() {
    let broker = Mosquitto::start("");
    let mut rig = Rig::on(&broker, "[journal]\nmax_bytes = \"2 MiB\"\n");
    let daemon = rig.start_connected();
    let sent: Vec<String> = (1..=FILLERS).map(filler).collect();
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
    // What was worked off may have been removed to make room; the series have every message.
    wait_for("every message", SOON, || {
        (points(&daemon, "TSF5-1") as u64 == FILLERS).then_some(())
    });
    assert!(daemon.stop().success());
}
