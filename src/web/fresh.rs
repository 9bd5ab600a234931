//! Devices with what was heard of them this moment: the store's row and what the pipeline has not written yet.
//!
//! Leaves both to whoever keeps them. Invariant: no message is counted twice; one that is just being written may be told a moment
//! later.

use std::collections::BTreeMap;

use crate::store::{DeviceFilter, DeviceRow, Page, StoreError};
use crate::telemetry::DeviceId;

use super::WebState;
use super::backend::Unwritten;

/// One device as of now; `None` when it was never heard of.
pub(super) async fn device(
    state: &WebState,
    id: &DeviceId,
) -> Result<Option<DeviceRow>, StoreError> {
    let before = state.store.device(id).await?;
    let heard = state.backend.unwritten(vec![id.clone()]).await;
    let after = state.store.device(id).await?;
    let before: Vec<DeviceRow> = before.into_iter().collect();
    Ok(after.map(|row| with_unwritten(row, &before, &heard)))
}

/// A page of devices as of now.
pub(super) async fn devices(
    state: &WebState,
    filter: &DeviceFilter,
) -> Result<Page<DeviceRow>, StoreError> {
    let before = state.store.devices(filter).await?.items;
    let ids = before.iter().map(|row| row.device.clone()).collect();
    let heard = state.backend.unwritten(ids).await;
    let page = state.store.devices(filter).await?;
    let rows = page.items.into_iter();
    Ok(Page {
        items: rows
            .map(|row| with_unwritten(row, &before, &heard))
            .collect(),
        next: page.next,
    })
}

/// The row, and what came since. A row that was written while we asked holds it already.
fn with_unwritten(
    mut row: DeviceRow,
    before: &[DeviceRow],
    heard: &BTreeMap<DeviceId, Unwritten>,
) -> DeviceRow {
    let counts = |row: &DeviceRow| (row.messages, row.rejected, row.duplicates, row.seq_restarts);
    let unwritten = heard.get(&row.device).filter(|_| {
        before
            .iter()
            .any(|then| then.device == row.device && counts(then) == counts(&row))
    });
    if let Some(unwritten) = unwritten {
        row.last_seen = row.last_seen.max(unwritten.last_seen);
        row.messages += unwritten.messages;
        row.rejected += unwritten.rejected;
        row.duplicates += unwritten.duplicates;
        row.seq_restarts += unwritten.seq_restarts;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DeviceStanding;
    use crate::telemetry::{Identity, Timestamp};

    fn row(messages: u64) -> DeviceRow {
        DeviceRow {
            device: "m/A-1".parse().expect("an id"),
            first_seen: Timestamp::from_ms(1),
            last_seen: Timestamp::from_ms(10),
            online: None,
            identity: Identity::default(),
            standing: DeviceStanding::InService,
            messages,
            rejected: 0,
            duplicates: 0,
            seq_restarts: 0,
            open_tickets: 0,
        }
    }

    #[test]
    fn what_was_written_while_we_asked_is_not_counted_twice() {
        let unwritten = Unwritten {
            last_seen: Timestamp::from_ms(20),
            messages: 3,
            rejected: 2,
            duplicates: 1,
            seq_restarts: 1,
        };
        let heard = [(row(5).device, unwritten)].into();
        let now = with_unwritten(row(5), &[row(5)], &heard);
        assert_eq!(
            (now.messages, now.rejected, now.duplicates, now.seq_restarts),
            (8, 2, 1, 1)
        );
        assert_eq!(now.last_seen, Timestamp::from_ms(20));
        assert_eq!(with_unwritten(row(8), &[row(5)], &heard).messages, 8);
        assert_eq!(with_unwritten(row(5), &[], &heard).messages, 5);
    }
}
