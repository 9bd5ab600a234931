//! What is against the protocol: every kind ends its connection, for MQTT 5 with the reason, and harms nobody else.

use super::hall::Hall;
use super::hall::settle;
use super::wire::Hello;
use super::wire::ack;
use super::wire::packet;
use super::wire::publish;
use super::wire::publish_flags;

/// Bytes after CONNECT, and the MQTT 5 reason.
fn wrong(version: u8) -> Vec<(&'static str, Vec<u8>, u8)> {
    let mut cases = vec![
        ("NUL in a topic", publish(version, "a\0b", b"", 1, 1), 0x90),
        ("+ in a topic", publish(version, "a/+", b"", 1, 1), 0x90),
        ("# in a topic", publish(version, "#", b"", 0, 0), 0x90),
        ("an empty topic", publish(version, "", b"", 1, 1), 0x90),
        (
            "DUP with QoS 0",
            publish_flags(version, "t", b"", 0b1000, 0),
            0x81,
        ),
        ("QoS 3", publish_flags(version, "t", b"", 0b0110, 1), 0x81),
        ("packet id 0", publish(version, "t", b"", 1, 0), 0x81),
        (
            "a second CONNECT",
            Hello::new(version, "again").packet(),
            0x82,
        ),
        ("PINGRESP", vec![0xD0, 0], 0x82),
        ("PINGREQ with a body", vec![0xC0, 1, 0], 0x81),
        ("PUBREL with wrong flags", vec![0x60, 2, 0, 1], 0x81),
        ("packet type 0", vec![0x00, 0], 0x81),
        (
            "a length of five bytes",
            vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            0x81,
        ),
        (
            "a topic longer than its packet",
            packet(0x30, &[0, 9, b't']),
            0x81,
        ),
        (
            "a topic that is not UTF-8",
            packet(0x30, &[0, 2, 0xC3, 0x28, 0]),
            0x81,
        ),
        ("SUBSCRIBE without a filter", packet(0x82, &[0, 1, 0]), 0x82),
    ];
    if version == 5 {
        cases.extend([
            ("AUTH", vec![0xF0, 0], 0x82),
            ("CONNACK", packet(0x20, &[0, 0, 0]), 0x82),
            ("SUBACK", packet(0x90, &[0, 1, 0, 0]), 0x82),
            (
                "a topic alias",
                packet(0x30, &[0, 1, b't', 3, 0x23, 0, 1]),
                0x82,
            ),
            (
                "a subscription identifier",
                packet(0x30, &[0, 1, b't', 2, 0x0B, 1]),
                0x82,
            ),
            (
                "the same property twice",
                packet(0x30, &[0, 1, b't', 4, 1, 1, 1, 1]),
                0x81,
            ),
        ]);
    } else {
        cases.extend([
            ("CONNACK", packet(0x20, &[0, 0]), 0x82),
            ("SUBACK", packet(0x90, &[0, 1, 0]), 0x82),
            ("UNSUBACK", packet(0xB0, &[0, 1]), 0x82),
            ("packet type 15", vec![0xF0, 0], 0x81),
            ("DISCONNECT with a body", vec![0xE0, 1, 0], 0x81),
        ]);
    }
    cases
}

/// What it is, the bytes, the answer before the end if there is one, and what the status calls it.
type Case = (&'static str, Vec<u8>, Option<Vec<u8>>, &'static str);

#[tokio::test(start_paused = true)]
async fn what_is_against_the_protocol_ends_the_connection_and_nothing_else() {
    for version in [4, 5] {
        for (what, bytes, reason) in wrong(version) {
            let hall = Hall::new();
            let mut healthy = hall.dial();
            healthy.enter(&Hello::new(version, "healthy")).await;
            let mut peer = hall.dial();
            peer.enter(&Hello::new(version, "wrong")).await;
            // What came before it in the same read is kept.
            let mut sent = publish(version, "before", b"1", 0, 0);
            sent.extend(bytes);
            peer.send(&sent).await;
            let answer = peer.packet().await;
            if version == 5 {
                let answer = answer.unwrap_or_else(|| panic!("{what}: no DISCONNECT"));
                assert_eq!((answer[0], answer[2]), (0xE0, reason), "{what}: {answer:?}");
                assert_eq!(peer.packet().await, None, "{what}");
            } else {
                assert_eq!(answer, None, "{what}");
            }
            assert_eq!(hall.closed("protocol"), 1, "{what}");
            assert_eq!(hall.journal.wait_for(1).await, ["before=1"], "{what}");
            healthy.send(&publish(version, "t", b"2", 1, 1)).await;
            healthy.expect(&[ack(0x40, 1)]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_of_nothing_is_harmless() {
    for version in [4, 5] {
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&Hello::new(version, "a")).await;
        for kind in [0x40, 0x50, 0x70] {
            peer.send(&ack(kind, 9)).await;
        }
        peer.send(&publish(version, "t", b"x", 1, 1)).await;
        peer.expect(&[ack(0x40, 1)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_packet_that_is_none_is_told_why() {
    let long = "x".repeat(300);
    let mut unknown = Hello::new(4, "a").packet();
    unknown[8] = 6;
    let mut with_method = Hello::new(5, "a").packet();
    with_method[1] += 4;
    with_method[12] = 4;
    with_method.splice(13..13, [0x15, 0, 1, b'x']);
    let mut unclean = Hello::new(4, "").packet();
    unclean[9] = 0;
    let cases: Vec<Case> = vec![
        (
            "HTTP",
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            None,
            "malformed",
        ),
        ("a PUBLISH", publish(4, "t", b"", 0, 0), None, "malformed"),
        (
            "a CONNECT that is too long",
            packet(0x10, &[0; 17_000]),
            None,
            "malformed",
        ),
        (
            "a protocol that is not MQTT",
            packet(0x10, b"\0\x04MQXX\x04\x02\0\0\0\x01a"),
            None,
            "malformed",
        ),
        ("MQTT 6", unknown, Some(vec![0x20, 2, 0, 1]), "version"),
        (
            "a client id that is too long",
            Hello::new(4, &long).packet(),
            Some(vec![0x20, 2, 0, 2]),
            "client_id",
        ),
        (
            "the same with MQTT 5",
            Hello::new(5, &long).packet(),
            Some(vec![0x20, 3, 0, 0x85, 0]),
            "client_id",
        ),
        (
            "no client id and no clean session",
            unclean,
            Some(vec![0x20, 2, 0, 2]),
            "client_id",
        ),
        (
            "an authentication method",
            with_method,
            Some(vec![0x20, 3, 0, 0x8C, 0]),
            "method",
        ),
    ];
    for (what, bytes, expected, reason) in cases {
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.send(&bytes).await;
        assert_eq!(peer.packet().await, expected, "{what}");
        if expected.is_some() {
            assert_eq!(peer.packet().await, None, "{what}");
        }
        settle().await;
        let refused = hall.house.status.snapshot().refused;
        let count = refused.iter().find(|(name, _)| *name == reason).unwrap().1;
        assert_eq!(count, 1, "{what}: {refused:?}");
        assert_eq!(hall.house.status.snapshot().connects, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_connect_at_once_is_taken() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    let mut bytes = Hello::new(4, "eager").packet();
    bytes.extend(publish(4, "t", b"1", 1, 1));
    bytes.extend(&publish(4, "t", b"2", 1, 2)[..3]);
    peer.send(&bytes).await;
    peer.expect(&[vec![0x20, 2, 0, 0], ack(0x40, 1)]).await;
    peer.send(&publish(4, "t", b"2", 1, 2)[3..]).await;
    peer.expect(&[ack(0x40, 2)]).await;
}
