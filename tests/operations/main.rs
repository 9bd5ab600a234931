//! Foremend as whoever runs it meets it: metrics in a real Prometheus, dashboards against a real InfluxDB, the log, the service
//! manager, reloads, and a stop that comes too early.
//!
//! Every test has its own directory and ports chosen by the kernel, and ends its own children. Prometheus and promtool are found on
//! the path or in the folder that `tests/run.sh` fills.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/daemon.rs"]
mod process;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/influxd.rs"]
mod influxd;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/mosquitto.rs"]
mod mosquitto;

mod alerts;

mod boards;

mod logs;

mod manager;

mod prometheus;

mod queries;

mod reloads;

mod rig;

mod stops;
