//! `/devices/{model}/{serial}/tickets`: every ticket and notice of a device, newest first.

use askama::Template;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;

use crate::desk::Ticket;
use crate::store::TicketFilter;
use crate::store::TicketSort;
use crate::web::WebState;
use crate::web::pages::frame::Frame;
use crate::web::pages::frame::Nav;
use crate::web::pages::page;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Visit;
use crate::web::pages::visit::address;

use super::facts;
use super::head::Head;
use super::head::Page;
use super::subject::Subject;

/// Tickets on one page.
const TICKETS_ON_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "device-tickets.html", config = "src/web/pages/askama.toml")]
struct TicketsPage {
    frame: Frame,
    head: Head,
    rows: Vec<TicketRow>,
    after: Option<String>,
}

/// A ticket in a list of its device.
pub(super) struct TicketRow {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) reason: String,
    pub(super) severity: Markup,
    pub(super) status: Markup,
    pub(super) who: String,
    pub(super) opened: Markup,
    /// How it ended.
    pub(super) end: Markup,
}

/// The page.
pub(super) async fn show(
    State(state): State<WebState>,
    visit: Visit,
    Path((model, serial)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    match build(&state, &visit, &model, &serial, query).await {
        Ok(tickets) => page(&tickets),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(
    state: &WebState,
    visit: &Visit,
    model: &str,
    serial: &str,
    query: Option<String>,
) -> Result<TicketsPage, Refusal> {
    let subject = Subject::of(state, model, serial).await?;
    let fields = Fields::read(query.unwrap_or_default().as_bytes());
    let filter = TicketFilter {
        device: Some(subject.id.clone()),
        sort: TicketSort::Opened,
        limit: TICKETS_ON_PAGE,
        after: fields.get("after").map(str::to_owned),
        ..TicketFilter::default()
    };
    let found = state.store.tickets(&filter).await?;
    let frame = visit.frame(state, Nav::Fleet).await;
    let head = Head::new(&frame, &subject, Page::Tickets);
    let path = format!("{}/tickets", head.address);
    Ok(TicketsPage {
        rows: found
            .items
            .iter()
            .map(|ticket| row(&frame, ticket))
            .collect(),
        after: found.next.map(|next| address(&path, &[("after", &next)])),
        head,
        frame,
    })
}

/// A ticket as a row.
pub(super) fn row(frame: &Frame, ticket: &Ticket) -> TicketRow {
    let (t, show) = (frame.t, &frame.show);
    let end = match ticket.closed_at {
        Some(at) => {
            let how = match ticket.verdict {
                Some(verdict) => facts::verdict(frame, verdict),
                None => t.say("device-no-verdict").to_string(),
            };
            let text = t
                .say("device-closed")
                .with("when", show.date(at))
                .with("how", how);
            show.time(at, &text.to_string())
        }
        None => Markup::default(),
    };
    TicketRow {
        id: ticket.id.to_string(),
        title: t.one(&ticket.title).to_owned(),
        reason: t.one(&ticket.reason).to_owned(),
        severity: parts::severity(t, ticket.severity),
        status: parts::status(t, ticket),
        who: ticket
            .assignee
            .as_ref()
            .map_or_else(|| t.say("frame-nobody").to_string(), ToString::to_string),
        opened: show.when(ticket.opened_at),
        end,
    }
}
