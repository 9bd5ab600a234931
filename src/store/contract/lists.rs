//! Lists: filters, orders and pages.

use crate::desk::{Ticket, TicketKind, TicketStatus};
use crate::profile::Severity;
use crate::store::{
    AssigneeFilter, Batch, DeviceFilter, DeviceStanding, DeviceUpdate, RejectedFilter, Store,
    StoreError, TicketFilter, TicketSort,
};
use crate::telemetry::Position;

use super::{at, commit, contract, device, opened, refused, ticket};

contract!(
    each_filter_narrows_the_list,
    a_search_finds_id_serial_and_its_last_four,
    paging_gives_every_ticket_once_in_each_order,
    the_queue_is_ordered_by_urgency,
    a_cursor_of_another_list_is_refused,
    devices_are_listed_by_filters_and_pages,
    rejected_messages_are_listed_newest_first,
    a_replay_marks_what_it_took,
    a_replay_begins_with_the_oldest,
);

type ChangeTickets = fn(&mut TicketFilter);
type ChangeDevices = fn(&mut DeviceFilter);

fn closed(mut ticket: Ticket) -> Ticket {
    ticket.status = TicketStatus::Closed;
    ticket
}

fn with(mut ticket: Ticket, change: impl FnOnce(&mut Ticket)) -> Ticket {
    change(&mut ticket);
    ticket
}

async fn fill(store: &Store, tickets: impl IntoIterator<Item = Ticket>) {
    let changes: Vec<_> = tickets.into_iter().map(opened).collect();
    commit(store, 1, &changes).await;
}

async fn ids(store: &Store, filter: TicketFilter) -> Vec<String> {
    let filter = TicketFilter {
        limit: 100,
        ..filter
    };
    let page = store.tickets(&filter).await.expect("a page");
    assert_eq!(page.next, None);
    page.items.iter().map(|t| t.id.to_string()).collect()
}

async fn each_filter_narrows_the_list(store: &Store) {
    fill(
        store,
        [
            with(ticket(1, "ts-flash5/A", "scale"), |t| {
                t.assignee = Some("li".into());
                t.severity = Severity::S1;
            }),
            closed(with(ticket(2, "ts-flash5/B", "leak"), |t| {
                t.region = Some("east".into());
                t.lot = Some("L7".into());
            })),
            with(ticket(3, "tb-pro/C", "scale"), |t| {
                t.kind = TicketKind::Notice;
                t.severity = Severity::S4;
            }),
        ],
    )
    .await;
    let cases: [(ChangeTickets, &[&str]); 16] = [
        (|_| {}, &["T-1", "T-3", "T-2"]),
        (|f| f.status = vec![TicketStatus::Closed], &["T-2"]),
        (
            |f| f.status = vec![TicketStatus::Closed, TicketStatus::New],
            &["T-1", "T-3", "T-2"],
        ),
        (|f| f.model = vec!["tb-pro".into()], &["T-3"]),
        (|f| f.device = Some(device("ts-flash5/A")), &["T-1"]),
        (|f| f.fault = vec!["scale".into()], &["T-1", "T-3"]),
        (|f| f.severity = vec![Severity::S1], &["T-1"]),
        (|f| f.open = Some(true), &["T-1", "T-3"]),
        (|f| f.open = Some(false), &["T-2"]),
        (|f| f.assignee = Some(AssigneeFilter::None), &["T-3", "T-2"]),
        (
            |f| f.assignee = Some(AssigneeFilter::Name("li".into())),
            &["T-1"],
        ),
        (|f| f.kind = Some(TicketKind::Notice), &["T-3"]),
        (|f| f.region = Some("east".into()), &["T-2"]),
        (|f| f.lot = Some("L7".into()), &["T-2"]),
        (|f| f.updated_after = Some(at(1)), &["T-3", "T-2"]),
        (|f| f.updated_after = Some(at(3)), &[]),
    ];
    for (change, expected) in cases {
        let mut filter = TicketFilter::default();
        change(&mut filter);
        assert_eq!(ids(store, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn a_search_finds_id_serial_and_its_last_four(store: &Store) {
    fill(
        store,
        [
            ticket(1, "ts-flash5/TSF5-000123", "scale"),
            ticket(12, "ts-flash5/TSF5-000124", "scale"),
            ticket(13, "ts-flash5/TSF5_000124", "scale"),
        ],
    )
    .await;
    for (q, expected) in [
        ("T-1", vec!["T-1"]),
        ("t-12", vec!["T-12"]),
        ("0123", vec!["T-1"]),
        (" tsf5-000123 ", vec!["T-1"]),
        ("5-000124", vec!["T-12"]),
        ("5_000124", vec!["T-13"]),
        ("0124", vec!["T-12", "T-13"]),
        ("124", vec![]),
        ("%", vec![]),
        ("%124", vec![]),
        ("ts-flash5/TSF5-000123", vec!["T-1"]),
        ("'; DROP TABLE tickets", vec![]),
        ("水", vec![]),
    ] {
        let filter = TicketFilter {
            q: Some(q.into()),
            ..TicketFilter::default()
        };
        assert_eq!(ids(store, filter).await, expected, "q={q}");
    }
}

async fn paging_gives_every_ticket_once_in_each_order(store: &Store) {
    let tickets = (1..=23).map(|id| {
        let device = format!("ts-flash5/D{id}");
        with(ticket(id, &device, "scale"), |t| {
            // Many share a time, so that the id has to decide.
            t.opened_at = at(i64::from(id % 3));
            t.updated_at = at(i64::from(id % 4));
            t.severity = [Severity::S1, Severity::S2][id as usize % 2];
            if id % 5 == 0 {
                t.status = TicketStatus::Cancelled;
            }
        })
    });
    fill(store, tickets).await;
    for sort in [TicketSort::Urgency, TicketSort::Opened, TicketSort::Updated] {
        let whole = ids(
            store,
            TicketFilter {
                sort,
                ..TicketFilter::default()
            },
        )
        .await;
        assert_eq!(whole.len(), 23);
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let filter = TicketFilter {
                sort,
                limit: 5,
                after,
                ..TicketFilter::default()
            };
            let page = store.tickets(&filter).await.expect("a page");
            paged.extend(page.items.iter().map(|t| t.id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole, "{sort:?}");
    }
}

async fn the_queue_is_ordered_by_urgency(store: &Store) {
    fill(
        store,
        [
            with(ticket(1, "ts-flash5/A", "scale"), |t| {
                t.severity = Severity::S3;
            }),
            with(ticket(2, "ts-flash5/B", "scale"), |t| {
                t.severity = Severity::S1;
            }),
            with(ticket(3, "ts-flash5/C", "scale"), |t| {
                t.severity = Severity::S1;
            }),
            closed(with(ticket(4, "ts-flash5/D", "scale"), |t| {
                t.severity = Severity::S1;
            })),
        ],
    )
    .await;
    let queue = ids(store, TicketFilter::default()).await;
    assert_eq!(queue, ["T-2", "T-3", "T-1", "T-4"]);
}

async fn a_cursor_of_another_list_is_refused(store: &Store) {
    for after in ["", "x", "opened.1.2", "urgency.0.S1.x.1", "urgency.0.S1.1"] {
        let filter = TicketFilter {
            after: Some(after.into()),
            ..TicketFilter::default()
        };
        let error = store.tickets(&filter).await.expect_err("no cursor");
        assert!(
            matches!(error, StoreError::Cursor(_)),
            "{after:?} was taken"
        );
    }
}

async fn devices_are_listed_by_filters_and_pages(store: &Store) {
    let updates: Vec<_> = ["tb-pro/1", "ts-flash5/Ab2", "ts-flash5/C3"]
        .into_iter()
        .map(|id| DeviceUpdate {
            online: Some(id == "tb-pro/1"),
            standing: (id == "ts-flash5/C3").then_some(DeviceStanding::Retired),
            ..DeviceUpdate::seen(device(id), at(0))
        })
        .collect();
    store
        .apply(Batch {
            position: Position(1),
            devices: &updates,
            changes: &[opened(ticket(1, "tb-pro/1", "scale"))],
            ..Batch::default()
        })
        .await
        .expect("committed");
    let cases: [(ChangeDevices, &[&str]); 8] = [
        (|_| {}, &["tb-pro/1", "ts-flash5/Ab2"]),
        (
            |f| f.after = Some("device.ts-flash5/Ab2".into()),
            &["ts-flash5/C3"],
        ),
        (|f| f.model = Some("tb-pro".into()), &["tb-pro/1"]),
        (|f| f.q = Some("aB".into()), &["ts-flash5/Ab2"]),
        (|f| f.q = Some("%".into()), &[]),
        (
            |f| f.standing = Some(DeviceStanding::InService),
            &["tb-pro/1", "ts-flash5/Ab2"],
        ),
        (|f| f.online = Some(true), &["tb-pro/1"]),
        (
            |f| f.standing = Some(DeviceStanding::Retired),
            &["ts-flash5/C3"],
        ),
    ];
    for (change, expected) in cases {
        let mut filter = DeviceFilter {
            limit: 2,
            ..DeviceFilter::default()
        };
        change(&mut filter);
        let page = store.devices(&filter).await.expect("a page");
        let found: Vec<_> = page.items.iter().map(|row| row.device.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let row = store.device(&device("tb-pro/1")).await.expect("a read");
    assert_eq!(row.expect("known").open_tickets, 1);
    assert!(
        store
            .device(&device("tb-pro/9"))
            .await
            .expect("a read")
            .is_none()
    );
}

async fn rejected_messages_are_listed_newest_first(store: &Store) {
    let mut long = refused(3, None, "long");
    long.payload = vec![b'x'; 5_000].into();
    store
        .apply(Batch {
            position: Position(3),
            rejected: &[
                refused(1, None, "a"),
                refused(2, Some(0), "b"),
                refused(2, Some(4), "c"),
                long,
            ],
            ..Batch::default()
        })
        .await
        .expect("committed");
    let mut details = Vec::new();
    let mut after = None;
    loop {
        let filter = RejectedFilter {
            limit: 3,
            after,
            ..RejectedFilter::default()
        };
        let page = store.rejected(&filter).await.expect("a page");
        details.extend(
            page.items
                .into_iter()
                .map(|row| (row.detail, row.item, row.payload.len(), row.payload_len)),
        );
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected = [
        ("long", None, 4_096, 5_000),
        ("c", Some(4), 6, 6),
        ("b", Some(0), 6, 6),
        ("a", None, 6, 6),
    ];
    assert_eq!(
        details,
        expected.map(|(d, i, kept, len)| (d.to_owned(), i, kept, len))
    );
    let by = |reason: &str, id: &str| RejectedFilter {
        reason: Some(reason.into()),
        device: Some(device(id)),
        limit: 10,
        ..RejectedFilter::default()
    };
    let count = async |filter| store.rejected(&filter).await.expect("a page").items.len();
    assert_eq!(count(by("invalid_json", "ts-flash5/TSF5-000123")).await, 4);
    assert_eq!(count(by("no_time", "ts-flash5/TSF5-000123")).await, 0);
    assert_eq!(count(by("invalid_json", "ts-flash5/other")).await, 0);
}

async fn a_replay_marks_what_it_took(store: &Store) {
    let first = [refused(1, None, "a"), refused(2, None, "b")];
    store
        .apply(Batch {
            position: Position(2),
            rejected: &first,
            ..Batch::default()
        })
        .await
        .expect("committed");
    let both = [Position(1), Position(2), Position(3)];
    assert_eq!(
        store.still_rejected(&both).await.expect("a read"),
        both[..2]
    );
    // The replay takes 1 and refuses 2 again, with another reason.
    store
        .apply(Batch {
            position: Position(3),
            received_at: at(9),
            rejected: &[refused(2, None, "still wrong")],
            replayed: &both[..2],
            ..Batch::default()
        })
        .await
        .expect("committed");
    assert_eq!(
        store.still_rejected(&both).await.expect("a read"),
        [Position(2)]
    );
    let list = async |replayed| {
        let filter = RejectedFilter {
            replayed: Some(replayed),
            limit: 9,
            ..RejectedFilter::default()
        };
        store.rejected(&filter).await.expect("a page").items
    };
    let taken = list(true).await;
    assert_eq!((taken.len(), taken[0].replayed_at), (1, Some(at(9))));
    let left = list(false).await;
    assert_eq!((left.len(), left[0].detail.as_str()), (1, "still wrong"));
}

async fn a_replay_begins_with_the_oldest(store: &Store) {
    let rejected: Vec<_> = (1..=501).map(|n| refused(n, None, "no")).collect();
    let batch = Batch {
        position: Position(501),
        rejected: &rejected,
        ..Batch::default()
    };
    store.apply(batch).await.expect("committed");
    let all = Position(0)..Position(u64::MAX);
    let found = store
        .oldest_rejected(Some("invalid_json"), None, all.clone())
        .await;
    let (positions, more) = found.expect("a read");
    assert_eq!((positions.len(), more), (500, true));
    assert_eq!(positions[0], Position(1));
    let other = device("ts-flash5/other");
    let found = store.oldest_rejected(None, Some(&other), all).await;
    assert_eq!(found.expect("a read"), (Vec::new(), false));
    let within = Position(3)..Position(5);
    let found = store.oldest_rejected(None, None, within).await;
    assert_eq!(
        found.expect("a read"),
        (vec![Position(3), Position(4)], false)
    );
}
