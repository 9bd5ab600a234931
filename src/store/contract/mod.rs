//! The contract of a store, as functions over its handle: every database behind it must keep it.

mod batches;

mod lists;

mod side;

use crate::desk::{Change, Ticket, TicketChange, TicketKind, TicketStatus};
use crate::profile::{Severity, Stage};
use crate::telemetry::{DeviceId, Position, RejectReason, Text, Timestamp};

use super::{Batch, RejectedMessage, Store};

/// Runs each function of the contract against a fresh SQLite file.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().expect("a directory");
                let path = dir.path().join("store.sqlite");
                let store = crate::store::Store::open(&path, "journal-1").await.expect("a store");
                super::$name(&store).await;
            })*
        }
    };
}
use contract;

fn device(text: &str) -> DeviceId {
    text.parse().expect("a valid id")
}

const fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_772_000_000_000 + ms)
}

fn ticket(id: u32, device_id: &str, fault: &str) -> Ticket {
    Ticket {
        id: format!("T-{id}").into(),
        version: 1,
        kind: TicketKind::Ticket,
        code: "TF3".into(),
        device: device(device_id),
        fault: fault.into(),
        title: Text::new("Limescale", "结垢"),
        stage: Stage::Warn,
        severity: Severity::S3,
        status: TicketStatus::New,
        assignee: None,
        opened_at: at(i64::from(id)),
        event_time: at(0),
        first_event_time: at(0),
        updated_at: at(i64::from(id)),
        cleared_at: None,
        resolved_at: None,
        closed_at: None,
        occurrences: 1,
        late: false,
        reason: Text::new("49.2 °C", "49.2 °C"),
        evidence: Vec::new(),
        profile_version: "0123456789ab".into(),
        cause: "scale".into(),
        action: "descale".into(),
        parts: vec!["FILTER-F5".into()],
        message: None,
        lot: None,
        firmware: None,
        region: None,
        waiting: None,
        verdict: None,
        fitted: Vec::new(),
        linked: None,
        last_change: Change::Opened,
    }
}

fn opened(ticket: Ticket) -> TicketChange {
    TicketChange {
        at: ticket.opened_at,
        change: Change::Opened,
        what: "".into(),
        by: None,
        blob: None,
        event_time: ticket.event_time,
        ticket,
    }
}

/// The next version of a ticket, as a person's action left it.
fn acted(ticket: &Ticket, what: &str, change: impl FnOnce(&mut Ticket)) -> TicketChange {
    let mut ticket = ticket.clone();
    ticket.version += 1;
    ticket.updated_at = ticket.updated_at + 1_000;
    ticket.last_change = Change::Acted;
    change(&mut ticket);
    TicketChange {
        at: ticket.updated_at,
        change: Change::Acted,
        what: what.into(),
        by: Some("li".into()),
        blob: None,
        event_time: ticket.event_time,
        ticket,
    }
}

fn refused(position: u64, item: Option<u32>, detail: &str) -> RejectedMessage {
    RejectedMessage {
        position: Position(position),
        received_at: at(position.cast_signed()),
        source: "listener".into(),
        topic: "appl/v1/ts-flash5/TSF5-000123/tele".into(),
        reason: RejectReason::InvalidJson,
        detail: detail.into(),
        payload: bytes::Bytes::from_static(b"{\"ts\":"),
        device: Some(device("ts-flash5/TSF5-000123")),
        item,
    }
}

async fn commit(store: &Store, position: u64, changes: &[TicketChange]) {
    store
        .apply(Batch {
            position: Position(position),
            received_at: at(0),
            changes,
            ..Batch::default()
        })
        .await
        .expect("the batch is committed");
}
