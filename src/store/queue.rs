//! The queue's own reading: what every ticket of a view is, without its whole content, and then the content of those on the page.
//!
//! A page shows a few dozen of perhaps thousands of tickets; their evidence is only read for these.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use sqlx::QueryBuilder;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::tickets::read_ticket;
use super::tickets::ticket_number;
use super::{PAGE_LIMIT, Store, StoreError};
use crate::desk::Ticket;
use crate::telemetry::Timestamp;

/// Tickets that a view of the queue looks at; a service team with more has an outage, and sees the most urgent ones.
pub const QUEUE_LIMIT: usize = 5_000;

/// A ticket in a view, by what lies in its own columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLine {
    /// Ticket id.
    pub id: SmolStr,
    /// `model/serial`.
    pub device: SmolStr,
    /// Model.
    pub model: SmolStr,
    /// `S1` to `S4`.
    pub severity: SmolStr,
    /// Status by its name.
    pub status: SmolStr,
    /// Who has it.
    pub assignee: Option<SmolStr>,
    /// Where the device is.
    pub region: Option<SmolStr>,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// Which tickets a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueView {
    /// Tickets that are open, notices left out.
    Open,
    /// Notices that are open.
    Notices,
    /// Tickets that are closed or cancelled, newest first.
    Done,
}

impl Store {
    /// The tickets of a view, at most [`QUEUE_LIMIT`], most urgent first (those that are done: newest first).
    pub async fn queue(&self, view: QueueView) -> Result<Vec<QueueLine>, StoreError> {
        let which = match view {
            QueueView::Open => "closed = 0 AND kind = 'ticket' ORDER BY severity, opened_at, id",
            QueueView::Notices => "closed = 0 AND kind = 'notice' ORDER BY opened_at DESC, id DESC",
            QueueView::Done => "closed = 1 AND kind = 'ticket' ORDER BY updated_at DESC, id DESC",
        };
        let mut query = QueryBuilder::new(
            "SELECT id, device, model, severity, status, assignee, region, opened_at FROM tickets WHERE ",
        );
        query.push(which).push(" LIMIT ");
        query.push_bind(QUEUE_LIMIT.cast_signed() as i64);
        query
            .build()
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_line)
            .collect()
    }

    /// These tickets, by id; those that there are not are left out. At most [`PAGE_LIMIT`] are looked at.
    pub async fn tickets_by_id(
        &self,
        ids: &[SmolStr],
    ) -> Result<BTreeMap<SmolStr, Ticket>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = QueryBuilder::new("SELECT ticket FROM tickets WHERE id IN (");
        let mut list = query.separated(", ");
        for number in ids
            .iter()
            .take(PAGE_LIMIT)
            .filter_map(|id| ticket_number(id).ok())
        {
            list.push_bind(number);
        }
        query.push(")");
        let rows = query.build().fetch_all(&self.readers).await?;
        let tickets = rows.iter().map(read_ticket);
        tickets
            .map(|ticket| ticket.map(|ticket| (ticket.id.clone(), ticket)))
            .collect()
    }
}

fn read_line(row: &SqliteRow) -> Result<QueueLine, StoreError> {
    let text = |at: usize| row.try_get::<String, _>(at).map(SmolStr::from);
    let maybe = |at: usize| {
        row.try_get::<Option<String>, _>(at)
            .map(|text| text.map(SmolStr::from))
    };
    let number: i64 = row.try_get(0)?;
    Ok(QueueLine {
        id: format!("T-{number}").into(),
        device: text(1)?,
        model: text(2)?,
        severity: text(3)?,
        status: text(4)?,
        assignee: maybe(5)?,
        region: maybe(6)?,
        opened_at: Timestamp::from_ms(row.try_get(7)?),
    })
}
