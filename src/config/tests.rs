//! Settings as people write them, right and wrong.

use std::fs;
use std::time::Duration;

use super::load::Settings as Read;
use super::*;

/// The settings of these variables alone, or over a file.
fn with_variables(path: Option<&Path>, variables: &[(&str, &str)]) -> Result<Config, String> {
    Read::read(path, variables.iter().copied())
        .and_then(Read::config)
        .map_err(|error| error.to_string())
}

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
    assert_eq!(config.open_devices, 4_096);
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
        ("[devices]\nopen = 0\n", "from 1 to 2000000"),
        ("[devices]\nopen = 2000001\n", "35 kB of memory"),
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

#[test]
fn a_wrong_value_is_told_with_its_line() {
    let two = "[[broker]]\nname = \"a\"\nurl = \"mqtt://x\"\n\n[[broker]]\nname = \"b\"\nurl = \"tcp://y\"\n";
    for (text, place) in [
        (
            "[site]\n\ntimezone = \"Mars\"\n",
            "/foremend.toml:3: site.timezone",
        ),
        (two, "/foremend.toml:7: broker 'b': url scheme 'tcp'"),
        (
            &two.replace("\"b\"", "\"a\"").replace("tcp", "mqtt"),
            "/foremend.toml:6: broker.name: two brokers",
        ),
        (
            "[[broker]]\nurl = \"mqtt://x\"\n",
            "/foremend.toml:1: 'name' is missing",
        ),
        (
            "\njournal = { max_age = \"35\" }\n",
            "/foremend.toml:2: journal.max_age",
        ),
        (
            "journal.max_bytes = 5\n",
            "/foremend.toml:1: 'journal.max_bytes'",
        ),
        (
            "[[source]]\nfilter = \"a/#\"\nconvention = \"json\"\n",
            "/foremend.toml:3: source 'a/#'",
        ),
        (
            "[influxdb]\nurl = \"http://x\"\norg = \"o\"\nbucket = \"b\"\ntoken_file = \"nowhere\"\n",
            "/foremend.toml:5: influxdb.token_file: cannot read /nowhere",
        ),
        ("[http]\nlisten \"x\"\n", "/foremend.toml:2: not TOML: "),
    ] {
        let error = check_text(text).expect_err(text);
        assert!(error.starts_with(place), "{text}: {error}");
        assert!(!error.contains("''"), "{text}: {error}");
    }
}

#[test]
fn a_variable_means_text_where_text_is_meant() {
    let variables = [
        ("FOREMEND_INFLUXDB__URL", "http://x"),
        ("FOREMEND_INFLUXDB__ORG", "0123"),
        ("FOREMEND_INFLUXDB__BUCKET", "true"),
        ("FOREMEND_INFLUXDB__TOKEN_FILE", "/dev/null"),
        ("FOREMEND_DATA__DIR", "2026"),
        ("FOREMEND_CACHE", "no setting"),
        ("FOREMEND_TEST_X", "no setting"),
    ];
    let config = with_variables(None, &variables).expect("right");
    let influxdb = config.influxdb.expect("set");
    assert_eq!(
        (influxdb.org.as_str(), influxdb.bucket.as_str()),
        ("0123", "true")
    );
    assert_eq!(config.data_dir, Path::new("./2026"));
}

#[test]
fn a_wrong_variable_is_blamed_itself_and_not_the_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("foremend.toml");
    fs::write(&path, "[http]\nlisten = \"127.0.0.1:1\"\n").expect("written");
    for (name, value, expected) in [
        ("FOREMEND_HTTP__LISTEN", "8700", "http.listen: '8700'"),
        (
            "FOREMEND_HTTP__LISTN",
            "127.0.0.1:1",
            "unknown key 'http.listn'; did you mean 'listen'?",
        ),
        (
            "FOREMEND_HTPT__LISTEN",
            "127.0.0.1:1",
            "unknown key 'htpt'; did you mean 'http'?",
        ),
        ("FOREMEND_JOURNAL__MAX_AGE", "35", "journal.max_age: '35'"),
    ] {
        let error = with_variables(Some(&path), &[(name, value)]).expect_err(name);
        let start = format!("the variable {name}: {expected}");
        assert!(error.starts_with(&start), "{error}");
    }
    let right = with_variables(Some(&path), &[("FOREMEND_HTTP__LISTEN", "127.0.0.1:2")]);
    assert_eq!(right.expect("right").http.listen.port(), 2);
}

#[test]
fn places_are_known_without_any_secret() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("foremend.toml");
    let text = "[data]\ndir = \"d\"\n[influxdb]\nurl = \"http://x\"\norg = \"o\"\nbucket = \"b\"\ntoken_file = \"nowhere\"\n";
    fs::write(&path, text).expect("written");
    let none: [(&str, &str); 0] = [];
    assert!(with_variables(Some(&path), &none).is_err());
    let places = Read::read(Some(&path), none)
        .and_then(Read::places)
        .expect("right");
    assert_eq!(places.data_dir, dir.path().join("d"));
    assert_eq!(places.profiles_dir, dir.path().join("device-profiles"));
}

#[test]
fn a_missing_folder_of_profiles_says_what_it_is_and_how_to_name_another() {
    let error = read_profiles(Path::new("nowhere")).expect_err("there is none");
    let text = error.to_string();
    assert!(
        text.contains("nowhere, the folder of the fault profiles") && text.contains("profiles.dir"),
        "{text}"
    );
}

#[test]
fn the_listener_is_on_when_no_broker_is_named_and_off_when_told() {
    let broker = "[[broker]]\nname = \"plant\"\nurl = \"mqtt://broker.example\"\n";
    let listener = |text: &str| check_text(text).expect(text).listener;
    let config = listener("").expect("without a broker it is on");
    assert_eq!(
        config.listen.map(|address| address.to_string()).as_deref(),
        Some("0.0.0.0:1883")
    );
    assert!(config.grants_subscriptions && config.anonymous.is_none() && config.tls.is_none());
    assert!(config.users_file.ends_with("foremend-data/users") && !config.users_file_is_named);
    assert!(listener(broker).is_none(), "a broker is enough");
    assert!(listener(&format!("{broker}[listener]\n")).is_some(), "both");
    assert!(listener("[listener]\nenabled = false\n").is_none());
    let config = listener(
        "[listener]\nlisten = \"off\"\ntls_listen = \"[::]:8883\"\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"\nclient_ca_file = \"ca.pem\"\nusers_file = \"people\"\nanonymous = false\nsubscribe = \"refuse\"\n",
    )
    .expect("on");
    let tls = config.tls.expect("set");
    assert!(config.listen.is_none() && tls.listen.port() == 8883);
    assert!(tls.cert_file.ends_with("c.pem") && tls.client_ca_file.is_some());
    assert!(config.users_file.ends_with("people") && config.users_file_is_named);
    assert_eq!(config.anonymous, Some(false));
    assert!(!config.grants_subscriptions);
}

#[test]
fn a_wrong_listener_says_what_was_expected() {
    for (text, expected) in [
        ("listen = \"1883\"", "0.0.0.0:1883"),
        ("listen = \"off\"", "enabled = false"),
        ("tls_listen = \"0.0.0.0:8883\"", "cert_file"),
        ("client_ca_file = \"ca.pem\"", "tls_listen"),
        ("subscribe = \"maybe\"", "refuse"),
        ("lisen = \"0.0.0.0:1883\"", "did you mean 'listen'?"),
    ] {
        let error = check_text(&format!("[listener]\n{text}\n")).expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}
