//! `foremend journal salvage`: what is whole of a damaged journal as a new data directory, and a report of what is not.
//!
//! Leaves the files to `journal::salvage`. Tells beside it what the loss means for tickets: the saved state is some seconds old at
//! most, and what lies before it was used already.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;

use crate::cli::Outcome;
use crate::cli::output::say;
use crate::cli::progress::Progress;
use crate::daemon;
use crate::daemon::Reached;
use crate::journal;
use crate::journal::Loss;
use crate::journal::SalvageReport;
use crate::telemetry::Position;

/// Salvages the journal in `dir` of the data directory `data` into the data directory `into`.
pub(super) fn run(data: &Path, dir: &Path, into: &Path, json: bool) -> anyhow::Result<Outcome> {
    let reached = daemon::reached(data)?;
    let bar = Progress::open("saving", "files");
    let mut report = journal::salvage(dir, &daemon::journal_dir(into), &reached.used())
        .with_context(|| format!("cannot salvage {}", dir.display()))?;
    bar.clear();
    report.notes.extend(reached.unread.iter().cloned());
    let advice = advice(&report, &reached);
    if json {
        say(&as_json(&report, &reached, advice.as_deref()).to_string())?;
    } else {
        tell(&report, into)?;
        if let Some(advice) = advice {
            say(&advice)?;
        }
    }
    Ok(if report.is_whole() && report.saved > 0 {
        Outcome::Good
    } else {
        Outcome::NotGood
    })
}

fn tell(report: &SalvageReport, into: &Path) -> anyhow::Result<()> {
    say(&format!("journal {}", report.id))?;
    for segment in &report.segments {
        let files: Vec<_> = segment
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let files = if files.is_empty() {
            format!("(no file) from position {}", segment.first)
        } else {
            files.join(", ")
        };
        say(&format!(
            "{files}  {} entries saved, {} lost",
            segment.saved, segment.lost
        ))?;
    }
    for loss in &report.lost {
        say(&lost(loss))?;
    }
    for note in &report.notes {
        say(&format!("note: {note}"))?;
    }
    let Some((first, last)) = report.positions else {
        return say("nothing is whole; nothing was written");
    };
    say(&format!(
        "saved {} entries, lost {}, as positions {first} to {last} in {}",
        report.saved,
        report.lost_positions(),
        daemon::journal_dir(into).display()
    ))
}

/// Where, when, in which file, and why.
fn lost(loss: &Loss) -> String {
    let when = match (loss.after, loss.before) {
        (Some(after), Some(before)) => format!("received {after} to {before}"),
        (Some(after), None) => format!("received after {after}"),
        (None, Some(before)) => format!("received before {before}"),
        (None, None) => "received at no known time".to_owned(),
    };
    let file = loss
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!("{}: ", file.display()));
    format!(
        "lost: positions {} to {} ({when}): {file}{}",
        loss.first, loss.last, loss.reason
    )
}

/// What the loss means for the tickets of this data directory.
fn advice(report: &SalvageReport, reached: &Reached) -> Option<String> {
    let state = reached.state?;
    let newest = report.lost.last()?;
    let first = report.lost.iter().find(|loss| loss.last > state)?;
    let lost_from = first.first.max(state.next());
    let known = |store: Position| lost_from <= store;
    if reached.store.is_some_and(known) {
        return Some(format!(
            "the saved state ends at {state}, before the lost positions {lost_from} to {}: tickets that they changed are in the store, but the next start does not know it; when it refuses to go on, move the state and store files away and let it judge the whole journal anew",
            newest.last
        ));
    }
    Some(format!(
        "the saved state ends at {state}: what the lost positions {lost_from} to {} said was never judged",
        newest.last
    ))
}

fn as_json(report: &SalvageReport, reached: &Reached, advice: Option<&str>) -> Value {
    let (first, last) = report.positions.unzip();
    let number = |position: Position| position.0;
    let segments: Vec<_> = report
        .segments
        .iter()
        .map(|segment| {
            json!({
                "first": segment.first.0,
                "files": segment.files,
                "saved": segment.saved,
                "lost": segment.lost,
            })
        })
        .collect();
    let losses: Vec<_> = report
        .lost
        .iter()
        .map(|loss| {
            json!({
                "first": loss.first.0,
                "last": loss.last.0,
                "received_after": loss.after,
                "received_before": loss.before,
                "file": loss.file,
                "reason": loss.reason,
            })
        })
        .collect();
    json!({
        "journal": report.id,
        "whole": report.is_whole() && report.saved > 0,
        "saved": report.saved,
        "lost_positions": report.lost_positions(),
        "first": first.map(number),
        "last": last.map(number),
        "segments": segments,
        "lost": losses,
        "notes": report.notes,
        "state": reached.state.map(number),
        "store": reached.store.map(number),
        "advice": advice,
    })
}
