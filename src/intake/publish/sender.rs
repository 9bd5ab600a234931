//! Publishes at QoS 1 and knows of every message what became of it.
//!
//! A bounded number is on its way at any time. When the connection breaks, what the broker has not acknowledged is sent again,
//! in order, on a fresh one.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::PublishError;
use super::Totals;
use crate::intake::backoff::Backoff;
use crate::intake::client::ConnectOptions;
use crate::intake::client::Connection;
use crate::intake::client::Event;
use crate::intake::client::Failure;
use crate::intake::client::Requests;
use crate::intake::settings::BrokerSettings;

/// Messages on their way. Half of what the client's own table holds, so that packet ids never run into each other.
const WINDOW: usize = 50;

/// Attempts in a row to come back to a broker that was lost on the way; at the backoff's pace about three minutes.
const ATTEMPTS: u32 = 10;

/// One message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its row.
    pub(super) number: u64,
    pub(super) topic: String,
    pub(super) payload: Bytes,
}

/// The way to the broker, and the account of what was sent.
pub(super) struct Sender {
    settings: BrokerSettings,
    shutdown: watch::Receiver<bool>,
    connection: Option<(Connection, Requests)>,
    /// Asked of the client, not yet written.
    asked: VecDeque<Message>,
    /// Written, not yet answered, by packet id.
    written: BTreeMap<u16, Message>,
    client_id: String,
    /// When the broker last answered, or the first message left after a pause.
    heard: Instant,
    pub(super) totals: Totals,
}

impl Sender {
    pub(super) fn new(settings: &BrokerSettings, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            settings: settings.clone(),
            shutdown,
            connection: None,
            asked: VecDeque::new(),
            written: BTreeMap::new(),
            client_id: settings.client_id.clone(),
            heard: Instant::now(),
            totals: Totals::default(),
        }
    }

    /// The first connection; a mistake in address or password is told at once.
    pub(super) async fn connect(&mut self) -> Result<(), PublishError> {
        self.attempt()
            .await
            .map_err(|reason| PublishError::NoConnection {
                address: self.settings.address.to_string(),
                reason,
            })
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Sends one message as soon as there is room for it.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), PublishError> {
        while self.on_their_way() >= WINDOW {
            if self.is_stopping() {
                return Ok(());
            }
            self.step().await?;
        }
        if !self.is_stopping() {
            self.ask(message);
        }
        Ok(())
    }

    /// Keeps the connection alive until then.
    pub(super) async fn idle_until(&mut self, due: Instant) -> Result<(), PublishError> {
        let mut shutdown = self.shutdown.clone();
        while Instant::now() < due && !self.is_stopping() {
            tokio::select! {
                () = tokio::time::sleep_until(due) => return Ok(()),
                // An end of the one who could stop us is no stop.
                Ok(_) = shutdown.wait_for(|stop| *stop) => return Ok(()),
                result = self.step() => result?,
            }
        }
        Ok(())
    }

    /// Waits for the broker's last answer and says goodbye.
    pub(super) async fn finish(mut self) -> Result<Totals, PublishError> {
        let limit = self.is_stopping().then_some(self.settings.limits.stop);
        let answers = async {
            while self.on_their_way() > 0 {
                self.step().await?;
            }
            Ok::<(), PublishError>(())
        };
        match limit {
            None => answers.await?,
            Some(limit) => match tokio::time::timeout(limit, answers).await {
                Ok(result) => result?,
                Err(_) => return Ok(self.totals),
            },
        }
        if let Some((mut connection, requests)) = self.connection.take()
            && requests.try_disconnect()
        {
            let goodbye = async {
                while let Ok(event) = connection.poll().await {
                    if matches!(event, Event::Disconnected) {
                        return;
                    }
                }
            };
            // Everything is acknowledged; how it ends does not matter.
            tokio::time::timeout(self.settings.limits.connect, goodbye)
                .await
                .ok();
        }
        Ok(self.totals)
    }

    fn on_their_way(&self) -> usize {
        self.asked.len() + self.written.len()
    }

    fn ask(&mut self, message: Message) {
        if self.on_their_way() == 0 {
            self.heard = Instant::now();
        }
        if let Some((_, requests)) = &self.connection {
            // There is room: the queue holds far more than the window. If the connection is gone, it goes again with the rest.
            requests.try_publish(&message.topic, &message.payload);
        }
        self.asked.push_back(message);
    }

    /// One event of the connection; a lost one is replaced.
    async fn step(&mut self) -> Result<(), PublishError> {
        // A broker that answers pings but no publish would otherwise be waited for without end.
        let is_deaf = self.on_their_way() > 0 && self.heard.elapsed() >= self.settings.limits.poll;
        let Some((connection, _)) = &mut self.connection else {
            return self.reconnect("the connection broke".into()).await;
        };
        let reason = match tokio::time::timeout(self.settings.limits.poll, connection.poll()).await
        {
            Ok(Ok(_)) if is_deaf => "the broker does not answer".into(),
            Ok(Ok(event)) => {
                if self.on(event) {
                    return Ok(());
                }
                "the packet ids of unanswered messages ran into each other".into()
            }
            Ok(Err(failure)) => explain(failure),
            Err(_) => "the broker reads nothing any more".into(),
        };
        self.connection = None;
        self.reconnect(reason).await
    }

    /// False when only a new connection helps.
    fn on(&mut self, event: Event) -> bool {
        match event {
            Event::Sending(pkid) => {
                if let Some(message) = self.asked.pop_front() {
                    self.written.insert(pkid, message);
                }
            }
            Event::Published { pkid, refused } => {
                self.heard = Instant::now();
                if let Some(message) = self.written.remove(&pkid) {
                    if let Some(reason) = refused {
                        tracing::warn!(
                            topic = message.topic,
                            row = message.number,
                            reason,
                            "the broker refused a row"
                        );
                        self.totals.refused += 1;
                    } else {
                        self.totals.published += 1;
                        self.totals.bytes += message.payload.len() as u64;
                    }
                }
            }
            Event::Collision => return false,
            Event::Up { .. }
            | Event::Subscribed(_)
            | Event::Message(_)
            | Event::Disconnected
            | Event::Other => {}
        }
        true
    }

    /// Comes back, and sends again what was not acknowledged.
    async fn reconnect(&mut self, mut reason: String) -> Result<(), PublishError> {
        let limits = self.settings.limits;
        let mut backoff = Backoff::new(limits.backoff_first, limits.backoff_most);
        while backoff.attempts() < ATTEMPTS && !self.is_stopping() {
            tracing::warn!(address = %self.settings.address, reason, "connection lost; trying again");
            tokio::time::sleep(backoff.next(rand::random())).await;
            match self.attempt().await {
                Ok(()) => {
                    self.ask_again();
                    return Ok(());
                }
                Err(error) => reason = error,
            }
        }
        Err(PublishError::Lost {
            address: self.settings.address.to_string(),
            reason,
            totals: self.totals,
        })
    }

    fn ask_again(&mut self) {
        let written = std::mem::take(&mut self.written);
        self.totals.resent += written.len() as u64;
        let mut again: Vec<Message> = written
            .into_values()
            .chain(std::mem::take(&mut self.asked))
            .collect();
        again.sort_by_key(|message| message.number);
        for message in again {
            self.ask(message);
        }
    }

    /// One attempt at a connection, up to the broker's answer.
    async fn attempt(&mut self) -> Result<(), String> {
        let options = ConnectOptions::publisher(&self.settings, self.client_id.clone())?;
        let mut connection = Connection::open(options);
        let requests = connection.requests();
        loop {
            match connection.poll().await {
                Ok(Event::Up { .. }) => {
                    self.connection = Some((connection, requests));
                    return Ok(());
                }
                Ok(_) => {}
                Err(failure) => return Err(explain(failure)),
            }
        }
    }
}

fn explain(failure: Failure) -> String {
    match failure {
        Failure::TakenOver => "another client has the same id".into(),
        Failure::Closed => "the broker closed the connection".into(),
        Failure::Lost(reason) => reason,
    }
}
