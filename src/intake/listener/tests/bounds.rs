//! How much one connection, and all of them, may have under way.

use std::sync::Arc;
use std::time::Duration;

use super::hall::Hall;
use super::hall::pass;
use super::hall::settle;
use super::wire::Hello;
use super::wire::PING;
use super::wire::PONG;
use super::wire::ack;
use super::wire::publish;
use super::wire::pubrel;
use crate::intake::listener::Access;
use crate::intake::listener::Limits;
use crate::intake::listener::door::Door;
use crate::intake::listener::status::Refusal;

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;

fn publishes(version: u8, qos: u8, ids: std::ops::RangeInclusive<u16>) -> Vec<u8> {
    ids.flat_map(|id| publish(version, "t", b"x", qos, id))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn mqtt_3_is_read_no_further_than_its_bound_and_on_when_there_is_room() {
    for qos in [0, 1] {
        let hall = Hall::new();
        hall.journal.hold();
        let mut peer = hall.dial();
        peer.enter(&Hello::new(4, "a")).await;
        peer.send(&publishes(4, qos, 1..=300)).await;
        peer.send(&PING).await;
        settle().await;
        hall.journal.wait_for(256).await;
        peer.silence().await;
        assert_eq!(hall.journal.messages().len(), 256, "and no more");
        hall.journal.release();
        let expected = if qos == 1 { 301 } else { 1 };
        let mut answers = Vec::new();
        while answers.len() < expected {
            answers.push(peer.packet().await.expect("an answer"));
        }
        // PINGRESP needs no journal, so it may come before the last acknowledgements.
        let pongs = answers.extract_if(.., |answer| answer == &PONG).count();
        assert_eq!(pongs, 1);
        let acks: Vec<_> = (1..=300)
            .take(expected - 1)
            .map(|id| ack(PUBACK, id))
            .collect();
        assert_eq!(answers, acks);
        assert_eq!(hall.journal.wait_for(300).await.len(), 300);
    }
}

#[tokio::test(start_paused = true)]
async fn mqtt_5_is_told_its_bound_and_closed_beyond_it() {
    let hall = Hall::new();
    hall.journal.hold();
    let mut peer = hall.dial();
    let connack = peer.enter(&Hello::new(5, "a")).await;
    let receive_maximum = connack.windows(3).any(|bytes| bytes == [0x21, 1, 0]);
    assert!(receive_maximum, "256 is announced: {connack:?}");
    peer.send(&publishes(5, 1, 1..=256)).await;
    settle().await;
    hall.journal.wait_for(256).await;
    peer.silence().await;
    peer.send(&publish(5, "t", b"one more", 1, 257)).await;
    let goodbye = peer.packet().await.expect("a DISCONNECT");
    assert_eq!((goodbye[0], goodbye[2]), (0xE0, 0x93));
    hall.journal.release();
    assert_eq!(hall.journal.messages().len(), 256);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_of_qos_2_counts_until_its_end() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(5, "a")).await;
    peer.send(&publishes(5, 2, 1..=256)).await;
    let acks: Vec<_> = (1..=256).map(|id| ack(PUBREC, id)).collect();
    peer.expect(&acks).await;
    peer.send(&pubrel(1)).await;
    peer.expect(&[ack(0x70, 1)]).await;
    peer.send(&publish(5, "t", b"x", 2, 300)).await;
    peer.expect(&[ack(PUBREC, 300)]).await;
    peer.send(&publish(5, "t", b"x", 2, 301)).await;
    assert_eq!(peer.packet().await.expect("a DISCONNECT")[2], 0x93);
}

#[tokio::test(start_paused = true)]
async fn mqtt_3_may_have_many_open_exchanges_but_not_all() {
    let limits = Limits {
        open_exchanges: 10,
        ..Limits::default()
    };
    let hall = Hall::with(limits, Access::anonymous());
    let mut peer = hall.dial();
    peer.enter(&Hello::new(4, "a")).await;
    peer.send(&publishes(4, 2, 1..=10)).await;
    let acks: Vec<_> = (1..=10).map(|id| ack(PUBREC, id)).collect();
    peer.expect(&acks).await;
    peer.send(&publish(4, "t", b"x", 2, 11)).await;
    assert_eq!(peer.packet().await, None);
    assert_eq!(hall.closed("receive_maximum"), 1);
}

#[tokio::test(start_paused = true)]
async fn all_together_wait_for_the_journal_within_a_byte_budget() {
    let limits = Limits {
        waiting_bytes: 4_096,
        ..Limits::default()
    };
    let hall = Hall::with(limits, Access::anonymous());
    hall.journal.hold();
    let mut peers = Vec::new();
    for number in 0..8 {
        let mut peer = hall.dial();
        peer.enter(&Hello::new(4, &format!("client-{number}")))
            .await;
        peer.send(&publish(4, "t", &[b'x'; 700], 1, 1)).await;
        settle().await;
        peers.push(peer);
    }
    // 4,096 / (700 + 1 + 256) are four.
    hall.journal.wait_for(4).await;
    settle().await;
    assert_eq!(hall.journal.messages().len(), 4);
    assert_eq!(hall.house.status.snapshot().waiting_bytes, 4 * 957);
    hall.journal.release();
    for peer in &mut peers {
        peer.expect(&[ack(PUBACK, 1)]).await;
    }
    assert_eq!(hall.house.status.snapshot().waiting_bytes, 0);
    assert_eq!(hall.journal.messages().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_slow_packet_costs_what_arrived_of_it() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(4, "a")).await;
    let bytes = publish(4, "t", &vec![b'x'; 200 * 1024], 1, 1);
    for byte in &bytes[..100] {
        peer.send(&[*byte]).await;
        settle().await;
    }
    // What is kept cannot be seen from here; that the rest still fits together can.
    peer.send(&bytes[100..]).await;
    peer.expect(&[ack(PUBACK, 1)]).await;
    assert_eq!(hall.journal.messages()[0].payload.len(), 200 * 1024);
}

#[test]
fn the_door_counts_everyone_and_each_address() {
    let limits = Limits {
        connections: 5,
        per_peer: 3,
        strangers: 4,
        strangers_per_peer: 2,
        ..Limits::default()
    };
    let door = Arc::new(Door::new(limits));
    let address = |last: u8| std::net::IpAddr::from([127, 0, 0, last]);
    let mut one = door.enter(address(1)).unwrap();
    let two = door.enter(address(1)).unwrap();
    assert_eq!(door.enter(address(1)).unwrap_err(), Refusal::PeerStrangers);
    one.known();
    let three = door.enter(address(1)).unwrap();
    assert_eq!(door.enter(address(1)).unwrap_err(), Refusal::PeerFull);
    let four = door.enter(address(2)).unwrap();
    let five = door.enter(address(3)).unwrap();
    assert_eq!(door.inside(), (5, 4));
    assert_eq!(door.enter(address(4)).unwrap_err(), Refusal::Full);
    drop(one);
    assert_eq!(door.enter(address(4)).unwrap_err(), Refusal::Strangers);
    drop((two, three, four, five));
    assert_eq!(door.inside(), (0, 0));
    // One home has a whole /64, and an IPv4 address written as IPv6 is the same one.
    let six = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    let _here = door.enter(six("2001:db8::1")).unwrap();
    let _there = door.enter(six("2001:db8::2:1")).unwrap();
    assert_eq!(
        door.enter(six("2001:db8::3")).unwrap_err(),
        Refusal::PeerStrangers
    );
    let _mapped = door.enter(six("::ffff:127.0.0.1")).unwrap();
}

#[test]
fn connections_leave_files_for_the_journal() {
    let limits = Limits::default().within_open_files();
    assert!(limits.connections <= Limits::default().connections);
    assert!(limits.strangers < limits.connections);
    assert!(limits.strangers_per_peer < limits.strangers);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed_in_time() {
    let hall = Hall::new();
    let mut peer = hall.dial_through(64);
    peer.enter(&Hello::new(4, "a")).await;
    // More answers than fit on the wire, and nobody takes them.
    for _ in 0..40 {
        peer.send(&PING).await;
        settle().await;
    }
    pass(Duration::from_secs(9)).await;
    assert_eq!(hall.closed("unread"), 0);
    pass(Duration::from_secs(2)).await;
    assert_eq!(hall.closed("unread"), 1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(hall.inside(), 0);
}
