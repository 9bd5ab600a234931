//! `foremend demo`: the daemon with a made-up fleet, its past, and something to watch.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;

use super::Outcome;
use super::output::complain;
use super::output::say;
use super::progress::Progress;
use super::run::stop_signals;
use crate::config;
use crate::config::ListenerConfig;
use crate::config::LogFormat;
use crate::daemon::demo;
use crate::daemon::demo::DemoOptions;
use crate::daemon::demo::Opening;
use crate::daemon::logging;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;

/// An earlier demo that was left longer ago than this is old news: its clocks all stand in the red.
const OLD: Duration = Duration::from_hours(24);

/// The daemon with a made-up fleet: 30 days of its past, then live over MQTT, with failures that develop while you watch.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend demo\n  foremend demo --data /tmp/demo --devices 12 --days 10 --http 127.0.0.1:0 --mqtt 127.0.0.1:0\n\nA second start goes on with the demo that is there; --new begins anew. Ctrl-C stops everything."
)]
pub(super) struct Demo {
    /// A directory of its own for the demo.
    #[arg(long, value_name = "DIR", default_value = "foremend-demo")]
    data: PathBuf,
    /// Equal seeds give an equal fleet and an equal desk.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many devices, toothbrushes among them.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    devices: u32,
    /// How many days of past.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=45))]
    days: u32,
    /// Address of pages and API.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8700")]
    http: SocketAddr,
    /// Address at which the fleet, and any device of yours, connects.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883")]
    mqtt: SocketAddr,
    /// Remove an earlier demo and begin anew.
    #[arg(long = "new")]
    anew: bool,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        logging::start(LogFormat::Text, "warn");
        let mut config = config::load(None)?;
        config.http.listen = self.http;
        config.brokers.clear();
        config.influxdb = None;
        config.listener = Some(ListenerConfig {
            listen: Some(self.mqtt),
            tls: None,
            users_file: self.data.join("users"),
            users_file_is_named: false,
            // The fleet has no passwords; the address decides who can try.
            anonymous: Some(true),
            grants_subscriptions: true,
        });
        let options = DemoOptions {
            data: self.data.clone(),
            seed: self.seed,
            devices: usize::try_from(self.devices).unwrap_or(usize::MAX),
            days: self.days,
            anew: self.anew,
        };
        let bar = Progress::of(
            &format!("{} devices live through {} days", self.devices, self.days),
            1,
            "h",
        );
        let mut progress = |done, total| {
            let hours = |ms: u64| ms / HOUR_MS.unsigned_abs();
            bar.of_total(hours(done), hours(total));
        };
        let prepared = demo::prepare(&options, config, &mut progress)?;
        drop(bar);
        let continued = prepared.continued;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(async {
            let (stop, stopped) = watch::channel(false);
            stop_signals(stop)?;
            demo::run(prepared, stopped, |opening| {
                // A closed standard output is no reason not to run.
                for line in greeting(opening, continued) {
                    drop(say(&line));
                }
            })
            .await
        })?;
        complain(&format!(
            "stopped; `foremend demo --data {}` goes on with it",
            self.data.display()
        ));
        Ok(Outcome::Good)
    }
}

/// What a visitor reads first.
fn greeting(opening: &Opening, continued: Option<Timestamp>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(left) = continued {
        lines.push(format!("Going on with the demo that was left at {left}."));
        if left + i64::try_from(OLD.as_millis()).unwrap_or(DAY_MS) < opening.now {
            lines.push("It has been alone for more than a day; --new begins anew.".into());
        }
    }
    let token = std::fs::read_to_string(&opening.token_file).unwrap_or_default();
    lines.push(format!("foremend is ready: http://{}", opening.http));
    lines.push(format!(
        "  log in with the admin token  {}  (also in {})",
        token.trim(),
        opening.token_file.display()
    ));
    lines.push(format!(
        "  devices connect to           mqtt://{}",
        opening.mqtt
    ));
    if !opening.acts.is_empty() {
        lines.push("What will happen while you watch:".into());
    }
    for (ms, act) in &opening.acts {
        lines.push(format!(
            "  in {:>6}  {}  {}",
            span(*ms),
            act.device,
            act.told.en
        ));
    }
    lines.push(
        "Resolve a ticket as a confirmed fault, or record the part that was replaced, and the device is well again; with another verdict it is not.".into(),
    );
    lines.push("Ctrl-C stops everything.".into());
    lines
}

/// A span of time for people.
fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    if seconds < 90 {
        format!("{seconds} s")
    } else {
        format!("{} min", (seconds + 30) / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_seconds_then_minutes() {
        assert_eq!(
            [span(29_700), span(89_000), span(90_000), span(12 * 60_000)],
            ["29 s", "89 s", "2 min", "12 min"]
        );
    }
}
