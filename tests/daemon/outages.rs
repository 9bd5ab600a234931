//! InfluxDB away, and InfluxDB that refuses the token: tickets open at once, and no point is lost.

use std::fs;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::influxd::Influxd;
use crate::influxd::TOKEN;
use crate::mosquitto::Mosquitto;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::check;
use crate::rig::metric;
use crate::rig::points;
use crate::rig::publish;
use crate::rig::readings;
use crate::rig::status;
use crate::rig::wait_for_ticket;

const SERIAL: &str = "TSF5-1";

fn rig(broker: &Mosquitto, influx: &Influxd, token: &str) -> Rig {
    let influxdb = format!(
        "[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
        influx.url
    );
    let rig = Rig::on(broker, &influxdb);
    fs::write(rig.dir().join("influx-token"), token).unwrap();
    rig
}

/// The writer asks a store that is away again after up to a minute; a slow machine may miss one such moment, and the next.
const BACK_AGAIN: Duration = Duration::from_mins(4);

fn wait_for_points(daemon: &Daemon, count: usize) {
    wait_for("every point", BACK_AGAIN, || {
        (points(daemon, SERIAL) == count).then_some(())
    });
}

/// Waits until readiness and metrics tell that the series are behind.
fn wait_for_trouble(daemon: &Daemon) -> String {
    let detail = wait_for("the trouble", SOON, || {
        let check = check(daemon, "series")?;
        (metric(daemon, "foremend_journal_lag_messages{consumer=\"series\"}") > 0)
            .then(|| check["detail"].to_string())
    });
    assert_eq!(
        status(daemon, "/readyz"),
        200,
        "tickets do not wait for the series"
    );
    detail
}

#[test]
fn influxdb_away_delays_no_ticket_and_loses_no_point() {
    let runtime = Runtime::new().unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let broker = Mosquitto::start("");
    let mut influx = runtime.block_on(Influxd::start());
    let rig = rig(&broker, &influx, TOKEN);
    let daemon = rig.start_connected();
    publish(broker.port(), SERIAL, &readings(1, 20, 37.5));
    wait_for_points(&daemon, 20);

    influx.stop();
    publish(broker.port(), SERIAL, &readings(21, 20, 49.2));
    let ticket = wait_for_ticket(&daemon, SERIAL, "water_over_temp");
    assert_eq!(ticket["severity"], "S1");
    wait_for_trouble(&daemon);
    daemon.kill();
    let daemon = rig.start_connected();
    publish(broker.port(), SERIAL, &readings(41, 20, 37.5));
    wait_for_trouble(&daemon);
    assert!(daemon.stop().success(), "an outage holds up no stop");
    let daemon = rig.start_connected();

    runtime.block_on(influx.start_again());
    wait_for_points(&daemon, 60);
    wait_for("the all-clear", SOON, || {
        check(&daemon, "series").is_none().then_some(())
    });
    wait_for("no lag", SOON, || {
        (metric(
            &daemon,
            "foremend_journal_lag_messages{consumer=\"series\"}",
        ) == 0)
            .then_some(())
    });
    assert!(daemon.stop().success());
}

#[test]
fn a_wrong_token_is_told_and_the_points_come_with_the_right_one() {
    let runtime = Runtime::new().unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let broker = Mosquitto::start("");
    let influx = runtime.block_on(Influxd::start());
    let rig = rig(&broker, &influx, "a-token-of-nobody");
    let daemon = rig.start_connected();
    publish(broker.port(), SERIAL, &readings(1, 20, 49.2));
    wait_for_ticket(&daemon, SERIAL, "water_over_temp");
    let detail = wait_for_trouble(&daemon);
    assert!(
        detail.contains("token"),
        "it says what a person must change: {detail}"
    );
    assert!(daemon.stop().success());
    fs::write(rig.dir().join("influx-token"), TOKEN).unwrap();
    let daemon = rig.start_connected();
    wait_for_points(&daemon, 20);
    assert!(daemon.stop().success());
}
