//! What people do through the API, end to end; and the command line beside the running daemon.

use serde_json::Value;
use serde_json::json;

use crate::mosquitto::Mosquitto;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::act;
use crate::rig::ask;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::tickets;
use crate::rig::wait_for_ticket;

const SERIAL: &str = "TSF5-1";

/// An action on a ticket as of a version.
fn on(daemon: &Daemon, version: u64, body: &Value) -> (u16, Value) {
    let reply = act(
        daemon,
        "/api/v1/tickets/T-1/actions",
        &[("If-Match", &format!("\"{version}\""))],
        body,
    );
    (reply.status, reply.json())
}

/// A daemon with one ticket, T-1 of [`SERIAL`].
fn with_ticket(broker: &Mosquitto) -> (Rig, Daemon) {
    let rig = Rig::on(broker, "");
    let daemon = rig.start_connected();
    publish(broker.port(), SERIAL, &readings(1, 10, 49.2));
    let ticket = wait_for_ticket(&daemon, SERIAL, "water_over_temp");
    assert_eq!(
        (ticket["id"].as_str(), ticket["version"].as_u64()),
        (Some("T-1"), Some(1))
    );
    (rig, daemon)
}

#[test]
fn a_person_takes_a_ticket_from_new_to_closed() {
    let broker = Mosquitto::start("");
    let (rig, daemon) = with_ticket(&broker);
    let steps = [
        (json!({"action": "acknowledge"}), "acknowledged"),
        (json!({"action": "assign", "to": "li.wei"}), "acknowledged"),
        (json!({"action": "start"}), "in_progress"),
        (
            json!({"action": "comment", "text": "客户已停用"}),
            "in_progress",
        ),
        (
            json!({"action": "resolve", "verdict": "confirmed_fault", "parts": ["HEATER-F5"], "note": "heater relay stuck"}),
            "resolved",
        ),
        (json!({"action": "close"}), "closed"),
    ];
    let mut version = 1;
    for (action, status) in &steps {
        let (code, ticket) = on(&daemon, version, action);
        assert_eq!(code, 200, "{action}: {ticket}");
        assert_eq!(ticket["status"], *status, "{action}");
        assert!(ticket["version"].as_u64().unwrap() > version, "{action}");
        version = ticket["version"].as_u64().unwrap();
    }
    let ticket = daemon.get("/api/v1/tickets/T-1");
    assert_eq!(
        (&ticket["verdict"], &ticket["assignee"]),
        (&json!("confirmed_fault"), &json!("li.wei"))
    );
    let texts: Vec<&str> = ticket["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(texts, ["客户已停用", "heater relay stuck"]);
    let (code, problem) = on(&daemon, version, &json!({"action": "start"}));
    assert_eq!(code, 409, "{problem}");

    let listed = rig.command(&["tickets", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    for field in [
        "id", "status", "version", "device", "fault", "severity", "assignee", "verdict",
    ] {
        assert_eq!(listed[field], ticket[field], "{field}");
    }
    daemon.kill();
    let daemon = rig.start();
    assert_eq!(
        daemon.get("/api/v1/tickets/T-1"),
        ticket,
        "the same after a kill"
    );
}

#[test]
fn a_stale_action_is_refused_and_a_repeated_one_done_once() {
    let broker = Mosquitto::start("");
    let (_rig, daemon) = with_ticket(&broker);
    let path = "/api/v1/tickets/T-1/actions";
    let comment = json!({"action": "comment", "text": "called"});
    let once = [("If-Match", "\"1\""), ("Idempotency-Key", "call-7")];
    let first = act(&daemon, path, &once, &comment);
    let again = act(&daemon, path, &once, &comment);
    assert_eq!((first.status, again.status), (200, 200), "{}", again.body);
    assert_eq!(first.json()["version"], again.json()["version"]);
    let other = act(&daemon, path, &once, &json!({"action": "acknowledge"}));
    assert!(
        (400..500).contains(&other.status),
        "the same key for something else: {}",
        other.body
    );
    let (code, problem) = on(&daemon, 1, &json!({"action": "acknowledge"}));
    assert_eq!(code, 412, "{problem}");
    let comments = daemon.get("/api/v1/tickets/T-1")["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["what"] == "comment")
        .count();
    assert_eq!(comments, 1);
}

#[test]
fn a_setting_that_was_changed_and_changed_back_is_changed_back_also_after_a_kill() {
    let broker = Mosquitto::start("");
    let mut rig = Rig::on(&broker, "[devices]\nunknown = \"adopt\"\n");
    assert!(rig.start().stop().success());
    rig.settings = rig.settings.replace("adopt", "quarantine");
    rig.start().kill();
    rig.settings = rig.settings.replace("quarantine", "adopt");
    let daemon = rig.start_connected();
    publish(broker.port(), SERIAL, &readings(1, 10, 49.2));
    wait_for_ticket(&daemon, SERIAL, "water_over_temp");
}

#[test]
fn without_the_token_there_is_nothing_to_see() {
    let rig = Rig::alone("");
    let daemon = rig.start();
    for path in [
        "/api/v1/tickets",
        "/api/v1/devices",
        "/api/v1/rejected",
        "/api/v1/profiles",
    ] {
        let none = ask(&daemon, "GET", path, &[], &Value::Null);
        assert_eq!(none.status, 401, "{path}");
        assert!(none.head.contains("www-authenticate"), "{}", none.head);
        let wrong = ask(
            &daemon,
            "GET",
            path,
            &[("authorization", "Bearer 0000")],
            &Value::Null,
        );
        assert_eq!(wrong.status, 401, "{path}");
    }
    let write = ask(
        &daemon,
        "POST",
        "/api/v1/tickets/T-1/actions",
        &[],
        &json!({"action": "close"}),
    );
    assert_eq!(write.status, 401);
}

#[test]
fn a_replaced_part_and_a_rejected_message_go_through_the_journal() {
    let broker = Mosquitto::start("");
    let (rig, daemon) = with_ticket(&broker);
    let part = json!({"action": "part_replaced", "part": "HEATER-F5", "lot": "H2612"});
    let reply = act(
        &daemon,
        &format!("/api/v1/devices/ts-flash5/{SERIAL}/actions"),
        &[],
        &part,
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    let bad = act(
        &daemon,
        &format!("/api/v1/devices/ts-flash5/{SERIAL}/actions"),
        &[],
        &json!({"action": "part_replaced", "part": "HEATER-9"}),
    );
    assert_eq!(bad.status, 422, "{}", bad.body);

    publish(broker.port(), SERIAL, &["{\"ts\":".to_owned()]);
    let listed = wait_for("the rejected message", SOON, || {
        daemon.get("/api/v1/rejected")["items"].get(0).cloned()
    });
    assert_eq!(
        (&listed["reason"], &listed["payload_text"]),
        (&json!("invalid_json"), &json!("{\"ts\":")),
        "{listed}"
    );
    let reply = act(
        &daemon,
        "/api/v1/rejected/replay",
        &[],
        &json!({"positions": [listed["position"]]}),
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.json()["positions"], json!([listed["position"]]));
    assert_eq!(tickets(&daemon).len(), 1);

    let export = rig.export();
    let kinds = crate::rig::controls(&export);
    assert!(
        kinds.contains(&"device") && kinds.contains(&"replay"),
        "{kinds:?}"
    );
    let info = rig.command(&["journal", "info"]);
    assert!(
        info.status.success()
            && String::from_utf8_lossy(&info.stdout).contains("consumer   series"),
        "{info:?}"
    );
    assert!(
        rig.command(&["journal", "verify"]).status.success(),
        "also while the daemon runs"
    );
    let replayed = rig.replay();
    assert_eq!(replayed[0]["ticket"], "T-1", "{replayed:?}");
}
