//! One source: its connections, one after the other, for as long as the daemon runs.
//!
//! It polls, and hands on. It decides when to pause, when to give a connection up, and how long to wait for the next; what
//! a message means is for others. A message of QoS 1 or 2 is acknowledged only after the journal made it durable.

mod goodbye;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::intake::IntakeError;
use crate::intake::ack::AckHandle;
use crate::intake::ack::AckLane;
use crate::intake::ack::Trouble;
use crate::intake::backoff::Backoff;
use crate::intake::client::ConnectOptions;
use crate::intake::client::Connection;
use crate::intake::client::Delivery;
use crate::intake::client::Event;
use crate::intake::client::Failure;
use crate::intake::client::Requests;
use crate::intake::fence::Fence;
use crate::intake::handover::Handover;
use crate::intake::handover::Item;
use crate::intake::settings::BrokerSettings;
use crate::intake::sink::Sink;
use crate::intake::sink::SinkError;
use crate::intake::status::SourceState;
use crate::intake::status::SourceStatus;
use crate::intake::status::add;
use crate::intake::subscribe::Subscriptions;
use crate::telemetry::Control;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// How much of a message over the size limit is kept, in bytes: enough to recognise the sender's mistake.
const OVERSIZE_KEPT: usize = 4 * 1024;

/// Connections in a row that the broker closed soon after they began and without a reason: two clients with the same id
/// throw each other out like this. Fewer would mistake a broker that is being restarted.
const CONTESTED_CONNECTIONS: u32 = 5;

/// Why a connection ended.
enum Ended {
    Stopped,
    TakenOver,
    Stalled,
    JournalRefused(SinkError),
    Closed,
    Lost(String),
    /// More arrived than can be acknowledged at once: a long queue, from a broker that does not keep the receive maximum.
    Choked,
}

/// A source and everything it keeps between connections.
pub(super) struct Source {
    settings: BrokerSettings,
    status: Arc<SourceStatus>,
    lane: Arc<AckLane>,
    handover: Handover,
    clerk_ended: oneshot::Receiver<()>,
    shutdown: watch::Receiver<bool>,
    backoff: Backoff,
    generation: u64,
    /// `SourceUp` was handed on for the current connection.
    up_since: Option<Instant>,
    /// There was a connection before.
    was_up: bool,
    /// The filters of this process were subscribed to at least once.
    is_subscribed: bool,
    short_connections: u32,
}

/// What belongs to one connection.
struct Visit {
    requests: Requests,
    fence: Fence,
    subscriptions: Subscriptions,
}

impl Source {
    pub(super) fn new(
        settings: BrokerSettings,
        sink: Arc<dyn Sink>,
        status: Arc<SourceStatus>,
        shutdown: watch::Receiver<bool>,
    ) -> Result<Self, IntakeError> {
        let limits = settings.limits;
        let lane = Arc::new(AckLane::new(Arc::clone(&status)));
        let (handover, clerk_ended) =
            Handover::start(&settings.name, limits, &status, sink, Arc::clone(&lane))
                .map_err(IntakeError::Thread)?;
        Ok(Self {
            backoff: Backoff::new(limits.backoff_first, limits.backoff_most),
            settings,
            status,
            lane,
            handover,
            clerk_ended,
            shutdown,
            generation: 0,
            up_since: None,
            was_up: false,
            is_subscribed: false,
            short_connections: 0,
        })
    }

    /// Runs until the shutdown, or until another client takes the session.
    pub(super) async fn run(mut self) -> Result<(), IntakeError> {
        let result = loop {
            self.generation += 1;
            let ended = self.connection().await;
            self.lane.close();
            let lasted = self.close();
            if lasted {
                self.backoff.reset();
            }
            let contested = self.is_contested(&ended, lasted);
            match ended {
                Ended::Stopped => break Ok(()),
                Ended::TakenOver => break Err(self.taken_over()),
                Ended::Stalled => self.wait_for_journal().await,
                Ended::JournalRefused(error) => {
                    tracing::error!(source = %self.settings.name, %error, "nothing is acknowledged until the journal takes messages again");
                    self.status.set(SourceState::Stalled);
                    let delay = self.backoff.next(rand::random());
                    self.rest(delay).await;
                }
                Ended::Closed => {
                    self.wait("the broker closed the connection".into(), contested)
                        .await;
                }
                Ended::Lost(error) => self.wait(error, false).await,
                Ended::Choked => {
                    // Much was taken on this connection, so the next one need not come later than after any first failure.
                    self.backoff.reset();
                    self.wait(
                        "more came than could be acknowledged; the rest comes again".into(),
                        false,
                    )
                    .await;
                }
            }
            if *self.shutdown.borrow() || self.shutdown.has_changed().is_err() {
                break Ok(());
            }
        };
        let (status, limit) = (Arc::clone(&self.status), self.settings.limits.stop);
        drop(self.handover);
        if tokio::time::timeout(limit, self.clerk_ended).await.is_err() {
            tracing::warn!(source = %self.settings.name, "the journal did not take everything in time; what is not acknowledged comes again");
        }
        if result.is_ok() {
            status.set(SourceState::Stopped);
        }
        result
    }

    /// One connection from its attempt to its end.
    async fn connection(&mut self) -> Ended {
        let options = match ConnectOptions::consumer(&self.settings) {
            Ok(options) => options,
            Err(error) => return Ended::Lost(error),
        };
        let mut connection = Connection::open(options);
        let mut visit = Visit {
            requests: connection.requests(),
            fence: Fence::new(&self.settings),
            subscriptions: Subscriptions::default(),
        };
        let ended = loop {
            if self.handover.backlog().must_pause() {
                match self.pause().await {
                    Some(Ended::Stopped) => break self.finish(&mut connection, &visit).await,
                    Some(ended) => break ended,
                    None => {}
                }
            }
            let event = tokio::select! {
                biased;
                () = stopped(&mut self.shutdown) => break self.finish(&mut connection, &visit).await,
                trouble = self.lane.troubled() => break troubled(trouble),
                event = tokio::time::timeout(self.settings.limits.poll, connection.poll()) => event,
            };
            self.lane.send_on();
            match event {
                Ok(Ok(event)) => {
                    if let Some(ended) = self.on(event, &mut visit) {
                        break ended;
                    }
                }
                Ok(Err(Failure::TakenOver)) => break Ended::TakenOver,
                Ok(Err(Failure::Closed)) => break Ended::Closed,
                Ok(Err(Failure::Lost(error))) => break Ended::Lost(error),
                Err(_) => break Ended::Lost("the broker reads nothing any more".into()),
            }
        };
        if !matches!(ended, Ended::Stopped) {
            for delivery in connection.leftovers() {
                self.message(delivery, &mut visit);
            }
        }
        ended
    }

    /// What to do about one event; an end when the connection is of no use.
    fn on(&mut self, event: Event, visit: &mut Visit) -> Option<Ended> {
        match event {
            Event::Up { session_present } => self.up(session_present, visit),
            Event::Subscribed(answers) => self.answered(&answers, visit),
            Event::Message(delivery) => self.message(delivery, visit),
            Event::Published { .. }
            | Event::Sending(_)
            | Event::Disconnected
            | Event::Collision
            | Event::Other => None,
        }
    }

    fn up(&mut self, session_present: bool, visit: &mut Visit) -> Option<Ended> {
        self.lane.open(self.generation, visit.requests.clone());
        if self.handover.backlog().take_down_missed() {
            self.control(Control::SourceDown {
                source: self.settings.name.clone(),
            });
        }
        if !self.control(Control::SourceUp {
            source: self.settings.name.clone(),
        }) {
            return Some(Ended::Lost("the queue to the journal is full".into()));
        }
        if self.was_up {
            add(&self.status.reconnects, 1);
        }
        self.was_up = true;
        self.up_since = Some(Instant::now());
        tracing::info!(source = %self.settings.name, address = %self.settings.address, session_present, "connected");
        if session_present {
            visit
                .fence
                .raise(Instant::now() + self.settings.limits.fence);
        }
        let stands = session_present && self.is_subscribed;
        if !visit
            .subscriptions
            .ask(&self.settings, stands, &visit.requests)
        {
            return Some(Ended::Lost("the subscription could not be sent".into()));
        }
        if !visit.subscriptions.is_waiting() {
            self.subscribed(visit);
        }
        None
    }

    /// Every subscription stands: not before that may anyone rely on messages coming through.
    fn subscribed(&self, visit: &mut Visit) {
        self.status.set(SourceState::Connected);
        visit.fence.send(&self.settings);
    }

    /// The broker's answer to one SUBSCRIBE.
    fn answered(&mut self, answers: &[Option<String>], visit: &mut Visit) -> Option<Ended> {
        visit.subscriptions.answered(&self.settings.name, answers);
        if visit.subscriptions.is_waiting() {
            return None;
        }
        self.status
            .set_refused(visit.subscriptions.refused().to_vec());
        if visit.subscriptions.is_useless() {
            return Some(Ended::Lost(format!(
                "the broker refuses every subscription ({})",
                visit.subscriptions.refused().join("; ")
            )));
        }
        self.is_subscribed = true;
        self.subscribed(visit);
        None
    }

    /// Hands one message on.
    fn message(&mut self, delivery: Delivery, visit: &mut Visit) -> Option<Ended> {
        let ack = (delivery.qos > 0).then_some(AckHandle {
            generation: self.generation,
            pkid: delivery.pkid,
            qos: delivery.qos,
        });
        if Fence::is_fence(&delivery.topic) {
            if visit.fence.arrived(&delivery.payload) {
                add(&self.status.fences, 1);
            }
            // Nothing of it is kept, so nothing has to be durable.
            self.lane.acknowledge(ack.as_slice());
            return None;
        }
        if ack.is_none() && self.handover.backlog().is_full() {
            add(&self.status.qos0_dropped, 1);
            return None;
        }
        let queued = visit.fence.is_waiting(Instant::now);
        let message = self.record(delivery, queued);
        let given = self.handover.give(Item {
            generation: self.generation,
            record: Record::Message(message),
            ack,
            probe: self.handover.prober.begin(),
        });
        if given {
            add(&self.status.received, 1);
            return None;
        }
        if ack.is_none() {
            add(&self.status.qos0_dropped, 1);
            return None;
        }
        Some(Ended::Stalled)
    }

    /// The message as the journal keeps it. The payload is copied: a slice would hold the client's whole read buffer.
    fn record(&self, delivery: Delivery, queued: bool) -> RawMessage {
        let length = delivery.payload.len();
        let oversize = (length > self.settings.limits.message_bytes).then_some(length as u64);
        if oversize.is_some() {
            add(&self.status.oversize, 1);
            tracing::warn!(source = %self.settings.name, topic = %delivery.topic, bytes = length, "a message over the size limit was cut");
        }
        let kept = if oversize.is_some() {
            length.min(OVERSIZE_KEPT)
        } else {
            length
        };
        RawMessage {
            source: self.settings.name.clone(),
            topic: delivery.topic,
            payload: Bytes::copy_from_slice(delivery.payload.get(..kept).unwrap_or_default()),
            qos: delivery.qos,
            dup: delivery.dup,
            retained: delivery.retained,
            queued,
            content_type: delivery.content_type,
            oversize,
        }
    }

    fn control(&self, control: Control) -> bool {
        self.handover.give(Item {
            generation: self.generation,
            record: Record::Control(control),
            ack: None,
            probe: None,
        })
    }

    /// Reading pauses until the journal has caught up by half. `None`: go on.
    async fn pause(&mut self) -> Option<Ended> {
        let backlog = Arc::clone(self.handover.backlog());
        tokio::select! {
            biased;
            () = stopped(&mut self.shutdown) => Some(Ended::Stopped),
            trouble = self.lane.troubled() => Some(troubled(trouble)),
            () = backlog.half_empty() => None,
            () = tokio::time::sleep(self.settings.limits.stall) => Some(Ended::Stalled),
        }
    }

    /// After the last message of a connection: `SourceDown`, once. True when the connection had lasted.
    fn close(&mut self) -> bool {
        let Some(since) = self.up_since.take() else {
            return false;
        };
        self.control(Control::SourceDown {
            source: self.settings.name.clone(),
        });
        since.elapsed() >= self.settings.limits.stable
    }

    /// Counts connections that the broker closed without a reason soon after they began. True when another client seems to
    /// take our session by turns; then only patience helps, and telling people.
    fn is_contested(&mut self, ended: &Ended, lasted: bool) -> bool {
        self.short_connections = match ended {
            Ended::Closed if !lasted => self.short_connections.saturating_add(1),
            Ended::Closed
            | Ended::Stopped
            | Ended::TakenOver
            | Ended::Stalled
            | Ended::JournalRefused(_)
            | Ended::Lost(_)
            | Ended::Choked => 0,
        };
        self.short_connections >= CONTESTED_CONNECTIONS
    }

    fn taken_over(&self) -> IntakeError {
        self.status.set(SourceState::TakenOver);
        tracing::error!(
            source = %self.settings.name,
            client_id = self.settings.client_id,
            "another client has taken this session: two programs use the same client id. This source stays down until one of them gets another id and the daemon restarts"
        );
        IntakeError::TakenOver {
            source_name: self.settings.name.clone(),
            client_id: self.settings.client_id.clone(),
        }
    }

    /// Until the journal has caught up; the broker queues meanwhile.
    async fn wait_for_journal(&mut self) {
        tracing::error!(source = %self.settings.name, "the journal does not keep up: disconnected until it does, the broker queues");
        self.status.set(SourceState::Stalled);
        let backlog = Arc::clone(self.handover.backlog());
        tokio::select! {
            () = stopped(&mut self.shutdown) => {}
            () = backlog.half_empty() => {}
        }
    }

    /// The delay before the next attempt.
    async fn wait(&mut self, mut error: String, contested: bool) {
        let mut delay = self.backoff.next(rand::random());
        let attempt = self.backoff.attempts();
        if contested {
            delay = self.settings.limits.contested;
            error = format!(
                "{error} again and again soon after it began: two programs seem to use the client id '{}'",
                self.settings.client_id
            );
            tracing::error!(source = %self.settings.name, address = %self.settings.address, error, delay_ms = delay.as_millis(), "waiting longer");
        } else {
            tracing::warn!(source = %self.settings.name, address = %self.settings.address, error, attempt, delay_ms = delay.as_millis(), "no connection");
        }
        self.status.set(SourceState::Connecting {
            attempt,
            error: Some(error),
        });
        self.rest(delay).await;
    }

    async fn rest(&mut self, delay: Duration) {
        tokio::select! {
            () = stopped(&mut self.shutdown) => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}

fn troubled(trouble: Trouble) -> Ended {
    match trouble {
        Trouble::Journal(error) => Ended::JournalRefused(error),
        Trouble::Stuck => Ended::Choked,
    }
}

/// Returns when the daemon stops, or when nobody is left who could say so.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // Both outcomes mean the same.
    drop(shutdown.wait_for(|stop| *stop).await.map(|_| ()));
}
