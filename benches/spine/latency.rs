//! From the device's send to the ticket at a client that follows the API's events, one device after the other at low load.
//!
//! In between: the broker, the journal's fsync, detection, the store's commit with its fsync, and the event's way out.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::broker::Broker;
use crate::influxd::Influxd;
use crate::measure::{Stopwatch, pause, quantile};
use crate::publisher::Publisher;
use crate::rig::{Rig, wait_for_all};
use crate::{events, say};

const DEVICES: u32 = 200;
const HEALTHY: &[u8] = br#"{"s":{"leakage.current_max_ma":0.1}}"#;
const FAULTY: &[u8] = br#"{"s":{"leakage.current_max_ma":45.0}}"#;
/// How long one ticket may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Between a ticket and the next fault, and a little more for each device, so that no rhythm of ours meets one of the daemon's.
const GAP: Duration = Duration::from_millis(31);
/// Between two first messages: a daemon takes in a hundred strangers a second.
const FIRST_GAP: Duration = Duration::from_millis(15);

pub(crate) fn measure(influx: &Influxd) {
    let broker = Broker::start();
    let rig = Rig::new(&broker, influx, "benches/spine", "");
    let daemon = rig.start_connected();
    let clock = Stopwatch::start();
    let events = events::follow(&daemon, clock);
    let mut publisher = Publisher::connect(broker.port, "bench-publisher");
    // Twice, so that the one bad reading to come moves no median.
    for device in (0..DEVICES).chain(0..DEVICES) {
        publisher.publish(&topic(device), HEALTHY);
        publisher.settle();
        pause(FIRST_GAP);
    }
    wait_for_all(&daemon, 2 * DEVICES);
    let mut taken = Vec::new();
    for device in 0..DEVICES {
        pause(GAP + Duration::from_micros(u64::from(device) * 137));
        let said = clock.elapsed();
        publisher.publish(&topic(device), FAULTY);
        let name = format!("twenty/L-{device:03}");
        // Nobody else opens tickets here, and each device one; an older event would be of another device.
        let event = events.recv_timeout(LIMIT).expect("a ticket in time");
        taken.push(event.at.saturating_sub(said).as_secs_f64() * 1e3);
        assert!(
            event.data.contains(&name),
            "{name} is not in {}",
            event.data
        );
        publisher.settle();
    }
    say(&format!(
        "latency  event to ticket, {DEVICES} tickets: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        quantile(&taken, 0.5),
        quantile(&taken, 0.9),
        quantile(&taken, 0.99),
        quantile(&taken, 1.0),
    ));
    let syncs = fsyncs(&rig.data());
    say(&format!(
        "latency  one write of 300 bytes and fdatasync on that disk alone: p50 {:.1} ms, p99 {:.1} ms",
        quantile(&syncs, 0.5),
        quantile(&syncs, 0.99),
    ));
    assert!(daemon.stop().success(), "SIGTERM ends it well");
}

fn topic(device: u32) -> String {
    format!("appl/v1/twenty/L-{device:03}/tele")
}

/// What a small durable write takes here, in ms.
fn fsyncs(dir: &Path) -> Vec<f64> {
    let mut file = std::fs::File::create(dir.join("fsync-probe")).expect("a file");
    (0..DEVICES)
        .map(|_| {
            let clock = Stopwatch::start();
            file.write_all(&[7; 300])
                .and_then(|()| file.sync_data())
                .expect("written");
            clock.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}
