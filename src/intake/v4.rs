//! MQTT 3.1.1 through rumqttc: its events and errors in this edge's words.

use std::fmt::Write as _;

use bytes::Bytes;
use rumqttc::AsyncClient;
use rumqttc::ConnectReturnCode;
use rumqttc::ConnectionError;
use rumqttc::EventLoop;
use rumqttc::MqttOptions;
use rumqttc::Outgoing;
use rumqttc::Packet;
use rumqttc::Publish;
use rumqttc::QoS;
use rumqttc::StateError;
use rumqttc::SubscribeFilter;
use rumqttc::SubscribeReasonCode;
use smol_str::SmolStr;

use super::client::ConnectOptions;
use super::client::Delivery;
use super::client::Event;
use super::client::Failure;
use super::client::OUTGOING_LIMIT;
use super::client::PACKET_LIMIT;
use super::client::REQUEST_LIMIT;
use super::client::chain;

/// One connection over MQTT 3.1.1.
pub(super) struct Connection {
    client: AsyncClient,
    event_loop: EventLoop,
}

impl Connection {
    pub(super) fn open(from: ConnectOptions) -> Self {
        let mut options = MqttOptions::new(from.client_id, from.host, from.port);
        options
            .set_transport(from.transport)
            .set_keep_alive(from.keep_alive)
            .set_clean_session(from.session.is_none())
            .set_manual_acks(from.session.is_some())
            .set_inflight(OUTGOING_LIMIT)
            .set_max_packet_size(PACKET_LIMIT as usize, PACKET_LIMIT as usize);
        if let Some((username, password)) = from.login {
            options.set_credentials(username, password);
        }
        let (client, mut event_loop) = AsyncClient::new(options, REQUEST_LIMIT);
        event_loop
            .network_options
            .set_connection_timeout(from.connect.as_secs().max(1));
        Self { client, event_loop }
    }

    pub(super) fn client(&self) -> AsyncClient {
        self.client.clone()
    }

    pub(super) async fn poll(&mut self) -> Result<Event, Failure> {
        match self.event_loop.poll().await {
            Ok(rumqttc::Event::Incoming(packet)) => Ok(incoming(packet)),
            Ok(rumqttc::Event::Outgoing(what)) => Ok(match what {
                Outgoing::Publish(pkid) => Event::Sending(pkid),
                Outgoing::AwaitAck(_) => Event::Collision,
                Outgoing::Disconnect => Event::Disconnected,
                _ => Event::Other,
            }),
            Err(ConnectionError::MqttState(StateError::ConnectionAborted)) => Err(Failure::Closed),
            Err(error) => Err(Failure::Lost(explain(&error))),
        }
    }

    pub(super) fn leftovers(&mut self) -> Vec<Delivery> {
        self.event_loop
            .state
            .events
            .drain(..)
            .filter_map(|event| match event {
                rumqttc::Event::Incoming(Packet::Publish(publish))
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
    let mut publish = Publish::new("", level(qos), Vec::new());
    publish.pkid = pkid;
    client.try_ack(&publish).is_ok()
}

pub(super) fn try_subscribe(client: &AsyncClient, filters: &[SmolStr]) -> bool {
    let filters = filters
        .iter()
        .map(|filter| SubscribeFilter::new(filter.to_string(), QoS::AtLeastOnce));
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
                    SubscribeReasonCode::Failure => Some("refused by the broker".into()),
                })
                .collect(),
        ),
        Packet::PubAck(puback) => Event::Published {
            pkid: puback.pkid,
            refused: None,
        },
        _ => Event::Other,
    }
}

fn delivery(publish: Publish) -> Delivery {
    Delivery {
        topic: publish.topic.into(),
        payload: publish.payload,
        qos: publish.qos as u8,
        dup: publish.dup,
        retained: publish.retain,
        pkid: publish.pkid,
        content_type: None,
    }
}

const fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => {
            let why = match code {
                ConnectReturnCode::BadUserNamePassword => {
                    "wrong user name or password (username and password_file of this broker's settings)"
                }
                ConnectReturnCode::NotAuthorized => {
                    "not authorised (wrong user name or password: see username and password_file of this broker's settings; or the broker's rules forbid this client)"
                }
                ConnectReturnCode::BadClientId => "the broker does not accept the client id",
                ConnectReturnCode::ServiceUnavailable => "the broker is not available",
                _ => "the broker does not speak MQTT 3.1.1",
            };
            format!("the broker refused the connection: {why}")
        }
        ConnectionError::NetworkTimeout => "no answer from the broker in time".into(),
        ConnectionError::FlushTimeout => "the broker reads nothing any more".into(),
        ConnectionError::MqttState(StateError::Unsolicited(pkid)) => {
            let mut text = chain(error);
            let _written = write!(
                text,
                " (packet id {pkid}: another program seems to have used this client id)"
            );
            text
        }
        other => chain(other),
    }
}
