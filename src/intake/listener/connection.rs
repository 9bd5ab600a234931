//! One connection from its CONNACK to its end: reads, hands on to the journal, acknowledges what is durable.
//!
//! Leaves packets to `packet`, the account of what is under way to `inflight`, and the end's goodbye and will to `finish`.
//! Invariants: nothing is acknowledged before the journal says so; an acknowledgement that becomes due between two reads loses
//! no byte of a packet that is half here; the keep-alive runs only while we read, and only whole packets restart it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use smol_str::SmolStr;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::House;
use super::SOURCE;
use super::access::Grant;
use super::answer;
use super::buffer;
use super::clients::Client;
use super::clients::Order;
use super::door::Pass;
use super::finish::End;
use super::handshake::Admitted;
use super::inflight::Inflight;
use super::inflight::Owed;
use super::lane;
use super::packet::Packet;
use super::packet::Publish;
use super::packet::Version;
use super::packet::Will;
use super::packet::next_packet;
use super::settings::Subscribe;
use crate::intake::status::add;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// Room for answers that a quiet connection may keep, in bytes.
const OUT_KEPT: usize = 256;

/// A client that was let in.
pub(super) struct Connection<S> {
    pub(super) house: Arc<House>,
    pub(super) membership: Membership,
    pub(super) stream: S,
    pub(super) will: Option<Box<Will>>,
    pub(super) inflight: Inflight,
    /// Bytes that wait to be written.
    pub(super) out: Vec<u8>,
    pub(super) wants_reasons: bool,
    /// Counted until it ends.
    _pass: Pass,
    grant: Grant,
    version: Version,
    keep_alive: Duration,
    /// What arrived of a packet that is not whole yet; behind a pause also whole packets.
    partial: BytesMut,
    /// Parsing stopped for want of room.
    has_backlog: bool,
    /// The last batch handed to the journal; none is 0.
    batch: u64,
}

/// What one read brought.
#[derive(Default)]
struct Parsed {
    records: Vec<Record>,
    end: Option<End>,
    /// At least one whole packet.
    is_alive: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(admitted: Admitted, pass: Pass, stream: S) -> Self {
        let Admitted {
            house,
            membership,
            grant,
            connect,
            rest,
        } = admitted;
        // One and a half of what the client promised (MQTT 3.1.1, 3.1.2.10).
        let keep_alive = match connect.keep_alive {
            0 => house.limits.idle,
            seconds => Duration::from_millis(1_500 * u64::from(seconds)),
        };
        Self {
            stream,
            will: connect.will,
            inflight: Inflight::default(),
            out: Vec::new(),
            wants_reasons: connect.wants_reasons,
            _pass: pass,
            grant,
            version: connect.version,
            keep_alive,
            has_backlog: !rest.is_empty(),
            partial: rest,
            batch: 0,
            house,
            membership,
        }
    }

    /// Until the connection ends, and with it whatever its end brings about.
    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        Box::pin(self.finish(end)).await;
    }

    async fn serve(&mut self) -> End {
        let mut deadline = Instant::now() + self.keep_alive;
        let mut timer = pin!(sleep_until(deadline));
        let mut was_reading = true;
        loop {
            if let Some(end) = self.told() {
                return end;
            }
            self.settle();
            if let Err(end) = self.flush().await {
                return end;
            }
            let has_room = self.inflight.has_room(self.version, &self.house.limits);
            if has_room && self.has_backlog {
                let parsed = self.parse_partial();
                if let Some(end) = self.hand_on(parsed).await {
                    return end;
                }
                deadline = Instant::now() + self.keep_alive;
                continue;
            }
            if has_room && !was_reading {
                // While we did not read, the client could not be heard.
                deadline = Instant::now() + self.keep_alive;
            }
            was_reading = has_room;
            let client = &self.membership.client;
            let arrived = tokio::select! {
                biased;
                () = client.wake.notified() => continue,
                arrived = buffer::read(&mut self.stream), if has_room => arrived,
                () = &mut timer, if has_room => {
                    if Instant::now() >= deadline {
                        return End::KeepAlive;
                    }
                    timer.as_mut().reset(deadline);
                    continue;
                }
            };
            let Ok(bytes) = arrived else { return End::Lost };
            let is_end = bytes.is_empty();
            add(&self.house.status.bytes, bytes.len() as u64);
            let parsed = self.take_in(bytes);
            let is_alive = parsed.is_alive;
            if let Some(end) = self.hand_on(parsed).await {
                return end;
            }
            if is_end {
                return End::Lost;
            }
            if is_alive {
                deadline = Instant::now() + self.keep_alive;
            }
        }
    }

    /// Why the connection has to end, if others say so.
    fn told(&self) -> Option<End> {
        match self.membership.client.ordered() {
            Order::MakeWay => Some(End::TakenOver),
            Order::Stop => Some(End::Stopping),
            Order::Stay => self.membership.client.has_failed().then_some(End::Journal),
        }
    }

    /// Acknowledges what has become durable, all of it in one write.
    pub(super) fn settle(&mut self) {
        let durable = self.membership.client.durable();
        let acked = self.inflight.settle(durable, &mut self.out);
        add(&self.house.status.source().acked, acked);
    }

    /// Writes what waits to be written.
    async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let client = &self.membership.client;
        let deadline = Instant::now() + self.house.limits.write;
        {
            let stream = &mut self.stream;
            let out = &self.out;
            let mut writing = pin!(async move {
                stream.write_all(out).await?;
                stream.flush().await
            });
            loop {
                tokio::select! {
                    biased;
                    written = &mut writing => match written {
                        Ok(()) => break,
                        Err(_) => return Err(End::Lost),
                    },
                    () = client.wake.notified() => match client.ordered() {
                        Order::Stay => {}
                        Order::MakeWay => return Err(End::TakenOver),
                        Order::Stop => return Err(End::Stopping),
                    },
                    () = sleep_until(deadline) => return Err(End::Unread),
                }
            }
        }
        self.out.clear();
        if self.out.capacity() > OUT_KEPT {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Parses what was read, and gives the buffer back.
    fn take_in(&mut self, mut bytes: BytesMut) -> Parsed {
        let parsed = if self.partial.is_empty() {
            let parsed = self.parse(&mut bytes);
            self.partial = buffer::keep(&bytes);
            parsed
        } else {
            self.partial.extend_from_slice(&bytes);
            self.parse_partial()
        };
        buffer::give_back(bytes);
        parsed
    }

    fn parse_partial(&mut self) -> Parsed {
        let mut partial = std::mem::take(&mut self.partial);
        let before = partial.len();
        let parsed = self.parse(&mut partial);
        self.partial = if partial.len() == before {
            partial
        } else {
            buffer::keep(&partial)
        };
        parsed
    }

    /// Packet by packet, until the bytes or the room end.
    fn parse(&mut self, bytes: &mut BytesMut) -> Parsed {
        let mut parsed = Parsed::default();
        let house = Arc::clone(&self.house);
        self.has_backlog = false;
        loop {
            if !self.inflight.has_room(self.version, &house.limits) {
                self.has_backlog = !bytes.is_empty();
                return parsed;
            }
            match next_packet(bytes, self.version, house.limits.packet_bytes) {
                Ok(Some(packet)) => {
                    parsed.is_alive = true;
                    if let Err(end) = self.on(packet, &mut parsed.records) {
                        parsed.end = Some(end);
                        return parsed;
                    }
                }
                Ok(None) => return parsed,
                Err(error) => {
                    parsed.end = Some(End::of(error));
                    return parsed;
                }
            }
        }
    }

    fn on(&mut self, packet: Packet, records: &mut Vec<Record>) -> Result<(), End> {
        let version = self.version;
        match packet {
            Packet::Publish(publish) => return self.publish(publish, records),
            Packet::Release(id) => {
                let is_known = self.inflight.release(id.get()) || version != Version::V5;
                let reason = if is_known { 0 } else { answer::ID_NOT_FOUND };
                answer::pubcomp(&mut self.out, id.get(), reason);
            }
            Packet::Subscribe(id, wanted) => {
                let client = &self.membership.client;
                let count = wanted.len() as u64;
                let codes = match self.house.subscribe {
                    Subscribe::Grant => {
                        add(&client.granted, count);
                        wanted
                    }
                    Subscribe::Refuse => {
                        add(&client.refused, count);
                        let code = if version == Version::V5 {
                            answer::NOT_AUTHORIZED
                        } else {
                            0x80
                        };
                        vec![code; wanted.len()]
                    }
                };
                answer::suback(&mut self.out, version, id.get(), &codes);
            }
            Packet::Unsubscribe(id, filters) => {
                answer::unsuback(&mut self.out, version, id.get(), filters);
            }
            Packet::Ping => answer::pong(&mut self.out),
            Packet::Disconnect { with_will } => return Err(End::Disconnect { with_will }),
            Packet::Stray => {}
        }
        Ok(())
    }

    fn publish(&mut self, publish: Publish, records: &mut Vec<Record>) -> Result<(), End> {
        let limits = self.house.limits;
        let id = publish.id;
        // A repetition of what is here already; it is acknowledged once the first is durable.
        let is_repeated = publish.qos == 2 && self.inflight.is_open(id);
        if publish.qos > 0 && !is_repeated {
            if self.version == Version::V5 && self.inflight.is_exceeded(&limits) {
                return Err(End::ReceiveMaximum);
            }
            if publish.qos == 2 && self.inflight.open() >= limits.open_exchanges {
                return Err(End::TooManyOpen);
            }
        }
        let is_permitted = self.grant.may_publish(&publish.topic);
        if is_repeated {
            add(&self.house.status.repeated, 1);
        } else if !is_permitted {
            self.deny(&publish)?;
        }
        let reason = if is_permitted || is_repeated {
            0
        } else {
            answer::NOT_AUTHORIZED
        };
        let owed = match publish.qos {
            0 if !is_permitted => {
                add(&self.house.status.source().qos0_dropped, 1);
                return Ok(());
            }
            0 => Owed::Nothing,
            1 => Owed::Puback(reason),
            _ => Owed::Pubrec(reason),
        };
        let mut bytes = 0;
        if is_permitted && !is_repeated {
            let record = Record::Message(RawMessage {
                source: SmolStr::new_static(SOURCE),
                topic: publish.topic,
                payload: publish.payload,
                qos: publish.qos,
                dup: publish.dup,
                // A retained copy is what a broker sends upon subscribing; here the flag comes with a live publish.
                retained: false,
                queued: false,
                content_type: publish.content_type,
                oversize: None,
            });
            bytes = u32::try_from(lane::size(&record)).unwrap_or(u32::MAX);
            records.push(record);
        }
        // Without a record of its own it is due with what was handed on before it.
        let batch = self.batch + u64::from(!records.is_empty());
        self.inflight.take(batch, id, bytes, owed);
        Ok(())
    }

    /// Counts a publish outside the rights of the client. MQTT 3 has no words for it, and an acknowledgement would say that it
    /// was kept; so there the connection ends.
    fn deny(&self, publish: &Publish) -> Result<(), End> {
        let client = &self.membership.client;
        add(&self.house.status.denied, 1);
        add(&client.denied, 1);
        if let Some(left_out) = self.house.status.denials_log.may_speak() {
            tracing::warn!(
                client_id = %client.id, user = client.user.as_deref().unwrap_or("anonymous"), peer = %client.peer, topic = %publish.topic, left_out,
                "listener: a publish outside the rights of its client was not kept"
            );
        }
        if publish.qos > 0 && self.version != Version::V5 {
            return Err(End::NotPermitted);
        }
        Ok(())
    }

    /// Hands the messages of one read to the journal as one batch.
    async fn hand_on(&mut self, parsed: Parsed) -> Option<End> {
        let Parsed { records, end, .. } = parsed;
        if records.is_empty() {
            return end;
        }
        let client = &self.membership.client;
        let count = records.len() as u64;
        if let Some(Record::Message(last)) = records.last() {
            client.published(&last.topic);
        }
        add(&client.messages, count);
        add(&self.house.status.source().received, count);
        self.batch += 1;
        let given = self.house.lane.give(records, Some((client, self.batch)));
        if given.await { end } else { Some(End::Journal) }
    }
}

/// A client's entry in the list of those who are connected; it goes with the connection, however that ends.
pub(super) struct Membership {
    house: Arc<House>,
    client: Arc<Client>,
}

impl Membership {
    /// Enters, and names the client who had the id.
    pub(super) fn enter(house: &Arc<House>, client: Arc<Client>) -> (Self, Option<Arc<Client>>) {
        let before = house.status.clients.enter(&client);
        let membership = Self {
            house: Arc::clone(house),
            client,
        };
        (membership, before)
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Gone, its will handed on. Dropping does the same.
    pub(super) fn leave(&self) {
        self.house.status.clients.leave(&self.client);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave();
    }
}
