//! The edge that messages come in by: our session with an external MQTT broker, and the publisher for tables.
//!
//! It takes publishes, hands them to the journal in order, and acknowledges each only after the journal made it durable. It
//! leaves understanding them to `decode`. Invariant: an acknowledgement goes out on the connection that brought its
//! message, or not at all; and nothing here ever waits for the journal on the task that has to send acknowledgements.
//!
//! Why QoS 2 is not asked for: the client forgets half-finished QoS 2 exchanges with each connection and then fails at the
//! broker's PUBREL for ever. Subscribing at QoS 1 lets the broker finish QoS 2 with the publisher and deliver at QoS 1.

use std::io;
use std::sync::Arc;

use smol_str::SmolStr;
use tokio::sync::watch;

pub mod devices;

pub mod listener;

mod probe;

pub mod publish;

mod settings;

mod status;

mod sink;

mod source;

mod handover;

mod ack;

mod fence;

mod subscribe;

mod client;

mod v5;

mod v4;

mod tls;

mod filter;

mod backoff;

#[cfg(test)]
pub(crate) mod simulated;

pub use settings::BrokerAddress;
pub use settings::BrokerSettings;
pub use settings::Limits;
pub use settings::Login;
pub use settings::MqttVersion;
pub use settings::SESSION_EXPIRY;
pub use settings::SettingsError;
pub use settings::TlsFiles;
pub use settings::client_id;
pub use sink::Done;
pub use sink::Sink;
pub use sink::SinkError;
pub use status::SourceSnapshot;
pub use status::SourceState;
pub use status::SourceStatus;

/// Why a source ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The settings cannot work; nothing was attempted.
    #[error("broker '{name}'")]
    Settings {
        /// Name of the source.
        name: SmolStr,
        /// What is wrong.
        #[source]
        source: SettingsError,
    },
    /// Another client took the session. The source stays down: coming back would throw the other one out by turns.
    #[error(
        "source '{source_name}' is down: another program connected with the client id '{client_id}'"
    )]
    TakenOver {
        /// Name of the source.
        source_name: SmolStr,
        /// The client id that two programs use.
        client_id: String,
    },
    /// The operating system gave no thread.
    #[error("no thread for the way to the journal")]
    Thread(#[source] io::Error),
}

/// Listens to one external broker until `shutdown` becomes true (or its sender is gone), and through every lost connection
/// before that. Records go to `sink` in the order in which they arrived, `SourceUp` before the first message of a connection
/// and `SourceDown` after its last. What it is doing can be read from `status` at any time, also after it ended.
///
/// # Errors
/// When the settings cannot work, or another client takes the session. A broker that cannot be reached is no error.
pub async fn run(
    settings: BrokerSettings,
    sink: Arc<dyn Sink>,
    status: Arc<SourceStatus>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), IntakeError> {
    settings.check().map_err(|error| IntakeError::Settings {
        name: settings.name.clone(),
        source: error,
    })?;
    source::Source::new(settings, sink, status, shutdown)?
        .run()
        .await
}
