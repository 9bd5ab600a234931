//! Whether the daemon can do its work, part by part, as `/readyz`, `/metrics` and the service manager are told.
//!
//! Leaves the store's own answer to whoever can wait for it. Invariant: a series store that is away delays no ticket, so it is told
//! and is no reason to call the daemon not ready.

use super::series::CONSUMER as SERIES;
use super::shared::Shared;
use crate::intake::SourceSnapshot;
use crate::intake::SourceState;
use crate::intake::listener::SOURCE;
use crate::journal::Journal;
use crate::web::Check;

/// The daemon is ready while the pipeline is at most this many records behind: some seconds of a busy fleet.
const READY_LAG: u64 = 100_000;

/// Every part that has to work.
pub(super) fn checks(journal: &Journal, shared: &Shared) -> Vec<Check> {
    let behind = journal
        .last()
        .0
        .saturating_sub(shared.processed().borrow().0);
    let stats = journal.stats();
    let check = |name: &str, problem: Option<String>| Check {
        name: name.into(),
        ok: problem.is_none(),
        detail: problem.unwrap_or_default(),
    };
    let writes = if stats.full {
        Some("the byte budget is used up: nothing is acknowledged until there is room".to_owned())
    } else {
        stats.failing.then(|| {
            "the disk refuses writes: nothing is acknowledged until it takes them".to_owned()
        })
    };
    let pipeline = (behind > READY_LAG).then(|| format!("{behind} records behind the journal"));
    let mut checks = vec![check("journal", writes), check("pipeline", pipeline)];
    checks.extend(shared.sources().iter().map(|source| {
        let source = source.snapshot();
        let name = if source.name == SOURCE {
            SOURCE.to_owned()
        } else {
            format!("broker {}", source.name)
        };
        check(&name, source_problem(&source))
    }));
    checks.extend(shared.troubles().into_iter().map(|(name, detail)| Check {
        ok: name == SERIES,
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
        SourceState::Connecting { error, .. } => Some(error.as_ref().map_or_else(
            || "not connected yet".to_owned(),
            |error| format!("not connected, trying again: {error}"),
        )),
        SourceState::Stalled if source.name == SOURCE => Some(
            "the journal takes nothing; nothing is acknowledged, so devices keep what they have"
                .into(),
        ),
        SourceState::Stalled => Some("the journal takes nothing; the broker keeps what comes".into()),
        SourceState::TakenOver => Some(
            "another client took the session; see that each Foremend has a client_id of its own, then restart".into(),
        ),
        SourceState::Stopped => Some("stopped".into()),
    }
}
