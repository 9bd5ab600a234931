//! What lies in InfluxDB: points of each field, so that a comparison compares those who wrote everything.

use crate::influxd::{self, Influxd};
use crate::process::try_http;

/// How many values of each field a bucket holds for the devices whose serial begins so, by name.
pub(crate) fn values(influx: &Influxd, bucket: &str, prefix: &str) -> Vec<(String, u32)> {
    let query = format!(
        r#"from(bucket: "{bucket}") |> range(start: -30d) |> filter(fn: (r) => r._measurement == "telemetry" and r.serial =~ /^{prefix}-/) |> group(columns: ["_field"]) |> count()"#
    );
    let body = serde_json::json!({ "query": query, "type": "flux" });
    let token = format!("Token {}", influxd::TOKEN);
    let headers = [("authorization", token.as_str()), ("accept", "text/csv")];
    let url = format!("{}/api/v2/query?org=home", influx.url);
    let (status, csv) =
        try_http("POST", &url, &headers, Some(body.to_string())).expect("InfluxDB answers");
    assert_eq!(status, 200, "{csv}");
    let mut found = Vec::new();
    let mut columns = None;
    for line in csv.lines() {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let at = |name: &str| cells.iter().position(|cell| *cell == name);
        if let (Some(field), Some(value)) = (at("_field"), at("_value")) {
            columns = Some((field, value));
        } else if let Some((field, value)) = columns
            && let (Some(field), Some(value)) = (cells.get(field), cells.get(value))
            && let Ok(value) = value.parse()
        {
            found.push(((*field).to_owned(), value));
        }
    }
    found
}

/// `5 fields x 50000 values`, or what it is instead.
pub(crate) fn text(values: &[(String, u32)]) -> String {
    match values {
        [] => "nothing".to_owned(),
        [(_, first), rest @ ..] if rest.iter().all(|(_, count)| count == first) => {
            format!("{} fields x {first} values", values.len())
        }
        _ => values
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Whether each of five fields has this many values.
pub(crate) fn all(values: &[(String, u32)], messages: u32) -> bool {
    values.len() == 5 && values.iter().all(|(_, count)| *count == messages)
}
