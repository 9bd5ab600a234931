//! Where the faults of a device stand, as the API tells it: state, reason, and how far each stage is from its limit.

use serde::Serialize;
use smol_str::SmolStr;
use utoipa::ToSchema;

use crate::detect::{HoldView, Learning, OwnNormal, StageView, TermView};
use crate::profile::{Program, Severity, Stage};
use crate::telemetry::{Text, Timestamp};
use crate::web::backend::LiveFault;

use super::answer::TextShape;

/// Where a fault of a device stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FaultState)]
pub(super) struct FaultStateAnswer {
    #[schema(value_type = String)]
    fault: SmolStr,
    #[schema(value_type = String, example = "TF3")]
    code: SmolStr,
    #[schema(value_type = TextShape)]
    title: Text,
    /// `learning`, `normal`, `pending`, `active`, `clearing` or `blind`.
    #[schema(value_type = String)]
    state: SmolStr,
    /// `warn` or `fault`, while active.
    #[schema(value_type = Option<String>)]
    stage: Option<Stage>,
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Why it is not judged.
    #[schema(value_type = Option<TextShape>)]
    why: Option<Text>,
    /// The kind of that reason: `frozen`, `held_back`, `not_now`, `no_signal`, `stale`, `invalid`, `learning` or `no_result`.
    reason: Option<&'static str>,
    /// How far learning is, when that is the reason.
    learning: Option<LearningAnswer>,
    /// How near its nearest stage is: 0 where a healthy device rests, 1 at the limit; null when nothing of it has a scale now.
    distance: Option<f64>,
    /// The term that decides `distance`.
    nearest: Option<TermAnswer>,
    /// Its stages, worst last.
    stages: Vec<StageStateAnswer>,
    /// A repair is being watched.
    rechecking: bool,
    /// Only recorded: it opens no ticket.
    shadow: bool,
}

/// How far learning is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Learning)]
pub(super) struct LearningAnswer {
    /// Whose values are counted.
    #[schema(value_type = String, example = "derive.heat_lag")]
    what: SmolStr,
    #[schema(value_type = TextShape)]
    label: Text,
    /// Values so far.
    have: u32,
    /// Values needed.
    need: u32,
    /// When it is over if values go on coming as they did.
    #[schema(value_type = Option<String>, format = DateTime)]
    ready_at: Option<Timestamp>,
}

/// One stage of a fault as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StageState)]
pub(super) struct StageStateAnswer {
    /// `warn` or `fault`.
    #[schema(value_type = String)]
    stage: Stage,
    #[schema(value_type = String)]
    severity: Severity,
    /// Raised until a person or a replaced part clears it.
    latched: bool,
    /// Its condition holds; null when that cannot be known now.
    holds: Option<bool>,
    distance: Option<f64>,
    /// Index of the term that decides `distance`.
    nearest: Option<usize>,
    terms: Vec<TermAnswer>,
}

/// One term of a condition as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TermState)]
pub(super) struct TermAnswer {
    /// As written in the profile.
    #[schema(value_type = String)]
    term: SmolStr,
    #[schema(value_type = Option<String>)]
    signal: Option<SmolStr>,
    #[schema(value_type = TextShape)]
    label: Text,
    value: Option<f64>,
    #[schema(value_type = String)]
    unit: SmolStr,
    #[schema(value_type = String)]
    op: SmolStr,
    limit: Option<f64>,
    /// The device's own frozen baseline, in the unit of the derive that is compared.
    baseline: Option<f64>,
    /// How many values stand behind it.
    samples: Option<u32>,
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// It holds; null when that cannot be known now.
    holds: Option<bool>,
    /// 0 at rest, 1 at the limit; null for a word, a truth value or what is not known.
    distance: Option<f64>,
    /// What `distance` is measured from, in `unit`.
    rest: Option<f64>,
    /// The same beside what it was when the device was new.
    own: Option<OwnNormalAnswer>,
    hold: Option<HoldAnswer>,
}

/// A value beside what it was when the device was new.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OwnNormal)]
pub(super) struct OwnNormalAnswer {
    #[schema(value_type = String)]
    signal: SmolStr,
    #[schema(value_type = TextShape)]
    label: Text,
    #[schema(value_type = String)]
    unit: SmolStr,
    value: f64,
    /// The frozen median.
    normal: f64,
    /// The frozen robust spread.
    spread: f64,
    /// The limit, as this device has it.
    limit: f64,
}

/// How much of the hold around a term is complete.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub(super) struct HoldAnswer {
    /// So many seconds, or so many of the last values, so far.
    held: f64,
    /// Needed.
    of: f64,
    /// `s` or `values`.
    unit: &'static str,
    /// Of the last so many values; null for a time.
    among: Option<u32>,
}

impl FaultStateAnswer {
    /// A fault with its words from the profile.
    pub(super) fn new(fault: LiveFault, program: Option<&Program>) -> Self {
        let rule =
            program.and_then(|program| program.faults.iter().find(|rule| rule.name == fault.fault));
        Self {
            code: rule.map(|rule| rule.code.clone()).unwrap_or_default(),
            title: rule.map(|rule| rule.title.clone()).unwrap_or_default(),
            reason: fault.blind.as_ref().map(crate::detect::Blind::code),
            learning: fault
                .blind
                .as_ref()
                .and_then(|blind| blind.learning().cloned())
                .map(LearningAnswer::from),
            distance: fault.distance(),
            nearest: fault.nearest().cloned().map(TermAnswer::from),
            stages: fault
                .stages
                .into_iter()
                .map(StageStateAnswer::from)
                .collect(),
            fault: fault.fault,
            state: fault.state,
            stage: fault.stage,
            since: fault.since,
            why: fault.why,
            rechecking: fault.rechecking,
            shadow: fault.shadow,
        }
    }
}

impl From<Learning> for LearningAnswer {
    fn from(learning: Learning) -> Self {
        Self {
            what: learning.what,
            label: learning.label,
            have: learning.have,
            need: learning.need,
            ready_at: learning.ready_at,
        }
    }
}

impl From<StageView> for StageStateAnswer {
    fn from(stage: StageView) -> Self {
        Self {
            stage: stage.stage,
            severity: stage.severity,
            latched: stage.latched,
            holds: stage.holds,
            distance: stage.distance,
            nearest: stage.nearest,
            terms: stage.terms.into_iter().map(TermAnswer::from).collect(),
        }
    }
}

impl From<TermView> for TermAnswer {
    fn from(term: TermView) -> Self {
        let evidence = term.evidence;
        Self {
            term: evidence.term,
            signal: evidence.signal,
            label: evidence.label,
            value: evidence.value,
            unit: evidence.unit,
            op: evidence.op,
            limit: evidence.limit,
            baseline: evidence.baseline,
            samples: evidence.samples,
            since: evidence.since,
            holds: term.holds,
            distance: term.distance,
            rest: term.rest,
            own: term.own.map(OwnNormalAnswer::from),
            hold: term.hold.map(HoldAnswer::from),
        }
    }
}

impl From<OwnNormal> for OwnNormalAnswer {
    fn from(own: OwnNormal) -> Self {
        Self {
            signal: own.signal,
            label: own.label,
            unit: own.unit,
            value: own.value,
            normal: own.normal,
            spread: own.spread,
            limit: own.limit,
        }
    }
}

impl From<HoldView> for HoldAnswer {
    fn from(hold: HoldView) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "times of a profile are far below 2^53 ms"
        )]
        let seconds = |ms: i64| ms as f64 / 1_000.0;
        match hold {
            HoldView::Time { held_ms, of_ms } => Self {
                held: seconds(held_ms),
                of: seconds(of_ms),
                unit: "s",
                among: None,
            },
            HoldView::Values { held, of, among } => Self {
                held: f64::from(held),
                of: f64::from(of),
                unit: "values",
                among: Some(among),
            },
        }
    }
}
