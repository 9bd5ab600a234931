//! The queue as a table for a spreadsheet: every ticket of the view, times with their zone.

use axum::http::header;
use axum::response::IntoResponse;
use smol_str::SmolStr;

use crate::store::PAGE_LIMIT;
use crate::web::WebState;

use super::cases::Case;
use crate::web::pages::frame::Frame;
use crate::web::pages::refusal::Refusal;

/// The cases as CSV (RFC 4180, UTF-8 with a mark that spreadsheets need to see it).
pub(super) async fn answer(
    state: &WebState,
    frame: &Frame,
    cases: &[Case],
) -> Result<impl IntoResponse, Refusal> {
    let ids: Vec<SmolStr> = cases
        .iter()
        .flat_map(|case| &case.lines)
        .map(|line| line.id.clone())
        .collect();
    let mut table = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    let head = [
        "ticket",
        "severity",
        "status",
        "model",
        "serial",
        "fault",
        "title",
        "reason",
        "region",
        "assignee",
        "opened_at",
        "updated_at",
    ];
    let failed = |_| Refusal::failed();
    table.write_record(head).map_err(failed)?;
    for some in ids.chunks(PAGE_LIMIT) {
        let tickets = state.store.tickets_by_id(some).await?;
        for ticket in some.iter().filter_map(|id| tickets.get(id)) {
            let severity = format!("{:?}", ticket.severity);
            let times = [ticket.opened_at, ticket.updated_at].map(|at| at.to_string());
            let fields = [
                ticket.id.as_str(),
                &severity,
                ticket.status.as_str(),
                ticket.device.model(),
                ticket.device.serial(),
                &ticket.fault,
                frame.t.one(&ticket.title),
                frame.t.one(&ticket.reason),
                ticket.region.as_deref().unwrap_or_default(),
                ticket.assignee.as_deref().unwrap_or_default(),
                &times[0],
                &times[1],
            ];
            table.write_record(fields.map(harmless)).map_err(failed)?;
        }
    }
    let body = table.into_inner().map_err(|_| Refusal::failed())?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"queue.csv\"",
        ),
    ];
    Ok((headers, body))
}

/// A spreadsheet runs what begins like a formula; a quote before it makes it text.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
