//! `foremend replay` from the outside: what it prints of the recording in the tree, and the data directory that it leaves behind.

#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "support/daemon.rs"]
mod daemon;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use daemon::Daemon;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn small_fleet() -> PathBuf {
    root().join("tests/recordings/small-fleet.jsonl.gz")
}

/// Runs the binary in the root of the tree, where the shipped profiles are found.
fn foremend<A: AsRef<std::ffi::OsStr>>(args: &[A]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_foremend"))
        .current_dir(root())
        .args(args)
        .output()
        .expect("the binary runs")
}

/// What a command that ended well printed.
fn printed(args: &[&str]) -> String {
    let output = foremend(args);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {complaints}");
    String::from_utf8(output.stdout).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// Two devices of the recording for some hours, in which one of them overheats: a second to play instead of a quarter of a minute.
fn hours_of_two(dir: &Path) -> PathBuf {
    let path = dir.join("hours.jsonl");
    let mut file = std::fs::File::create(&path).expect("a file");
    let whole = std::fs::File::open(small_fleet()).expect("the recording");
    let lines = BufReader::new(flate2::read::GzDecoder::new(whole)).lines();
    for line in lines.map(|line| line.expect("a line")) {
        let tst = line.get(8..24).expect("a time");
        let wanted = ("2026-03-20T20:00".."2026-03-21T06:00").contains(&tst);
        if wanted && (line.contains("MADEUP-03") || line.contains("MADEUP-01")) {
            writeln!(file, "{line}").expect("written");
        }
    }
    let broken = r#"{"tst":"2026-03-21T06:00:00.000000Z+0000","topic":"appl/v1/ts-flash5/TSF5-MADEUP-01/tele","payload":"{"}"#;
    writeln!(file, "{broken}").expect("written");
    path
}

/// Counts rows of a SQLite file.
fn count(path: &Path, sql: &str) -> i64 {
    let db = rusqlite::Connection::open(path).expect("a database");
    db.query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// Fields of all devices that the embedded series has of a measurement.
fn fields(data: &Path, measurement: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM series WHERE measurement = '{measurement}'");
    count(&data.join("series.sqlite"), &sql)
}

#[test]
fn the_recording_in_the_tree_prints_exactly_these_lines() {
    let lines = printed(&["replay", text(&small_fleet())]);
    assert_eq!(lines, include_str!("replay/small-fleet.txt"));
}

#[test]
fn the_recording_in_the_tree_prints_exactly_these_lines_in_chinese() {
    let until = "2026-03-21T01:00:00Z";
    let said = printed(&["replay", text(&small_fleet()), "--zh", "--until", until]);
    // All but the last line, which counts messages.
    let lines: Vec<&str> = said.lines().collect();
    let (_, changes) = lines.split_last().expect("lines");
    let expected: Vec<&str> = include_str!("replay/small-fleet.zh.txt").lines().collect();
    assert_eq!(changes, expected);
}

#[test]
fn equal_input_gives_equal_bytes_whether_it_is_kept_or_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = small_fleet();
    let until = "2026-03-16T17:00:00Z";
    let args = ["replay", text(&recording), "--json", "--until", until];
    let first = printed(&args);
    let into = dir.path().join("data");
    let second = printed(&[&args[..], &["--into", text(&into)]].concat());
    assert_eq!(first, second);
    let lines: Vec<Value> = first
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 1, "{first}");
    assert_eq!(lines[0]["device"], "ts-flash5/TSF5-MADEUP-04");
    let stored = printed(&["tickets", "--data", text(&into), "--json"]);
    let stored: Value = serde_json::from_str(&stored).expect("one ticket");
    assert_eq!(
        (&stored["id"], &stored["reason"]),
        (&lines[0]["ticket"], &lines[0]["reason"])
    );
}

#[test]
fn the_daemon_goes_on_with_a_kept_replay() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = hours_of_two(dir.path());
    let data = dir.path().join("data");
    let (recording, kept) = (text(&recording), text(&data));
    let lines = printed(&["replay", recording, "--json", "--into", kept]);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert_eq!(lines, printed(&["replay", recording, "--json"]));

    // All is written, and nothing is left to be delivered.
    let pending = || count(&data.join("store.sqlite"), "SELECT count(*) FROM outbox");
    let measured = || ["telemetry", "derived", "ticket"].map(|name| fields(&data, name));
    let before = (pending(), measured());
    assert_eq!(before.0, 0);
    assert!(before.1.iter().all(|count| *count > 0), "{before:?}");
    // Id, change and stage of the one device that had a ticket.
    assert_eq!(before.1[2], 3);
    let rejected = "SELECT count(*) FROM rejected";
    assert_eq!(count(&data.join("store.sqlite"), rejected), 1);
    let exported = dir.path().join("exported.jsonl");
    let exported = text(&exported);
    let export = ["journal", "export", "--data", kept, "--output", exported];
    printed(&export);
    assert_eq!(lines, printed(&["replay", exported, "--json"]));
    let last = std::fs::read_to_string(exported).expect("the export");
    let last = last.lines().rev().nth(1).expect("a line before the end");
    let last: Value = serde_json::from_str(last).expect("JSON");
    let tickets = printed(&["tickets", "--data", kept, "--json"]);

    let settings = format!(
        "[profiles]\ndir = \"{}\"\n[journal]\nmax_age = \"36500 d\"\n",
        root().join("device-profiles").display()
    );
    let daemon = Daemon::start(dir.path(), &settings);
    let listed = daemon.get("/api/v1/tickets");
    let first: Value = serde_json::from_str(&lines).expect("JSON");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["items"][0]["id"], first["ticket"]);
    assert_eq!(listed["items"][0]["reason"], first["reason"]);
    let series = "/api/v1/series?device=ts-flash5/TSF5-MADEUP-03&signal=water.out_c&from=2026-03-21T00:00:00Z&to=2026-03-21T01:00:00Z";
    let answer = daemon.get(series).to_string();
    assert!(answer.contains("49"), "{answer}");
    let messages = "/api/v1/devices/ts-flash5/TSF5-MADEUP-01/messages?limit=2";
    let messages = daemon.get(messages);
    assert_eq!(messages["items"][0]["payload_text"], "{");
    assert_eq!(messages["items"][0]["refused"][0]["reason"], "invalid_json");
    assert_eq!(messages["items"][1]["refused"], serde_json::json!([]));
    assert_eq!(
        messages["next"],
        messages["items"][1]["position"].to_string()
    );
    assert!(daemon.stop().success());

    // The restart changed nothing, and is in the journal behind what was played (and the tick that ended it).
    assert_eq!(tickets, printed(&["tickets", "--data", kept, "--json"]));
    assert_eq!((pending(), measured()), before);
    printed(&export);
    assert_eq!(lines, printed(&["replay", exported, "--json"]));
    let next = last["position"].as_u64().expect("a position") + 2;
    let rest = printed(&[
        "journal",
        "export",
        "--data",
        kept,
        "--from",
        &next.to_string(),
    ]);
    let started: Value = serde_json::from_str(rest.lines().next().expect("a line")).expect("JSON");
    assert_eq!(started["position"], next);
    assert!(
        started["control"].to_string().contains("started"),
        "{started}"
    );
}

#[test]
fn a_directory_that_holds_something_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = hours_of_two(dir.path());
    let output = foremend(&["replay", text(&recording), "--into", text(dir.path())]);
    assert_eq!(output.status.code(), Some(3));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("is not empty"), "{complaint}");
    assert!(output.stdout.is_empty(), "nothing was played");
    let left = std::fs::read_dir(dir.path()).expect("the directory");
    assert_eq!(left.count(), 1);
    let file = recording.join("data");
    let output = foremend(&["replay", text(&recording), "--into", text(&file)]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_recording_with_nothing_to_play_makes_no_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = dir.path().join("nothing.jsonl");
    std::fs::write(&recording, "{}\n").expect("written");
    let data = dir.path().join("data");
    let output = foremend(&["replay", text(&recording), "--into", text(&data)]);
    assert_eq!(output.status.code(), Some(3));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("nothing to play"), "{complaint}");
    assert!(!data.exists());
}

#[test]
fn a_base_goes_on_where_the_state_was_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = hours_of_two(dir.path());
    let data = dir.path().join("data");
    let kept = text(&data);
    printed(&["replay", text(&recording), "--into", kept]);
    let base = dir.path().join("base");
    let export = ["journal", "export", "--data", kept, "--base", text(&base)];
    let nothing = printed(&export);
    assert_eq!(nothing, "", "all there is lies before the base");
    let again = foremend(&export);
    assert_eq!(again.status.code(), Some(3), "a base is not written over");

    let settings = format!(
        "[profiles]\ndir = \"{}\"\n[journal]\nmax_age = \"36500 d\"\n",
        root().join("device-profiles").display()
    );
    let daemon = Daemon::start(dir.path(), &settings);
    let retire = serde_json::json!({"action": "retire"});
    let path = "/api/v1/devices/ts-flash5/TSF5-MADEUP-03/actions";
    let (status, answer) = daemon.post(path, &retire);
    assert!((200..300).contains(&status), "{status} {answer}");
    assert!(daemon.stop().success());

    let exported = dir.path().join("exported.jsonl");
    let exported = text(&exported);
    printed(&["journal", "export", "--data", kept, "--output", exported]);
    let whole = printed(&["replay", exported, "--json"]);
    let (opened, cancelled) = whole.split_once('\n').expect("two lines");
    assert!(opened.contains(r#""change":"opened""#), "{opened}");
    assert!(cancelled.contains(r#""change":"cancelled""#), "{cancelled}");
    let rest = printed(&["replay", exported, "--json", "--base", text(&base)]);
    assert_eq!(rest, cancelled);

    let foreign = foremend(&["replay", text(&recording), "--base", text(&base)]);
    let complaint = String::from_utf8_lossy(&foreign.stderr);
    assert!(complaint.contains("has no position"), "{complaint}");
    let damaged = foremend(&["replay", exported, "--base", text(&recording)]);
    assert_eq!(damaged.status.code(), Some(3));
}
