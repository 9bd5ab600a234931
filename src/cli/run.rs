//! `foremend run`: the daemon.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::Outcome;
use super::output::say;
use crate::config;
use crate::daemon;

/// The daemon: takes messages, opens tickets, serves the API.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend run --config foremend.toml\n\nWithout a settings file: MQTT on port 1883, HTTP on 127.0.0.1:8700, embedded stores.\nThe log goes to standard error; RUST_LOG=foremend=debug tells more."
)]
pub(super) struct Run {
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory; wins over the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let mut config = config::load(self.config.as_deref())?;
        if let Some(data) = self.data {
            config.move_data(data);
        }
        start_log(self.log_json, "info");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(async {
            let (stop, stopped) = watch::channel(false);
            stop_signals(stop)?;
            daemon::run(config, stopped, |ready| {
                // A closed standard output is no reason not to run.
                drop(say(&greeting(ready)));
            })
            .await
        })?;
        Ok(Outcome::Good)
    }
}

/// What the person who started the daemon reads first.
fn greeting(ready: &daemon::Ready<'_>) -> String {
    let mut line = format!(
        "foremend is ready: http://{} (admin token in {})",
        ready.http,
        ready.token_file.display()
    );
    let doors = [("mqtt", ready.mqtt), ("mqtts", ready.mqtts)];
    for (scheme, address) in doors {
        if let Some(address) = address {
            line += ", devices connect to ";
            line += scheme;
            line += "://";
            line += &address.to_string();
        }
    }
    line
}

/// From now on SIGTERM and Ctrl-C make `stop` true.
///
/// # Errors
/// When the operating system takes no handler.
pub(super) fn stop_signals(stop: watch::Sender<bool>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
    });
    Ok(())
}

/// The log on standard error: as much as `RUST_LOG` says, else this level.
pub(super) fn start_log(json: bool, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log on a full disk: telling that a line could not be written would panic in whoever wrote it.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(false).init();
    }
}
