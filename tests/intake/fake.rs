//! A broker of a few lines that does exactly what a test tells it, byte by byte.

use foremend::intake::MqttVersion;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::bench::PATIENCE;

/// A listener. Fences are answered by themselves; every other client is handed to the test.
pub(crate) struct Fake {
    port: u16,
    version: MqttVersion,
    clients: mpsc::Receiver<Peer>,
}

/// One connected client, its CONNECT read and not yet answered.
pub(crate) struct Peer {
    stream: TcpStream,
    version: MqttVersion,
    /// Body of the CONNECT packet.
    pub(crate) connect: Vec<u8>,
}

/// A packet from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Upper half of the first byte.
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PINGREQ: u8 = 12;
pub(crate) const DISCONNECT: u8 = 14;

impl Fake {
    pub(crate) async fn start(version: MqttVersion) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (hand_over, clients) = mpsc::channel(1_000);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hand_over = hand_over.clone();
                tokio::spawn(async move {
                    let mut peer = Peer {
                        stream,
                        version,
                        connect: Vec::new(),
                    };
                    let Some(connect) = peer.try_read().await else {
                        return;
                    };
                    peer.connect = connect.body;
                    if peer.client_id().ends_with("-fence") {
                        peer.serve_fence().await;
                    } else {
                        hand_over.send(peer).await.ok();
                    }
                });
            }
        });
        Self {
            port,
            version,
            clients,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    pub(crate) fn version(&self) -> MqttVersion {
        self.version
    }

    /// The next client.
    pub(crate) async fn client(&mut self) -> Peer {
        timeout(PATIENCE, self.clients.recv())
            .await
            .expect("a client to connect")
            .expect("the listener")
    }

    /// The next client, taken, with its subscription granted.
    pub(crate) async fn subscribed(&mut self, session_present: bool) -> Peer {
        let mut peer = self.client().await;
        peer.accept(session_present).await;
        peer.grant().await;
        peer
    }

    /// How many clients wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.clients.len()
    }
}

impl Peer {
    pub(crate) fn client_id(&self) -> String {
        let at = match self.version {
            MqttVersion::V311 => 10,
            MqttVersion::V5 => 11 + usize::from(self.connect[10]),
        };
        let length = usize::from(u16::from_be_bytes([self.connect[at], self.connect[at + 1]]));
        String::from_utf8(self.connect[at + 2..at + 2 + length].to_vec()).unwrap()
    }

    /// The properties of the CONNECT (MQTT 5).
    pub(crate) fn connect_properties(&self) -> &[u8] {
        &self.connect[11..11 + usize::from(self.connect[10])]
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The client may have gone; what the test then expects from it fails with a better text.
        self.stream.write_all(bytes).await.ok();
    }

    /// CONNACK.
    pub(crate) async fn accept(&mut self, session_present: bool) {
        self.answer(session_present, 0, &[]).await;
    }

    /// CONNACK with a code and properties.
    pub(crate) async fn answer(&mut self, session_present: bool, code: u8, properties: &[u8]) {
        let mut body = vec![u8::from(session_present), code];
        if self.version == MqttVersion::V5 {
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend(properties);
        }
        self.send(&packet(0x20, &body)).await;
    }

    /// Reads a SUBSCRIBE and grants all of it.
    pub(crate) async fn grant(&mut self) {
        self.answer_subscribe(1).await;
    }

    /// Reads a SUBSCRIBE and answers each filter with this code.
    pub(crate) async fn answer_subscribe(&mut self, code: u8) {
        let subscribe = self.read(SUBSCRIBE).await;
        let mut body = subscribe.body[..2].to_vec();
        let mut at = 2;
        if self.version == MqttVersion::V5 {
            body.push(0);
            at += 1 + usize::from(subscribe.body[2]);
        }
        while at < subscribe.body.len() {
            let length = u16::from_be_bytes([subscribe.body[at], subscribe.body[at + 1]]);
            at += 2 + usize::from(length) + 1;
            body.push(code);
        }
        self.send(&packet(0x90, &body)).await;
    }

    /// The bytes of a PUBLISH.
    pub(crate) fn publish(&self, topic: &str, qos: u8, pkid: u16, payload: &str) -> Vec<u8> {
        let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend(topic.as_bytes());
        if qos > 0 {
            body.extend(pkid.to_be_bytes());
        }
        if self.version == MqttVersion::V5 {
            body.push(0);
        }
        body.extend(payload.as_bytes());
        packet(0x30 | (qos << 1), &body)
    }

    /// The next packet of this kind; pings before it are answered, anything else fails the test.
    pub(crate) async fn read(&mut self, kind: u8) -> Packet {
        loop {
            let packet = timeout(PATIENCE, self.try_read())
                .await
                .expect("a packet in time")
                .expect("the client to stay");
            if packet.kind == kind {
                return packet;
            }
            assert_eq!(packet.kind, PINGREQ, "an unexpected packet: {packet:?}");
            self.send(&[0xD0, 0]).await;
        }
    }

    /// The packet id of the next PUBACK.
    pub(crate) async fn acked(&mut self) -> u16 {
        let puback = self.read(PUBACK).await;
        u16::from_be_bytes([puback.body[0], puback.body[1]])
    }

    /// The next packet, or nothing at the end of the connection.
    pub(crate) async fn try_read(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Packet {
            kind: first >> 4,
            body,
        })
    }

    /// Takes a fence and says thank you; it never comes back.
    async fn serve_fence(mut self) {
        self.accept(false).await;
        while let Some(packet) = self.try_read().await {
            if packet.kind == 3 {
                let topic = usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
                let id = packet.body[2 + topic..4 + topic].to_vec();
                self.send(&[&[0x40, 2][..], &id].concat()).await;
            }
        }
    }
}

/// A packet with its fixed header.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let byte = u8::try_from(length % 128).unwrap();
        length /= 128;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}
