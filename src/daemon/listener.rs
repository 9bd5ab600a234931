//! The built-in listener of the settings: its ports, its door, its certificates, and the journal behind it.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::brokers::sink;
use super::shared::Shared;
use crate::config::ListenerConfig;
use crate::decode::DecodeState;
use crate::intake::listener;
use crate::intake::listener::Access;
use crate::intake::listener::AccessSettings;
use crate::intake::listener::Certificate;
use crate::intake::listener::ClientSnapshot;
use crate::intake::listener::Limits;
use crate::intake::listener::Listener;
use crate::intake::listener::ListenerSettings;
use crate::intake::listener::ListenerStatus;
use crate::intake::listener::ListenerTls;
use crate::intake::listener::SOURCE;
use crate::intake::listener::Subscribe;
use crate::journal::Journal;
use crate::telemetry::DeviceId;
use crate::telemetry::RawMessage;
use crate::web::LiveConnection;

/// A listener whose ports are taken and whose files are read; it accepts nothing yet.
pub(super) struct Opened {
    pub(super) listener: Listener,
    pub(super) doors: Doors,
    pub(super) status: Arc<ListenerStatus>,
}

/// Who is let in, and with which certificate: what a reload looks at.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) access: Access,
    pub(super) certificate: Option<Certificate>,
}

/// Takes the ports and reads the files.
///
/// # Errors
/// When a port is taken, or a certificate or the users file cannot be used.
pub(super) fn open(config: &ListenerConfig) -> anyhow::Result<Opened> {
    let has_client_ca = |tls: &crate::config::ListenerTlsConfig| tls.client_ca_file.is_some();
    let access = Access::open(AccessSettings {
        users_file: config.users_file.clone(),
        must_exist: config.users_file_is_named,
        anonymous: config.anonymous,
        certificates: config.tls.as_ref().is_some_and(has_client_ca),
    })?;
    let mut certificate = None;
    let tls = match &config.tls {
        Some(tls) => {
            let (acceptor, current) = listener::open_tls(&ListenerTls {
                cert_file: tls.cert_file.clone(),
                key_file: tls.key_file.clone(),
                client_ca_file: tls.client_ca_file.clone(),
            })?;
            certificate = Some(current);
            Some((tls.listen, acceptor))
        }
        None => None,
    };
    let wanted = Limits::default();
    let limits = wanted.within_open_files();
    if limits.connections < wanted.connections {
        tracing::warn!(
            connections = limits.connections,
            "the number of open files allows fewer MQTT connections than the listener takes; raise it with ulimit -n or LimitNOFILE="
        );
    }
    let listener = Listener::bind(ListenerSettings {
        listen: config.listen,
        tls,
        subscribe: if config.grants_subscriptions {
            Subscribe::Grant
        } else {
            Subscribe::Refuse
        },
        limits,
    })
    .context("the MQTT listener cannot begin")?;
    Ok(Opened {
        listener,
        doors: Doors {
            access,
            certificate,
        },
        status: Arc::new(ListenerStatus::new()),
    })
}

impl Opened {
    /// Lets devices in.
    pub(super) fn start(
        self,
        journal: &Journal,
        shared: &Arc<Shared>,
        shutdown: &watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        shared.add_source(Arc::clone(self.status.source()));
        let sink = sink(journal, &shared.metrics.stages);
        let shared = Arc::clone(shared);
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            let ended = self
                .listener
                .run(self.doors.access, sink, self.status, shutdown);
            if let Err(error) = ended.await {
                let error = anyhow::Error::new(error);
                tracing::error!("the listener is down: {error:#}");
                shared.trouble(SOURCE, &format!("{error:#}"));
            }
        })
    }
}

/// The clients that last spoke for a device. `sources` knows which topics are whose.
pub(super) fn connections(
    status: &ListenerStatus,
    sources: &DecodeState,
    device: &DeviceId,
) -> Vec<LiveConnection> {
    let speaks_for = |topic: &str| {
        let message = RawMessage {
            source: SOURCE.into(),
            topic: topic.into(),
            payload: Bytes::new(),
            qos: 0,
            dup: false,
            retained: false,
            queued: false,
            content_type: None,
            oversize: None,
        };
        sources.device_of(&message).as_ref() == Some(device)
    };
    let clients = status.clients_publishing(speaks_for).into_iter();
    clients.map(connection).collect()
}

fn connection(client: ClientSnapshot) -> LiveConnection {
    LiveConnection {
        client_id: client.client_id,
        user: client.user,
        peer: client.peer.to_string(),
        protocol: client.protocol.into(),
        tls: client.tls,
        since: client.since,
        keep_alive: client.keep_alive,
        messages: client.messages,
        denied: client.denied,
        subscriptions_granted: client.subscriptions_granted,
        subscriptions_refused: client.subscriptions_refused,
    }
}

/// The listener's numbers for `/metrics`, as they are when asked.
pub(super) struct ListenerNumbers(pub(super) Arc<ListenerStatus>);

impl fmt::Debug for ListenerNumbers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.snapshot(), out)
    }
}

impl Collector for ListenerNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let numbers = self.0.snapshot();
        let source = self.0.source().snapshot();
        for (name, help, value) in [
            (
                "listener_connections",
                "MQTT connections, in handshake or not",
                numbers.connections as u64,
            ),
            (
                "listener_unauthenticated",
                "MQTT connections without a login yet",
                numbers.unauthenticated as u64,
            ),
            (
                "listener_waiting_bytes",
                "Bytes on their way from MQTT connections to the journal",
                numbers.waiting_bytes,
            ),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(gauge)?;
        }
        for (name, help, value) in [
            (
                "listener_connects",
                "MQTT connections that were let in",
                numbers.connects,
            ),
            (
                "listener_publishes",
                "Messages taken from MQTT connections, wills too",
                source.received,
            ),
            (
                "listener_acknowledged",
                "Messages acknowledged to MQTT connections",
                source.acked,
            ),
            (
                "listener_denied",
                "Publishes outside the rights of their client, not kept",
                numbers.denied,
            ),
            (
                "listener_oversize",
                "Packets over the size limit; their connections were closed",
                source.oversize,
            ),
            (
                "listener_qos0_dropped",
                "Messages of QoS 0 that were not kept",
                source.qos0_dropped,
            ),
            ("listener_wills", "Wills published", numbers.wills),
            (
                "listener_received_bytes",
                "Bytes read from MQTT connections after they were let in",
                numbers.received_bytes,
            ),
        ] {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        for (name, help, values) in [
            (
                "listener_refused",
                "MQTT connections that were not let in, by reason",
                numbers.refused,
            ),
            (
                "listener_closed",
                "MQTT connections that ended, by reason",
                numbers.closed,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (reason, count) in values {
                let labels = [("reason", reason)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
