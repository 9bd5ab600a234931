//! The brokers of the settings as sources, each writing to the journal.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::intake;
use crate::intake::BrokerAddress;
use crate::intake::BrokerSettings;
use crate::intake::Login;
use crate::intake::MqttVersion;
use crate::intake::Sink;
use crate::intake::SinkError;
use crate::intake::SourceStatus;
use crate::intake::TlsFiles;
use crate::journal::AppendError;
use crate::journal::Journal;
use crate::telemetry::Record;

use super::shared::Shared;
use super::stage_times::Stages;
use super::stage_times::seconds;

/// The journal, as intake sees it.
struct JournalSink {
    journal: Journal,
    receive_to_ack: Histogram,
}

impl Sink for JournalSink {
    fn append(&self, records: Vec<Record>, done: intake::Done) {
        let told: crate::journal::Done =
            Box::new(move |result| done(result.map(|_| ()).map_err(|error| sink_error(&error))));
        // What is refused has been told to `done` already.
        drop(self.journal.append(records, told));
    }

    fn acknowledged(&self, took: Duration) {
        self.receive_to_ack.observe(seconds(took));
    }
}

/// The way to the journal.
pub(super) fn sink(journal: &Journal, stages: &Stages) -> Arc<dyn Sink> {
    Arc::new(JournalSink {
        journal: journal.clone(),
        receive_to_ack: stages.receive_to_ack.clone(),
    })
}

const fn sink_error(error: &AppendError) -> SinkError {
    match error {
        AppendError::Full => SinkError::Full,
        AppendError::Closed => SinkError::Closed,
        _ => SinkError::Failed,
    }
}

/// Starts a task per broker.
pub(super) fn start(
    config: &Config,
    journal: &Journal,
    shared: &Arc<Shared>,
    shutdown: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let filters: Vec<_> = config
        .settings
        .sources
        .iter()
        .map(|source| source.filter.clone())
        .collect();
    let mut tasks = Vec::new();
    for broker in &config.brokers {
        let settings = BrokerSettings {
            version: if broker.version_5 {
                MqttVersion::V5
            } else {
                MqttVersion::V311
            },
            login: Login {
                username: broker.username.clone(),
                password: None,
                password_file: broker.password_file.clone(),
            },
            tls: TlsFiles {
                ca_file: broker.ca_file.clone(),
                cert_file: broker.cert_file.clone(),
                key_file: broker.key_file.clone(),
            },
            session_expiry: broker.session_expiry,
            ..BrokerSettings::new(
                &broker.name,
                BrokerAddress {
                    host: broker.host.clone(),
                    port: broker.port,
                    tls: broker.tls,
                },
                intake::client_id(broker.client_id.as_deref(), journal.id(), &broker.name),
                filters.clone(),
            )
        };
        let name = broker.name.clone();
        let sink = sink(journal, &shared.metrics.stages);
        let status = Arc::new(SourceStatus::new(&broker.name));
        shared.add_source(Arc::clone(&status));
        let shared = Arc::clone(shared);
        let shutdown = shutdown.clone();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = intake::run(settings, sink, status, shutdown).await {
                let error = anyhow::Error::new(error);
                tracing::error!(source = %name, "the source is down: {error:#}");
                shared.trouble(&format!("source {name}"), &format!("{error:#}"));
            }
        }));
    }
    tasks
}
