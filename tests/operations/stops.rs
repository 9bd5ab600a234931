//! A stop that comes while the start still replays: in order, soon, and without work lost.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::process::Daemon;
use crate::process::wait_for;
use crate::rig::SOON;
use crate::rig::Service;
use crate::rig::settings;
use crate::rig::signal;

/// Messages of the journal that is replayed: some seconds of work for a debug build, a tenth of one for an optimised one, which is
/// why the moment of the stop is not left to chance: see [`replaying`].
const MESSAGES: u32 = 60_000;

/// A data directory whose whole journal a start has to replay.
fn unreplayed(dir: &std::path::Path) {
    let recording = dir.join("recording.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&recording).unwrap());
    for number in 0..MESSAGES {
        let second = number / 10;
        let payload = json!({"ts": 1_772_323_200 + second, "seq": second, "s": {"function": "idle", "seat.temp_c": 36.0}});
        let line = json!({
            "tst": format!("2026-03-01T{:02}:{:02}:{:02}.000000Z+0000", second / 3_600, second / 60 % 60, second % 60),
            "topic": format!("appl/v1/ts-flash5/TSF5-MADEUP-0{}/tele", number % 10),
            "qos": 1, "retain": 0, "payload": payload.to_string(),
        });
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let output = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .arg("replay")
        .arg(&recording)
        .arg("--into")
        .arg(dir.join("data"))
        .args(["--profiles"])
        .arg(crate::rig::root().join("device-profiles"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        // The last two are there only after an unclean end.
        drop(std::fs::remove_file(dir.join("data").join(file)));
    }
}

/// Starts it, and returns once it says that it replays; what was said by then is given as well.
fn replaying(dir: &std::path::Path) -> (Service, UnixDatagram) {
    let address = dir.join("notify");
    drop(std::fs::remove_file(&address));
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let service = Service::start(
        dir,
        &settings("[journal]\nmax_age = \"4000 d\""),
        &[("NOTIFY_SOCKET", address.to_str().unwrap())],
    );
    let mut buffer = [0; 4_096];
    loop {
        let bytes = socket.recv(&mut buffer).expect("told that it replays");
        let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
        assert!(
            !text.contains("READY=1"),
            "it was done before it was stopped"
        );
        if text.contains("STATUS=replaying the journal") {
            return (service, socket);
        }
    }
}

#[test]
fn a_stop_during_the_replay_ends_it_and_keeps_what_was_done() {
    let dir = tempfile::tempdir().unwrap();
    unreplayed(dir.path());
    let (mut service, socket) = replaying(dir.path());
    signal(service.child.id(), "TERM");
    let status = service.child.wait().unwrap();
    let log = service.log();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("stopped before the start was done"), "{log}");
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut buffer = [0; 4_096];
    let mut said = String::new();
    while let Ok(bytes) = socket.recv(&mut buffer) {
        said += &String::from_utf8_lossy(&buffer[..bytes]);
    }
    assert!(said.contains("STOPPING=1"), "{said}");
    assert!(!said.contains("READY=1"), "{said}");
    assert!(
        dir.path().join("data/state.sqlite").exists(),
        "the state is saved where the replay was"
    );
    // And the next start has everything.
    let daemon = Daemon::start(dir.path(), &settings("[journal]\nmax_age = \"4000 d\""));
    let messages = wait_for("ten devices", SOON, || {
        let devices = daemon.get("/api/v1/devices?limit=100");
        let devices = devices["items"].as_array()?.clone();
        (devices.len() == 10).then(|| {
            devices
                .iter()
                .map(|device| device["messages"].as_u64().unwrap())
                .sum::<u64>()
        })
    });
    assert_eq!(messages, u64::from(MESSAGES));
    assert!(daemon.stop().success());
}
