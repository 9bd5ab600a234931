//! One batch, one transaction: ticket changes with their audit, rejected messages, devices, deliveries and the journal position.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::desk::{Change, Ticket, TicketChange};
use crate::telemetry::{Position, Timestamp};

use super::open::read_position;
use super::tickets::{ticket_number, word};
use super::{Applied, Batch, OutboxItem, Store, StoreError, devices, rejected};

/// Largest payload of one delivery; a ticket with its evidence has about 4 KiB.
const OUTBOX_PAYLOAD_LIMIT_BYTES: usize = 64 * 1024;
/// Fields that change with every version and say nothing about what happened.
const NOT_AUDITED: [&str; 3] = ["version", "updated_at", "last_change"];

impl Store {
    /// Commits the effects of one batch together with its position. A batch at or below [`Store::position`] writes nothing.
    ///
    /// Batches come from one caller, one after the other. On an error nothing of the batch is written.
    ///
    /// # Errors
    /// [`StoreError::TwoOpenTickets`] and [`StoreError::RepeatedVersion`] say that decision and store disagree: never retry.
    pub async fn apply(&self, batch: Batch<'_>) -> Result<Applied, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let applied = self.apply_on(&mut connection, batch).await;
        if applied.as_ref().is_err_and(StoreError::is_retryable) {
            // After an error of the disk, SQLite may have ended a transaction that the driver holds for open, and every further
            // one would be refused. A new connection begins with none; that this one closes badly matters to nobody.
            drop(connection.close().await);
        }
        applied
    }

    async fn apply_on(
        &self,
        connection: &mut SqliteConnection,
        batch: Batch<'_>,
    ) -> Result<Applied, StoreError> {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        // The file knows better than this process: a commit may have succeeded though its answer was lost.
        let committed = read_position(&mut tx).await?;
        if batch.position <= committed {
            self.shared.discarded.fetch_add(1, Ordering::Relaxed);
            self.shared.position.store(committed.0, Ordering::Release);
            return Ok(Applied::Before);
        }
        let mut newest = None;
        for change in batch.changes {
            newest = Some(write_change(&mut tx, change).await?);
        }
        for position in batch.replayed {
            rejected::mark_replayed(&mut tx, *position, batch.received_at).await?;
        }
        for message in batch.rejected {
            rejected::write(&mut tx, message).await?;
        }
        self.prune_rejected(&mut tx, batch.rejected.len()).await?;
        devices::write(&mut tx, batch.devices).await?;
        for item in batch.outbox {
            write_outbox(&mut tx, item, batch.received_at).await?;
        }
        let dropped = self.prune_outbox(&mut tx, batch.outbox.len()).await?;
        write_position(&mut tx, batch.position).await?;
        tx.commit().await?;
        self.shared
            .outbox_dropped
            .fetch_add(dropped, Ordering::Relaxed);
        self.shared
            .position
            .store(batch.position.0, Ordering::Release);
        if let Some(seq) = newest {
            self.shared.newest_change.send_replace(seq);
        }
        Ok(Applied::Now)
    }
}

async fn write_position(
    connection: &mut SqliteConnection,
    position: Position,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE meta SET value = ? WHERE key = 'position'")
        .bind(position.0.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes the ticket as it is after the change, and the line of its timeline; gives that line's number.
async fn write_change(
    connection: &mut SqliteConnection,
    change: &TicketChange,
) -> Result<i64, StoreError> {
    let number = ticket_number(&change.ticket.id)?;
    let before: Option<String> = sqlx::query_scalar("SELECT ticket FROM tickets WHERE id = ?")
        .bind(number)
        .fetch_optional(&mut *connection)
        .await?;
    let after = to_json(&change.ticket)?;
    let changed = what_changed(before.as_deref(), &after, change)?;
    write_ticket(&mut *connection, number, &change.ticket, &after).await?;
    sqlx::query_scalar(
        "INSERT INTO audit (ticket, version, at, change, what, by, blob, event_time, changed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
    )
    .bind(number)
    .bind(change.ticket.version.cast_signed())
    .bind(change.at.ms())
    .bind(change.change.as_str())
    .bind(change.what.as_str())
    .bind(change.by.as_deref())
    .bind(change.blob.as_deref())
    .bind(change.event_time.ms())
    .bind(Value::Object(changed).to_string())
    .fetch_one(connection)
    .await
    .map_err(|error| {
        if unique_violation(&error) {
            StoreError::RepeatedVersion {
                ticket: change.ticket.id.to_string(),
                version: change.ticket.version,
            }
        } else {
            error.into()
        }
    })
}

async fn write_ticket(
    connection: &mut SqliteConnection,
    number: i64,
    ticket: &Ticket,
    json: &Map<String, Value>,
) -> Result<(), StoreError> {
    let serial_lower = ticket.device.serial().to_ascii_lowercase();
    sqlx::query(
        "INSERT INTO tickets (id, version, kind, device, model, serial, serial_lower, serial_tail, fault, severity, \
         status, closed, assignee, opened_at, updated_at, region, lot, ticket) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, kind = excluded.kind, severity = excluded.severity, \
         status = excluded.status, closed = excluded.closed, assignee = excluded.assignee, \
         opened_at = excluded.opened_at, updated_at = excluded.updated_at, region = excluded.region, \
         lot = excluded.lot, ticket = excluded.ticket",
    )
    .bind(number)
    .bind(ticket.version.cast_signed())
    .bind(word(&ticket.kind))
    .bind(ticket.device.as_str())
    .bind(ticket.device.model())
    .bind(ticket.device.serial())
    .bind(&serial_lower)
    .bind(serial_tail(&serial_lower))
    .bind(ticket.fault.as_str())
    .bind(word(&ticket.severity))
    .bind(ticket.status.as_str())
    .bind(!ticket.is_open())
    .bind(ticket.assignee.as_deref())
    .bind(ticket.opened_at.ms())
    .bind(ticket.updated_at.ms())
    .bind(ticket.region.as_deref())
    .bind(ticket.lot.as_deref())
    .bind(serde_json::to_string(json).map_err(|error| StoreError::corrupt("a ticket", error))?)
    .execute(connection)
    .await
    .map_err(|error| {
        if unique_violation(&error) {
            StoreError::TwoOpenTickets {
                device: ticket.device.clone(),
                fault: ticket.fault.to_string(),
                ticket: ticket.id.to_string(),
            }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// The last four characters: what a customer reads from the plate.
pub(super) fn serial_tail(serial_lower: &str) -> &str {
    // A serial is ASCII, so every index is a border between characters.
    serial_lower
        .get(serial_lower.len().saturating_sub(4)..)
        .unwrap_or(serial_lower)
}

fn unique_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

fn to_json(ticket: &Ticket) -> Result<Map<String, Value>, StoreError> {
    match serde_json::to_value(ticket) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(StoreError::corrupt(format!("ticket {}", ticket.id), error)),
    }
}

/// The fields that differ from the version before, with their new values. For a new ticket: where it began.
fn what_changed(
    before: Option<&str>,
    after: &Map<String, Value>,
    change: &TicketChange,
) -> Result<Map<String, Value>, StoreError> {
    let Some(before) = before else {
        let first = ["stage", "severity", "status", "reason", "evidence"];
        return Ok(after
            .iter()
            .filter(|(field, _)| first.contains(&field.as_str()))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect());
    };
    let before: Map<String, Value> = serde_json::from_str(before)
        .map_err(|error| StoreError::corrupt(format!("ticket {}", change.ticket.id), error))?;
    // What people did says little about the evidence; only detection's own changes carry it on.
    let acted = change.change == Change::Acted;
    Ok(after
        .iter()
        .filter(|(field, value)| {
            let silent =
                NOT_AUDITED.contains(&field.as_str()) || (acted && field.as_str() == "evidence");
            !silent && before.get(*field) != Some(*value)
        })
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect())
}

async fn write_outbox(
    connection: &mut SqliteConnection,
    item: &OutboxItem,
    due: Timestamp,
) -> Result<(), StoreError> {
    // Refusing it would stop the pipeline for the sake of one delivery; it is kept as undeliverable, for people to see.
    let size = item.payload.len();
    let (payload, state, error) = if size > OUTBOX_PAYLOAD_LIMIT_BYTES {
        let error = format!(
            "the payload has {size} bytes, at most {OUTBOX_PAYLOAD_LIMIT_BYTES} are allowed"
        );
        ("", "dead", Some(error))
    } else {
        (item.payload.as_str(), "pending", None)
    };
    sqlx::query(
        "INSERT INTO outbox (channel, key, payload, attempts, due, state, error) VALUES (?, ?, ?, 0, ?, ?, ?) \
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(item.channel.as_str())
    .bind(item.key.as_str())
    .bind(payload)
    .bind(due.ms())
    .bind(state)
    .bind(error)
    .execute(connection)
    .await?;
    Ok(())
}
