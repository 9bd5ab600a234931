//! `foremend tail`: what devices send, as it comes, with what is understood of it. Reads the journal beside the running daemon.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::Outcome;
use super::decode::profiles_of;
use super::message;
use super::output::say;
use crate::config;
use crate::daemon;
use crate::decode;
use crate::decode::DecodeState;
use crate::journal::JournalError;
use crate::journal::JournalReader;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Lang;
use crate::telemetry::Position;
use crate::telemetry::Record;

/// How often the journal is looked at for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Entries of one read.
const READ_ENTRIES: usize = 2_048;
/// Bytes of memory of one read.
const READ_BYTES: usize = 8 << 20;
/// How far back the newest messages are looked for.
const BACK_ENTRIES: u64 = 65_536;

/// Shows messages as they come, with what is understood of each. Ends with Ctrl-C.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend tail --device ts-flash5/TSF5-MADEUP-01\n  foremend tail --raw --data foremend-demo"
)]
pub(super) struct Tail {
    /// Only this device (`model/serial`, or a serial).
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Topic and payload as they came, too.
    #[arg(long)]
    raw: bool,
    /// The data directory; wins over the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings file, for data directory, sources, time zone and profiles.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Begin with so many messages of before.
    #[arg(long, value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Show those, and end.
    #[arg(long)]
    no_follow: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Chinese instead of English.
    #[arg(long)]
    zh: bool,
}

impl Tail {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = config::load(self.config.as_deref())?;
        let data = self.data.clone().unwrap_or_else(|| config.data_dir.clone());
        let dir = daemon::journal_dir(&data);
        anyhow::ensure!(
            dir.is_dir(),
            "{} does not exist; name the data directory of a foremend with --data",
            dir.display()
        );
        let profiles = profiles_of(&config.profiles_dir)?;
        let mut memory = DecodeState::new();
        memory.configure(&config.settings);
        let zone = config.settings.timezone.parse().unwrap_or(chrono_tz::UTC);
        let reader = JournalReader::open(&dir)?;
        let floor = Position(reader.last().0.saturating_sub(BACK_ENTRIES)).max(reader.first());
        let mut before = Vec::new();
        let mut next = floor;
        while let Some((entries, after)) = read(&reader, next)? {
            before.extend(
                entries
                    .into_iter()
                    .filter(|entry| self.wants(&memory, entry)),
            );
            let surplus = before.len().saturating_sub(self.lines.max(1));
            before.drain(..surplus);
            next = after;
        }
        let mut tell = |entry: &Entry| -> anyhow::Result<()> {
            let Record::Message(message) = &entry.record else {
                return Ok(());
            };
            let context = decode::Context {
                profiles: &profiles,
                offset_s: daemon::offset_s(zone, entry.received_at),
            };
            let told = decode::understand(&mut memory, context, entry.received_at, message);
            if self.json {
                return say(&serde_json::to_string(&told)?);
            }
            say(&format!("{}", entry.received_at))?;
            if self.raw {
                say(&format!("  {}", message.topic))?;
                say(&format!("  {}", String::from_utf8_lossy(&message.payload)))?;
            }
            let lang = if self.zh { Lang::Zh } else { Lang::En };
            message::lines(&told, lang)
                .iter()
                .try_for_each(|line| say(&format!("  {line}")))
        };
        if self.lines > 0 {
            before.iter().try_for_each(&mut tell)?;
        }
        let sources = {
            let mut sources = DecodeState::new();
            sources.configure(&config.settings);
            sources
        };
        if self.no_follow {
            return Ok(Outcome::Good);
        }
        loop {
            // A reader sees what was there when it was opened.
            let reader = JournalReader::open(&dir)?;
            while let Some((entries, after)) = read(&reader, next)? {
                let mut wanted = entries.iter().filter(|entry| self.wants(&sources, entry));
                wanted.try_for_each(&mut tell)?;
                next = after;
            }
            thread::park_timeout(LOOK_EVERY);
        }
    }

    fn wants(&self, sources: &DecodeState, entry: &Entry) -> bool {
        let Record::Message(message) = &entry.record else {
            return false;
        };
        self.device.as_deref().is_none_or(|wanted| {
            sources
                .device_of(message)
                .is_some_and(|device| is_meant(&device, wanted))
        })
    }
}

fn is_meant(device: &DeviceId, wanted: &str) -> bool {
    device.serial() == wanted || device.to_string() == wanted
}

/// What lies from a position on, and where it goes on; `None` at the end. What retention took meanwhile is skipped.
fn read(
    reader: &JournalReader,
    from: Position,
) -> Result<Option<(Vec<Entry>, Position)>, JournalError> {
    let found = match reader.read(from, READ_ENTRIES, READ_BYTES) {
        Err(JournalError::Gone { .. }) => reader.read(reader.first(), READ_ENTRIES, READ_BYTES)?,
        found => found?,
    };
    let next = found.last().map(|last| last.position.next());
    Ok(next.map(|next| (found, next)))
}
