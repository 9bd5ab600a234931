//! What one external broker needs: one `[[broker]]` of the settings, checked, and the bounds that no setting reaches.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use smol_str::SmolStr;

use super::filter;

/// How long the broker keeps the session, and queues for us, unless the settings say otherwise: a week, so that a daemon
/// that died on a Friday loses nothing by Monday.
pub const SESSION_EXPIRY: Duration = Duration::from_hours(7 * 24);

/// One external broker.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// Name of the source, as in `[[broker]] name`; it stands in every message and in the metrics.
    pub name: SmolStr,
    /// Where it listens.
    pub address: BrokerAddress,
    /// Which MQTT.
    pub version: MqttVersion,
    /// Who we are to it.
    pub login: Login,
    /// Certificates, when the address asks for TLS.
    pub tls: TlsFiles,
    /// The name of our session; the same on every start. See [`client_id`].
    pub client_id: String,
    /// How long the broker keeps our session while we are away (MQTT 5; with 3.1.1 the broker's own setting holds).
    pub session_expiry: Duration,
    /// Topic filters: those of the sources that this broker serves.
    pub filters: Vec<SmolStr>,
    /// Bounds.
    pub limits: Limits,
}

impl BrokerSettings {
    /// A broker with nothing but an address, for the given filters; everything else by default.
    #[must_use]
    pub fn new(
        name: &str,
        address: BrokerAddress,
        client_id: String,
        filters: Vec<SmolStr>,
    ) -> Self {
        Self {
            name: name.into(),
            address,
            version: MqttVersion::V5,
            login: Login::default(),
            tls: TlsFiles::default(),
            client_id,
            session_expiry: SESSION_EXPIRY,
            filters,
            limits: Limits::default(),
        }
    }

    /// The topic of this source's fences.
    #[must_use]
    pub fn fence_topic(&self) -> String {
        format!("foremend/{}/fence", self.client_id)
    }

    /// Refuses what could never work.
    ///
    /// # Errors
    /// Names the setting, its value, and what was expected.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.filters.is_empty() {
            return Err(SettingsError::NoFilters);
        }
        if let Some(bad) = self.filters.iter().find(|one| !filter::is_valid(one)) {
            return Err(SettingsError::Filter(bad.clone()));
        }
        self.check_connection()
    }

    /// The same for a connection that only publishes: filters do not matter.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_connection(&self) -> Result<(), SettingsError> {
        if self.client_id.is_empty()
            || self.client_id.len() > CLIENT_ID_LIMIT
            || self.client_id.contains(['+', '#', '/', '\0'])
        {
            return Err(SettingsError::ClientId(self.client_id.clone()));
        }
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err(SettingsError::HalfCertificate);
        }
        if !self.address.tls && (self.tls.ca_file.is_some() || self.tls.cert_file.is_some()) {
            return Err(SettingsError::CertificateWithoutTls);
        }
        if self.login.username.is_none() && self.login.has_password() {
            return Err(SettingsError::PasswordWithoutUser);
        }
        Ok(())
    }
}

/// Longest client id in bytes: far above what brokers assign themselves, far below MQTT's 65,535.
const CLIENT_ID_LIMIT: usize = 256;

/// The settings name something that cannot work.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The address is not one.
    #[error(
        "'{url}' is not the address of a broker: {why}; expected mqtt://HOST[:1883] or mqtts://HOST[:8883]"
    )]
    Url {
        /// What was given, without a password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The version is none that we speak.
    #[error("MQTT version '{0}' is not known; expected 5 or 3.1.1")]
    Version(String),
    /// Nothing to listen to.
    #[error("no topic filter: a broker needs at least one source")]
    NoFilters,
    /// A filter breaks MQTT's rules.
    #[error(
        "'{0}' is not an MQTT topic filter: + stands alone in its level, # alone in the last one"
    )]
    Filter(SmolStr),
    /// The client id cannot be part of a topic.
    #[error("client id '{0}' cannot be used: expected 1 to 256 bytes without + # /")]
    ClientId(String),
    /// A certificate without its key, or the reverse.
    #[error("cert_file and key_file go together; one of them is missing")]
    HalfCertificate,
    /// Certificates with an address that does not use them.
    #[error("ca_file and cert_file need an address that begins with mqtts://")]
    CertificateWithoutTls,
    /// MQTT has no password without a user.
    #[error("a password needs a username beside it")]
    PasswordWithoutUser,
}

/// Host and port of a broker, and whether it is spoken to over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Over TLS.
    pub tls: bool,
}

impl FromStr for BrokerAddress {
    type Err = SettingsError;

    fn from_str(url: &str) -> Result<Self, SettingsError> {
        let fail = |why| SettingsError::Url {
            url: url.rsplit_once('@').map_or(url, |(_, rest)| rest).into(),
            why,
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| fail("no scheme"))?;
        let tls = match scheme {
            "mqtt" | "tcp" => false,
            "mqtts" | "ssl" | "tls" => true,
            _ => return Err(fail("unknown scheme")),
        };
        if rest.contains('@') {
            return Err(fail(
                "user and password stand in settings of their own, not in the address",
            ));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(fail("nothing may follow the port"));
        }
        // An IPv6 address stands in brackets, and its colons belong to it.
        let bracketed = rest.starts_with('[');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !bracketed || host.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        if host.is_empty() {
            return Err(fail("no host"));
        }
        if bracketed && tls {
            return Err(fail("TLS needs a host name in place of an IPv6 address"));
        }
        let port = match port {
            None if tls => 8883,
            None => 1883,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(fail("the port is not a number of 1 to 65535")),
            },
        };
        Ok(Self {
            host: host.into(),
            port,
            tls,
        })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(out, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Which MQTT is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    #[default]
    V5,
}

impl FromStr for MqttVersion {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        match text {
            "5" | "5.0" => Ok(Self::V5),
            // 4 is the number that MQTT 3.1.1 itself puts on the wire.
            "3.1.1" | "4" => Ok(Self::V311),
            other => Err(SettingsError::Version(other.into())),
        }
    }
}

/// User and password. Files are read at each attempt, so that a changed password needs no restart.
#[derive(Clone, Default)]
pub struct Login {
    /// User name; none: no login.
    pub username: Option<String>,
    /// Password in the open, from an environment variable or a command line.
    pub password: Option<String>,
    /// File with the password; its last line break is no part of it. It wins over `password`.
    pub password_file: Option<PathBuf>,
}

impl Login {
    const fn has_password(&self) -> bool {
        self.password.is_some() || self.password_file.is_some()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password: settings are logged.
        out.debug_struct("Login")
            .field("username", &self.username)
            .field("password_file", &self.password_file)
            .finish_non_exhaustive()
    }
}

/// Certificate files in PEM, read at each attempt, so that a renewed certificate needs no restart.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Authorities to trust; none: those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, for brokers that ask for one.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
}

/// The session's name: what the settings say, else one that is derived from an id stored in the data directory, so that a
/// second installation never takes the first one's session.
#[must_use]
pub fn client_id(setting: Option<&str>, stored_id: &str, broker: &str) -> String {
    if let Some(setting) = setting {
        return setting.into();
    }
    let plain = |text: &str, most: usize| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .take(most)
            .collect()
    };
    format!("foremend-{}-{}", plain(stored_id, 12), plain(broker, 32))
}

/// Bounds of one source. Each says what happens when it is reached.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest payload in bytes that is kept whole (native convention: 256 KiB). A larger one is kept by its first
    /// 4 KiB and its length, and acknowledged.
    pub message_bytes: usize,
    /// How many messages may be unacknowledged: asked of the broker (MQTT 5). At 5 ms per group commit, 2,000 carry
    /// 150,000 messages a second; the broker waits when it is reached.
    pub receive_maximum: u16,
    /// How many received messages may wait for the journal. Brokers do not keep `receive_maximum` strictly, and those of
    /// MQTT 3.1.1 do not know it. When reached: QoS 0 is dropped and counted, and soon after reading pauses.
    pub waiting_messages: usize,
    /// The same in bytes.
    pub waiting_bytes: usize,
    /// How long reading may pause before the connection is given up (the session stays, the broker queues); below the
    /// keep-alive, after which the broker would cut it.
    pub stall: Duration,
    /// Messages of one append to the journal; more wait for the next.
    pub batch_messages: usize,
    /// The same in bytes: the journal's own commit size.
    pub batch_bytes: usize,
    /// Silence after which a ping is sent; rumqttc takes whole seconds, 5 at least.
    pub keep_alive: Duration,
    /// How long TCP, TLS and CONNACK may take together; then the attempt has failed.
    pub connect: Duration,
    /// How long one poll may take. A poll returns at least once per keep-alive; one that does not hangs in a write to
    /// a peer that reads nothing (the client of MQTT 5 has no time limit of its own there). Then the connection is dropped.
    pub poll: Duration,
    /// First delay before another attempt.
    pub backoff_first: Duration,
    /// Longest delay before another attempt.
    pub backoff_most: Duration,
    /// Delay when another client seems to take the session by turns; long, so that neither is thrown out all the time,
    /// and not for ever, since a broker that keeps crashing looks the same.
    pub contested: Duration,
    /// How long a connection must last to count as good, so that the delays begin anew.
    pub stable: Duration,
    /// How long after the connection messages may count as queued when the fence does not come back.
    pub fence: Duration,
    /// How long a stop waits for the journal and the last acknowledgements. What is not acknowledged then comes again.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            receive_maximum: 2_000,
            waiting_messages: 20_000,
            waiting_bytes: 64 * 1024 * 1024,
            stall: Duration::from_secs(20),
            batch_messages: 1_000,
            batch_bytes: 1024 * 1024,
            keep_alive: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            poll: Duration::from_secs(75),
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_mins(1),
            contested: Duration::from_mins(5),
            stable: Duration::from_mins(1),
            fence: Duration::from_secs(30),
            stop: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Option<(String, u16, bool)> {
        let address: BrokerAddress = url.parse().ok()?;
        Some((address.host, address.port, address.tls))
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_perhaps_a_port() {
        assert_eq!(address("mqtt://b"), Some(("b".into(), 1883, false)));
        assert_eq!(
            address("mqtts://b.example/"),
            Some(("b.example".into(), 8883, true))
        );
        assert_eq!(
            address("tcp://10.0.0.1:1999"),
            Some(("10.0.0.1".into(), 1999, false))
        );
        assert_eq!(
            address("mqtt://[::1]:1884"),
            Some(("[::1]".into(), 1884, false))
        );
        assert_eq!(address("mqtt://[::1]"), Some(("[::1]".into(), 1883, false)));
        for bad in [
            "b",
            "http://b",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://b:0",
            "mqtt://b:70000",
            "mqtt://b/x",
            "mqtts://[::1]",
        ] {
            assert_eq!(address(bad), None, "{bad} was taken");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let error = "mqtt://me:secret@b"
            .parse::<BrokerAddress>()
            .expect_err("refused");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_client_id_is_stable_and_told_apart_by_installation_and_broker() {
        assert_eq!(client_id(Some("mine"), "x", "y"), "mine");
        let one = client_id(None, "6f1c-33ab-9981-77", "plant a");
        assert_eq!(one, "foremend-6f1c33ab9981-planta");
        assert_ne!(one, client_id(None, "7f1c-33ab-9981-77", "plant a"));
    }

    #[test]
    fn what_could_never_work_is_refused_with_its_reason() {
        let good = BrokerSettings::new(
            "plant",
            "mqtt://b".parse().expect("an address"),
            "id".into(),
            vec!["appl/v1/#".into()],
        );
        assert_eq!(good.check(), Ok(()));
        let mut bad = good.clone();
        bad.filters = vec!["a/#/b".into()];
        assert_eq!(bad.check(), Err(SettingsError::Filter("a/#/b".into())));
        bad = good.clone();
        bad.client_id = "a/b".into();
        assert_eq!(bad.check(), Err(SettingsError::ClientId("a/b".into())));
        bad = good.clone();
        bad.tls.ca_file = Some("ca.pem".into());
        assert_eq!(bad.check(), Err(SettingsError::CertificateWithoutTls));
        bad = good;
        bad.login.password = Some("x".into());
        assert_eq!(bad.check(), Err(SettingsError::PasswordWithoutUser));
        assert!(
            !format!("{bad:?}").contains("\"x\""),
            "the password was shown"
        );
    }
}
