//! What has to work before the daemon is ready, and what people should know though it is.
//!
//! Everyone may read it: no addresses, no secrets. Keeps: what delays no ticket and refuses no message leaves the daemon ready.

use super::catch_up;
use super::shared::PIPELINE;
use super::shared::SERIES;
use super::shared::Shared;
use crate::intake::SourceSnapshot;
use crate::intake::SourceState;
use crate::intake::listener::SOURCE;
use crate::journal::Journal;
use crate::web::Backlog;
use crate::web::Check;

/// The daemon is ready while the pipeline is at most this many records behind: some seconds of a busy fleet.
const READY_LAG: u64 = 100_000;

/// Everything that is checked.
pub(super) fn checks(journal: &Journal, shared: &Shared, backlog: &Backlog) -> Vec<Check> {
    let Backlog {
        detection, series, ..
    } = backlog;
    let stats = journal.stats();
    let check = |name: &str, problem: Option<String>| Check {
        name: name.into(),
        ok: problem.is_none(),
        detail: problem.unwrap_or_default(),
    };
    let journal = if stats.full {
        Some("the byte budget is used up: nothing is acknowledged until there is room".to_owned())
    } else {
        stats.failing.then(|| {
            "the disk refuses writes: nothing is acknowledged until it takes them".to_owned()
        })
    };
    let pipeline = Check {
        name: PIPELINE.into(),
        ok: detection.records <= READY_LAG,
        detail: if detection.is_told() {
            catch_up::words(detection)
        } else {
            String::new()
        },
    };
    let mut checks = vec![check("journal", journal), pipeline];
    // Told, but no reason to call the daemon not ready: messages are still taken.
    checks.extend(stats.held.as_ref().map(|held| Check {
        name: "retention".into(),
        ok: true,
        detail: format!(
            "{} bytes of the journal should be removed, but {} has not read them (it stands at position {})",
            held.bytes, held.holder, held.position
        ),
    }));
    checks.extend(shared.sources().iter().map(|source| {
        let source = source.snapshot();
        let name = if source.name == SOURCE {
            SOURCE.to_owned()
        } else {
            format!("broker {}", source.name)
        };
        check(&name, source_problem(&source))
    }));
    // A series store that is away delays no ticket: told, but no reason to call the daemon not ready.
    let mut troubles = shared.troubles();
    if series.is_told() {
        let words = catch_up::words(series);
        troubles
            .entry(SERIES.to_owned())
            .and_modify(|trouble| *trouble = format!("{trouble}; {words}"))
            .or_insert(words);
    }
    checks.extend(troubles.into_iter().map(|(name, detail)| Check {
        ok: name.starts_with(SERIES),
        name: name.into(),
        detail,
    }));
    checks
}

/// Why a broker's messages do not come in; `None` while they may.
fn source_problem(source: &SourceSnapshot) -> Option<String> {
    match &source.state {
        SourceState::Connected if source.refused_filters.is_empty() => None,
        SourceState::Connected => Some(format!(
            "the broker refuses subscriptions: {}",
            source.refused_filters.join("; ")
        )),
        SourceState::Connecting { error, .. } => {
            Some(error.as_ref().map_or_else(
                || "not connected yet".to_owned(),
                |error| format!("not connected, trying again: {error}"),
            ))
        }
        SourceState::Stalled if source.name == SOURCE => Some(
            "the journal takes nothing; nothing is acknowledged, so devices keep what they have".into(),
        ),
        SourceState::Stalled => Some("the journal takes nothing; the broker keeps what comes".into()),
        SourceState::TakenOver => Some(
            "another client took the session; see that each Foremend has a client_id of its own, then restart".into(),
        ),
        SourceState::Stopped => Some("stopped".into()),
    }
}
