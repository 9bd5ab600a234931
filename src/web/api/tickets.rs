//! `GET /tickets` and `GET /tickets/{id}`.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::desk::TicketKind;
use crate::store::{AssigneeFilter, TicketFilter, TicketSort};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::extract::{Params, PathOf, list, page_size, parsed, word};
use crate::web::once::insert_etag;
use crate::web::problem::Problem;

use super::answer::{TicketAnswer, TicketsAnswer};

/// Which tickets.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TicketParams {
    /// Any of `new acknowledged in_progress waiting resolved closed cancelled`, with commas.
    status: Option<String>,
    /// Any of these models, with commas.
    model: Option<String>,
    /// `model/serial`.
    device: Option<String>,
    /// Any of these faults, with commas.
    fault: Option<String>,
    /// Any of `S1 S2 S3 S4`, with commas.
    severity: Option<String>,
    /// Ticket id, serial, or the end of a serial (at least its last four characters).
    q: Option<String>,
    /// `true`: any status but closed and cancelled.
    open: Option<bool>,
    /// `me`, `none` or a name.
    assignee: Option<String>,
    /// `ticket` or `notice`.
    kind: Option<String>,
    /// A region.
    region: Option<String>,
    /// A lot.
    lot: Option<String>,
    /// Changed after this time.
    updated_after: Option<String>,
    /// `urgency` (open first, worst first, oldest first; the default), `opened` (newest first) or `updated` (longest unchanged first).
    sort: Option<String>,
    /// 1 to 500; 50 unless told.
    limit: Option<usize>,
    /// `next` of the page before, with the same `sort`.
    after: Option<String>,
}

/// The queue, or any other list of tickets.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", params(TicketParams),
    responses((status = 200, body = TicketsAnswer), (status = 400, description = "a filter cannot be read")))]
pub(super) async fn tickets(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Params(params): Params<TicketParams>,
) -> Result<Json<TicketsAnswer>, Problem> {
    let page = state.store.tickets(&read_filter(params, &caller)?).await?;
    let items = page.items.into_iter();
    Ok(Json(TicketsAnswer {
        items: items
            .map(|ticket| TicketAnswer::new(&*state.backend, ticket, None))
            .collect(),
        next: page.next,
    }))
}

/// One ticket with its timeline.
#[utoipa::path(get, path = "/api/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path, example = "T-1")),
    responses((status = 200, body = TicketAnswer), (status = 404, description = "there is no such ticket")))]
pub(super) async fn ticket(
    State(state): State<WebState>,
    PathOf(id): PathOf<String>,
) -> Result<(HeaderMap, Json<TicketAnswer>), Problem> {
    let answer = ticket_answer(&state, &id).await?;
    let (answer, version) = answer;
    let mut headers = HeaderMap::new();
    insert_etag(&mut headers, version);
    Ok((headers, Json(answer)))
}

/// A ticket with its timeline, and its version.
pub(super) async fn ticket_answer(
    state: &WebState,
    id: &str,
) -> Result<(TicketAnswer, u64), Problem> {
    let ticket = state.store.ticket(id).await?;
    let ticket = ticket.ok_or_else(|| no_such_ticket(id))?;
    let timeline = state.store.timeline(id).await?;
    let version = ticket.version;
    let answer = TicketAnswer::new(&*state.backend, ticket, Some(timeline));
    Ok((answer, version))
}

/// 404 that tells a wrong form from a number that was not given.
pub(super) fn no_such_ticket(id: &str) -> Problem {
    let shown: String = id.chars().take(40).collect();
    Problem::not_found(format!(
        "there is no ticket '{shown}'; ticket ids look like T-1"
    ))
}

fn read_filter(params: TicketParams, caller: &Caller) -> Result<TicketFilter, Problem> {
    let text = |text: &str| Ok(text.to_owned());
    let one = |name: &str, value: Option<String>| value.map(|text| parsed(name, &text)).transpose();
    Ok(TicketFilter {
        status: list("status", params.status.as_deref(), |s| word("status", s))?,
        model: list("model", params.model.as_deref(), text)?,
        device: params
            .device
            .map(|device| parsed("device", &device))
            .transpose()?,
        fault: list("fault", params.fault.as_deref(), text)?,
        severity: list("severity", params.severity.as_deref(), |s| {
            word("severity", s)
        })?,
        q: params.q.filter(|q| !q.trim().is_empty()),
        open: params.open,
        assignee: params.assignee.map(|name| match name.as_str() {
            "me" => AssigneeFilter::Name(caller.name.to_string()),
            "none" => AssigneeFilter::None,
            _ => AssigneeFilter::Name(name),
        }),
        kind: params
            .kind
            .map(|kind| word::<TicketKind>("kind", &kind))
            .transpose()?,
        region: params.region,
        lot: params.lot,
        updated_after: one("updated_after", params.updated_after)?,
        sort: read_sort(params.sort.as_deref())?,
        limit: page_size(params.limit)?,
        after: params.after,
    })
}

fn read_sort(sort: Option<&str>) -> Result<TicketSort, Problem> {
    let Some(sort) = sort else {
        return Ok(TicketSort::default());
    };
    let known = [TicketSort::Urgency, TicketSort::Opened, TicketSort::Updated];
    known
        .into_iter()
        .find(|known| known.as_str() == sort)
        .ok_or_else(|| {
            let names = known.map(TicketSort::as_str).join(", ");
            Problem::bad_request(format!("sort={sort}: expected one of {names}"))
        })
}
