//! Ends of connections, and when a will is published.

use std::time::Duration;

use super::hall::Hall;
use super::hall::pass;
use super::hall::settle;
use super::wire::DISCONNECT;
use super::wire::Hello;
use super::wire::ack;
use super::wire::publish;

const WILL: Hello<'static> = Hello {
    keep_alive: 10,
    will: Some(("state", "offline")),
    ..Hello::new(4, "brush")
};

const WILL_V5: Hello<'static> = Hello { version: 5, ..WILL };

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_without_a_word_leaves_its_will() {
    for hello in [WILL, WILL_V5] {
        // It closes.
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&hello).await;
        peer.send(&publish(hello.version, "t", b"1", 0, 0)).await;
        drop(peer);
        settle().await;
        assert_eq!(hall.journal.wait_for(2).await, ["t=1", "state=offline"]);
        assert!(!hall.journal.messages()[1].retained);
        // It breaks the protocol.
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&hello).await;
        peer.send(&[0xD0, 0]).await;
        settle().await;
        assert_eq!(hall.journal.wait_for(1).await, ["state=offline"]);
        // It says nothing any more.
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&hello).await;
        pass(Duration::from_millis(14_900)).await;
        assert!(hall.journal.story().is_empty(), "15 s are one and a half");
        pass(Duration::from_millis(200)).await;
        assert_eq!(hall.journal.wait_for(1).await, ["state=offline"]);
        assert_eq!(hall.closed("keep_alive"), 1);
        if hello.version == 5 {
            assert_eq!(peer.packet().await.expect("a DISCONNECT")[2], 0x8D);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_goodbye_leaves_none_unless_it_asks() {
    let goodbyes: [(Hello<'_>, &[u8], bool); 4] = [
        (WILL, &DISCONNECT, false),
        (WILL_V5, &DISCONNECT, false),
        (WILL_V5, &[0xE0, 1, 0], false),
        (WILL_V5, &[0xE0, 1, 4], true),
    ];
    for (hello, goodbye, leaves_will) in goodbyes {
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&hello).await;
        peer.send(goodbye).await;
        peer.closed().await;
        settle().await;
        if leaves_will {
            hall.journal.wait_for(1).await;
        }
        assert_eq!(!hall.journal.story().is_empty(), leaves_will, "{goodbye:?}");
        assert_eq!(hall.closed("disconnect"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_will_with_a_delay_waits_and_a_client_that_is_back_in_time_keeps_it() {
    let hall = Hall::new();
    let hello = Hello {
        will_delay: 30,
        ..WILL_V5
    };
    let mut peer = hall.dial();
    peer.enter(&hello).await;
    drop(peer);
    settle().await;
    assert!(
        hall.house.status.clients().is_empty(),
        "it is not connected"
    );
    pass(Duration::from_secs(29)).await;
    assert!(hall.journal.story().is_empty());
    let mut peer = hall.dial();
    peer.enter(&hello).await;
    pass(Duration::from_secs(5)).await;
    assert!(hall.journal.story().is_empty(), "it came back in time");
    assert_eq!(hall.house.status.snapshot().wills_cancelled, 1);
    drop(peer);
    settle().await;
    pass(Duration::from_secs(31)).await;
    assert_eq!(hall.journal.wait_for(1).await, ["state=offline"]);
    settle().await;
    assert_eq!(hall.inside(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_will_waits_longer_than_five_minutes() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    peer.enter(&Hello {
        will_delay: 86_400,
        ..WILL_V5
    })
    .await;
    drop(peer);
    settle().await;
    pass(Duration::from_secs(299)).await;
    assert!(hall.journal.story().is_empty());
    pass(Duration::from_secs(2)).await;
    assert_eq!(hall.journal.wait_for(1).await, ["state=offline"]);
}

#[tokio::test(start_paused = true)]
async fn our_own_stop_leaves_no_will_but_those_that_were_due() {
    let hall = Hall::new();
    hall.journal.hold();
    let mut gone = hall.dial();
    gone.enter(&Hello {
        id: "gone",
        will: Some(("state", "gone")),
        will_delay: 60,
        ..WILL_V5
    })
    .await;
    drop(gone);
    let mut peer = hall.dial();
    peer.enter(&WILL_V5).await;
    peer.send(&publish(5, "t", b"1", 1, 1)).await;
    settle().await;
    hall.journal.wait_for(1).await;
    hall.stop();
    settle().await;
    peer.silence().await;
    // What was taken is acknowledged first, then the client is told.
    hall.journal.release();
    peer.expect(&[ack(0x40, 1)]).await;
    assert_eq!(peer.packet().await.expect("a DISCONNECT")[2], 0x8B);
    assert_eq!(hall.journal.wait_for(2).await, ["t=1", "state=gone"]);
}
