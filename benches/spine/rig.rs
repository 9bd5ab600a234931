//! A directory with settings for a daemon between a broker and InfluxDB, and what is asked about it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::broker::Broker;
use crate::influxd::{self, Influxd};
use crate::measure::{Stopwatch, pause, seconds_now};
use crate::process::{Daemon, http, wait_for};
use crate::publisher::Publisher;
use crate::voice;

/// How long anything may take that happens by itself.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);
/// Between two first messages: a daemon takes in a hundred strangers a second.
pub(crate) const FIRST_GAP: Duration = Duration::from_millis(12);
/// Messages under way to the broker at once.
const UNDER_WAY: usize = 500;

pub(crate) struct Rig {
    dir: tempfile::TempDir,
    settings: String,
}

/// How messages come in.
pub(crate) enum Door<'a> {
    Brokers(&'a [Broker]),
    Listener,
}

impl Rig {
    /// A daemon's directory with profiles in `profiles` (below the project), one broker and InfluxDB.
    pub(crate) fn new(broker: &Broker, influx: &Influxd, profiles: &str, more: &str) -> Self {
        let door = Door::Brokers(std::slice::from_ref(broker));
        Self::with(&door, Some(influx), profiles, more)
    }

    /// The same with another door; without InfluxDB the series are embedded.
    pub(crate) fn with(door: &Door, influx: Option<&Influxd>, profiles: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("influx-token"), influxd::TOKEN).expect("written");
        let door = match door {
            Door::Listener => "[listener]\nlisten = \"127.0.0.1:0\"\n".to_owned(),
            Door::Brokers(brokers) => brokers
                .iter()
                .enumerate()
                .map(|(nth, broker)| {
                    let url = broker.url();
                    format!("[[broker]]\nname = \"bench-{nth}\"\nurl = \"{url}\"\n")
                })
                .collect::<Vec<_>>()
                .concat(),
        };
        let series = influx.map_or_else(String::new, |influx| {
            format!(
                "[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
                influx.url
            )
        });
        let profiles = format!(
            "[profiles]\ndir = \"{}/{profiles}\"\n",
            env!("CARGO_MANIFEST_DIR")
        );
        Self {
            dir,
            settings: format!("{door}{profiles}{series}{more}"),
        }
    }

    /// Starts, and waits until it is ready; a large state takes longer than any test's.
    pub(crate) fn start(&self) -> Daemon {
        let command = Command::new(env!("CARGO_BIN_EXE_foremend"));
        match Daemon::try_start_within(self.dir.path(), &self.settings, command, LIMIT) {
            Ok(daemon) => daemon,
            Err(said) => panic!("foremend did not start: {said}"),
        }
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

/// Records that a consumer of the journal is behind, as the daemon told it within the last second.
pub(crate) fn behind(metrics: &str, consumer: &str) -> f64 {
    let name = format!("foremend_journal_lag_messages{{consumer=\"{consumer}\"");
    metric(metrics, &name)
}

/// Where devices connect: the listener of a daemon that has one.
pub(crate) fn listener_of(daemon: &Daemon) -> SocketAddr {
    let address = daemon.mqtt.as_deref().expect("a daemon with a listener");
    address.parse().expect("an address")
}

/// Lets every device of [`voice::topic`] speak once, no faster than a daemon takes in strangers.
pub(crate) fn introduce(daemon: &Daemon, port: u16, prefix: &str, devices: u32) {
    let mut flood = Flood::connect(port);
    let start = Stopwatch::start();
    for device in 0..devices {
        let payload = voice::payload(seconds_now(), 100_000, 0, device);
        flood.send(&voice::topic(prefix, device), &payload);
        pause((FIRST_GAP * (device + 1)).saturating_sub(start.elapsed()));
    }
    flood.settle();
    wait_for_all(daemon, devices);
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
