//! Two connections with one client id.

use std::time::Duration;

use super::hall::Hall;
use super::hall::pass;
use super::hall::settle;
use super::wire::Hello;
use super::wire::ack;
use super::wire::publish;
use crate::intake::listener::Access;
use crate::intake::listener::Limits;

#[tokio::test(start_paused = true)]
async fn the_old_connection_goes_and_its_will_comes_before_anything_of_the_new() {
    for version in [4, 5] {
        let hall = Hall::new();
        let hello = Hello {
            will: Some(("state", "offline")),
            ..Hello::new(version, "brush")
        };
        let mut old = hall.dial();
        old.enter(&hello).await;
        old.send(&publish(version, "t", b"old", 1, 1)).await;
        old.expect(&[ack(0x40, 1)]).await;
        let mut new = hall.dial();
        // Sent before CONNACK: it must not overtake the will either.
        let mut bytes = hello.packet();
        bytes.extend(publish(version, "t", b"new", 1, 1));
        new.send(&bytes).await;
        assert_eq!(new.packet().await.expect("a CONNACK")[3], 0);
        new.expect(&[ack(0x40, 1)]).await;
        assert_eq!(hall.journal.story(), ["t=old", "state=offline", "t=new"]);
        if version == 5 {
            assert_eq!(old.packet().await.expect("a DISCONNECT")[2], 0x8E);
        }
        assert_eq!(old.packet().await, None);
        assert_eq!(hall.closed("taken_over"), 1);
        assert_eq!(hall.house.status.clients().len(), 1);
        new.send(&publish(version, "t", b"still", 1, 2)).await;
        new.expect(&[ack(0x40, 2)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_will_with_a_delay_does_not_outlive_a_takeover() {
    let hall = Hall::new();
    let hello = Hello {
        will: Some(("state", "offline")),
        will_delay: 10,
        ..Hello::new(5, "brush")
    };
    let mut old = hall.dial();
    old.enter(&hello).await;
    let mut new = hall.dial();
    new.enter(&hello).await;
    pass(Duration::from_secs(20)).await;
    assert!(hall.journal.story().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_new_one_is_not_let_in_while_the_will_of_the_old_waits_for_room() {
    let limits = Limits {
        waiting_bytes: 600,
        ..Limits::default()
    };
    let hall = Hall::with(limits, Access::anonymous());
    hall.journal.hold();
    let hello = Hello {
        will: Some(("state", "offline")),
        ..Hello::new(4, "brush")
    };
    let mut old = hall.dial();
    old.enter(&hello).await;
    old.send(&publish(4, "t", &[b'x'; 300], 0, 0)).await;
    settle().await;
    hall.journal.wait_for(1).await;
    let mut new = hall.dial();
    new.send(&hello.packet()).await;
    new.silence().await;
    hall.journal.release();
    assert_eq!(new.packet().await.expect("a CONNACK")[3], 0);
    // The will is with the journal before that holds anything back again.
    hall.journal.wait_for(2).await;
    // Not for ever: then the newcomer is told to come again.
    hall.journal.hold();
    new.send(&publish(4, "t", &[b'x'; 300], 0, 0)).await;
    settle().await;
    hall.journal.wait_for(3).await;
    let mut third = hall.dial();
    third.send(&hello.packet()).await;
    third.silence().await;
    pass(Duration::from_secs(6)).await;
    assert_eq!(third.packet().await, Some(vec![0x20, 2, 0, 3]));
    hall.journal.release();
}

#[tokio::test(start_paused = true)]
async fn a_fight_costs_the_newcomer_two_seconds_and_the_other_nothing() {
    let hall = Hall::new();
    let hello = Hello::new(4, "brush");
    let mut inside = hall.dial();
    inside.enter(&hello).await;
    for _ in 0..3 {
        let mut next = hall.dial();
        next.enter(&hello).await;
        inside = next;
    }
    let mut next = hall.dial();
    next.send(&hello.packet()).await;
    next.silence().await;
    inside.send(&publish(4, "t", b"works on", 1, 1)).await;
    inside.expect(&[ack(0x40, 1)]).await;
    pass(Duration::from_millis(1_900)).await;
    next.silence().await;
    pass(Duration::from_millis(200)).await;
    assert_eq!(next.packet().await.expect("a CONNACK")[3], 0);
    assert_eq!(inside.packet().await, None);
    // A minute later nobody remembers.
    pass(Duration::from_secs(61)).await;
    let mut later = hall.dial();
    later.enter(&hello).await;
}
