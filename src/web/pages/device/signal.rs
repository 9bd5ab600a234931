//! `/devices/{model}/{serial}/signals/{signal}`: one signal or derived value over time, with limits and tickets, and as a table.

use askama::Template;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use smol_str::SmolStr;

use crate::chart;
use crate::chart::Level;
use crate::chart::LimitLine;
use crate::chart::LineChart;
use crate::chart::Mark;
use crate::chart::MarkKind;
use crate::chart::Zone;
use crate::chart::quantity;
use crate::desk::Ticket;
use crate::profile::Signal;
use crate::profile::SignalKind;
use crate::profile::Stage;
use crate::store::TicketFilter;
use crate::store::TicketSort;
use crate::telemetry::Measurement;
use crate::telemetry::Timestamp;
use crate::web::WebState;
use crate::web::backend::SeriesQuery;
use crate::web::backend::SeriesSample;
use crate::web::pages::frame::Frame;
use crate::web::pages::frame::Nav;
use crate::web::pages::page;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::parts::escaped;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Visit;
use crate::web::pages::visit::address;

use super::facts::Fact;
use super::head::Head;
use super::head::Page;
use super::picture;
use super::range::Looked;
use super::range::RangeLink;
use super::signals;
use super::subject::Subject;

/// Points of the chart: two for each pixel it is wide would not show.
const POINTS: u32 = 380;
/// Rows of the table of values: spread over the range.
const TABLE_ROWS: usize = 48;
/// Tickets whose changes are marked.
const TICKETS_LOOKED: usize = 100;
/// Robust spreads on either side of the own normal that still are normal.
const BAND_SPREADS: f64 = 3.0;

#[derive(Template)]
#[template(path = "device-signal.html", config = "src/web/pages/askama.toml")]
struct SignalPage {
    frame: Frame,
    head: Head,
    label: String,
    path: SmolStr,
    /// Now, and what to compare it with.
    lead: String,
    ranges: Vec<RangeLink>,
    range: String,
    /// Empty: nothing to draw, and why stands in `empty`.
    chart: Markup,
    empty: Option<String>,
    story: String,
    rows: Vec<ValueRow>,
    /// The same numbers for programs.
    data: String,
    facts: Vec<Fact>,
    readers: Vec<Reader>,
}

/// A fault that looks at the signal.
struct Reader {
    title: String,
    state: Markup,
}

struct ValueRow {
    at: Markup,
    mean: String,
    low: String,
    high: String,
}

/// What is looked at.
struct Wanted<'a> {
    path: SmolStr,
    measurement: Measurement,
    field: SmolStr,
    label: String,
    unit: SmolStr,
    /// The signal itself; a derived value has none.
    rule: Option<&'a Signal>,
    value: Option<f64>,
    normal: Option<(f64, f64)>,
    from_zero: bool,
    stored: bool,
    at: Option<Timestamp>,
}

/// The page.
pub(super) async fn show(
    State(state): State<WebState>,
    visit: Visit,
    Path((model, serial, signal)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::read(query.unwrap_or_default().as_bytes());
    let built = async {
        let subject = Subject::of(&state, &model, &serial).await?;
        build(&state, &visit, &subject, &signal, &fields).await
    };
    match built.await {
        Ok(signal) => page(&signal),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(
    state: &WebState,
    visit: &Visit,
    subject: &Subject,
    signal: &str,
    fields: &Fields,
) -> Result<SignalPage, Refusal> {
    let frame = visit.frame(state, Nav::Fleet).await;
    let wanted = find(&frame, subject, signal).ok_or_else(|| {
        let path = format!("{}/signals/{signal}", subject.address());
        Refusal::no_page(path.chars().take(120).collect())
    })?;
    let head = Head::new(&frame, subject, Page::Overview);
    let looked = Looked::of(fields, &frame, subject);
    let (samples, empty) = read(state, &frame, subject, &wanted, looked).await;
    let newest = TicketFilter {
        device: Some(subject.id.clone()),
        sort: TicketSort::Opened,
        limit: TICKETS_LOOKED,
        ..TicketFilter::default()
    };
    let tickets = state.store.tickets(&newest).await?.items;
    let here = format!("{}/signals/{}", head.address, wanted.path);
    let (chart, story) = if samples.is_empty() {
        (Markup::default(), String::new())
    } else {
        drawn(&frame, subject, &wanted, &samples, &tickets, looked)
    };
    let data = address(
        "/api/v1/series",
        &[
            ("device", subject.id.as_str()),
            ("signal", &wanted.path),
            ("from", &looked.from.to_string()),
            ("to", &looked.to.to_string()),
        ],
    );
    Ok(SignalPage {
        lead: lead(&frame, &wanted, &samples),
        ranges: looked.links(&frame, &here),
        range: looked.words(&frame),
        rows: rows(&frame, &wanted, &samples),
        facts: facts(&frame, &wanted),
        readers: readers(&frame, subject, &wanted),
        label: wanted.label,
        path: wanted.path,
        chart,
        empty,
        story,
        data,
        head,
        frame,
    })
}

/// Its values in the range, or why there are none.
async fn read(
    state: &WebState,
    frame: &Frame,
    subject: &Subject,
    wanted: &Wanted<'_>,
    looked: Looked,
) -> (Vec<SeriesSample>, Option<String>) {
    let query = SeriesQuery {
        measurement: wanted.measurement,
        device: subject.id.clone(),
        field: wanted.field.clone(),
        from: looked.from,
        to: looked.to,
        points: POINTS,
    };
    let (samples, mut empty) = if wanted.stored {
        match state.series.range(query).await {
            Ok(samples) => (samples, None),
            Err(error) => {
                let words = frame
                    .t
                    .say("device-series-away")
                    .with("reason", error.reason);
                (Vec::new(), Some(words.to_string()))
            }
        }
    } else {
        let words = frame.t.say("device-signal-not-stored").to_string();
        (Vec::new(), Some(words))
    };
    if samples.is_empty() && empty.is_none() {
        let range = looked.words(frame);
        empty = Some(
            frame
                .t
                .say("device-signal-none")
                .with("range", range)
                .to_string(),
        );
    }
    (samples, empty)
}

/// The signal or derived value of that name.
fn find<'a>(frame: &Frame, subject: &'a Subject, signal: &str) -> Option<Wanted<'a>> {
    let (program, live) = (subject.program.as_ref()?, subject.live.as_ref()?);
    let t = frame.t;
    if let Some(name) = signal.strip_prefix("derive.") {
        let derive = live.derives.iter().find(|derive| derive.name == name)?;
        return Some(Wanted {
            path: signal.into(),
            measurement: Measurement::Derived,
            field: derive.name.clone(),
            label: t.one(&derive.label).to_owned(),
            unit: derive.unit.clone(),
            rule: None,
            value: derive.value,
            normal: derive.normal,
            from_zero: false,
            stored: derive.stored,
            at: derive.at,
        });
    }
    let rule = program.signals.iter().find(|rule| rule.path == signal)?;
    let told = live.signals.iter().find(|told| told.path == signal)?;
    Some(Wanted {
        path: rule.path.clone(),
        measurement: Measurement::Telemetry,
        field: rule.path.clone(),
        label: t.one(&rule.label).to_owned(),
        unit: rule.unit.symbol.clone(),
        rule: Some(rule),
        value: told.last,
        normal: None,
        // A flow or a count that can be zero starts there; a temperature or a level of charge does not.
        from_zero: !rule.unit.dim.absolute && rule.range.is_none_or(|(low, _)| low >= 0.0),
        stored: true,
        at: told.at,
    })
}

/// What is known of the signal itself.
fn facts(frame: &Frame, wanted: &Wanted<'_>) -> Vec<Fact> {
    let (t, show) = (frame.t, &frame.show);
    let mut facts = vec![Fact {
        name: t.say("device-signal-path").to_string(),
        value: Markup::trusted(format!("<code>{}</code>", escaped(&wanted.path))),
    }];
    let mut add = |key: &'static str, value: Markup| {
        facts.push(Fact {
            name: t.say(key).to_string(),
            value,
        });
    };
    if let Some(at) = wanted.at {
        add("device-signal-last", show.when(at));
    }
    if let Some((low, high)) = wanted.rule.and_then(|rule| rule.range) {
        let unit = wanted.rule.map(|rule| &rule.unit);
        let shown = |base: f64| unit.map_or(base, |unit| unit.from_base(base));
        let span = t
            .say("device-span")
            .with("low", chart::number(shown(low), t.lang()))
            .with("high", quantity(shown(high), &wanted.unit, t.lang()));
        add("device-signal-range", Markup::text(&span.to_string()));
    }
    if let Some((normal, spread)) = wanted.normal {
        let text = t
            .say("device-signal-normal")
            .with("normal", quantity(normal, &wanted.unit, t.lang()))
            .with("spread", quantity(spread, &wanted.unit, t.lang()));
        add("device-signal-new", Markup::text(&text.to_string()));
    }
    facts
}

/// The faults that look at it, themselves or through what is derived from it.
fn readers(frame: &Frame, subject: &Subject, wanted: &Wanted<'_>) -> Vec<Reader> {
    let (Some(program), Some(live)) = (&subject.program, &subject.live) else {
        return Vec::new();
    };
    let index = program
        .signals
        .iter()
        .position(|rule| wanted.rule.is_some() && rule.path == wanted.path);
    let found = live.faults.iter().filter_map(|fault| {
        let rule = program
            .faults
            .iter()
            .find(|rule| rule.name == fault.fault)?;
        let reads = index.is_some_and(|index| rule.signals.contains(&index));
        let names = fault
            .stages
            .iter()
            .flat_map(|stage| &stage.terms)
            .any(|term| {
                let own = term.own.as_ref().map(|own| &own.signal);
                own == Some(&wanted.path) || term.evidence.signal.as_ref() == Some(&wanted.path)
            });
        (reads || names).then(|| Reader {
            title: frame.t.one(&rule.title).to_owned(),
            state: parts::fault_state(frame.t, &fault.state, fault.stage),
        })
    });
    found.collect()
}

fn value(frame: &Frame, wanted: &Wanted<'_>, value: f64) -> String {
    match wanted.rule {
        Some(rule) => signals::shown(frame, value, rule),
        None => quantity(value, &wanted.unit, frame.t.lang()),
    }
}

/// `24.8 °C now; 23.1 to 39.1 °C in this time.`
fn lead(frame: &Frame, wanted: &Wanted<'_>, samples: &[SeriesSample]) -> String {
    let t = frame.t;
    let Some(now) = wanted.value else {
        return t.say("device-signal-no-value").to_string();
    };
    let now = value(frame, wanted, now);
    let mut text = match wanted.normal {
        Some((normal, _)) => t
            .say("device-signal-now-new")
            .with("now", now)
            .with("normal", value(frame, wanted, normal)),
        None => t.say("device-signal-now").with("now", now),
    }
    .to_string();
    let graded = wanted
        .rule
        .is_none_or(|rule| !matches!(rule.kind, SignalKind::Bool | SignalKind::Enum(_)));
    let span = signals::span(frame, samples, &wanted.unit);
    if graded && !span.is_empty() {
        text.push_str(&t.say("device-signal-span").with("span", span).to_string());
    }
    text
}

/// The chart, and its story in words.
fn drawn(
    frame: &Frame,
    subject: &Subject,
    wanted: &Wanted<'_>,
    samples: &[SeriesSample],
    tickets: &[Ticket],
    looked: Looked,
) -> (Markup, String) {
    let zone = picture::zone_steps(&frame.show, looked);
    let points = picture::points(samples);
    let limits = limits(subject, wanted);
    let marks = marks(wanted, tickets, looked);
    let chart = LineChart {
        lang: frame.t.lang(),
        name: &wanted.label,
        unit: &wanted.unit,
        zone: Zone(&zone),
        from: looked.from,
        to: looked.to,
        points: &points,
        gap_ms: Some(picture::gap_ms(samples, looked)),
        blind: &[],
        band: wanted.normal.map(|(normal, spread)| {
            (
                normal - BAND_SPREADS * spread,
                normal + BAND_SPREADS * spread,
            )
        }),
        limits: &limits,
        held: &[],
        marks: &marks,
        from_zero: wanted.from_zero,
    };
    (picture::line(&chart), chart::story(&chart))
}

/// The limits that faults have for exactly this signal: of each stage the one that is reached first.
fn limits(subject: &Subject, wanted: &Wanted<'_>) -> Vec<LimitLine> {
    let mut found: Vec<LimitLine> = Vec::new();
    let faults = subject.live.iter().flat_map(|live| &live.faults);
    for stage in faults.flat_map(|fault| &fault.stages) {
        for term in &stage.terms {
            let (limit, rest, relative_pct) = match &term.own {
                Some(own) if own.signal == wanted.path => (
                    own.limit,
                    own.normal,
                    (own.limit / own.normal - 1.0) * 100.0,
                ),
                None if term.evidence.signal.as_ref() == Some(&wanted.path)
                    && term.evidence.unit == wanted.unit =>
                {
                    match (term.evidence.limit, term.rest) {
                        (Some(limit), Some(rest)) => (limit, rest, f64::NAN),
                        _ => continue,
                    }
                }
                _ => continue,
            };
            let line = LimitLine {
                level: match stage.stage {
                    Stage::Warn => Level::Warning,
                    Stage::Fault => Level::Fault,
                },
                value: limit,
                relative_pct: Some(relative_pct).filter(|percent| percent.is_finite()),
                bad_above: limit > rest,
            };
            let same = found
                .iter_mut()
                .find(|known| known.level == line.level && known.bad_above == line.bad_above);
            match same {
                Some(known) if (known.value > line.value) == line.bad_above => *known = line,
                Some(_) => {}
                None => found.push(line),
            }
        }
    }
    found
}

/// When tickets whose proof names this signal were opened and were over.
fn marks(wanted: &Wanted<'_>, tickets: &[Ticket], looked: Looked) -> Vec<Mark> {
    let of_this = tickets.iter().filter(|ticket| {
        ticket
            .evidence
            .iter()
            .any(|evidence| evidence.signal.as_ref() == Some(&wanted.path))
    });
    let mut marks: Vec<Mark> = of_this
        .flat_map(|ticket| {
            let opened = Some((ticket.event_time, MarkKind::Opened));
            let cleared = ticket.cleared_at.map(|at| (at, MarkKind::Cleared));
            let resolved = ticket.resolved_at.map(|at| (at, MarkKind::Resolved));
            [opened, cleared, resolved]
        })
        .flatten()
        .filter(|(at, _)| *at >= looked.from && *at < looked.to)
        .map(|(at, kind)| Mark { at, kind })
        .collect();
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// The values, thinned to what a person reads, newest first.
fn rows(frame: &Frame, wanted: &Wanted<'_>, samples: &[SeriesSample]) -> Vec<ValueRow> {
    let show = &frame.show;
    samples
        .chunks(samples.len().div_ceil(TABLE_ROWS).max(1))
        .filter_map(|chunk| {
            let (first, last) = (chunk.first()?, chunk.last()?);
            let low = chunk.iter().map(|s| s.min).fold(first.min, f64::min);
            let high = chunk.iter().map(|s| s.max).fold(first.max, f64::max);
            let shown = |number: f64| value(frame, wanted, number);
            Some(ValueRow {
                at: show.time(last.at, &show.date_time(last.at)),
                mean: shown(last.mean),
                low: shown(low),
                high: shown(high),
            })
        })
        .rev()
        .collect()
}
