//! At most one open ticket for each fault of a device, whatever happens in whatever order.

use std::collections::BTreeSet;

use super::story::*;
use super::*;
use crate::desk::TicketStatus;

#[test]
fn there_are_never_two_open_tickets_for_one_fault_of_a_device() {
    for seed in 20..24 {
        let mut pipeline = Pipeline::new();
        let mut open = BTreeMap::new();
        let mut versions: BTreeMap<String, u64> = BTreeMap::new();
        for (position, (received_at, record)) in (1..).zip(story(seed, 1_000)) {
            let mut effects = Effects::default();
            let position = Position(position);
            pipeline.step(
                &Entry {
                    position,
                    received_at,
                    record,
                },
                &mut effects,
            );
            for change in &effects.changes {
                let ticket = &change.ticket;
                let key = (ticket.device.clone(), ticket.fault.clone());
                let version = versions.entry(ticket.id.to_string()).or_default();
                assert_eq!(ticket.version, *version + 1, "seed {seed}: {}", ticket.id);
                *version = ticket.version;
                if matches!(
                    ticket.status,
                    TicketStatus::Closed | TicketStatus::Cancelled
                ) {
                    if open.get(&key) == Some(&ticket.id) {
                        open.remove(&key);
                    }
                } else {
                    let other = open.insert(key, ticket.id.clone());
                    assert!(
                        other.is_none_or(|other| other == ticket.id),
                        "seed {seed} at {position}: {} is not the only one",
                        ticket.id
                    );
                }
            }
            assert!(
                !effects.alerts.iter().any(|alert| alert.contains("settle")),
                "{:?}",
                effects.alerts
            );
        }
        let faults: BTreeSet<_> = open.keys().collect();
        assert!(faults.len() > 1, "the story opens some");
    }
}
