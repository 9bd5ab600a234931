//! A directory with settings, the binary run in it in every way, and what the tests ask about it.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::mosquitto::Mosquitto;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::publisher::Publisher;

/// How long anything may take that happens by itself.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) struct Rig {
    dir: tempfile::TempDir,
    pub(crate) settings: String,
}

impl Rig {
    /// Shipped profiles, no broker.
    pub(crate) fn alone(more: &str) -> Self {
        let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
        let settings = format!("[profiles]\ndir = \"{profiles}\"\n{more}\n");
        Self {
            dir: tempfile::tempdir().unwrap(),
            settings,
        }
    }

    pub(crate) fn on(broker: &Mosquitto, more: &str) -> Self {
        Self::alone(&format!(
            "[[broker]]\nname = \"plant\"\nurl = \"{}\"\n{more}",
            broker.url()
        ))
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(self.dir(), &self.settings)
    }

    /// Starts, and waits until messages may flow.
    pub(crate) fn start_connected(&self) -> Daemon {
        let daemon = self.start();
        wait_for("the broker connection", SOON, || {
            (status(&daemon, "/readyz") == 200).then_some(())
        });
        daemon
    }

    /// `foremend run` with exactly these settings, which is expected to refuse: exit code and what it said.
    pub(crate) fn refused(&self, settings: &str) -> (Option<i32>, String) {
        let config = self.dir().join("refused.toml");
        std::fs::write(&config, settings).unwrap();
        let said = self.dir().join("refused.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let code = (0..600).find_map(|_| {
            pass(Duration::from_millis(50));
            child.try_wait().unwrap()
        });
        child.kill().ok();
        child.wait().unwrap();
        let said = std::fs::read_to_string(said).unwrap();
        let status = code.unwrap_or_else(|| panic!("it was not refused: {said}"));
        (status.code(), said)
    }

    /// A command on the data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .output()
            .unwrap()
    }

    /// The whole journal as recording lines.
    pub(crate) fn export(&self) -> Vec<Value> {
        let file = self.dir().join("export.jsonl");
        let output = self.command(&["journal", "export", "--output", file.to_str().unwrap()]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        lines(&std::fs::read(file).unwrap())
    }

    /// The ticket changes that the last export gives.
    pub(crate) fn replay(&self) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["replay", "--json"])
            .arg(self.dir().join("export.jsonl"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        lines(&output.stdout)
    }

    /// Waits until the journal holds messages with all these payloads, and gives the export.
    pub(crate) fn wait_for_messages(&self, payloads: &[String]) -> Vec<Value> {
        wait_for("every acknowledged message in the journal", SOON, || {
            let export = self.export();
            let found: std::collections::BTreeSet<&str> = export
                .iter()
                .filter_map(|line| line["payload"].as_str())
                .collect();
            payloads
                .iter()
                .all(|payload| found.contains(payload.as_str()))
                .then_some(export)
        })
    }
}

fn lines(text: &[u8]) -> Vec<Value> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The kinds of the controls of an export, in order.
pub(crate) fn controls(export: &[Value]) -> Vec<&str> {
    export
        .iter()
        .filter_map(|line| line["control"]["kind"].as_str())
        .collect()
}

/// An answer with its headers in lower case.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.body))
    }
}

/// One request with headers of the test's own.
pub(crate) fn ask(
    daemon: &Daemon,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Reply {
    let host = daemon.url.strip_prefix("http://").unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.extend(["\r\n", &body]);
    let mut stream = TcpStream::connect(host).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// A write with the admin's token and these headers besides.
pub(crate) fn act(daemon: &Daemon, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let bearer = format!("Bearer {}", daemon.token);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(headers);
    ask(daemon, "POST", path, &all, body)
}

/// The status of a public address.
pub(crate) fn status(daemon: &Daemon, path: &str) -> u16 {
    ask(daemon, "GET", path, &[], &Value::Null).status
}

/// One check of `/readyz`.
pub(crate) fn check(daemon: &Daemon, name: &str) -> Option<Value> {
    let reply = ask(daemon, "GET", "/readyz", &[], &Value::Null).json();
    reply["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == name)
        .cloned()
}

/// The sum of a metric over its labels.
pub(crate) fn metric(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.text("/metrics");
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let ours = rest.starts_with(' ') || rest.starts_with('{');
        ours.then(|| rest.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
    };
    text.lines().filter_map(value).sum()
}

/// The open and closed tickets, by id.
pub(crate) fn tickets(daemon: &Daemon) -> Vec<Value> {
    let list = daemon.get("/api/v1/tickets?limit=500");
    assert!(list["next"].is_null());
    let mut items = list["items"].as_array().unwrap().clone();
    items.sort_by_key(|ticket| ticket["id"].to_string());
    items
}

/// Waits for a ticket of a device's fault.
pub(crate) fn wait_for_ticket(daemon: &Daemon, serial: &str, fault: &str) -> Value {
    wait_for("the ticket", SOON, || {
        tickets(daemon)
            .into_iter()
            .find(|ticket| ticket["serial"] == serial && ticket["fault"] == fault)
    })
}

/// The wall clock in ms.
#[expect(
    clippy::disallowed_methods,
    reason = "messages to a running daemon carry the time of today"
)]
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

pub(crate) fn topic(serial: &str, kind: &str) -> String {
    format!("appl/v1/ts-flash5/{serial}/{kind}")
}

/// A reading as payload.
pub(crate) fn tele(ts_ms: u64, seq: u64, signals: &Value) -> String {
    json!({"ts": seconds(ts_ms), "boot": 1, "seq": seq, "s": signals}).to_string()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this century fit"
)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Publishes these payloads of one device and waits for the broker's acknowledgements.
pub(crate) fn publish(port: u16, serial: &str, payloads: &[String]) {
    let mut publisher = Publisher::connect(port, &format!("test-{serial}"));
    for payload in payloads {
        publisher.publish(&topic(serial, "tele"), payload.as_bytes());
    }
    publisher.settle();
}

/// Readings of the outlet water, 100 ms apart and ending now.
pub(crate) fn readings(first_seq: u64, count: u64, degrees: f64) -> Vec<String> {
    let start = now_ms() - count * 100;
    (0..count)
        .map(|n| {
            tele(
                start + n * 100,
                first_seq + n,
                &json!({"water.out_c": degrees}),
            )
        })
        .collect()
}

/// How many points of the outlet water the series has of a device, today.
pub(crate) fn points(daemon: &Daemon, serial: &str) -> usize {
    let path = format!("/api/v1/series?device=ts-flash5/{serial}&signal=water.out_c&points=5000");
    let reply = ask(
        daemon,
        "GET",
        &path,
        &[("authorization", &format!("Bearer {}", daemon.token))],
        &Value::Null,
    );
    if reply.status == 200 {
        reply.json()["items"].as_array().unwrap().len()
    } else {
        0
    }
}

/// Lets this much time pass between two looks at something.
fn pass(time: Duration) {
    let (_sender, never) = sync_channel::<()>(1);
    assert!(never.recv_timeout(time).is_err());
}
