//! A daemon's double: it does a person's action at once on the store, as pipeline and desk would.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use smol_str::SmolStr;

use crate::desk::{Change, Ticket, TicketChange, TicketKind, TicketStatus};
use crate::profile::{Program, Severity, Stage};
use crate::store::{Batch, Store};
use crate::telemetry::{Control, DeviceId, Position, RawMessage, Text, TicketAction, Timestamp};
use crate::web::{
    ActionOutcome, Backend, Backlog, Behind, Check, FaultCounts, HeardError, HeardMessage,
    HeardPage, LiveConnection, LiveDevice, LiveFault, RefusalKind, SeriesAround, SeriesQuery,
    SeriesRead, SeriesReadError, SeriesSample, SubmitError, Understood, Unwritten, WordList,
};

use super::program::program;

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_772_347_269_120);

/// The double; its fields say how it behaves and what it was told.
pub(super) struct Double {
    pub(super) store: Store,
    pub(super) told: Mutex<Vec<Control>>,
    pub(super) replays: Mutex<Vec<Vec<Position>>>,
    /// Its journal begins here.
    pub(super) first_kept: AtomicU64,
    /// How far behind it is.
    pub(super) backlog: Mutex<Backlog>,
    /// It never finishes an action.
    pub(super) stuck: AtomicBool,
    /// Its journal is full.
    pub(super) full: AtomicBool,
    /// It is not ready.
    pub(super) sick: AtomicBool,
    /// What it knows of a device, by serial; of others it knows little.
    pub(super) alive: Mutex<BTreeMap<String, LiveDevice>>,
    /// Messages in its journal, newest first; while empty it makes some up.
    pub(super) heard: Mutex<Vec<HeardMessage>>,
    /// Who speaks for its devices.
    pub(super) connected: Mutex<Vec<LiveConnection>>,
    /// What is not in the store yet.
    pub(super) unwritten: Mutex<BTreeMap<DeviceId, Unwritten>>,
}

impl Double {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            told: Mutex::default(),
            replays: Mutex::default(),
            first_kept: AtomicU64::new(0),
            backlog: Mutex::new(Backlog {
                detection: behind(2),
                series: behind(7),
                journal_bytes: 3 << 20,
                held: None,
            }),
            stuck: AtomicBool::new(false),
            full: AtomicBool::new(false),
            sick: AtomicBool::new(false),
            alive: Mutex::default(),
            heard: Mutex::default(),
            connected: Mutex::default(),
            unwritten: Mutex::default(),
        }
    }

    pub(super) fn replayed(&self) -> Vec<Vec<Position>> {
        self.replays.lock().expect("no test panicked").clone()
    }

    pub(super) fn told(&self) -> Vec<Control> {
        self.told.lock().expect("no test panicked").clone()
    }
}

/// So many records behind, and nothing to tell of it.
const fn behind(records: u64) -> Behind {
    Behind {
        records,
        per_second: 0,
        left: None,
    }
}

impl Backend for Double {
    fn replay(
        &self,
        positions: Vec<Position>,
    ) -> BoxFuture<'static, Result<Vec<Position>, SubmitError>> {
        self.replays
            .lock()
            .expect("no test panicked")
            .push(positions);
        async { Ok(Vec::new()) }.boxed()
    }

    fn first_kept(&self) -> Position {
        Position(self.first_kept.load(Ordering::Relaxed))
    }

    fn submit(&self, control: Control) -> BoxFuture<'static, Result<ActionOutcome, SubmitError>> {
        self.told
            .lock()
            .expect("no test panicked")
            .push(control.clone());
        if self.full.load(Ordering::Relaxed) {
            let retry_after = Duration::from_secs(7);
            return async move { Err(SubmitError::Full { retry_after }) }.boxed();
        }
        if self.stuck.load(Ordering::Relaxed) {
            return futures_util::future::pending().boxed();
        }
        let store = self.store.clone();
        async move { Ok(act(&store, control).await) }.boxed()
    }

    fn profiles(&self) -> Vec<Arc<Program>> {
        vec![Arc::new(program())]
    }

    fn profile(&self, model: &str) -> Option<Arc<Program>> {
        (model == "ts-flash5").then(|| Arc::new(program()))
    }

    fn word(&self, list: WordList, name: &str) -> Option<Text> {
        match (list, name) {
            (WordList::Cause, "scale") => Some(Text::new("Limescale", "水垢")),
            (WordList::Action, "descale") => Some(Text::new("Descale", "除垢")),
            (WordList::Cause | WordList::Action | WordList::Message, _) => None,
        }
    }

    fn guide(&self, action: &str) -> Vec<Text> {
        match action {
            "descale" => vec![Text::new("Start the programme", "启动程序")],
            _ => Vec::new(),
        }
    }

    fn live(&self, device: &DeviceId) -> BoxFuture<'static, Option<LiveDevice>> {
        let alive = self.alive.lock().expect("no test panicked");
        if let Some(live) = alive.get(device.serial()).cloned() {
            return async move { Some(live) }.boxed();
        }
        let live = (device.serial() == "TSF5-000123").then(|| LiveDevice {
            signals: Vec::new(),
            faults: vec![LiveFault {
                fault: "scale".into(),
                state: "blind".into(),
                stage: None,
                since: None,
                why: Some(Text::new("no water temperature", "无水温")),
                blind: None,
                stages: Vec::new(),
                rechecking: false,
                shadow: false,
            }],
            ..LiveDevice::default()
        });
        async move { live }.boxed()
    }

    fn connections(&self, _: &DeviceId) -> Vec<LiveConnection> {
        self.connected.lock().expect("no test panicked").clone()
    }

    fn unwritten(&self, _: Vec<DeviceId>) -> BoxFuture<'static, BTreeMap<DeviceId, Unwritten>> {
        let unwritten = self.unwritten.lock().expect("no test panicked").clone();
        async move { unwritten }.boxed()
    }

    fn fault_counts(&self, _: &str) -> BoxFuture<'static, BTreeMap<SmolStr, FaultCounts>> {
        let counts = FaultCounts {
            judged: 7,
            learning: 2,
            ..FaultCounts::default()
        };
        async move { [(SmolStr::from("scale"), counts)].into() }.boxed()
    }

    fn messages(
        &self,
        _: &DeviceId,
        before: Option<Position>,
        limit: usize,
    ) -> BoxFuture<'static, Result<HeardPage, HeardError>> {
        let heard = self.heard.lock().expect("no test panicked").clone();
        if !heard.is_empty() {
            let page = HeardPage {
                items: heard,
                next: None,
            };
            return async move { Ok(page) }.boxed();
        }
        // The positions of the rejected messages, and a binary one before them.
        let newest = before.map_or(6, |before| before.0 - 1);
        let items = (3..=newest).rev().take(limit).map(|position| HeardMessage {
            position: Position(position),
            received_at: NOW,
            message: RawMessage {
                topic: "appl/v1/x/1/tele".into(),
                payload: if position == 3 {
                    vec![0xff]
                } else {
                    b"{}".to_vec()
                }
                .into(),
                source: "test".into(),
                qos: 1,
                dup: false,
                retained: false,
                queued: false,
                content_type: None,
                oversize: None,
            },
            understood: Understood::Nothing,
            hints: Vec::new(),
        });
        let items: Vec<_> = items.collect();
        let next = items.last().map(|item| item.position);
        async move { Ok(HeardPage { items, next }) }.boxed()
    }

    fn traffic(&self) -> crate::web::Traffic {
        let counts = |received, rejected| crate::web::TrafficCounts {
            received,
            decoded: received - rejected,
            rejected,
            duplicate: 0,
        };
        let bucket = |n: i64, counts| crate::web::TrafficBucket {
            at: NOW - n * 30_000,
            counts,
        };
        crate::web::Traffic {
            since: NOW - 60_000,
            bucket_ms: 30_000,
            buckets: vec![bucket(2, counts(30, 0)), bucket(1, counts(60, 3))],
        }
    }

    fn backlog(&self) -> crate::web::Backlog {
        self.backlog.lock().expect("no test panicked").clone()
    }

    fn decode(&self, message: &RawMessage, received_at: Timestamp) -> crate::decode::Understanding {
        let profiles = crate::profile::Profiles::default();
        let context = crate::decode::Context {
            profiles: &profiles,
            offset_s: 8 * 3_600,
        };
        let mut memory = crate::decode::DecodeState::new();
        crate::decode::understand(&mut memory, context, received_at, message)
    }

    fn readiness(&self) -> Vec<Check> {
        vec![Check {
            name: "journal".into(),
            ok: !self.sick.load(Ordering::Relaxed),
            detail: "1 of 20 GiB".into(),
        }]
    }

    fn now(&self) -> Timestamp {
        NOW
    }
}

const fn refuse(kind: RefusalKind, reason: Text) -> ActionOutcome {
    ActionOutcome::Refused { kind, reason }
}

async fn act(store: &Store, control: Control) -> ActionOutcome {
    let position = store.position().next();
    let Control::Ticket {
        ticket: id,
        action,
        by,
        expected_version,
        ..
    } = control
    else {
        let batch = Batch {
            position,
            ..Batch::default()
        };
        store.apply(batch).await.expect("committed");
        return ActionOutcome::Done;
    };
    let mut ticket = store
        .ticket(&id)
        .await
        .expect("a read")
        .expect("the web looked before");
    if expected_version.is_some_and(|seen| seen != ticket.version) {
        let current = ticket.version;
        let reason = Text::new(
            format!("its version is now {current}"),
            format!("当前版本为 {current}"),
        );
        return refuse(RefusalKind::Stale { current }, reason);
    }
    let what = format!("{:?}", action.basic()).to_lowercase();
    if action == TicketAction::Close && ticket.status == TicketStatus::New {
        let reason = Text::new("close is not allowed while new", "不允许");
        return refuse(RefusalKind::Conflict, reason);
    }
    let blob = carry_out(&mut ticket, action);
    ticket.version += 1;
    let change = TicketChange {
        at: NOW,
        change: Change::Acted,
        what: what.into(),
        by: Some(by),
        blob,
        event_time: NOW,
        ticket,
    };
    let changes = [change];
    let batch = Batch {
        position,
        changes: &changes,
        ..Batch::default()
    };
    store.apply(batch).await.expect("committed");
    ActionOutcome::Done
}

/// Gives the text that came with it.
fn carry_out(ticket: &mut Ticket, action: TicketAction) -> Option<SmolStr> {
    match action {
        TicketAction::Assign { to } => ticket.assignee = Some(to),
        TicketAction::Comment { blob } => return Some(blob),
        TicketAction::Resolve {
            verdict,
            parts,
            note,
        } => {
            ticket.status = TicketStatus::Resolved;
            ticket.verdict = Some(verdict);
            ticket.fitted = parts;
            return note;
        }
        TicketAction::Acknowledge => ticket.status = TicketStatus::Acknowledged,
        TicketAction::Wait { .. } => ticket.status = TicketStatus::Waiting,
        TicketAction::Reopen { reason } => return reason,
        TicketAction::Start | TicketAction::Close => ticket.status = TicketStatus::InProgress,
    }
    None
}

/// A series of three values; a signal named `broken` cannot be read.
pub(super) struct ThreeValues {
    pub(super) asked: Mutex<Vec<SeriesQuery>>,
    /// It does not answer.
    pub(super) down: AtomicBool,
}

impl SeriesRead for ThreeValues {
    fn range(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<Vec<SeriesSample>, SeriesReadError>> {
        let broken = query.field == "broken" || self.down.load(Ordering::Relaxed);
        let from = query.from;
        self.asked.lock().expect("no test panicked").push(query);
        async move {
            if broken {
                let reason = "connection refused".to_owned();
                return Err(SeriesReadError { reason });
            }
            let sample = |n: i32| SeriesSample {
                at: from + i64::from(n),
                min: f64::from(n),
                max: f64::from(n + 2),
                mean: f64::from(n + 1),
            };
            Ok((0..3).map(sample).collect())
        }
        .boxed()
    }

    fn around(
        &self,
        query: SeriesQuery,
    ) -> BoxFuture<'static, Result<SeriesAround, SeriesReadError>> {
        let from = query.from;
        let around = SeriesAround {
            before: Some((from - 1, 0.5)),
            extent: Some((from - 1, from + 2)),
        };
        async move { Ok(around) }.boxed()
    }
}

/// A new ticket of the fault `scale`.
pub(super) fn opened(id: u32, serial: &str, severity: Severity) -> TicketChange {
    let device = DeviceId::new("ts-flash5", serial).expect("a valid serial");
    let at = NOW - 1_000 + i64::from(id);
    let ticket = Ticket {
        id: format!("T-{id}").into(),
        version: 1,
        kind: TicketKind::Ticket,
        code: "TF3".into(),
        device,
        fault: "scale".into(),
        title: Text::new("Limescale", "结垢"),
        stage: Stage::Warn,
        severity,
        status: TicketStatus::New,
        assignee: None,
        opened_at: at,
        event_time: at,
        first_event_time: at,
        updated_at: at,
        cleared_at: None,
        resolved_at: None,
        closed_at: None,
        occurrences: 1,
        late: false,
        reason: Text::new("49.2 °C", "49.2 °C"),
        evidence: Vec::new(),
        profile_version: "0123456789ab".into(),
        cause: "scale".into(),
        action: "descale".into(),
        parts: vec!["FILTER-F5".into()],
        message: Some("M14".into()),
        lot: None,
        firmware: None,
        region: None,
        waiting: None,
        verdict: None,
        fitted: Vec::new(),
        linked: None,
        last_change: Change::Opened,
    };
    TicketChange {
        at,
        change: Change::Opened,
        what: "".into(),
        by: None,
        blob: None,
        event_time: at,
        ticket,
    }
}
