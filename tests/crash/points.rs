//! Every point that a series store holds, to be compared: an InfluxDB asked in Flux by a client that is not ours, or the file of
//! the embedded store.

use std::collections::BTreeMap;
use std::path::Path;

use foremend::series::RangeQuery;
use foremend::series::SAMPLES_LIMIT;
use foremend::series::SeriesStore as _;
use foremend::series::SqliteStore;
use foremend::telemetry::FieldValue;
use foremend::telemetry::Measurement;
use foremend::telemetry::Timestamp;

use crate::influxd::Influxd;
use crate::influxd::TOKEN;
use crate::proof::SOON;

/// Of each series the values in rising time, as text that differs when the values differ.
pub(crate) type Points = BTreeMap<String, Vec<(i64, String)>>;

fn series(measurement: &str, model: &str, serial: &str, field: &str) -> String {
    format!("{measurement} {model}/{serial} {field}")
}

fn number(value: f64) -> String {
    format!("{value:?}")
}

/// All that the bucket of a server holds.
pub(crate) async fn of_influxdb(server: &Influxd) -> Points {
    let flux = r#"from(bucket: "telemetry") |> range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z) |> drop(columns: ["_start", "_stop"])"#;
    let client = reqwest::Client::builder()
        .timeout(SOON)
        .no_proxy()
        .build()
        .expect("a client");
    let answer = client
        .post(format!("{}/api/v2/query?org=home", server.url))
        .header("Authorization", format!("Token {TOKEN}"))
        .json(&serde_json::json!({"query": flux, "dialect": {"annotations": []}}))
        .send()
        .await
        .expect("InfluxDB answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    let text = answer.text().await.expect("a whole answer");
    let mut points = Points::new();
    let mut columns = Vec::new();
    let rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records();
    for row in rows {
        let row = row.expect("CSV");
        if row.get(1) == Some("result") {
            columns = row.iter().map(str::to_owned).collect();
            continue;
        }
        let named = |name: &str| {
            let at = columns.iter().position(|column| column == name);
            at.and_then(|at| row.get(at)).unwrap_or_default()
        };
        assert_ne!(
            named("_measurement"),
            "",
            "an error instead of points: {row:?}"
        );
        let at: Timestamp = named("_time").parse().expect("a time");
        let text = named("_measurement") == "ticket" || named("_field").starts_with("fault");
        let value = if text {
            format!("{:?}", named("_value"))
        } else {
            number(named("_value").parse().expect("a number"))
        };
        let key = series(
            named("_measurement"),
            named("model"),
            named("serial"),
            named("_field"),
        );
        points.entry(key).or_default().push((at.ms(), value));
    }
    sorted(points)
}

/// All that the file of an embedded store holds.
pub(crate) async fn of_embedded(data: &Path, journal_id: &str) -> Points {
    let file = data.join("series.sqlite");
    let names: Vec<(String, String, String)> = {
        let db = rusqlite::Connection::open(&file).expect("the series");
        let mut query = db
            .prepare("SELECT DISTINCT measurement, device, field FROM series")
            .expect("a query");
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    let store = SqliteStore::open(&file, journal_id).expect("the series");
    let mut points = Points::new();
    for (measurement, device, field) in names {
        let known = [
            Measurement::Telemetry,
            Measurement::Derived,
            Measurement::Ticket,
        ];
        let mut query = RangeQuery {
            measurement: known
                .into_iter()
                .find(|known| known.as_str() == measurement)
                .expect("a measurement"),
            device: device.parse().expect("a device"),
            field: field.as_str().into(),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            points: SAMPLES_LIMIT,
        };
        let (model, serial) = device.split_once('/').expect("a model and a serial");
        let all = points
            .entry(series(&measurement, model, serial, &field))
            .or_default();
        loop {
            let page = store.values(&query).await.expect("values");
            let Some(last) = page.last() else { break };
            query.from = last.at + 1;
            all.extend(page.iter().map(|one| {
                let value = match &one.value {
                    FieldValue::Float(value) => number(*value),
                    FieldValue::Text(text) => format!("{text:?}"),
                };
                (one.at.ms(), value)
            }));
        }
    }
    sorted(points)
}

fn sorted(mut points: Points) -> Points {
    points.retain(|_, values| !values.is_empty());
    for values in points.values_mut() {
        values.sort();
    }
    points
}

/// No more and no fewer.
pub(crate) fn check_equal(found: &Points, expected: &Points) {
    for (series, values) in expected {
        let found = found.get(series).map_or(&[][..], Vec::as_slice);
        let missing: Vec<_> = values
            .iter()
            .filter(|value| found.binary_search(value).is_err())
            .collect();
        let excess: Vec<_> = found
            .iter()
            .filter(|value| values.binary_search(value).is_err())
            .collect();
        assert!(
            missing.is_empty() && excess.is_empty() && found.len() == values.len(),
            "{series}: {} of {} points, {} missing ({:?}), {} too many ({:?})",
            found.len(),
            values.len(),
            missing.len(),
            &missing[..missing.len().min(3)],
            excess.len(),
            &excess[..excess.len().min(3)]
        );
    }
    let strangers: Vec<_> = found
        .keys()
        .filter(|series| !expected.contains_key(*series))
        .collect();
    assert!(strangers.is_empty(), "series of nobody: {strangers:?}");
    for measurement in ["telemetry", "derived", "ticket"] {
        assert!(
            found.keys().any(|series| series.starts_with(measurement)),
            "there are points of {measurement}"
        );
    }
}
