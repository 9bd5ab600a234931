//! `foremend decode`: what is understood of one message, without a daemon.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Outcome;
use super::message;
use super::output::say;
use crate::config;
use crate::daemon;
use crate::decode;
use crate::decode::DecodeState;
use crate::profile::Profiles;
use crate::telemetry::Lang;
use crate::telemetry::RawMessage;
use crate::telemetry::Timestamp;

/// Largest payload that is read from standard input: beyond what any device may send.
const PAYLOAD_LIMIT: u64 = 1 << 20;

/// Says what is understood of one message: convention, device, times and why, every value, and what is probably wrong.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend decode appl/v1/model-a/MADEUP-01/tele '{\"ts\":1772347269,\"s\":{\"water.outc\":37.8}}'\n  mosquitto_sub -C 1 -t 'appl/v1/#' | foremend decode appl/v1/model-a/MADEUP-01/tele -"
)]
pub(super) struct Decode {
    /// The topic it is sent to.
    topic: String,
    /// The payload; `-` or nothing: standard input.
    payload: Option<String>,
    /// When it came (RFC 3339); now unless told.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// It is a broker's retained copy.
    #[arg(long)]
    retained: bool,
    /// Settings file, for sources, time zone and profiles.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the fault profiles; wins over the settings.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// Chinese instead of English.
    #[arg(long)]
    zh: bool,
}

impl Decode {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = config::load(self.config.as_deref())?;
        let folder = self.profiles.unwrap_or_else(|| config.profiles_dir.clone());
        let profiles = profiles_of(&folder)?;
        let payload = match self.payload.as_deref() {
            None | Some("-") => {
                let mut bytes = Vec::new();
                let mut input = std::io::stdin().lock().take(PAYLOAD_LIMIT);
                input
                    .read_to_end(&mut bytes)
                    .context("cannot read standard input")?;
                bytes
            }
            Some(text) => text.as_bytes().to_vec(),
        };
        let received_at = self.at.unwrap_or_else(daemon::wall_clock);
        let message = RawMessage {
            source: "decode".into(),
            topic: self.topic.into(),
            payload: payload.into(),
            qos: 1,
            dup: false,
            retained: self.retained,
            queued: false,
            content_type: None,
            oversize: None,
        };
        let mut memory = DecodeState::new();
        memory.configure(&config.settings);
        let zone = config.settings.timezone.parse().unwrap_or(chrono_tz::UTC);
        let context = decode::Context {
            profiles: &profiles,
            offset_s: daemon::offset_s(zone, received_at),
        };
        let told = decode::understand(&mut memory, context, received_at, &message);
        if self.json {
            say(&serde_json::to_string(&told)?)?;
        } else {
            let lang = if self.zh { Lang::Zh } else { Lang::En };
            for line in message::lines(&told, lang) {
                say(&line)?;
            }
        }
        Ok(if told.result == "rejected" {
            Outcome::NotGood
        } else {
            Outcome::Good
        })
    }
}

/// The profiles of a folder, compiled.
pub(super) fn profiles_of(folder: &std::path::Path) -> anyhow::Result<Profiles> {
    let (profiles, words) = config::read_profiles(folder)?;
    Profiles::compile(&profiles, &words).map_err(|mistakes| {
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(
            "the profiles have mistakes; foremend check shows them:\n{}",
            texts.join("\n")
        )
    })
}
