//! SUBSCRIBE is answered and never served; and what else a client is told.

use super::hall::Hall;
use super::rig::Rig;
use super::wire::Hello;
use super::wire::PING;
use super::wire::PONG;
use super::wire::ack;
use super::wire::packet;
use super::wire::publish;
use crate::intake::listener::Access;
use crate::intake::listener::AccessSettings;
use crate::intake::listener::Limits;
use crate::intake::listener::Subscribe;
use crate::intake::listener::User;
use crate::intake::listener::UsersFile;
use crate::intake::listener::hash_password;

/// SUBSCRIBE to `a` (QoS 1) and `b/#` (QoS 2), and UNSUBSCRIBE from them.
fn packets(version: u8) -> (Vec<u8>, Vec<u8>) {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    let mut subscribe = vec![0, 1];
    subscribe.extend(properties);
    subscribe.extend([0, 1, b'a', 1, 0, 3, b'b', b'/', b'#', 2]);
    let mut unsubscribe = vec![0, 2];
    unsubscribe.extend(properties);
    unsubscribe.extend([0, 1, b'a', 0, 3, b'b', b'/', b'#']);
    (packet(0x82, &subscribe), packet(0xA2, &unsubscribe))
}

#[tokio::test]
async fn subscriptions_are_granted_or_refused_and_nothing_is_delivered() {
    for (setting, version, suback) in [
        (Subscribe::Grant, 4, vec![0x90, 4, 0, 1, 1, 2]),
        (Subscribe::Grant, 5, vec![0x90, 5, 0, 1, 0, 1, 2]),
        (Subscribe::Refuse, 4, vec![0x90, 4, 0, 1, 0x80, 0x80]),
        (Subscribe::Refuse, 5, vec![0x90, 5, 0, 1, 0, 0x87, 0x87]),
    ] {
        let rig = Rig::with(Limits::default(), setting, Access::anonymous());
        let mut peer = rig.client(version, "curious").await;
        let (subscribe, unsubscribe) = packets(version);
        peer.send(&subscribe).await;
        peer.expect(&[suback]).await;
        peer.send(&publish(version, "a", b"x", 1, 1)).await;
        peer.expect(&[ack(0x40, 1)]).await;
        peer.send(&unsubscribe).await;
        let unsuback = if version == 5 {
            vec![0xB0, 5, 0, 2, 0, 0, 0]
        } else {
            vec![0xB0, 2, 0, 2]
        };
        peer.expect(&[unsuback]).await;
        peer.send(&PING).await;
        peer.expect(&[PONG.to_vec()]).await;
        let client = &rig.status.clients()[0];
        let counts = (client.subscriptions_granted, client.subscriptions_refused);
        let expected = if setting == Subscribe::Grant {
            (2, 0)
        } else {
            (0, 2)
        };
        assert_eq!(counts, expected);
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn mqtt_5_is_told_what_there_is_and_what_there_is_not() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    let connack = peer.enter(&Hello::new(5, "")).await;
    // Session expiry 0, receive maximum 256, packets up to 263,168, no aliases, no wildcards, no ids, no shares, an id.
    let mut expected = vec![
        0x11, 0, 0, 0, 0, 0x21, 1, 0, 0x27, 0, 4, 4, 0, 0x22, 0, 0, 0x28, 0, 0x29, 0, 0x2A, 0,
        0x12, 0, 21,
    ];
    expected.extend(b"auto-");
    let length = usize::from(connack[4]);
    assert_eq!(connack.len(), 5 + length);
    assert_eq!(connack[5..5 + expected.len()], expected);
    let hall = Hall::new();
    let mut peer = hall.dial();
    assert_eq!(peer.enter(&Hello::new(3, "")).await, [0x20, 2, 0, 0]);
}

/// Two users: one for its device, one for everything.
fn access(dir: &tempfile::TempDir) -> Access {
    let path = dir.path().join("users");
    UsersFile::edit(&path, |file| {
        let hash = hash_password(b"right").unwrap();
        let may = vec!["ts-flash5/TSF5-MADEUP-07".parse().unwrap()];
        file.set(User::new("device", Some(hash), may)?);
        Ok::<_, crate::intake::listener::UsersError>(())
    })
    .unwrap();
    Access::open(AccessSettings {
        users_file: path,
        must_exist: true,
        anonymous: Some(false),
        certificates: false,
    })
    .unwrap()
}

const OWN: &str = "appl/v1/ts-flash5/TSF5-MADEUP-07/tele";
const OTHER: &str = "appl/v1/ts-flash5/TSF5-MADEUP-08/tele";

#[tokio::test]
async fn a_wrong_password_is_told_with_the_right_code() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::with(Limits::default(), Subscribe::Grant, access(&dir));
    for (version, login, answer) in [
        (4, Some(("device", "wrong")), vec![0x20, 2, 0, 4]),
        (5, Some(("nobody", "right")), vec![0x20, 3, 0, 0x86, 0]),
        (3, None, vec![0x20, 2, 0, 4]),
    ] {
        let mut peer = rig.dial().await;
        let hello = Hello {
            login,
            ..Hello::new(version, "a")
        };
        peer.send(&hello.packet()).await;
        assert_eq!(peer.packet().await, Some(answer));
        assert_eq!(peer.packet().await, None);
    }
    assert_eq!(rig.refused("credentials"), 3);
    assert!(rig.status.clients().is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn a_publish_outside_the_rights_is_refused_and_nothing_of_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::with(Limits::default(), Subscribe::Grant, access(&dir));
    let hello = |version| Hello {
        login: Some(("device", "right")),
        ..Hello::new(version, "a")
    };
    let mut peer = rig.dial().await;
    peer.enter(&hello(5)).await;
    let mut bytes = publish(5, OWN, b"1", 1, 1);
    bytes.extend(publish(5, OTHER, b"2", 1, 2));
    bytes.extend(publish(5, OTHER, b"3", 2, 3));
    bytes.extend(publish(5, OTHER, b"4", 0, 0));
    bytes.extend(publish(5, OWN, b"5", 1, 5));
    peer.send(&bytes).await;
    peer.expect(&[
        ack(0x40, 1),
        vec![0x40, 3, 0, 2, 0x87],
        vec![0x50, 3, 0, 3, 0x87],
        ack(0x40, 5),
    ])
    .await;
    // MQTT 3 has no such answer: QoS 0 is dropped, above it the connection ends.
    let mut peer = rig.dial().await;
    peer.enter(&Hello {
        id: "b",
        ..hello(4)
    })
    .await;
    peer.send(&publish(4, OTHER, b"6", 0, 0)).await;
    peer.send(&publish(4, OWN, b"7", 1, 7)).await;
    peer.expect(&[ack(0x40, 7)]).await;
    peer.send(&publish(4, OTHER, b"8", 1, 8)).await;
    assert_eq!(peer.packet().await, None);
    assert_eq!(rig.status.snapshot().denied, 5);
    assert_eq!(rig.status.source().snapshot().qos0_dropped, 2);
    assert_eq!(rig.status.clients()[0].denied, 3);
    // A will outside the rights is told at once, not when it is too late.
    for (version, answer) in [(4, vec![0x20, 2, 0, 5]), (5, vec![0x20, 3, 0, 0x87, 0])] {
        let mut peer = rig.dial().await;
        let hello = Hello {
            will: Some((OTHER, "offline")),
            id: "c",
            ..hello(version)
        };
        peer.send(&hello.packet()).await;
        assert_eq!(peer.packet().await, Some(answer));
    }
    let kept: Vec<_> = rig
        .journal
        .messages()
        .iter()
        .map(|message| message.payload.to_vec())
        .collect();
    assert_eq!(kept, [b"1", b"5", b"7"]);
    rig.stop().await;
}
