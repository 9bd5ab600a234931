//! `/tickets/{id}/values.csv`: the values behind the chart, as they are, with times that carry their zone.

use axum::extract::Path;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;

use crate::web::WebState;
use crate::web::pages::refusal::Refusal;
use crate::web::pages::visit::Fields;
use crate::web::pages::visit::Visit;

use super::evidence::read;
use super::gather::Gathered;
use super::span::Range;
use super::subject::subjects;

/// Most lines; with more values than that each line stands for a window.
const LINES_LIMIT: u32 = 10_000;

/// Answers with the table.
pub(in crate::web::pages) async fn values(
    State(state): State<WebState>,
    Path(id): Path<String>,
    uri: Uri,
    visit: Visit,
) -> Response {
    let query = Fields::read(uri.query().unwrap_or_default().as_bytes());
    match table(&state, &id, query.get("range")).await {
        Ok(response) => response,
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn table(state: &WebState, id: &str, range: Option<&str>) -> Result<Response, Refusal> {
    let all = Gathered::read(state, id).await?;
    let subjects = subjects(&all);
    let mut table = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    let failed = |_| Refusal::failed();
    table
        .write_record(["at", "signal", "unit", "mean", "min", "max"])
        .map_err(failed)?;
    if let Some(first) = subjects.first() {
        let span = Range::chosen(range, first.per_use).span(&all, state.backend.now());
        for subject in &subjects {
            let points = read(state, &all, subject, (span.from, span.to), LINES_LIMIT)
                .await
                .map_err(|error| {
                    tracing::warn!(%error, "the values of a ticket could not be read");
                    Refusal::failed()
                })?;
            for point in points {
                let numbers = [point.mean, point.min, point.max].map(|value| value.to_string());
                let [mean, min, max] = &numbers;
                let at = point.at.to_string();
                table
                    .write_record([&*at, &*subject.field, &*subject.unit, mean, min, max])
                    .map_err(failed)?;
            }
        }
    }
    let text = table.into_inner().map_err(|_| Refusal::failed())?;
    let name = format!("attachment; filename=\"{}.csv\"", all.ticket.id);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}
