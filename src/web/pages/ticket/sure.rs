//! How sure we are: how much of the condition held, how far the value is from the device's own normal, and how often this fault's
//! tickets turned out to be right.

use crate::chart;
use crate::desk::CountsAs;
use crate::desk::Precision;
use crate::desk::VERDICTS_LEAST;
use crate::desk::counts_as;
use crate::detect::HoldView;
use crate::detect::TermView;
use crate::profile::Stage;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Markup;

use super::gather::Gathered;
use super::words::marked;
use super::words::shown;

/// Signs named; the table of evidence has all.
const SIGNS_LIMIT: usize = 4;

/// The panel.
pub(super) struct Sure {
    pub(super) signs: Vec<Markup>,
    pub(super) verdicts: Markup,
    pub(super) whisker: Option<Markup>,
}

/// Builds it.
pub(super) fn sure(frame: &Frame, all: &Gathered) -> Sure {
    let mut signs = Vec::new();
    for term in held_now(all) {
        sign(frame, all, term, &mut signs);
    }
    if signs.is_empty() {
        as_told(frame, all, &mut signs);
    }
    signs.truncate(SIGNS_LIMIT);
    let (verdicts, whisker) = verdicts(frame, all);
    Sure {
        signs,
        verdicts,
        whisker,
    }
}

/// Terms of the ticket's stage that hold now; none when the condition is over.
pub(super) fn held_now(all: &Gathered) -> impl Iterator<Item = &TermView> {
    let current = all.ticket.is_open() && all.ticket.cleared_at.is_none();
    all.now()
        .filter(|_| current)
        .into_iter()
        .flat_map(|live| &live.stages)
        .filter(|stage| stage.stage == all.ticket.stage)
        .flat_map(|stage| &stage.terms)
        .filter(|term| term.holds == Some(true))
}

/// The stage's name in a sentence.
pub(super) const fn level(stage: Stage) -> &'static str {
    match stage {
        Stage::Warn => "warn",
        Stage::Fault => "fault",
    }
}

fn sign(frame: &Frame, all: &Gathered, term: &TermView, signs: &mut Vec<Markup>) {
    let (t, lang) = (frame.t, frame.t.lang());
    match term.hold {
        Some(HoldView::Values { held, of, among }) => signs.push(marked(
            &t.say("ticket-sure-values")
                .num("held", held)
                .num("among", among)
                .num("of", of)
                .with("level", level(all.ticket.stage))
                .to_string(),
        )),
        Some(HoldView::Time { held_ms, of_ms }) => signs.push(marked(
            &t.say("ticket-sure-time")
                .with("name", t.one(&term.evidence.label))
                .with("held", chart::span_words(held_ms, lang))
                .with("of", chart::span_words(of_ms, lang))
                .to_string(),
        )),
        None => {}
    }
    if let Some(own) = &term.own
        && own.normal != 0.0
    {
        let change = (own.value / own.normal - 1.0) * 100.0;
        let spread = (own.spread / own.normal).abs() * 100.0;
        let key = if change < 0.0 {
            "ticket-sure-below"
        } else {
            "ticket-sure-above"
        };
        signs.push(marked(
            &t.say(key)
                .with("name", t.one(&own.label))
                .with("change", chart::quantity(change.abs().round(), "%", lang))
                .with("normal", chart::quantity(own.normal, &own.unit, lang))
                .with("spread", chart::quantity(spread, "%", lang))
                .to_string(),
        ));
    } else if term.hold.is_none() {
        compared(frame, &term.evidence, signs);
    }
}

/// What the ticket itself tells: for a device without state, and for what is over.
fn as_told(frame: &Frame, all: &Gathered, signs: &mut Vec<Markup>) {
    for evidence in all.ticket.evidence.iter().filter(|evidence| evidence.held) {
        compared(frame, evidence, signs);
    }
}

fn compared(frame: &Frame, evidence: &crate::detect::Evidence, signs: &mut Vec<Markup>) {
    let (t, lang) = (frame.t, frame.t.lang());
    let (Some(value), Some(limit)) = (evidence.value, evidence.limit) else {
        return;
    };
    let name = if evidence.label.is_empty() {
        evidence.term.as_str()
    } else {
        t.one(&evidence.label)
    };
    signs.push(marked(
        &t.say("ticket-sure-limit")
            .with("name", name)
            .with("value", shown(value, &evidence.unit, lang))
            .with("limit", shown(limit, &evidence.unit, lang))
            .to_string(),
    ));
}

fn verdicts(frame: &Frame, all: &Gathered) -> (Markup, Option<Markup>) {
    let (t, show) = (frame.t, frame.show);
    let count = |wanted: CountsAs| -> u64 {
        let of = all.verdicts.iter();
        of.filter(|(verdict, _)| counts_as(**verdict) == wanted)
            .map(|(_, count)| count)
            .sum()
    };
    let (right, wrong) = (count(CountsAs::Right), count(CountsAs::Wrong));
    let Some(precision) = Precision::of(right, wrong) else {
        let text = t
            .say("ticket-sure-unknown")
            .num("have", right + wrong)
            .num("need", VERDICTS_LEAST);
        return (marked(&text.to_string()), None);
    };
    let share = show.percent(precision.share());
    let low = chart::number((precision.low * 100.0).round(), t.lang());
    let high = show.percent(precision.high);
    let text = t
        .say("ticket-sure-verdicts")
        .num("right", precision.right)
        .num("checked", precision.checked)
        .with("share", &share)
        .with("low", &low)
        .with("high", &high);
    let label = t
        .say("ticket-sure-whisker")
        .with("share", &share)
        .with("low", &low)
        .with("high", &high);
    let svg = chart::whisker(
        precision.share() * 100.0,
        (precision.low * 100.0, precision.high * 100.0),
        t.lang(),
        &label.to_string(),
    );
    (marked(&text.to_string()), Some(Markup::trusted(svg)))
}
