//! One MQTT connection, whichever version it speaks.
//!
//! The differences between MQTT 3.1.1 and 5 (and between the two clients of rumqttc) end in `v4` and `v5`; all others see
//! this enum. A connection lives once: after any error it is dropped, event loop and queues and all, and a fresh one is
//! opened. So nothing that was read or asked on one connection can reach another.

use std::time::Duration;

use bytes::Bytes;
use smol_str::SmolStr;

use super::settings::BrokerSettings;
use super::settings::MqttVersion;
use super::tls;
use super::v4;
use super::v5;

/// Requests that may wait for the connection; acknowledgements beyond it wait in the lane (`ack`), which needs less memory for them.
pub(super) const REQUEST_LIMIT: usize = 4_096;

/// Publishes of our own that may be unacknowledged. Small tables for the client, more than our own windows use.
pub(super) const OUTGOING_LIMIT: u16 = 100;

/// The largest packet that MQTT knows. The client reads any message whole, because a lower limit would make it fail at the
/// same message again and again (3.1.1), or make the broker discard it unseen (5). What is too large for us is cut when it is
/// handed on; how much a publisher may send is the broker's to bound (`message_size_limit` in the sample settings).
pub(super) const PACKET_LIMIT: u32 = 268_435_460;

/// What one connection needs, read fresh at each attempt.
#[derive(Clone)]
pub(super) struct ConnectOptions {
    pub(super) version: MqttVersion,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: rumqttc::Transport,
    pub(super) client_id: String,
    pub(super) login: Option<(String, String)>,
    pub(super) keep_alive: Duration,
    pub(super) connect: Duration,
    /// `Some`: consume on a session that stays; `None`: a publisher's short session.
    pub(super) session: Option<Session>,
}

/// The session of a consumer.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub(super) expiry: Duration,
    pub(super) receive_maximum: u16,
}

impl ConnectOptions {
    /// For the consumer of these settings.
    pub(super) fn consumer(settings: &BrokerSettings) -> Result<Self, String> {
        let mut options = Self::publisher(settings, settings.client_id.clone())?;
        options.session = Some(Session {
            expiry: settings.session_expiry,
            receive_maximum: settings.limits.receive_maximum,
        });
        Ok(options)
    }

    /// For a publisher beside it. Publishing and consuming never share a connection: acknowledgements would wait behind
    /// publishes that the broker has not acknowledged.
    pub(super) fn publisher(settings: &BrokerSettings, client_id: String) -> Result<Self, String> {
        Ok(Self {
            version: settings.version,
            host: settings.address.host.clone(),
            port: settings.address.port,
            transport: if settings.address.tls {
                tls::transport(&settings.tls)?
            } else {
                rumqttc::Transport::Tcp
            },
            client_id,
            login: login(settings)?,
            keep_alive: settings.limits.keep_alive,
            connect: settings.limits.connect,
            session: None,
        })
    }
}

/// User and password as they are now.
pub(super) fn login(settings: &BrokerSettings) -> Result<Option<(String, String)>, String> {
    let login = &settings.login;
    let Some(username) = login.username.clone() else {
        return Ok(None);
    };
    let password = match &login.password_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| format!("password_file {}: {error}", file.display()))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        None => login.password.clone().unwrap_or_default(),
    };
    Ok(Some((username, password)))
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// The broker took us.
    Up {
        /// It had kept our session: subscriptions stand, and what comes first was queued.
        session_present: bool,
    },
    /// The answer to one SUBSCRIBE: per filter, `Some` with the reason when it was refused.
    Subscribed(Vec<Option<String>>),
    /// A message.
    Message(Delivery),
    /// The broker took a message of ours, or refused it.
    Published {
        /// Its packet id.
        pkid: u16,
        /// Why it was refused.
        refused: Option<String>,
    },
    /// A message of ours was written, under this packet id.
    Sending(u16),
    /// Our DISCONNECT was written, and so was everything asked before it.
    Disconnected,
    /// The packet ids of our own publishes ran into each other; only a new connection helps.
    Collision,
    /// Nothing that matters to anyone here.
    Other,
}

/// A message as it came off the wire.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) topic: SmolStr,
    pub(super) payload: Bytes,
    pub(super) qos: u8,
    pub(super) dup: bool,
    pub(super) retained: bool,
    pub(super) pkid: u16,
    pub(super) content_type: Option<SmolStr>,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another client took our session and the broker said so.
    TakenOver,
    /// The broker closed the connection without a word that reached us. It may have stopped; or another client took our
    /// session and we were not told: MQTT 3.1.1 cannot, and rumqttc overlooks a DISCONNECT of MQTT 5 that carries a
    /// reason but no properties, which is how mosquitto writes it.
    Closed,
    /// Anything else, in words.
    Lost(String),
}

/// One connection, its event loop included.
pub(super) enum Connection {
    V4(Box<v4::Connection>),
    V5(Box<v5::Connection>),
}

impl Connection {
    /// Prepares a connection; the first [`Self::poll`] opens it.
    pub(super) fn open(options: ConnectOptions) -> Self {
        match options.version {
            MqttVersion::V311 => Self::V4(Box::new(v4::Connection::open(options))),
            MqttVersion::V5 => Self::V5(Box::new(v5::Connection::open(options))),
        }
    }

    /// Waits for the next event. After an error the connection is of no use any more.
    pub(super) async fn poll(&mut self) -> Result<Event, Failure> {
        match self {
            Self::V4(connection) => connection.poll().await,
            Self::V5(connection) => connection.poll().await,
        }
    }

    /// Messages of QoS 0 that were read before the connection broke: nobody sends them again.
    pub(super) fn leftovers(&mut self) -> Vec<Delivery> {
        match self {
            Self::V4(connection) => connection.leftovers(),
            Self::V5(connection) => connection.leftovers(),
        }
    }

    /// The way to ask something of this connection, from any thread.
    pub(super) fn requests(&self) -> Requests {
        match self {
            Self::V4(connection) => Requests::V4(connection.client()),
            Self::V5(connection) => Requests::V5(connection.client()),
        }
    }
}

/// Asks things of one connection. None of these wait; `false` means there was no room or no connection.
#[derive(Clone)]
pub(super) enum Requests {
    V4(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

impl Requests {
    /// PUBACK (QoS 1) or PUBREC (QoS 2).
    pub(super) fn try_ack(&self, pkid: u16, qos: u8) -> bool {
        match self {
            Self::V4(client) => v4::try_ack(client, pkid, qos),
            Self::V5(client) => v5::try_ack(client, pkid, qos),
        }
    }

    /// SUBSCRIBE at QoS 1. With MQTT 5 retained copies come only for subscriptions that are new.
    pub(super) fn try_subscribe(&self, filters: &[SmolStr]) -> bool {
        match self {
            Self::V4(client) => v4::try_subscribe(client, filters),
            Self::V5(client) => v5::try_subscribe(client, filters),
        }
    }

    /// PUBLISH at QoS 1, not retained.
    pub(super) fn try_publish(&self, topic: &str, payload: &Bytes) -> bool {
        match self {
            Self::V4(client) => v4::try_publish(client, topic, payload),
            Self::V5(client) => v5::try_publish(client, topic, payload),
        }
    }

    /// DISCONNECT; the session stays.
    pub(super) fn try_disconnect(&self) -> bool {
        match self {
            Self::V4(client) => client.try_disconnect().is_ok(),
            Self::V5(client) => client.try_disconnect().is_ok(),
        }
    }
}

/// An error with all its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
