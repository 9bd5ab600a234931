//! The faults of a device as rows: state, how far from the limit, what is measured, and why it is not judged where it is not.
//!
//! Nearest first: what is active, then what is about to be, then by distance. Each number stands beside what it is compared with.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::chart::Bullet;
use crate::chart::BulletLevel;
use crate::chart::quantity;
use crate::desk::Ticket;
use crate::detect::Blind;
use crate::detect::HoldView;
use crate::detect::TermView;
use crate::profile::Fault;
use crate::profile::Stage;
use crate::telemetry::Timestamp;
use crate::web::backend::LiveFault;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::parts::escaped;

use super::picture;
use super::subject::Subject;

/// A fault in the table.
pub(super) struct FaultRow {
    pub(super) title: String,
    pub(super) code: SmolStr,
    pub(super) state: Markup,
    /// Empty when nothing of it has a scale.
    pub(super) bullet: Markup,
    pub(super) now: String,
    pub(super) limits: String,
    pub(super) note: Markup,
}

/// What is measured, on one scale: rest, value, limits.
struct Scale {
    unit: SmolStr,
    /// Left edge.
    rest: f64,
    now: f64,
    warn: Option<f64>,
    fault: Option<f64>,
    /// The frozen normal, where the rest is one.
    normal: Option<f64>,
}

/// The rows; `open` are the device's open tickets.
pub(super) fn rows(frame: &Frame, subject: &Subject, open: &[Ticket]) -> Vec<FaultRow> {
    let (Some(live), Some(program)) = (&subject.live, &subject.program) else {
        return Vec::new();
    };
    let tickets: BTreeMap<&str, &Ticket> = open
        .iter()
        .map(|ticket| (ticket.fault.as_str(), ticket))
        .collect();
    let mut faults: Vec<(&LiveFault, &Fault)> = live
        .faults
        .iter()
        .filter_map(|fault| {
            let rule = program
                .faults
                .iter()
                .find(|rule| rule.name == fault.fault)?;
            Some((fault, rule))
        })
        .collect();
    faults.sort_by(|(a, _), (b, _)| {
        group(a)
            .cmp(&group(b))
            .then_with(|| near(b).total_cmp(&near(a)))
    });
    faults
        .into_iter()
        .map(|(fault, rule)| {
            let ticket = tickets.get(fault.fault.as_str()).copied();
            row(frame, fault, rule, ticket)
        })
        .collect()
}

/// Active ones first, the worse stage before the other; then what may become active; last what nobody can judge.
fn group(fault: &LiveFault) -> u8 {
    match (fault.state.as_str(), fault.stage) {
        ("active", Some(Stage::Fault)) => 0,
        ("active", _) => 1,
        ("pending", _) => 2,
        ("clearing", _) => 3,
        ("normal", _) => 4,
        ("learning", _) => 5,
        _ => 6,
    }
}

fn near(fault: &LiveFault) -> f64 {
    fault.distance().unwrap_or(0.0)
}

fn row(frame: &Frame, fault: &LiveFault, rule: &Fault, ticket: Option<&Ticket>) -> FaultRow {
    let t = frame.t;
    let title = t.one(&rule.title).to_owned();
    let judged = !matches!(fault.state.as_str(), "learning" | "blind");
    let scale = if judged { scale(fault) } else { None };
    let (now, limits) = match (&scale, judged) {
        (Some(scale), _) => (
            quantity(scale.now, &scale.unit, t.lang()),
            limits(frame, scale),
        ),
        (None, true) => (t.say("device-no-scale").to_string(), String::new()),
        (None, false) => not_judged(frame, fault),
    };
    let label = t
        .say("device-bullet")
        .with("title", &title)
        .with("now", &now)
        .with("limits", &limits)
        .to_string();
    let bullet = match (&scale, judged) {
        (None, true) => Markup::default(),
        (scale, _) => picture::bullet(&Bullet {
            origin: scale.as_ref().map_or(0.0, |scale| scale.rest),
            now: scale.as_ref().map(|scale| scale.now),
            warn: scale.as_ref().and_then(|scale| scale.warn),
            fault: scale.as_ref().and_then(|scale| scale.fault),
            level: level(fault),
            label: &label,
        }),
    };
    FaultRow {
        code: rule.code.clone(),
        state: parts::fault_state(t, &fault.state, fault.stage),
        note: note(frame, fault, ticket),
        title,
        bullet,
        now,
        limits,
    }
}

fn level(fault: &LiveFault) -> BulletLevel {
    match (fault.state.as_str(), fault.stage) {
        ("active" | "clearing", Some(Stage::Fault)) => BulletLevel::Fault,
        ("active" | "clearing", _) => BulletLevel::Warning,
        _ => BulletLevel::Fine,
    }
}

/// What the nearest term measures, with the limits of both stages where both look at the same.
fn scale(fault: &LiveFault) -> Option<Scale> {
    let nearest = fault.nearest()?;
    let mut scale = match &nearest.own {
        Some(own) => Scale {
            unit: own.unit.clone(),
            rest: own.normal,
            now: own.value,
            warn: None,
            fault: None,
            normal: Some(own.normal),
        },
        None => Scale {
            unit: nearest.evidence.unit.clone(),
            rest: nearest.rest?,
            now: nearest.evidence.value?,
            warn: None,
            fault: None,
            normal: None,
        },
    };
    for stage in &fault.stages {
        let limit = stage
            .terms
            .iter()
            .filter(|term| same_quantity(term, nearest))
            .filter_map(limit_of)
            // The limit that is reached first, coming from rest.
            .min_by(|a, b| (a - scale.rest).abs().total_cmp(&(b - scale.rest).abs()));
        match stage.stage {
            Stage::Warn => scale.warn = limit,
            Stage::Fault => scale.fault = limit,
        }
    }
    Some(scale)
}

/// The limit in the unit of what is measured.
fn limit_of(term: &TermView) -> Option<f64> {
    match &term.own {
        Some(own) => Some(own.limit),
        None => term.evidence.limit,
    }
}

/// Both compare the same, from the same side.
fn same_quantity(one: &TermView, other: &TermView) -> bool {
    let of = |term: &TermView| {
        let (signal, unit) = match &term.own {
            Some(own) => (Some(own.signal.clone()), own.unit.clone()),
            None => (term.evidence.signal.clone(), term.evidence.unit.clone()),
        };
        (signal, unit)
    };
    let side = |term: &TermView| {
        let rest = match &term.own {
            Some(own) => Some(own.normal),
            None => term.rest,
        };
        Some(limit_of(term)? > rest?)
    };
    one.distance.is_some() && of(one) == of(other) && side(one) == side(other)
}

/// `warning limit 543 J/K, fault 669 J/K; when new 418 J/K`.
fn limits(frame: &Frame, scale: &Scale) -> String {
    let t = frame.t;
    let shown = |value: f64| quantity(value, &scale.unit, t.lang());
    let falling = scale
        .fault
        .or(scale.warn)
        .is_some_and(|limit| limit < scale.rest);
    let words = match (scale.warn, scale.fault, falling) {
        (Some(warn), Some(fault), false) => t
            .say("device-limits-both")
            .with("warn", shown(warn))
            .with("fault", shown(fault)),
        (Some(warn), Some(fault), true) => t
            .say("device-limits-both-below")
            .with("warn", shown(warn))
            .with("fault", shown(fault)),
        (Some(warn), None, false) => t.say("device-limit-warn").with("warn", shown(warn)),
        (Some(warn), None, true) => t.say("device-limit-warn-below").with("warn", shown(warn)),
        (None, Some(fault), false) => t.say("device-limit-fault").with("fault", shown(fault)),
        (None, Some(fault), true) => t
            .say("device-limit-fault-below")
            .with("fault", shown(fault)),
        (None, None, _) => return String::new(),
    }
    .to_string();
    match scale.normal {
        None => words,
        Some(normal) => t
            .say("device-limits-and-new")
            .with("limits", words)
            .with("normal", shown(normal))
            .to_string(),
    }
}

/// What stands in the place of a number.
fn not_judged(frame: &Frame, fault: &LiveFault) -> (String, String) {
    let t = frame.t;
    match &fault.blind {
        Some(Blind::Learning(learning)) => (
            t.say("device-learning")
                .num("have", learning.have)
                .num("need", learning.need)
                .to_string(),
            t.one(&learning.label).to_owned(),
        ),
        Some(blind) => {
            let now = match blind {
                Blind::Unseen { .. } | Blind::Stale { .. } => t.say("device-blind-no-reading"),
                Blind::Invalid { .. } => t.say("device-blind-invalid"),
                _ => t.say("device-blind-not-now"),
            };
            (now.to_string(), t.one(&blind.text()).to_owned())
        }
        None => (t.say("device-blind-not-now").to_string(), String::new()),
    }
}

/// Since when, which ticket, how much of a hold is complete, what is measured.
fn note(frame: &Frame, fault: &LiveFault, ticket: Option<&Ticket>) -> Markup {
    let (t, show) = (frame.t, &frame.show);
    let between = t.say("frame-between").to_string();
    let mut notes: Vec<String> = Vec::new();
    let since = |at: Timestamp| {
        let text = t.say("device-since").with("when", show.day_time(at));
        show.time(at, &text.to_string()).to_string()
    };
    match fault.state.as_str() {
        "active" | "clearing" => notes.extend(fault.since.map(since)),
        "pending" => notes.extend(hold(frame, fault)),
        "learning" => notes.extend(
            fault
                .blind
                .as_ref()
                .and_then(Blind::learning)
                .and_then(|learning| learning.ready_at)
                .map(|at| ready(frame, at)),
        ),
        "blind" => {
            if let Some(Blind::Stale { at, .. } | Blind::Invalid { at, .. }) = &fault.blind {
                let text = t.say("device-last-told").with("when", show.day_time(*at));
                notes.push(show.time(*at, &text.to_string()).to_string());
            }
        }
        _ => notes.extend(fault.nearest().map(|term| measured(frame, term))),
    }
    if let Some(ticket) = ticket {
        notes.push(format!(
            "<a class=\"nb\" href=\"/tickets/{0}\">{0}</a>",
            escaped(&ticket.id)
        ));
    }
    if fault.rechecking {
        notes.push(escaped(&t.say("device-rechecking").to_string()));
    }
    if fault.shadow {
        notes.push(escaped(&t.say("device-shadow").to_string()));
    }
    Markup::trusted(notes.join(&escaped(&between)))
}

/// What a normal fault's number is of: the derive's or signal's name; a count by the term itself.
fn measured(frame: &Frame, term: &TermView) -> String {
    let label = match &term.own {
        Some(own) => &own.label,
        None => &term.evidence.label,
    };
    if label.is_empty() || term.evidence.unit.is_empty() {
        format!("<code>{}</code>", escaped(&term.evidence.term))
    } else {
        escaped(frame.t.one(label))
    }
}

/// `2 of the 3 values needed`, `20 s of 60 s`.
fn hold(frame: &Frame, fault: &LiveFault) -> Option<String> {
    let (t, show) = (frame.t, &frame.show);
    let running = fault
        .stages
        .iter()
        .flat_map(|stage| &stage.terms)
        .find(|term| term.holds == Some(true) && term.hold.is_some())?;
    let text = match running.hold? {
        HoldView::Time { held_ms, of_ms } => t
            .say("device-hold-time")
            .with("held", show.duration(held_ms))
            .with("of", show.duration(of_ms)),
        HoldView::Values { held, of, .. } => {
            t.say("device-hold-values").num("held", held).num("of", of)
        }
    };
    Some(escaped(&text.to_string()))
}

fn ready(frame: &Frame, at: Timestamp) -> String {
    let (t, show) = (frame.t, &frame.show);
    let left = at.since(show.now());
    // A device that has been silent since: its own pace says nothing about when.
    if left <= 0 {
        return escaped(&t.say("device-ready-unknown").to_string());
    }
    let text = t.say("device-ready").with("left", show.duration(left));
    show.time(at, &text.to_string()).to_string()
}
