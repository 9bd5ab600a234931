//! Settings as people write them, right and wrong.

use std::fs;
use std::time::Duration;

use super::*;

fn check_text(text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("foremend.toml");
    fs::write(&path, text).expect("written");
    fs::write(dir.path().join("influx-token"), "s3cret\n").expect("written");
    load(Some(&path)).map_err(|error| {
        error
            .to_string()
            .replace(&dir.path().display().to_string(), "")
    })
}

#[test]
fn the_built_in_settings_are_right() {
    let config = Config::built_in();
    assert_eq!(config.http.listen.port(), 8700);
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.journal.max_bytes, 20 << 30);
}

#[test]
fn a_typo_is_named_with_its_line_and_the_nearest_key() {
    let error = check_text("[http]\nlistn = \"127.0.0.1:1\"\n").expect_err("a typo");
    assert!(
        error.starts_with("/foremend.toml:2: unknown key 'http.listn'; did you mean 'listen'?"),
        "{error}"
    );
    let error = check_text("[htpt]\n").expect_err("a typo");
    assert!(
        error.contains(":1: unknown key 'htpt'; did you mean 'http'?"),
        "{error}"
    );
}

#[test]
fn a_broker_and_an_influxdb_are_read() {
    let config = check_text(
        "[[broker]]\nname = \"plant\"\nurl = \"mqtts://broker.example\"\n[influxdb]\nurl = \"http://127.0.0.1:8086/\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
    )
    .expect("right");
    let broker = &config.brokers[0];
    assert_eq!(
        (broker.port, broker.tls, broker.version_5),
        (8883, true, true)
    );
    assert_eq!(broker.session_expiry, Duration::from_hours(168));
    let influxdb = config.influxdb.expect("set");
    assert_eq!(
        (influxdb.url.as_str(), influxdb.token.reveal()),
        ("http://127.0.0.1:8086", "s3cret")
    );
    assert!(!format!("{influxdb:?}").contains("s3cret"));
}

#[test]
fn the_embedded_series_are_kept_for_a_year_unless_told_otherwise() {
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    for (text, expected) in [
        ("", days(400)),
        ("[series]\nretention = \"30 d\"\n", days(30)),
        ("[series]\nretention = \"forever\"\n", None),
    ] {
        let config = check_text(text).expect("right");
        assert_eq!(config.series.retention, expected, "{text}");
    }
    let error = check_text(
        "[series]\nretention = \"30 d\"\n[influxdb]\nurl = \"http://127.0.0.1:8086\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
    )
    .expect_err("it would do nothing");
    assert!(error.contains("influxdb.retention"), "{error}");
}

#[test]
fn wrong_values_say_what_was_expected() {
    for (text, expected) in [
        ("[http]\nlisten = \"8700\"\n", "127.0.0.1:8700"),
        (
            "[[broker]]\nname = \"a\"\nurl = \"tcp://x\"\n",
            "mqtt://host:port",
        ),
        (
            "[[broker]]\nname = \"a\"\nurl = \"mqtt://x\"\nversion = 4.5\n",
            "version",
        ),
        ("[[broker]]\nurl = \"mqtt://x\"\n", "'name' is missing"),
        ("[site]\ntimezone = \"Mars\"\n", "IANA"),
        ("[devices]\nunknown = \"maybe\"\n", "quarantine"),
        ("[journal]\nmax_age = \"35\"\n", "35 d"),
        ("[series]\nretention = \"400\"\n", "forever"),
        ("[series]\nretention = \"23 h\"\n", "at least 1 d"),
        (
            "[[source]]\nfilter = \"a/#\"\nconvention = \"json\"\n",
            "topic template",
        ),
        ("not toml", "="),
    ] {
        let error = check_text(text).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}
