//! The main job on real parts: what a stock MQTT client publishes becomes a ticket in the API and points in InfluxDB, and the same
//! messages, exported from the journal, give the same ticket through `replay`.

#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "support/daemon.rs"]
mod daemon;
#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "support/influxd.rs"]
mod influxd;
#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::{Daemon, wait_for};
use influxd::Influxd;
use mosquitto::Mosquitto;
use serde_json::{Value, json};

/// How long a ticket or a point may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the binary; what it printed and whether it ended well.
fn foremend(args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .args(args)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success() || !output.stderr.is_empty(),
        "a failure says why"
    );
    (output.status.success(), text)
}

#[expect(clippy::disallowed_methods, reason = "a device's own clock")]
fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64()
}

fn settings(broker: &Mosquitto, profiles: &Path) -> String {
    format!(
        "[[broker]]\nname = \"local\"\nurl = \"{}\"\n[profiles]\ndir = \"{}\"\n",
        broker.url(),
        profiles.display()
    )
}

/// Waits until the daemon subscribed: what is published before that reaches nobody.
fn subscribed(daemon: &Daemon) {
    wait_for("the subscription", PATIENCE, || {
        daemon.log().contains("connected").then_some(())
    });
}

fn tickets(daemon: &Daemon) -> Vec<Value> {
    daemon.get("/api/v1/tickets")["items"]
        .as_array()
        .cloned()
        .expect("a list")
}

fn mosquitto_pub(broker: &Mosquitto, topic: &str, payload: &str, retain: bool) {
    let mut command = Command::new("mosquitto_pub");
    command.args([
        "-V",
        "5",
        "-h",
        "127.0.0.1",
        "-p",
        &broker.port().to_string(),
        "-q",
        "1",
        "-t",
        topic,
        "-m",
        payload,
    ]);
    if retain {
        command.arg("-r");
    }
    let status = command
        .status()
        .expect("mosquitto_pub is installed; tests/run.sh does that");
    assert!(status.success(), "mosquitto_pub failed on {topic}");
}

/// Twelve messages of a toilet whose water gets too hot.
fn overheat(broker: &Mosquitto, serial: &str) {
    let base = format!("appl/v1/ts-flash5/{serial}");
    let start = seconds_now() - 10.0;
    mosquitto_pub(
        broker,
        &format!("{base}/state"),
        &json!({"online": true, "fw": "1.4.2", "boot": 1}).to_string(),
        true,
    );
    let ident = json!({"serial": serial, "model": "ts-flash5", "hw": "B2", "tz": "Asia/Shanghai", "batch": "F5-0000"});
    mosquitto_pub(broker, &format!("{base}/ident"), &ident.to_string(), true);
    for second in 0..10_i32 {
        let signals = json!({
            "function": "wash", "water.out_c": 41.2 + f64::from(second), "water.set_c": 38.0, "water.in_c": 17.5,
            "water.flow_lpm": 0.52, "heater.cmd_w": 1400, "heater.power_w": 1390.5,
        });
        let record = json!({"ts": start + f64::from(second), "seq": second + 1, "s": signals});
        mosquitto_pub(broker, &format!("{base}/tele"), &record.to_string(), false);
    }
}

/// A number as a replay line writes it: 48 and not 48.0.
fn shortest(number: &Value) -> Value {
    number.as_f64().map_or(Value::Null, |number| {
        serde_json::from_str(&number.to_string()).expect("a number")
    })
}

/// The line that a replay must print for this ticket's opening, made from what the API says of it.
fn opening_line(ticket: &Value) -> Value {
    let mut values = serde_json::Map::new();
    for term in ticket["evidence"].as_array().expect("evidence") {
        if let (true, Some(signal)) = (term["held"] == true, term["signal"].as_str()) {
            let value = json!({"value": shortest(&term["value"]), "unit": term["unit"], "limit": shortest(&term["limit"])});
            values.entry(signal).or_insert(value);
        }
    }
    json!({
        "at": ticket["opened_at"], "change": "opened", "ticket": ticket["id"], "device": ticket["device"],
        "model": ticket["model"], "fault": ticket["fault"], "stage": ticket["stage"], "severity": ticket["severity"],
        "event_time": ticket["event_time"], "profile_version": ticket["profile_version"], "reason": ticket["reason"],
        "values": values,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_messages_of_an_overheating_toilet_are_one_ticket_points_and_an_equal_replay() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let influx = Influxd::start().await;
    let broker = Mosquitto::start("");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("influx-token"), influxd::TOKEN).expect("written");
    let settings = format!(
        "{}[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
        settings(&broker, &root().join("device-profiles")),
        influx.url
    );
    let daemon = Daemon::start(dir.path(), &settings);
    subscribed(&daemon);
    overheat(&broker, "TSF5-MADEUP-01");

    let ticket = wait_for("the ticket", PATIENCE, || {
        tickets(&daemon).into_iter().next()
    });
    assert_eq!(ticket["severity"], "S1");
    assert_eq!(ticket["fault"], "water_over_temp");
    assert_eq!(ticket["device"], "ts-flash5/TSF5-MADEUP-01");
    let reason = ticket["reason"]["en"].as_str().expect("a reason");
    assert!(reason.contains("°C (limit 48 °C), set 38 °C"), "{reason}");
    assert!(
        ticket["reason"]["zh"]
            .as_str()
            .expect("a reason")
            .contains("上限 48 °C")
    );

    let path = "/api/v1/series?device=ts-flash5/TSF5-MADEUP-01&signal=water.out_c";
    let samples = wait_for("all points in InfluxDB", PATIENCE, || {
        let answer = daemon.get(path);
        let samples = answer["items"].as_array().cloned().unwrap_or_default();
        (samples.len() == 10).then_some(samples)
    });
    assert_eq!(
        samples[0]["mean"].as_f64().or(samples[0]["value"].as_f64()),
        Some(41.2)
    );
    let count = influx_count(&influx, dir.path());
    assert_eq!(count, 10, "what the API reads lies in InfluxDB itself");
    // Twelve messages, and no second ticket from any of them.
    wait_for("all messages to be counted", PATIENCE, || {
        daemon
            .text("/metrics")
            .contains("foremend_messages_received_total 12")
            .then_some(())
    });
    assert_eq!(tickets(&daemon).len(), 1);

    assert!(daemon.stop().success(), "SIGTERM ends it well");
    let recording = dir.path().join("journal.jsonl");
    let data = dir.path().join("data");
    let (done, _) = foremend(&[
        "journal",
        "export",
        "--data",
        text(&data),
        "--output",
        text(&recording),
    ]);
    assert!(done);
    let (done, printed) = foremend(&["replay", text(&recording), "--json"]);
    assert!(done);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 1, "{printed}");
    let line: Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(line, opening_line(&ticket));
    let (_, again) = foremend(&["replay", text(&recording), "--json"]);
    assert_eq!(again, printed, "a replay is equal byte for byte");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// How many values of the outlet temperature InfluxDB holds, asked by a client that is not ours.
fn influx_count(influx: &Influxd, dir: &Path) -> usize {
    let query = r#"from(bucket: "telemetry") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "telemetry" and r._field == "water.out_c" and r.serial == "TSF5-MADEUP-01")"#;
    let output = Command::new("curl")
        .args([
            "-s",
            "-XPOST",
            &format!("{}/api/v2/query?org=home", influx.url),
        ])
        .args(["-H", &format!("Authorization: Token {}", influxd::TOKEN)])
        .args(["-H", "Content-Type: application/vnd.flux", "-d", query])
        .current_dir(dir)
        .output()
        .expect("curl is installed; tests/run.sh does that");
    let csv = String::from_utf8(output.stdout).expect("text");
    csv.lines()
        .filter(|line| line.contains("TSF5-MADEUP-01"))
        .count()
}

/// Plays the table of the rig at its own speed.
fn play(broker: &Mosquitto) -> std::process::Child {
    let csv = root().join("tests/spine/water-rig.csv");
    let columns = ["flow_lpm=flow_lpm", "pump_a=pump_a", "water_c=water_c"];
    Command::new(env!("CARGO_BIN_EXE_foremend"))
        .args(["publish", "--csv", text(&csv), "--broker", &broker.url()])
        .args(["--model", "water-rig", "--serial", "RIG-MADEUP-1"])
        .args(columns.iter().flat_map(|column| ["--column", column]))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

#[test]
fn a_disturbed_water_rig_opens_a_ticket_within_the_disturbance_and_none_before() {
    let broker = Mosquitto::start("");
    let dir = tempfile::tempdir().expect("a directory");
    let profiles = dir.path().join("profiles");
    std::fs::create_dir(&profiles).expect("a folder");
    std::fs::copy(
        root().join("tests/spine/water-rig.toml"),
        profiles.join("water-rig.toml"),
    )
    .expect("copied");
    let daemon = Daemon::start(dir.path(), &settings(&broker, &profiles));
    subscribed(&daemon);

    let mut publish = play(&broker);
    // Ninety rows at 1 Hz and speed 1 take ninety seconds; the ticket has to be there before they are over.
    let ticket = wait_for("the ticket", Duration::from_mins(3), || {
        tickets(&daemon).into_iter().next().or_else(|| {
            let ended = publish.try_wait().expect("its state");
            assert!(
                ended.is_none(),
                "the table was played to its end without a ticket"
            );
            None
        })
    });
    let done = publish.wait_with_output().expect("it ends");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("90 rows: 90 published"));

    let path = "/api/v1/series?device=water-rig/RIG-MADEUP-1&signal=flow_lpm";
    let samples = wait_for("all points", PATIENCE, || {
        let answer = daemon.get(path);
        let samples = answer["items"].as_array().cloned().unwrap_or_default();
        (samples.len() == 90).then_some(samples)
    });
    let began = time(&samples[0]["at"]);
    // Rows 40 to 69 are disturbed; the flow is under the limit from row 41 on, and the hold takes five seconds.
    let event = time(&ticket["event_time"]) - began;
    assert!(
        (44_000..70_000).contains(&event),
        "the hold was complete {event} ms after the first row"
    );
    let opened = time(&ticket["opened_at"]) - began;
    assert!(
        (44_000..70_000).contains(&opened),
        "opened {opened} ms after the first row"
    );
    assert_eq!(ticket["fault"], "blocked");
    assert_eq!(tickets(&daemon).len(), 1);
}

fn time(value: &Value) -> i64 {
    let text = value.as_str().expect("a time");
    text.parse::<foremend::telemetry::Timestamp>()
        .expect("RFC 3339")
        .ms()
}

#[test]
fn a_client_in_python_trips_the_safety_plug_in_cbor() {
    let broker = Mosquitto::start("");
    let dir = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(
        dir.path(),
        &settings(&broker, &root().join("device-profiles")),
    );
    subscribed(&daemon);
    let python = std::env::var_os("FOREMEND_TEST_PAHO").map_or_else(
        || {
            PathBuf::from(std::env::var_os("HOME").expect("HOME is set"))
                .join(".cache/foremend/paho/bin/python")
        },
        PathBuf::from,
    );
    assert!(
        python.exists(),
        "no paho-mqtt at {}: run tests/run.sh, which installs it",
        python.display()
    );
    let status = Command::new(python)
        .arg(root().join("tests/spine/publish_cbor.py"))
        .args([
            &broker.port().to_string(),
            "appl/v1/ts-flash5/TSF5-MADEUP-02/event",
        ])
        .status()
        .expect("python runs");
    assert!(status.success());
    let ticket = wait_for("the ticket", PATIENCE, || {
        tickets(&daemon).into_iter().next()
    });
    assert_eq!(ticket["fault"], "leakage");
    assert_eq!(ticket["severity"], "S1");
    // The second payload was cut off.
    let rejected = wait_for("the rejected message", PATIENCE, || {
        daemon.get("/api/v1/rejected")["items"].get(0).cloned()
    });
    assert_eq!(rejected["reason"], "invalid_cbor", "{rejected}");
}
