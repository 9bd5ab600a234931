//! Taking messages: durable before acknowledged, in order, once, and however the bytes are cut.

use proptest::prelude::any;
use proptest::proptest;

use super::hall::Hall;
use super::hall::settle;
use super::rig::Rig;
use super::rig::until;
use super::wire::Hello;
use super::wire::PING;
use super::wire::PONG;
use super::wire::ack;
use super::wire::packet;
use super::wire::publish;
use super::wire::publish_flags;
use super::wire::pubrel;
use crate::properties::cases;
use crate::telemetry::RawMessage;

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBCOMP: u8 = 0x70;

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_it_is_durable_and_then_in_order() {
    for version in [3, 4, 5] {
        let hall = Hall::new();
        hall.journal.hold();
        let mut peer = hall.dial();
        peer.enter(&Hello::new(version, "a")).await;
        let mut bytes = Vec::new();
        for id in 1..=4_u16 {
            let qos = if id % 2 == 0 { 2 } else { 1 };
            bytes.extend(publish(version, "t", format!("{id}").as_bytes(), qos, id));
        }
        bytes.extend(publish(version, "t", b"zero", 0, 0));
        bytes.extend(PING);
        peer.send(&bytes).await;
        settle().await;
        assert_eq!(
            hall.journal.wait_for(5).await,
            ["t=1", "t=2", "t=3", "t=4", "t=zero"]
        );
        // What needs no journal is answered at once, an acknowledgement is not.
        peer.expect(&[PONG.to_vec()]).await;
        peer.silence().await;
        hall.journal.release();
        peer.expect(&[
            ack(PUBACK, 1),
            ack(PUBREC, 2),
            ack(PUBACK, 3),
            ack(PUBREC, 4),
        ])
        .await;
        assert_eq!(hall.journal.appends(), 1, "one read is one append");
        assert_eq!(hall.house.status.source().snapshot().acked, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_qos_2_message_is_kept_once_and_its_exchange_ends_with_pubcomp() {
    for version in [4, 5] {
        let hall = Hall::new();
        let mut peer = hall.dial();
        peer.enter(&Hello::new(version, "a")).await;
        peer.send(&publish(version, "t", b"once", 2, 7)).await;
        peer.expect(&[ack(PUBREC, 7)]).await;
        peer.send(&publish_flags(version, "t", b"once", 0b1100, 7))
            .await;
        peer.expect(&[ack(PUBREC, 7)]).await;
        peer.send(&pubrel(7)).await;
        peer.expect(&[ack(PUBCOMP, 7)]).await;
        // The id is free: the same one is a new message.
        peer.send(&publish(version, "t", b"again", 2, 7)).await;
        peer.expect(&[ack(PUBREC, 7)]).await;
        assert_eq!(hall.journal.story(), ["t=once", "t=again"]);
        assert_eq!(hall.house.status.snapshot().repeated, 1);
        peer.send(&pubrel(9)).await;
        let unknown = if version == 5 {
            vec![PUBCOMP, 3, 0, 9, 0x92]
        } else {
            ack(PUBCOMP, 9)
        };
        peer.expect(&[unknown]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_not_acknowledged_before_the_first_is_durable() {
    let hall = Hall::new();
    hall.journal.hold();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(4, "a")).await;
    peer.send(&publish(4, "t", b"x", 2, 7)).await;
    settle().await;
    hall.journal.wait_for(1).await;
    peer.send(&publish_flags(4, "t", b"x", 0b1100, 7)).await;
    peer.silence().await;
    hall.journal.release();
    peer.expect(&[ack(PUBREC, 7), ack(PUBREC, 7)]).await;
    assert_eq!(hall.journal.story(), ["t=x"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_keeps_what_it_came_with() {
    let hall = Hall::new();
    let mut peer = hall.dial();
    peer.enter(&Hello::new(5, "a")).await;
    // Retained, repeated, with a content type.
    let mut body = vec![0, 1, b't', 0, 3, 7, 0x03, 0, 4];
    body.extend(b"a/cb\x00\xFF");
    peer.send(&packet(0x3B, &body)).await;
    peer.expect(&[ack(PUBACK, 3)]).await;
    let expected = RawMessage {
        source: "listener".into(),
        topic: "t".into(),
        payload: (&b"\x00\xFF"[..]).into(),
        qos: 1,
        dup: true,
        retained: false,
        queued: false,
        content_type: Some("a/cb".into()),
        oversize: None,
    };
    assert_eq!(hall.journal.messages(), [expected]);
}

/// Acknowledgements that become due between two reads once cost the half of a packet that was already here.
#[tokio::test]
async fn packets_in_pieces_survive_acknowledgements_between_them() {
    let rig = Rig::start();
    let mut peer = rig.client(4, "pieces").await;
    let mut bytes = Vec::new();
    for id in 1..=60_u16 {
        let payload = format!("{id:0>100}");
        bytes.extend(publish(4, "t", payload.as_bytes(), 1, id));
    }
    for (number, piece) in bytes.chunks(37).enumerate() {
        peer.send(piece).await;
        // Lets the acknowledgement of what is whole by now wake the connection before the rest comes.
        let whole = (number + 1) * 37 / 107;
        until("the journal", || {
            rig.status.source().snapshot().acked >= whole as u64
        })
        .await;
    }
    let acks: Vec<_> = (1..=60).map(|id| ack(PUBACK, id)).collect();
    peer.expect(&acks).await;
    let payloads: Vec<String> = (1..=60).map(|id| format!("t={id:0>100}")).collect();
    let mut story = rig.stop().await;
    assert_eq!(story.remove(0), "up listener");
    assert_eq!(story.pop().as_deref(), Some("down listener"));
    assert_eq!(story, payloads);
}

proptest! {
    #![proptest_config(cases(24))]

    /// However the stream is cut, the same messages arrive and the same answers leave.
    #[test]
    fn a_stream_cut_anywhere_is_the_same_stream(cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12), v5 in any::<bool>()) {
        let version = if v5 { 5 } else { 4 };
        let mut bytes = Hello::new(version, "cut").packet();
        bytes.extend(publish(version, "a", b"1", 1, 1));
        bytes.extend(publish(version, "b", &[7; 300], 2, 2));
        bytes.extend(publish(version, "c", b"", 0, 0));
        bytes.extend(pubrel(2));
        bytes.extend(PING);
        bytes.extend(publish(version, "d", b"4", 1, 3));
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let hall = Hall::new();
            let mut peer = hall.dial();
            for cut in at.windows(2) {
                peer.send(&bytes[cut[0]..cut[1]]).await;
                settle().await;
            }
            let mut answers = Vec::new();
            for _ in 0..6 {
                answers.push(peer.packet().await.unwrap()[0]);
            }
            answers.sort_unstable();
            assert_eq!(answers, [0x20, PUBACK, PUBACK, PUBREC, PUBCOMP, 0xD0]);
            let topics: Vec<_> = hall.journal.messages().into_iter().map(|message| message.topic).collect();
            assert_eq!(topics, ["a", "b", "c", "d"]);
        });
    }
}

#[tokio::test]
async fn a_large_message_arrives_whole_and_a_larger_one_is_refused_with_a_reason() {
    let rig = Rig::start();
    let mut peer = rig.client(5, "large").await;
    let payload = vec![b'x'; 256 * 1024];
    peer.send(&publish(5, "t", &payload, 1, 1)).await;
    peer.expect(&[ack(PUBACK, 1)]).await;
    assert_eq!(rig.journal.messages()[0].payload.len(), payload.len());
    let larger = vec![b'x'; 258 * 1024];
    peer.send(&publish(5, "t", &larger, 1, 2)).await;
    let goodbye = peer.packet().await.expect("a DISCONNECT");
    assert_eq!((goodbye[0], goodbye[2]), (0xE0, 0x95));
    assert!(String::from_utf8_lossy(&goodbye).contains("at most 263168"));
    assert_eq!(peer.packet().await, None);
    assert_eq!(rig.status.source().snapshot().oversize, 1);
    // MQTT 3 has no words for it.
    let mut peer = rig.client(4, "large").await;
    peer.send(&publish(4, "t", &larger, 1, 2)).await;
    assert_eq!(peer.packet().await, None);
    assert_eq!(rig.journal.messages().len(), 1);
}

#[tokio::test]
async fn who_is_connected_can_be_read_at_any_time() {
    let rig = Rig::start();
    let mut peer = rig.dial().await;
    let hello = Hello {
        keep_alive: 60,
        ..Hello::new(5, "brush")
    };
    peer.enter(&hello).await;
    peer.send(&publish(
        5,
        "appl/v1/tb-q9/TBQ9-MADEUP-03/tele",
        b"{}",
        1,
        1,
    ))
    .await;
    peer.expect(&[ack(PUBACK, 1)]).await;
    let other = rig.client(4, "").await;
    let clients = rig.status.clients();
    assert_eq!(clients.len(), 2);
    assert!(clients[0].client_id.starts_with("auto-"));
    let brush = &clients[1];
    assert_eq!(
        (brush.protocol, brush.messages, brush.keep_alive, brush.tls),
        ("5", 1, 60, false)
    );
    let of_device = |topic: &str| topic.starts_with("appl/v1/tb-q9/TBQ9-MADEUP-03/");
    assert_eq!(
        rig.status.clients_publishing(of_device),
        std::slice::from_ref(brush)
    );
    drop(other);
    until("the other to be gone", || rig.status.clients().len() == 1).await;
    assert!(rig.status.clients_publishing(|_| false).is_empty());
}
