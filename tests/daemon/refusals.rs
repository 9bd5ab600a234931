//! Starts that are refused, each with a text that names the thing and says what to do.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::mosquitto::Mosquitto;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::check;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::status;

/// What `foremend run` could not do.
const COULD_NOT_RUN: Option<i32> = Some(3);

fn settings(data: &str, more: &str) -> String {
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
    let profiles = if more.contains("[profiles]") {
        String::new()
    } else {
        format!("[profiles]\ndir = \"{profiles}\"\n")
    };
    let listen = if more.contains("[http]") {
        ""
    } else {
        "[http]\nlisten = \"127.0.0.1:0\"\n"
    };
    let listener = if more.contains("[listener]") {
        ""
    } else {
        "[listener]\nlisten = \"127.0.0.1:0\"\n"
    };
    format!("[data]\ndir = \"{data}\"\n{listen}{listener}{profiles}{more}")
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let broker = Mosquitto::start("");
    let rig = Rig::on(&broker, "");
    let daemon = rig.start_connected();
    let (code, said) = rig.refused(&settings("data", ""));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(
        said.contains(rig.data().to_str().unwrap()),
        "it names the directory: {said}"
    );
    assert!(
        said.contains("a data directory of its own"),
        "it says what to do: {said}"
    );
    let payloads = readings(1, 3, 37.5);
    publish(broker.port(), "TSF5-1", &payloads);
    rig.wait_for_messages(&payloads);
    assert_eq!(status(&daemon, "/readyz"), 200);
    assert!(daemon.stop().success());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let rig = Rig::alone("");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, said) = rig.refused(&settings(
        "data",
        &format!("[http]\nlisten = \"{address}\"\n"),
    ));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(
        said.contains(&address.to_string()) && said.contains("http.listen"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    let (_, said) = rig.refused(&settings("data", "[http]\nlisten = \"here\"\n"));
    assert!(
        said.contains("http.listen: 'here' is not an address"),
        "{said}"
    );
}

#[test]
fn an_mqtt_port_that_is_taken_is_named_with_what_to_do() {
    let rig = Rig::alone("");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listener = format!("[listener]\nlisten = \"{address}\"\n");
    let (code, said) = rig.refused(&settings("data", &listener));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    let port = format!("port {} is in use", address.port());
    assert!(
        said.contains(&port)
            && said.contains("enabled = false")
            && said.contains("listener.listen"),
        "{said}"
    );
    // Nothing was journalled: the same directory starts when the port is free.
    drop(taken);
    assert!(rig.start().stop().success());
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let rig = Rig::alone("");
    // Root may write anywhere, but nobody makes a directory below a file.
    fs::write(rig.dir().join("file"), "").unwrap();
    let (code, said) = rig.refused(&settings("file/data", ""));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(
        said.contains("file/data") && said.contains("data.dir"),
        "{said}"
    );
}

/// A database consists of these files.
fn parts(file: &str) -> [String; 3] {
    ["", "-wal", "-shm"].map(|suffix| format!("{file}{suffix}"))
}

fn copy(from: &Path, to: &Path, file: &str) {
    for name in parts(file) {
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// The same, in place of what is there; nothing is left behind.
fn swap(from: &Path, to: &Path, file: &str) {
    for name in parts(file) {
        fs::remove_file(to.join(&name)).ok();
    }
    copy(from, to, file);
    for name in parts(file) {
        fs::remove_file(from.join(&name)).ok();
    }
}

#[test]
fn files_of_another_journal_are_refused_and_named() {
    let one = Rig::alone("");
    assert!(one.start().stop().success());
    let other = Rig::alone("");
    assert!(other.start().stop().success());
    for file in [
        "store.sqlite",
        "state.sqlite",
        "series-state.sqlite",
        "series.sqlite",
    ] {
        let kept = tempfile::tempdir().unwrap();
        swap(&one.data(), kept.path(), file);
        copy(&other.data(), &one.data(), file);
        let (code, said) = one.refused(&settings("data", ""));
        assert_eq!(code, COULD_NOT_RUN, "{said}");
        let ours = one.data().join(file);
        assert!(
            said.contains(ours.to_str().unwrap()),
            "it names {file}: {said}"
        );
        assert!(said.contains("journal"), "{said}");
        swap(kept.path(), &one.data(), file);
    }
    assert!(one.start().stop().success(), "with its own files it starts");
}

#[test]
fn a_misspelt_setting_is_refused_with_its_line_and_a_suggestion() {
    let rig = Rig::alone("");
    let (code, said) = rig.refused("[data]\ndir = \"data\"\n[http]\nlisen = \"127.0.0.1:0\"\n");
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(said.contains("refused.toml:4"), "file and line: {said}");
    assert!(said.contains("did you mean 'listen'?"), "{said}");
    assert!(!rig.data().exists(), "nothing is made");
}

#[test]
fn a_profile_with_a_mistake_is_refused_at_the_start() {
    let rig = Rig::alone("");
    let folder = rig.dir().join("profiles");
    fs::create_dir(&folder).unwrap();
    let shipped = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/device-profiles/ts-flash5.toml"
    ))
    .unwrap();
    fs::write(
        folder.join("ts-flash5.toml"),
        shipped.replace("held(out >= 48 °C, 0.5 s)", "held(outt >= 48 °C, 0.5 s)"),
    )
    .unwrap();
    let (code, said) = rig.refused(&settings("data", "[profiles]\ndir = \"profiles\"\n"));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(
        said.contains("ts-flash5.toml") && said.contains("outt"),
        "{said}"
    );
    let (code, said) = rig.refused(&settings("data", "[profiles]\ndir = \"nowhere\"\n"));
    assert_eq!(code, COULD_NOT_RUN, "{said}");
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn a_broker_out_of_reach_is_told_and_no_reason_to_stop() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rig = Rig::alone(&format!(
        "[[broker]]\nname = \"plant\"\nurl = \"mqtt://{closed}\"\n"
    ));
    let daemon = rig.start();
    wait_for("the reason", SOON, || {
        let check = check(&daemon, "broker plant")?;
        (check["ok"] == false && check["detail"].as_str()?.contains("trying again")).then_some(())
    });
    assert_eq!(status(&daemon, "/readyz"), 503);
    assert_eq!(status(&daemon, "/healthz"), 200);
    assert!(daemon.stop().success());
}
