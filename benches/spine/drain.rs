//! What a message costs a program that only takes and acknowledges it: rumqttc over MQTT 5 with manual acknowledgements on one
//! thread. It is what Foremend stands on, so the difference is what Foremend does.
//!
//! It runs in a process of its own (this program again, with [`CHILD`]), with the session settings that the daemon uses.

use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

use crate::measure::{Stopwatch, this_thread};
use crate::{number, say};

/// The word that makes this program a drain.
pub(crate) const CHILD: &str = "drain-child";
/// How long one drain may take.
const LIMIT: Duration = Duration::from_mins(10);

/// What a drain cost.
pub(crate) struct Drained {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// The most that had been received and not yet acknowledged: what the broker makes of a receive maximum of 2,000.
    pub(crate) unacknowledged: u32,
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
    let mut numbers = text.split_whitespace();
    let mut next = || number(numbers.next().expect("three numbers"));
    Drained {
        cpu: Duration::from_micros(next()),
        wall: Duration::from_micros(next()),
        unacknowledged: u32::try_from(next()).expect("a count"),
    }
}

/// The child: connects, takes `count` messages and acknowledges each; prints CPU and wall time in microseconds, and the third number.
pub(crate) fn run(port: u16, count: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let drained = runtime
        .block_on(async { tokio::time::timeout(LIMIT, drain(port, count)).await })
        .expect("a drain takes minutes at most");
    say(&format!(
        "{} {} {}",
        drained.cpu.as_micros(),
        drained.wall.as_micros(),
        drained.unacknowledged
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
    let (mut taken, mut acked, mut waiting) = (0, 0, 0);
    // Acknowledgements that found no room.
    let mut unsaid = VecDeque::new();
    let mut clock = Stopwatch::start();
    let mut idle = this_thread();
    let mut subscribed = false;
    while acked < count || !subscribed {
        match connection.poll().await.expect("the connection holds") {
            Event::Incoming(Packet::ConnAck(_)) => {
                clock = Stopwatch::start();
                idle = this_thread();
                client
                    .try_subscribe("appl/v1/#", QoS::AtLeastOnce)
                    .expect("room");
            }
            Event::Incoming(Packet::SubAck(_)) => subscribed = true,
            Event::Incoming(Packet::Publish(publish)) => {
                taken += 1;
                waiting = waiting.max(taken - acked);
                unsaid.push_back(publish);
            }
            Event::Outgoing(Outgoing::PubAck(_)) => acked += 1,
            _ => {}
        }
        // Full while the broker sends without regard to the receive maximum; then there is room again with the next that is written.
        while let Some(publish) = unsaid.front()
            && client.try_ack(publish).is_ok()
        {
            unsaid.pop_front();
        }
    }
    assert_eq!(taken, acked, "every message is acknowledged");
    let drained = Drained {
        cpu: this_thread().saturating_sub(idle),
        wall: clock.elapsed(),
        unacknowledged: waiting,
    };
    leave(&client, &mut connection).await;
    drained
}

async fn leave(client: &AsyncClient, connection: &mut EventLoop) {
    client.try_disconnect().expect("room");
    while connection.poll().await.is_ok() {}
}
