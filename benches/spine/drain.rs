//! What a message costs a program that only takes and acknowledges it: rumqttc over MQTT 5 with manual acknowledgements on one
//! thread. It is what Foremend stands on, so the difference is what Foremend does.
//!
//! It runs in a process of its own (this program again, with [`CHILD`]), with the session settings that the daemon uses.

use std::process::{Command, Stdio};
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

use crate::measure::{Cpu, Stopwatch};
use crate::{number, say};

/// The word that makes this program a drain.
pub(crate) const CHILD: &str = "drain-child";
/// How long one drain may take.
const LIMIT: Duration = Duration::from_mins(10);

/// What a drain cost.
pub(crate) struct Drained {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// Drains `count` messages in a child process; with 0 it only makes the session.
pub(crate) fn in_a_child(port: u16, count: u32) -> Drained {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([CHILD, &port.to_string(), &count.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program starts once more");
    assert!(output.status.success(), "the bare drain failed");
    let text = String::from_utf8(output.stdout).expect("text");
    let (cpu, wall) = text.trim().split_once(' ').expect("two numbers");
    Drained {
        cpu: Duration::from_micros(number(cpu)),
        wall: Duration::from_micros(number(wall)),
    }
}

/// The child: connects, takes `count` messages and acknowledges each; prints CPU and wall time in microseconds.
pub(crate) fn run(port: u16, count: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let drained = runtime
        .block_on(async { tokio::time::timeout(LIMIT, drain(port, count)).await })
        .expect("a drain takes minutes at most");
    say(&format!(
        "{} {}",
        drained.cpu.as_micros(),
        drained.wall.as_micros()
    ));
}

async fn drain(port: u16, count: u32) -> Drained {
    let mut options = MqttOptions::new("bare-drain", "127.0.0.1", port);
    options
        .set_clean_start(false)
        .set_manual_acks(true)
        .set_session_expiry_interval(Some(604_800))
        .set_receive_maximum(Some(2_000))
        .set_outgoing_inflight_upper_limit(100);
    let (client, mut connection) = AsyncClient::new(options, 65_535);
    let (mut taken, mut acked) = (0, 0);
    let mut clock = Stopwatch::start();
    let mut idle = Cpu::of_this();
    let mut subscribed = false;
    while acked < count || !subscribed {
        match connection.poll().await.expect("the connection holds") {
            Event::Incoming(Packet::ConnAck(_)) => {
                clock = Stopwatch::start();
                idle = Cpu::of_this();
                client
                    .try_subscribe("appl/v1/#", QoS::AtLeastOnce)
                    .expect("room");
            }
            Event::Incoming(Packet::SubAck(_)) => subscribed = true,
            Event::Incoming(Packet::Publish(publish)) => {
                taken += 1;
                client.try_ack(&publish).expect("room");
            }
            Event::Outgoing(Outgoing::PubAck(_)) => acked += 1,
            _ => {}
        }
    }
    assert_eq!(taken, acked, "every message is acknowledged");
    let drained = Drained {
        cpu: Cpu::of_this().since(idle),
        wall: clock.elapsed(),
    };
    leave(&client, &mut connection).await;
    drained
}

async fn leave(client: &AsyncClient, connection: &mut EventLoop) {
    client.try_disconnect().expect("room");
    while connection.poll().await.is_ok() {}
}
