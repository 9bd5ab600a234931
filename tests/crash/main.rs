//! The crash loop: the real binary, a load, real neighbours, and SIGKILL at moments chosen by chance; then everything that was
//! promised is looked up.
//!
//! The normal run kills the daemon 30 times, InfluxDB 3 times and Mosquitto 3 times. `FOREMEND_TEST_KILLS=1000` kills the daemon
//! so often (and a neighbour once for ten kills of its run) and lets it live long enough at times to save its state by itself; about an
//! hour. `FOREMEND_TEST_SEED` repeats the plan of a run; each test prints its own.
//!
//! What a kill proves: nothing that was told to anyone is only in the process. What it cannot show is a missing fsync, for the
//! operating system keeps what a killed process has written.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/daemon.rs"]
mod process;

#[path = "../support/influxd.rs"]
mod influxd;

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/mosquitto.rs"]
mod mosquitto;

mod appliances;

mod bell;

mod chance;

mod fleet;

mod lives;

mod neighbours;

mod place;

mod points;

mod proof;

mod publisher;

mod runs;

mod sameness;

mod technician;

mod witness;
