//! A witness between Foremend and its broker: it hands on every byte, and notes which messages Foremend acknowledged.
//!
//! A broker that is killed forgets; so only who stands between the two can tell afterwards what Foremend said it had. What the
//! witness noted had left Foremend's process, also when that was killed at the same moment.

use std::collections::BTreeMap;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use crate::bell::Bell;

/// Topic and payload.
pub(crate) type Message = (String, Vec<u8>);

/// First byte of PUBACK and PUBREC.
const ACKNOWLEDGEMENTS: [u8; 2] = [0x40, 0x50];
/// Reason codes from here on say that a message was not taken.
const REFUSALS: u8 = 0x80;
/// Topics of Foremend's own: its fence, which is no message of a device and is not journalled.
const OWN: &str = "foremend/";

/// What was seen so far.
#[derive(Default)]
struct Seen {
    acknowledged: Mutex<Vec<Message>>,
    ended: AtomicBool,
}

/// A door of its own that leads to a broker; it closes when this is dropped.
pub(crate) struct Witness {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Witness {
    /// Opens the door to the broker at this port.
    pub(crate) fn before(broker: u16, bell: &Bell) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let (noted, bell) = (Arc::clone(&seen), bell.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if noted.ended.load(Ordering::Relaxed) {
                    break;
                }
                // A broker that is down is a connection that ends at once.
                if let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)) {
                    drop(stand_between(stream, broker, &noted, &bell));
                }
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Every message that Foremend acknowledged so far, in order.
    pub(crate) fn acknowledged(&self) -> Vec<Message> {
        self.seen
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.seen.ended.store(true, Ordering::Relaxed);
        // So that it looks.
        drop(TcpStream::connect(self.address));
    }
}

/// What one connection has under way.
#[derive(Default)]
struct Connection {
    version_5: AtomicBool,
    /// Delivered and not yet acknowledged, by packet id.
    delivered: Mutex<BTreeMap<u16, Message>>,
}

fn stand_between(
    client: TcpStream,
    broker: TcpStream,
    seen: &Arc<Seen>,
    bell: &Bell,
) -> io::Result<()> {
    let (to_client, to_broker) = (client.try_clone()?, broker.try_clone()?);
    let connection = Arc::new(Connection::default());
    let (delivering, seen) = (Arc::clone(&connection), Arc::clone(seen));
    let bell = bell.clone();
    thread::spawn(move || {
        hand_on(broker, to_client, |kind, body| {
            delivering.deliver(kind, body);
        });
    });
    thread::spawn(move || {
        hand_on(client, to_broker, |kind, body| {
            if let Some(message) = connection.answer(kind, body) {
                bell.ring();
                seen.acknowledged
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(message);
            }
        });
    });
    Ok(())
}

/// Hands on every byte, and shows each packet before its last byte goes.
fn hand_on(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(u8, &[u8])) {
    let mut packets = Vec::new();
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        packets.extend(&bytes[..count]);
        while let Some((head, whole)) = frame(&packets) {
            look(packets[0], &packets[head..whole]);
            packets.drain(..whole);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // Both ways end together.
    for stream in [&from, &to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}

/// Where the body of the first packet begins and ends, once it is whole.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (head, length) = varint(bytes, 1)?;
    (bytes.len() >= head + length).then_some((head, head + length))
}

/// A length of MQTT at this place: where it ends, and what it says.
fn varint(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for (n, byte) in bytes.get(at..)?.iter().take(4).enumerate() {
        value |= usize::from(byte & 127) << (7 * n);
        if byte & 128 == 0 {
            return Some((at + n + 1, value));
        }
    }
    None
}

impl Connection {
    /// A packet of the broker.
    fn deliver(&self, kind: u8, body: &[u8]) {
        if kind & 0xF0 != 0x30 || kind & 0x06 == 0 {
            return;
        }
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic");
        let rest = &body[2 + length..];
        let id = u16::from_be_bytes([rest[0], rest[1]]);
        let payload = if self.version_5.load(Ordering::Relaxed) {
            let (end, properties) = varint(rest, 2).expect("properties");
            &rest[end + properties..]
        } else {
            &rest[2..]
        };
        assert!(!topic.is_empty(), "Foremend allows no topic aliases");
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, (topic, payload.to_vec()));
    }

    /// A packet of Foremend; gives the message that it acknowledges.
    fn answer(&self, kind: u8, body: &[u8]) -> Option<Message> {
        if kind == 0x10 {
            // CONNECT: the name of the protocol, then its version.
            self.version_5
                .store(body.get(6) == Some(&5), Ordering::Relaxed);
        }
        if !ACKNOWLEDGEMENTS.contains(&kind)
            || body.get(2).is_some_and(|reason| *reason >= REFUSALS)
        {
            return None;
        }
        let id = u16::from_be_bytes([*body.first()?, *body.get(1)?]);
        let message = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
            .expect("only what was delivered is acknowledged, and once");
        (!message.0.starts_with(OWN)).then_some(message)
    }
}
