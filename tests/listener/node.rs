//! mqtt.js, the client of Node-RED and of most bridges in JavaScript.

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

/// Where `tests/run.sh` puts mqtt.js, unless it says so itself.
const USUAL_PLACE: &str = ".cache/foremend/mqttjs-5.16.0/node_modules/mqtt";

/// Publishes as the job says, and tells how it went.
fn run(job: &Value) -> Value {
    let module = std::env::var_os("FOREMEND_TEST_MQTTJS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(USUAL_PLACE),
        PathBuf::from,
    );
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/listener/node_client.cjs"
    );
    let mut child = Command::new("node")
        .arg(script)
        .env("FOREMEND_TEST_MQTTJS", module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node; tests/run.sh installs it");
    let mut input = child.stdin.take().unwrap();
    input.write_all(job.to_string().as_bytes()).ok();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|wrong| {
        panic!("{wrong}; run tests/run.sh, which installs mqtt.js: {error}")
    })
}

fn job(rig: &Rig, version: u8, user: &str, topic: &str, messages: &[String]) -> Value {
    json!({
        "port": rig.port(), "version": version, "id": format!("node-{version}-{topic}"),
        "user": user, "password": PASSWORD, "topic": topic, "qos": 1, "messages": messages,
    })
}

#[test]
fn messages_are_acknowledged_and_arrive_in_order() {
    let rig = Rig::start();
    // mqtt.js does not heed the receive maximum of MQTT 5; this is below it.
    let payloads = readings(200);
    for (number, version, tls, qos) in [
        (1, 3, false, 1),
        (2, 5, false, 1),
        (3, 3, true, 1),
        (4, 5, true, 2),
    ] {
        let topic = topic(&format!("TSF5-MADEUP-7{number}"));
        let mut job = job(&rig, version, PLANT, &topic, &payloads);
        job["qos"] = qos.into();
        if tls {
            job["port"] = rig.tls_port().into();
            job["ca"] = rig.file("ca.pem").to_str().unwrap().into();
        }
        let told = run(&job);
        assert_eq!(told["connack"], 0, "MQTT {version}: {told}");
        assert_eq!(told["acked"], payloads.len(), "MQTT {version}: {told}");
        assert_eq!(told["in_order"], true, "{told}");
        rig.wait_for(&topic, &payloads);
    }
}

#[test]
fn a_certificate_is_enough() {
    let rig = Rig::start();
    let own = topic("TSF5-MADEUP-11");
    let payloads = readings(5);
    let mut job = job(&rig, 5, "", &own, &payloads);
    job.as_object_mut().unwrap().remove("user");
    job.as_object_mut().unwrap().remove("password");
    job["port"] = rig.tls_port().into();
    for (key, file) in [
        ("ca", "ca.pem"),
        ("cert", "TSF5-MADEUP-11.pem"),
        ("key", "TSF5-MADEUP-11.key"),
    ] {
        job[key] = rig.file(file).to_str().unwrap().into();
    }
    let told = run(&job);
    assert_eq!(told["acked"], payloads.len(), "{told}");
    rig.wait_for(&own, &payloads);
}

#[test]
fn a_wrong_password_and_a_foreign_topic_are_refused_with_their_codes() {
    let rig = Rig::start();
    for (version, code) in [(3, 4), (5, 0x86)] {
        let mut job = job(&rig, version, ONE, &topic(ITS_SERIAL), &readings(1));
        job["password"] = "wrong".into();
        let told = run(&job);
        assert_eq!(told["connack"], code, "{told}");
        assert_eq!(told["acked"], 0, "{told}");
    }
    let foreign = topic("TSF5-MADEUP-08");
    let told = run(&job(&rig, 5, ONE, &foreign, &readings(1)));
    assert_eq!(told["reasons"], json!([0x87]), "{told}");
    let told = run(&job(&rig, 3, ONE, &foreign, &readings(1)));
    assert_eq!(
        (&told["acked"], &told["closed"]),
        (&json!(0), &json!(true)),
        "{told}"
    );
    assert!(rig.arrived(&foreign).is_empty());
}
