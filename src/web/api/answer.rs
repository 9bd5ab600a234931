//! The shapes of answers that several addresses share: tickets with their timeline, and texts in both languages.

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;
use utoipa::ToSchema;

use crate::desk::{Ticket, TicketKind, TicketStatus, Waiting};
use crate::detect::Evidence;
use crate::profile::{Severity, Stage};
use crate::store::TimelineEntry;
use crate::telemetry::{DeviceId, Text, Timestamp, Verdict};
use crate::web::backend::{Backend, WordList};

/// Text for people, in both languages.
#[derive(ToSchema)]
#[schema(as = Text)]
#[expect(
    dead_code,
    reason = "only described: the answers carry telemetry's Text, which has the same fields"
)]
pub(super) struct TextShape {
    /// English.
    en: String,
    /// Simplified Chinese.
    zh: String,
}

/// A word of the shared lists: its id, and what it says.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Word)]
pub(super) struct WordAnswer {
    /// As profiles and filters name it.
    #[schema(value_type = String)]
    pub(super) id: SmolStr,
    /// English.
    pub(super) en: String,
    /// Simplified Chinese.
    pub(super) zh: String,
}

/// One term of the condition at the moment of the decision.
#[derive(ToSchema)]
#[schema(as = Evidence)]
#[expect(
    dead_code,
    reason = "only described: the answers carry detection's Evidence, which has the same fields"
)]
pub(super) struct EvidenceShape {
    term: String,
    signal: Option<String>,
    label: TextShape,
    value: Option<f64>,
    unit: String,
    op: String,
    limit: Option<f64>,
    baseline: Option<f64>,
    samples: Option<u32>,
    since: Option<String>,
    until: Option<String>,
    held: bool,
}

/// What a waiting ticket waits for.
#[derive(ToSchema)]
#[schema(as = Waiting)]
#[expect(
    dead_code,
    reason = "only described: the answers carry the desk's Waiting, which has the same fields"
)]
pub(super) struct WaitingShape {
    /// `customer`, `part` or `visit`.
    r#for: String,
    until: String,
}

/// One line of a ticket's story.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TimelineLine)]
pub(super) struct TimelineAnswer {
    /// When, by the journal's time.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `opened`, `worsened`, `eased`, `cleared`, `cancelled`, `reopened` or `acted`.
    #[schema(value_type = String)]
    change: SmolStr,
    /// Which action; empty when the change says it all.
    #[schema(value_type = String)]
    what: SmolStr,
    /// Who; null for Foremend itself.
    #[schema(value_type = Option<String>)]
    by: Option<SmolStr>,
    /// What the person wrote.
    text: Option<String>,
    /// The person wrote something that was erased since.
    erased: bool,
    /// When the event behind it happened, by the device's time.
    #[schema(value_type = String, format = DateTime)]
    event_time: Timestamp,
    /// The ticket's version after it.
    version: u64,
    /// The fields that changed, with their new values.
    #[schema(value_type = Object)]
    changed: Value,
}

/// A ticket. What a later capability fills is null.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Ticket)]
pub(super) struct TicketAnswer {
    #[schema(value_type = String, example = "T-1")]
    id: SmolStr,
    /// Grows by one with each change; the `ETag`.
    version: u64,
    #[schema(value_type = String, example = "ticket")]
    kind: TicketKind,
    #[schema(value_type = String, example = "TF3")]
    code: SmolStr,
    #[schema(value_type = String, example = "model-a/TSF5-000123")]
    device: DeviceId,
    model: String,
    serial: String,
    #[schema(value_type = String)]
    fault: SmolStr,
    #[schema(value_type = TextShape)]
    title: Text,
    /// `warn` or `fault`.
    #[schema(value_type = String)]
    stage: Stage,
    /// `S1` (worst) to `S4`.
    #[schema(value_type = String)]
    severity: Severity,
    /// `new`, `acknowledged`, `in_progress`, `waiting`, `resolved`, `closed` or `cancelled`.
    #[schema(value_type = String)]
    status: TicketStatus,
    level: Option<String>,
    team: Option<String>,
    #[schema(value_type = Option<String>)]
    assignee: Option<SmolStr>,
    case: Option<String>,
    problem: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    event_time: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    first_event_time: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    cleared_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    occurrences: u32,
    /// It was decided from late or caught-up data.
    late: bool,
    /// The sentence with its numbers.
    #[schema(value_type = TextShape)]
    reason: Text,
    #[schema(value_type = Vec<EvidenceShape>)]
    evidence: Vec<Evidence>,
    #[schema(value_type = String)]
    profile_version: SmolStr,
    /// Probable cause.
    cause: WordAnswer,
    /// What a person is to do.
    action: WordAnswer,
    /// Part numbers to bring.
    #[schema(value_type = Vec<String>)]
    parts: Vec<SmolStr>,
    /// What the customer is told.
    message: Option<WordAnswer>,
    /// What to do, step by step.
    #[schema(value_type = Vec<TextShape>)]
    guide: Vec<Text>,
    #[schema(value_type = Option<String>)]
    lot: Option<SmolStr>,
    #[schema(value_type = Option<String>)]
    firmware: Option<SmolStr>,
    #[schema(value_type = Option<String>)]
    region: Option<SmolStr>,
    warranty: Option<String>,
    customer_ref: Option<String>,
    #[schema(value_type = Option<WaitingShape>)]
    waiting: Option<Waiting>,
    #[schema(value_type = Option<Vec<Object>>)]
    sla: Option<Vec<Value>>,
    #[schema(value_type = Option<Vec<Object>>)]
    visits: Option<Vec<Value>>,
    #[schema(value_type = Option<String>)]
    verdict: Option<Verdict>,
    /// Part numbers that were fitted, told at resolve.
    #[schema(value_type = Vec<String>)]
    fitted: Vec<SmolStr>,
    /// The ticket before it on the same fault, or the one that absorbed it.
    #[schema(value_type = Option<String>)]
    linked: Option<SmolStr>,
    /// Oldest first; null in lists.
    timeline: Option<Vec<TimelineAnswer>>,
    #[schema(value_type = Option<Vec<Object>>)]
    deliveries: Option<Vec<Value>>,
}

/// A page of tickets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TicketList)]
pub(super) struct TicketsAnswer {
    pub(super) items: Vec<TicketAnswer>,
    /// For `after=`; null on the last page.
    pub(super) next: Option<String>,
}

impl TicketAnswer {
    /// A ticket with its words in full.
    pub(super) fn new(
        backend: &dyn Backend,
        ticket: Ticket,
        timeline: Option<Vec<TimelineEntry>>,
    ) -> Self {
        let message = ticket.message.clone();
        Self {
            model: ticket.device.model().to_owned(),
            serial: ticket.device.serial().to_owned(),
            cause: word(backend, WordList::Cause, &ticket.cause),
            guide: backend.guide(&ticket.action),
            action: word(backend, WordList::Action, &ticket.action),
            message: message.map(|name| word(backend, WordList::Message, &name)),
            timeline: timeline.map(|lines| lines.into_iter().map(TimelineAnswer::from).collect()),
            id: ticket.id,
            version: ticket.version,
            kind: ticket.kind,
            code: ticket.code,
            device: ticket.device,
            fault: ticket.fault,
            title: ticket.title,
            stage: ticket.stage,
            severity: ticket.severity,
            status: ticket.status,
            assignee: ticket.assignee,
            opened_at: ticket.opened_at,
            event_time: ticket.event_time,
            first_event_time: ticket.first_event_time,
            updated_at: ticket.updated_at,
            cleared_at: ticket.cleared_at,
            resolved_at: ticket.resolved_at,
            closed_at: ticket.closed_at,
            occurrences: ticket.occurrences,
            late: ticket.late,
            reason: ticket.reason,
            evidence: ticket.evidence,
            profile_version: ticket.profile_version,
            parts: ticket.parts,
            lot: ticket.lot,
            firmware: ticket.firmware,
            region: ticket.region,
            waiting: ticket.waiting,
            verdict: ticket.verdict,
            fitted: ticket.fitted,
            linked: ticket.linked,
            level: None,
            team: None,
            case: None,
            problem: None,
            warranty: None,
            customer_ref: None,
            sla: None,
            visits: None,
            deliveries: None,
        }
    }
}

impl From<TimelineEntry> for TimelineAnswer {
    fn from(line: TimelineEntry) -> Self {
        Self {
            at: line.at,
            change: line.change,
            what: line.what,
            by: line.by,
            text: line.text,
            erased: line.erased,
            event_time: line.event_time,
            version: line.version,
            changed: line.changed,
        }
    }
}

/// A word in full; one that the lists no longer have stands for itself.
pub(super) fn word(backend: &dyn Backend, list: WordList, name: &str) -> WordAnswer {
    let text = backend.word(list, name).unwrap_or_else(|| Text::same(name));
    WordAnswer {
        id: name.into(),
        en: text.en,
        zh: text.zh,
    }
}
