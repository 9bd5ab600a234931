//! Against a broker that misbehaves to order.

use std::sync::Arc;
use std::time::Duration;

use foremend::intake::BrokerSettings;
use foremend::intake::IntakeError;
use foremend::intake::MqttVersion;
use foremend::intake::SourceState;

use crate::bench::Journal;
use crate::bench::Mode;
use crate::bench::Running;
use crate::bench::TOPIC;
use crate::bench::eventually;
use crate::bench::payloads;
use crate::bench::settings;
use crate::bench::story;
use crate::fake::DISCONNECT;
use crate::fake::Fake;
use crate::fake::PINGREQ;

const BOTH: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];

fn plain(fake: &Fake) -> BrokerSettings {
    settings(&fake.url(), fake.version())
}

fn error(source: &Running) -> String {
    match source.now().state {
        SourceState::Connecting {
            error: Some(error), ..
        } => error,
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_session_taken_over_stops_the_source_and_says_so() {
    let mut fake = Fake::start(MqttVersion::V5).await;
    let journal = Journal::new(Mode::Prompt);
    let source = Running::start(plain(&fake), &journal);
    let status = Arc::clone(&source.status);
    let mut peer = fake.subscribed(false).await;
    peer.send(&peer.publish(TOPIC, 1, 1, "one")).await;
    assert_eq!(peer.acked().await, 1);
    peer.send(&[0xE0, 2, 0x8E, 0]).await;
    let end = source.end().await;
    assert!(
        matches!(&end, Err(IntakeError::TakenOver { client_id, .. }) if client_id == "foremend-test"),
        "{end:?}"
    );
    assert_eq!(status.snapshot().state, SourceState::TakenOver);
    assert_eq!(story(&journal.records()), ["up", "one", "down"]);
    assert_eq!(fake.waiting(), 0, "it came back");
}

#[tokio::test]
async fn an_acknowledgement_of_an_earlier_connection_is_never_sent_on_a_later_one() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(plain(&fake), &journal);
        let mut peer = fake.subscribed(false).await;
        eventually("the record of the connection", || {
            !journal.records().is_empty()
        })
        .await;
        journal.set(Mode::Hold);
        peer.send(&peer.publish(TOPIC, 1, 1, "old")).await;
        eventually("the old one to be held back", || journal.held() == 1).await;
        drop(peer);

        // The session is lost, and packet ids begin anew.
        let mut peer = fake.subscribed(false).await;
        peer.send(&peer.publish(TOPIC, 1, 1, "new")).await;
        eventually("the new one to be held back", || journal.held() == 2).await;
        journal.set(Mode::Prompt);
        journal.release_first();
        eventually("the late one to be dropped", || {
            source.now().stale_acks == 1
        })
        .await;
        peer.send(&peer.publish(TOPIC, 1, 2, "newer")).await;
        assert_eq!(
            peer.acked().await,
            2,
            "the late acknowledgement went out on the new connection"
        );
        journal.release();
        assert_eq!(peer.acked().await, 1);
        drop(peer);
        source.vanish().await;
    }
}

#[tokio::test]
async fn what_was_read_before_an_error_is_not_acknowledged_on_the_next_connection() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(plain(&fake), &journal);
        let mut peer = fake.subscribed(false).await;
        // Three good messages, one of QoS 0, and a packet type that does not exist, all in one read.
        let bytes = [
            peer.publish(TOPIC, 1, 1, "a"),
            peer.publish(TOPIC, 1, 2, "b"),
            peer.publish(TOPIC, 0, 0, "fleeting"),
            vec![0x00, 2, 0, 0],
        ];
        peer.send(&bytes.concat()).await;
        let mut peer = fake.subscribed(false).await;
        eventually("the message that nobody sends again", || {
            payloads(&journal.messages()).contains(&"fleeting".into())
        })
        .await;
        peer.send(&peer.publish(TOPIC, 1, 9, "next")).await;
        assert_eq!(
            peer.acked().await,
            9,
            "an acknowledgement of the connection before"
        );
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_message_loses_nothing() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(plain(&fake), &journal);
        let mut peer = fake.subscribed(false).await;
        let message = peer.publish(TOPIC, 1, 7, "whole");
        peer.send(&message[..message.len() - 3]).await;
        drop(peer);
        let mut peer = fake.subscribed(true).await;
        peer.send(&message).await;
        assert_eq!(peer.acked().await, 7);
        assert_eq!(payloads(&journal.messages()), ["whole"]);
        assert_eq!(source.now().reconnects, 1);
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_refused_connection_says_why_and_is_tried_again_with_growing_delays() {
    for (version, code) in [(MqttVersion::V5, 0x86), (MqttVersion::V311, 4)] {
        let mut fake = Fake::start(version).await;
        let mut patient = plain(&fake);
        patient.limits.backoff_most = Duration::from_hours(1);
        let source = Running::start(patient, &Journal::new(Mode::Prompt));
        let begun = tokio::time::Instant::now();
        for _ in 0..4 {
            fake.client().await.answer(false, code, &[]).await;
        }
        // Three delays lie between four attempts, each at least half of its step of 20, 40 and 80 ms.
        assert!(
            begun.elapsed() >= Duration::from_millis(70),
            "{:?}",
            begun.elapsed()
        );
        eventually("the reason", || {
            error(&source)
                .starts_with("the broker refused the connection: wrong user name or password")
        })
        .await;
        source.stop().await.expect("an orderly stop while waiting");
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_is_given_up_in_time() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let mut hasty = plain(&fake);
        hasty.limits.connect = Duration::from_secs(1);
        let source = Running::start(hasty, &Journal::new(Mode::Prompt));
        let silent = fake.client().await;
        let next = fake.client().await;
        assert_eq!(error(&source), "no answer from the broker in time");
        drop((silent, next));
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_poll_that_does_not_return_ends_the_connection() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let mut hasty = plain(&fake);
        hasty.limits.poll = Duration::from_millis(300);
        let source = Running::start(hasty, &Journal::new(Mode::Prompt));
        let stuck = fake.subscribed(false).await;
        let next = fake.client().await;
        drop((stuck, next));
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    // MQTT 3.1.1, where the client takes a keep-alive of one second; the rule is the same for both.
    let mut fake = Fake::start(MqttVersion::V311).await;
    let mut hasty = plain(&fake);
    hasty.limits.keep_alive = Duration::from_secs(1);
    let source = Running::start(hasty, &Journal::new(Mode::Prompt));
    let mut dead = fake.subscribed(false).await;
    let next = fake.client().await;
    assert!(error(&source).contains("pingreq"), "{}", error(&source));
    assert_eq!(
        dead.try_read().await.map(|packet| packet.kind),
        Some(PINGREQ)
    );
    drop(next);
    source.vanish().await;
}

#[tokio::test]
async fn the_connect_asks_for_what_the_promises_rest_on() {
    let mut fake = Fake::start(MqttVersion::V5).await;
    let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
    let peer = fake.client().await;
    assert_eq!(peer.client_id(), "foremend-test");
    assert_eq!(peer.connect[7] & 0b10, 0, "a clean start loses the queue");
    let mut properties = peer.connect_properties();
    let mut seen = Vec::new();
    while let [id, rest @ ..] = properties {
        let (value, rest) = match id {
            0x11 | 0x27 => (
                u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]),
                &rest[4..],
            ),
            0x21 | 0x22 => (
                u32::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            _ => (u32::from(rest[0]), &rest[1..]),
        };
        seen.push((*id, value));
        properties = rest;
    }
    assert!(
        seen.contains(&(0x11, 604_800)),
        "the session's seven days: {seen:?}"
    );
    assert!(
        seen.contains(&(0x21, 2_000)),
        "the receive maximum: {seen:?}"
    );
    assert!(
        seen.contains(&(0x27, 268_435_460)),
        "a limit would make the broker discard unseen: {seen:?}"
    );
    assert!(
        !seen.iter().any(|(id, _)| *id == 0x22),
        "a topic alias maximum: {seen:?}"
    );
    drop(peer);
    source.vanish().await;

    let mut fake = Fake::start(MqttVersion::V311).await;
    let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
    let peer = fake.client().await;
    assert_eq!(peer.connect[7] & 0b10, 0, "a clean session loses the queue");
    drop(peer);
    source.vanish().await;
}

#[tokio::test]
async fn a_message_without_a_topic_is_accounted_for() {
    let mut fake = Fake::start(MqttVersion::V5).await;
    let journal = Journal::new(Mode::Prompt);
    let source = Running::start(plain(&fake), &journal);
    let mut peer = fake.subscribed(false).await;
    peer.send(&peer.publish("", 1, 3, "by an alias that nobody agreed on"))
        .await;
    assert_eq!(peer.acked().await, 3);
    assert_eq!(journal.messages()[0].topic, "");
    source.vanish().await;
}

#[tokio::test]
async fn a_broker_that_waives_keep_alive_is_not_pinged_to_death() {
    let mut fake = Fake::start(MqttVersion::V5).await;
    let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
    let mut peer = fake.client().await;
    peer.answer(false, 0, &[0x13, 0, 0]).await;
    let mut pings = 0;
    for pkid in 1..=50 {
        peer.send(&peer.publish(TOPIC, 1, pkid, "x")).await;
        // No ping is ever answered: a second one would end the connection.
        loop {
            match peer.try_read().await.expect("the client to stay").kind {
                PINGREQ => pings += 1,
                crate::fake::PUBACK => break,
                _ => {}
            }
        }
    }
    assert!(pings <= 1, "{pings} pings");
    source.vanish().await;
}

#[tokio::test]
async fn a_refused_subscription_is_loud() {
    for (version, code) in [(MqttVersion::V5, 0x87), (MqttVersion::V311, 0x80)] {
        let mut fake = Fake::start(version).await;
        let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
        let mut peer = fake.client().await;
        peer.accept(false).await;
        peer.answer_subscribe(code).await;
        let next = fake.client().await;
        let text = error(&source);
        assert!(
            text.starts_with("the broker refuses every subscription (appl/v1/#: "),
            "{text}"
        );
        assert_eq!(source.now().refused_filters.len(), 2);
        drop((peer, next));
        source.vanish().await;
    }
}

/// What is published before that is nobody's, so nobody may be told that messages flow.
#[tokio::test]
async fn it_is_not_connected_before_its_subscription_stands() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
        let mut peer = fake.client().await;
        peer.accept(false).await;
        let subscribe = peer.read(crate::fake::SUBSCRIBE).await;
        assert_ne!(source.now().state, SourceState::Connected);
        let mut body = subscribe.body[..2].to_vec();
        if version == MqttVersion::V5 {
            body.push(0);
        }
        body.extend([1; 2]);
        peer.send(&crate::fake::packet(0x90, &body)).await;
        eventually("the connection", || {
            source.now().state == SourceState::Connected
        })
        .await;
        drop(peer);
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_lost_session_is_subscribed_again_and_a_kept_one_of_mqtt_3_only_for_the_fence() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let source = Running::start(plain(&fake), &Journal::new(Mode::Prompt));
        let has_data_filter = |body: &[u8]| body.windows(9).any(|part| part == b"appl/v1/#");
        let mut asked = Vec::new();
        for session_present in [false, true, false] {
            let mut peer = fake.client().await;
            peer.accept(session_present).await;
            let subscribe = peer.read(crate::fake::SUBSCRIBE).await;
            asked.push(has_data_filter(&subscribe.body));
            let codes = if asked.last() == Some(&true) { 2 } else { 1 };
            let mut body = subscribe.body[..2].to_vec();
            if version == MqttVersion::V5 {
                body.push(0);
            }
            body.extend(vec![1; codes]);
            peer.send(&crate::fake::packet(0x90, &body)).await;
            // The fence is sent after the answer, so this one was taken in.
            peer.send(&peer.publish(TOPIC, 1, 1, "x")).await;
            peer.acked().await;
        }
        assert_eq!(
            asked,
            [true, version == MqttVersion::V5, true],
            "{version:?}"
        );
        source.vanish().await;
    }
}

#[tokio::test]
async fn a_stop_acknowledges_what_is_durable_and_keeps_the_session() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(plain(&fake), &journal);
        let mut peer = fake.subscribed(false).await;
        eventually("the record of the connection", || {
            !journal.records().is_empty()
        })
        .await;
        journal.set(Mode::Hold);
        peer.send(&peer.publish(TOPIC, 1, 1, "last")).await;
        eventually("it to be held back", || journal.held() == 1).await;
        source.ask_to_stop();
        peer.send(&peer.publish(TOPIC, 1, 2, "too late")).await;
        journal.set(Mode::Prompt);
        journal.release();
        assert_eq!(peer.acked().await, 1);
        let goodbye = peer.read(DISCONNECT).await;
        assert!(
            goodbye.body.is_empty() || goodbye.body[0] == 0,
            "{goodbye:?}"
        );
        drop(peer);
        source.end().await.expect("an orderly stop");
        let told = story(&journal.records());
        assert_eq!(told.first().map(String::as_str), Some("up"));
        assert_eq!(told.last().map(String::as_str), Some("down"));
        assert!(told.contains(&"last".into()));
    }
}

#[tokio::test]
async fn a_broker_that_ignores_the_receive_maximum_gets_every_acknowledgement_also_at_a_stop() {
    const BURST: u16 = 10_000;
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(plain(&fake), &journal);
        let mut peer = fake.subscribed(false).await;
        eventually("the record of the connection", || {
            !journal.records().is_empty()
        })
        .await;
        for first in [1, 1 + BURST] {
            let burst = first..first + BURST;
            journal.set(Mode::Hold);
            let bytes = burst
                .clone()
                .flat_map(|pkid| peer.publish(TOPIC, 1, pkid, "all at once"));
            peer.send(&bytes.collect::<Vec<_>>()).await;
            let all = usize::from(BURST);
            eventually("all of it", || journal.held() == all).await;
            if first > 1 {
                source.ask_to_stop();
            }
            journal.set(Mode::Prompt);
            journal.release();
            for pkid in burst {
                assert_eq!(peer.acked().await, pkid);
            }
        }
        peer.read(DISCONNECT).await;
        drop(peer);
        source.end().await.expect("an orderly stop");
        assert_eq!(fake.waiting(), 0, "it came back");
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_journal_for_ever() {
    for version in BOTH {
        let mut fake = Fake::start(version).await;
        let journal = Journal::new(Mode::Prompt);
        let mut hasty = plain(&fake);
        hasty.limits.stop = Duration::from_millis(200);
        let source = Running::start(hasty, &journal);
        let mut peer = fake.subscribed(false).await;
        eventually("the record of the connection", || {
            !journal.records().is_empty()
        })
        .await;
        journal.set(Mode::Hold);
        peer.send(&peer.publish(TOPIC, 1, 1, "last")).await;
        eventually("it to be held back", || journal.held() == 1).await;
        source.stop().await.expect("a stop in the end");
        assert_eq!(
            peer.try_read().await,
            None,
            "it was acknowledged though it is not durable"
        );
    }
}
