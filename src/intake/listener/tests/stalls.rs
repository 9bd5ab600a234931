//! The journal is full, fails, or says nothing: nothing is acknowledged, nothing is lost, and everything goes on by itself.

use std::time::Duration;

use super::hall::Hall;
use super::hall::pass;
use super::hall::settle;
use super::rig::Rig;
use super::rig::until;
use super::wire::Hello;
use super::wire::PING;
use super::wire::PONG;
use super::wire::ack;
use super::wire::publish;
use crate::intake::listener::Access;
use crate::intake::listener::Limits;
use crate::intake::listener::Subscribe;
use crate::intake::sink::SinkError;
use crate::intake::status::SourceState;

#[tokio::test]
async fn a_full_journal_stalls_and_what_waited_is_kept_when_there_is_room() {
    let rig = Rig::start();
    let mut peer = rig.client(4, "a").await;
    for error in [SinkError::Full, SinkError::Failed] {
        rig.journal.refuse(Some(error));
        let before = rig.journal.refusals();
        peer.send(&publish(4, "t", b"1", 1, 1)).await;
        peer.send(&publish(4, "t", b"0", 0, 0)).await;
        until("several attempts", || rig.journal.refusals() > before + 2).await;
        assert_eq!(rig.status.source().snapshot().state, SourceState::Stalled);
        peer.send(&PING).await;
        // Alive, and not acknowledged.
        peer.expect(&[PONG.to_vec()]).await;
        peer.silence().await;
        // Others can come in meanwhile.
        let mut other = rig.client(4, "b").await;
        other.send(&PING).await;
        other.expect(&[PONG.to_vec()]).await;
        rig.journal.refuse(None);
        peer.expect(&[ack(0x40, 1)]).await;
        until("recovery", || {
            rig.status.source().snapshot().state == SourceState::Connected
        })
        .await;
    }
    let story = rig.stop().await;
    assert_eq!(
        story,
        ["up listener", "t=1", "t=0", "t=1", "t=0", "down listener"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_failed_for_good_is_never_acknowledged() {
    let hall = Hall::new();
    hall.journal.hold();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(5, "a")).await;
    peer.send(&publish(5, "t", b"1", 1, 1)).await;
    settle().await;
    hall.journal.wait_for(1).await;
    peer.send(&publish(5, "t", b"0", 0, 0)).await;
    settle().await;
    hall.journal.wait_for(2).await;
    hall.journal.answer(Err(SinkError::Failed));
    let goodbye = peer.packet().await.expect("a DISCONNECT");
    assert_eq!((goodbye[0], goodbye[2]), (0xE0, 0x97));
    assert_eq!(peer.packet().await, None);
    let status = hall.house.status.source().snapshot();
    assert_eq!((status.acked, status.qos0_dropped), (0, 1));
    // The next connection works.
    hall.journal.release();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(5, "a")).await;
    peer.send(&publish(5, "t", b"1", 1, 1)).await;
    peer.expect(&[ack(0x40, 1)]).await;
}

/// A client that we do not read cannot be heard: throwing it out then would throw out all of them.
#[tokio::test(start_paused = true)]
async fn the_keep_alive_stands_still_while_we_do_not_read() {
    let hall = Hall::new();
    hall.journal.hold();
    let mut peer = hall.dial();
    let hello = Hello {
        keep_alive: 10,
        ..Hello::new(4, "a")
    };
    peer.enter(&hello).await;
    let bytes: Vec<u8> = (1..=257)
        .flat_map(|id| publish(4, "t", b"x", 1, id))
        .collect();
    peer.send(&bytes).await;
    settle().await;
    hall.journal.wait_for(256).await;
    pass(Duration::from_mins(10)).await;
    peer.silence().await;
    hall.journal.release();
    let acks: Vec<_> = (1..=257).map(|id| ack(0x40, id)).collect();
    peer.expect(&acks).await;
    // It begins anew with reading.
    pass(Duration::from_millis(14_900)).await;
    peer.silence().await;
    pass(Duration::from_millis(200)).await;
    assert_eq!(peer.packet().await, None);
    assert_eq!(hall.closed("keep_alive"), 1);
}

#[tokio::test]
async fn a_journal_that_says_nothing_is_told_as_stalled_until_it_speaks() {
    let limits = Limits {
        stall: Duration::from_millis(100),
        ..Limits::default()
    };
    let rig = Rig::with(limits, Subscribe::Grant, Access::anonymous());
    let mut peer = rig.client(4, "a").await;
    rig.journal.hold();
    peer.send(&publish(4, "t", b"1", 1, 1)).await;
    until("the stall", || {
        rig.status.source().snapshot().state == SourceState::Stalled
    })
    .await;
    rig.journal.release();
    peer.expect(&[ack(0x40, 1)]).await;
    until("recovery", || {
        rig.status.source().snapshot().state == SourceState::Connected
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_a_journal_that_takes_nothing() {
    let limits = Limits {
        stop: Duration::from_millis(200),
        linger: Duration::from_millis(100),
        ..Limits::default()
    };
    let rig = Rig::with(limits, Subscribe::Grant, Access::anonymous());
    let mut peer = rig.client(4, "a").await;
    rig.journal.refuse(Some(SinkError::Full));
    peer.send(&publish(4, "t", b"1", 1, 1)).await;
    let journal = std::sync::Arc::clone(&rig.journal);
    until("an attempt", || journal.refusals() > 0).await;
    rig.stop().await;
    assert_eq!(peer.packet().await, None, "and no acknowledgement");
}
