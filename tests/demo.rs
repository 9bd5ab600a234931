//! `foremend simulate` and `foremend demo` from the outside: the real binary, a real broker, the real listener.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/daemon.rs"]
mod process;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use mosquitto::Mosquitto;
use process::http;
use process::wait_for;

/// How long a start may take on a busy machine without optimisation.
const START: Duration = Duration::from_mins(4);

fn foremend(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foremend"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments);
    command
}

fn simulate(url: &str, more: &[&str]) -> Output {
    let arguments = [&["simulate", "--json", "--url", url], more].concat();
    foremend(&arguments).output().unwrap()
}

fn account(output: &Output) -> Value {
    let complaints = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaints}"))
}

#[test]
fn a_broker_acknowledges_everything_that_a_simulated_fleet_sends() {
    let broker = Mosquitto::start("");
    let loads: [&[&str]; 3] = [
        &["--rate", "500", "--seconds", "2", "--devices", "10"],
        &[
            "--rate",
            "max",
            "--seconds",
            "1",
            "--devices",
            "10",
            "--mqtt",
            "3.1.1",
        ],
        // Ten devices share three connections.
        &[
            "--rate",
            "300",
            "--seconds",
            "1",
            "--devices",
            "10",
            "--connections",
            "3",
        ],
    ];
    for load in loads {
        let output = simulate(&broker.url(), load);
        let account = account(&output);
        assert_eq!(output.status.code(), Some(0), "{load:?}: {account}");
        assert_eq!(
            account["sent"], account["acknowledged"],
            "{load:?}: {account}"
        );
        assert_eq!(account["failed"], 0, "{load:?}: {account}");
        // A tenth of what was asked for, on the slowest machine.
        assert!(
            account["sent"].as_u64().unwrap() >= 30,
            "{load:?}: {account}"
        );
        assert!(
            account["ack_ms"]["p99"].as_f64().unwrap() > 0.0,
            "{account}"
        );
    }
}

#[test]
fn a_server_that_never_acknowledges_is_told_by_the_exit_code() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                // A CONNACK of MQTT 3.1.1 for whatever comes, and nothing ever after.
                let mut bytes = [0; 4_096];
                let mut greeted = false;
                while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                    if !greeted {
                        stream.write_all(&[0x20, 0x02, 0x00, 0x00]).ok();
                        greeted = true;
                    }
                }
            });
        }
    });
    let load = [
        "--rate",
        "50",
        "--seconds",
        "1",
        "--devices",
        "3",
        "--mqtt",
        "3.1.1",
    ];
    let output = simulate(&url, &load);
    let account = account(&output);
    assert_eq!(output.status.code(), Some(1), "{account}");
    assert_eq!(account["acknowledged"], 0, "{account}");
    assert_eq!(account["unanswered"], account["sent"], "{account}");
    assert!(account["sent"].as_u64().unwrap() > 0, "{account}");
}

#[test]
fn without_a_server_the_simulated_fleet_says_so_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", free.local_addr().unwrap());
    drop(free);
    let output = simulate(&url, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&url), "{said}");
}

/// A running demo.
struct Demo {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Vec<String>,
    url: String,
    token: String,
}

impl Demo {
    fn start(data: &Path, more: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let fixed = [
            "demo",
            "--data",
            data,
            "--http",
            "127.0.0.1:0",
            "--mqtt",
            "127.0.0.1:0",
        ];
        let mut child = foremend(&[&fixed, more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut demo = Self {
            child,
            lines,
            said: Vec::new(),
            url: String::new(),
            token: String::new(),
        };
        while !demo.said.iter().any(|line| line.contains("Ctrl-C")) {
            match demo.lines.recv_timeout(START) {
                Ok(line) => demo.said.push(line),
                Err(error) => panic!("{error}; so far: {:?}", demo.said),
            }
        }
        let ready = demo.said.iter().find(|line| line.contains("is ready"));
        let (_, url) = ready.unwrap().split_once("http://").unwrap();
        demo.url = format!("http://{}", url.trim());
        let token = std::fs::read_to_string(Path::new(data).join("admin-token")).unwrap();
        token.trim().clone_into(&mut demo.token);
        demo
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    fn text(&self, path: &str) -> String {
        let (status, body) = http("GET", &format!("{}{path}", self.url), &self.token, None);
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// A counter of messages since the daemon's start.
    fn counted(&self, which: &str) -> u64 {
        let metrics = self.text("/metrics");
        let name = format!("foremend_messages_{which}_total");
        let line = metrics.lines().find(|line| line.starts_with(&name));
        let number = line.unwrap().rsplit(' ').next().unwrap();
        number.parse().unwrap()
    }

    fn stop(mut self) {
        let told = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(told.unwrap().success());
        let status = wait_for("the demo's end", START, || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

#[test]
fn a_demo_has_a_past_lives_on_and_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let demo = Demo::start(&data, &["--devices", "4", "--days", "3"]);
    let tickets = demo.get("/api/v1/tickets?limit=100");
    assert!(items(&tickets).len() >= 3, "{tickets}");
    let acted = items(&tickets)
        .iter()
        .filter(|ticket| !ticket["assignee"].is_null());
    assert!(acted.count() >= 1, "nobody works: {tickets}");
    let devices = demo.get("/api/v1/devices").to_string();
    assert!(devices.contains("-DEMO-001"), "{devices}");
    let promised = demo.said.iter().filter(|line| line.starts_with("  in "));
    assert!(promised.count() >= 1, "{:?}", demo.said);
    // The same devices go on over MQTT.
    wait_for("a message of the live fleet", START, || {
        (demo.counted("received") > 0).then_some(())
    });
    demo.stop();
    let verified = foremend(&["journal", "verify", "--data", data.to_str().unwrap()]).output();
    assert!(verified.unwrap().status.success());

    let again = Demo::start(&data, &["--devices", "4", "--days", "3"]);
    assert!(again.said[0].contains("Going on"), "{:?}", again.said);
    let later = again.get("/api/v1/tickets?limit=100");
    assert!(items(&later).len() >= items(&tickets).len());
    wait_for("a message of the live fleet", START, || {
        (again.counted("received") > 0).then_some(())
    });
    // A counter that began anew would make everything a duplicate; some devices repeat themselves now and then.
    let (received, duplicates) = (again.counted("received"), again.counted("duplicate"));
    assert!(
        duplicates * 2 < received.max(1),
        "{duplicates} of {received}"
    );
    again.stop();
}

#[test]
fn a_port_that_is_taken_is_told_before_the_past_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--http", "--mqtt"] {
        let other = if option == "--http" {
            "--mqtt"
        } else {
            "--http"
        };
        let output = foremend(&[
            "demo",
            "--data",
            data.to_str().unwrap(),
            option,
            &address,
            other,
            "127.0.0.1:0",
        ])
        .output()
        .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&address) && said.contains(option), "{said}");
        assert!(!data.exists(), "{said}");
    }
}
