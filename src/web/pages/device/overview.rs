//! `/devices/{model}/{serial}`: how near each fault is to its limit, the signals, and what is known of the device.

use askama::Template;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use smol_str::SmolStr;

use crate::desk::Ticket;
use crate::store::DeviceStanding;
use crate::store::TicketFilter;
use crate::store::TicketSort;
use crate::web::WebState;
use crate::web::pages::frame::Frame;
use crate::web::pages::frame::Nav;
use crate::web::pages::page;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Posted;
use crate::web::pages::visit::Visit;

use super::facts;
use super::facts::Fact;
use super::facts::Line;
use super::faults;
use super::faults::FaultRow;
use super::head::Head;
use super::head::Page;
use super::range::Looked;
use super::range::RangeLink;
use super::signals;
use super::signals::Signals;
use super::subject::Subject;
use super::tickets;
use super::tickets::TicketRow;

/// Tickets that are looked at for the links beside faults, the list and the record.
const TICKETS_LOOKED: usize = 100;
/// Tickets in the list beside the facts.
const TICKETS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "device.html", config = "src/web/pages/askama.toml")]
struct Overview {
    frame: Frame,
    head: Head,
    /// A form was taken, but is not in the store yet.
    taken: bool,
    mistake: Option<Mistake>,
    faults: Vec<FaultRow>,
    ranges: Vec<RangeLink>,
    range: String,
    signals: Signals,
    facts: Vec<Fact>,
    tickets: Vec<TicketRow>,
    record: Vec<Line>,
    forms: Forms,
}

/// What a form said wrong.
pub(super) struct Mistake {
    /// Name of the field.
    pub(super) field: &'static str,
    pub(super) words: String,
}

/// The forms, filled as they were sent.
struct Forms {
    parts: Vec<PartChoice>,
    lot: String,
    can_retire: bool,
    can_adopt: bool,
}

struct PartChoice {
    number: SmolStr,
    title: String,
    chosen: bool,
}

impl Overview {
    /// The mistake is in this field.
    fn wrong(&self, field: &str) -> bool {
        self.mistake
            .as_ref()
            .is_some_and(|mistake| mistake.field == field)
    }
}

/// The page.
pub(super) async fn show(
    State(state): State<WebState>,
    visit: Visit,
    Path((model, serial)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::read(query.unwrap_or_default().as_bytes());
    let built = async {
        let subject = Subject::of(&state, &model, &serial).await?;
        build(&state, &visit, &subject, &fields, None).await
    };
    match built.await {
        Ok(overview) => page(&overview),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

/// The page again, with the form as it was sent and what is wrong with it.
pub(super) async fn with_mistake(
    state: &WebState,
    posted: &Posted,
    subject: Subject,
    mistake: Mistake,
) -> Response {
    let (visit, fields) = (&posted.visit, &posted.fields);
    match build(state, visit, &subject, fields, Some(mistake)).await {
        Ok(overview) => (StatusCode::UNPROCESSABLE_ENTITY, page(&overview)).into_response(),
        Err(refusal) => refusal.on(visit, state).await,
    }
}

async fn build(
    state: &WebState,
    visit: &Visit,
    subject: &Subject,
    fields: &Fields,
    mistake: Option<Mistake>,
) -> Result<Overview, Refusal> {
    let mut frame = visit.frame(state, Nav::Fleet).await;
    let head = Head::new(&frame, subject, Page::Overview);
    if mistake.is_some() {
        // A form's own address shows nothing when it is asked for later.
        frame.here.clone_from(&head.address);
    }
    let looked = Looked::of(fields, &frame, subject);
    let newest = TicketFilter {
        device: Some(subject.id.clone()),
        sort: TicketSort::Opened,
        limit: TICKETS_LOOKED,
        ..TicketFilter::default()
    };
    let found: Vec<Ticket> = state.store.tickets(&newest).await?.items;
    let open: Vec<Ticket> = found
        .iter()
        .filter(|ticket| ticket.closed_at.is_none())
        .cloned()
        .collect();
    let signals = signals::signals(state, &frame, subject, looked).await;
    let shown = found.iter().take(TICKETS_SHOWN);
    Ok(Overview {
        taken: fields.get("taken").is_some(),
        mistake,
        faults: faults::rows(&frame, subject, &open),
        ranges: looked.links(&frame, &head.address),
        range: looked.words(&frame),
        signals,
        facts: facts::facts(&frame, subject, &state.backend.connections(&subject.id)),
        tickets: shown.map(|ticket| tickets::row(&frame, ticket)).collect(),
        record: facts::record(&frame, subject, &found),
        forms: forms(&frame, subject, fields),
        head,
        frame,
    })
}

fn forms(frame: &Frame, subject: &Subject, fields: &Fields) -> Forms {
    let parts = subject.program.iter().flat_map(|program| &program.parts);
    let standing = subject.row.standing;
    Forms {
        parts: parts
            .map(|part| PartChoice {
                title: frame.t.one(&part.title).to_owned(),
                chosen: fields.get("part") == Some(part.number.as_str()),
                number: part.number.clone(),
            })
            .collect(),
        lot: fields
            .get("lot")
            .unwrap_or_default()
            .chars()
            .take(128)
            .collect(),
        can_retire: standing != DeviceStanding::Retired,
        can_adopt: standing != DeviceStanding::InService,
    }
}
