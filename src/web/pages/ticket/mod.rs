//! `/tickets/{id}`: one ticket: what is wrong, how sure that is, what to do, the proof, what happened, and what can be done now.
//!
//! `gather` reads, the other parts make words and pictures of it, the template in `html/ticket.html` puts them in their places.

mod evidence;

mod forms;

mod gather;

mod span;

mod story;

mod subject;

mod sure;

mod values;

mod words;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use axum::response::Response;
use smol_str::SmolStr;

use crate::chart;
use crate::desk::TicketStatus;
use crate::detect::HoldView;
use crate::profile::Recheck;
use crate::profile::Severity;
use crate::telemetry::Lang;
use crate::web::WebState;
use crate::web::WordList;

use super::frame::Frame;
use super::frame::Nav;
use super::page;
use super::parts;
use super::parts::Markup;
use super::parts::told;
use super::refusal::Refusal;
use super::texts::Sentence;
use super::visit::Fields;
use super::visit::Visit;

use evidence::Proof;
use forms::Forms;
use gather::Gathered;
use story::Moment;
use sure::Sure;

pub(super) use forms::Tried;
pub(super) use values::values;

#[derive(Template)]
#[template(path = "ticket.html", config = "src/web/pages/askama.toml")]
struct TicketPage {
    frame: Frame,
    id: SmolStr,
    title: String,
    severity: Markup,
    hot: bool,
    status: Markup,
    until: Option<String>,
    model: String,
    serial: Markup,
    device: String,
    reason: Markup,
    grey: Vec<String>,
    /// Other open tickets of the device: id, severity, title.
    case: Vec<(SmolStr, &'static str, String)>,
    place: Option<Place>,
    todo: Todo,
    sure: Sure,
    /// Number and name.
    parts: Vec<(SmolStr, String)>,
    proof: Proof,
    zone: &'static str,
    message: Option<Message>,
    story: Vec<Moment>,
    /// Closed tickets of the device: id, title, when.
    earlier: Vec<(SmolStr, String, Markup)>,
    forms: Forms,
    about_device: Vec<(String, Markup)>,
    about_ticket: Vec<(String, Markup)>,
}

/// Neighbours in the queue.
struct Place {
    before: Option<SmolStr>,
    after: Option<SmolStr>,
    words: String,
}

/// What to do.
struct Todo {
    action: String,
    steps: Vec<String>,
    after: String,
}

/// What the owner may be told.
struct Message {
    name: SmolStr,
    zh: String,
    en: String,
    /// Something has to be filled in by hand.
    gaps: bool,
}

/// `GET /tickets/{id}`.
pub(super) async fn show(
    State(state): State<WebState>,
    Path(id): Path<String>,
    uri: Uri,
    visit: Visit,
) -> Response {
    let query = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let tried = Tried {
        taken: query.get("taken").is_some(),
        ..Tried::default()
    };
    match draw(&state, &visit, &id, query.get("range"), tried).await {
        Ok(response) => response,
        Err(refusal) => refusal.on(&visit, &state).await.into_response(),
    }
}

/// The page, with what became of a form that was sent just now.
pub(super) async fn draw(
    state: &WebState,
    visit: &Visit,
    id: &str,
    range: Option<&str>,
    tried: Tried,
) -> Result<Response, Refusal> {
    let all = Gathered::read(state, id).await?;
    let mut frame = visit.frame(state, Nav::Queue).await;
    if !frame.here.starts_with("/tickets/") || frame.here.ends_with("/actions") {
        frame.here = format!("/tickets/{}", all.ticket.id);
    }
    // A form's address is no page: the other language shows the page itself.
    frame.twin = frame.twin.replace("/actions?", "?");
    let local = all.local(frame.show);
    let proof = evidence::proof(state, &frame, &local, &all, range).await;
    Ok(page(&TicketPage::new(
        state, frame, &all, proof, &local, tried,
    )))
}

impl TicketPage {
    fn new(
        state: &WebState,
        frame: Frame,
        all: &Gathered,
        proof: Proof,
        local: &super::show::Show,
        tried: Tried,
    ) -> Self {
        let t = frame.t;
        let ticket = &all.ticket;
        let rule = all.rule();
        let open = all.siblings.iter().filter(|other| other.is_open());
        let done = all.siblings.iter().filter(|other| !other.is_open());
        Self {
            id: ticket.id.clone(),
            title: t.one(&ticket.title).to_owned(),
            severity: parts::severity(t, ticket.severity),
            hot: ticket.severity == Severity::S1
                && ticket.is_open()
                && ticket.status != TicketStatus::Resolved,
            status: parts::status(t, ticket),
            until: ticket.waiting.as_ref().map(|waiting| {
                let until = frame.show.date(waiting.until);
                t.say("ticket-until").with("until", until).to_string()
            }),
            model: ticket.device.model().to_owned(),
            serial: told(ticket.device.serial()),
            device: format!("/devices/{}", ticket.device),
            reason: words::reason(
                &ticket.reason,
                rule.and_then(|rule| rule.reason.as_ref()),
                t.lang(),
            ),
            grey: grey(&frame, all),
            case: open
                .map(|other| {
                    let title = t.one(&other.title).to_owned();
                    (other.id.clone(), other.severity.as_str(), title)
                })
                .collect(),
            place: all.place.as_ref().map(|place| Place {
                before: place.before.clone(),
                after: place.after.clone(),
                words: t
                    .say("ticket-place")
                    .num("n", place.number)
                    .num("of", place.of)
                    .to_string(),
            }),
            todo: todo(state, &frame, all),
            sure: sure::sure(&frame, all),
            parts: ticket
                .parts
                .iter()
                .map(|part| (part.clone(), forms::part_name(&frame, all, part)))
                .collect(),
            proof,
            zone: local.zone().name(),
            message: message(state, all),
            story: story::story(&frame, all),
            earlier: done
                .map(|other| {
                    let closed = other.closed_at.unwrap_or(other.updated_at);
                    let title = t.one(&other.title).to_owned();
                    (other.id.clone(), title, frame.show.when(closed))
                })
                .collect(),
            forms: Forms::new(&frame, all, tried),
            about_device: about_device(&frame, all),
            about_ticket: about_ticket(&frame, all),
            frame,
        }
    }

    /// Who was faster: the newest line of the story.
    fn newest(&self) -> Option<&Moment> {
        self.story.first()
    }
}

/// The grey sentences under the reason: over which limit, since when, how it went on.
fn grey(frame: &Frame, all: &Gathered) -> Vec<String> {
    let (t, show) = (frame.t, frame.show);
    let ticket = &all.ticket;
    let mut said = Vec::new();
    let decisive = sure::held_now(all).find_map(|term| match (&term.own, term.hold) {
        (Some(own), Some(HoldView::Values { held, among, .. })) => Some(
            t.say("ticket-grey-values")
                .with("level", sure::level(ticket.stage))
                .with("limit", chart::quantity(own.limit, &own.unit, t.lang()))
                .num("held", held)
                .num("among", among),
        ),
        _ => None,
    });
    said.extend(decisive.map(|sentence| sentence.to_string()));
    said.push(
        t.say("ticket-grey-opened")
            .with("ago", show.duration(show.now().since(ticket.opened_at)))
            .with("when", show.day_time(ticket.opened_at))
            .to_string(),
    );
    let worsened = all
        .timeline
        .iter()
        .rev()
        .find(|line| line.change == "worsened");
    if let Some(line) = worsened {
        said.push(
            t.say("ticket-grey-worsened")
                .with("severity", ticket.severity.as_str())
                .with("when", show.day_time(line.at))
                .to_string(),
        );
    }
    if let Some(cleared) = ticket.cleared_at {
        let over = t.say("ticket-grey-cleared");
        said.push(over.with("when", show.day_time(cleared)).to_string());
    }
    if ticket.late {
        said.push(t.say("ticket-late").to_string());
    }
    said
}

fn todo(state: &WebState, frame: &Frame, all: &Gathered) -> Todo {
    let t = frame.t;
    let ticket = &all.ticket;
    let action = state.backend.word(WordList::Action, &ticket.action);
    let guide = state.backend.guide(&ticket.action);
    let after = all.rule().map(|rule| match rule.recheck {
        Recheck::Span(ms) => t
            .say("ticket-recheck-span")
            .with("span", chart::span_words(ms, t.lang())),
        Recheck::Sessions { session, count } => {
            let sessions = all.program.as_ref().map(|program| &program.sessions);
            let name = sessions.and_then(|sessions| sessions.get(session));
            t.say("ticket-recheck-uses")
                .num("n", count)
                .with("name", name.map_or("–", |session| session.name.as_str()))
        }
    });
    Todo {
        action: action.map_or_else(
            || ticket.action.to_string(),
            |action| t.one(&action).to_owned(),
        ),
        steps: guide.iter().map(|step| t.one(step).to_owned()).collect(),
        after: after.map_or_else(String::new, |after| after.to_string()),
    }
}

/// The owner's message in both languages; a place that nobody fills in is shown as an ellipsis.
fn message(state: &WebState, all: &Gathered) -> Option<Message> {
    let name = all.ticket.message.clone()?;
    let text = state.backend.word(WordList::Message, &name)?;
    let product = all.program.as_ref().map(|program| &program.name);
    let mut gaps = false;
    let mut filled = |lang: Lang| {
        let mut out = String::new();
        let mut rest = text.of(lang);
        while let Some((before, after)) = rest.split_once('{') {
            let Some((place, after)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            if let Some(product) = product.filter(|_| place == "name") {
                out.push_str(product.of(lang));
            } else {
                gaps = true;
                out.push('…');
            }
            rest = after;
        }
        out.push_str(rest);
        out
    };
    let (zh, en) = (filled(Lang::Zh), filled(Lang::En));
    Some(Message { name, zh, en, gaps })
}

fn about_device(frame: &Frame, all: &Gathered) -> Vec<(String, Markup)> {
    let (t, show) = (frame.t, frame.show);
    let ticket = &all.ticket;
    let mut facts = Vec::new();
    let mut add = |name: Sentence<'_>, fact: Markup| facts.push((name.to_string(), fact));
    let path = parts::escaped(ticket.device.as_str());
    let serial = told(ticket.device.serial());
    add(
        t.say("ticket-device"),
        Markup::trusted(format!("<a href=\"/devices/{path}\">{serial}</a>")),
    );
    let model = parts::escaped(ticket.device.model());
    let name = all.program.as_ref().map(|program| t.one(&program.name));
    let name = parts::escaped(name.unwrap_or_default());
    add(
        t.say("ticket-model"),
        Markup::trusted(format!(
            "<a href=\"/profiles/{model}\">{model}</a><small>{name}</small>"
        )),
    );
    let identity = all.device.as_ref().map(|device| &device.identity);
    let told_by = |field: Option<&SmolStr>| field.map(|text| told(text));
    let hw = identity.and_then(|identity| identity.hw.as_ref());
    let fw = identity.and_then(|identity| identity.fw.as_ref());
    let first_use = identity.and_then(|identity| identity.first_use.as_ref());
    let region = ticket.region.as_ref();
    let facts_told = [
        (t.say("ticket-hardware"), told_by(hw)),
        (
            t.say("ticket-firmware"),
            told_by(fw.or(ticket.firmware.as_ref())),
        ),
        (t.say("ticket-lot"), told_by(ticket.lot.as_ref())),
        (t.say("ticket-region"), told_by(region)),
        (t.say("ticket-first-use"), told_by(first_use)),
    ];
    for (name, fact) in facts_told {
        if let Some(fact) = fact {
            add(name, fact);
        }
    }
    if let Some(device) = &all.device {
        add(t.say("ticket-last-heard"), show.when(device.last_seen));
    }
    facts
}

fn about_ticket(frame: &Frame, all: &Gathered) -> Vec<(String, Markup)> {
    let t = frame.t;
    let ticket = &all.ticket;
    let fault = t
        .say("ticket-fault-stage")
        .with("code", &ticket.code)
        .with("name", &ticket.fault)
        .with("level", sure::level(ticket.stage))
        .to_string();
    let profile = all.program.as_ref().map_or_else(
        || ticket.profile_version.to_string(),
        |program| format!("{} {}", program.version, ticket.profile_version),
    );
    let assignee = ticket.assignee.as_ref().map_or_else(
        || Markup::text(&t.say("frame-nobody").to_string()),
        |name| told(name),
    );
    let raised = t.say("ticket-raises").num("n", ticket.occurrences);
    let mut facts = vec![
        (t.say("ticket-fault").to_string(), Markup::text(&fault)),
        (t.say("ticket-profile").to_string(), Markup::text(&profile)),
        (t.say("ticket-assignee").to_string(), assignee),
        (
            t.say("ticket-seen").to_string(),
            Markup::text(&raised.to_string()),
        ),
    ];
    if let Some(linked) = &ticket.linked {
        let id = parts::escaped(linked);
        let link = Markup::trusted(format!("<a href=\"/tickets/{id}\">{id}</a>"));
        facts.push((t.say("ticket-linked").to_string(), link));
    }
    if let Some(verdict) = all
        .timeline
        .iter()
        .rev()
        .find_map(|line| line.changed.get("verdict")?.as_str())
        .filter(|_| ticket.verdict.is_some())
    {
        let words = story::verdict_words(t, verdict);
        facts.push((t.say("ticket-verdict").to_string(), Markup::text(&words)));
    }
    facts
}
