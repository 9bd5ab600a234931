//! How long the embedded store keeps the series, as the settings say.

use serde_json::json;

use crate::mosquitto::Mosquitto;
use crate::process::wait_for;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::metric;
use crate::rig::now_ms;
use crate::rig::points;
use crate::rig::publish;
use crate::rig::tele;

const SERIAL: &str = "TSF5-MADEUP-09";
const REFUSED: &str = "foremend_series_points_refused_total{reason=\"outside_retention\"}";

#[test]
fn what_is_older_than_the_retention_is_refused_and_counted() {
    let broker = Mosquitto::start("");
    let rig = Rig::on(&broker, "[series]\nretention = \"2 d\"\n");
    let daemon = rig.start_connected();
    let hour = 3_600_000;
    let mut seq = 0;
    let mut said = |hours_ago: u64| {
        seq += 1;
        let at = now_ms() - hours_ago * hour;
        publish(
            broker.port(),
            SERIAL,
            &[tele(at, seq, &json!({"water.out_c": 37.5}))],
        );
    };
    // The border is set a moment after the start; what comes before that is taken.
    wait_for("a refused point", SOON, || {
        said(72);
        (metric(&daemon, REFUSED) > 0).then_some(())
    });
    said(1);
    wait_for("the newer point", SOON, || {
        (points(&daemon, SERIAL) == 1).then_some(())
    });
    assert!(daemon.stop().success());
}
