//! What a visitor repairs: read from the journal, as anybody could, and told to the fleet.
//!
//! A part that was replaced, or a ticket resolved with a verdict that something was done, makes the made-up device well again. With
//! any other verdict nothing was done to it, and the recheck will say so.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::daemon::journal_dir;
use crate::daemon::store_path;
use crate::journal::JournalReader;
use crate::store::Store;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::Record;
use crate::telemetry::TicketAction;
use crate::telemetry::Verdict;

/// How often the journal is looked at: soon for a visitor, seldom for the disk.
const LOOK: Duration = Duration::from_secs(1);
/// Entries read at once.
const ENTRIES: usize = 4_096;
/// Bytes read at once.
const BYTES: usize = 4 << 20;

/// Tells of every repair that the journal gets from now on, until nobody listens.
pub(super) async fn repairs(data: PathBuf, repairs: mpsc::Sender<DeviceId>) {
    let mut next: Option<Position> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        match look(&data, &mut next).await {
            Ok(devices) => {
                for device in devices {
                    if repairs.send(device).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "repairs are not seen"),
        }
    }
}

/// What was repaired since the last look; nothing at the first one.
async fn look(
    data: &std::path::Path,
    next: &mut Option<Position>,
) -> anyhow::Result<Vec<DeviceId>> {
    let folder = journal_dir(data);
    let from = *next;
    let (last, controls) = tokio::task::spawn_blocking(move || {
        let reader = JournalReader::open(&folder)?;
        let last = reader.stats().last;
        let mut controls = Vec::new();
        let mut from = from.unwrap_or(last.next());
        while from <= last {
            let entries = reader.read(from, ENTRIES, BYTES)?;
            let Some(newest) = entries.last() else { break };
            from = newest.position.next();
            controls.extend(entries.into_iter().filter_map(|entry| match entry.record {
                Record::Control(control) => Some(control),
                _ => None,
            }));
        }
        anyhow::Ok((last, controls))
    })
    .await??;
    *next = Some(last.next());
    let mut devices = Vec::new();
    for control in controls {
        match control {
            Control::Device {
                device,
                action: DeviceAction::PartReplaced { .. },
                ..
            }
            | Control::PartReplaced { device, .. } => devices.push(device),
            Control::Ticket {
                ticket,
                action: TicketAction::Resolve { verdict, .. },
                ..
            } if mends(verdict) => devices.extend(device_of(data, &ticket).await?),
            _ => {}
        }
    }
    Ok(devices)
}

/// Whether something was done to the device.
const fn mends(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::ConfirmedFault
            | Verdict::Consumable
            | Verdict::Environment
            | Verdict::KnownProblem
    )
}

async fn device_of(data: &std::path::Path, ticket: &str) -> anyhow::Result<Option<DeviceId>> {
    let store = Store::open_to_read(&store_path(data)).await?;
    let found = store.ticket(ticket).await?;
    store.close().await;
    Ok(found.map(|ticket| ticket.device))
}
