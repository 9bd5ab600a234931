//! The log: never a secret, never what a device sent, in two forms, and quiet about what repeats itself.

use std::fs;

use serde_json::Value;

use crate::influxd::Influxd;
use crate::mosquitto::Mosquitto;
use crate::process::Daemon;
use crate::process::http;
use crate::process::wait_for;
use crate::rig::SOON;
use crate::rig::Service;
use crate::rig::publish;
use crate::rig::settings;
use crate::rig::signal;

/// Everything that may never be read in a log, each in its own words so that a find says where it came from.
const SECRETS: [&str; 9] = [
    "secret-of-the-listener",
    "secret-that-is-wrong",
    "secret-typed-as-a-name",
    "secret-of-the-broker",
    "secret-of-influxdb",
    "secret-bearer",
    "secret-form",
    "secret-in-a-payload",
    "secret-in-a-record",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_and_no_payload_gets_into_the_log() {
    // Whoever makes an HTTP client says which TLS it has; another test may have done so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let dir = tempfile::tempdir().unwrap();
    let [
        listener,
        wrong,
        typed,
        broker_password,
        influx_token,
        bearer,
        form,
        payload,
        record,
    ] = SECRETS;
    // A broker and an InfluxDB that refuse us.
    let broker_dir = tempfile::tempdir().unwrap();
    fs::write(broker_dir.path().join("passwords"), "").unwrap();
    let broker = Mosquitto::start_in(
        broker_dir,
        "allow_anonymous false\npassword_file {dir}/passwords\n",
    );
    let influxd = Influxd::start().await;
    fs::write(dir.path().join("influx-token"), influx_token).unwrap();
    fs::write(dir.path().join("broker-password"), broker_password).unwrap();
    let more = format!(
        "[log]\nlevel = \"trace\"\n[listener]\nlisten = \"127.0.0.1:0\"\n[[broker]]\nname = \"plant\"\nurl = \"{}\"\nusername = \"foremend\"\npassword_file = \"broker-password\"\n[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"",
        broker.url(),
        influxd.url
    );
    let daemon = Daemon::start(dir.path(), &settings(&more));
    let topic = "appl/v1/ts-flash5/TSF5-MADEUP-07/tele";
    // What cannot be understood, in many ways, while everyone may publish.
    let bad = [
        payload.to_owned(),
        format!("{{\"{payload}\": "),
        format!("{{\"ts\": \"{payload}\", \"s\": {{\"seat.temp_c\": \"{payload}\"}}}}"),
        format!("[{{\"s\": {{\"function\": \"idle\"}}}}, {{\"s\": \"{record}\"}}]"),
        format!("{{\"s\": {{\"{record}\": \"{payload}\"}}}}"),
    ];
    for bad in &bad {
        assert!(publish(&daemon, None, topic, bad));
    }
    assert!(publish(
        &daemon,
        None,
        "appl/v1/no-such-model/X/tele",
        payload
    ));
    assert!(publish(&daemon, None, "elsewhere", payload));
    wait_for("rejections", SOON, || {
        let rejected = daemon.get("/api/v1/rejected");
        (rejected["items"].as_array()?.len() >= 3).then_some(())
    });
    // The door closes; wrong names and passwords from then on.
    let users = dir.path().join("data/users");
    let hash = foremend::intake::listener::hash_password(listener.as_bytes()).unwrap();
    fs::write(&users, format!("plant {hash} *\n")).unwrap();
    signal(daemon.pid(), "HUP");
    wait_for("the closed door", SOON, || {
        (!publish(&daemon, None, topic, payload)).then_some(())
    });
    assert!(publish(&daemon, Some(("plant", listener)), topic, payload));
    // Something that InfluxDB is to take, and refuses.
    let good = "{\"s\": {\"function\": \"idle\", \"seat.temp_c\": 36}}";
    assert!(publish(&daemon, Some(("plant", listener)), topic, good));
    for login in [("plant", wrong), (typed, wrong), ("plant", typed)] {
        assert!(!publish(&daemon, Some(login), topic, payload));
    }
    // Wrong tokens at the API and at the login of the pages; a body that is none.
    for path in ["/api/v1/tickets", "/api/v1/devices/ts-flash5/X"] {
        let url = format!("{}{path}", daemon.url);
        assert_eq!(http("GET", &url, bearer, None).0, 401);
        assert_eq!(http("POST", &url, bearer, Some(payload.into())).0 / 100, 4);
    }
    for _ in 0..8 {
        let url = format!("{}/login", daemon.url);
        http("POST", &url, bearer, Some(format!("token={form}")));
    }
    let (status, _) = daemon.post(
        "/api/v1/decode",
        &serde_json::json!({"topic": topic, "payload": payload}),
    );
    assert_eq!(status, 200);
    wait_for("the refusals of the broker and of InfluxDB", SOON, || {
        let log = daemon.log();
        (log.contains("no connection") && log.contains("the series store refuses us")).then_some(())
    });
    let log_before = daemon.log();
    assert!(log_before.contains("wrong user name or password at the MQTT listener"));
    let token = daemon.token.clone();
    let dir_of_log = dir.path().join("foremend.log");
    assert!(daemon.stop().success());
    let log = fs::read_to_string(dir_of_log).unwrap();
    for secret in SECRETS
        .iter()
        .copied()
        .chain([token.as_str(), hash.as_str()])
    {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

#[test]
fn every_line_is_an_object_where_json_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &settings("[log]\nformat = \"json\""));
    crate::rig::overheat(&daemon, "TSF5-MADEUP-07");
    wait_for("the ticket in the log", SOON, || {
        daemon.log().contains("ticket changed").then_some(())
    });
    let dir_of_log = dir.path().join("foremend.log");
    assert!(daemon.stop().success());
    let log = fs::read_to_string(dir_of_log).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let ticket = lines
        .iter()
        .find(|line| line["fields"]["message"] == "ticket changed")
        .unwrap();
    assert_eq!(ticket["level"], "INFO");
    assert_eq!(ticket["fields"]["device.id"], "ts-flash5/TSF5-MADEUP-07");
}

#[test]
fn a_cause_that_repeats_itself_is_held_back_and_says_how_often() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = Service::start(dir.path(), &settings("[log]\nlevel = \"debug\""), &[]);
    wait_for("the start", SOON, || {
        service.log().contains("nyone who reaches").then_some(())
    });
    // The same cause a few hundred times: a reload that is refused each time.
    fs::write(dir.path().join("service.toml"), "nonsense = 1\n").unwrap();
    let refused = || service.log().matches("the reload is refused").count();
    // Some more after the last that is written; all within the minute that is watched.
    let mut more = 50_u32;
    wait_for("a cause that has said enough", SOON, || {
        signal(service.child.id(), "HUP");
        more -= u32::from(refused() >= 100);
        (more == 0).then_some(())
    });
    signal(service.child.id(), "TERM");
    assert!(service.child.wait().unwrap().success());
    let log = service.log();
    let (told, written): (Vec<&str>, Vec<&str>) = log
        .lines()
        .filter(|line| line.contains("the reload is refused"))
        .partition(|line| line.contains("held_back="));
    assert_eq!(written.len(), 100, "{log}");
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains("lines of one cause were held back"),
        "{log}"
    );
}
