//! What the web needs of the running daemon: actions through the journal, and a look at the pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use smol_str::SmolStr;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use super::clock;
use super::listener;
use super::messages;
use super::readiness;
use super::shared::Question;
use super::shared::SERIES;
use super::shared::Shared;
use super::tally::Tally;
use super::view;
use super::zones;
use crate::decode::Context;
use crate::decode::DecodeState;
use crate::decode::Understanding;
use crate::decode::understand;
use crate::desk::Refusal;
use crate::desk::Reply;
use crate::journal::AppendError;
use crate::journal::Held;
use crate::journal::Holder;
use crate::journal::Journal;
use crate::pipeline::Answer;
use crate::profile::Program;
use crate::series::RangeQuery;
use crate::series::Series;
use crate::series::SeriesError;
use crate::series::SeriesStore as _;
use crate::series::Value;
use crate::telemetry::Control;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::FieldValue;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;
use crate::web::ActionOutcome;
use crate::web::Backend;
use crate::web::Backlog;
use crate::web::Behind;
use crate::web::Check;
use crate::web::FaultCounts;
use crate::web::HeardError;
use crate::web::HeardPage;
use crate::web::HeldBack;
use crate::web::JournalHolder;
use crate::web::LiveConnection;
use crate::web::LiveDevice;
use crate::web::RefusalKind;
use crate::web::SeriesAround;
use crate::web::SeriesQuery;
use crate::web::SeriesRead;
use crate::web::SeriesReadError;
use crate::web::SeriesSample;
use crate::web::SubmitError;
use crate::web::Traffic;
use crate::web::Unwritten;
use crate::web::WordList;

/// When to try again while the journal is full: retention looks once a minute.
const FULL_RETRY: Duration = Duration::from_mins(1);

/// The running daemon, as the web sees it.
#[derive(Clone)]
pub(super) struct DaemonBackend {
    pub(super) journal: Journal,
    pub(super) shared: Arc<Shared>,
    pub(super) questions: mpsc::Sender<Question>,
    /// How the faults of each model stand.
    pub(super) tally: Arc<Tally>,
    /// Knows the sources' settings, and nothing else: tells whose a message is.
    pub(super) sources: Arc<DecodeState>,
    /// The place's time zone.
    pub(super) timezone: Tz,
}

impl DaemonBackend {
    async fn submit_record(self, control: Control) -> Result<ActionOutcome, SubmitError> {
        let (done, durable) = oneshot::channel();
        let tell = Box::new(move |result: Result<Position, AppendError>| drop(done.send(result)));
        let refused = |error| match error {
            AppendError::Full => SubmitError::Full {
                retry_after: FULL_RETRY,
            },
            _ => SubmitError::Closing,
        };
        self.journal
            .append_async(vec![Record::Control(control)], tell)
            .await
            .map_err(refused)?;
        let position = durable
            .await
            .map_err(|_| SubmitError::Closing)?
            .map_err(refused)?;
        let (reply, answer) = oneshot::channel();
        let question = Question::Answer { position, reply };
        self.questions
            .send(question)
            .await
            .map_err(|_| SubmitError::Closing)?;
        let answer = answer.await.map_err(|_| SubmitError::Closing)?;
        Ok(match answer {
            Some(Answer::Ticket(Reply::Refused(refusal))) => ActionOutcome::Refused {
                kind: kind(&refusal),
                reason: refusal.text(),
            },
            Some(Answer::Ticket(Reply::Done { .. }) | Answer::Device) | None => ActionOutcome::Done,
        })
    }

    /// Reads the messages from the journal and appends them as controls, so that the pure pipeline gets them by content.
    /// Gives those that it does not have any more.
    async fn replay_rejected(self, positions: Vec<Position>) -> Result<Vec<Position>, SubmitError> {
        let mut gone = Vec::new();
        for position in positions {
            let journal = self.journal.clone();
            let read = tokio::task::spawn_blocking(move || journal.read(position, 1, 1)).await;
            let found = read
                .ok()
                .and_then(Result::ok)
                .and_then(|entries| entries.into_iter().next());
            match found {
                Some(Entry {
                    position: at,
                    received_at,
                    record: Record::Message(message),
                }) if at == position => {
                    self.clone()
                        .submit_record(Control::Replay {
                            position,
                            received_at,
                            message,
                        })
                        .await?;
                }
                _ => {
                    tracing::warn!(%position, "a rejected message is no longer in the journal and was not replayed");
                    gone.push(position);
                }
            }
        }
        Ok(gone)
    }

    async fn ask<T>(self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(question(reply)).await.ok()?;
        answer.await.ok()
    }
}

fn holder(held: &Held) -> JournalHolder {
    match &held.holder {
        Holder::Base => JournalHolder::State,
        Holder::Consumer(name) if name == SERIES => JournalHolder::Series,
        Holder::Consumer(name) => JournalHolder::Other(name.into()),
    }
}

/// What the caller does about a refusal.
const fn kind(refusal: &Refusal) -> RefusalKind {
    match refusal {
        Refusal::UnknownTicket { .. } => RefusalKind::Unknown,
        Refusal::Stale { current } => RefusalKind::Stale { current: *current },
        Refusal::TooOld { .. } | Refusal::NotAllowed { .. } | Refusal::AnotherOpen { .. } => {
            RefusalKind::Conflict
        }
        Refusal::WaitUntil { .. } | Refusal::TooManyParts { .. } => RefusalKind::Invalid,
    }
}

/// How far what reads the journal is behind it.
pub(super) fn backlog(journal: &Journal, shared: &Shared) -> Backlog {
    let last = journal.last().0;
    let (detection, series) = shared.backlog();
    let stats = journal.stats();
    Backlog {
        detection: Behind {
            records: last.saturating_sub(shared.processed().borrow().0),
            ..detection
        },
        series: Behind {
            records: last.saturating_sub(shared.series_written().0),
            ..series
        },
        journal_bytes: stats.bytes,
        held: stats.held.as_ref().map(|held| HeldBack {
            holder: holder(held),
            bytes: held.bytes,
        }),
    }
}

impl Backend for DaemonBackend {
    fn submit(&self, control: Control) -> BoxFuture<'static, Result<ActionOutcome, SubmitError>> {
        // A task of its own: the action goes on also when the caller hangs up.
        let task = tokio::spawn(self.clone().submit_record(control));
        async move { task.await.unwrap_or(Err(SubmitError::Closing)) }.boxed()
    }

    fn replay(
        &self,
        positions: Vec<Position>,
    ) -> BoxFuture<'static, Result<Vec<Position>, SubmitError>> {
        let task = tokio::spawn(self.clone().replay_rejected(positions));
        async move { task.await.unwrap_or(Err(SubmitError::Closing)) }.boxed()
    }

    fn first_kept(&self) -> Position {
        self.journal.first()
    }

    fn profiles(&self) -> Vec<Arc<Program>> {
        self.shared.profiles().iter().cloned().collect()
    }

    fn profile(&self, model: &str) -> Option<Arc<Program>> {
        self.shared.profiles().get(model).cloned()
    }

    fn word(&self, list: WordList, name: &str) -> Option<Text> {
        let profiles = self.shared.profiles();
        let words = profiles.words();
        match list {
            WordList::Cause => words.cause(name),
            WordList::Action => words.action(name),
            WordList::Message => words.message(name),
        }
        .cloned()
    }

    fn guide(&self, action: &str) -> Vec<Text> {
        self.shared.profiles().words().guide(action).to_vec()
    }

    fn live(&self, device: &DeviceId) -> BoxFuture<'static, Option<LiveDevice>> {
        let device = device.clone();
        let program = self.profile(device.model());
        let asked = self
            .clone()
            .ask(move |reply| Question::Device { device, reply });
        async move {
            asked
                .await
                .flatten()
                .map(|known| view::live(&known, program.as_deref(), clock::wall()))
        }
        .boxed()
    }

    fn unwritten(
        &self,
        devices: Vec<DeviceId>,
    ) -> BoxFuture<'static, BTreeMap<DeviceId, Unwritten>> {
        let asked = self
            .clone()
            .ask(move |reply| Question::Unwritten { devices, reply });
        async move { view::unwritten(asked.await.unwrap_or_default()) }.boxed()
    }

    fn fault_counts(&self, model: &str) -> BoxFuture<'static, BTreeMap<SmolStr, FaultCounts>> {
        Arc::clone(&self.tally).of(model.into()).boxed()
    }

    fn messages(
        &self,
        device: &DeviceId,
        before: Option<Position>,
        limit: usize,
    ) -> BoxFuture<'static, Result<HeardPage, HeardError>> {
        let (journal, sources) = (self.journal.clone(), Arc::clone(&self.sources));
        let device = device.clone();
        let profiles = self.shared.profiles();
        let offset_s = zones::offset_s(self.timezone, clock::wall());
        let look = move || {
            let context = Context {
                profiles: &profiles,
                offset_s,
            };
            messages::heard(&journal, &sources, context, &device, before, limit)
        };
        async move {
            match tokio::task::spawn_blocking(look).await {
                Ok(Ok(page)) => Ok(page),
                Ok(Err(error)) => {
                    tracing::error!(error = %error, "the journal could not be read for someone");
                    Err(HeardError)
                }
                Err(_) => Err(HeardError),
            }
        }
        .boxed()
    }

    fn traffic(&self) -> Traffic {
        self.shared.traffic(clock::wall())
    }

    fn backlog(&self) -> Backlog {
        backlog(&self.journal, &self.shared)
    }

    fn connections(&self, device: &DeviceId) -> Vec<LiveConnection> {
        let Some(listener_status) = &self.shared.listener else {
            return Vec::new();
        };
        listener::connections(listener_status, &self.sources, device)
    }

    fn decode(&self, message: &RawMessage, received_at: Timestamp) -> Understanding {
        let profiles = self.shared.profiles();
        let context = Context {
            profiles: &profiles,
            offset_s: zones::offset_s(self.timezone, clock::wall()),
        };
        let mut memory = DecodeState::clone(&self.sources);
        understand(&mut memory, context, received_at, message)
    }

    fn readiness(&self) -> Vec<Check> {
        readiness::checks(&self.journal, &self.shared, &self.backlog())
    }

    fn now(&self) -> Timestamp {
        clock::wall()
    }
}

/// The series store, as the web sees it.
pub(super) struct SeriesReader(pub(super) Series);

impl SeriesRead for SeriesReader {
    fn range(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<Vec<SeriesSample>, SeriesReadError>> {
        let series = self.0.clone();
        async move {
            let query = range_query(query);
            let samples = series
                .range(&query)
                .await
                .map_err(|error| read_error(&error))?;
            Ok(samples
                .into_iter()
                .map(|sample| SeriesSample {
                    at: sample.at,
                    min: sample.min,
                    max: sample.max,
                    mean: sample.mean,
                })
                .collect())
        }
        .boxed()
    }

    fn around(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<SeriesAround, SeriesReadError>> {
        let series = self.0.clone();
        async move {
            let SeriesQuery {
                measurement,
                device,
                field,
                from,
                ..
            } = query;
            let (before, extent) = tokio::join!(
                series.before(measurement, &device, &field, from),
                series.extent(measurement, &device, &field),
            );
            let extent = extent.map_err(|error| read_error(&error))?;
            Ok(SeriesAround {
                before: match before.map_err(|error| read_error(&error))? {
                    Some(Value {
                        at,
                        value: FieldValue::Float(number),
                    }) => Some((at, number)),
                    _ => None,
                },
                extent: extent.map(|extent| (extent.first, extent.last)),
            })
        }
        .boxed()
    }
}

fn range_query(query: SeriesQuery) -> RangeQuery {
    let SeriesQuery {
        measurement,
        device,
        field,
        from,
        to,
        points,
    } = query;
    RangeQuery {
        measurement,
        device,
        field,
        from,
        to,
        points,
    }
}

fn read_error(error: &SeriesError) -> SeriesReadError {
    SeriesReadError {
        reason: error.to_string(),
    }
}
