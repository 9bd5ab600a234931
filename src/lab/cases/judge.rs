//! What was expected of a case against what came.
//!
//! Leaves running it to the parent. Invariant: a failure names what was expected, and what came instead, when and with which values.

use super::{Run, START_MS};
use crate::detect::{FaultEvent, FaultEventKind};
use crate::profile::{Expect, FaultIdx, Program, Stage};
use crate::telemetry::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Up to when the expectation looks, ms from the start.
pub(super) fn asked_until(expect: &Expect) -> i64 {
    match expect {
        Expect::Raised {
            within_ms: Some((_, to)),
            ..
        } => *to,
        Expect::Cleared {
            by_ms: Some(by), ..
        } => *by,
        Expect::Raised { .. }
        | Expect::Cleared { .. }
        | Expect::Quiet { .. }
        | Expect::Unknown { .. } => 0,
    }
}

/// The fault that is spoken of.
pub(super) fn fault_of(expect: &Expect) -> FaultIdx {
    match expect {
        Expect::Quiet { fault }
        | Expect::Raised { fault, .. }
        | Expect::Cleared { fault, .. }
        | Expect::Unknown { fault } => *fault,
    }
}

fn rises(event: &FaultEvent) -> bool {
    matches!(
        event.kind,
        FaultEventKind::Raised | FaultEventKind::Worsened | FaultEventKind::RecheckFailed
    )
}

/// Whether it came as expected; else what came instead.
pub(super) fn judge(program: &Program, expect: &Expect, run: &Run) -> Result<(), String> {
    let name = program
        .faults
        .get(fault_of(expect))
        .map_or("", |fault| fault.name.as_str());
    let of_fault = || run.events.iter().filter(|event| event.fault == name);
    match expect {
        Expect::Quiet { .. } => match of_fault().find(|event| rises(event)) {
            None => Ok(()),
            Some(event) => Err(format!(
                "expected {name} to stay quiet, but it {}",
                story(event)
            )),
        },
        Expect::Raised {
            stage, within_ms, ..
        } => raised(name, *stage, *within_ms, run),
        Expect::Cleared { by_ms, .. } => {
            let cleared = of_fault()
                .find(|event| event.kind == FaultEventKind::Cleared)
                .map(|event| event.event_time.ms() - START_MS);
            match (cleared, by_ms) {
                (None, _) if !of_fault().any(rises) => Err(format!(
                    "expected {name} to be cleared, but it was never raised"
                )),
                (None, _) => Err(format!(
                    "expected {name} to be cleared, but it stayed raised"
                )),
                (Some(at), Some(by)) if at > *by => Err(format!(
                    "expected {name} to be cleared by {}, but it was at {}",
                    span(*by),
                    span(at)
                )),
                (Some(_), _) => Ok(()),
            }
        }
        Expect::Unknown { .. } => {
            if run.unknown.iter().any(|(fault, _)| fault == name) {
                Ok(())
            } else {
                Err(format!(
                    "expected {name} to be unknown at the end, but it was judged"
                ))
            }
        }
    }
}

fn raised(
    name: &str,
    stage: Option<Stage>,
    within_ms: Option<(i64, i64)>,
    run: &Run,
) -> Result<(), String> {
    let what = match stage {
        Some(stage) => format!("{name}.{}", word(stage)),
        None => name.to_owned(),
    };
    let first = run.events.iter().find(|event| {
        event.fault == name && rises(event) && stage.is_none_or(|stage| stage == event.stage)
    });
    let Some(first) = first else {
        let why = run
            .unknown
            .iter()
            .find(|(fault, _)| fault == name)
            .map(|(_, why)| format!(" (it cannot be judged: {why})"))
            .unwrap_or_default();
        return Err(format!(
            "expected {what} to be raised, but it never was{why}"
        ));
    };
    let at = first.event_time.ms() - START_MS;
    match within_ms {
        Some((from, to)) if at < from || at > to => Err(format!(
            "expected {what} to be raised within {}..{}, but it was at {}",
            span(from),
            span(to),
            span(at)
        )),
        _ => Ok(()),
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Warn => "warn",
        Stage::Fault => "fault",
    }
}

/// An event in words: what, when, and the values that held.
pub(super) fn story(event: &FaultEvent) -> String {
    let what = match event.kind {
        FaultEventKind::Raised => "was raised",
        FaultEventKind::Worsened => "worsened",
        FaultEventKind::Eased => "eased",
        FaultEventKind::Cleared => "was cleared",
        FaultEventKind::Passed => "rose and cleared",
        FaultEventKind::RecheckFailed => "was raised again after a repair",
        FaultEventKind::RecheckPassed => "stayed quiet after a repair",
        FaultEventKind::RecheckUnverified => "could not be judged after a repair",
        FaultEventKind::Withdrawn => "was withdrawn",
    };
    let held: Vec<String> = event
        .evidence
        .iter()
        .filter(|evidence| evidence.held)
        .map(|evidence| match evidence.value {
            Some(value) => format!("{} (value {value:.4} {})", evidence.term, evidence.unit),
            None => evidence.term.to_string(),
        })
        .collect();
    let mut line = format!(
        "{}.{} {what} at {}",
        event.fault,
        word(event.stage),
        span(event.event_time.ms() - START_MS)
    );
    if !held.is_empty() {
        line.push_str(": ");
        line.push_str(&held.join("; "));
    }
    line
}

/// A time of a case as its lines write it.
fn span(ms: i64) -> String {
    let units = [
        (DAY_MS, "d"),
        (HOUR_MS, "h"),
        (MINUTE_MS, "min"),
        (1000, "s"),
    ];
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, name) in units {
        let whole = rest / unit;
        rest -= whole * unit;
        if whole > 0 {
            parts.push(format!("{whole} {name}"));
        }
    }
    if rest > 0 {
        parts.push(format!("{rest} ms"));
    }
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}
