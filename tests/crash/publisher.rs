//! An MQTT 3.1.1 client that goes on through every crash of its server, and remembers what was acknowledged.
//!
//! As a device does: what is not acknowledged is said again on the next connection, in order, with the DUP flag; a QoS 2 message
//! whose PUBREC came is never said again, only released.

use std::collections::VecDeque;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use crate::bell::Bell;
use crate::place::pass;

/// How long the server may take to answer before the client tries on a new connection.
const ANSWER: Duration = Duration::from_secs(10);
/// Pause between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(20);
/// Attempts without any answer before the run is given up: some minutes.
const ATTEMPTS: u32 = 15_000;

/// Where the server is just now, as `host:port`; none while it is down.
pub(crate) type Server = Box<dyn Fn() -> Option<String> + Send>;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// A PUBACK or a PUBREC came back.
    pub(crate) acknowledged: bool,
}

/// A message on its way.
struct UnderWay {
    id: u16,
    /// Its place in `said`.
    place: usize,
    tried: bool,
    /// The PUBREC came.
    recorded: bool,
}

/// A client with one connection at a time.
pub(crate) struct Publisher {
    server: Server,
    client_id: String,
    will: Option<(String, String)>,
    stream: Option<TcpStream>,
    next_id: u16,
    under_way: VecDeque<UnderWay>,
    /// Rung at each acknowledgement.
    bell: Bell,
    /// Everything that it ever said, in order.
    pub(crate) said: Vec<Said>,
}

impl Publisher {
    pub(crate) fn new(client_id: &str, server: Server, bell: Bell) -> Self {
        Self {
            server,
            client_id: client_id.to_owned(),
            will: None,
            stream: None,
            next_id: 0,
            under_way: VecDeque::new(),
            bell,
            said: Vec::new(),
        }
    }

    /// What the server is to say when a connection breaks; it may be in the journal from then on.
    pub(crate) fn leave_a_will(&mut self, topic: &str, payload: &str) {
        self.will = Some((topic.to_owned(), payload.to_owned()));
        self.said.push(Said {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: 0,
            retain: false,
            acknowledged: false,
        });
    }

    /// Says these messages and waits until all that can be acknowledged are, through as many crashes as it takes.
    pub(crate) fn say(&mut self, messages: Vec<Said>) {
        for message in messages {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            self.under_way.push_back(UnderWay {
                id: self.next_id,
                place: self.said.len(),
                tried: false,
                recorded: false,
            });
            self.said.push(message);
        }
        let mut attempts = 0;
        while !self.under_way.is_empty() {
            let before = self.under_way.len();
            if let Err(error) = self.exchange() {
                self.stream = None;
                attempts = if self.under_way.len() < before {
                    0
                } else {
                    attempts + 1
                };
                assert!(
                    attempts < ATTEMPTS,
                    "{} is not served: {error}",
                    self.client_id
                );
                pass(AGAIN);
            }
        }
    }

    /// Breaks the connection without a goodbye.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    /// Sends what is under way and takes answers until nothing is.
    fn exchange(&mut self) -> io::Result<()> {
        let fresh = self.stream.is_none();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        for way in &mut self.under_way {
            if fresh || !way.tried {
                let packet = if way.recorded {
                    packet(0x62, &way.id.to_be_bytes())
                } else {
                    publish(&self.said[way.place], way.id, way.tried)
                };
                way.tried = true;
                stream.write_all(&packet)?;
            }
        }
        // Nothing comes back for these.
        let said = &self.said;
        self.under_way.retain(|way| said[way.place].qos > 0);
        while !self.under_way.is_empty() {
            let mut answer = [0; 4];
            stream.read_exact(&mut answer)?;
            if answer[0] != 0x70 {
                self.bell.ring();
            }
            let id = u16::from_be_bytes([answer[2], answer[3]]);
            match answer[0] {
                0x40 => self.settle(id, true),
                0x50 => {
                    if let Some(way) = self.under_way.iter_mut().find(|way| way.id == id) {
                        way.recorded = true;
                        self.said[way.place].acknowledged = true;
                    }
                    stream.write_all(&packet(0x62, &id.to_be_bytes()))?;
                }
                0x70 => self.settle(id, false),
                other => return Err(io::Error::other(format!("packet {other:#x}"))),
            }
        }
        self.stream = Some(stream);
        Ok(())
    }

    fn settle(&mut self, id: u16, acknowledges: bool) {
        if let Some(at) = self.under_way.iter().position(|way| way.id == id) {
            let way = self.under_way.remove(at).expect("it was found");
            self.said[way.place].acknowledged |= acknowledges;
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let server = (self.server)().ok_or_else(|| io::Error::other("the door is closed"))?;
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let flags = if self.will.is_some() { 0x04 } else { 0 };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags, 0, 0];
        text(&mut body, self.client_id.as_bytes());
        if let Some((topic, payload)) = &self.will {
            text(&mut body, topic.as_bytes());
            text(&mut body, payload.as_bytes());
        }
        stream.write_all(&packet(0x10, &body))?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer[0] != 0x20 || answer[3] != 0 {
            return Err(io::Error::other(format!("refused: {answer:?}")));
        }
        Ok(stream)
    }
}

fn publish(said: &Said, id: u16, again: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(said.topic.len() + said.payload.len() + 4);
    text(&mut body, said.topic.as_bytes());
    let mut flags = said.qos << 1 | u8::from(said.retain);
    if said.qos > 0 {
        body.extend(id.to_be_bytes());
        flags |= u8::from(again) << 3;
    }
    body.extend(&said.payload);
    packet(0x30 | flags, &body)
}

fn text(body: &mut Vec<u8>, text: &[u8]) {
    body.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
    body.extend(text);
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![kind];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left & 127).expect("seven bits");
        left >>= 7;
        whole.push(if left > 0 { low | 128 } else { low });
        if left == 0 {
            break;
        }
    }
    whole.extend(body);
    whole
}
