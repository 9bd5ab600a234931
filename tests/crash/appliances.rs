//! What the made-up appliances say, round by round: ordinary life, beginning failures, and everything odd that devices do.
//!
//! Every payload is said once, so that it can be found again in the journal; where one is repeated on purpose, that is its point.

use serde_json::Value;
use serde_json::json;

use crate::publisher::Said;

/// Rounds from one wash to the next.
pub(crate) const CYCLE: u64 = 250;
/// Rounds that a wash takes.
const WASH: u64 = 200;
/// Rounds in which the water gets warm.
const WARM_UP: u64 = 36;
/// What the strange appliance calls paths that no profile knows: more than the series take of one device.
const UNKNOWN_PATHS: u64 = 80;

fn said(serial: &str, kind: &str, qos: u8, payload: impl Into<Vec<u8>>) -> Said {
    Said {
        topic: format!("appl/v1/ts-flash5/{serial}/{kind}"),
        payload: payload.into(),
        qos,
        retain: false,
        acknowledged: false,
    }
}

/// Milliseconds as the convention writes times.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this century fit"
)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn tele(at: u64, seq: u64, signals: &Value) -> String {
    json!({"ts": seconds(at), "boot": 1, "seq": seq, "s": signals}).to_string()
}

fn event(at: u64, seq: u64, name: &str, data: &Value) -> String {
    json!({"ts": seconds(at), "boot": 1, "seq": seq, "e": name, "d": data}).to_string()
}

/// Appliances in a bathroom, each with its own trouble: they wash, dry and rest, a reading each a round.
pub(crate) fn bathroom(round: u64, at: u64) -> Vec<Said> {
    (0..6)
        .flat_map(|device: u64| {
            let serial = format!("TSF5-WASH-{device}");
            let phase = (round + 41 * device) % CYCLE;
            let seq = 2 * round;
            let mut all = vec![said(
                &serial,
                "tele",
                1,
                tele(at, seq, &readings(device, round, phase)),
            )];
            if let Some((name, data)) = happening(device, phase) {
                all.push(said(&serial, "event", 1, event(at, seq + 1, name, &data)));
            }
            all
        })
        .collect()
}

fn readings(device: u64, round: u64, phase: u64) -> Value {
    let washing = phase < WASH;
    let warm = 20.0 + 0.5 * f64::from(u32::try_from(phase.min(WARM_UP)).expect("small"));
    let mut signals = json!({
        "function": if washing { "wash" } else { "idle" },
        "water.out_c": if washing { warm } else { 22.5 },
        "water.in_c": 18.0, "water.set_c": 38.0, "water.level": 3,
        "water.flow_lpm": if washing { 0.52 } else { 0.0 },
        "heater.cmd_w": if washing { 1_400 } else { 0 },
        "heater.power_w": if washing { 1_380 } else { 0 },
        "seat.temp_c": 36.0,
    });
    match device {
        // Too hot for some seconds of each wash.
        1 if (60..80).contains(&phase) => signals["water.out_c"] = json!(49.2),
        2 if phase == 100 => signals["seat.temp_c"] = json!(56.0),
        // It dries after the wash, and its fan hardly turns.
        3 if phase >= WASH => {
            signals["function"] = json!("dry");
            signals["dryer.heater_w"] = json!(800);
            signals["dryer.fan_rpm"] = json!(500);
            signals["dryer.set_rpm"] = json!(4_000);
            signals["dryer.air_c"] = json!(60.5);
        }
        // The spray arm sticks twice and is well again: raised and cleared over and over.
        4 if round.is_multiple_of(10) => {
            let sticks = (round / 10) % 12 < 3;
            signals["nozzle.ext_s"] = json!(if sticks { 9.5 } else { 3.1 });
            signals["nozzle.ret_s"] = json!(3.4);
            signals["nozzle.retries"] = json!(0);
        }
        _ => {}
    }
    signals
}

fn happening(device: u64, phase: u64) -> Option<(&'static str, Value)> {
    match (device, phase) {
        (_, 0) => Some(("wash_start", json!({"level": 3, "set_c": 38}))),
        (_, WASH) => Some(("wash_stop", json!({"duration_s": 20, "litres": 0.17}))),
        (5, 30) => Some(("leak_sensor", json!({"wet": true}))),
        (5, 120) => Some(("leak_sensor", json!({"wet": false}))),
        _ => None,
    }
}

/// An appliance that never pauses: one message after the other. Every seventh reading is of the instant of the one before it and
/// says something else: then the later one is right.
pub(crate) fn eager(round: u64, at: u64) -> Vec<Said> {
    let serial = "TSF5-EAGER";
    let degrees = 30.0 + f64::from(u32::try_from(round % 100).expect("small")) / 10.0;
    let mut all = vec![said(
        serial,
        "tele",
        1,
        tele(at, 2 * round, &json!({"water.out_c": degrees})),
    )];
    if round.is_multiple_of(7) {
        let corrected = json!({"water.out_c": degrees + 0.05});
        all.push(said(serial, "tele", 1, tele(at, 2 * round + 1, &corrected)));
    }
    all
}

/// An appliance that says everything with QoS 2.
pub(crate) fn careful(round: u64, at: u64) -> Vec<Said> {
    let serial = "TSF5-CAREFUL";
    if round % 150 == 149 {
        return vec![said(
            serial,
            "event",
            2,
            event(at, round, "rcd_trip", &json!({})),
        )];
    }
    let signals = json!({"leak.ma": 0.1, "room.c": 21.5, "seat.temp_c": 35.0});
    vec![said(serial, "tele", 2, tele(at, round, &signals))]
}

/// Everything that is not as it should be, and all of it without harm to the others.
pub(crate) fn odd(round: u64, at: u64) -> Vec<Said> {
    let usual = json!({"water.out_c": 37.5, "room.c": 21.0});
    let seq = round;
    let mut all = vec![
        // Said twice by the appliance itself.
        said("TSF5-TWICE", "tele", 1, tele(at, seq, &usual)),
        said("TSF5-TWICE", "tele", 1, tele(at, seq, &usual)),
        said(
            "TSF5-STRANGE",
            "tele",
            1,
            tele(
                at,
                seq,
                &json!({format!("u.{}", round % UNKNOWN_PATHS): round, "fault": format!("E{}", round % 9)}),
            ),
        ),
        // Restarts every few rounds and counts anew.
        said(
            "TSF5-BOOTS",
            "tele",
            1,
            json!({"ts": seconds(at), "boot": 1 + round / 12, "seq": round % 12, "s": usual})
                .to_string(),
        ),
        // Five minutes behind, always; and three hours ahead.
        said(
            "TSF5-SLOW-CLOCK",
            "tele",
            1,
            tele(at - 300_000, seq, &usual),
        ),
        said(
            "TSF5-FAST-CLOCK",
            "tele",
            1,
            tele(at + 10_800_000, seq, &usual),
        ),
        said("TSF5-QOS0", "tele", 0, tele(at, seq, &usual)),
    ];
    all.extend(match round % 8 {
        0 => vec![said(
            "TSF5-BAD",
            "tele",
            1,
            format!("{{\"ts\":rubbish {round}"),
        )],
        1 => vec![said(
            "TSF5-BAD",
            "tele",
            1,
            [b"\xff\xfe\x00".as_slice(), &round.to_be_bytes()].concat(),
        )],
        2 => vec![said("TSF5-BAD", "nonsense", 1, tele(at, seq, &usual))],
        3 => vec![said("TSF5-BATCH", "batch", 1, batch(round, at))],
        4 => vec![Said {
            retain: true,
            ..said(
                "TSF5-KEPT",
                "state",
                1,
                json!({"online": true, "ts": seconds(at), "fw": "1.4.2", "boot": 1}).to_string(),
            )
        }],
        5 => vec![said("TSF5-KEPT", "ident", 1, identity("TSF5-KEPT", round))],
        6 => vec![said(
            "TSF5-BAD",
            "ident",
            1,
            identity("TSF5-ANOTHER", round),
        )],
        _ => vec![Said {
            topic: "appl/v1/nobodys-model/N-1/tele".into(),
            ..said("", "tele", 1, tele(at, seq, &usual))
        }],
    });
    all
}

fn identity(serial: &str, round: u64) -> String {
    json!({"serial": serial, "model": "ts-flash5", "hw": "B2", "fw": format!("1.4.{round}"), "region": "CN-GD"}).to_string()
}

/// What an appliance kept while it was away: an hour ago, in order, one record of it without a time.
fn batch(round: u64, at: u64) -> String {
    let record = |n: u64| json!({"ts": seconds(at - 3_600_000 + n * 1_000), "boot": 1, "seq": round * 10 + n, "s": {"water.out_c": 36.5, "seat.temp_c": 35.0}});
    let timeless = json!({"boot": 1, "seq": round * 10 + 9, "s": {"water.out_c": 36.5}});
    json!({"sent": seconds(at), "recs": [record(0), record(1), record(2), timeless]}).to_string()
}
