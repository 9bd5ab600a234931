//! The outbox, texts, remembered replies, counts, and the file itself.

use crate::desk::TicketStatus;
use crate::store::outbox::prune as prune_outbox;
use crate::store::rejected::prune;
use crate::store::{
    BLOB_LIMIT_BYTES, Batch, OutboxItem, RejectedFilter, RememberedAction, Store, StoreError,
};
use crate::telemetry::{DAY_MS, Position, Verdict};

use super::{at, commit, contract, opened, refused, ticket};

contract!(
    a_key_is_delivered_once,
    a_lease_keeps_a_delivery_from_others,
    a_lease_ends_with_the_process_that_held_it,
    a_failed_delivery_comes_back_when_due,
    an_oversized_delivery_is_kept_as_dead,
    an_erased_text_stays_erased,
    a_text_over_the_limit_is_refused,
    a_reply_is_remembered_for_a_day,
    the_oldest_rejected_are_dropped,
    a_full_outbox_lets_the_oldest_derived_values_go,
    a_closed_store_is_unavailable,
    verdicts_are_counted_by_fault_and_model,
);

async fn deliver(store: &Store, position: u64, keys: &[&str]) {
    let outbox: Vec<_> = keys
        .iter()
        .map(|key| OutboxItem {
            channel: "series".into(),
            key: (*key).into(),
            payload: format!("of {key}"),
        })
        .collect();
    store
        .apply(Batch {
            position: Position(position),
            received_at: at(0),
            outbox: &outbox,
            ..Batch::default()
        })
        .await
        .expect("committed");
}

async fn take(store: &Store, now: i64) -> Vec<(i64, String, u32)> {
    let rows = store
        .take_outbox("series", 10, at(now), 1_000)
        .await
        .expect("a lease");
    rows.into_iter()
        .map(|row| (row.id, row.key.to_string(), row.attempts))
        .collect()
}

async fn a_key_is_delivered_once(store: &Store) {
    deliver(store, 1, &["a", "b", "a"]).await;
    deliver(store, 2, &["b", "c"]).await;
    let keys: Vec<_> = take(store, 0).await.into_iter().map(|row| row.1).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    let other = store
        .take_outbox("mail", 10, at(0), 1_000)
        .await
        .expect("a lease");
    assert!(other.is_empty());
}

async fn a_lease_keeps_a_delivery_from_others(store: &Store) {
    deliver(store, 1, &["a"]).await;
    let first = take(store, 0).await;
    assert_eq!(first.len(), 1);
    assert!(take(store, 999).await.is_empty());
    let again = take(store, 1_000).await;
    assert_eq!(again, [(first[0].0, "a".to_owned(), 2)]);
    store.outbox_done(&[first[0].0]).await.expect("done");
    assert!(take(store, 1_000_000).await.is_empty());
}

async fn a_lease_ends_with_the_process_that_held_it(store: &Store) {
    deliver(store, 1, &["a", "b"]).await;
    let taken = take(store, 0).await;
    store.outbox_done(&[taken[0].0]).await.expect("done");
    store
        .release_outbox("mail", at(1))
        .await
        .expect("another channel's");
    assert!(take(store, 1).await.is_empty());
    store.release_outbox("series", at(1)).await.expect("ours");
    let again = take(store, 1).await;
    assert_eq!(again, [(taken[1].0, "b".to_owned(), 2)]);
}

async fn a_failed_delivery_comes_back_when_due(store: &Store) {
    deliver(store, 1, &["a", "b"]).await;
    let rows = take(store, 0).await;
    store
        .outbox_failed(&[rows[0].0], Some(at(60_000)), "no route")
        .await
        .expect("noted");
    store
        .outbox_failed(&[rows[1].0], None, "refused")
        .await
        .expect("noted");
    assert!(take(store, 59_999).await.is_empty());
    assert_eq!(take(store, 60_000).await.len(), 1);
    let counts = store.counts().await.expect("counts");
    assert_eq!(counts.outbox_pending["series"], 1);
    assert_eq!(counts.outbox_dead["series"], 1);
}

async fn an_oversized_delivery_is_kept_as_dead(store: &Store) {
    let item = |size| OutboxItem {
        channel: "series".into(),
        key: size_key(size),
        payload: "x".repeat(size),
    };
    store
        .apply(Batch {
            position: Position(1),
            received_at: at(0),
            outbox: &[item(65_536), item(65_537)],
            ..Batch::default()
        })
        .await
        .expect("committed");
    assert_eq!(take(store, 0).await.len(), 1);
    assert_eq!(
        store.counts().await.expect("counts").outbox_dead["series"],
        1
    );
}

fn size_key(size: usize) -> smol_str::SmolStr {
    size.to_string().into()
}

async fn an_erased_text_stays_erased(store: &Store) {
    let first = store.put_blob("call after six").await.expect("kept");
    let second = store.put_blob("call after six").await.expect("kept");
    assert_ne!(first, second);
    assert_eq!(
        store.blob(&first).await.expect("a read").as_deref(),
        Some("call after six")
    );
    assert!(store.erase_blob(&first).await.expect("erased"));
    assert_eq!(store.blob(&first).await.expect("a read"), None);
    assert!(store.blob(&second).await.expect("a read").is_some());
    assert!(!store.erase_blob("nothing").await.expect("none there"));
}

async fn a_text_over_the_limit_is_refused(store: &Store) {
    assert!(store.put_blob(&"x".repeat(BLOB_LIMIT_BYTES)).await.is_ok());
    let error = store
        .put_blob(&"x".repeat(BLOB_LIMIT_BYTES + 1))
        .await
        .expect_err("too long");
    assert!(matches!(
        error,
        StoreError::TooLarge {
            limit: BLOB_LIMIT_BYTES,
            ..
        }
    ));
}

async fn a_reply_is_remembered_for_a_day(store: &Store) {
    let action = |status| RememberedAction {
        fingerprint: "f".into(),
        status,
        reply: "{}".into(),
    };
    store
        .remember_action("k", &action(200), at(0))
        .await
        .expect("kept");
    store
        .remember_action("k", &action(500), at(1))
        .await
        .expect("kept");
    let recalled = store
        .recall_action("k", at(DAY_MS - 1))
        .await
        .expect("a read");
    assert_eq!(recalled, Some(action(200)));
    assert_eq!(
        store.recall_action("k", at(DAY_MS)).await.expect("a read"),
        None
    );
    assert_eq!(
        store.recall_action("other", at(0)).await.expect("a read"),
        None
    );
    // A day later the key is free again.
    store
        .remember_action("k", &action(202), at(DAY_MS))
        .await
        .expect("kept");
    let recalled = store.recall_action("k", at(DAY_MS)).await.expect("a read");
    assert_eq!(recalled, Some(action(202)));
}

async fn the_oldest_rejected_are_dropped(store: &Store) {
    let rejected: Vec<_> = (1..=10)
        .map(|position| refused(position, None, "no"))
        .collect();
    store
        .apply(Batch {
            position: Position(10),
            rejected: &rejected,
            ..Batch::default()
        })
        .await
        .expect("committed");
    let mut connection = store.writer.acquire().await.expect("a connection");
    prune(&mut connection, 4).await.expect("pruned");
    drop(connection);
    let page = store
        .rejected(&RejectedFilter {
            limit: 99,
            ..RejectedFilter::default()
        })
        .await
        .expect("a page");
    let left: Vec<_> = page.items.iter().map(|row| row.position.0).collect();
    assert_eq!(left, [10, 9, 8, 7]);
}

async fn a_full_outbox_lets_the_oldest_derived_values_go(store: &Store) {
    let keys = [
        "ticket/1",
        "derived/1",
        "derived/2",
        "ticket/2",
        "derived/3",
    ];
    deliver(store, 1, &keys).await;
    let mut connection = store.writer.acquire().await.expect("a connection");
    let removed = prune_outbox(&mut connection, 3).await.expect("pruned");
    drop(connection);
    assert_eq!(removed, 2);
    let keys: Vec<_> = take(store, 0).await.into_iter().map(|row| row.1).collect();
    assert_eq!(keys, ["ticket/1", "ticket/2", "derived/3"]);
}

async fn a_closed_store_is_unavailable(store: &Store) {
    store.ping().await.expect("it answers");
    store.close().await;
    let error = store.ping().await.expect_err("closed");
    assert!(error.is_retryable());
}

mod file {
    use super::*;

    #[tokio::test]
    async fn what_was_committed_is_there_after_opening_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.sqlite");
        let store = Store::open(&path, "journal-1").await.expect("a store");
        commit(&store, 5, &[opened(ticket(1, "ts-flash5/A", "scale"))]).await;
        let newest = *store.newest_change().borrow();
        // Not closed: a second opening sees what a killed process left.
        let again = Store::open(&path, "journal-1").await.expect("a store");
        assert_eq!(again.position(), Position(5));
        assert_eq!(*again.newest_change().borrow(), newest);
        assert!(again.ticket("T-1").await.expect("a read").is_some());
    }

    #[tokio::test]
    async fn a_file_of_another_journal_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.sqlite");
        Store::open(&path, "journal-1")
            .await
            .expect("a store")
            .close()
            .await;
        let error = Store::open(&path, "journal-2").await.expect_err("foreign");
        assert!(matches!(error, StoreError::ForeignJournal { .. }));
        let text = error.to_string();
        for part in ["store.sqlite", "journal-1", "journal-2"] {
            assert!(text.contains(part), "{text} does not name {part}");
        }
    }

    #[tokio::test]
    async fn a_file_of_a_newer_release_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.sqlite");
        let store = Store::open(&path, "journal-1").await.expect("a store");
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', 1, x'00', 0)",
        )
        .execute(&store.writer)
        .await
        .expect("written");
        store.close().await;
        let error = Store::open(&path, "journal-1").await.expect_err("newer");
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.sqlite");
        std::fs::write(&path, "not a database, but long enough to be looked at").expect("written");
        let error = Store::open(&path, "journal-1")
            .await
            .expect_err("no database");
        assert!(error.to_string().contains("store.sqlite"));
    }
}

async fn verdicts_are_counted_by_fault_and_model(store: &Store) {
    let judged = |id, device, fault, verdict| {
        let mut ticket = ticket(id, device, fault);
        ticket.verdict = verdict;
        ticket.status = TicketStatus::Closed;
        opened(ticket)
    };
    let (right, wrong) = (Verdict::ConfirmedFault, Verdict::NoFaultFound);
    let changes = [
        judged(1, "ts-flash5/A", "scale", Some(right)),
        judged(2, "ts-flash5/B", "scale", Some(right)),
        judged(3, "ts-flash5/C", "scale", Some(wrong)),
        judged(4, "ts-flash5/D", "scale", None),
        judged(5, "ts-flash5/E", "leak", Some(wrong)),
        judged(6, "ts-other/F", "scale", Some(wrong)),
    ];
    commit(store, 1, &changes).await;
    let count = async |but| {
        store
            .verdicts("ts-flash5", "scale", but)
            .await
            .expect("counts")
    };
    assert_eq!(count("").await, [(right, 2), (wrong, 1)].into());
    assert_eq!(count("T-1").await, [(right, 1), (wrong, 1)].into());
    let none = store.verdicts("ts-flash5", "<none>", "T-1").await;
    assert!(none.expect("counts").is_empty());
}
