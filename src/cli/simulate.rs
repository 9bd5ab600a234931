//! `foremend simulate`: a made-up fleet over MQTT, in real time or as a load.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;

use super::Outcome;
use super::output::say;
use super::progress::Progress;
use super::progress::grouped;
use crate::daemon::demo::message;
use crate::daemon::demo::shares;
use crate::daemon::demo::speakers;
use crate::intake::BrokerAddress;
use crate::intake::BrokerSettings;
use crate::intake::Login;
use crate::intake::MqttVersion;
use crate::intake::TlsFiles;
use crate::intake::devices;
use crate::intake::devices::DevicesOptions;
use crate::intake::devices::Message;
use crate::intake::devices::Pace;
use crate::intake::devices::Report;
use crate::intake::devices::Script;
use crate::intake::devices::Tally;
use crate::lab::simulate::Cadence;
use crate::lab::simulate::Fleet;
use crate::lab::simulate::FleetPlan;
use crate::telemetry::DAY_MS;
use crate::telemetry::Timestamp;

/// Devices in real time unless told: a small fleet.
const LIVE_DEVICES: usize = 40;
/// Devices of a load unless told: enough that no single connection is the limit.
const LOAD_DEVICES: usize = 1_000;
/// A load's simulated time begins this long ago: what devices stamp then stays in the past, within what a daemon takes for plausible.
const LOAD_BEGINS_MS: i64 = 30 * DAY_MS;
/// Seconds of a load unless told.
const LOAD_SECONDS: u64 = 30;
/// Messages prepared for `--rate max`, at least this many per device: about a quarter of a gigabyte per million.
const PREPARED_PER_DEVICE: usize = 100;
/// And at most this many of all together.
const PREPARED: usize = 400_000;

/// Lets a made-up fleet speak MQTT: in real time like real devices, or with --rate as a load.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend simulate --url mqtt://127.0.0.1:1883 --devices 40\n  foremend simulate --rate 20000 --seconds 60\n  foremend simulate --rate max --devices 1000 --seconds 10\n\nWithout --rate every device speaks at its native cadence until Ctrl-C. With --rate simulated time, begun 30 days ago, runs as\nfast as the rate needs; --rate max repeats prepared messages with new counters and times. Exit code 1: not everything was acknowledged."
)]
pub(super) struct Simulate {
    /// The listener or broker.
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    url: BrokerAddress,
    /// MQTT version: 5 or 3.1.1.
    #[arg(long, default_value = "5", value_name = "VERSION")]
    mqtt: MqttVersion,
    /// How many devices: 40 in real time, 1,000 with --rate, unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    devices: Option<u32>,
    /// Messages a second, or `max`.
    #[arg(long, value_name = "MSG_PER_S")]
    rate: Option<Rate>,
    /// How long; with --rate 30 unless told, else until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Equal seeds give equal devices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Connections at most; more devices share them, as behind a gateway.
    #[arg(long, value_name = "N", default_value_t = devices::CONNECTIONS as u32, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Publishes on their way at once, per connection.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// User name.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// File with the password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// PEM with the authorities that sign the server's certificate, for mqtts://.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// PEM with our certificate.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// PEM with its key.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// The account as one JSON object.
    #[arg(long)]
    json: bool,
}

/// `--rate`
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rate {
    PerSecond(f64),
    Max,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Self::PerSecond(rate)),
            _ => Err("expected a number of messages a second above 0, or max".into()),
        }
    }
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        let report = runtime.block_on(self.play())?;
        self.tell(&report)?;
        let all = report.acknowledged == report.sent && report.unanswered == 0;
        Ok(if all { Outcome::Good } else { Outcome::NotGood })
    }

    async fn play(&self) -> anyhow::Result<Report> {
        let now = now();
        let load = self.rate.is_some();
        let devices = self
            .devices
            .map_or(if load { LOAD_DEVICES } else { LIVE_DEVICES }, |devices| {
                usize::try_from(devices).unwrap_or(usize::MAX)
            });
        let (toilets, brushes) = shares(devices);
        let plan = FleetPlan {
            seed: self.seed,
            from: if load { now - LOAD_BEGINS_MS } else { now },
            toilets,
            brushes,
            cadence: Cadence::Full,
            failures: Vec::new(),
        };
        let fleet = Fleet::new(plan);
        let speakers = speakers(&fleet.devices());
        let (stop, stopped) = watch::channel(false);
        let interrupt = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.send_replace(true);
            }
        });
        let tally = Arc::new(Tally::default());
        let shown = tokio::spawn(show(Arc::clone(&tally), self.json));
        let options = self.options(load);
        let report = match self.rate {
            Some(Rate::Max) => {
                let messages = prepared(fleet, speakers.len());
                devices::flood(&options, &speakers, messages, &tally, stopped).await
            }
            Some(Rate::PerSecond(rate)) => {
                let mut script = FleetScript { fleet, until: now };
                let pace = Pace::PerSecond(rate);
                devices::play(&options, &speakers, &mut script, pace, &tally, stopped).await
            }
            None => {
                let until = Timestamp::MAX;
                let mut script = FleetScript { fleet, until };
                devices::play(
                    &options,
                    &speakers,
                    &mut script,
                    Pace::Live,
                    &tally,
                    stopped,
                )
                .await
            }
        };
        interrupt.abort();
        shown.abort();
        // The bar goes with its task.
        drop(shown.await);
        Ok(report?)
    }

    fn options(&self, load: bool) -> DevicesOptions {
        let client_id = format!("foremend-simulate-{}", std::process::id());
        let server = BrokerSettings {
            version: self.mqtt,
            login: Login {
                username: self.username.clone(),
                password: None,
                password_file: self.password_file.clone(),
            },
            tls: TlsFiles {
                ca_file: self.ca_file.clone(),
                cert_file: self.cert_file.clone(),
                key_file: self.key_file.clone(),
            },
            ..BrokerSettings::new("simulate", self.url.clone(), client_id, Vec::new())
        };
        DevicesOptions {
            server,
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            window: self.window,
            limit: self
                .seconds
                .or(load.then_some(LOAD_SECONDS))
                .map(Duration::from_secs),
        }
    }

    fn tell(&self, report: &Report) -> anyhow::Result<()> {
        let seconds = report.took.as_secs_f64().max(1e-9);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = (report.acknowledged as f64 / seconds).round() as u64;
        let ms = |took: Option<Duration>| took.map(|took| took.as_secs_f64() * 1_000.0);
        let latency = &report.latency;
        let (p50, p99) = (ms(latency.quantile(0.5)), ms(latency.quantile(0.99)));
        let longest = ms(p50.map(|_| latency.longest()));
        let failed = report.unanswered + report.refused;
        if self.json {
            return say(&serde_json::json!({
                "sent": report.sent, "acknowledged": report.acknowledged, "refused": report.refused,
                "unanswered": report.unanswered, "failed": failed, "seconds": seconds, "rate": rate,
                "connections": report.connections, "reconnects": report.reconnects,
                "ack_ms": { "p50": p50, "p99": p99, "max": longest }, "troubles": report.troubles,
            })
            .to_string());
        }
        say(&format!(
            "{} sent, {} acknowledged, {} failed ({} refused, {} without an answer)",
            grouped(report.sent),
            grouped(report.acknowledged),
            grouped(failed),
            grouped(report.refused),
            grouped(report.unanswered)
        ))?;
        say(&format!(
            "{} messages/s over {seconds:.1} s on {} connections; {} connections made anew",
            grouped(rate),
            report.connections,
            report.reconnects
        ))?;
        if let (Some(p50), Some(p99), Some(longest)) = (p50, p99, longest) {
            say(&format!(
                "acknowledged after {p50:.1} ms (half), {p99:.1} ms (99 %), {longest:.1} ms (all)"
            ))?;
        }
        for trouble in &report.troubles {
            say(&format!("a connection did not end well: {trouble}"))?;
        }
        Ok(())
    }
}

/// A fleet as what devices say, up to a time.
struct FleetScript {
    fleet: Fleet,
    until: Timestamp,
}

impl Script for FleetScript {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.fleet.peek_at().filter(|at| *at <= self.until)
    }

    fn next(&mut self) -> Option<Message> {
        self.next_at()?;
        self.fleet.next().map(message)
    }
}

/// The messages that a load of `max` repeats.
fn prepared(mut fleet: Fleet, devices: usize) -> Vec<Message> {
    let wanted = (devices * PREPARED_PER_DEVICE).clamp(1, PREPARED);
    let messages = std::iter::from_fn(|| fleet.next().map(message));
    messages.take(wanted).collect()
}

/// Shows what goes on, on a terminal.
async fn show(tally: Arc<Tally>, quiet: bool) {
    if quiet {
        return;
    }
    let bar = Progress::open("devices speak", "messages acknowledged");
    loop {
        bar.at(tally.acknowledged());
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a simulated device reads its clock as a real one does"
)]
fn now() -> Timestamp {
    Timestamp::from_ms(chrono::Utc::now().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_positive_number_or_max() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("2.5".parse(), Ok(Rate::PerSecond(2.5)));
        for bad in ["0", "-1", "inf", "nan", "fast"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
