//! `foremend journal`: the durable log, also while the daemon runs (except `salvage`).

mod salvage;

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap::Subcommand;
use serde_json::json;

use crate::cli::Outcome;
use crate::cli::output::say;
use crate::cli::progress::Progress;
use crate::config;
use crate::daemon;
use crate::journal::JournalReader;
use crate::journal::VerifyReport;
use crate::journal::verify;
use crate::lab::recording::RecordingWriter;
use crate::telemetry::Position;

/// Entries read at once.
const READ_ENTRIES: usize = 8_192;
/// Bytes read at once.
const READ_BYTES: usize = 8 << 20;

/// The durable log: what it holds, whether it is whole, its export as a recording, and what to save of a damaged one.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  foremend journal export --data foremend-data > yesterday.jsonl\n  foremend replay yesterday.jsonl"
)]
pub(super) struct Journal {
    #[command(subcommand)]
    command: Command,
    /// The data directory; wins over the settings.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings file, for its data directory.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says what the journal holds.
    #[command(after_help = "Example:\n  foremend journal info --data foremend-data")]
    Info,
    /// Reads every record of every file and says what is whole and what is not.
    #[command(
        after_help = "Example:\n  foremend journal verify --data foremend-data\n\nExit code 1: something is damaged."
    )]
    Verify {
        /// One JSON object instead of words.
        #[arg(long)]
        json: bool,
    },
    /// Saves what is whole of a damaged journal into a new data directory, and says exactly what is lost. Changes nothing.
    #[command(
        after_help = "Example:\n  foremend journal salvage --data foremend-data --into salvaged\n  mv foremend-data/journal foremend-data/journal.damaged\n  mv salvaged/journal foremend-data/journal\n  foremend run --data foremend-data\n\nStop the daemon before. Exit code 1: something is lost; 0: everything was whole."
    )]
    Salvage {
        /// The new data directory; it must be empty or not exist.
        #[arg(long, value_name = "NEW")]
        into: PathBuf,
        /// One JSON object instead of words.
        #[arg(long)]
        json: bool,
    },
    /// Writes the journal as a recording to standard output (or a file).
    #[command(
        after_help = "Example:\n  foremend journal export --data foremend-data --output all.jsonl\n  foremend replay all.jsonl"
    )]
    Export {
        /// Where to.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// From this position on; with a base, from the one behind it.
        #[arg(long, value_name = "POSITION")]
        from: Option<u64>,
        /// Write the newest saved state here too: `foremend replay --base FILE` goes on from it.
        #[arg(long, value_name = "FILE")]
        base: Option<PathBuf>,
    },
}

impl Journal {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let data = match self.data {
            Some(data) => data,
            None => config::load_places(self.config.as_deref())?.data_dir,
        };
        let dir = daemon::journal_dir(&data);
        anyhow::ensure!(
            dir.is_dir(),
            "{} does not exist; name the data directory with --data",
            dir.display()
        );
        match self.command {
            Command::Info => info(&dir),
            Command::Verify { json } => check(&dir, json),
            Command::Salvage { into, json } => salvage::run(&data, &dir, &into, json),
            Command::Export { output, from, base } => {
                let behind = match base {
                    // First, so that the lines begin no later than the state ends.
                    Some(base) => {
                        let id = JournalReader::open(&dir)?.stats().id;
                        daemon::export_base(&data, &id, &base)?.next().0
                    }
                    None => 0,
                };
                let from = Position(from.unwrap_or(behind));
                let Some(path) = output else {
                    let out = std::io::BufWriter::new(std::io::stdout().lock());
                    return export(&dir, from, out);
                };
                let file = std::fs::File::create(&path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                export(&dir, from, std::io::BufWriter::new(file))
            }
        }
    }
}

fn info(dir: &Path) -> anyhow::Result<Outcome> {
    let stats = JournalReader::open(dir)?.stats();
    let time = |time: Option<crate::telemetry::Timestamp>| {
        time.map_or_else(|| "–".to_owned(), |time| time.to_string())
    };
    say(&format!("journal    {}", stats.id))?;
    say(&format!("positions  {} to {}", stats.first, stats.last))?;
    say(&format!(
        "received   {} to {}",
        time(stats.received_first),
        time(stats.received_last)
    ))?;
    say(&format!(
        "files      {} ({} sealed), {} bytes",
        stats.segments, stats.sealed, stats.bytes
    ))?;
    for (consumer, position) in stats.cursors {
        let behind = stats.last.0.saturating_sub(position.0);
        say(&format!(
            "consumer   {consumer} at {position}, {behind} behind"
        ))?;
    }
    for base in stats.bases {
        say(&format!("state      saved at {base}"))?;
    }
    Ok(Outcome::Good)
}

fn check(dir: &Path, json: bool) -> anyhow::Result<Outcome> {
    let bar = Progress::open("verifying", "files");
    let report = verify(dir)?;
    bar.clear();
    let outcome = if report.is_whole() {
        Outcome::Good
    } else {
        Outcome::NotGood
    };
    if json {
        say(&verified(&report).to_string())?;
        return Ok(outcome);
    }
    say(&format!("journal {}", report.id))?;
    for segment in &report.segments {
        let positions = segment.positions.map_or_else(
            || "empty".to_owned(),
            |(first, last)| format!("{first} to {last}"),
        );
        let kind = if segment.sealed { "sealed" } else { "live" };
        let state = if segment.damage.is_empty() {
            "whole"
        } else {
            "damaged"
        };
        say(&format!(
            "{}  {kind}  {positions}  {} entries  {} bytes  {state}",
            segment.path.display(),
            segment.entries,
            segment.bytes
        ))?;
        for damage in &segment.damage {
            say(&format!("  {damage}"))?;
        }
    }
    for damage in &report.damage {
        say(damage)?;
    }
    if outcome == Outcome::NotGood {
        say("what is whole can be saved: foremend journal salvage --into NEW")?;
    }
    Ok(outcome)
}

fn verified(report: &VerifyReport) -> serde_json::Value {
    let segments: Vec<_> = report
        .segments
        .iter()
        .map(|segment| {
            let (first, last) = segment.positions.unzip();
            json!({
                "file": segment.path,
                "sealed": segment.sealed,
                "first": first.map(|first| first.0),
                "last": last.map(|last| last.0),
                "received_first": segment.received_first,
                "received_last": segment.received_last,
                "entries": segment.entries,
                "bytes": segment.bytes,
                "damage": segment.damage,
            })
        })
        .collect();
    json!({
        "journal": report.id,
        "whole": report.is_whole(),
        "segments": segments,
        "damage": report.damage,
    })
}

fn export<W: std::io::Write>(dir: &Path, from: Position, out: W) -> anyhow::Result<Outcome> {
    let reader = JournalReader::open(dir)?;
    let mut writer = RecordingWriter::new(out);
    let mut next = from;
    let mut last = None;
    let (begin, end) = (reader.stats().first.max(from), reader.stats().last);
    let total = (end.0 + 1).saturating_sub(begin.0);
    let bar = Progress::of("exporting", total, "records");
    loop {
        let entries = reader.read(next, READ_ENTRIES, READ_BYTES)?;
        let Some(newest) = entries.last() else { break };
        next = newest.position.next();
        last = Some(newest.received_at);
        bar.at(next.0.saturating_sub(begin.0));
        for entry in &entries {
            writer.write(entry)?;
        }
    }
    // The end line says up to when things fell due: the last record of the journal, ticks included.
    let mut out = match last {
        Some(last) => writer.end(last)?,
        None => return Ok(Outcome::Good),
    };
    out.flush()?;
    Ok(Outcome::Good)
}
