//! SIGHUP: what is taken up, what waits for a restart, and that a mistake anywhere changes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::influxd::Influxd;
use crate::influxd::TOKEN;
use crate::process::Daemon;
use crate::process::http;
use crate::process::wait_for;
use crate::rig::SOON;
use crate::rig::copied_profiles;
use crate::rig::metric;
use crate::rig::overheat;
use crate::rig::publish;
use crate::rig::signal;

/// Asks for a reload and waits until the log says how it ended, beyond what it said before.
fn reload(daemon: &Daemon) -> String {
    let before = daemon.log().len();
    signal(daemon.pid(), "HUP");
    wait_for("the end of the reload", SOON, || {
        let said = daemon.log().split_off(before);
        let ended = said
            .lines()
            .any(|line| line.contains("reloaded") || line.contains("reload is refused"));
        ended.then_some(said)
    })
}

fn start(dir: &Path, profiles: &Path, more: &str) -> Daemon {
    Daemon::start(
        dir,
        &format!("[profiles]\ndir = \"{}\"\n{more}\n", profiles.display()),
    )
}

/// Writes the settings of a running daemon anew.
fn change_settings(dir: &Path, change: impl FnOnce(String) -> String) {
    let file = dir.join("foremend.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, change(text)).unwrap();
}

fn version_of(daemon: &Daemon) -> String {
    daemon.get("/api/v1/profiles/ts-flash5")["profile_version"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn profiles_are_taken_up_journalled_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    let daemon = start(dir.path(), &profiles, "");
    let before = version_of(&daemon);
    assert!(reload(&daemon).contains("nothing has changed"));
    assert_eq!(version_of(&daemon), before);
    let file = profiles.join("ts-flash5.toml");
    let text = fs::read_to_string(&file).unwrap();
    // Another limit of the fault that an overheated toilet shows.
    let changed = text.replacen("out >= 48 °C", "out >= 47.5 °C", 1);
    assert_ne!(text, changed, "the profile has other words now");
    fs::write(&file, changed).unwrap();
    let said = reload(&daemon);
    assert!(said.contains("profiles (ts-flash5.toml changed)"), "{said}");
    assert_ne!(version_of(&daemon), before);
    overheat(&daemon, "TSF5-MADEUP-07");
    let ticket = wait_for("a ticket", SOON, || {
        daemon.get("/api/v1/tickets")["items"]
            .as_array()?
            .first()
            .cloned()
    });
    assert_eq!(ticket["profile_version"], version_of(&daemon));
    assert!(daemon.stop().success());
    // The journal has them at the place where they came into force.
    let export = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .args(["journal", "export", "--data"])
        .arg(dir.path().join("data"))
        .arg("--output")
        .arg(dir.path().join("export.jsonl"))
        .output()
        .unwrap();
    assert!(export.status.success());
    let export = fs::read_to_string(dir.path().join("export.jsonl")).unwrap();
    assert_eq!(export.matches("\"kind\":\"profiles\"").count(), 2);
}

#[test]
fn one_mistake_anywhere_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    let daemon = start(dir.path(), &profiles, "");
    let before = version_of(&daemon);
    let token = daemon.token.clone();
    // A good new token, and a profile with a mistake.
    fs::write(dir.path().join("data/admin-token"), "f".repeat(64)).unwrap();
    let file = profiles.join("ts-flash5.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replacen("[fault.", "[fautl.", 1)).unwrap();
    let said = reload(&daemon);
    assert!(
        said.contains("everything stays as it was") && said.contains("fautl"),
        "{said}"
    );
    assert_eq!(version_of(&daemon), before);
    assert!(daemon.get("/api/v1/tickets")["items"].is_array());
    assert_eq!(metric(&daemon, "foremend_reload_refused"), Some(1.0));
    // Mistakes of other kinds.
    fs::write(&file, &good).unwrap();
    change_settings(dir.path(), |text| {
        format!("{text}\n[log]\nlevel = \"loud\"\n")
    });
    let said = reload(&daemon);
    assert!(
        said.contains("log.level") && said.contains("foremend.toml:"),
        "{said}"
    );
    change_settings(dir.path(), |text| text.replace("loud", "info"));
    fs::write(dir.path().join("data/users"), "nonsense\n").unwrap();
    let said = reload(&daemon);
    assert!(said.contains("everything stays as it was"), "{said}");
    fs::remove_file(dir.path().join("data/users")).unwrap();
    // Mended, the token that has waited holds, and the old one no longer.
    let said = reload(&daemon);
    assert!(said.contains("the admin token"), "{said}");
    let asked = |token: &str| {
        http(
            "GET",
            &format!("{}/api/v1/tickets", daemon.url),
            token,
            None,
        )
        .0
    };
    assert_eq!((asked(&token), asked(&"f".repeat(64))), (401, 200));
    assert_eq!(metric(&daemon, "foremend_reload_refused"), Some(0.0));
    assert_eq!(
        metric(&daemon, "foremend_reloads_total{result=\"refused\"}"),
        Some(3.0)
    );
    assert!(daemon.stop().success());
}

#[test]
fn the_level_changes_and_the_rest_waits_for_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    let daemon = start(dir.path(), &profiles, "");
    change_settings(dir.path(), |text| {
        format!(
            "{text}\n[log]\nlevel = \"debug\"\n[journal]\nmax_age = \"40 d\"\n[site]\ntimezone = \"UTC\"\n"
        )
    });
    let said = reload(&daemon);
    assert!(said.contains("log.level = \"debug\""), "{said}");
    assert!(
        said.contains("waiting for a restart: site.timezone, [journal]"),
        "{said}"
    );
    // A line of that level: a connection that ends.
    wait_for("a line of the level debug", SOON, || {
        assert!(publish(
            &daemon,
            None,
            "appl/v1/ts-flash5/TSF5-MADEUP-07/tele",
            "{\"s\":{\"function\":\"idle\"}}"
        ));
        daemon.log().contains("DEBUG foremend").then_some(())
    });
    assert!(daemon.stop().success());
}

#[test]
fn users_of_the_listener_are_taken_up_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    let daemon = start(dir.path(), &profiles, "");
    let topic = "appl/v1/ts-flash5/TSF5-MADEUP-07/tele";
    let payload = "{\"s\":{\"function\":\"idle\"}}";
    assert!(publish(&daemon, None, topic, payload));
    let added = Command::new("sh")
        .arg("-c")
        .arg("echo made-up-password | \"$1\" user add plant --config foremend.toml")
        .args(["sh", env!("CARGO_BIN_EXE_foremend")])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    // The listener looks every two seconds by itself; after a reload it has looked.
    reload(&daemon);
    assert!(!publish(&daemon, None, topic, payload));
    assert!(publish(
        &daemon,
        Some(("plant", "made-up-password")),
        topic,
        payload
    ));
    assert!(daemon.stop().success());
}

/// The subject of the certificate that an address shows.
fn subject(address: &str) -> String {
    let output = Command::new("timeout")
        .args(["20", "openssl", "s_client", "-connect", address])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("subject="));
    line.unwrap_or_else(|| panic!("no certificate: {said}"))
        .to_owned()
}

/// A certificate of this name, and its key.
fn certify(dir: &Path, name: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(dir.join("listener.pem"), certificate.pem()).unwrap();
    fs::write(dir.join("listener.key"), key.serialize_pem()).unwrap();
}

#[test]
fn the_certificate_is_taken_up_at_once_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    certify(dir.path(), "first");
    let daemon = start(
        dir.path(),
        &profiles,
        "[listener]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"127.0.0.1:0\"\ncert_file = \"listener.pem\"\nkey_file = \"listener.key\"",
    );
    let (_, address) = daemon.ready.split_once("mqtts://").unwrap();
    assert!(subject(address).ends_with("first"));
    certify(dir.path(), "second");
    let said = reload(&daemon);
    assert!(said.contains("the certificate of the listener"), "{said}");
    assert!(subject(address).ends_with("second"));
    fs::write(dir.path().join("listener.pem"), "nothing").unwrap();
    let said = reload(&daemon);
    assert!(
        said.contains("everything stays as it was") && said.contains("listener.pem"),
        "{said}"
    );
    assert!(subject(address).ends_with("second"));
    assert!(daemon.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_influxdb_that_was_wrong_is_mended_without_a_restart() {
    // Whoever makes an HTTP client says which TLS it has; another test may have done so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let influxd = Influxd::start().await;
    let dir = tempfile::tempdir().unwrap();
    let profiles = copied_profiles(dir.path());
    fs::write(dir.path().join("influx-token"), "made-up").unwrap();
    let daemon = start(
        dir.path(),
        &profiles,
        &format!(
            "[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"",
            influxd.url
        ),
    );
    overheat(&daemon, "TSF5-MADEUP-07");
    wait_for("the refusal", SOON, || {
        daemon
            .log()
            .contains("the series store refuses us")
            .then_some(())
    });
    fs::write(dir.path().join("influx-token"), TOKEN).unwrap();
    let said = reload(&daemon);
    assert!(said.contains("the token of InfluxDB"), "{said}");
    // A refused writer tries again within a minute.
    wait_for("points", 3 * SOON, || {
        metric(&daemon, "foremend_series_points_written_total").filter(|points| *points > 0.0)
    });
    assert!(daemon.stop().success());
}
