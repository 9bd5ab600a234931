//! The broker client against a real mosquitto, and against a broker of our own for what mosquitto cannot be made to do.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/mosquitto.rs"]
mod mosquitto;

mod bench;

mod fake;

mod listener_bench;

mod odd;

mod real;

mod secure;

mod table;
