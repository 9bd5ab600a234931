//! Every query of every dashboard, put to a real InfluxDB and a real Prometheus that hold what the daemon itself wrote there, with
//! the variables filled in as Grafana would: each must give data.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::boards::boards;
use crate::boards::list;
use crate::influxd::Influxd;
use crate::influxd::TOKEN;
use crate::process::Daemon;
use crate::process::wait_for;
use crate::prometheus::Prometheus;
use crate::rig::SOON;
use crate::rig::overheat;
use crate::rig::publish;
use crate::rig::seconds_now;
use crate::rig::settings;

/// What is derived of every wash.
const DERIVED: &str = "flow_wash";
/// The time that a dashboard shows, in days.
const DAYS: f64 = 60.0;

/// The variables and macros, as Grafana fills them in.
fn filled(query: &str, serial: &str) -> String {
    let stop = time(seconds_now() + 1.0);
    let start = time(seconds_now() - DAYS * 86_400.0);
    [
        ("v.timeRangeStart", start.as_str()),
        ("v.timeRangeStop", &stop),
        ("v.windowPeriod", "1h"),
        ("v.defaultBucket", "\"telemetry\""),
        ("${model:regex}", "ts-flash5"),
        ("${model}", "ts-flash5"),
        ("${serial}", serial),
        ("${signal}", "water.out_c"),
        ("${derived}", DERIVED),
        ("$__rate_interval", "20s"),
    ]
    .iter()
    .fold(query.to_owned(), |query, (variable, value)| {
        query.replace(variable, value)
    })
}

/// RFC 3339, as Grafana writes a time into Flux.
fn time(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of this century")]
    let at = foremend::telemetry::Timestamp::from_ms((seconds * 1_000.0) as i64);
    at.to_string()
}

/// What InfluxDB answers to Flux: the rows, or its complaint.
async fn rows(influxd: &Influxd, flux: &str) -> Result<Vec<String>, String> {
    let answer = reqwest::Client::new()
        .post(format!("{}/api/v2/query?org=home", influxd.url))
        .header("authorization", format!("Token {TOKEN}"))
        .header("accept", "application/csv")
        .json(
            &json!({"query": flux, "type": "flux", "dialect": {"annotations": [], "header": true}}),
        )
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    if !status.is_success() || text.contains("\r\nerror,reference") || text.starts_with("error,") {
        return Err(text);
    }
    // Tables come one after the other, each with a header and an empty line behind it.
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines
        .filter(|line| !line.starts_with(",result,table"))
        .map(str::to_owned)
        .collect())
}

/// A fleet lives through some days.
fn live(daemon: &Daemon) {
    let mqtt = format!("mqtt://{}", daemon.mqtt.as_deref().unwrap());
    let fleet = Command::new(env!("CARGO_BIN_EXE_foremend"))
        .args(["simulate", "--url", &mqtt, "--devices", "6"])
        .args(["--rate", "1500", "--seconds", "10"])
        .output()
        .unwrap();
    assert!(
        fleet.status.success(),
        "{}",
        String::from_utf8_lossy(&fleet.stderr)
    );
}

/// A device overheats, and something of everything goes wrong.
fn go_wrong(daemon: &Daemon, serial: &str) {
    overheat(daemon, serial);
    let base = format!("appl/v1/ts-flash5/{serial}");
    let now = seconds_now();
    // The same again, nonsense, a batch with a bad record, and more unknown paths than are kept.
    let again = json!({"ts": now, "boot": 4_000, "seq": 40, "s": {"function": "idle"}}).to_string();
    let batch =
        json!({"recs": [{"ts": now, "s": {"function": "idle"}}, {"ts": now, "s": 7}]}).to_string();
    let many = json!({"ts": now, "s": many_paths()}).to_string();
    for (kind, payload) in [
        ("tele", again.as_str()),
        ("tele", &again),
        ("tele", "nonsense"),
        ("batch", &batch),
        ("tele", &many),
    ] {
        assert!(publish(daemon, None, &format!("{base}/{kind}"), payload));
    }
    // A device that was heard of last three days ago.
    let silent = json!({"ts": now - 3.0 * 86_400.0, "seq": 1, "s": {"function": "idle", "seat.temp_c": 36.0}});
    let topic = "appl/v1/ts-flash5/TSF5-MADEUP-99/tele";
    assert!(publish(daemon, None, topic, &silent.to_string()));
}

/// More paths that no profile knows than are kept of a device.
fn many_paths() -> serde_json::Map<String, Value> {
    (0..80)
        .map(|number| (format!("made.up_{number}"), number.into()))
        .collect()
}

/// The first row of an answer, as soon as there is one.
async fn first_row(influxd: &Influxd, what: &str, flux: &str) -> String {
    let mut look = tokio::time::interval(Duration::from_millis(200));
    let found = async {
        loop {
            look.tick().await;
            if let Some(row) = rows(influxd, flux).await.unwrap().first() {
                return row.clone();
            }
        }
    };
    tokio::time::timeout(2 * SOON, found)
        .await
        .unwrap_or_else(|_| panic!("{what} is not in InfluxDB"))
}

/// A serial of which something was derived.
async fn derived_of(influxd: &Influxd) -> String {
    let flux = format!(
        "from(bucket: \"telemetry\") |> range(start: -{DAYS}d) |> filter(fn: (r) => r._measurement == \"derived\" and r._field == \"{DERIVED}\") |> keep(columns: [\"_time\", \"serial\"]) |> group() |> limit(n: 1) |> keep(columns: [\"serial\"])"
    );
    let row = first_row(influxd, "what was derived", &flux).await;
    row.rsplit(',').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_every_dashboard_gives_data() {
    // Whoever makes an HTTP client says which TLS it has; another test may have done so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let influxd = Influxd::start().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("influx-token"), TOKEN).unwrap();
    let more = format!(
        "[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"",
        influxd.url
    );
    let daemon = Daemon::start(dir.path(), &settings(&more));
    let prometheus = Prometheus::watching(&daemon);
    live(&daemon);
    let serial = derived_of(&influxd).await;
    go_wrong(&daemon, &serial);
    let ticket = wait_for("the ticket", SOON, || {
        let tickets = daemon.get(&format!("/api/v1/tickets?device=ts-flash5/{serial}"));
        let ticket = tickets["items"].as_array()?.first()?.clone();
        Some(ticket["id"].as_str().unwrap().to_owned())
    });
    // A person acts, so that there is more than one kind of change.
    let (status, _) = daemon.post(
        &format!("/api/v1/tickets/{ticket}/actions"),
        &json!({"action": "acknowledge"}),
    );
    assert_eq!(status, 200);
    // What was last is there last: the ticket's change, through the outbox.
    let change = "from(bucket: \"telemetry\") |> range(start: -1d) |> filter(fn: (r) => r._measurement == \"ticket\" and r._value == \"acknowledge\")";
    first_row(&influxd, "the change of the ticket", change).await;
    wait_for("the end of the journal in InfluxDB", SOON, || {
        let lag = prometheus.query("foremend_journal_lag_messages{consumer=\"series\"} == 0");
        (!lag.as_array()?.is_empty()).then_some(())
    });
    let mut failed = Vec::new();
    for (name, board) in boards() {
        let mut queries: Vec<(String, String, bool)> = Vec::new();
        for panel in list(&board, "panels") {
            for target in list(panel, "targets") {
                let title = panel["title"].as_str().unwrap().to_owned();
                let is_flux = target["datasource"]["type"] == "influxdb";
                let key = if is_flux { "query" } else { "expr" };
                queries.push((title, target[key].as_str().unwrap().to_owned(), is_flux));
            }
        }
        for annotation in list(&board["annotations"], "list") {
            let query = annotation["target"]["query"].as_str().unwrap();
            queries.push(("annotation".into(), query.to_owned(), true));
        }
        for variable in list(&board["templating"], "list") {
            if variable["type"] == "query" {
                let query = variable["query"].as_str().unwrap();
                queries.push((variable["name"].to_string(), query.to_owned(), true));
            }
        }
        assert!(!queries.is_empty(), "{name}");
        for (title, query, is_flux) in queries {
            let query = filled(&query, &serial);
            assert!(
                !query.contains("${") && !query.contains("v.time"),
                "{query}"
            );
            let problem = if is_flux {
                match rows(&influxd, &query).await {
                    Ok(rows) if rows.is_empty() => Some("no rows".to_owned()),
                    Ok(_) => None,
                    Err(said) => Some(said),
                }
            } else {
                // A scrape may have been missed on a busy machine; the next one makes up for it.
                wait_for(&format!("{name}, {title}: {query}"), SOON, || {
                    let found = prometheus.query(&query);
                    (!found.as_array()?.is_empty()).then_some(())
                });
                None
            };
            if let Some(problem) = problem {
                failed.push(format!("{name}, {title}: {problem}\n{query}\n"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(daemon.stop().success());
}
