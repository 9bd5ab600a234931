//! Settings: `foremend.toml` and `FOREMEND_<SECTION>__<KEY>` variables to one checked [`Config`].
//!
//! What serde reads ([`file::ConfigFile`]) is one type, what the program uses is another. Every mistake is an error that names the
//! file, the key and what was expected; an unknown key is a mistake too. Relative paths are relative to the settings file.

mod file;
mod listener;
mod load;
mod log;
mod profiles;
mod quantity;
mod series;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use smol_str::SmolStr;

use crate::telemetry::{Settings, SourceSetting};

pub use file::ConfigError;
pub use listener::{ListenerConfig, ListenerTlsConfig};
pub use load::{load, load_places};
pub use log::{LogConfig, LogFormat};
pub use profiles::{read_profile, read_profiles};
pub use quantity::{parse_bytes, parse_duration_ms};

/// Everything the daemon needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where journal, store, state and the embedded series lie.
    pub data_dir: PathBuf,
    /// The web server.
    pub http: Http,
    /// The built-in MQTT listener; `None`: off.
    pub listener: Option<ListenerConfig>,
    /// External brokers.
    pub brokers: Vec<Broker>,
    /// Devices whose state is kept ready in memory; the others are packed. It decides what a message costs, and no result.
    pub open_devices: usize,
    /// What results depend on; journalled when it changes.
    pub settings: Settings,
    /// `None`: the embedded series store.
    pub influxdb: Option<Influxdb>,
    /// Folder of the fault profiles.
    pub profiles_dir: PathBuf,
    /// The durable log.
    pub journal: JournalLimits,
    /// The embedded series store.
    pub series: SeriesLimits,
    /// How much the log tells, and how.
    pub log: LogConfig,
}

/// The directories of the settings, for commands that need nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Where journal, store, state and the embedded series lie.
    pub data_dir: PathBuf,
    /// Folder of the fault profiles.
    pub profiles_dir: PathBuf,
    /// Users of the built-in listener, where the settings name the file.
    pub users_file: Option<PathBuf>,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address of API and pages.
    pub listen: SocketAddr,
}

/// One `[[broker]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Name of the source; unique.
    pub name: SmolStr,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `mqtts`.
    pub tls: bool,
    /// MQTT 5 (`true`) or 3.1.1.
    pub version_5: bool,
    /// User name.
    pub username: Option<String>,
    /// File with the password; read at each attempt, so that a change needs no restart.
    pub password_file: Option<PathBuf>,
    /// PEM with the authorities that sign the broker's certificate; absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// PEM with our certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM with our key.
    pub key_file: Option<PathBuf>,
    /// Stable client id; absent: made from the data directory's id.
    pub client_id: Option<String>,
    /// How long the broker keeps our session while we are away.
    pub session_expiry: Duration,
}

/// `[influxdb]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Influxdb {
    /// Base address, such as `http://127.0.0.1:8086`.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Token, read from `token_file`.
    pub token: Secret,
    /// How long the bucket keeps points when Foremend creates it; `None`: for ever.
    pub retention: Option<Duration>,
}

/// `[series]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// How long the embedded store keeps points; `None`: for ever. That of an InfluxDB is [`Influxdb::retention`].
    pub retention: Option<Duration>,
}

/// `[journal]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLimits {
    /// Sealed files older than this are removed.
    pub max_age: Duration,
    /// Budget on disk, bytes.
    pub max_bytes: u64,
}

/// A secret: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one who sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("<secret>")
    }
}

impl Config {
    /// Moves the data directory, with what lies in it unless the settings named it.
    pub fn move_data(&mut self, dir: PathBuf) {
        if let Some(listener) = &mut self.listener
            && !listener.users_file_is_named
        {
            listener.users_file = dir.join(listener::USERS_FILE);
        }
        self.data_dir = dir;
    }

    /// The settings without a file: embedded stores, no broker.
    ///
    /// # Panics
    /// Never: the built-in settings are checked by a test.
    #[must_use]
    pub fn built_in() -> Self {
        file::check(file::ConfigFile::default(), Path::new("."))
            .expect("the built-in settings are right")
    }
}

/// The default sources: the native convention on its own topics.
fn native_sources() -> Vec<SourceSetting> {
    vec![SourceSetting::native()]
}
