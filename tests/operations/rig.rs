//! What the tests of operations share: settings, a publisher of a few lines, numbers of `/metrics`, signals, a daemon that is told of
//! a service manager.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde_json::json;

use crate::process::Daemon;

/// How long anything may take that happens by itself, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Settings with the shipped profiles.
pub(crate) fn settings(more: &str) -> String {
    let profiles = root().join("device-profiles");
    format!("[profiles]\ndir = \"{}\"\n{more}\n", profiles.display())
}

#[expect(clippy::disallowed_methods, reason = "a device's own clock")]
pub(crate) fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// Publishes with QoS 1 through a stock client; whether it was let in and acknowledged.
pub(crate) fn publish(
    daemon: &Daemon,
    login: Option<(&str, &str)>,
    topic: &str,
    payload: &str,
) -> bool {
    let (host, port) = daemon
        .mqtt
        .as_deref()
        .and_then(|address| address.split_once(':'))
        .unwrap();
    let mut command = Command::new("timeout");
    command.args(["20", "mosquitto_pub", "-V", "5", "-h", host, "-p", port]);
    if let Some((user, password)) = login {
        command.args(["-u", user, "-P", password]);
    }
    command.args(["-q", "1", "-t", topic, "-m", payload]);
    command
        .output()
        .expect("mosquitto_pub is installed; tests/run.sh does that")
        .status
        .success()
}

/// One record of a toilet that is too hot, at this time.
fn hot(ts: f64, second: u32) -> String {
    let signals = json!({
        "function": "wash", "water.out_c": 48.5 + f64::from(second), "water.set_c": 38.0, "water.in_c": 17.5,
        "water.flow_lpm": 0.52, "heater.cmd_w": 1400, "heater.power_w": 1390.5,
    });
    json!({"ts": ts, "s": signals}).to_string()
}

/// Lets a toilet overheat, which opens a ticket.
pub(crate) fn overheat(daemon: &Daemon, serial: &str) {
    let topic = format!("appl/v1/ts-flash5/{serial}/tele");
    let start = seconds_now() - 5.0;
    for second in 1..=5_u32 {
        assert!(publish(
            daemon,
            None,
            &topic,
            &hot(start + f64::from(second), second)
        ));
    }
}

/// The value of one line of `/metrics`, by name and labels as they stand there.
pub(crate) fn metric(daemon: &Daemon, line: &str) -> Option<f64> {
    let text = daemon.text("/metrics");
    let rest = text.lines().find_map(|found| found.strip_prefix(line))?;
    rest.trim().parse().ok()
}

/// Sends a signal by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "{name} could not be sent");
}

/// A copy of the shipped profiles that a test may change.
pub(crate) fn copied_profiles(dir: &Path) -> PathBuf {
    let to = dir.join("profiles");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("device-profiles"))
        .arg(&to)
        .status();
    assert!(copied.unwrap().success());
    to
}

/// `foremend run` as a service manager starts it.
pub(crate) struct Service {
    pub(crate) child: Child,
    dir: PathBuf,
}

impl Service {
    /// Starts it in `dir` with these settings and variables besides.
    pub(crate) fn start(dir: &Path, settings: &str, variables: &[(&str, &str)]) -> Self {
        let config = dir.join("service.toml");
        let whole = format!(
            "[data]\ndir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[listener]\nlisten = \"127.0.0.1:0\"\n{settings}"
        );
        std::fs::write(&config, whole).unwrap();
        let log = std::fs::File::create(dir.join("service.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["run", "--config"])
            .arg(&config)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            child,
            dir: dir.to_owned(),
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("service.log")).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
