//! One batch, one transaction.

use crate::desk::{Change, TicketStatus};
use crate::store::{
    Applied, Batch, DeviceFilter, DeviceUpdate, OutboxItem, RejectedFilter, Store, StoreError,
    TicketFilter,
};
use crate::telemetry::{Identity, Position};

use super::{acted, at, commit, contract, device, opened, refused, ticket};

contract!(
    a_batch_moves_the_position,
    a_batch_at_or_below_the_position_changes_nothing,
    a_second_open_ticket_is_refused_with_all_of_its_batch,
    a_closed_ticket_makes_room_for_a_new_one,
    the_same_version_twice_is_refused,
    the_timeline_tells_what_changed,
    devices_add_up,
    an_identity_is_overlaid_field_by_field,
    many_devices_fit_one_batch_in_their_order,
    a_malformed_ticket_id_is_refused,
    followers_hear_of_changes,
    a_batch_whose_answer_was_lost_is_not_done_twice,
);

async fn a_batch_moves_the_position(store: &Store) {
    assert_eq!(store.position(), Position(0));
    commit(store, 7, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
    assert_eq!(store.position(), Position(7));
    commit(store, 9, &[]).await;
    assert_eq!(store.position(), Position(9));
    assert!(store.ticket("T-1").await.expect("a read").is_some());
}

async fn a_batch_at_or_below_the_position_changes_nothing(store: &Store) {
    commit(store, 7, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
    let changes = [opened(ticket(2, "ts-flash5/B", "scale"))];
    for position in [6, 7] {
        let batch = Batch {
            position: Position(position),
            changes: &changes,
            ..Batch::default()
        };
        assert_eq!(store.apply(batch).await.expect("a reply"), Applied::Before);
    }
    assert_eq!(store.position(), Position(7));
    assert_eq!(store.discarded_batches(), 2);
    assert!(store.ticket("T-2").await.expect("a read").is_none());
}

async fn a_second_open_ticket_is_refused_with_all_of_its_batch(store: &Store) {
    commit(store, 1, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
    let rejected = [refused(2, None, "no")];
    let devices = [DeviceUpdate::seen(device("ts-flash5/A"), at(0))];
    let outbox = [OutboxItem {
        channel: "series".into(),
        key: "k".into(),
        payload: "{}".into(),
    }];
    let error = store
        .apply(Batch {
            position: Position(2),
            received_at: at(0),
            changes: &[
                opened(ticket(2, "ts-flash5/A", "leak")),
                opened(ticket(3, "ts-flash5/A", "scale")),
            ],
            rejected: &rejected,
            replayed: &[],
            devices: &devices,
            outbox: &outbox,
        })
        .await
        .expect_err("two open tickets");
    assert!(matches!(
        &error,
        StoreError::TwoOpenTickets { device, fault, ticket }
            if device.as_str() == "ts-flash5/A" && fault == "scale" && ticket == "T-3"
    ));
    assert!(!error.is_retryable());
    assert_eq!(store.position(), Position(1));
    let counts = store.counts().await.expect("counts");
    assert_eq!((counts.tickets, counts.rejected, counts.devices), (1, 0, 0));
    assert!(counts.outbox_pending.is_empty());
    // The store goes on: the very next batch commits.
    commit(store, 2, &[opened(ticket(2, "ts-flash5/A", "leak"))]).await;
}

async fn a_closed_ticket_makes_room_for_a_new_one(store: &Store) {
    let first = ticket(1, "ts-flash5/A", "scale");
    let closed = acted(&first, "close", |t| t.status = TicketStatus::Closed);
    let second = opened(ticket(2, "ts-flash5/A", "scale"));
    commit(store, 1, &[opened(first), closed, second]).await;
    let open = store
        .tickets(&TicketFilter {
            open: Some(true),
            limit: 10,
            ..TicketFilter::default()
        })
        .await
        .expect("a page");
    assert_eq!(open.items.len(), 1);
    assert_eq!(open.items[0].id, "T-2");
    // Taking the first up again would make two.
    let again = acted(&ticket(1, "ts-flash5/A", "scale"), "reopen", |t| {
        t.version = 3;
    });
    let error = store
        .apply(Batch {
            position: Position(2),
            changes: &[again],
            ..Batch::default()
        })
        .await
        .expect_err("two open tickets");
    assert!(matches!(error, StoreError::TwoOpenTickets { .. }));
}

async fn the_same_version_twice_is_refused(store: &Store) {
    let change = opened(ticket(1, "ts-flash5/A", "scale"));
    commit(store, 1, std::slice::from_ref(&change)).await;
    let error = store
        .apply(Batch {
            position: Position(2),
            changes: &[change],
            ..Batch::default()
        })
        .await
        .expect_err("the version is taken");
    assert!(matches!(
        error,
        StoreError::RepeatedVersion { version: 1, .. }
    ));
}

async fn the_timeline_tells_what_changed(store: &Store) {
    let first = ticket(1, "ts-flash5/A", "scale");
    let mut comment = acted(&first, "acknowledge", |t| {
        t.status = TicketStatus::Acknowledged;
    });
    let blob = store.put_blob("The customer is away").await.expect("kept");
    comment.blob = Some(blob.clone());
    commit(store, 1, &[opened(first), comment]).await;
    let lines = store.timeline("T-1").await.expect("a timeline");
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].change, Change::Opened.as_str());
    assert_eq!(lines[0].changed["status"], "new");
    assert_eq!(lines[1].by.as_deref(), Some("li"));
    assert_eq!(lines[1].what, "acknowledge");
    assert_eq!(
        lines[1].changed,
        serde_json::json!({"status": "acknowledged"})
    );
    assert_eq!(lines[1].text.as_deref(), Some("The customer is away"));
    assert!(store.erase_blob(&blob).await.expect("erased"));
    let lines = store.timeline("T-1").await.expect("a timeline");
    assert_eq!((lines[1].text.as_deref(), lines[1].erased), (None, true));
    assert!(store.timeline("T-99").await.expect("none").is_empty());
    assert!(store.timeline("nonsense").await.expect("none").is_empty());
}

async fn devices_add_up(store: &Store) {
    let update = |first, last, online, messages| DeviceUpdate {
        last_seen: at(last),
        online,
        messages,
        ..DeviceUpdate::seen(device("ts-flash5/A"), at(first))
    };
    for (position, update) in [
        (1, update(100, 200, Some(true), 2)),
        (2, update(150, 300, Some(false), 3)),
        (3, update(50, 60, Some(true), 1)),
    ] {
        store
            .apply(Batch {
                position: Position(position),
                devices: &[update],
                ..Batch::default()
            })
            .await
            .expect("committed");
    }
    let row = store.device(&device("ts-flash5/A")).await.expect("a read");
    let row = row.expect("the device is known");
    assert_eq!((row.first_seen, row.last_seen), (at(50), at(300)));
    assert_eq!((row.online, row.messages), (Some(true), 6));
    let all = store.devices(&DeviceFilter::default()).await.expect("one");
    assert_eq!(all.items, vec![row]);
    // Presence can be lost again.
    let lost = update(300, 300, None, 0);
    store
        .apply(Batch {
            position: Position(4),
            devices: &[lost],
            ..Batch::default()
        })
        .await
        .expect("committed");
    let row = store.device(&device("ts-flash5/A")).await.expect("a read");
    assert_eq!(row.expect("still known").online, None);
}

async fn an_identity_is_overlaid_field_by_field(store: &Store) {
    let told = |fw: Option<&str>, region: Option<&str>, lot: &str| Identity {
        fw: fw.map(Into::into),
        region: region.map(Into::into),
        lots: [(lot.into(), "L1".into())].into(),
        ..Identity::default()
    };
    let updates = [
        told(Some("1.0"), None, "heater"),
        told(None, Some("east"), "pump"),
    ]
    .map(|identity| DeviceUpdate {
        identity: Some(identity),
        ..DeviceUpdate::seen(device("ts-flash5/A"), at(0))
    });
    store
        .apply(Batch {
            position: Position(1),
            devices: &updates,
            ..Batch::default()
        })
        .await
        .expect("committed");
    // Being seen without an identity forgets none of it.
    store
        .apply(Batch {
            position: Position(2),
            devices: &[DeviceUpdate::seen(device("ts-flash5/A"), at(1))],
            ..Batch::default()
        })
        .await
        .expect("committed");
    let row = store.device(&device("ts-flash5/A")).await.expect("a read");
    let identity = row.expect("known").identity;
    assert_eq!(identity.fw.as_deref(), Some("1.0"));
    assert_eq!(identity.region.as_deref(), Some("east"));
    assert_eq!(identity.lots.len(), 2);
}

async fn many_devices_fit_one_batch_in_their_order(store: &Store) {
    let seen = |n: u32| DeviceUpdate {
        messages: 1,
        ..DeviceUpdate::seen(device(&format!("ts-flash5/D{n}")), at(i64::from(n)))
    };
    let told = |fw: &str| DeviceUpdate {
        identity: Some(Identity {
            fw: Some(fw.into()),
            ..Identity::default()
        }),
        ..seen(7)
    };
    let mut updates: Vec<_> = (0..300).map(seen).collect();
    updates.push(told("1.0"));
    updates.extend((0..300).map(seen));
    updates.push(told("1.1"));
    let batch = Batch {
        position: Position(1),
        devices: &updates,
        ..Batch::default()
    };
    store.apply(batch).await.expect("committed");
    assert_eq!(store.counts().await.expect("counts").devices, 300);
    let row = store.device(&device("ts-flash5/D7")).await.expect("a read");
    let row = row.expect("known");
    assert_eq!((row.messages, row.identity.fw.as_deref()), (4, Some("1.1")));
    let row = store
        .device(&device("ts-flash5/D299"))
        .await
        .expect("a read");
    let row = row.expect("known");
    assert_eq!((row.messages, row.identity), (2, Identity::default()));
}

async fn a_malformed_ticket_id_is_refused(store: &Store) {
    for id in ["1", "T-", "T-x", "T-01", "t-1", "T--1"] {
        let mut bad = ticket(1, "ts-flash5/A", "scale");
        bad.id = id.into();
        let error = store
            .apply(Batch {
                position: Position(1),
                changes: &[opened(bad)],
                ..Batch::default()
            })
            .await
            .expect_err("no ticket id");
        assert!(matches!(error, StoreError::TicketId(_)), "{id} was taken");
        assert!(store.ticket(id).await.expect("a read").is_none());
    }
    assert_eq!(
        store
            .rejected(&RejectedFilter::default())
            .await
            .expect("none")
            .items,
        Vec::new()
    );
}

async fn followers_hear_of_changes(store: &Store) {
    let mut newest = store.newest_change();
    let before = *newest.borrow_and_update();
    commit(store, 1, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
    newest.changed().await.expect("the store lives");
    let lines = store.changes_after(before, 10).await.expect("changes");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].ticket, "T-1");
    assert_eq!(lines[0].seq, *newest.borrow_and_update());
    let rest = store.changes_after(lines[0].seq, 10).await;
    assert!(rest.expect("changes").is_empty());
}

async fn a_batch_whose_answer_was_lost_is_not_done_twice(store: &Store) {
    commit(store, 5, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
    // As after a commit whose answer never came.
    store
        .shared
        .position
        .store(4, std::sync::atomic::Ordering::Release);
    let changes = [opened(ticket(1, "ts-flash5/A", "scale"))];
    let batch = Batch {
        position: Position(5),
        changes: &changes,
        ..Batch::default()
    };
    assert_eq!(store.apply(batch).await.expect("a reply"), Applied::Before);
    assert_eq!(store.position(), Position(5));
}
