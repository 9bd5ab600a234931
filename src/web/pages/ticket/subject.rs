//! What a ticket's charts show: the signals of its evidence, with limits and the device's own normal.
//!
//! Leaves reading and drawing to `evidence`. A derived value of single samples is not in the series; the signal behind it is shown.

use smol_str::SmolStr;

use crate::chart::Level;
use crate::chart::LimitLine;
use crate::detect::Evidence;
use crate::profile::Per;
use crate::profile::Program;
use crate::profile::SignalKind;
use crate::profile::Stage;
use crate::profile::StaleAfter;
use crate::telemetry::Measurement;
use crate::telemetry::Text;

use super::gather::Gathered;

/// Most charts of one ticket.
const CHARTS_LIMIT: usize = 2;
/// Robust spreads around the median that count as normal (detection's own limit for a change).
const SPREADS: f64 = 3.0;
/// What these give is no longer in the unit of what they look at, or no longer the value itself.
const OTHER_THAN_VALUE: [&str; 9] = [
    "count(",
    "increase(",
    "total(",
    "slope(",
    "rate(",
    "duration(",
    "since(",
    "integral(",
    "sum(",
];

/// One chart.
pub(super) struct Subject {
    pub(super) measurement: Measurement,
    /// Name in the series.
    pub(super) field: SmolStr,
    pub(super) label: Text,
    pub(super) unit: SmolStr,
    /// One value per use or day rather than a signal over time.
    pub(super) per_use: bool,
    pub(super) from_zero: bool,
    /// Values further apart are not joined, ms.
    pub(super) gap_ms: Option<i64>,
    pub(super) limits: Vec<LimitLine>,
    pub(super) band: Option<(f64, f64)>,
    /// The own normal itself.
    pub(super) normal: Option<f64>,
    /// A term on it held: the time in which the fault held is shaded.
    pub(super) held: bool,
}

/// The charts of a ticket, what held first.
pub(super) fn subjects(all: &Gathered) -> Vec<Subject> {
    let Some(program) = all.program.as_deref() else {
        return Vec::new();
    };
    let mut found: Vec<Subject> = Vec::new();
    for evidence in &all.ticket.evidence {
        let Some(signal) = &evidence.signal else {
            continue;
        };
        let Some(mut subject) = resolve(program, signal) else {
            continue;
        };
        if let Some(known) = found.iter_mut().find(|known| known.field == subject.field) {
            known.held |= evidence.held;
            continue;
        }
        // A meter reading that only grows says nothing beside the sign that held.
        let idle = subject.from_zero && !evidence.held;
        if found.len() == CHARTS_LIMIT || idle {
            continue;
        }
        subject.held = evidence.held;
        add_limits(&mut subject, all, signal);
        found.push(subject);
    }
    found
}

/// Where the numbers of a signal or derive lie.
fn resolve(program: &Program, signal: &str) -> Option<Subject> {
    let Some(name) = signal.strip_prefix("derive.") else {
        let at = program.signals.iter().position(|one| one.path == signal)?;
        return raw(program, at);
    };
    let derive = program.derives.iter().find(|one| one.name == name)?;
    if derive.per == Per::Sample {
        return derive.signals.iter().find_map(|at| {
            let same = program.signals.get(*at)?.unit.symbol == derive.unit.symbol;
            same.then(|| raw(program, *at)).flatten()
        });
    }
    Some(Subject {
        measurement: Measurement::Derived,
        field: derive.name.clone(),
        label: derive.label.clone(),
        unit: derive.unit.symbol.clone(),
        per_use: true,
        from_zero: false,
        gap_ms: None,
        limits: Vec::new(),
        band: None,
        normal: None,
        held: false,
    })
}

fn raw(program: &Program, at: usize) -> Option<Subject> {
    let signal = program.signals.get(at)?;
    let counter = match &signal.kind {
        SignalKind::Gauge => false,
        SignalKind::Counter { .. } => true,
        SignalKind::Bool | SignalKind::Enum(_) | SignalKind::Bits(_) => return None,
    };
    Some(Subject {
        measurement: Measurement::Telemetry,
        field: signal.path.clone(),
        label: signal.label.clone(),
        unit: signal.unit.symbol.clone(),
        per_use: false,
        from_zero: counter,
        gap_ms: match signal.stale_after {
            StaleAfter::Ms(ms) => Some(ms),
            StaleAfter::Never | StaleAfter::Instant => None,
        },
        limits: Vec::new(),
        band: None,
        normal: None,
        held: false,
    })
}

/// Limits and own normal, as the device has them now; of a device without state, as the ticket tells them.
fn add_limits(subject: &mut Subject, all: &Gathered, signal: &str) {
    let stages = all.now().map_or(&[][..], |live| &live.stages);
    for stage in stages {
        let level = level(stage.stage);
        for term in &stage.terms {
            if let Some(own) = term.own.as_ref().filter(|own| own.signal == signal) {
                let spread = own.spread * SPREADS;
                subject.band = Some((own.normal - spread, own.normal + spread));
                subject.normal = Some(own.normal);
                let bad_above = own.limit >= own.normal;
                let size = term.evidence.limit.filter(|_| term.evidence.unit == "%");
                add(subject, level, own.limit, bad_above, size);
            } else if let Some((limit, bad_above)) = plain(subject, signal, &term.evidence) {
                add(subject, level, limit, bad_above, None);
            }
        }
    }
    if stages.is_empty() {
        let level = level(all.ticket.stage);
        for evidence in &all.ticket.evidence {
            if let Some((limit, bad_above)) = plain(subject, signal, evidence) {
                add(subject, level, limit, bad_above, None);
            }
        }
    }
}

const fn level(stage: Stage) -> Level {
    match stage {
        Stage::Warn => Level::Warning,
        Stage::Fault => Level::Fault,
    }
}

/// The limit of a term that compares the value itself.
fn plain(subject: &Subject, signal: &str, evidence: &Evidence) -> Option<(f64, bool)> {
    let same = evidence.signal.as_deref() == Some(signal) && evidence.unit == subject.unit;
    let other = OTHER_THAN_VALUE
        .iter()
        .any(|function| evidence.term.contains(function));
    let bad_above = match evidence.op.as_str() {
        ">" | ">=" | "in" => true,
        "<" | "<=" => false,
        _ => return None,
    };
    Some((evidence.limit?, bad_above)).filter(|_| same && !other)
}

/// The first limit of each stage is drawn.
fn add(subject: &mut Subject, level: Level, value: f64, bad_above: bool, percent: Option<f64>) {
    if subject.limits.iter().any(|line| line.level == level) {
        return;
    }
    subject.limits.push(LimitLine {
        level,
        value,
        relative_pct: percent.map(|size| if bad_above { size } else { -size }),
        bad_above,
    });
}
