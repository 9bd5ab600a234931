//! The settings file as serde reads it, and the checks that make a [`Config`] of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use smol_str::SmolStr;

use super::quantity::{parse_bytes, parse_duration_ms};
use super::{Broker, Config, Http, Influxdb, JournalLimits, Secret, SeriesLimits};
use crate::telemetry::{Settings, SourceSetting};

/// Variables of this form override the file: `FOREMEND_HTTP__LISTEN`.
const ENV_PREFIX: &str = "FOREMEND_";

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key or a value is wrong.
    #[error("{0}")]
    Wrong(String),
}

/// `foremend.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigFile {
    data: DataFile,
    http: HttpFile,
    broker: Vec<BrokerFile>,
    devices: DevicesFile,
    site: SiteFile,
    source: Vec<SourceFile>,
    influxdb: Option<InfluxdbFile>,
    profiles: ProfilesFile,
    journal: JournalFile,
    series: SeriesFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DataFile {
    dir: PathBuf,
}

impl Default for DataFile {
    fn default() -> Self {
        Self {
            dir: "foremend-data".into(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpFile {
    listen: String,
}

impl Default for HttpFile {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8700".into(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerFile {
    name: SmolStr,
    url: String,
    #[serde(default = "version_5")]
    version: u8,
    username: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_id: Option<String>,
    #[serde(default = "seven_days")]
    session_expiry: String,
}

const fn version_5() -> u8 {
    5
}

fn seven_days() -> String {
    "7 d".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DevicesFile {
    unknown: String,
}

impl Default for DevicesFile {
    fn default() -> Self {
        Self {
            unknown: "adopt".into(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SiteFile {
    timezone: SmolStr,
}

impl Default for SiteFile {
    fn default() -> Self {
        Self {
            timezone: Settings::default().timezone,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    filter: SmolStr,
    convention: SmolStr,
    topic: Option<SmolStr>,
    model: Option<SmolStr>,
    time: Option<SmolStr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InfluxdbFile {
    url: String,
    org: String,
    bucket: String,
    token_file: PathBuf,
    retention: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProfilesFile {
    dir: PathBuf,
}

impl Default for ProfilesFile {
    fn default() -> Self {
        Self {
            dir: "device-profiles".into(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeriesFile {
    retention: Option<String>,
}

/// A year, and a month to compare its end with its beginning.
const SERIES_RETENTION: &str = "400 d";
/// A shorter retention is taken for a mistake: it would empty the store.
const SHORTEST_SERIES_RETENTION: Duration = Duration::from_hours(24);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JournalFile {
    max_age: String,
    max_bytes: String,
}

impl Default for JournalFile {
    fn default() -> Self {
        Self {
            max_age: "35 d".into(),
            max_bytes: "20 GiB".into(),
        }
    }
}

/// Reads the settings file (if one is named) and the environment.
///
/// # Errors
/// When the file cannot be read, or a key or value is wrong: the text says which, where, and what was expected.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let mut figment = Figment::new();
    let mut text = String::new();
    let mut base = PathBuf::from(".");
    if let Some(path) = path {
        text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        figment = figment.merge(Toml::string(&text));
        base = path
            .parent()
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    }
    // Only names with a section: other FOREMEND_ variables (of tests, of packaging) are not settings.
    let environment = Env::prefixed(ENV_PREFIX)
        .filter(|key| key.as_str().contains("__"))
        .split("__");
    let file: ConfigFile = figment
        .merge(environment)
        .extract()
        .map_err(|error| explain(path, &text, &error))?;
    check(file, &base)
}

/// One sentence for each mistake that serde found, with the line where the key stands.
fn explain(path: Option<&Path>, text: &str, errors: &figment::Error) -> ConfigError {
    let mut sentences = Vec::new();
    for error in errors.clone() {
        let dotted = error.path.join(".");
        let mut sentence = match &error.kind {
            Kind::UnknownField(field, known) => {
                // figment's path ends with the unknown key itself.
                let place = if dotted.is_empty() { field } else { &dotted };
                let near = known
                    .iter()
                    .map(|name| (strsim::damerau_levenshtein(name, field), *name))
                    .min()
                    .filter(|(distance, _)| *distance <= 3);
                let hint =
                    near.map_or_else(String::new, |(_, name)| format!("; did you mean '{name}'?"));
                format!(
                    "unknown key '{place}'{hint} (known here: {})",
                    known.join(", ")
                )
            }
            Kind::MissingField(field) => format!("'{field}' is missing in [{dotted}]"),
            kind => format!("'{dotted}': {kind}"),
        };
        let key = match &error.kind {
            Kind::UnknownField(field, _) => field.clone(),
            _ => error.path.last().cloned().unwrap_or_default(),
        };
        if let Some(path) = path {
            let line = text.lines().position(|line| {
                let line = line.trim_start().trim_start_matches('[');
                !key.is_empty()
                    && line
                        .strip_prefix(key.as_str())
                        .is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
            });
            let place = line.map_or_else(
                || path.display().to_string(),
                |line| format!("{}:{}", path.display(), line + 1),
            );
            sentence = format!("{place}: {sentence}");
        }
        sentences.push(sentence);
    }
    ConfigError::Wrong(sentences.join("\n"))
}

/// Checks values and resolves relative paths against `base`.
pub(super) fn check(file: ConfigFile, base: &Path) -> Result<Config, ConfigError> {
    let listen = file.http.listen.parse().map_err(|_| {
        ConfigError::Wrong(format!(
            "http.listen: '{}' is not an address; write one such as 127.0.0.1:8700",
            file.http.listen
        ))
    })?;
    let mut brokers: Vec<Broker> = Vec::new();
    for broker in file.broker {
        let broker = check_broker(broker, base)?;
        if brokers.iter().any(|other| other.name == broker.name) {
            return Err(ConfigError::Wrong(format!(
                "broker.name: two brokers are named '{}'; give each its own name",
                broker.name
            )));
        }
        brokers.push(broker);
    }
    if file.influxdb.is_some() && file.series.retention.is_some() {
        return Err(ConfigError::Wrong(
            "series.retention is of the embedded store, and influxdb.url names an InfluxDB; write influxdb.retention instead".into(),
        ));
    }
    Ok(Config {
        data_dir: base.join(file.data.dir),
        http: Http { listen },
        brokers,
        settings: check_settings(&file.devices, &file.site, file.source)?,
        influxdb: file
            .influxdb
            .map(|influxdb| check_influxdb(influxdb, base))
            .transpose()?,
        profiles_dir: base.join(file.profiles.dir),
        journal: JournalLimits {
            max_age: duration("journal.max_age", &file.journal.max_age)?,
            max_bytes: parse_bytes(&file.journal.max_bytes)
                .map_err(|why| ConfigError::Wrong(format!("journal.max_bytes: {why}")))?,
        },
        series: SeriesLimits {
            retention: check_series_retention(file.series.retention.as_deref())?,
        },
    })
}

fn check_series_retention(text: Option<&str>) -> Result<Option<Duration>, ConfigError> {
    let text = text.unwrap_or(SERIES_RETENTION);
    if text.trim() == "forever" {
        return Ok(None);
    }
    let retention = parse_duration_ms(text)
        .map(Duration::from_millis)
        .map_err(|why| {
            ConfigError::Wrong(format!("series.retention: {why}, or write \"forever\""))
        })?;
    if retention < SHORTEST_SERIES_RETENTION {
        return Err(ConfigError::Wrong(format!(
            "series.retention: '{text}' is too short; write at least 1 d, or \"forever\""
        )));
    }
    Ok(Some(retention))
}

fn check_settings(
    devices: &DevicesFile,
    site: &SiteFile,
    sources: Vec<SourceFile>,
) -> Result<Settings, ConfigError> {
    let adopt_unknown = match devices.unknown.as_str() {
        "adopt" => true,
        "quarantine" => false,
        other => {
            return Err(ConfigError::Wrong(format!(
                "devices.unknown: '{other}' is none of \"adopt\", \"quarantine\""
            )));
        }
    };
    site.timezone.parse::<Tz>().map_err(|_| {
        ConfigError::Wrong(format!(
            "site.timezone: '{}' is not an IANA time zone; write one such as Asia/Shanghai",
            site.timezone
        ))
    })?;
    let sources = if sources.is_empty() {
        super::native_sources()
    } else {
        sources
            .into_iter()
            .map(check_source)
            .collect::<Result<_, _>>()?
    };
    Ok(Settings {
        timezone: site.timezone.clone(),
        adopt_unknown,
        sources,
    })
}

fn check_source(source: SourceFile) -> Result<SourceSetting, ConfigError> {
    let wrong = |what: String| {
        Err(ConfigError::Wrong(format!(
            "source '{}': {what}",
            source.filter
        )))
    };
    match source.convention.as_str() {
        "native" => {
            if source.topic.is_some() || source.model.is_some() || source.time.is_some() {
                return wrong("topic, model and time belong to convention = \"json\"; the native topics say it themselves".into());
            }
        }
        "json" => {
            let Some(topic) = &source.topic else {
                return wrong("convention = \"json\" needs a topic template, such as topic = \"shop/{serial}/status\"".into());
            };
            if !topic.contains("{serial}") {
                return wrong(format!("the topic template '{topic}' has no {{serial}}"));
            }
            if !topic.contains("{model}") && source.model.is_none() {
                return wrong(format!(
                    "neither the topic template '{topic}' has {{model}} nor is model = \"…\" set"
                ));
            }
        }
        other => {
            return wrong(format!(
                "convention '{other}' is none of \"native\", \"json\""
            ));
        }
    }
    let SourceFile {
        filter,
        convention,
        topic,
        model,
        time,
    } = source;
    Ok(SourceSetting {
        filter,
        convention,
        topic,
        model,
        time,
    })
}

fn check_broker(broker: BrokerFile, base: &Path) -> Result<Broker, ConfigError> {
    let wrong = |what: String| ConfigError::Wrong(format!("broker '{}': {what}", broker.name));
    let expected = "write mqtt://host:port or mqtts://host:port";
    let url = reqwest::Url::parse(&broker.url)
        .map_err(|why| wrong(format!("url '{}': {why}; {expected}", broker.url)))?;
    let (tls, port) = match url.scheme() {
        "mqtt" => (false, 1883),
        "mqtts" => (true, 8883),
        other => {
            return Err(wrong(format!(
                "url scheme '{other}' is not known; {expected}"
            )));
        }
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| wrong(format!("url has no host; {expected}")))?;
    let version_5 = match broker.version {
        5 => true,
        3 | 4 => false,
        other => {
            return Err(wrong(format!(
                "version {other} is not spoken; write 5, or 3 for MQTT 3.1.1"
            )));
        }
    };
    if broker.cert_file.is_some() != broker.key_file.is_some() {
        return Err(wrong(
            "cert_file and key_file belong together; give both or neither".into(),
        ));
    }
    if !tls && (broker.ca_file.is_some() || broker.cert_file.is_some()) {
        return Err(wrong(
            "ca_file, cert_file and key_file need a url that starts with mqtts://".into(),
        ));
    }
    Ok(Broker {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(port),
        tls,
        version_5,
        password_file: broker.password_file.map(|path| base.join(path)),
        session_expiry: duration(
            &format!("broker '{}': session_expiry", broker.name),
            &broker.session_expiry,
        )?,
        name: broker.name,
        username: broker.username,
        ca_file: broker.ca_file.map(|path| base.join(path)),
        cert_file: broker.cert_file.map(|path| base.join(path)),
        key_file: broker.key_file.map(|path| base.join(path)),
        client_id: broker.client_id,
    })
}

fn check_influxdb(influxdb: InfluxdbFile, base: &Path) -> Result<Influxdb, ConfigError> {
    let url = influxdb.url.trim_end_matches('/').to_owned();
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ConfigError::Wrong(format!(
            "influxdb.url: '{url}' must start with http:// or https://"
        )));
    }
    Ok(Influxdb {
        url,
        org: influxdb.org,
        bucket: influxdb.bucket,
        token: secret(&base.join(influxdb.token_file))?,
        retention: influxdb
            .retention
            .map(|text| duration("influxdb.retention", &text))
            .transpose()?,
    })
}

fn secret(path: &Path) -> Result<Secret, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.into(),
        source,
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn duration(key: &str, text: &str) -> Result<Duration, ConfigError> {
    parse_duration_ms(text)
        .map(Duration::from_millis)
        .map_err(|why| ConfigError::Wrong(format!("{key}: {why}")))
}
