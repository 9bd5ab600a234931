//! paho-mqtt, the client that most scripts and bridges are written with.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::rig::ITS_SERIAL;
use crate::rig::ONE;
use crate::rig::PASSWORD;
use crate::rig::PLANT;
use crate::rig::Rig;
use crate::rig::readings;
use crate::rig::topic;

/// Where `tests/run.sh` puts Python with paho-mqtt, unless it says so itself.
const USUAL_PLACE: &str = ".cache/foremend/paho/bin/python";
/// "Bad user name or password" as MQTT 5 counts it; paho translates the 4 of MQTT 3.1.1.
const BAD_USER: u64 = 0x86;
/// "Not authorized" of MQTT 5.
const NOT_AUTHORIZED: u64 = 0x87;

/// Publishes as the job says, and tells how it went.
fn run(job: &Value) -> Value {
    let python = std::env::var_os("FOREMEND_TEST_PAHO").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(USUAL_PLACE),
        PathBuf::from,
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/listener/paho_client.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(job.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|wrong| panic!("{wrong}; run tests/run.sh, which installs paho: {error}"))
}

fn job(rig: &Rig, version: u8, user: &str, topic: &str, messages: &[String]) -> Value {
    json!({
        "port": rig.port(), "version": version, "id": format!("paho-{version}-{topic}"),
        "user": user, "password": PASSWORD, "topic": topic, "qos": 1, "messages": messages,
    })
}

#[test]
fn messages_are_acknowledged_and_arrive_in_order() {
    let rig = Rig::start();
    let payloads = readings(300);
    for (number, version, tls, qos) in [
        (1, 3, false, 1),
        (2, 5, false, 1),
        (3, 3, true, 1),
        (4, 5, true, 1),
        (5, 3, false, 2),
        (6, 5, false, 2),
    ] {
        let topic = topic(&format!("TSF5-MADEUP-4{number}"));
        let mut job = job(&rig, version, PLANT, &topic, &payloads);
        job["qos"] = qos.into();
        if tls {
            job["port"] = rig.tls_port().into();
            job["ca"] = rig.file("ca.pem").to_str().unwrap().into();
        }
        let told = run(&job);
        assert_eq!(told["connack"], 0, "{told}");
        assert_eq!(told["acked"], payloads.len(), "{told}");
        assert_eq!(told["acked_in_order"], true, "{told}");
        rig.wait_for(&topic, &payloads);
    }
}

#[test]
fn what_a_persistent_session_kept_while_away_arrives_in_order() {
    let rig = Rig::start();
    let payloads = readings(60);
    for (number, version) in [(1, 3), (2, 5)] {
        let topic = topic(&format!("TSF5-MADEUP-5{number}"));
        // Queued in the client before it is connected, twice, under one client id and one session.
        for half in payloads.chunks(30) {
            let mut job = job(&rig, version, PLANT, &topic, half);
            job["clean"] = false.into();
            job["before"] = true.into();
            job["inflight"] = 5.into();
            let told = run(&job);
            assert_eq!(told["acked"], half.len(), "{told}");
            assert_eq!(told["session_present"], false, "{told}");
        }
        rig.wait_for(&topic, &payloads);
    }
}

#[test]
fn a_wrong_password_is_refused_with_its_code() {
    let rig = Rig::start();
    for version in [3, 5] {
        let mut job = job(&rig, version, ONE, &topic(ITS_SERIAL), &readings(1));
        job["password"] = "wrong".into();
        let told = run(&job);
        assert_eq!(told["connack"], BAD_USER, "{told}");
        assert_eq!(told["acked"], 0, "{told}");
    }
    assert!(rig.arrived(&topic(ITS_SERIAL)).is_empty());
}

#[test]
fn a_topic_outside_the_rights_is_refused_with_mqtt_5_and_ends_the_connection_before() {
    let rig = Rig::start();
    let foreign = topic("TSF5-MADEUP-08");
    let payloads = readings(2);
    let told = run(&job(&rig, 5, ONE, &foreign, &payloads));
    assert_eq!(
        told["reasons"],
        json!([NOT_AUTHORIZED, NOT_AUTHORIZED]),
        "{told}"
    );
    assert_eq!(told["closed_on_us"], false, "{told}");
    // An acknowledgement of MQTT 3.1.1 would say that it was kept.
    let told = run(&job(&rig, 3, ONE, &foreign, &payloads));
    assert_eq!(told["acked"], 0, "{told}");
    assert_eq!(told["closed_on_us"], true, "{told}");
    assert!(rig.arrived(&foreign).is_empty());
}

#[test]
fn a_will_arrives_when_the_program_dies() {
    let rig = Rig::start();
    for (number, version) in [(1, 3), (2, 5)] {
        let serial = format!("TSF5-MADEUP-6{number}");
        let state = format!("appl/v1/ts-flash5/{serial}/state");
        let will = r#"{"online":false}"#;
        let payloads = readings(1);
        let mut job = job(&rig, version, PLANT, &topic(&serial), &payloads);
        job["will"] = json!({"topic": state, "payload": will});
        run(&job);
        rig.wait_for(&topic(&serial), &payloads);
        job["vanish"] = true.into();
        job["messages"] = json!([]);
        run(&job);
        rig.wait_for(&state, &[will.to_owned()]);
    }
}
