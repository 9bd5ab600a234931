//! `[log]`: how much the log tells, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::file::{ConfigError, wrong};

/// How much is told unless the settings say otherwise.
const LEVEL: &str = "info";

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; or directives as of `RUST_LOG`, which wins over it.
    pub level: String,
    /// One line of text, or one JSON object, per event.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogFile {
    level: Option<String>,
    format: Option<String>,
}

impl LogConfig {
    /// The filter of a level. Ours alone tells more than `info`: other programs' parts might show there what devices sent.
    ///
    /// # Errors
    /// What is wrong with it, and what may stand there.
    pub fn filter(level: &str) -> Result<EnvFilter, String> {
        let directives = match level.trim() {
            plain @ ("error" | "warn" | "info") => plain.to_owned(),
            more @ ("debug" | "trace") => format!("info,{}={more}", env!("CARGO_CRATE_NAME")),
            other if other.contains(['=', ',']) => other.to_owned(),
            other => {
                return Err(format!(
                    "'{other}' is none of \"error\", \"warn\", \"info\", \"debug\", \"trace\", and no directives such as \"info,foremend::intake=debug\""
                ));
            }
        };
        EnvFilter::try_new(&directives).map_err(|why| format!("'{level}': {why}"))
    }
}

/// Checks it.
pub(super) fn check_log(file: LogFile) -> Result<LogConfig, ConfigError> {
    let level = file.level.unwrap_or_else(|| LEVEL.to_owned());
    LogConfig::filter(&level).map_err(|why| wrong("log.level", format!("log.level: {why}")))?;
    let format = match file.format.as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            return Err(wrong(
                "log.format",
                format!("log.format: '{other}' is none of \"text\", \"json\""),
            ));
        }
    };
    Ok(LogConfig { level, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(level: &str) -> Result<LogConfig, ConfigError> {
        check_log(LogFile {
            level: Some(level.into()),
            format: None,
        })
    }

    #[test]
    fn more_than_info_is_told_by_us_alone() {
        let filter = LogConfig::filter("trace").unwrap().to_string();
        assert!(
            filter.contains("foremend=trace") && filter.contains("info"),
            "{filter}"
        );
        assert_eq!(LogConfig::filter("warn").unwrap().to_string(), "warn");
        assert!(checked("info,foremend::intake=debug").is_ok());
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for level in ["loud", "", "foremend=loud"] {
            let told = checked(level).unwrap_err().to_string();
            assert!(told.contains("log.level"), "{told}");
        }
    }
}
