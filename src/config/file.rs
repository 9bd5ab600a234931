//! The settings file as serde reads it, and the checks that make a [`Config`] of it. Where a value was set is `load`'s to say.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;
use smol_str::SmolStr;

use super::listener::{ListenerFile, check_listener};
use super::log::{LogFile, check_log};
use super::quantity::{parse_bytes, parse_duration_ms};
use super::series::{SeriesFile, check_series};
use super::{Broker, Config, Http, Influxdb, JournalLimits, Places, Secret};
use crate::detect::OPEN_LIMIT;
use crate::telemetry::{LISTENER, Settings, SourceSetting};

/// Most devices that may be kept ready: as many as can be known at all.
const MOST_OPEN: usize = 2_000_000;

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
    /// The folder of the fault profiles could not be read.
    #[error(
        "cannot read {path}, the folder of the fault profiles; name another with --profiles, profiles.dir in the settings file, or FOREMEND_PROFILES__DIR"
    )]
    Profiles {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key or a value is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The value of a key is wrong; [`super::load`] adds where it was set.
    #[error("{text}")]
    Value {
        /// The key with its section, and the number of the entry where there are several: `broker.1.url`.
        key: String,
        /// What is wrong with it.
        text: String,
    },
}

/// The value of `key` is wrong.
pub(super) fn wrong(key: impl Into<String>, text: String) -> ConfigError {
    ConfigError::Value {
        key: key.into(),
        text,
    }
}

/// `foremend.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigFile {
    data: DataFile,
    http: HttpFile,
    listener: Option<ListenerFile>,
    broker: Vec<BrokerFile>,
    devices: DevicesFile,
    site: SiteFile,
    source: Vec<SourceFile>,
    influxdb: Option<InfluxdbFile>,
    profiles: ProfilesFile,
    journal: JournalFile,
    series: SeriesFile,
    log: LogFile,
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
    open: usize,
}

impl Default for DevicesFile {
    fn default() -> Self {
        Self {
            unknown: "adopt".into(),
            open: OPEN_LIMIT,
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

impl ConfigFile {
    /// The directories, with relative paths resolved against `base`.
    pub(super) fn places(self, base: &Path) -> Places {
        Places {
            data_dir: base.join(self.data.dir),
            profiles_dir: base.join(self.profiles.dir),
            users_file: self.listener.and_then(|listener| listener.users_file(base)),
        }
    }
}

/// Checks values and resolves relative paths against `base`.
pub(super) fn check(file: ConfigFile, base: &Path) -> Result<Config, ConfigError> {
    let listen = file.http.listen.parse().map_err(|_| {
        wrong(
            "http.listen",
            format!(
                "http.listen: '{}' is not an address; write one such as 127.0.0.1:8700",
                file.http.listen
            ),
        )
    })?;
    let mut brokers: Vec<Broker> = Vec::new();
    for (number, broker) in file.broker.into_iter().enumerate() {
        let broker = check_broker(broker, number, base)?;
        if broker.name == LISTENER {
            return Err(wrong(
                format!("broker.{number}.name"),
                format!(
                    "broker.name: '{LISTENER}' is the name of the built-in listener; choose another"
                ),
            ));
        }
        if brokers.iter().any(|other| other.name == broker.name) {
            return Err(wrong(
                format!("broker.{number}.name"),
                format!(
                    "broker.name: two brokers are named '{}'; give each its own name",
                    broker.name
                ),
            ));
        }
        brokers.push(broker);
    }
    let series = check_series(&file.series)?;
    let data_dir = base.join(file.data.dir);
    let listener = check_listener(file.listener, !brokers.is_empty(), &data_dir, base)?;
    Ok(Config {
        data_dir,
        http: Http { listen },
        listener,
        brokers,
        open_devices: check_open(file.devices.open)?,
        settings: check_settings(&file.devices, &file.site, file.source)?,
        influxdb: file
            .influxdb
            .map(|influxdb| check_influxdb(influxdb, base))
            .transpose()?,
        profiles_dir: base.join(file.profiles.dir),
        journal: JournalLimits {
            max_age: duration("journal.max_age", &file.journal.max_age)?,
            max_bytes: parse_bytes(&file.journal.max_bytes)
                .map_err(|why| wrong("journal.max_bytes", format!("journal.max_bytes: {why}")))?,
        },
        series,
        log: check_log(file.log)?,
    })
}

fn check_open(open: usize) -> Result<usize, ConfigError> {
    if (1..=MOST_OPEN).contains(&open) {
        return Ok(open);
    }
    Err(wrong(
        "devices.open",
        format!(
            "devices.open: {open} is not a number of devices from 1 to {MOST_OPEN}; each takes some 35 kB of memory"
        ),
    ))
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
            return Err(wrong(
                "devices.unknown",
                format!("devices.unknown: '{other}' is none of \"adopt\", \"quarantine\""),
            ));
        }
    };
    site.timezone.parse::<Tz>().map_err(|_| {
        wrong(
            "site.timezone",
            format!(
                "site.timezone: '{}' is not an IANA time zone; write one such as Asia/Shanghai",
                site.timezone
            ),
        )
    })?;
    let sources = if sources.is_empty() {
        super::native_sources()
    } else {
        sources
            .into_iter()
            .enumerate()
            .map(|(number, source)| check_source(source, number))
            .collect::<Result<_, _>>()?
    };
    Ok(Settings {
        timezone: site.timezone.clone(),
        adopt_unknown,
        sources,
    })
}

fn check_source(source: SourceFile, number: usize) -> Result<SourceSetting, ConfigError> {
    let wrong = |key: &str, what: String| {
        Err(wrong(
            format!("source.{number}.{key}"),
            format!("source '{}': {what}", source.filter),
        ))
    };
    match source.convention.as_str() {
        "native" => {
            if source.topic.is_some() || source.model.is_some() || source.time.is_some() {
                return wrong("convention", "topic, model and time belong to convention = \"json\"; the native topics say it themselves".into());
            }
        }
        "json" => {
            let Some(topic) = &source.topic else {
                return wrong("convention", "convention = \"json\" needs a topic template, such as topic = \"shop/{serial}/status\"".into());
            };
            if !topic.contains("{serial}") {
                return wrong(
                    "topic",
                    format!("the topic template '{topic}' has no {{serial}}"),
                );
            }
            if !topic.contains("{model}") && source.model.is_none() {
                return wrong(
                    "topic",
                    format!(
                        "neither the topic template '{topic}' has {{model}} nor is model = \"…\" set"
                    ),
                );
            }
        }
        other => {
            return wrong(
                "convention",
                format!("convention '{other}' is none of \"native\", \"json\""),
            );
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

fn check_broker(broker: BrokerFile, number: usize, base: &Path) -> Result<Broker, ConfigError> {
    let wrong = |key: &str, what: String| {
        wrong(
            format!("broker.{number}.{key}"),
            format!("broker '{}': {what}", broker.name),
        )
    };
    let expected = "write mqtt://host:port or mqtts://host:port";
    let url = reqwest::Url::parse(&broker.url)
        .map_err(|why| wrong("url", format!("url '{}': {why}; {expected}", broker.url)))?;
    let (tls, port) = match url.scheme() {
        "mqtt" => (false, 1883),
        "mqtts" => (true, 8883),
        other => {
            return Err(wrong(
                "url",
                format!("url scheme '{other}' is not known; {expected}"),
            ));
        }
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| wrong("url", format!("url has no host; {expected}")))?;
    let version_5 = match broker.version {
        5 => true,
        3 | 4 => false,
        other => {
            return Err(wrong(
                "version",
                format!("version {other} is not spoken; write 5, or 3 for MQTT 3.1.1"),
            ));
        }
    };
    if broker.cert_file.is_some() != broker.key_file.is_some() {
        return Err(wrong(
            "cert_file",
            "cert_file and key_file belong together; give both or neither".into(),
        ));
    }
    if !tls && (broker.ca_file.is_some() || broker.cert_file.is_some()) {
        return Err(wrong(
            "url",
            "ca_file, cert_file and key_file need a url that starts with mqtts://".into(),
        ));
    }
    Ok(Broker {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(port),
        tls,
        version_5,
        password_file: broker.password_file.map(|path| base.join(path)),
        session_expiry: parse_duration_ms(&broker.session_expiry)
            .map(Duration::from_millis)
            .map_err(|why| wrong("session_expiry", format!("session_expiry: {why}")))?,
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
        return Err(wrong(
            "influxdb.url",
            format!("influxdb.url: '{url}' must start with http:// or https://"),
        ));
    }
    Ok(Influxdb {
        url,
        org: influxdb.org,
        bucket: influxdb.bucket,
        token: secret("influxdb.token_file", &base.join(influxdb.token_file))?,
        retention: influxdb
            .retention
            .map(|text| duration("influxdb.retention", &text))
            .transpose()?,
    })
}

fn secret(key: &str, path: &Path) -> Result<Secret, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| {
        wrong(
            key,
            format!("{key}: cannot read {}: {error}", path.display()),
        )
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn duration(key: &str, text: &str) -> Result<Duration, ConfigError> {
    parse_duration_ms(text)
        .map(Duration::from_millis)
        .map_err(|why| wrong(key, format!("{key}: {why}")))
}
