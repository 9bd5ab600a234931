//! A directory with settings for a daemon between a broker and InfluxDB, and what is asked about it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::broker::Broker;
use crate::influxd::{self, Influxd};
use crate::process::{Daemon, http, wait_for};
use crate::publisher::Publisher;

/// How long anything may take that happens by itself.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);
/// Messages under way to the broker at once.
const UNDER_WAY: usize = 500;

pub(crate) struct Rig {
    dir: tempfile::TempDir,
    settings: String,
}

impl Rig {
    /// A daemon's directory with profiles in `profiles` (below the project).
    pub(crate) fn new(broker: &Broker, influx: &Influxd, profiles: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("influx-token"), influxd::TOKEN).expect("written");
        let settings = format!(
            "[[broker]]\nname = \"bench\"\nurl = \"{}\"\n[profiles]\ndir = \"{}/{profiles}\"\n\
             [influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n{more}",
            broker.url(),
            env!("CARGO_MANIFEST_DIR"),
            influx.url
        );
        Self { dir, settings }
    }

    pub(crate) fn start(&self) -> Daemon {
        Daemon::start(self.dir.path(), &self.settings)
    }

    /// Starts, and waits until the daemon has its session at the broker.
    pub(crate) fn start_connected(&self) -> Daemon {
        let daemon = self.start();
        wait_for("the broker connection", LIMIT, || {
            let (status, _) = http("GET", &format!("{}/readyz", daemon.url), "", None);
            (status == 200).then_some(())
        });
        daemon
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What `foremend journal WORD` says of this directory.
    pub(crate) fn journal(&self, word: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_foremend"))
            .args(["journal", word, "--data"])
            .arg(self.data())
            .output()
            .expect("the binary starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Waits until a daemon has understood this many messages since its start and their points are in the series store.
pub(crate) fn wait_for_all(daemon: &Daemon, messages: u32) {
    wait_for("every message and its point", LIMIT, || {
        let metrics = daemon.text("/metrics");
        let done = metric(&metrics, "foremend_messages_decoded_total") >= f64::from(messages)
            && metric(&metrics, "foremend_series_points_written_total") >= f64::from(messages);
        let lost = metric(&metrics, "foremend_messages_rejected_total");
        assert!(lost <= 0.0, "{lost} messages were rejected:\n{metrics}");
        done.then_some(())
    });
}

/// A number of `/metrics`; 0 where it is not told yet.
pub(crate) fn metric(metrics: &str, name: &str) -> f64 {
    metrics
        .lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .fold(0.0, |all, one| all + one)
}

/// Publishes with QoS 1 as fast as the broker takes it.
pub(crate) struct Flood {
    publisher: Publisher,
    waiting: usize,
}

impl Flood {
    pub(crate) fn connect(port: u16) -> Self {
        Self {
            publisher: Publisher::connect(port, "bench-publisher"),
            waiting: 0,
        }
    }

    pub(crate) fn send(&mut self, topic: &str, payload: &str) {
        self.publisher.publish(topic, payload.as_bytes());
        self.waiting += 1;
        if self.waiting == UNDER_WAY {
            self.settle();
        }
    }

    pub(crate) fn settle(&mut self) {
        self.publisher.settle();
        self.waiting = 0;
    }
}
