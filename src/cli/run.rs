//! `foremend run`: the daemon.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::Outcome;
use super::output::say;
use crate::config;
use crate::config::LogFormat;
use crate::daemon;
use crate::daemon::Reload;
use crate::daemon::Signals;
use crate::daemon::logging;

/// The daemon: takes messages, opens tickets, serves the API.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend run --config foremend.toml\n\nWithout a settings file: MQTT on port 1883, HTTP on 127.0.0.1:8700, embedded stores.\nThe log goes to standard error; RUST_LOG=foremend=debug tells more.\nSIGTERM and Ctrl-C stop it in order. SIGHUP reads profiles, users, certificate, tokens and log level again."
)]
pub(super) struct Run {
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory; wins over the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How a line of the log looks; wins over the settings.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// The same as --log-format json.
    #[arg(long, hide = true, conflicts_with = "log_format")]
    log_json: bool,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let format = self.log_format.or(self.log_json.then_some(LogFormat::Json));
        let Self { config, data, .. } = self;
        // The same for the start and for every reload.
        let read = move || {
            let mut config = config::load(config.as_deref())?;
            if let Some(data) = &data {
                config.move_data(data.clone());
            }
            if let Some(format) = format {
                config.log.format = format;
            }
            Ok(config)
        };
        let config = read()?;
        logging::start(config.log.format, &config.log.level);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(async {
            let (stop, stopped) = watch::channel(false);
            stop_signals(stop)?;
            let signals = Signals {
                stop: stopped,
                reload: Some(Reload {
                    asked: reload_signals()?,
                    read: Box::new(read),
                }),
            };
            daemon::run(config, signals, |ready| {
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

/// From now on SIGHUP asks for a reload; more of them while one waits are the same one.
///
/// # Errors
/// When the operating system takes no handler.
fn reload_signals() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // Full: one waits already, and reads everything.
            ask.try_send(()).ok();
        }
    });
    Ok(asked)
}
