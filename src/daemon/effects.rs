//! The pipeline's effects in the words of the store, and the points that go to the series through its outbox.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::desk::Change;
use crate::desk::TicketChange;
use crate::detect::DerivedValue;
use crate::pipeline::Effects;
use crate::pipeline::Presence;
use crate::pipeline::Rejected;
use crate::pipeline::Standing;
use crate::store::Batch;
use crate::store::DeviceStanding;
use crate::store::DeviceUpdate;
use crate::store::OutboxItem;
use crate::store::RECOMPUTABLE;
use crate::store::RejectedMessage;
use crate::store::SERIES_CHANNEL;
use crate::telemetry::DeviceId;
use crate::telemetry::FieldValue;
use crate::telemetry::Measurement;
use crate::telemetry::Point;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Effects, ready for one transaction.
pub(super) struct StoreBatch<'a> {
    effects: &'a Effects,
    rejected: Vec<RejectedMessage>,
    devices: Vec<DeviceUpdate>,
    outbox: Vec<OutboxItem>,
}

impl<'a> StoreBatch<'a> {
    /// Translates effects.
    pub(super) fn of(effects: &'a Effects) -> Self {
        let derived = effects
            .derived
            .iter()
            .map(|value| outbox_item(derived_key(value), &derived_point(value)));
        let changes = effects
            .changes
            .iter()
            .map(|change| outbox_item(change_key(change), &change_point(change)));
        Self {
            effects,
            rejected: effects.rejected.iter().map(rejected).collect(),
            devices: effects.devices.iter().map(device).collect(),
            outbox: derived.chain(changes).collect(),
        }
    }

    /// Takes the points out, for whoever writes them at once; the outbox then holds nothing of this batch.
    pub(super) fn take_points(&mut self) -> Vec<Point> {
        std::mem::take(&mut self.outbox)
            .iter()
            .filter_map(|item| point_of(&item.payload))
            .collect()
    }

    /// The batch, at the position of its last entry.
    pub(super) fn at(&self, position: Position, received_at: Timestamp) -> Batch<'_> {
        Batch {
            position,
            received_at,
            changes: &self.effects.changes,
            rejected: &self.rejected,
            replayed: &self.effects.replayed,
            devices: &self.devices,
            outbox: &self.outbox,
        }
    }
}

fn rejected(rejected: &Rejected) -> RejectedMessage {
    RejectedMessage {
        position: rejected.position,
        received_at: rejected.received_at,
        source: rejected.message.source.clone(),
        topic: rejected.message.topic.clone(),
        reason: rejected.rejection.reason,
        detail: rejected.rejection.detail.clone(),
        payload: rejected.message.payload.clone(),
        device: rejected.device.clone(),
        item: rejected.index,
    }
}

fn device(presence: &Presence) -> DeviceUpdate {
    DeviceUpdate {
        device: presence.device.clone(),
        first_seen: presence.first_seen,
        last_seen: presence.last_seen,
        online: presence.online,
        identity: Some(presence.identity.clone()),
        standing: Some(match presence.standing {
            Standing::InService => DeviceStanding::InService,
            Standing::Quarantined => DeviceStanding::Quarantined,
            Standing::Retired => DeviceStanding::Retired,
        }),
        messages: presence.messages,
        rejected: presence.rejected,
        duplicates: presence.duplicates,
        seq_restarts: presence.seq_restarts,
    }
}

/// A point on its way through the outbox.
#[derive(Serialize, Deserialize)]
struct PointRow {
    measurement: SmolStr,
    device: DeviceId,
    tags: Vec<(SmolStr, SmolStr)>,
    at: i64,
    numbers: Vec<(SmolStr, f64)>,
    texts: Vec<(SmolStr, SmolStr)>,
}

fn outbox_item(key: String, point: &PointRow) -> OutboxItem {
    let payload = serde_json::to_string(point).expect("plain data with string keys always encodes");
    OutboxItem {
        channel: SERIES_CHANNEL.into(),
        key: key.into(),
        payload,
    }
}

/// The point of an outbox row; `None` when it is not one of ours.
pub(super) fn point_of(payload: &str) -> Option<Point> {
    let row: PointRow = serde_json::from_str(payload).ok()?;
    let measurement = [Measurement::Derived, Measurement::Ticket]
        .into_iter()
        .find(|measurement| measurement.as_str() == row.measurement)?;
    let numbers = row
        .numbers
        .into_iter()
        .map(|(name, value)| (name, FieldValue::Float(value)));
    let texts = row
        .texts
        .into_iter()
        .map(|(name, text)| (name, FieldValue::Text(text)));
    Some(Point {
        measurement,
        device: row.device,
        tags: row.tags,
        at: Timestamp::from_ms(row.at),
        fields: numbers.chain(texts).collect(),
    })
}

fn derived_key(value: &DerivedValue) -> String {
    let mode = value.mode.map_or_else(String::new, |mode| mode.to_string());
    format!(
        "{RECOMPUTABLE}{}/{}/{mode}/{}",
        value.device,
        value.name,
        value.at.ms()
    )
}

fn derived_point(value: &DerivedValue) -> PointRow {
    PointRow {
        measurement: Measurement::Derived.as_str().into(),
        device: value.device.clone(),
        tags: value
            .mode
            .map(|mode| ("mode".into(), mode.to_string().into()))
            .into_iter()
            .collect(),
        at: value.at.ms(),
        numbers: vec![(value.name.clone(), value.value)],
        texts: Vec::new(),
    }
}

fn change_key(change: &TicketChange) -> String {
    format!("ticket/{}/{}", change.ticket.id, change.ticket.version)
}

fn change_point(change: &TicketChange) -> PointRow {
    let ticket = &change.ticket;
    let what = if change.change == Change::Acted {
        change.what.clone()
    } else {
        change.change.as_str().into()
    };
    PointRow {
        measurement: Measurement::Ticket.as_str().into(),
        device: ticket.device.clone(),
        tags: vec![
            ("fault".into(), ticket.fault.clone()),
            ("severity".into(), format!("{:?}", ticket.severity).into()),
        ],
        at: change.at.ms(),
        numbers: Vec::new(),
        texts: vec![
            ("change".into(), what),
            ("id".into(), ticket.id.clone()),
            (
                "stage".into(),
                format!("{:?}", ticket.stage).to_lowercase().into(),
            ),
        ],
    }
}
