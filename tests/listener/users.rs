//! Users that come and go while the daemon runs.

use std::process::Command;

use crate::process::wait_for;
use crate::rig::PASSWORD;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::good;
use crate::rig::readings;
use crate::rig::topic;

/// Whether one message is taken.
fn publishes(rig: &Rig, user: Option<&str>, topic: &str) -> bool {
    let mut command = Command::new("timeout");
    command.args([
        "20",
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-V",
        "mqttv5",
        "-p",
    ]);
    command.arg(rig.port().to_string());
    if let Some(user) = user {
        command.args(["-u", user, "-P", PASSWORD]);
    }
    command.args(["-q", "1", "-t", topic, "-m", &readings(1)[0]]);
    command.output().unwrap().status.success()
}

#[test]
fn the_first_user_closes_the_door_of_a_running_daemon() {
    let rig = Rig::start_in(tempfile::tempdir().unwrap(), "");
    let topic = topic("TSF5-MADEUP-07");
    assert!(publishes(&rig, None, &topic));
    let log = rig.daemon.log();
    assert!(
        log.contains("anyone who reaches the MQTT listener") && log.contains("foremend user add"),
        "{log}"
    );
    let add = ["user", "add", "plant", "--config", "foremend.toml"];
    let told = good(rig.dir(), &add, PASSWORD);
    assert!(told.contains("plant may publish *"), "{told}");
    wait_for("the closed door", SOON, || {
        (!publishes(&rig, None, &topic)).then_some(())
    });
    assert!(publishes(&rig, Some("plant"), &topic));
    let remove = ["user", "remove", "plant", "--config", "foremend.toml"];
    good(rig.dir(), &remove, "");
    wait_for("the user that is out", SOON, || {
        (!publishes(&rig, Some("plant"), &topic)).then_some(())
    });
    assert!(!publishes(&rig, None, &topic), "it stays closed");
    assert!(rig.daemon.stop().success());
}

#[test]
fn no_password_gets_into_the_log_or_a_file() {
    let rig = Rig::start();
    let topic = topic("TSF5-MADEUP-07");
    assert!(publishes(&rig, Some("plant"), &topic));
    assert!(!publishes(&rig, Some("nobody"), &topic));
    let log = rig.daemon.log();
    assert!(
        !log.contains(PASSWORD) && !log.contains("$argon2id"),
        "{log}"
    );
    let users = std::fs::read_to_string(rig.dir().join("data/users")).unwrap();
    assert!(
        !users.contains(PASSWORD) && users.contains("plant $argon2id$"),
        "{users}"
    );
}
