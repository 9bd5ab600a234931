//! Tests of the desk through its public face: events and actions in, changes, commands and replies out.

mod actions;

mod events;

mod machine;

mod neighbours;

mod notices;

use smol_str::SmolStr;

use super::{Desk, DeskOut, Refusal, Reply, Request, Ticket, TicketChange, TicketStatus};
use crate::detect::{DetectCommand, Evidence, FaultEvent, FaultEventKind};
use crate::profile::{
    Cond, Fault, Program, Recheck, RuleState, Severity, Signal, SignalKind, Stage, StageRule,
    StaleAfter, Unit,
};
use crate::telemetry::{DAY_MS, DeviceId, Identity, Text, TicketAction, Timestamp, Verdict};

/// The moment at which each test starts.
pub(super) const START: Timestamp = Timestamp::from_ms(1_772_347_269_120);

pub(super) fn day(days: i64) -> Timestamp {
    START + days * DAY_MS
}

pub(super) fn device(serial: &str) -> DeviceId {
    DeviceId::new("basin-1", serial).expect("a valid id")
}

fn rule(severity: Severity, action: &str) -> StageRule {
    StageRule {
        when: Cond::Const(true),
        gate: None,
        severity,
        latched: false,
        action: action.into(),
        message: Some("M14".into()),
        keep_ms: 0,
    }
}

fn fault(name: &str, warn: Option<Severity>, fault: Option<Severity>, signals: &[usize]) -> Fault {
    Fault {
        label: None,
        name: name.into(),
        code: "B1".into(),
        title: Text::new(format!("title of {name}"), format!("{name} 标题")),
        warn: warn.map(|severity| rule(severity, "look")),
        fault: fault.map(|severity| rule(severity, "visit")),
        clear: Cond::Const(false),
        recheck: Recheck::Span(3 * DAY_MS),
        reason: None,
        cause: "dirt".into(),
        parts: vec!["HEATER-F5".into()],
        absorbs: Vec::new(),
        sensor_of: Vec::new(),
        inhibited_by: Vec::new(),
        state: RuleState::Live,
        signals: signals.to_vec(),
        nodes: Vec::new(),
        written: Vec::new(),
        hash: 0,
    }
}

fn signal(name: &str) -> Signal {
    Signal {
        name: name.into(),
        path: name.into(),
        label: Text::same(name),
        unit: Unit {
            symbol: "°C".into(),
            scale: 1.0,
            dim: crate::profile::Dim::default(),
        },
        kind: SignalKind::Gauge,
        scale: 1.0,
        offset: 0.0,
        range: None,
        no_value: Vec::new(),
        default: None,
        cadence: crate::profile::Cadence::Unknown,
        stale_after: StaleAfter::Never,
        store_text: false,
        hash: 0,
    }
}

/// A profile with one fault of each kind that the desk tells apart.
pub(super) fn program() -> Program {
    let mut body = fault("body", Some(Severity::S2), Some(Severity::S1), &[1]);
    body.absorbs = vec!["scale".into(), "scald".into(), "body".into()];
    let mut sensor = fault("sensor", None, Some(Severity::S3), &[0]);
    sensor.sensor_of = vec![0];
    Program {
        archetype: None,
        maintainers: vec![],
        model: "basin-1".into(),
        kind: "basin".into(),
        name: Text::same("Basin"),
        version: "1".into(),
        profile_version: "0123456789ab".into(),
        plausible_past_ms: 0,
        plausible_future_ms: 0,
        limits: Vec::new(),
        signals: vec![signal("out"), signal("weight")],
        events: Vec::new(),
        sessions: Vec::new(),
        derives: Vec::new(),
        nodes: Vec::new(),
        steps: Vec::new(),
        terms: Vec::new(),
        faults: vec![
            fault("scale", Some(Severity::S3), Some(Severity::S2), &[0]),
            fault("scald", None, Some(Severity::S1), &[0]),
            body,
            sensor,
            fault("filter", Some(Severity::S4), Some(Severity::S2), &[1]),
        ],
        parts: Vec::new(),
    }
}

pub(super) fn event(kind: FaultEventKind, fault: &str, stage: Stage, at: Timestamp) -> FaultEvent {
    let program = program();
    let severity = program
        .faults
        .iter()
        .find(|known| known.name == fault)
        .and_then(|known| match stage {
            Stage::Warn => known.warn.as_ref(),
            Stage::Fault => known.fault.as_ref(),
        })
        .map_or(Severity::S3, |rule| rule.severity);
    FaultEvent {
        device: device("0001"),
        fault: fault.into(),
        kind,
        stage,
        severity,
        latched: false,
        at,
        event_time: at - 1_000,
        first_event_time: at - 60_000,
        late: false,
        reason: Text::new("Water is hot", "水很热"),
        evidence: vec![evidence("water.out_c", 49.2)],
        profile_version: "0123456789ab".into(),
        identity: Identity::default(),
    }
}

pub(super) fn evidence(path: &str, value: f64) -> Evidence {
    Evidence {
        term: "out >= 48 °C".into(),
        signal: Some(path.into()),
        label: Text::same("out"),
        value: Some(value),
        unit: "°C".into(),
        op: ">=".into(),
        limit: Some(48.0),
        baseline: None,
        samples: None,
        since: None,
        until: None,
        held: true,
    }
}

/// A desk with its profile, and what it said last.
pub(super) struct Bench {
    pub desk: Desk,
    pub program: Program,
    pub out: DeskOut,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            desk: Desk::new(),
            program: program(),
            out: DeskOut::default(),
        }
    }

    /// Gives an event; what came out is told as `change ticket status what`.
    pub(super) fn say(
        &mut self,
        kind: FaultEventKind,
        fault: &str,
        stage: Stage,
        at: Timestamp,
    ) -> String {
        self.give(&event(kind, fault, stage, at))
    }

    pub(super) fn give(&mut self, event: &FaultEvent) -> String {
        self.out = DeskOut::default();
        self.desk.fault(event, Some(&self.program), &mut self.out);
        self.told()
    }

    /// An action without version and key.
    pub(super) fn act(&mut self, at: Timestamp, ticket: &str, action: &TicketAction) -> String {
        self.ask(at, ticket, action, None, None)
    }

    pub(super) fn ask(
        &mut self,
        at: Timestamp,
        ticket: &str,
        action: &TicketAction,
        expected_version: Option<u64>,
        key: Option<&str>,
    ) -> String {
        self.out = DeskOut::default();
        let request = Request {
            ticket,
            action,
            by: "lena",
            expected_version,
            key,
        };
        self.desk.act(at, &request, &mut self.out);
        self.told()
    }

    pub(super) fn fire(&mut self, due: Timestamp) -> String {
        self.out = DeskOut::default();
        self.desk.fire(due, &mut self.out);
        self.told()
    }

    fn told(&self) -> String {
        let lines: Vec<String> = self.out.changes.iter().map(told).collect();
        lines.join("; ")
    }

    pub(super) fn refusal(&self) -> &Refusal {
        match &self.out.reply {
            Some(Reply::Refused(refusal)) => refusal,
            other => panic!("no refusal: {other:?}"),
        }
    }

    pub(super) fn ticket(&self, id: &str) -> &Ticket {
        self.desk.ticket(id).expect("a ticket that is kept")
    }

    pub(super) fn commands(&self) -> Vec<DetectCommand> {
        self.out
            .commands
            .iter()
            .map(|(_, command)| command.clone())
            .collect()
    }

    /// Raises `scale` at `warn` and lets a person resolve it.
    pub(super) fn resolved(at: Timestamp) -> Self {
        let mut bench = Self::new();
        bench.say(FaultEventKind::Raised, "scale", Stage::Warn, at);
        bench.act(at, "T-1", &resolve());
        bench
    }
}

fn told(change: &TicketChange) -> String {
    let mut line = format!(
        "{} {} {}",
        change.change.as_str(),
        change.ticket.id,
        change.ticket.status
    );
    if !change.what.is_empty() {
        line.push(' ');
        line.push_str(&change.what);
    }
    line
}

pub(super) fn resolve() -> TicketAction {
    TicketAction::Resolve {
        verdict: Verdict::ConfirmedFault,
        parts: vec![SmolStr::new("HEATER-F5")],
        note: Some("blob-1".into()),
    }
}
