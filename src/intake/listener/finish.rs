//! The end of a connection: what the client is told, what becomes of its will, and how the socket is closed.
//!
//! Leaves deciding that it ends to the connection. Invariants: a will is handed to the journal before the client counts as gone, so
//! that whoever takes its id comes after it; our own stop publishes no will that was not due, since our absence proves nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;

use super::House;
use super::SOURCE;
use super::buffer;
use super::clients::Client;
use super::clients::Order;
use super::connection::Connection;
use super::packet::PacketError;
use super::packet::Will;
use super::status::Closing;
use crate::intake::status::add;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// Bytes that are read and thrown away after a goodbye, at most: closing with something unread would reset the connection and
/// could take our last words with it.
const LINGER_BYTES: usize = 1024 * 1024;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said so; `with_will`: and wants its will published.
    Disconnect { with_will: bool },
    /// End of stream, or an error of the network.
    Lost,
    /// Nothing for one and a half keep-alives.
    KeepAlive,
    /// Against the protocol.
    Protocol(PacketError),
    /// More QoS 1 and 2 under way than announced.
    ReceiveMaximum,
    /// More QoS 2 exchanges that wait for PUBREL than one connection may have.
    TooManyOpen,
    /// A publish outside its rights, with MQTT 3.
    NotPermitted,
    /// Another connection took the client id.
    TakenOver,
    /// What we sent was not read.
    Unread,
    /// The journal did not take its messages; nothing of them was acknowledged.
    Journal,
    /// We stop.
    Stopping,
}

impl End {
    pub(super) const fn of(error: PacketError) -> Self {
        Self::Protocol(error)
    }

    const fn closing(self) -> Closing {
        match self {
            Self::Disconnect { .. } => Closing::Disconnect,
            Self::Lost => Closing::Lost,
            Self::KeepAlive => Closing::KeepAlive,
            Self::Protocol(PacketError::TooLarge { .. }) => Closing::TooLarge,
            Self::Protocol(_) => Closing::Protocol,
            Self::ReceiveMaximum | Self::TooManyOpen => Closing::ReceiveMaximum,
            Self::NotPermitted => Closing::NotPermitted,
            Self::TakenOver => Closing::TakenOver,
            Self::Unread => Closing::Unread,
            Self::Journal => Closing::Journal,
            Self::Stopping => Closing::Stopping,
        }
    }

    /// The MQTT 5 reason code and its text; `None` when there is nobody to tell.
    fn told(self) -> Option<(u8, String)> {
        match self {
            Self::Disconnect { .. } | Self::Lost | Self::Unread => None,
            Self::KeepAlive => Some((0x8D, "nothing came within 1.5 keep-alives".into())),
            Self::Protocol(error) => Some((error.reason(), error.to_string())),
            Self::ReceiveMaximum | Self::TooManyOpen => {
                Some((0x93, "more under way than the receive maximum".into()))
            }
            Self::NotPermitted => Some((0x87, "not authorised for this topic".into())),
            Self::TakenOver => Some((0x8E, "another connection has this client id".into())),
            Self::Journal => Some((0x97, "the messages could not be kept".into())),
            Self::Stopping => Some((0x8B, "the server stops".into())),
        }
    }

    /// The client went without saying that it would.
    const fn wants_will(self) -> bool {
        !matches!(self, Self::Disconnect { with_will: false } | Self::Stopping)
    }

    /// There may be someone who reads a goodbye.
    const fn has_listener(self) -> bool {
        !matches!(self, Self::Lost | Self::Unread)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Ends the connection.
    pub(super) async fn finish(mut self, end: End) {
        self.report(end);
        if end == End::Stopping {
            self.settle_all().await;
        }
        let version = self.membership.client().version;
        if let Some((reason, text)) = end.told() {
            let text = self.wants_reasons.then_some(text.as_str());
            super::answer::disconnect(&mut self.out, version, reason, text);
        }
        let will = self.will.take().filter(|_| end.wants_will());
        match will {
            None => {
                self.membership.leave();
                self.close(end).await;
            }
            Some(will) if will.delay.is_zero() => {
                publish(&self.house, self.membership.client(), *will).await;
                self.membership.leave();
                self.close(end).await;
            }
            Some(_) if end == End::TakenOver => {
                add(&self.house.status.wills_cancelled, 1);
                self.membership.leave();
                self.close(end).await;
            }
            Some(will) => self.delay_will(*will, end).await,
        }
    }

    /// A will with a delay: due when the client has not come back by then. While it waits the connection still counts, which
    /// bounds how many wills wait.
    async fn delay_will(mut self, will: Will, end: End) {
        let due = Instant::now() + will.delay.min(self.house.limits.will_delay);
        self.membership.client().away();
        self.close(end).await;
        // Only the socket goes now.
        let Self {
            house,
            membership,
            stream,
            ..
        } = self;
        drop(stream);
        let client = membership.client();
        loop {
            match client.ordered() {
                Order::MakeWay => {
                    add(&house.status.wills_cancelled, 1);
                    return;
                }
                // Whether the client would have come back in time will never be known: better told than lost.
                Order::Stop => break,
                Order::Stay => {}
            }
            tokio::select! {
                () = client.wake.notified() => {}
                () = sleep_until(due) => break,
            }
        }
        publish(&house, client, will).await;
    }

    /// A stop in order: what was taken becomes durable and is acknowledged, within the time of a stop.
    async fn settle_all(&mut self) {
        let limit = self.house.limits.stop;
        let client = Arc::clone(self.membership.client());
        let settled = async {
            loop {
                self.settle();
                if self.inflight.is_settled() || client.has_failed() {
                    return;
                }
                client.wake.notified().await;
            }
        };
        // What is not acknowledged then comes again.
        timeout(limit, settled).await.ok();
    }

    async fn close(&mut self, end: End) {
        let out = std::mem::take(&mut self.out);
        if end.has_listener() {
            goodbye(&mut self.stream, &out, self.house.limits.linger).await;
        } else {
            // Nothing more can be done about a stream that does not close.
            timeout(self.house.limits.linger, self.stream.shutdown())
                .await
                .ok();
        }
    }

    fn report(&self, end: End) {
        let status = &self.house.status;
        let client = self.membership.client();
        status.count_closed(end.closing());
        match end {
            End::Protocol(PacketError::TooLarge { .. }) => add(&status.source().oversize, 1),
            End::Journal => add(
                &status.source().qos0_dropped,
                self.inflight.unacknowledged(),
            ),
            _ => {}
        }
        let why = match end {
            End::Disconnect { .. } | End::Lost | End::Stopping => {
                tracing::debug!(client_id = %client.id, peer = %client.peer, ?end, "listener: a connection ended");
                return;
            }
            _ => end.told().map_or_else(
                || "it does not read what it is sent".to_owned(),
                |(_, text)| text,
            ),
        };
        if let Some(left_out) = status.closings_log.may_speak() {
            tracing::warn!(client_id = %client.id, peer = %client.peer, why, left_out, "listener: a connection was closed");
        }
    }
}

/// Hands a will to the journal.
async fn publish(house: &House, client: &Client, will: Will) {
    add(&house.status.wills, 1);
    add(&house.status.source().received, 1);
    let record = Record::Message(RawMessage {
        source: SOURCE.into(),
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        dup: false,
        retained: false,
        queued: false,
        content_type: will.content_type,
        oversize: None,
    });
    if !house.lane.give(vec![record], None).await {
        tracing::error!(client_id = %client.id, "listener: a will could not be handed to the journal");
    }
}

/// Writes, flushes, at most so long.
pub(super) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    limit: Duration,
) -> io::Result<()> {
    let writing = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(limit, writing)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Last words, and time to read them: then the other side closes, or we do.
pub(super) async fn goodbye<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    words: &[u8],
    limit: Duration,
) {
    let leaving = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut left = LINGER_BYTES;
        loop {
            let bytes = buffer::read(stream).await?;
            let count = bytes.len();
            buffer::give_back(bytes);
            if count == 0 || left < count {
                return io::Result::Ok(());
            }
            left -= count;
        }
    };
    // However it goes, the stream is dropped next.
    timeout(limit, leaving).await.ok();
}
