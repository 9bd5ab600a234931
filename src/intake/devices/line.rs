//! One connection: says hello with its will, keeps a window of publishes on their way, sends again what a lost connection left.
//!
//! What is published comes from a [`Source`]; when it runs dry and everything is answered, the connection ends in order. Invariant:
//! a message leaves the window only with its acknowledgement, so that what is left at the end is exactly what nobody took.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::tally::Latency;
use super::tally::Tally;
use super::wire::Answer;
use super::wire::Hello;
use super::wire::Wire;
use crate::intake::backoff::Backoff;
use crate::intake::settings::BrokerAddress;
use crate::intake::settings::MqttVersion;

/// How long TCP, TLS and CONNACK may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// First and longest pause before another attempt: a device at home tries on for as long as it has power.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long the last acknowledgements are waited for once no more is to be sent.
pub(super) const DRAIN: Duration = Duration::from_secs(10);
/// Bytes read at once: acknowledgements are four to a dozen bytes.
const READ_BYTES: usize = 4 * 1024;

/// Where a connection gets what it publishes.
pub(super) trait Source: Send {
    type Item: Send + Sync;

    /// At least one and at most `room` more; `None` when there will never be more. Dropped while it waits, it loses nothing.
    fn more(&mut self, room: usize) -> impl Future<Output = Option<Vec<Self::Item>>> + Send;

    /// Appends the publish of an item.
    fn write(&mut self, item: &Self::Item, id: u16, dup: bool, out: &mut BytesMut);
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) address: BrokerAddress,
    pub(super) version: MqttVersion,
    pub(super) tls: Option<tokio_rustls::TlsConnector>,
    pub(super) keep_alive: Duration,
    /// Publishes on their way at once, per connection.
    pub(super) window: u16,
    pub(super) tally: Arc<Tally>,
    /// So many may be connecting at once.
    pub(super) doors: Semaphore,
    /// True: send no more, wait for what is on its way, and end.
    pub(super) stop: watch::Receiver<bool>,
}

/// Publishes on their way, by packet id.
struct Window<T> {
    /// Slot n belongs to packet id n + 1.
    slots: Vec<Option<(Instant, T)>>,
    free: Vec<u16>,
}

impl<T> Window<T> {
    fn new(size: u16) -> Self {
        Self {
            slots: (0..size).map(|_| None).collect(),
            free: (1..=size).rev().collect(),
        }
    }

    fn on_their_way(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn put(&mut self, item: T, now: Instant) -> Option<(u16, &T)> {
        let id = self.free.pop()?;
        let slot = self.slots.get_mut(usize::from(id) - 1)?;
        Some((id, &slot.insert((now, item)).1))
    }

    fn take(&mut self, id: u16) -> Option<Instant> {
        let (at, _) = self
            .slots
            .get_mut(usize::from(id).checked_sub(1)?)?
            .take()?;
        self.free.push(id);
        Some(at)
    }
}

/// What a connection left behind.
pub(super) struct Ended {
    /// Publishes that were never acknowledged.
    pub(super) unanswered: u64,
    pub(super) latency: Latency,
    /// Why the last connection was lost, when the end was not in order.
    pub(super) trouble: Option<String>,
}

pub(super) struct Line<S: Source> {
    shared: Arc<Shared>,
    hello: Hello,
    source: S,
    window: Window<S::Item>,
    latency: Latency,
    stop: watch::Receiver<bool>,
    /// There was a connection before.
    was_up: bool,
    /// The source has no more, or was told to stop.
    dry: bool,
    /// When waiting for acknowledgements ends.
    deadline: Option<Instant>,
}

/// A stream of bytes to the server.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl<S: Source> Line<S> {
    pub(super) fn new(shared: Arc<Shared>, hello: Hello, source: S) -> Self {
        Self {
            window: Window::new(shared.window),
            stop: shared.stop.clone(),
            shared,
            hello,
            source,
            latency: Latency::default(),
            was_up: false,
            dry: false,
            deadline: None,
        }
    }

    /// Until everything is said and answered, or it is told to stop.
    pub(super) async fn run(mut self) -> Ended {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut trouble = None;
        while !self.is_over() {
            match self.session(&mut backoff).await {
                Ok(()) => {
                    trouble = None;
                    break;
                }
                Err(reason) => {
                    tracing::debug!(client.id = self.hello.client_id, reason, "connection lost");
                    trouble = Some(reason);
                }
            }
            let pause = backoff.next(rand::random());
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(&mut stop), if !self.dry => self.finish(),
            }
        }
        Ended {
            unanswered: self.window.on_their_way() as u64,
            latency: self.latency,
            trouble,
        }
    }

    fn is_over(&self) -> bool {
        let late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        (self.dry && self.window.on_their_way() == 0) || late
    }

    fn finish(&mut self) {
        self.dry = true;
        self.deadline.get_or_insert(Instant::now() + DRAIN);
    }

    /// One connection from beginning to end.
    async fn session(&mut self, backoff: &mut Backoff) -> Result<(), String> {
        let shared = Arc::clone(&self.shared);
        let Ok(door) = shared.doors.acquire().await else {
            return Err("stopped".into());
        };
        let mut wire = Wire::new(shared.version);
        let mut read = BytesMut::with_capacity(READ_BYTES);
        let opened = open(&shared, &self.hello, &mut wire, &mut read);
        let (mut stream, most) = tokio::time::timeout(CONNECT, opened)
            .await
            .map_err(|_| format!("no answer within {CONNECT:?}"))??;
        drop(door);
        backoff.reset();
        shared.tally.up.fetch_add(1, Relaxed);
        if std::mem::replace(&mut self.was_up, true) {
            shared.tally.reconnects.fetch_add(1, Relaxed);
        }
        let most = usize::from(most.min(shared.window));
        let result = self
            .converse(stream.as_mut(), &mut wire, &mut read, most)
            .await;
        shared.tally.up.fetch_sub(1, Relaxed);
        result
    }

    async fn converse(
        &mut self,
        stream: &mut dyn Stream,
        wire: &mut Wire,
        read: &mut BytesMut,
        most: usize,
    ) -> Result<(), String> {
        let mut out = BytesMut::new();
        self.write_again(&mut out);
        send(stream, &mut out).await?;
        let mut written = Instant::now();
        let mut heard = written;
        loop {
            if self.dry && self.window.on_their_way() == 0 {
                wire.goodbye(&mut out)?;
                return send(stream, &mut out).await;
            }
            let room = most.saturating_sub(self.window.on_their_way());
            let mut stop = self.stop.clone();
            let look = (written + self.shared.keep_alive / 2)
                .min(self.deadline.unwrap_or(written + DRAIN * 1_000));
            tokio::select! {
                got = stream.read_buf(read) => {
                    if got.map_err(|error| error.to_string())? == 0 {
                        return Err("the server closed the connection".into());
                    }
                    heard = Instant::now();
                    self.take_answers(wire, read, heard)?;
                }
                items = self.source.more(room), if room > 0 && !self.dry => match items {
                    Some(items) => {
                        written = Instant::now();
                        self.write(items, written, &mut out);
                        send(stream, &mut out).await?;
                    }
                    None => self.finish(),
                },
                () = told(&mut stop), if self.deadline.is_none() => self.finish(),
                () = tokio::time::sleep_until(look) => {
                    if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Err("not everything was acknowledged in time".into());
                    }
                    if heard.elapsed() > self.shared.keep_alive * 2 {
                        return Err("the server answers nothing any more".into());
                    }
                    written = Instant::now();
                    wire.ping(&mut out)?;
                    send(stream, &mut out).await?;
                }
            }
        }
    }

    /// What the connection before this one left, in the order in which it was sent.
    fn write_again(&mut self, out: &mut BytesMut) {
        let mut left: Vec<(Instant, u16)> = (1..)
            .zip(&self.window.slots)
            .filter_map(|(id, slot)| Some((slot.as_ref()?.0, id)))
            .collect();
        left.sort_unstable();
        for (_, id) in left {
            if let Some(Some((_, item))) = self.window.slots.get(usize::from(id) - 1) {
                self.source.write(item, id, true, out);
            }
        }
    }

    fn write(&mut self, items: Vec<S::Item>, now: Instant, out: &mut BytesMut) {
        self.shared
            .tally
            .sent
            .fetch_add(items.len() as u64, Relaxed);
        for item in items {
            if let Some((id, item)) = self.window.put(item, now) {
                self.source.write(item, id, false, out);
            }
        }
    }

    fn take_answers(
        &mut self,
        wire: &mut Wire,
        read: &mut BytesMut,
        now: Instant,
    ) -> Result<(), String> {
        let (mut taken, mut refused) = (0, 0);
        while let Some(answer) = wire.answer(read)? {
            match answer {
                Answer::Ack(id, refusal) => {
                    let Some(at) = self.window.take(id) else {
                        continue;
                    };
                    self.latency.add(now - at);
                    match refusal {
                        None => taken += 1,
                        Some(reason) => {
                            refused += 1;
                            tracing::warn!(
                                client.id = self.hello.client_id,
                                reason,
                                "a publish was refused"
                            );
                        }
                    }
                }
                Answer::Gone(reason) => return Err(reason),
                Answer::Up(_) | Answer::Other => {}
            }
        }
        self.shared.tally.acknowledged.fetch_add(taken, Relaxed);
        self.shared.tally.refused.fetch_add(refused, Relaxed);
        Ok(())
    }
}

/// Until it becomes true; an end of the one who could say so is no stop.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let is_told = stop.wait_for(|stop| *stop).await.is_ok();
    if !is_told {
        std::future::pending::<()>().await;
    }
}

async fn send(stream: &mut dyn Stream, out: &mut BytesMut) -> Result<(), String> {
    if out.is_empty() {
        return Ok(());
    }
    let result = stream.write_all(out).await;
    out.clear();
    result.map_err(|error| error.to_string())
}

/// A connection that the server has accepted, and how many publishes it takes at once.
async fn open(
    shared: &Shared,
    hello: &Hello,
    wire: &mut Wire,
    read: &mut BytesMut,
) -> Result<(Box<dyn Stream>, u16), String> {
    let (host, port) = (
        shared.address.host.trim_matches(['[', ']']),
        shared.address.port,
    );
    let plain = TcpStream::connect((host, port))
        .await
        .map_err(|error| error.to_string())?;
    plain.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut stream: Box<dyn Stream> = match &shared.tls {
        None => Box::new(plain),
        Some(tls) => {
            let name = rustls_pki_types::ServerName::try_from(host.to_owned())
                .map_err(|error| error.to_string())?;
            let secured = tls.connect(name, plain).await;
            Box::new(secured.map_err(|error| format!("TLS: {error}"))?)
        }
    };
    let mut out = BytesMut::new();
    wire.connect(hello, &mut out)?;
    send(stream.as_mut(), &mut out).await?;
    loop {
        if let Some(answer) = wire.answer(read)? {
            match answer {
                Answer::Up(most) => return Ok((stream, most)),
                Answer::Gone(reason) => return Err(reason),
                Answer::Ack(..) | Answer::Other => {}
            }
        } else if stream
            .read_buf(read)
            .await
            .map_err(|error| error.to_string())?
            == 0
        {
            return Err("the server closed the connection before it answered".into());
        }
    }
}

/// Connects once and leaves in order: a mistake in address or password is told at once instead of tried for ever.
pub(super) async fn try_once(shared: &Shared, hello: &Hello) -> Result<(), String> {
    let mut wire = Wire::new(shared.version);
    let mut read = BytesMut::new();
    let opened = open(shared, hello, &mut wire, &mut read);
    let (mut stream, _) = tokio::time::timeout(CONNECT, opened)
        .await
        .map_err(|_| format!("no answer within {CONNECT:?}"))??;
    let mut out = BytesMut::new();
    wire.goodbye(&mut out)?;
    send(stream.as_mut(), &mut out).await
}
