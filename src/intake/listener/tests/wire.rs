//! MQTT as bytes, written by hand so that it can also be written wrong, and a client of them.

use std::future::Future as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::ReadBuf;

/// Looks at a stream before a test gives up; each yields to every other task and thread.
const LOOKS: usize = 20_000_000;

/// How a client introduces itself.
#[derive(Clone)]
pub(super) struct Hello<'a> {
    pub(super) version: u8,
    pub(super) id: &'a str,
    pub(super) keep_alive: u16,
    pub(super) will: Option<(&'a str, &'a str)>,
    pub(super) will_delay: u32,
    pub(super) login: Option<(&'a str, &'a str)>,
}

impl<'a> Hello<'a> {
    pub(super) const fn new(version: u8, id: &'a str) -> Self {
        Self {
            version,
            id,
            keep_alive: 0,
            will: None,
            will_delay: 0,
            login: None,
        }
    }

    pub(super) fn packet(&self) -> Vec<u8> {
        let v5 = self.version == 5;
        let mut body = Vec::new();
        text(&mut body, if self.version == 3 { "MQIsdp" } else { "MQTT" });
        body.push(self.version);
        let mut flags = 0x02;
        if self.will.is_some() {
            flags |= 0x0C;
        }
        if self.login.is_some() {
            flags |= 0xC0;
        }
        body.push(flags);
        body.extend(self.keep_alive.to_be_bytes());
        if v5 {
            body.push(0);
        }
        text(&mut body, self.id);
        if let Some((topic, payload)) = self.will {
            if v5 && self.will_delay > 0 {
                body.extend([5, 0x18]);
                body.extend(self.will_delay.to_be_bytes());
            } else if v5 {
                body.push(0);
            }
            text(&mut body, topic);
            text(&mut body, payload);
        }
        if let Some((name, password)) = self.login {
            text(&mut body, name);
            text(&mut body, password);
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH.
pub(super) fn publish(version: u8, topic: &str, payload: &[u8], qos: u8, id: u16) -> Vec<u8> {
    publish_flags(version, topic, payload, qos << 1, id)
}

/// A PUBLISH with these flags.
pub(super) fn publish_flags(
    version: u8,
    topic: &str,
    payload: &[u8],
    flags: u8,
    id: u16,
) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if flags & 0b0110 != 0 {
        body.extend(id.to_be_bytes());
    }
    if version == 5 {
        body.push(0);
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

/// A packet of this first byte and body.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let byte = u8::try_from(length & 0x7F).unwrap();
        length >>= 7;
        if length == 0 {
            packet.push(byte);
            break;
        }
        packet.push(byte | 0x80);
    }
    packet.extend_from_slice(body);
    packet
}

pub(super) fn pubrel(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x62, 2, high, low]
}

pub(super) const PING: [u8; 2] = [0xC0, 0];
pub(super) const PONG: [u8; 2] = [0xD0, 0];
pub(super) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// `[0x40, 2, id]`, and so on.
pub(super) fn ack(kind: u8, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![kind, 2, high, low]
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

/// A client of raw bytes.
pub(super) struct Peer<S> {
    pub(super) stream: S,
    buffer: Vec<u8>,
    is_over: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            is_over: false,
        }
    }

    /// Sends; it is no error that the other side has closed.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
        self.stream.flush().await.ok();
    }

    /// Sends CONNECT and expects to be let in. Returns the CONNACK.
    pub(super) async fn enter(&mut self, hello: &Hello<'_>) -> Vec<u8> {
        self.send(&hello.packet()).await;
        let answer = self.packet().await.expect("a CONNACK");
        assert_eq!((answer[0], answer[3]), (0x20, 0), "let in: {answer:?}");
        assert_eq!(answer[2], 0, "never a session of before");
        answer
    }

    /// The next packet; `None` when the other side closed. Time stands still meanwhile where the test has it stand.
    pub(super) async fn packet(&mut self) -> Option<Vec<u8>> {
        for _ in 0..LOOKS {
            if let Some(packet) = self.whole() {
                return Some(packet);
            }
            if self.is_over {
                return None;
            }
            if !self.look().await {
                tokio::task::yield_now().await;
                std::thread::yield_now();
            }
        }
        panic!("waited in vain for a packet");
    }

    /// Expects exactly these packets.
    pub(super) async fn expect(&mut self, packets: &[Vec<u8>]) {
        for expected in packets {
            let got = self.packet().await;
            assert_eq!(got.as_ref(), Some(expected));
        }
    }

    /// What has arrived by now, when everyone has had many chances to speak.
    pub(super) async fn silence(&mut self) {
        for _ in 0..200 {
            self.look().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(self.whole(), None, "it should say nothing");
        assert!(!self.is_over, "it should be there");
    }

    fn whole(&mut self) -> Option<Vec<u8>> {
        let header = self.buffer.iter().skip(1).position(|b| b & 0x80 == 0)? + 2;
        let length = self.buffer[1..header]
            .iter()
            .rev()
            .fold(0_usize, |sum, byte| sum << 7 | usize::from(byte & 0x7F));
        let end = header + length;
        (self.buffer.len() >= end).then(|| self.buffer.drain(..end).collect())
    }

    /// Takes what is there, without waiting.
    async fn look(&mut self) -> bool {
        let stream = &mut self.stream;
        let mut space = [0; 4_096];
        let mut room = ReadBuf::new(&mut space);
        let ready =
            poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut room)))
                .await;
        match ready {
            Poll::Ready(Ok(())) if !room.filled().is_empty() => {
                self.buffer.extend_from_slice(room.filled());
                true
            }
            Poll::Ready(_) => {
                self.is_over = true;
                true
            }
            Poll::Pending => false,
        }
    }

    /// Waits for the end, in the time of the runtime.
    pub(super) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let mut reading = pin!(self.stream.read_to_end(&mut rest));
        poll_fn(|context| reading.as_mut().poll(context)).await.ok();
    }
}
