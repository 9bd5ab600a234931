//! Reading tickets: one, or a page by filters in one of three orders.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::desk::{Ticket, TicketKind, TicketStatus};
use crate::profile::Severity;
use crate::telemetry::{DeviceId, Timestamp};

use super::apply::serial_tail;
use super::cursor::{cut_to, number, read_cursor, write_cursor};
use super::{PAGE_LIMIT, Page, Store, StoreError};

/// Which tickets. Empty lists and `None` ask for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TicketFilter {
    /// Any of these.
    pub status: Vec<TicketStatus>,
    /// Any of these.
    pub model: Vec<String>,
    /// This device.
    pub device: Option<DeviceId>,
    /// Any of these.
    pub fault: Vec<String>,
    /// Any of these.
    pub severity: Vec<Severity>,
    /// Ticket id, serial, or the end of a serial (at least its last four characters).
    pub q: Option<String>,
    /// Open or not.
    pub open: Option<bool>,
    /// Whose.
    pub assignee: Option<AssigneeFilter>,
    /// Tickets or notices.
    pub kind: Option<TicketKind>,
    /// This region.
    pub region: Option<String>,
    /// This lot.
    pub lot: Option<String>,
    /// Changed after this instant.
    pub updated_after: Option<Timestamp>,
    /// In which order.
    pub sort: TicketSort,
    /// At most so many, 1 to [`PAGE_LIMIT`]; 0 counts as 1.
    pub limit: usize,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Whose tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// Nobody's.
    None,
    /// This user's.
    Name(String),
}

/// In which order tickets are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TicketSort {
    /// The queue: open ones first, worst first, oldest first.
    #[default]
    Urgency,
    /// Newest first.
    Opened,
    /// Longest unchanged first: the order in which to follow changes with `updated_after`.
    Updated,
}

impl TicketSort {
    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Opened => "opened",
            Self::Updated => "updated",
        }
    }
}

impl Store {
    /// A page of tickets.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when `after` is not a cursor of this sort.
    pub async fn tickets(&self, filter: &TicketFilter) -> Result<Page<Ticket>, StoreError> {
        let limit = filter.limit.clamp(1, PAGE_LIMIT);
        let mut query = QueryBuilder::new("SELECT ticket FROM tickets WHERE 1 = 1");
        push_filters(&mut query, filter);
        push_order(&mut query, filter)?;
        query
            .push(" LIMIT ")
            .push_bind(limit.cast_signed() as i64 + 1);
        let mut items = query
            .build()
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_ticket)
            .collect::<Result<Vec<Ticket>, StoreError>>()?;
        let more = cut_to(&mut items, limit);
        let next = match items.last() {
            Some(last) if more => Some(cursor_after(filter.sort, last)?),
            Some(_) | None => None,
        };
        Ok(Page { items, next })
    }

    /// One ticket; `None` when there is none of that id, or it is no ticket id at all.
    pub async fn ticket(&self, id: &str) -> Result<Option<Ticket>, StoreError> {
        let Ok(number) = ticket_number(id) else {
            return Ok(None);
        };
        sqlx::query("SELECT ticket FROM tickets WHERE id = ?")
            .bind(number)
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read_ticket)
            .transpose()
    }
}

fn push_filters(query: &mut QueryBuilder<Sqlite>, filter: &TicketFilter) {
    push_any(
        query,
        "status",
        filter.status.iter().map(|s| s.as_str().to_owned()),
    );
    push_any(query, "model", filter.model.iter().cloned());
    push_any(
        query,
        "device",
        filter.device.iter().map(ToString::to_string),
    );
    push_any(query, "fault", filter.fault.iter().cloned());
    push_any(query, "severity", filter.severity.iter().map(word));
    push_any(query, "kind", filter.kind.iter().map(word));
    push_any(query, "region", filter.region.iter().cloned());
    push_any(query, "lot", filter.lot.iter().cloned());
    if let Some(open) = filter.open {
        query.push(" AND closed = ").push_bind(!open);
    }
    match &filter.assignee {
        Some(AssigneeFilter::None) => {
            query.push(" AND assignee IS NULL");
        }
        Some(AssigneeFilter::Name(name)) => {
            query.push(" AND assignee = ").push_bind(name.clone());
        }
        None => {}
    }
    if let Some(after) = filter.updated_after {
        query.push(" AND updated_at > ").push_bind(after.ms());
    }
    if let Some(text) = &filter.q {
        push_search(query, text.trim());
    }
}

fn push_any(query: &mut QueryBuilder<Sqlite>, column: &str, values: impl Iterator<Item = String>) {
    let mut values = values.peekable();
    if values.peek().is_none() {
        return;
    }
    query.push(" AND ").push(column).push(" IN (");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}

/// Ticket id, `model/serial`, serial, or the end of a serial.
fn push_search(query: &mut QueryBuilder<Sqlite>, text: &str) {
    let lower = text.to_ascii_lowercase();
    let number = ticket_number(&text.to_ascii_uppercase()).unwrap_or(-1);
    query.push(" AND (id = ").push_bind(number);
    query.push(" OR device = ").push_bind(text.to_owned());
    query.push(" OR serial_lower = ").push_bind(lower.clone());
    if lower.is_ascii() && lower.len() >= 4 {
        // The indexed tail narrows it to a few before the whole end is compared.
        query
            .push(" OR (serial_tail = ")
            .push_bind(serial_tail(&lower).to_owned());
        let ending = format!(
            "%{}",
            lower
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        );
        query.push(" AND serial_lower LIKE ").push_bind(ending);
        query.push(" ESCAPE '\\')");
    }
    query.push(")");
}

fn push_order(query: &mut QueryBuilder<Sqlite>, filter: &TicketFilter) -> Result<(), StoreError> {
    let name = filter.sort.as_str();
    match filter.sort {
        TicketSort::Urgency => {
            if let Some(cursor) = &filter.after {
                let [closed, severity, opened, id] = read_cursor(cursor, name)?;
                query.push(" AND (closed, severity, opened_at, id) > (");
                let mut keys = query.separated(", ");
                keys.push_bind(number(cursor, closed)?);
                keys.push_bind(severity.to_owned());
                keys.push_bind(number(cursor, opened)?);
                keys.push_bind(number(cursor, id)?);
                query.push(")");
            }
            query.push(" ORDER BY closed, severity, opened_at, id");
        }
        TicketSort::Opened => {
            push_pair(query, filter, "opened_at", " < ")?;
            query.push(" ORDER BY opened_at DESC, id DESC");
        }
        TicketSort::Updated => {
            push_pair(query, filter, "updated_at", " > ")?;
            query.push(" ORDER BY updated_at, id");
        }
    }
    Ok(())
}

fn push_pair(
    query: &mut QueryBuilder<Sqlite>,
    filter: &TicketFilter,
    column: &str,
    compare: &str,
) -> Result<(), StoreError> {
    let Some(cursor) = &filter.after else {
        return Ok(());
    };
    let [time, id] = read_cursor(cursor, filter.sort.as_str())?;
    query
        .push(" AND (")
        .push(column)
        .push(", id)")
        .push(compare)
        .push("(");
    let mut keys = query.separated(", ");
    keys.push_bind(number(cursor, time)?);
    keys.push_bind(number(cursor, id)?);
    query.push(")");
    Ok(())
}

fn cursor_after(sort: TicketSort, last: &Ticket) -> Result<String, StoreError> {
    let id = ticket_number(&last.id)?;
    let opened = last.opened_at.ms();
    Ok(match sort {
        TicketSort::Urgency => {
            let closed = i64::from(!last.is_open());
            write_cursor(
                sort.as_str(),
                &[&closed, &word(&last.severity), &opened, &id],
            )
        }
        TicketSort::Opened => write_cursor(sort.as_str(), &[&opened, &id]),
        TicketSort::Updated => write_cursor(sort.as_str(), &[&last.updated_at.ms(), &id]),
    })
}

pub(super) fn read_ticket(row: &SqliteRow) -> Result<Ticket, StoreError> {
    let json: String = row.try_get(0)?;
    serde_json::from_str(&json).map_err(|error| StoreError::corrupt("a ticket", error))
}

/// The number of `T-<number>`.
pub(super) fn ticket_number(id: &str) -> Result<i64, StoreError> {
    id.strip_prefix("T-")
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| StoreError::TicketId(id.chars().take(40).collect()))
}

/// The name that an enumeration has in JSON.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}
