//! MQTT 5 through rumqttc: its events and errors in this edge's words.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::Outgoing;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::ConnectionError;
use rumqttc::v5::EventLoop;
use rumqttc::v5::MqttOptions;
use rumqttc::v5::StateError;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::ConnectReturnCode;
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use rumqttc::v5::mqttbytes::v5::Filter;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rumqttc::v5::mqttbytes::v5::Publish;
use rumqttc::v5::mqttbytes::v5::RetainForwardRule;
use rumqttc::v5::mqttbytes::v5::SubscribeReasonCode;
use smol_str::SmolStr;

use super::client::ConnectOptions;
use super::client::Delivery;
use super::client::Event;
use super::client::Failure;
use super::client::OUTGOING_LIMIT;
use super::client::PACKET_LIMIT;
use super::client::REQUEST_LIMIT;
use super::client::chain;

/// One connection over MQTT 5.
pub(super) struct Connection {
    client: AsyncClient,
    event_loop: EventLoop,
    keep_alive: Duration,
}

impl Connection {
    pub(super) fn open(from: ConnectOptions) -> Self {
        // rumqttc panics below 5 s.
        let keep_alive = from.keep_alive.max(Duration::from_secs(5));
        let mut options = MqttOptions::new(from.client_id, from.host, from.port);
        // No topic alias maximum, so that the broker sends none: the client shows a message by alias without its topic.
        options
            .set_transport(from.transport)
            .set_keep_alive(keep_alive)
            .set_clean_start(from.session.is_none())
            .set_manual_acks(from.session.is_some())
            .set_max_packet_size(Some(PACKET_LIMIT))
            .set_connection_timeout(from.connect.as_secs().max(1))
            .set_outgoing_inflight_upper_limit(OUTGOING_LIMIT);
        if let Some(session) = from.session {
            let expiry = u32::try_from(session.expiry.as_secs()).unwrap_or(u32::MAX);
            options
                .set_session_expiry_interval(Some(expiry))
                .set_receive_maximum(Some(session.receive_maximum));
        }
        if let Some((username, password)) = from.login {
            options.set_credentials(username, password);
        }
        let (client, event_loop) = AsyncClient::new(options, REQUEST_LIMIT);
        Self {
            client,
            event_loop,
            keep_alive,
        }
    }

    pub(super) fn client(&self) -> AsyncClient {
        self.client.clone()
    }

    pub(super) async fn poll(&mut self) -> Result<Event, Failure> {
        match self.event_loop.poll().await {
            Ok(rumqttc::v5::Event::Incoming(packet)) => {
                if matches!(packet, Packet::ConnAck(_))
                    && self.event_loop.options.keep_alive().is_zero()
                {
                    // The broker waives keep-alive; the client would take 0 s literally and ping without end.
                    self.event_loop.options.set_keep_alive(self.keep_alive);
                }
                Ok(incoming(packet))
            }
            Ok(rumqttc::v5::Event::Outgoing(what)) => Ok(match what {
                Outgoing::Publish(pkid) => Event::Sending(pkid),
                Outgoing::AwaitAck(_) => Event::Collision,
                Outgoing::Disconnect => Event::Disconnected,
                _ => Event::Other,
            }),
            Err(error) => Err(explain(&error)),
        }
    }

    pub(super) fn leftovers(&mut self) -> Vec<Delivery> {
        self.event_loop
            .state
            .events
            .drain(..)
            .filter_map(|event| match event {
                rumqttc::v5::Event::Incoming(Packet::Publish(publish))
                    if publish.qos == QoS::AtMostOnce =>
                {
                    Some(delivery(publish))
                }
                _ => None,
            })
            .collect()
    }
}

pub(super) fn try_ack(client: &AsyncClient, pkid: u16, qos: u8) -> bool {
    let publish = Publish {
        qos: level(qos),
        pkid,
        ..Publish::default()
    };
    client.try_ack(&publish).is_ok()
}

pub(super) fn try_subscribe(client: &AsyncClient, filters: &[SmolStr]) -> bool {
    let filters = filters.iter().map(|filter| {
        let mut filter = Filter::new(filter.to_string(), QoS::AtLeastOnce);
        filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
        filter
    });
    client.try_subscribe_many(filters).is_ok()
}

pub(super) fn try_publish(client: &AsyncClient, topic: &str, payload: &Bytes) -> bool {
    client
        .try_publish(topic, QoS::AtLeastOnce, false, payload.clone())
        .is_ok()
}

fn incoming(packet: Packet) -> Event {
    match packet {
        Packet::ConnAck(connack) => Event::Up {
            session_present: connack.session_present,
        },
        Packet::Publish(publish) => Event::Message(delivery(publish)),
        Packet::SubAck(suback) => Event::Subscribed(
            suback
                .return_codes
                .into_iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(_) => None,
                    SubscribeReasonCode::NotAuthorized => Some("not authorised".into()),
                    other => Some(format!("{other:?}")),
                })
                .collect(),
        ),
        Packet::PubAck(puback) => Event::Published {
            pkid: puback.pkid,
            refused: match puback.reason {
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
                PubAckReason::NotAuthorized => Some("not authorised".into()),
                other => Some(format!("{other:?}")),
            },
        },
        _ => Event::Other,
    }
}

fn delivery(publish: Publish) -> Delivery {
    Delivery {
        // Not checked by the client; a broken one becomes a topic that no source claims, visible among the rejected.
        topic: SmolStr::new(String::from_utf8_lossy(&publish.topic)),
        payload: publish.payload,
        qos: publish.qos as u8,
        dup: publish.dup,
        retained: publish.retain,
        pkid: publish.pkid,
        content_type: publish
            .properties
            .and_then(|properties| properties.content_type)
            .map(SmolStr::from),
    }
}

const fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn explain(error: &ConnectionError) -> Failure {
    Failure::Lost(match error {
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        }) => return Failure::TakenOver,
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => format!(
            "the broker ended the connection: {reason_code:?}{}",
            reason_string
                .as_deref()
                .map(|text| format!(" ({text})"))
                .unwrap_or_default()
        ),
        ConnectionError::ConnectionRefused(code) => {
            format!("the broker refused the connection: {}", refusal(*code))
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => return Failure::Closed,
        ConnectionError::Timeout(_) => "no answer from the broker in time".into(),
        ConnectionError::MqttState(StateError::Unsolicited(pkid)) => format!(
            "{} (packet id {pkid}: another program seems to have used this client id)",
            chain(error)
        ),
        other => chain(other),
    })
}

fn refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword => {
            "wrong user name or password (username and password_file of this broker's settings)"
                .into()
        }
        ConnectReturnCode::NotAuthorized => {
            "not authorised (wrong user name or password: see username and password_file of this broker's settings; or the broker's rules forbid this client)"
                .into()
        }
        ConnectReturnCode::UnsupportedProtocolVersion
        | ConnectReturnCode::RefusedProtocolVersion => {
            "it does not speak MQTT 5; set version = \"3.1.1\"".into()
        }
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => {
            "the broker does not accept the client id".into()
        }
        other => format!("{other:?}"),
    }
}
