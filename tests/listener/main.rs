//! The built-in listener of the real binary, met by clients that are not ours: mosquitto's, paho, mqtt.js, rumqttc; and the
//! commands that keep its users. Each client sees its messages in the journal in its order, its acknowledgements, the refusal of a
//! wrong password, and that of a topic outside its rights.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../support/daemon.rs"]
mod process;

mod rig;

mod commands;

mod mosquitto;

mod node;

mod paho;

mod rust;

mod users;
