//! Opens the edges, wires them, and shuts them down in order.
//!
//! Order of a start: settings and profiles are checked; the journal is opened (which locks the data directory), then store, state
//! and series; the pipeline is restored; what changed of settings, zones and profiles is journalled behind a `Started`; the worker
//! replays; the web answers; only then the brokers are connected and devices are let in. A stop goes the other way: they first, so
//! that nothing new comes in, then the worker does what is durable and saves its state, then the journal is closed. `running` holds
//! both; `reload` is what can be taken up in between.

mod announce;

mod backend;

mod brokers;

mod catch_up;

mod clock;

pub mod demo;

mod effects;

mod feed;

mod gauges;

mod handover;

mod keep;

mod kept;

mod listener;

pub mod logging;

mod messages;

mod metrics;

mod numbers;

mod obstacles;

mod process;

mod reached;

mod readiness;

mod recover;

mod reload;

mod running;

mod saver;

mod series;

mod shared;

mod snapshot;

mod stage;

mod stage_times;

mod stopping;

mod systemd;

mod taken;

mod tally;

mod traffic;

mod understanding;

mod upkeep;

mod view;

mod worker;

mod zones;

#[cfg(test)]
mod once;

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use running::Running;
use stopping::part_error;

use crate::config::Config;
use crate::profile::Profiles;
use crate::web;

pub use clock::wall as wall_clock;
pub use kept::KeptReplay;
pub use kept::check_empty;
pub use reached::Reached;
pub use reached::reached;
pub use recover::export_base;
pub use recover::load_base;
pub use reload::ReadSettings;
pub use reload::Reload;
pub use zones::offset_s;
pub use zones::zone_table;

/// The folder of the journal in a data directory.
#[must_use]
pub fn journal_dir(data: &Path) -> PathBuf {
    data.join("journal")
}

/// The file of the store in a data directory.
#[must_use]
pub fn store_path(data: &Path) -> PathBuf {
    data.join("store.sqlite")
}

/// The users of the built-in listener in a data directory, where the settings name no other file.
#[must_use]
pub fn users_path(data: &Path) -> PathBuf {
    data.join("users")
}

/// The file of the pipeline's state.
fn state_path(data: &Path) -> PathBuf {
    data.join("state.sqlite")
}

/// The file of the series writer's state.
fn series_state_path(data: &Path) -> PathBuf {
    data.join("series-state.sqlite")
}

/// The file of the embedded series store.
fn series_path(data: &Path) -> PathBuf {
    data.join("series.sqlite")
}

/// What a person who started the daemon needs to know.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Address of the API.
    pub http: std::net::SocketAddr,
    /// Where the admin token lies.
    pub token_file: &'a Path,
    /// Where devices connect; `None` without a listener, or when it takes TLS only.
    pub mqtt: Option<std::net::SocketAddr>,
    /// Where devices connect over TLS.
    pub mqtts: Option<std::net::SocketAddr>,
}

/// What the daemon is told from outside while it runs.
pub struct Signals {
    /// True: stop in order.
    pub stop: watch::Receiver<bool>,
    /// Reads settings and profiles again when asked; `None`: never.
    pub reload: Option<Reload>,
}

/// Runs the daemon until `stop` becomes true, which may also be while it starts. `ready` is told where everything is once it is up.
///
/// Told to stop while it still replays, it ends after the batch under way, is never ready, and goes on from there the next time.
///
/// # Errors
/// When a part cannot be opened, or one that nothing can do without fails for good.
pub async fn run(
    config: Config,
    signals: Signals,
    ready: impl FnOnce(&Ready<'_>),
) -> anyhow::Result<()> {
    let Signals { mut stop, reload } = signals;
    let token_file = config.data_dir.join(web::ADMIN_TOKEN_FILE);
    let Some((mut running, addresses)) = Running::start(config, stop.clone(), reload).await? else {
        tracing::info!("stopped before the start was done; the next start goes on from here");
        return Ok(());
    };
    ready(&Ready {
        http: addresses.http,
        token_file: &token_file,
        mqtt: addresses.mqtt,
        mqtts: addresses.mqtts,
    });
    systemd::ready("ready");
    let watchdog = tokio::spawn(systemd::feed_watchdog(Arc::clone(&running.shared)));
    let failed = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => None,
        ended = &mut running.worker => Some(part_error("the worker", ended)),
        // Without it no point is written and the journal is never freed: better stopped and seen.
        ended = &mut running.consumer => Some(part_error("the series writer", ended)),
    };
    watchdog.abort();
    let ended = running.stop(failed).await;
    logging::tell_held_back(true);
    ended
}

fn compile(
    profiles: &[crate::telemetry::ProfileText],
    words: &[crate::telemetry::ProfileText],
    config: &Config,
) -> anyhow::Result<Profiles> {
    anyhow::ensure!(
        !profiles.is_empty(),
        "{} holds no profile (*.toml); name the folder with profiles.dir",
        config.profiles_dir.display()
    );
    Profiles::compile(profiles, words).map_err(|mistakes| {
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(
            "the profiles have mistakes; foremend check shows them:\n{}",
            texts.join("\n")
        )
    })
}
