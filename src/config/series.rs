//! `[series]`: how long the embedded store keeps points.

use std::time::Duration;

use serde::Deserialize;

use super::SeriesLimits;
use super::file::{ConfigError, wrong};
use super::quantity::parse_duration_ms;

/// A year, and a month to compare its end with its beginning.
const RETENTION: &str = "400 d";
/// What keeps points for ever.
const FOREVER: &str = "forever";
/// A shorter retention is taken for a mistake: it would empty the store.
const SHORTEST_RETENTION: Duration = Duration::from_hours(24);

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SeriesFile {
    retention: Option<String>,
}

/// Checks it, also while an InfluxDB is named, which has a retention of its own: so both can stand in one file.
pub(super) fn check_series(file: &SeriesFile) -> Result<SeriesLimits, ConfigError> {
    let refused = |why: String| {
        Err(wrong(
            "series.retention",
            format!("series.retention: {why}"),
        ))
    };
    let text = file.retention.as_deref().unwrap_or(RETENTION);
    if text.trim() == FOREVER {
        return Ok(SeriesLimits { retention: None });
    }
    let retention = match parse_duration_ms(text) {
        Ok(ms) => Duration::from_millis(ms),
        Err(why) => return refused(format!("{why}, or write \"{FOREVER}\"")),
    };
    if retention < SHORTEST_RETENTION {
        return refused(format!(
            "'{text}' is too short; write at least 1 d, or \"{FOREVER}\""
        ));
    }
    Ok(SeriesLimits {
        retention: Some(retention),
    })
}
