//! `/profiles/{model}`: each fault in plain words, how the devices stand with it, and what it found so far.

mod panel;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;

use crate::profile::Program;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::web::WebState;

use super::frame::Frame;
use super::frame::Nav;
use super::page;
use super::parts;
use super::parts::Markup;
use super::refusal::Refusal;
use super::visit::Visit;

use panel::Panel;
use panel::panel;

/// Span of the numbers of a profile (DESIGN section 10).
pub(super) const COUNTED_MS: i64 = 30 * DAY_MS;

#[derive(Template)]
#[template(path = "profile.html", config = "src/web/pages/askama.toml")]
struct ProfilePage {
    frame: Frame,
    model: String,
    name: String,
    version: String,
    lead: String,
    tabs: Vec<Tab>,
    panels: Vec<Panel>,
    parts: Vec<(Markup, String)>,
}

/// A link to another model.
struct Tab {
    model: String,
    count: String,
    current: bool,
}

/// `GET /profiles`: the first model.
pub(super) async fn first(State(state): State<WebState>, visit: Visit) -> Response {
    match state.backend.profiles().first() {
        Some(program) => Redirect::to(&format!("/profiles/{}", program.model)).into_response(),
        None => Refusal::no_profile(String::new()).on(&visit, &state).await,
    }
}

/// `GET /profiles/{model}`.
pub(super) async fn show(
    State(state): State<WebState>,
    visit: Visit,
    Path(model): Path<String>,
) -> Response {
    let shown = match state.backend.profile(&model) {
        Some(program) => build(&state, &visit, &program).await,
        None => Err(Refusal::no_profile(model)),
    };
    match shown {
        Ok(template) => page(&template),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(state: &WebState, visit: &Visit, program: &Program) -> Result<ProfilePage, Refusal> {
    let frame = visit.frame(state, Nav::Profiles).await;
    let t = frame.t;
    let now = frame.show.now();
    let counts = state.backend.fault_counts(&program.model).await;
    let opened = state
        .store
        .opened_by_fault(&program.model, now - COUNTED_MS)
        .await?;
    let models = state.store.models(now - HOUR_MS).await?;
    let devices_of = |model: &str| {
        let known = models.iter().find(|counts| counts.model == model);
        known.map_or(0, |counts| counts.devices)
    };
    let mut panels = Vec::new();
    for fault in &program.faults {
        let counts = counts.get(&fault.name).cloned().unwrap_or_default();
        let opened = opened.get(&fault.name).copied().unwrap_or(0);
        let verdicts = state
            .store
            .verdicts(&program.model, &fault.name, "")
            .await?;
        panels.push(panel(
            state, &frame, program, fault, &counts, opened, &verdicts,
        ));
    }
    let tabs = state
        .backend
        .profiles()
        .iter()
        .map(|other| Tab {
            model: other.model.to_string(),
            count: frame.show.count(devices_of(&other.model)),
            current: other.model == program.model,
        })
        .collect();
    Ok(ProfilePage {
        model: program.model.to_string(),
        name: t.one(&program.name).to_owned(),
        version: format!("{}+{}", program.version, program.profile_version),
        lead: t
            .say("profile-lead")
            .num("faults", program.faults.len())
            .num("devices", devices_of(&program.model))
            .num("tickets", opened.values().sum::<u64>())
            .to_string(),
        tabs,
        panels,
        parts: program
            .parts
            .iter()
            .map(|part| {
                let title = t.one(&part.title).to_owned();
                (parts::told(&part.number), title)
            })
            .collect(),
        frame,
    })
}
