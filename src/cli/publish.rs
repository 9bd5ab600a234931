//! `foremend publish`: a CSV table as MQTT messages, paced by its own stamps.

use std::io::IsTerminal as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use super::output::complain;
use super::output::say;
use crate::intake::BrokerAddress;
use crate::intake::BrokerSettings;
use crate::intake::Login;
use crate::intake::MqttVersion;
use crate::intake::TlsFiles;
use crate::intake::publish;
use crate::intake::publish::Cell;
use crate::intake::publish::Kind;
use crate::intake::publish::PublishOptions;
use crate::intake::publish::Speed;
use crate::intake::publish::Stamps;
use crate::intake::publish::TableOptions;
use crate::intake::publish::Totals;

/// Publishes a CSV table as MQTT messages of the native convention.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend publish --csv rig.csv --model water-rig --serial RIG-1 --column temp=water.out_c --broker mqtt://127.0.0.1"
)]
pub(super) struct Publish {
    /// The table, with a line of column names.
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// The broker.
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: BrokerAddress,
    /// MQTT version: 5 or 3.1.1.
    #[arg(long, default_value = "5", value_name = "VERSION")]
    mqtt: MqttVersion,
    /// The model of every row.
    #[arg(
        long,
        value_name = "MODEL",
        conflicts_with = "model_column",
        required_unless_present = "model_column"
    )]
    model: Option<String>,
    /// Column with the model.
    #[arg(long, value_name = "COLUMN")]
    model_column: Option<String>,
    /// The serial of every row.
    #[arg(
        long,
        value_name = "SERIAL",
        conflicts_with = "serial_column",
        required_unless_present = "serial_column"
    )]
    serial: Option<String>,
    /// Column with the serial.
    #[arg(long, value_name = "COLUMN")]
    serial_column: Option<String>,
    /// Column with the time; without it the one called ts, time, timestamp or datetime.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// A value column and its wire path; repeat it. Without any: every other column under its own name.
    #[arg(long = "column", value_name = "COLUMN=PATH", value_parser = column)]
    columns: Vec<(String, String)>,
    /// A value that every row says; repeat it.
    #[arg(long = "constant", value_name = "PATH=VALUE", value_parser = constant)]
    constants: Vec<(String, String)>,
    /// Rows become events of this name instead of signals.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Divides the distances between stamps by N; `max` does not wait at all. Holds do not scale with it.
    #[arg(long, default_value = "1", value_name = "N")]
    speed: Speed,
    /// Move the stamps so that the first is now, or keep them.
    #[arg(long, default_value = "now", value_name = "now|keep")]
    stamps: Stamps,
    /// User name at the broker.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// File with the password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// PEM with the authorities that sign the broker's certificate.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// PEM with our certificate.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// PEM with its key.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

fn column(text: &str) -> Result<(String, String), String> {
    publish::parse_pair(text, "COLUMN=PATH").map_err(|error| error.to_string())
}

fn constant(text: &str) -> Result<(String, String), String> {
    publish::parse_pair(text, "PATH=VALUE").map_err(|error| error.to_string())
}

/// One of two, which clap has made sure of.
fn cell(fixed: Option<String>, column: Option<String>) -> Cell {
    column.map_or_else(|| Cell::Fixed(fixed.unwrap_or_default()), Cell::Column)
}

impl Publish {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let options = self.options();
        if let Some(warning) = options.warning() {
            complain(warning);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        let totals = runtime.block_on(play(&options))?;
        say(&format!(
            "{} rows: {} published, {} empty, {} refused, {} sent once more, {} bytes",
            totals.rows,
            totals.published,
            totals.empty,
            totals.refused,
            totals.resent,
            totals.bytes
        ))?;
        Ok(if totals.missing() == 0 && totals.refused == 0 {
            Outcome::Good
        } else {
            Outcome::NotGood
        })
    }

    fn options(self) -> PublishOptions {
        let client_id = format!("foremend-publish-{}", std::process::id());
        let broker = BrokerSettings {
            version: self.mqtt,
            login: Login {
                username: self.username,
                password: None,
                password_file: self.password_file,
            },
            tls: TlsFiles {
                ca_file: self.ca_file,
                cert_file: self.cert_file,
                key_file: self.key_file,
            },
            ..BrokerSettings::new("publish", self.broker, client_id, Vec::new())
        };
        let table = TableOptions {
            model: cell(self.model, self.model_column),
            serial: cell(self.serial, self.serial_column),
            kind: self
                .event
                .map_or(Kind::Tele, |name| Kind::Event(Cell::Fixed(name))),
            time: self.time,
            columns: self.columns,
            constants: self.constants,
        };
        PublishOptions {
            broker,
            csv: self.csv,
            table,
            stamps: self.stamps,
            speed: self.speed,
        }
    }
}

async fn play(options: &PublishOptions) -> anyhow::Result<Totals> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
    });
    let shown = std::io::stderr().is_terminal();
    let mut progress = |totals: &Totals| {
        if shown {
            // A progress line that cannot be written is no reason to stop.
            drop(write!(
                std::io::stderr(),
                "\r{} of {} rows",
                totals.published,
                totals.rows
            ));
        }
    };
    let totals = publish::publish(options, stopped, &mut progress).await;
    interrupted.abort();
    if shown {
        drop(writeln!(std::io::stderr()));
    }
    Ok(totals?)
}
