//! The packets that a publishing device needs, in MQTT 3.1.1 and 5: made here, and the server's answers understood.
//!
//! A PUBLISH is written by hand, because a load of 150,000 a second is made of nothing else; all other packets go through the
//! codec. Keeps no state but the codec's own; reconnecting and resending belong to [`super::line`].

use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use rmqtt_codec::MqttCodec;
use rmqtt_codec::MqttPacket;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3;
use rmqtt_codec::v5;
use smol_str::SmolStr;
use tokio_util::codec::Decoder as _;
use tokio_util::codec::Encoder as _;

use crate::intake::settings::MqttVersion;

/// The largest packet that a server may send us: answers are a few bytes, a CONNACK or DISCONNECT with a reason some hundred.
const ANSWER_LIMIT: u32 = 64 * 1024;

/// What is published when a connection is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Topic.
    pub topic: SmolStr,
    /// Payload.
    pub payload: Bytes,
}

/// Who connects.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) client_id: String,
    pub(super) login: Option<(String, String)>,
    pub(super) keep_alive_s: u16,
    pub(super) will: Option<Will>,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// We are in; at most so many publishes may be unacknowledged.
    Up(u16),
    /// It took a publish, or refused it with this reason.
    Ack(u16, Option<String>),
    /// It does not want us, or no longer.
    Gone(String),
    /// Nothing that matters here.
    Other,
}

/// What a publish says of itself besides topic and payload. Its quality of service is 1, as the native convention asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) retain: bool,
    /// Sent before, on a connection that was lost.
    pub(super) dup: bool,
}

/// Both directions of one connection.
pub(super) struct Wire {
    codec: MqttCodec,
    version: MqttVersion,
}

impl Wire {
    pub(super) fn new(version: MqttVersion) -> Self {
        let codec = match version {
            MqttVersion::V311 => MqttCodec::V3(v3::Codec::new(ANSWER_LIMIT)),
            MqttVersion::V5 => MqttCodec::V5(v5::Codec::new(ANSWER_LIMIT, 0)),
        };
        Self { codec, version }
    }

    /// A CONNECT with a fresh session.
    pub(super) fn connect(&mut self, hello: &Hello, out: &mut BytesMut) -> Result<(), String> {
        let (username, password) = hello.login.clone().unzip();
        let packet = match self.version {
            MqttVersion::V311 => MqttPacket::V3(
                v3::Connect {
                    clean_session: true,
                    keep_alive: hello.keep_alive_s,
                    last_will: hello.will.as_ref().map(|will| v3::LastWill {
                        qos: QoS::AtLeastOnce,
                        retain: true,
                        topic: will.topic.as_str().to_owned().into(),
                        message: will.payload.clone(),
                    }),
                    client_id: hello.client_id.clone().into(),
                    username: username.map(Into::into),
                    password: password.map(Into::into),
                    ..v3::Connect::default()
                }
                .into(),
            ),
            MqttVersion::V5 => MqttPacket::V5(
                v5::Connect {
                    clean_start: true,
                    keep_alive: hello.keep_alive_s,
                    last_will: hello.will.as_ref().map(|will| v5::LastWill {
                        qos: QoS::AtLeastOnce,
                        retain: true,
                        topic: will.topic.as_str().to_owned().into(),
                        message: will.payload.clone(),
                        will_delay_interval_sec: None,
                        correlation_data: None,
                        message_expiry_interval: None,
                        content_type: None,
                        user_properties: Vec::new(),
                        is_utf8_payload: None,
                        response_topic: None,
                    }),
                    client_id: hello.client_id.clone().into(),
                    username: username.map(Into::into),
                    password: password.map(Into::into),
                    ..v5::Connect::default()
                }
                .into(),
            ),
        };
        self.encode(packet, out)
    }

    pub(super) fn ping(&mut self, out: &mut BytesMut) -> Result<(), String> {
        let packet = match self.version {
            MqttVersion::V311 => MqttPacket::V3(v3::Packet::PingRequest),
            MqttVersion::V5 => MqttPacket::V5(v5::Packet::PingRequest),
        };
        self.encode(packet, out)
    }

    /// A normal goodbye, after which no will is published.
    pub(super) fn goodbye(&mut self, out: &mut BytesMut) -> Result<(), String> {
        let packet = match self.version {
            MqttVersion::V311 => MqttPacket::V3(v3::Packet::Disconnect),
            MqttVersion::V5 => MqttPacket::V5(
                v5::Disconnect::new(v5::DisconnectReasonCode::NormalDisconnection).into(),
            ),
        };
        self.encode(packet, out)
    }

    fn encode(&mut self, packet: MqttPacket, out: &mut BytesMut) -> Result<(), String> {
        self.codec
            .encode(packet, out)
            .map_err(|error| format!("a packet cannot be written: {error}"))
    }

    /// The next answer in what was read; `None` when it is not all there yet.
    pub(super) fn answer(&mut self, read: &mut BytesMut) -> Result<Option<Answer>, String> {
        let packet = self
            .codec
            .decode(read)
            .map_err(|error| format!("the server sends what is no MQTT: {error}"))?;
        Ok(packet.map(|(packet, _)| match packet {
            MqttPacket::V3(packet) => answer_v3(&packet),
            MqttPacket::V5(packet) => answer_v5(packet),
            MqttPacket::Version(_) => Answer::Other,
        }))
    }
}

fn answer_v3(packet: &v3::Packet) -> Answer {
    match packet {
        v3::Packet::ConnectAck(ack) => match ack.return_code {
            v3::ConnectAckReason::ConnectionAccepted => Answer::Up(u16::MAX),
            refused => Answer::Gone(refused.reason().into()),
        },
        v3::Packet::PublishAck { packet_id } => Answer::Ack(packet_id.get(), None),
        _ => Answer::Other,
    }
}

fn answer_v5(packet: v5::Packet) -> Answer {
    match packet {
        v5::Packet::ConnectAck(ack) => match ack.reason_code {
            v5::ConnectAckReason::Success => Answer::Up(ack.receive_max.get()),
            refused => Answer::Gone(format!("it refused the connection: {}", refused.reason())),
        },
        v5::Packet::PublishAck(ack) => {
            // A broker without a subscriber has taken it all the same.
            let refused = match ack.reason_code {
                v5::PublishAckReason::Success | v5::PublishAckReason::NoMatchingSubscribers => None,
                reason => Some(format!("{reason:?}")),
            };
            Answer::Ack(ack.packet_id.get(), refused)
        }
        v5::Packet::Disconnect(goodbye) => Answer::Gone(format!(
            "it closed the connection: {:?}",
            goodbye.reason_code
        )),
        _ => Answer::Other,
    }
}

/// Appends a PUBLISH.
pub(super) fn publish(
    version: MqttVersion,
    (topic, payload): (&str, &[u8]),
    flags: Flags,
    id: u16,
    out: &mut BytesMut,
) {
    let properties = usize::from(version == MqttVersion::V5);
    let length = 2 + topic.len() + 2 + properties + payload.len();
    out.reserve(5 + length);
    out.put_u8(0x32 | (u8::from(flags.dup) << 3) | u8::from(flags.retain));
    put_length(length, out);
    // A topic of ours is some dozen bytes; the cast cannot cut.
    out.put_u16(u16::try_from(topic.len()).unwrap_or(u16::MAX));
    out.put_slice(topic.as_bytes());
    out.put_u16(id);
    if properties > 0 {
        out.put_u8(0);
    }
    out.put_slice(payload);
}

/// MQTT's variable length: seven bits a byte, the lowest first.
fn put_length(mut length: usize, out: &mut BytesMut) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(version: MqttVersion, flags: Flags, payload: &[u8]) -> MqttPacket {
        let mut out = BytesMut::new();
        publish(
            version,
            ("appl/v1/m/S-1/tele", payload),
            flags,
            517,
            &mut out,
        );
        let mut wire = Wire::new(version);
        let whole = wire.codec.decode(&mut out).expect("a packet");
        assert!(out.is_empty(), "bytes are left over");
        whole.expect("whole").0
    }

    #[test]
    fn a_publish_written_by_hand_is_what_the_codec_reads() {
        // Around each length at which the header grows by a byte.
        for size in [0, 1, 100, 127, 128, 16_300, 16_384, 20_000] {
            let payload = vec![b'x'; size];
            for (retain, dup) in [(false, false), (true, true), (true, false), (false, true)] {
                let flags = Flags { retain, dup };
                for version in [MqttVersion::V311, MqttVersion::V5] {
                    let read = match read_back(version, flags, &payload) {
                        MqttPacket::V3(v3::Packet::Publish(read))
                        | MqttPacket::V5(v5::Packet::Publish(read)) => read,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!((read.dup, read.retain, read.qos.value()), (dup, retain, 1));
                    assert_eq!(read.packet_id.map(std::num::NonZero::get), Some(517));
                    assert_eq!(&*read.topic, "appl/v1/m/S-1/tele");
                    assert_eq!(read.payload, payload);
                }
            }
        }
    }

    #[test]
    fn a_connect_carries_login_and_will() {
        let hello = Hello {
            client_id: "S-1".into(),
            login: Some(("dock".into(), "secret".into())),
            keep_alive_s: 60,
            will: Some(Will {
                topic: "appl/v1/m/S-1/state".into(),
                payload: Bytes::from_static(b"{\"online\":false}"),
            }),
        };
        for version in [MqttVersion::V311, MqttVersion::V5] {
            let (mut out, mut wire) = (BytesMut::new(), Wire::new(version));
            wire.connect(&hello, &mut out).expect("written");
            let text = String::from_utf8_lossy(&out).into_owned();
            for part in [
                "S-1",
                "dock",
                "secret",
                "appl/v1/m/S-1/state",
                "\"online\":false",
            ] {
                assert!(text.contains(part), "{part} is missing in {text:?}");
            }
        }
    }

    #[test]
    fn refusals_are_told_and_halves_wait_for_the_rest() {
        let mut wire = Wire::new(MqttVersion::V5);
        let mut read = BytesMut::from(&[0x40_u8, 0x03, 0x02][..]);
        assert_eq!(wire.answer(&mut read), Ok(None));
        read.extend_from_slice(&[0x05, 0x87]);
        assert_eq!(
            wire.answer(&mut read),
            Ok(Some(Answer::Ack(517, Some("NotAuthorized".into()))))
        );
        let mut wire = Wire::new(MqttVersion::V311);
        let mut read = BytesMut::from(&[0x20_u8, 0x02, 0x00, 0x05][..]);
        let answer = wire.answer(&mut read).expect("MQTT");
        assert!(
            matches!(&answer, Some(Answer::Gone(why)) if why.contains("not authorized")),
            "{answer:?}"
        );
    }
}
