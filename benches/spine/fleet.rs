//! Memory and start with a fleet of the shipped profile with the most faults: each device sent four washes within a day.

use std::time::Duration;

use crate::broker::Broker;
use crate::influxd::Influxd;
use crate::measure::{Stopwatch, memory, pause, quantile, seconds_now, spread};
use crate::moments::{EVERY, moments};
use crate::process::Daemon;
use crate::rig::{Flood, Rig, metric, wait_for_all};
use crate::say;

const WASHES: u32 = 4;
const STARTS: usize = 5;
/// Between two first messages: a daemon takes in a hundred strangers a second.
const FIRST_GAP: Duration = Duration::from_millis(12);

pub(crate) fn measure(influx: &Influxd, devices: u32) {
    let broker = Broker::start();
    let rig = Rig::new(&broker, influx, "device-profiles", "");
    let clock = Stopwatch::start();
    let daemon = rig.start();
    let first_start = clock.elapsed();
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    let daemon = rig.start_connected();
    let (empty, _) = memory(daemon.pid());
    let mut flood = Flood::connect(broker.port);
    let moments = moments(WASHES);
    let start = seconds_now() - f64::from(WASHES) * EVERY;
    for (number, (offset, signals)) in (0_u32..).zip(&moments) {
        for device in 0..devices {
            let at = start + offset + f64::from(device % 997) / 1e3;
            let payload = format!(r#"{{"ts":{at:.3},"seq":{},"s":{{{signals}}}}}"#, number + 1);
            flood.send(&format!("appl/v1/ts-flash5/F-{device:05}/tele"), &payload);
            if number == 0 {
                pause(FIRST_GAP);
            }
        }
        if number % 5 == 4 {
            flood.settle();
            wait_for_all(&daemon, (number - 4) * devices);
        }
    }
    flood.settle();
    let each = u32::try_from(moments.len()).expect("some hundreds");
    wait_for_all(&daemon, devices * each);
    let (busy, most) = memory(daemon.pid());
    let tickets = metric(&daemon.text("/metrics"), "foremend_tickets_opened_total");
    say(&format!(
        "fleet    {devices} devices, {each} messages each, {tickets} tickets: {busy:.0} MiB resident (at most {most:.0}), {empty:.0} MiB without devices: {:.0} KiB a device",
        (busy - empty) * 1024.0 / f64::from(devices)
    ));
    let clock = Stopwatch::start();
    assert!(daemon.stop().success(), "SIGTERM ends it well");
    say(&format!(
        "fleet    stop by SIGTERM {:.2} s",
        clock.elapsed().as_secs_f64()
    ));
    starts(&rig, devices, first_start);
}

fn starts(rig: &Rig, devices: u32, first: Duration) {
    let (mut taken, mut resident) = (Vec::new(), Vec::new());
    let mut last: Option<Daemon> = None;
    for _ in 0..STARTS {
        if let Some(daemon) = last.take() {
            assert!(daemon.stop().success(), "SIGTERM ends it well");
        }
        let clock = Stopwatch::start();
        let daemon = rig.start();
        taken.push(clock.elapsed().as_secs_f64());
        resident.push(memory(daemon.pid()).0);
        last = Some(daemon);
    }
    say(&format!(
        "fleet    start to ready, min / median / max of {STARTS}: {} s with {devices} devices, {:.2} s with an empty directory; then {:.0} MiB resident",
        spread(&taken, 2),
        first.as_secs_f64(),
        quantile(&resident, 0.5)
    ));
    let Some(running) = last else { return };
    running.kill();
    let clock = Stopwatch::start();
    let again = rig.start();
    say(&format!(
        "fleet    start to ready after SIGKILL {:.2} s",
        clock.elapsed().as_secs_f64()
    ));
    assert!(again.stop().success(), "SIGTERM ends it well");
}
