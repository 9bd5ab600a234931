//! Against mosquitto.

use std::time::Duration;

use foremend::intake::MqttVersion;
use foremend::intake::SourceState;

use crate::bench::Journal;
use crate::bench::Mode;
use crate::bench::Running;
use crate::bench::TOPIC;
use crate::bench::eventually;
use crate::bench::numbers;
use crate::bench::payloads;
use crate::bench::publish;
use crate::bench::range;
use crate::bench::settings;
use crate::bench::story;
use crate::mosquitto::Mosquitto;

const BOTH: [MqttVersion; 2] = [MqttVersion::V5, MqttVersion::V311];

/// A source that is connected and subscribed.
async fn connected(
    broker: &Mosquitto,
    version: MqttVersion,
    journal: &std::sync::Arc<Journal>,
) -> Running {
    let source = Running::start(settings(&broker.url(), version), journal);
    let status = std::sync::Arc::clone(&source.status);
    eventually("the first fence", || status.snapshot().fences == 1).await;
    source
}

#[tokio::test]
async fn a_message_arrives_between_up_and_down_and_is_acknowledged() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        publish(broker.port(), 1, false, range(0..3)).await;
        eventually("three messages", || journal.messages().len() == 3).await;
        eventually("their acknowledgements", || source.now().acked >= 3).await;
        source.stop().await.expect("an orderly stop");
        assert_eq!(story(&journal.records()), ["up", "0", "1", "2", "down"]);
        let message = &journal.messages()[0];
        assert_eq!(
            (message.topic.as_str(), message.source.as_str()),
            (TOPIC, "plant")
        );
        assert_eq!(
            (message.qos, message.dup, message.retained, message.queued),
            (1, false, false, false)
        );
    }
}

/// Mosquitto tells of it in a form that the client overlooks, and MQTT 3.1.1 cannot tell.
#[tokio::test]
async fn two_programs_with_one_client_id_do_not_throw_each_other_out_for_ever() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let mut same = settings(&broker.url(), version);
        same.limits.contested = Duration::from_hours(1);
        let one = Running::start(same.clone(), &Journal::new(Mode::Prompt));
        let other = Running::start(same, &Journal::new(Mode::Prompt));
        let blamed = |source: &Running| match source.now().state {
            SourceState::Connecting { error, .. } => {
                error.is_some_and(|text| text.contains("the client id 'foremend-test'"))
            }
            _ => false,
        };
        eventually("one of them to give way", || blamed(&one) || blamed(&other)).await;
        let (loser, winner) = if blamed(&one) {
            (one, other)
        } else {
            (other, one)
        };
        eventually("the other one to stay", || {
            winner.now().state == SourceState::Connected
        })
        .await;
        loser.stop().await.expect("an orderly stop");
        winner.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_nothing_else() {
    for version in BOTH {
        let broker = Mosquitto::start("max_inflight_messages 0\n");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        publish(broker.port(), 1, false, range(0..30)).await;
        eventually("thirty", || source.now().acked >= 31).await;
        journal.set(Mode::Hold);
        publish(broker.port(), 1, false, range(30..100)).await;
        eventually("seventy held back", || journal.held() == 70).await;
        source.vanish().await;

        let after = Journal::new(Mode::Prompt);
        let source = Running::start(settings(&broker.url(), version), &after);
        eventually("the other seventy", || after.messages().len() >= 70).await;
        eventually("the fence", || source.now().fences == 1).await;
        source.stop().await.expect("an orderly stop");
        let came = after.messages();
        assert_eq!(
            payloads(&came),
            (30..100).map(|n| n.to_string()).collect::<Vec<_>>()
        );
        assert!(came.iter().all(|message| message.dup && message.queued));
        assert_eq!(numbers(&came).len(), 70);
    }
}

#[tokio::test]
async fn a_broker_that_restarts_with_its_store_delivers_what_it_had() {
    for version in BOTH {
        let mut broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        publish(broker.port(), 1, false, range(0..5)).await;
        eventually("five", || source.now().acked >= 6).await;
        journal.set(Mode::Hold);
        publish(broker.port(), 1, false, range(5..10)).await;
        eventually("five more held back", || journal.held() == 5).await;
        broker.stop();
        journal.fail();
        journal.set(Mode::Prompt);
        broker.run();
        eventually("all ten", || numbers(&journal.messages()).len() == 10).await;
        publish(broker.port(), 1, false, range(10..11)).await;
        eventually("one more", || numbers(&journal.messages()).contains(&10)).await;
        source.stop().await.expect("an orderly stop");
        let once = payloads(&journal.messages())
            .iter()
            .filter(|text| *text == "0")
            .count();
        assert_eq!(once, 1, "what was acknowledged came again");
    }
}

#[tokio::test]
async fn a_broker_that_lost_its_store_is_subscribed_to_again() {
    for version in BOTH {
        let mut broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        publish(broker.port(), 1, false, range(0..5)).await;
        eventually("five", || journal.messages().len() == 5).await;
        broker.stop();
        broker.forget();
        broker.run();
        eventually("the fence on the new session", || source.now().fences == 2).await;
        publish(broker.port(), 1, false, range(5..8)).await;
        eventually("what came after", || journal.messages().len() == 8).await;
        source.stop().await.expect("an orderly stop");
        assert_eq!(
            story(&journal.records()),
            [
                "up", "0", "1", "2", "3", "4", "down", "up", "5", "6", "7", "down"
            ]
        );
        assert!(journal.messages().iter().all(|message| !message.queued));
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_kept_by_its_beginning_and_blocks_nothing() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        let limit = 256 * 1024;
        let payloads = vec![
            b"before".to_vec(),
            vec![b'x'; limit],
            vec![b'y'; limit + 1],
            vec![b'z'; 3_000_000],
            b"after".to_vec(),
        ];
        publish(broker.port(), 1, false, payloads).await;
        eventually("five messages", || source.now().acked >= 6).await;
        let seen: Vec<(usize, Option<u64>)> = journal
            .messages()
            .iter()
            .map(|message| (message.payload.len(), message.oversize))
            .collect();
        assert_eq!(
            seen,
            [
                (6, None),
                (limit, None),
                (4_096, Some(limit as u64 + 1)),
                (4_096, Some(3_000_000)),
                (5, None)
            ]
        );
        let now = source.now();
        assert_eq!((now.oversize, now.reconnects), (2, 0));
        source.stop().await.expect("an orderly stop");

        let again = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &again).await;
        source.stop().await.expect("an orderly stop");
        assert_eq!(again.messages(), [], "it came again");
    }
}

#[tokio::test]
async fn ten_thousand_queued_messages_pass_a_slow_journal_and_a_small_queue() {
    for version in BOTH {
        let broker = Mosquitto::start("max_inflight_messages 0\n");
        let mut small = settings(&broker.url(), version);
        small.limits.waiting_messages = 20;
        small.limits.batch_messages = 10;
        connected(&broker, version, &Journal::new(Mode::Prompt))
            .await
            .stop()
            .await
            .expect("a session that stays");
        publish(broker.port(), 1, false, range(0..10_000)).await;

        let journal = Journal::new(Mode::Hold);
        let slow = std::sync::Arc::clone(&journal);
        let clerk = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(2));
            loop {
                pace.tick().await;
                slow.release();
            }
        });
        let source = Running::start(small, &journal);
        eventually("ten thousand acknowledgements", || {
            source.now().acked >= 10_000
        })
        .await;
        assert_eq!(numbers(&journal.messages()).len(), 10_000);
        source.stop().await.expect("an orderly stop");
        clerk.abort();
        let queued = journal
            .messages()
            .iter()
            .filter(|message| message.queued)
            .count();
        assert!(queued >= 10_000, "{queued} of them were marked as queued");
    }
}

#[tokio::test]
async fn a_journal_that_stands_still_ends_the_connection_and_loses_nothing() {
    for version in BOTH {
        let broker = Mosquitto::start("max_inflight_messages 0\n");
        let mut small = settings(&broker.url(), version);
        small.limits.waiting_messages = 10;
        small.limits.stall = Duration::from_millis(100);
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(small, &journal);
        eventually("the first fence", || source.now().fences == 1).await;
        journal.set(Mode::Hold);
        publish(broker.port(), 1, false, range(0..1_500)).await;
        eventually("the complaint", || {
            source.now().state == SourceState::Stalled
        })
        .await;
        let held = journal.held();
        assert!(
            held < 600,
            "{held} messages in memory, with room for 10 and some spare"
        );
        journal.set(Mode::Prompt);
        journal.release();
        eventually("everything", || numbers(&journal.messages()).len() == 1_500).await;
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn what_waited_in_the_queue_is_marked_until_the_fence_comes_back() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        connected(&broker, version, &journal)
            .await
            .stop()
            .await
            .expect("a session that stays");
        publish(broker.port(), 1, false, range(0..3)).await;
        let source = connected(&broker, version, &journal).await;
        publish(broker.port(), 1, false, range(3..5)).await;
        eventually("five", || journal.messages().len() == 5).await;
        source.stop().await.expect("an orderly stop");
        let queued: Vec<bool> = journal
            .messages()
            .iter()
            .map(|message| message.queued)
            .collect();
        assert_eq!(queued, [true, true, true, false, false]);
        assert!(
            journal
                .messages()
                .iter()
                .all(|message| message.topic == TOPIC),
            "a fence was kept as a message"
        );
    }
}

#[tokio::test]
async fn a_retained_copy_is_marked_each_time_it_comes() {
    for (version, copies) in [(MqttVersion::V5, 1), (MqttVersion::V311, 3)] {
        let broker = Mosquitto::start("");
        publish(broker.port(), 1, true, vec![b"0".to_vec()]).await;
        let journal = Journal::new(Mode::Prompt);
        for _ in 0..2 {
            let source = connected(&broker, version, &journal).await;
            source.stop().await.expect("an orderly stop");
        }
        let source = connected(&broker, version, &journal).await;
        eventually("the copies", || journal.messages().len() >= copies).await;
        publish(broker.port(), 1, true, vec![b"1".to_vec()]).await;
        eventually("a live one", || numbers(&journal.messages()).contains(&1)).await;
        source.stop().await.expect("an orderly stop");
        let marked: Vec<(String, bool)> = journal
            .messages()
            .iter()
            .map(|message| {
                (
                    payloads(std::slice::from_ref(message)).remove(0),
                    message.retained,
                )
            })
            .collect();
        let came = marked.iter().filter(|(payload, _)| payload == "0").count();
        assert_eq!(came, copies, "{version:?}");
        for (payload, retained) in marked {
            assert_eq!(retained, payload == "0", "{version:?}: {payload}");
        }
    }
}

#[tokio::test]
async fn a_full_journal_stops_acknowledgements_and_nothing_is_lost() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let journal = Journal::new(Mode::Prompt);
        let source = connected(&broker, version, &journal).await;
        journal.set(Mode::Full);
        publish(broker.port(), 1, false, range(0..20)).await;
        eventually("the complaint", || {
            source.now().state == SourceState::Stalled
        })
        .await;
        assert_eq!(journal.messages(), []);
        journal.set(Mode::Prompt);
        eventually("all of them", || numbers(&journal.messages()).len() == 20).await;
        eventually("the connection", || {
            source.now().state == SourceState::Connected
        })
        .await;
        source.stop().await.expect("an orderly stop");
        let in_order = payloads(&journal.messages());
        assert_eq!(in_order, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
        // Down before the next up, though the first attempt to write it was refused.
        let told = story(&journal.records());
        assert_eq!(
            told.iter().filter(|word| *word == "up").count(),
            told.iter().filter(|word| *word == "down").count()
        );
        assert_eq!(told.first().map(String::as_str), Some("up"));
        let second_up = told
            .iter()
            .skip(1)
            .position(|word| word == "up")
            .expect("a second up");
        assert_eq!(told[second_up], "down");
    }
}

#[tokio::test]
async fn quality_0_is_dropped_and_counted_only_when_the_queue_is_full_and_2_arrives_as_1() {
    for version in BOTH {
        let broker = Mosquitto::start("");
        let mut small = settings(&broker.url(), version);
        small.limits.waiting_messages = 10;
        let journal = Journal::new(Mode::Prompt);
        let source = Running::start(small, &journal);
        eventually("the first fence", || source.now().fences == 1).await;
        publish(broker.port(), 0, false, range(0..5)).await;
        publish(broker.port(), 2, false, range(5..6)).await;
        eventually("six", || journal.messages().len() == 6).await;
        let qualities: Vec<u8> = journal
            .messages()
            .iter()
            .map(|message| message.qos)
            .collect();
        assert_eq!(qualities, [0, 0, 0, 0, 0, 1]);
        assert_eq!(source.now().qos0_dropped, 0);
        journal.set(Mode::Hold);
        publish(broker.port(), 0, false, range(6..56)).await;
        eventually("forty dropped", || source.now().qos0_dropped == 40).await;
        // Quality 1 is still taken.
        publish(broker.port(), 1, false, range(56..57)).await;
        eventually("eleven held back", || journal.held() == 11).await;
        journal.set(Mode::Prompt);
        journal.release();
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_hammered() {
    for version in BOTH {
        let dir = tempfile::tempdir().expect("a directory");
        // The hash of "secret", as mosquitto_passwd writes it.
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(dir.path().join("users"))
            .args(["foremend", "secret"])
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "mosquitto_passwd is missing; run tests/run.sh"
        );
        let broker = Mosquitto::start_in(dir, "allow_anonymous false\npassword_file {dir}/users\n");
        let password_file = broker.dir().join("password");
        std::fs::write(&password_file, "wrong\n").expect("a file");
        let mut known = settings(&broker.url(), version);
        known.login.username = Some("foremend".into());
        known.login.password_file = Some(password_file.clone());
        let source = Running::start(known, &Journal::new(Mode::Prompt));
        let told = || match source.now().state {
            SourceState::Connecting { error, attempt } => error
                .is_some_and(|text| attempt >= 3 && text.contains("wrong user name or password")),
            _ => false,
        };
        eventually("the reason", told).await;
        std::fs::write(&password_file, "secret\n").expect("a file");
        eventually("the connection with the corrected file", || {
            source.now().fences == 1
        })
        .await;
        source.stop().await.expect("an orderly stop");
    }
}

#[tokio::test]
async fn the_sample_settings_keep_a_night_that_the_defaults_would_lose() {
    let sample = std::fs::read_to_string("packaging/mosquitto.conf").expect("the sample");
    let ours = sample
        .replace("listener 1883 127.0.0.1", "{listener}")
        .replace("/var/lib/mosquitto/", "{dir}/");
    assert_ne!(ours, sample);
    let broker = Mosquitto::start(&ours);
    connected(&broker, MqttVersion::V5, &Journal::new(Mode::Prompt))
        .await
        .stop()
        .await
        .expect("a session that stays");
    // The default is 1,000 per client.
    publish(broker.port(), 1, false, range(0..5_000)).await;
    let journal = Journal::new(Mode::Prompt);
    let source = Running::start(settings(&broker.url(), MqttVersion::V5), &journal);
    eventually("the whole night", || journal.messages().len() >= 5_000).await;
    assert_eq!(numbers(&journal.messages()).len(), 5_000);
    source.stop().await.expect("an orderly stop");
}
