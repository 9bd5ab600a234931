//! The packets of a client: cut out of the bytes that arrived, decoded by the codec, and checked where it does not check.
//!
//! Leaves what they mean to the connection. Invariants: the codec only ever sees a whole packet, so it never reserves what a
//! stranger announced; nothing that leaves here points into the read buffer, so that buffer is free as soon as it was parsed.
//! The codec is known to this file alone.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Buf as _;
use bytes::Bytes;
use bytes::BytesMut;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::v3;
use rmqtt_codec::v5;
use smol_str::SmolStr;
use tokio_util::codec::Decoder as _;

/// Which MQTT a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// MQTT 3.1.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

impl Version {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

/// What a client may send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// PUBLISH
    Publish(Publish),
    /// PUBREL
    Release(NonZeroU16),
    /// SUBSCRIBE: the quality of service asked for, per filter.
    Subscribe(NonZeroU16, Vec<u8>),
    /// UNSUBSCRIBE: how many filters.
    Unsubscribe(NonZeroU16, usize),
    /// PINGREQ
    Ping,
    /// DISCONNECT; with MQTT 5 a client can ask for its will all the same.
    Disconnect {
        /// Reason 0x04.
        with_will: bool,
    },
    /// PUBACK, PUBREC or PUBCOMP of something that we never sent: without meaning and without harm.
    Stray,
}

/// A PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: SmolStr,
    pub(super) payload: Bytes,
    pub(super) qos: u8,
    pub(super) dup: bool,
    /// 0 with QoS 0.
    pub(super) id: u16,
    pub(super) content_type: Option<SmolStr>,
}

/// A CONNECT.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) version: Version,
    pub(super) client_id: SmolStr,
    pub(super) username: Option<SmolStr>,
    pub(super) password: Option<Bytes>,
    /// In seconds; 0: never.
    pub(super) keep_alive: u16,
    pub(super) will: Option<Box<Will>>,
    /// It asks for an authentication method, of which we have none.
    pub(super) has_method: bool,
    /// Reason texts may be sent to it.
    pub(super) wants_reasons: bool,
}

/// What is to be published when the client goes without a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Will {
    pub(super) topic: SmolStr,
    pub(super) payload: Bytes,
    pub(super) qos: u8,
    pub(super) content_type: Option<SmolStr>,
    /// How long after it went (MQTT 5).
    pub(super) delay: Duration,
}

/// A packet that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PacketError {
    /// Over the limit.
    #[error("a packet of {bytes} bytes; at most {limit} are taken")]
    TooLarge { bytes: usize, limit: usize },
    /// Bytes that are no packet.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// A packet that may not come now, or not from a client.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A topic that nothing may be published to.
    #[error("topic: {0}")]
    Topic(&'static str),
    /// The connection does not begin with a CONNECT.
    #[error("not MQTT: the first packet is no CONNECT")]
    NotMqtt,
    /// A version that we do not speak.
    #[error("an MQTT version that is not spoken here; 3.1, 3.1.1 and 5 are")]
    Version,
    /// The client id cannot be used.
    #[error(
        "client id: at most {CLIENT_ID_LIMIT} bytes without NUL, and with MQTT 3 an empty one needs a clean session"
    )]
    ClientId,
}

impl PacketError {
    /// The MQTT 5 reason code.
    pub(super) const fn reason(self) -> u8 {
        match self {
            Self::TooLarge { .. } => 0x95,
            Self::Malformed(_) => 0x81,
            Self::Protocol(_) | Self::NotMqtt => 0x82,
            Self::Topic(_) => 0x90,
            Self::Version => 0x84,
            Self::ClientId => 0x85,
        }
    }
}

/// Longest client id in bytes: far above what clients make up, far below MQTT's 65,535; it stands in logs and on pages.
pub(super) const CLIENT_ID_LIMIT: usize = 256;

const CONNECT: u8 = 1;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;
const PUBLISH: u8 = 3;

/// The length of the first packet in bytes with its header, once it is whole.
fn whole(buffer: &[u8], limit: usize) -> Result<Option<usize>, PacketError> {
    let mut length = 0_usize;
    // The length stands in at most four bytes of seven bits, the lowest first.
    for (index, byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let bytes = length + index + 2;
            if bytes > limit {
                return Err(PacketError::TooLarge { bytes, limit });
            }
            return Ok((buffer.len() >= bytes).then_some(bytes));
        }
    }
    if buffer.len() > 4 {
        return Err(PacketError::Malformed(
            "the length has more than four bytes",
        ));
    }
    Ok(None)
}

/// Takes the first packet out of the buffer once it is whole. The buffer keeps what follows.
pub(super) fn next_packet(
    buffer: &mut BytesMut,
    version: Version,
    limit: usize,
) -> Result<Option<Packet>, PacketError> {
    let Some(length) = whole(buffer, limit)? else {
        return Ok(None);
    };
    let first = buffer.first().copied().unwrap_or_default();
    let kind = first >> 4;
    if kind == CONNECT {
        return Err(PacketError::Protocol("a second CONNECT"));
    }
    if kind == PUBLISH && first & 0b1110 == 0b1000 {
        return Err(PacketError::Malformed("DUP with QoS 0"));
    }
    let is_short = kind == PINGREQ || (kind == DISCONNECT && version != Version::V5);
    if is_short && length != 2 {
        return Err(PacketError::Malformed("bytes after a packet that has none"));
    }
    let packet = if version == Version::V5 {
        v5::Codec::default()
            .decode(buffer)
            .map_err(|error| refused(&error))?
            .map(|(packet, _)| of_v5(packet))
    } else {
        v3::Codec::default()
            .decode(buffer)
            .map_err(|error| refused(&error))?
            .map(|(packet, _)| of_v3(packet))
    };
    packet.transpose()
}

/// The same for the packet that a connection begins with. An error comes with the version to answer in: MQTT 3.1.1 when
/// that is not known.
pub(super) fn next_connect(
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<Option<Connect>, (Version, PacketError)> {
    // Told at once, also when a stranger never completes its first packet.
    if buffer.first().is_some_and(|first| *first != CONNECT << 4) {
        return Err((Version::V311, PacketError::NotMqtt));
    }
    let level = level(buffer);
    let version = match level {
        Some(5) => Version::V5,
        Some(3) => Version::V31,
        _ => Version::V311,
    };
    if whole(buffer, limit)
        .map_err(|error| (version, error))?
        .is_none()
    {
        return Ok(None);
    }
    decode_connect(buffer, level, version)
        .map(Some)
        .map_err(|error| (version, error))
}

fn decode_connect(
    buffer: &mut BytesMut,
    level: Option<u8>,
    version: Version,
) -> Result<Connect, PacketError> {
    match level {
        Some(5) => match v5::Codec::default().decode(buffer) {
            Ok(Some((v5::Packet::Connect(connect), _))) => of_connect_v5(*connect),
            Ok(_) => Err(PacketError::NotMqtt),
            Err(error) => Err(refused(&error)),
        },
        Some(3 | 4) => match v3::Codec::default().decode(buffer) {
            Ok(Some((v3::Packet::Connect(connect), _))) => of_connect_v3(*connect, version),
            Ok(_) => Err(PacketError::NotMqtt),
            Err(error) => Err(refused(&error)),
        },
        Some(_) => Err(PacketError::Version),
        None => Err(PacketError::NotMqtt),
    }
}

/// The protocol level of a CONNECT; `None` when it does not name MQTT.
fn level(mut packet: &[u8]) -> Option<u8> {
    let header = packet.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 2;
    packet = packet.get(header..)?;
    if packet.remaining() < 2 {
        return None;
    }
    let name = usize::from(packet.get_u16());
    let is_mqtt = matches!(packet.get(..name)?, b"MQTT" | b"MQIsdp");
    is_mqtt.then(|| packet.get(name).copied()).flatten()
}

fn of_v3(packet: v3::Packet) -> Result<Packet, PacketError> {
    use v3::Packet as P;
    match packet {
        P::Publish(publish) => Ok(Packet::Publish(Publish {
            topic: checked_topic(&publish.topic)?,
            payload: Bytes::copy_from_slice(&publish.payload),
            qos: publish.qos.value(),
            dup: publish.dup,
            id: publish.packet_id.map_or(0, NonZeroU16::get),
            content_type: None,
        })),
        P::PublishRelease { packet_id } => Ok(Packet::Release(packet_id)),
        P::Subscribe {
            packet_id,
            topic_filters,
        } => Ok(Packet::Subscribe(
            packet_id,
            topic_filters.iter().map(|(_, qos)| qos.value()).collect(),
        )),
        P::Unsubscribe {
            packet_id,
            topic_filters,
        } => Ok(Packet::Unsubscribe(packet_id, topic_filters.len())),
        P::PingRequest => Ok(Packet::Ping),
        P::Disconnect => Ok(Packet::Disconnect { with_will: false }),
        P::PublishAck { .. } | P::PublishReceived { .. } | P::PublishComplete { .. } => {
            Ok(Packet::Stray)
        }
        P::Connect(_) => Err(PacketError::Protocol("a second CONNECT")),
        P::ConnectAck(_) | P::SubscribeAck { .. } | P::UnsubscribeAck { .. } | P::PingResponse => {
            Err(PacketError::Protocol("a packet that only a server sends"))
        }
    }
}

fn of_v5(packet: v5::Packet) -> Result<Packet, PacketError> {
    use v5::Packet as P;
    match packet {
        P::Publish(publish) => {
            let properties = publish.properties.unwrap_or_default();
            if properties.topic_alias.is_some() {
                return Err(PacketError::Protocol(
                    "a topic alias, of which none was offered",
                ));
            }
            if !properties.subscription_ids.is_empty() {
                return Err(PacketError::Protocol(
                    "a subscription identifier, which only a server sends",
                ));
            }
            Ok(Packet::Publish(Publish {
                topic: checked_topic(&publish.topic)?,
                payload: Bytes::copy_from_slice(&publish.payload),
                qos: publish.qos.value(),
                dup: publish.dup,
                id: publish.packet_id.map_or(0, NonZeroU16::get),
                content_type: properties.content_type.map(|text| SmolStr::new(&*text)),
            }))
        }
        P::PublishRelease(release) => Ok(Packet::Release(release.packet_id)),
        P::Subscribe(subscribe) => Ok(Packet::Subscribe(
            subscribe.packet_id,
            subscribe
                .topic_filters
                .iter()
                .map(|(_, options)| options.qos.value())
                .collect(),
        )),
        P::Unsubscribe(unsubscribe) => Ok(Packet::Unsubscribe(
            unsubscribe.packet_id,
            unsubscribe.topic_filters.len(),
        )),
        P::PingRequest => Ok(Packet::Ping),
        P::Disconnect(disconnect) => Ok(Packet::Disconnect {
            with_will: disconnect.reason_code
                == v5::DisconnectReasonCode::DisconnectWithWillMessage,
        }),
        P::PublishAck(_) | P::PublishReceived(_) | P::PublishComplete(_) => Ok(Packet::Stray),
        P::Connect(_) => Err(PacketError::Protocol("a second CONNECT")),
        P::Auth(_) => Err(PacketError::Protocol(
            "AUTH, although no method was agreed upon",
        )),
        P::ConnectAck(_) | P::SubscribeAck(_) | P::UnsubscribeAck(_) | P::PingResponse => {
            Err(PacketError::Protocol("a packet that only a server sends"))
        }
    }
}

fn of_connect_v3(connect: v3::Connect, version: Version) -> Result<Connect, PacketError> {
    let will = connect.last_will.map(|will| {
        Ok(Box::new(Will {
            topic: checked_topic(&will.topic)?,
            payload: Bytes::copy_from_slice(&will.message),
            qos: will.qos.value(),
            content_type: None,
            delay: Duration::ZERO,
        }))
    });
    Ok(Connect {
        version,
        client_id: checked_id(&connect.client_id)?,
        username: connect.username.map(|name| SmolStr::new(&*name)),
        password: connect.password.map(|bytes| Bytes::copy_from_slice(&bytes)),
        keep_alive: connect.keep_alive,
        will: will.transpose()?,
        has_method: false,
        wants_reasons: false,
    })
}

/// Smallest largest packet of a client that gets reason texts; ours stay far below.
const REASONS_FIT: u32 = 256;

fn of_connect_v5(connect: v5::Connect) -> Result<Connect, PacketError> {
    let will = connect.last_will.map(|will| {
        Ok(Box::new(Will {
            topic: checked_topic(&will.topic)?,
            payload: Bytes::copy_from_slice(&will.message),
            qos: will.qos.value(),
            content_type: will.content_type.map(|text| SmolStr::new(&*text)),
            delay: Duration::from_secs(will.will_delay_interval_sec.unwrap_or(0).into()),
        }))
    });
    let fits = connect
        .max_packet_size
        .is_none_or(|bytes| bytes.get() >= REASONS_FIT);
    Ok(Connect {
        version: Version::V5,
        client_id: checked_id(&connect.client_id)?,
        username: connect.username.map(|name| SmolStr::new(&*name)),
        password: connect.password.map(|bytes| Bytes::copy_from_slice(&bytes)),
        keep_alive: connect.keep_alive,
        will: will.transpose()?,
        has_method: connect.auth_method.is_some(),
        wants_reasons: connect.request_problem_info && fits,
    })
}

fn checked_topic(topic: &str) -> Result<SmolStr, PacketError> {
    if topic.is_empty() {
        return Err(PacketError::Topic("it is empty"));
    }
    if topic.contains('\0') {
        return Err(PacketError::Topic("it contains NUL"));
    }
    if topic.contains(['+', '#']) {
        return Err(PacketError::Topic("it contains a wildcard"));
    }
    Ok(SmolStr::new(topic))
}

fn checked_id(id: &str) -> Result<SmolStr, PacketError> {
    if id.len() > CLIENT_ID_LIMIT || id.contains('\0') {
        return Err(PacketError::ClientId);
    }
    Ok(SmolStr::new(id))
}

fn refused(error: &DecodeError) -> PacketError {
    match error {
        DecodeError::InvalidProtocol | DecodeError::UnsupportedProtocolLevel => {
            PacketError::Version
        }
        DecodeError::InvalidClientId => PacketError::ClientId,
        DecodeError::InvalidTopicName => PacketError::Topic("it is empty"),
        DecodeError::InvalidTopicFilter => PacketError::Protocol("no topic filter"),
        DecodeError::InvalidLength => PacketError::Malformed("a length that does not fit"),
        DecodeError::ConnectReservedFlagSet | DecodeError::InvalidConnectFlags => {
            PacketError::Malformed("flags of CONNECT")
        }
        DecodeError::UnsupportedPacketType => {
            PacketError::Malformed("a packet type or its flags are not known")
        }
        DecodeError::Utf8Error => PacketError::Malformed("text that is not UTF-8"),
        DecodeError::PacketIdRequired => PacketError::Malformed("no packet id"),
        DecodeError::MaxSizeExceeded { .. }
        | DecodeError::MalformedPacket
        | DecodeError::ConnAckReservedFlagSet
        | DecodeError::Io(_) => PacketError::Malformed("it cannot be decoded"),
    }
}
