//! `GET /profiles` and `GET /profiles/{model}`: what the rules in force look for, and how the devices stand with them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use smol_str::SmolStr;
use utoipa::ToSchema;

use crate::profile::{Cond, Fault, Program, RuleState, Severity, StageRule};
use crate::telemetry::Text;
use crate::web::WebState;
use crate::web::backend::{Backend, FaultCounts, WordList};
use crate::web::extract::PathOf;
use crate::web::problem::Problem;

use super::answer::{TextShape, WordAnswer, word};

/// A profile in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Profile)]
pub(super) struct ProfileAnswer {
    #[schema(value_type = String, example = "model-a")]
    model: SmolStr,
    /// Kind of appliance.
    #[schema(value_type = String)]
    kind: SmolStr,
    #[schema(value_type = TextShape)]
    name: Text,
    /// The version its maintainers gave it.
    #[schema(value_type = String)]
    version: SmolStr,
    /// First 12 hex digits of the SHA-256 of the profile without comments and cases.
    #[schema(value_type = String)]
    profile_version: SmolStr,
    signals: usize,
    faults: usize,
}

/// The profiles in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ProfileList)]
pub(super) struct ProfilesAnswer {
    items: Vec<ProfileAnswer>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// A profile with its faults.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ProfileDetail)]
pub(super) struct ProfileDetailAnswer {
    #[serde(flatten)]
    profile: ProfileAnswer,
    /// Part numbers and titles.
    parts: Vec<PartAnswer>,
    /// In the profile's order.
    rules: Vec<FaultAnswer>,
}

/// A replaceable part.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Part)]
pub(super) struct PartAnswer {
    #[schema(value_type = String)]
    number: SmolStr,
    #[schema(value_type = TextShape)]
    title: Text,
}

/// A fault that the profile looks for.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(super) struct FaultAnswer {
    #[schema(value_type = String)]
    fault: SmolStr,
    #[schema(value_type = String, example = "TF3")]
    code: SmolStr,
    #[schema(value_type = TextShape)]
    title: Text,
    cause: WordAnswer,
    /// `live`, `shadow` or `off`.
    state: &'static str,
    warn: Option<StageAnswer>,
    /// The stage `fault`.
    full: Option<StageAnswer>,
    /// What is looked at to tell that it is over.
    #[schema(value_type = Vec<String>)]
    clear: Vec<SmolStr>,
    /// Part numbers to bring.
    #[schema(value_type = Vec<String>)]
    parts: Vec<SmolStr>,
    /// Over 30 days.
    devices: CountsAnswer,
}

/// One stage of a fault.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Stage)]
pub(super) struct StageAnswer {
    #[schema(value_type = String)]
    severity: Severity,
    /// Raised until a person or a replaced part clears it.
    latched: bool,
    /// What is looked at, as written in the profile.
    #[schema(value_type = Vec<String>)]
    looks_at: Vec<SmolStr>,
    action: WordAnswer,
    message: Option<WordAnswer>,
}

/// How the devices of the model stand with a fault.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FaultCounts)]
pub(super) struct CountsAnswer {
    judged: u64,
    /// Too few values so far.
    learning: u64,
    blind: u64,
    /// Those by reason: `frozen`, `held_back`, `not_now`, `no_signal`, `stale`, `invalid` or `no_result`.
    #[schema(value_type = BTreeMap<String, u64>)]
    blind_by: BTreeMap<SmolStr, u64>,
    pending: u64,
    active: u64,
}

/// The profiles in force.
#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles", responses((status = 200, body = ProfilesAnswer)))]
pub(super) async fn profiles(State(state): State<WebState>) -> Json<ProfilesAnswer> {
    let programs = state.backend.profiles();
    Json(ProfilesAnswer {
        items: programs.iter().map(|program| short(program)).collect(),
        next: None,
    })
}

/// One profile: its faults, and how the devices stand with each.
#[utoipa::path(get, path = "/api/v1/profiles/{model}", tag = "profiles", params(("model" = String, Path)),
    responses((status = 200, body = ProfileDetailAnswer), (status = 404, description = "no profile knows this model")))]
pub(super) async fn profile(
    State(state): State<WebState>,
    PathOf(model): PathOf<String>,
) -> Result<Json<ProfileDetailAnswer>, Problem> {
    let Some(program) = state.backend.profile(&model) else {
        return Err(Problem::not_found(format!(
            "no profile knows the model '{}'",
            model.chars().take(40).collect::<String>()
        )));
    };
    let counts = state.backend.fault_counts(&model).await;
    let rule = |fault: &Fault| {
        let counts = counts.get(&fault.name).cloned().unwrap_or_default();
        rule(&*state.backend, &program, fault, counts)
    };
    Ok(Json(ProfileDetailAnswer {
        profile: short(&program),
        parts: program
            .parts
            .iter()
            .map(|part| PartAnswer {
                number: part.number.clone(),
                title: part.title.clone(),
            })
            .collect(),
        rules: program.faults.iter().map(rule).collect(),
    }))
}

fn short(program: &Program) -> ProfileAnswer {
    ProfileAnswer {
        model: program.model.clone(),
        kind: program.kind.clone(),
        name: program.name.clone(),
        version: program.version.clone(),
        profile_version: program.profile_version.clone(),
        signals: program.signals.len(),
        faults: program.faults.len(),
    }
}

fn rule(
    backend: &dyn Backend,
    program: &Program,
    fault: &Fault,
    counts: FaultCounts,
) -> FaultAnswer {
    let stage = |rule: &StageRule| StageAnswer {
        severity: rule.severity,
        latched: rule.latched,
        looks_at: looks_at(program, &rule.when),
        action: word(backend, WordList::Action, &rule.action),
        message: rule
            .message
            .as_ref()
            .map(|name| word(backend, WordList::Message, name)),
    };
    FaultAnswer {
        fault: fault.name.clone(),
        code: fault.code.clone(),
        title: fault.title.clone(),
        cause: word(backend, WordList::Cause, &fault.cause),
        state: match fault.state {
            RuleState::Live => "live",
            RuleState::Shadow => "shadow",
            RuleState::Off => "off",
        },
        warn: fault.warn.as_ref().map(stage),
        full: fault.fault.as_ref().map(stage),
        clear: looks_at(program, &fault.clear),
        parts: fault.parts.clone(),
        devices: CountsAnswer {
            judged: counts.judged,
            learning: counts.learning,
            blind: counts.blind,
            blind_by: counts.blind_by,
            pending: counts.pending,
            active: counts.active,
        },
    }
}

/// The comparisons and functions of a condition as written, each once, in their order.
fn looks_at(program: &Program, cond: &Cond) -> Vec<SmolStr> {
    let mut found = Vec::new();
    collect(program, cond, &mut found);
    found
}

fn collect(program: &Program, cond: &Cond, found: &mut Vec<SmolStr>) {
    let text = match cond {
        Cond::Const(_) => None,
        Cond::Signal(signal) | Cond::Has(signal) | Cond::Invalid(signal) => {
            program.signals.get(*signal).map(|signal| &signal.name)
        }
        Cond::Event(event) => program.events.get(*event).map(|event| &event.name),
        Cond::Running(session) => program.sessions.get(*session).map(|session| &session.name),
        Cond::Compare { term, .. } | Cond::Within { term, .. } => {
            program.terms.get(*term).map(|term| &term.text)
        }
        Cond::Node(node) | Cond::BaselineReady(node) => {
            program.nodes.get(*node).map(|node| &node.text)
        }
        Cond::Raised(fault) => program.faults.get(*fault).map(|fault| &fault.name),
        Cond::Not(inner) | Cond::Requires { inner, .. } => {
            return collect(program, inner, found);
        }
        Cond::All(parts) | Cond::Any(parts) => {
            return parts.iter().for_each(|part| collect(program, part, found));
        }
    };
    if let Some(text) = text
        && !found.contains(text)
    {
        found.push(text.clone());
    }
}
