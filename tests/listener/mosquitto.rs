//! `mosquitto_pub`, over MQTT 3.1.1 and 5, plain and with TLS, by password and by certificate, and its last will.

use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use crate::process::wait_for;
use crate::rig::ITS_SERIAL;
use crate::rig::ONE;
use crate::rig::PASSWORD;
use crate::rig::PLANT;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::readings;
use crate::rig::said;
use crate::rig::topic;

/// `mosquitto_pub` towards the listener.
fn client(rig: &Rig, version: &str, tls: bool) -> Command {
    // Limited by itself: a refused one may try for ever.
    let mut command = Command::new("timeout");
    command.args([
        "60",
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-V",
        version,
        "-p",
    ]);
    if tls {
        command.arg(rig.tls_port().to_string());
        command.arg("--cafile").arg(rig.file("ca.pem"));
    } else {
        command.arg(rig.port().to_string());
    }
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command
}

fn login<'a>(command: &'a mut Command, user: &str, password: &str) -> &'a mut Command {
    command.args(["-u", user, "-P", password])
}

/// Runs it with these lines as messages.
fn run(command: &mut Command, lines: &[String]) -> (bool, String) {
    let mut child = command
        .spawn()
        .expect("mosquitto_pub; tests/run.sh installs it");
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    // A refused one is gone before it has read everything.
    child.stdin.take().unwrap().write_all(text.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), said(&output))
}

#[test]
fn messages_arrive_in_order_over_each_version_with_and_without_tls() {
    let rig = Rig::start();
    let payloads = readings(200);
    for (number, version, tls, qos) in [
        (1, "mqttv311", false, "1"),
        (2, "mqttv311", true, "1"),
        (3, "mqttv5", false, "1"),
        (4, "mqttv5", true, "1"),
        (5, "mqttv311", false, "2"),
        (6, "mqttv5", false, "2"),
        (7, "mqttv311", false, "0"),
    ] {
        let topic = topic(&format!("TSF5-MADEUP-2{number}"));
        let mut command = client(&rig, version, tls);
        login(&mut command, PLANT, PASSWORD).args(["-q", qos, "-l", "-t", &topic]);
        let (good, text) = run(&mut command, &payloads);
        assert!(good, "{version} tls={tls} qos={qos}: {text}");
        rig.wait_for(&topic, &payloads);
    }
    // The API tells them newest first.
    let path = "/api/v1/devices/ts-flash5/TSF5-MADEUP-21/messages?limit=1";
    let newest = wait_for("the newest message", SOON, || {
        let list = rig.daemon.get(path);
        let newest = list["items"][0].to_string();
        newest.contains("30.199").then_some(newest)
    });
    assert!(newest.contains("TSF5-MADEUP-21"), "{newest}");
}

#[test]
fn a_wrong_password_and_a_foreign_topic_are_refused() {
    let rig = Rig::start();
    let payloads = readings(1);
    let own = topic(ITS_SERIAL);
    for version in ["mqttv311", "mqttv5"] {
        for (user, password) in [(ONE, "wrong"), ("nobody", PASSWORD)] {
            let mut command = client(&rig, version, false);
            login(&mut command, user, password).args(["-q", "1", "-l", "-t", &own]);
            let (good, text) = run(&mut command, &payloads);
            let text = text.to_lowercase();
            assert!(!good, "{version} {user}: {text}");
            assert!(
                text.contains("bad user") || text.contains("not authori"),
                "{version} {user}: {text}"
            );
        }
    }
    let mut nameless = client(&rig, "mqttv5", false);
    nameless.args(["-q", "1", "-l", "-t", &own]);
    assert!(!run(&mut nameless, &payloads).0);

    let foreign = topic("TSF5-MADEUP-08");
    let mut command = client(&rig, "mqttv5", false);
    login(&mut command, ONE, PASSWORD).args(["-q", "1", "-l", "-t", &foreign]);
    let (_, text) = run(&mut command, &payloads);
    assert!(text.to_lowercase().contains("not authori"), "{text}");
    wait_for("the refused message in the numbers", SOON, || {
        (rig.metric("foremend_listener_denied_total") == 1).then_some(())
    });

    let mut command = client(&rig, "mqttv5", false);
    login(&mut command, ONE, PASSWORD).args(["-q", "1", "-l", "-t", &own]);
    let (good, text) = run(&mut command, &payloads);
    assert!(good, "{text}");
    rig.wait_for(&own, &payloads);
    assert!(rig.arrived(&foreign).is_empty());
}

#[test]
fn a_client_certificate_speaks_for_the_device_of_its_name() {
    let rig = Rig::start();
    let payloads = readings(3);
    let by_certificate = |name: &str, version: &str, topic: &str| {
        let mut command = client(&rig, version, true);
        command.arg("--cert").arg(rig.file(&format!("{name}.pem")));
        command.arg("--key").arg(rig.file(&format!("{name}.key")));
        command.args(["-q", "1", "-l", "-t", topic]);
        run(&mut command, &payloads)
    };
    let own = topic("TSF5-MADEUP-11");
    let (good, text) = by_certificate("TSF5-MADEUP-11", "mqttv311", &own);
    assert!(good, "{text}");
    rig.wait_for(&own, &payloads);
    let foreign = topic("TSF5-MADEUP-12");
    let (_, text) = by_certificate("TSF5-MADEUP-11", "mqttv5", &foreign);
    assert!(text.to_lowercase().contains("not authori"), "{text}");
    assert!(rig.arrived(&foreign).is_empty());
    // Over TLS without a certificate, a password is needed as anywhere.
    let mut nameless = client(&rig, "mqttv5", true);
    nameless.args(["-q", "1", "-l", "-t", &own]);
    assert!(!run(&mut nameless, &payloads).0);
}

#[test]
fn the_will_of_a_client_that_vanishes_arrives_and_that_of_one_that_leaves_does_not() {
    let rig = Rig::start();
    for (serial, version) in [("TSF5-MADEUP-31", "mqttv311"), ("TSF5-MADEUP-32", "mqttv5")] {
        let state = format!("appl/v1/ts-flash5/{serial}/state");
        let will = r#"{"online":false}"#;
        let start = || {
            // Without `timeout` around it, so that it is the client itself that is ended.
            let mut command = Command::new("mosquitto_pub");
            command.args(["-h", "127.0.0.1", "-V", version, "-p"]);
            command.arg(rig.port().to_string());
            login(&mut command, PLANT, PASSWORD);
            command.args(["--will-topic", &state, "--will-qos", "1"]);
            command.args([
                "--will-payload",
                will,
                "-q",
                "1",
                "-l",
                "-t",
                &topic(serial),
            ]);
            command.stdin(Stdio::piped()).spawn().unwrap()
        };
        let payloads = readings(2);
        let mut leaves = start();
        let mut input = leaves.stdin.take().unwrap();
        writeln!(input, "{}", payloads[0]).unwrap();
        drop(input);
        assert!(leaves.wait().unwrap().success());
        let mut vanishes = start();
        let mut input = vanishes.stdin.take().unwrap();
        writeln!(input, "{}", payloads[1]).unwrap();
        rig.wait_for(&topic(serial), &payloads);
        assert!(
            rig.arrived(&state).is_empty(),
            "{version}: a will too early"
        );
        vanishes.kill().unwrap();
        vanishes.wait().unwrap();
        rig.wait_for(&state, &[will.to_owned()]);
    }
}
