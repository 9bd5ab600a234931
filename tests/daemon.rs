//! The daemon as a whole: the real binary with a real broker and a real InfluxDB, starved, misconfigured, restarted, stopped.
//!
//! Every test has its own directory, ports chosen by the kernel, and ends its own children. Kills at moments chosen by chance are
//! in `tests/crash`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/daemon.rs"]
mod process;

#[path = "support/influxd.rs"]
mod influxd;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/fake_influx.rs"]
mod fake_influx;

#[path = "daemon/rig.rs"]
mod rig;

#[path = "daemon/publisher.rs"]
mod publisher;

#[path = "daemon/refusals.rs"]
mod refusals;

#[path = "daemon/outages.rs"]
mod outages;

#[path = "daemon/backlog.rs"]
mod backlog;

#[path = "daemon/full_disk.rs"]
mod full_disk;

#[path = "daemon/salvage.rs"]
mod salvage;

#[path = "daemon/retention.rs"]
mod retention;

#[path = "daemon/brokers.rs"]
mod brokers;

#[path = "daemon/open_devices.rs"]
mod open_devices;

#[path = "daemon/people.rs"]
mod people;
