//! `[listener]`: the built-in MQTT listener, as serde reads it and as the daemon gets it.
//!
//! Reads no certificate and no users file: whoever starts the listener does. Invariant: without a `[listener]` the listener is on
//! exactly when no broker is named, so that a first run takes devices and an installation with a broker opens no second door.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use super::file::wrong;

/// Where clients without TLS connect unless the settings say otherwise: MQTT's own port.
const LISTEN: &str = "0.0.0.0:1883";
/// The users file in the data directory, unless another is named.
pub(super) const USERS_FILE: &str = "users";

/// `[listener]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Where clients without TLS connect; `None`: only over TLS.
    pub listen: Option<SocketAddr>,
    /// Where clients with TLS connect, and with which certificate.
    pub tls: Option<ListenerTlsConfig>,
    /// Who may log in. It need not be there unless it was named.
    pub users_file: PathBuf,
    /// The settings name `users_file`.
    pub users_file_is_named: bool,
    /// Clients without a name: `None` until somebody has said who may come in.
    pub anonymous: Option<bool>,
    /// A SUBSCRIBE is answered with "granted" (and nothing is ever delivered) instead of being refused.
    pub grants_subscriptions: bool,
}

/// TLS of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTlsConfig {
    /// Where.
    pub listen: SocketAddr,
    /// PEM with our certificate.
    pub cert_file: PathBuf,
    /// PEM with its key.
    pub key_file: PathBuf,
    /// PEM with the authorities that sign clients' certificates.
    pub client_ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenerFile {
    enabled: Option<bool>,
    listen: Option<String>,
    tls_listen: Option<String>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_ca_file: Option<PathBuf>,
    users_file: Option<PathBuf>,
    anonymous: Option<bool>,
    subscribe: Option<String>,
}

impl ListenerFile {
    /// The users file, where it is named.
    pub(super) fn users_file(&self, base: &Path) -> Option<PathBuf> {
        self.users_file.as_ref().map(|path| base.join(path))
    }
}

/// Checks values; relative paths are relative to `base`. `None`: no listener.
pub(super) fn check_listener(
    file: Option<ListenerFile>,
    has_brokers: bool,
    data_dir: &Path,
    base: &Path,
) -> Result<Option<ListenerConfig>, ConfigError> {
    let is_wanted = file.is_some() || !has_brokers;
    let file = file.unwrap_or_default();
    let wrong = |key: &str, what: &str| wrong_in_listener(key, what);
    let grants_subscriptions = match file.subscribe.as_deref() {
        None | Some("grant") => true,
        Some("refuse") => false,
        Some(other) => {
            return Err(wrong(
                "subscribe",
                &format!("'{other}' is none of \"grant\", \"refuse\""),
            ));
        }
    };
    let tls = match (file.tls_listen, file.cert_file, file.key_file) {
        (None, None, None) => {
            if file.client_ca_file.is_some() {
                return Err(wrong(
                    "client_ca_file",
                    "certificates of clients need TLS; set tls_listen, cert_file and key_file too",
                ));
            }
            None
        }
        (Some(listen), Some(cert_file), Some(key_file)) => Some(ListenerTlsConfig {
            listen: address("tls_listen", &listen, "0.0.0.0:8883")?,
            cert_file: base.join(cert_file),
            key_file: base.join(key_file),
            client_ca_file: file.client_ca_file.map(|path| base.join(path)),
        }),
        _ => {
            return Err(wrong(
                "tls_listen",
                "tls_listen, cert_file and key_file belong together; give all three or none",
            ));
        }
    };
    let listen = match file.listen.as_deref() {
        // Devices that speak TLS need no second door without it.
        Some("off") if tls.is_some() => None,
        Some("off") => {
            return Err(wrong(
                "listen",
                "\"off\" needs tls_listen; to have no listener, set enabled = false",
            ));
        }
        Some(text) => Some(address("listen", text, LISTEN)?),
        None => Some(address("listen", LISTEN, LISTEN)?),
    };
    let users_file_is_named = file.users_file.is_some();
    let config = ListenerConfig {
        listen,
        tls,
        users_file: file
            .users_file
            .map_or_else(|| data_dir.join(USERS_FILE), |path| base.join(path)),
        users_file_is_named,
        anonymous: file.anonymous,
        grants_subscriptions,
    };
    Ok(file.enabled.unwrap_or(is_wanted).then_some(config))
}

fn address(key: &str, text: &str, such_as: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| {
        wrong_in_listener(
            key,
            &format!("'{text}' is not an address; write one such as {such_as}"),
        )
    })
}

fn wrong_in_listener(key: &str, what: &str) -> ConfigError {
    wrong(format!("listener.{key}"), format!("listener.{key}: {what}"))
}
