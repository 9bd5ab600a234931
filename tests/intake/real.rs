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
        same.limits.contested = Duration::from_secs(3_600);
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
