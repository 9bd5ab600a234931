//! Telegraf with the same task and nothing else: MQTT with QoS 1 and a persistent session, JSON, to InfluxDB v2; no rules.
//!
//! Its settings are its defaults but for two: as many unacknowledged messages as Foremend asks for (2,000 in place of 1,000), and a
//! write at least every second (ten). It acknowledges what InfluxDB has taken. The counter is left out, so that both write five
//! fields. `FOREMEND_BENCH_TELEGRAF` names the binary.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::broker::Broker;
use crate::influxd::{self, Influxd};
use crate::measure::{Cpu, Stopwatch, memory, pause};
use crate::process::wait_for;
use crate::{runtime, stored};

/// Where it writes to.
pub(crate) const BUCKET: &str = "telegraf";
/// How long it may take to connect, and to end.
const START: Duration = Duration::from_secs(30);
/// After the connection the subscription follows; that nobody tells.
const SUBSCRIBES: Duration = Duration::from_secs(1);
/// How long it may take for one queue.
const LIMIT: Duration = Duration::from_mins(5);
/// Between two looks into InfluxDB, whose own work shares the cores.
const LOOK: Duration = Duration::from_millis(500);
/// The variable with the path of the binary.
const VARIABLE: &str = "FOREMEND_BENCH_TELEGRAF";

/// Its settings, in a directory of their own.
pub(crate) struct Telegraf {
    dir: tempfile::TempDir,
    binary: PathBuf,
}

/// What a queue cost it.
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// The most memory it ever had resident, MiB.
    pub(crate) memory: f64,
}

struct Running(Child);

impl Telegraf {
    pub(crate) fn new(broker: &Broker, influx: &Influxd) -> Self {
        let binary = std::env::var_os(VARIABLE).map(PathBuf::from);
        let binary = binary.filter(|path| path.is_file()).unwrap_or_else(|| {
            panic!(
                "{VARIABLE} names no telegraf; build one with Go and name it:\n  GOBIN=$HOME/.cache/foremend go install -tags \
                 'custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json' github.com/influxdata/telegraf/cmd/telegraf@v1.37.2\n  \
                 {VARIABLE}=$HOME/.cache/foremend/telegraf cargo bench --bench spine -- telegraf"
            )
        });
        runtime()
            .block_on(influx.store(BUCKET).ensure_bucket())
            .expect("a bucket of its own");
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(
            dir.path().join("telegraf.conf"),
            settings(broker, influx, &dir),
        )
        .expect("written");
        Self { dir, binary }
    }

    /// Makes its session at the broker; what that costs.
    pub(crate) fn connect_once(&self) -> Duration {
        let running = self.start();
        pause(SUBSCRIBES);
        let cpu = Cpu::of(running.0.id()).since(Cpu::default());
        running.stop();
        cpu
    }

    /// Works off the queue: everything of these devices is in InfluxDB then.
    pub(crate) fn take(&self, influx: &Influxd, prefix: &str, messages: u32) -> Cost {
        let clock = Stopwatch::start();
        let running = self.start();
        loop {
            let values = stored::values(influx, BUCKET, prefix);
            if stored::all(&values, messages) {
                break;
            }
            let found = stored::text(&values);
            assert!(
                clock.elapsed() < LIMIT,
                "Telegraf wrote in {LIMIT:?}: {found}"
            );
            pause(LOOK);
        }
        let cost = Cost {
            cpu: Cpu::of(running.0.id()).since(Cpu::default()),
            wall: clock.elapsed(),
            memory: memory(running.0.id()).1,
        };
        running.stop();
        cost
    }

    fn start(&self) -> Running {
        let log = self.dir.path().join("log");
        drop(std::fs::remove_file(&log));
        let running = Running(
            Command::new(&self.binary)
                .arg("--config")
                .arg(self.dir.path().join("telegraf.conf"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("telegraf starts"),
        );
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_for("telegraf's connection", START, || {
            let said = said();
            assert!(!said.contains(" E! "), "{said}");
            said.contains("Connected [tcp://").then_some(())
        });
        running
    }
}

impl Running {
    /// SIGTERM, so that it ends as on any day.
    fn stop(mut self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM");
        wait_for("telegraf's end", START, || self.0.try_wait().ok().flatten());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn settings(broker: &Broker, influx: &Influxd, dir: &tempfile::TempDir) -> String {
    format!(
        r#"
[agent]
  omit_hostname = true
  flush_interval = "1s"
  logfile = "{log}"

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["appl/v1/#"]
  qos = 1
  persistent_session = true
  client_id = "bench-telegraf"
  max_undelivered_messages = 2000
  topic_tag = ""
  name_override = "telemetry"
  data_format = "json"
  json_time_key = "ts"
  json_time_format = "unix"
  fielddrop = ["seq"]
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "appl/v1/+/+/tele"
    tags = "_/_/model/serial/_"

[[outputs.influxdb_v2]]
  urls = ["{url}"]
  organization = "home"
  bucket = "{BUCKET}"
  token = "{token}"
"#,
        log = dir.path().join("log").display(),
        port = broker.port,
        url = influx.url,
        token = influxd::TOKEN,
    )
}
