//! rumqttc, over MQTT 3.1.1 and 5.

use std::time::Duration;

use crate::rig::ITS_SERIAL;
use crate::rig::ONE;
use crate::rig::PASSWORD;
use crate::rig::PLANT;
use crate::rig::Rig;
use crate::rig::SOON;
use crate::rig::readings;
use crate::rig::topic;

/// Publishes over MQTT 3.1.1; how many acknowledgements came before the connection ended, and what ended it.
async fn publish_v4(
    port: u16,
    password: &str,
    user: &str,
    topic: &str,
    payloads: &[String],
) -> (usize, Option<String>) {
    let mut options = rumqttc::MqttOptions::new(format!("v4-{topic}"), "127.0.0.1", port);
    options.set_credentials(user, password);
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = rumqttc::AsyncClient::new(options, payloads.len() + 1);
    for payload in payloads {
        client
            .publish(topic, rumqttc::QoS::AtLeastOnce, false, payload.as_bytes())
            .await
            .unwrap();
    }
    let mut acked = 0;
    let polling = async {
        while acked < payloads.len() {
            match connection.poll().await {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_))) => acked += 1,
                Ok(_) => {}
                Err(error) => return Some(error.to_string()),
            }
        }
        None
    };
    let ended = tokio::time::timeout(SOON, polling).await.expect("an end");
    (acked, ended)
}

/// The same over MQTT 5, with the reasons of the acknowledgements.
async fn publish_v5(
    port: u16,
    password: &str,
    user: &str,
    topic: &str,
    payloads: &[String],
) -> (Vec<String>, Option<String>) {
    use rumqttc::v5;
    let mut options = v5::MqttOptions::new(format!("v5-{topic}"), "127.0.0.1", port);
    options.set_credentials(user, password);
    let (client, mut connection) = v5::AsyncClient::new(options, payloads.len() + 1);
    for payload in payloads {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        client
            .publish(topic, qos, false, payload.clone())
            .await
            .unwrap();
    }
    let mut acked = Vec::new();
    let polling = async {
        while acked.len() < payloads.len() {
            match connection.poll().await {
                Ok(v5::Event::Incoming(v5::mqttbytes::v5::Packet::PubAck(ack))) => {
                    acked.push(format!("{:?}", ack.reason));
                }
                Ok(_) => {}
                Err(error) => return Some(error.to_string()),
            }
        }
        None
    };
    let ended = tokio::time::timeout(SOON, polling).await.expect("an end");
    (acked, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_acknowledged_and_arrive_in_order() {
    let rig = Rig::start();
    let payloads = readings(300);
    let topics = [topic("TSF5-MADEUP-81"), topic("TSF5-MADEUP-82")];
    let (acked, ended) = publish_v4(rig.port(), PASSWORD, PLANT, &topics[0], &payloads).await;
    assert_eq!((acked, ended), (payloads.len(), None));
    let (acked, ended) = publish_v5(rig.port(), PASSWORD, PLANT, &topics[1], &payloads).await;
    assert_eq!((acked.len(), ended), (payloads.len(), None));
    assert!(acked.iter().all(|reason| reason == "Success"), "{acked:?}");
    for topic in &topics {
        rig.wait_for(topic, &payloads);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_foreign_topic_are_refused() {
    let rig = Rig::start();
    let (own, foreign) = (topic(ITS_SERIAL), topic("TSF5-MADEUP-08"));
    let one = readings(1);
    let (acked, ended) = publish_v4(rig.port(), "wrong", ONE, &own, &one).await;
    assert!(
        acked == 0
            && ended
                .as_ref()
                .is_some_and(|why| why.contains("BadUserNamePassword")),
        "{ended:?}"
    );
    let (acked, ended) = publish_v5(rig.port(), "wrong", ONE, &own, &one).await;
    assert!(
        acked.is_empty()
            && ended
                .as_ref()
                .is_some_and(|why| why.contains("BadUserNamePassword")),
        "{ended:?}"
    );
    let (acked, ended) = publish_v4(rig.port(), PASSWORD, ONE, &foreign, &one).await;
    assert!(acked == 0 && ended.is_some(), "closed, without an answer");
    let (acked, _) = publish_v5(rig.port(), PASSWORD, ONE, &foreign, &one).await;
    assert_eq!(acked, ["NotAuthorized"]);
    assert!(rig.arrived(&foreign).is_empty());
}
