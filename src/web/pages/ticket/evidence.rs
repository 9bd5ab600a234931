//! The proof: charts of what was judged, the terms that held and those that did not, and the values behind the chart.
//!
//! A series store that does not answer costs the chart, not the page.

use std::time::Duration;

use crate::chart;
use crate::chart::ChartPoint;
use crate::chart::LineChart;
use crate::chart::Size;
use crate::chart::Zone;
use crate::chart::line;
use crate::detect::Evidence;
use crate::detect::TermView;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;
use crate::web::SeriesQuery;
use crate::web::SeriesReadError;
use crate::web::SeriesSample;
use crate::web::WebState;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Markup;
use crate::web::pages::show::NBSP;
use crate::web::pages::show::Show;

use super::gather::Gathered;
use super::span::Range;
use super::span::held;
use super::span::marks;
use super::subject::Subject;
use super::subject::subjects;
use super::words::marked;
use super::words::shown;

/// Values that a chart is drawn from: every one of a minute at a rate of 10 Hz, and a few for each pixel.
const POINTS: u32 = 1_200;
/// How long the series store may take before the page is sent without the chart.
const SERIES_WAIT: Duration = Duration::from_secs(3);
/// Values in the table below the chart.
const TABLE_VALUES: usize = 10;

/// The panel.
pub(super) struct Proof {
    pub(super) ranges: Vec<RangeLink>,
    pub(super) charts: Vec<ChartView>,
    /// Why there is no chart.
    pub(super) missing: Option<String>,
    pub(super) rows: Vec<TermRow>,
    /// Some row knows what the value was when the device was new.
    pub(super) has_normal: bool,
    pub(super) values: Option<Values>,
}

/// A choice of span.
pub(super) struct RangeLink {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) current: bool,
}

/// A chart with its caption.
pub(super) struct ChartView {
    pub(super) caption: Markup,
    pub(super) wide: Markup,
    pub(super) narrow: Markup,
}

/// A term of the condition.
pub(super) struct TermRow {
    pub(super) sign: String,
    pub(super) then: String,
    pub(super) now: String,
    pub(super) normal: String,
    pub(super) limit: String,
    pub(super) held: Option<String>,
}

/// The newest values of the first chart.
pub(super) struct Values {
    pub(super) name: String,
    pub(super) csv: String,
    pub(super) count: String,
    pub(super) relative: bool,
    /// When, value, change against the own normal.
    pub(super) rows: Vec<(Markup, String, String)>,
}

/// Builds the panel for the span that was chosen.
pub(super) async fn proof(
    state: &WebState,
    frame: &Frame,
    local: &Show,
    all: &Gathered,
    range: Option<&str>,
) -> Proof {
    let subjects = subjects(all);
    let t = frame.t;
    let rows = rows(frame, all);
    let has_normal = rows.iter().any(|row| !row.normal.is_empty());
    let Some(first) = subjects.first() else {
        return Proof {
            ranges: Vec::new(),
            charts: Vec::new(),
            missing: Some(t.say("ticket-no-chart").to_string()),
            rows,
            has_normal,
            values: None,
        };
    };
    let chosen = Range::chosen(range, first.per_use);
    let span = chosen.span(all, frame.show.now());
    let mut proof = Proof {
        ranges: links(frame, all, first.per_use, chosen),
        charts: Vec::new(),
        missing: None,
        rows,
        has_normal,
        values: None,
    };
    for (at, subject) in subjects.iter().enumerate() {
        let points = match read(state, all, subject, (span.from, span.to), POINTS).await {
            Ok(points) => points,
            Err(error) => {
                tracing::warn!(%error, "a ticket's page is sent without its chart");
                proof.missing = Some(t.say("ticket-series-late").to_string());
                break;
            }
        };
        if points.is_empty() {
            if at == 0 {
                let name = t.one(&subject.label);
                proof.missing = Some(t.say("ticket-no-values").with("name", name).to_string());
            }
            continue;
        }
        if at == 0 {
            proof.values = Some(values((frame, local), all, subject, chosen, &points));
        }
        proof
            .charts
            .push(draw((frame, local), all, subject, span, &points));
    }
    proof
}

/// The numbers of a chart.
pub(super) async fn read(
    state: &WebState,
    all: &Gathered,
    subject: &Subject,
    (from, to): (Timestamp, Timestamp),
    points: u32,
) -> Result<Vec<ChartPoint>, SeriesReadError> {
    let query = SeriesQuery {
        measurement: subject.measurement,
        device: all.ticket.device.clone(),
        field: subject.field.clone(),
        from,
        // The last millisecond counts.
        to: to + 1,
        points,
    };
    let samples = tokio::time::timeout(SERIES_WAIT, state.series.range(query)).await;
    let samples = samples.map_err(|_| SeriesReadError {
        reason: format!("no answer within {} s", SERIES_WAIT.as_secs()),
    })??;
    Ok(samples.into_iter().map(point).collect())
}

fn point(sample: SeriesSample) -> ChartPoint {
    ChartPoint {
        at: sample.at,
        min: sample.min,
        max: sample.max,
        mean: sample.mean,
    }
}

fn links(frame: &Frame, all: &Gathered, per_use: bool, chosen: Range) -> Vec<RangeLink> {
    Range::choices(per_use)
        .into_iter()
        .map(|range| RangeLink {
            address: format!("/tickets/{}?range={}#ev", all.ticket.id, range.name()),
            name: match range {
                Range::Near => frame.t.say("ticket-range-near").to_string(),
                Range::Days(days) => frame
                    .t
                    .say("ticket-range-days")
                    .num("n", days.unsigned_abs())
                    .to_string(),
                Range::All => frame.t.say("ticket-range-all").to_string(),
            },
            current: range == chosen,
        })
        .collect()
}

fn draw(
    (frame, local): (&Frame, &Show),
    all: &Gathered,
    subject: &Subject,
    span: chart::Span,
    points: &[ChartPoint],
) -> ChartView {
    let t = frame.t;
    let zone = offsets(local, span);
    let latched = all
        .now()
        .and_then(|live| live.stages.iter().find(|s| s.stage == all.ticket.stage))
        .is_some_and(|stage| stage.latched);
    let held = if subject.held {
        held(all, latched, span.to)
    } else {
        Vec::new()
    };
    let marks = marks(all);
    let windows = i64::from(POINTS);
    let gap_ms = subject
        .gap_ms
        .map(|gap| gap.max(3 * span.to.since(span.from) / windows));
    let chart = LineChart {
        lang: t.lang(),
        name: t.one(&subject.label),
        unit: &subject.unit,
        zone: Zone(&zone),
        from: span.from,
        to: span.to,
        points,
        gap_ms,
        blind: &[],
        band: subject.band,
        limits: &subject.limits,
        held: &held,
        marks: &marks,
        from_zero: subject.from_zero,
    };
    let what = if subject.per_use {
        t.say("ticket-chart-per-use").to_string()
    } else {
        local.date(span.to)
    };
    let caption = t
        .say("ticket-chart-caption")
        .with("name", t.one(&subject.label))
        .with("what", what);
    ChartView {
        caption: marked(&caption.to_string()),
        wide: Markup::trusted(line(&chart, Size::Wide)),
        narrow: Markup::trusted(line(&chart, Size::Narrow)),
    }
}

/// A zone's offsets in a span: at its start, and where they change, to the second.
fn offsets(local: &Show, span: chart::Span) -> Vec<(Timestamp, i32)> {
    /// A change of the clocks is looked for in steps of a week; no zone has two within one.
    const STEP_MS: i64 = 7 * 24 * HOUR_MS;
    let of = |at| local.offset_s(at);
    let mut found = vec![(span.from, of(span.from))];
    let mut at = span.from;
    while at < span.to {
        let next = (at + STEP_MS).min(span.to);
        if of(at) != of(next) {
            let (mut low, mut high) = (at, next);
            while high.since(low) > 1_000 {
                let middle = low + high.since(low) / 2;
                if of(middle) == of(at) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            found.push((high, of(next)));
        }
        at = next;
    }
    found
}

/// The terms as the ticket has them, and the same ones now.
fn rows(frame: &Frame, all: &Gathered) -> Vec<TermRow> {
    let terms = || {
        all.now()
            .into_iter()
            .flat_map(|live| &live.stages)
            .flat_map(|stage| &stage.terms)
    };
    all.ticket
        .evidence
        .iter()
        .map(|evidence| {
            let now = terms().find(|term| term.evidence.term == evidence.term);
            row(frame, all, evidence, now)
        })
        .collect()
}

fn row(frame: &Frame, all: &Gathered, evidence: &Evidence, now: Option<&TermView>) -> TermRow {
    let (t, lang) = (frame.t, frame.t.lang());
    let known = |value: Option<f64>| {
        value.map_or_else(
            || "–".to_owned(),
            |value| shown(value, &evidence.unit, lang),
        )
    };
    let own = now.and_then(|term| term.own.as_ref());
    let own_unit = || {
        let name = evidence.signal.as_deref()?.strip_prefix("derive.")?;
        let derives = &all.program.as_ref()?.derives;
        let derive = derives.iter().find(|derive| derive.name == name)?;
        Some(derive.unit.symbol.as_str())
    };
    let normal = match (own, evidence.baseline) {
        (Some(own), _) => chart::quantity(own.normal, &own.unit, lang),
        (None, Some(normal)) => chart::quantity(normal, own_unit().unwrap_or_default(), lang),
        (None, None) => String::new(),
    };
    let limit = match (evidence.limit, own) {
        (Some(limit), Some(own)) => t
            .say("ticket-limit-own")
            .with("limit", shown(limit, &evidence.unit, lang))
            .with("value", chart::quantity(own.limit, &own.unit, lang))
            .to_string(),
        (Some(limit), None) => {
            let limit = shown(limit, &evidence.unit, lang);
            format!("{}{NBSP}{limit}", sign(&evidence.op))
        }
        (None, _) => String::new(),
    };
    TermRow {
        sign: if evidence.label.is_empty() {
            evidence.term.to_string()
        } else {
            t.one(&evidence.label).to_owned()
        },
        then: known(evidence.value),
        now: match (own, now) {
            (Some(own), _) => chart::quantity(own.value, &own.unit, lang),
            (None, Some(term)) => known(term.evidence.value),
            (None, None) => String::new(),
        },
        normal,
        limit,
        held: evidence.held.then(|| match evidence.since {
            Some(since) => t
                .say("ticket-held-since")
                .with("when", frame.show.day_time(since))
                .to_string(),
            None => String::new(),
        }),
    }
}

/// An operator as people write it.
fn sign(op: &str) -> &str {
    match op {
        ">=" => "≥",
        "<=" => "≤",
        "==" => "=",
        "!=" => "≠",
        other => other,
    }
}

fn values(
    (frame, local): (&Frame, &Show),
    all: &Gathered,
    subject: &Subject,
    chosen: Range,
    points: &[ChartPoint],
) -> Values {
    let (t, lang) = (frame.t, frame.t.lang());
    // Around a sudden fault the values up to it, else the newest.
    let until = if chosen == Range::Near {
        all.ticket.event_time
    } else {
        Timestamp::MAX
    };
    let upto = points.partition_point(|point| point.at <= until);
    let upto = if upto == 0 { points.len() } else { upto };
    let rows = points[..upto]
        .iter()
        .rev()
        .take(TABLE_VALUES)
        .map(|point| {
            let (date, clock) = (local.date(point.at), local.clock_s(point.at));
            let change = subject
                .normal
                .filter(|normal| *normal != 0.0)
                .map(|normal| (point.mean / normal - 1.0) * 100.0);
            (
                local.time(point.at, &format!("{date} {clock}")),
                chart::number(point.mean, lang),
                change.map_or_else(String::new, |change| chart::relative(change, lang)),
            )
        })
        .collect();
    let name = t.one(&subject.label);
    Values {
        name: if subject.unit.is_empty() {
            name.to_owned()
        } else {
            t.say("ticket-value-unit")
                .with("name", name)
                .with("unit", &subject.unit)
                .to_string()
        },
        csv: format!(
            "/tickets/{}/values.csv?range={}",
            all.ticket.id,
            chosen.name()
        ),
        count: frame.show.count(points.len() as u64),
        relative: subject.normal.is_some(),
        rows,
    }
}
