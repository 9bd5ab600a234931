//! The series stores: one contract over the embedded store and over a real InfluxDB, and the writer against a server that
//! misbehaves in every way the reference names.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "support/influxd.rs"]
mod influxd;

#[path = "support/fake_influx.rs"]
mod fake_influx;

#[path = "series/contract.rs"]
mod contract;

#[path = "series/given.rs"]
mod given;

#[path = "series/keeping.rs"]
mod keeping;

#[path = "series/killed.rs"]
mod killed;

#[path = "series/over_time.rs"]
mod over_time;

#[path = "series/mishaps.rs"]
mod mishaps;

/// The daemon's `main` does this in its first line.
fn install_tls() {
    // An error only says that another test was first.
    drop(rustls::crypto::ring::default_provider().install_default());
}
