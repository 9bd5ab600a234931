//! `/fleet`: one sentence, then what is wrong, then the numbers: models, what arrives, and the account of every message.

mod backlog;

mod devices;

mod rate;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;

use crate::chart::Share;
use crate::chart::ShareKind;
use crate::chart::meter;
use crate::store::ModelCounts;
use crate::store::PAGE_LIMIT;
use crate::store::RejectedCounts;
use crate::store::RejectedFilter;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;
use crate::web::TrafficCounts;
use crate::web::WebState;
use crate::web::once;
use crate::web::once::Replayed;

use super::frame::Frame;
use super::frame::Nav;
use super::page;
use super::parts;
use super::parts::Markup;
use super::refusal::Refusal;
use super::texts::Texts;
use super::visit::Posted;
use super::visit::Visit;

use rate::Rate;

pub(super) use devices::list as devices;

/// A device that was heard within this counts as online: twice the hourly word that a device with nothing to tell still gives.
pub(super) const HEARD_MS: i64 = 2 * HOUR_MS;

#[derive(Template)]
#[template(path = "fleet.html", config = "src/web/pages/askama.toml")]
struct FleetPage {
    frame: Frame,
    lead: String,
    wrong: Vec<(String, String)>,
    /// What is catching up, and what the journal must keep: nothing is wrong with what it says, but people should know.
    told: Vec<String>,
    stats: Vec<(String, String, String)>,
    models: Vec<ModelRow>,
    rate: Rate,
    since: String,
    account: Vec<(String, String)>,
    unaccounted: String,
    behind: String,
    rejected: Vec<Rejected>,
    quarantined: Vec<(Markup, String)>,
}

/// A model's row.
struct ModelRow {
    model: String,
    name: String,
    known: bool,
    devices: String,
    meter: Markup,
    states: String,
    tickets: String,
    firmware: String,
}

/// A reason's row.
struct Rejected {
    words: String,
    reason: String,
    count: String,
    mostly: Option<(String, Markup)>,
    newest: Markup,
}

/// `GET /fleet`.
pub(super) async fn show(State(state): State<WebState>, visit: Visit) -> Response {
    match build(&state, &visit).await {
        Ok(template) => page(&template),
        Err(refusal) => refusal.on(&visit, &state).await,
    }
}

async fn build(state: &WebState, visit: &Visit) -> Result<FleetPage, Refusal> {
    let frame = visit.frame(state, Nav::Fleet).await;
    let (t, show) = (frame.t, frame.show);
    let now = show.now();
    let models = state.store.models(now - HEARD_MS).await?;
    let rejected = state.store.rejected_by_reason(now - DAY_MS).await?;
    let traffic = state.backend.traffic();
    let backlog = state.backend.backlog();
    let total = traffic.total();
    let sum = |of: fn(&ModelCounts) -> u64| models.iter().map(of).sum::<u64>();
    let (all, online) = (sum(|m| m.devices), sum(|m| m.online));
    let rate = rate::rate(&frame, &traffic);
    let refused: u64 = rejected.iter().map(|reason| reason.count).sum();
    let wrong = state
        .backend
        .readiness()
        .into_iter()
        .filter(|check| !check.ok)
        .map(|check| (check.name.to_string(), check.detail))
        .collect();
    let stat = |key: &str, value: u64, more: String| {
        (t.say(key.to_owned()).to_string(), show.count(value), more)
    };
    Ok(FleetPage {
        lead: t
            .say("fleet-lead")
            .num("online", online)
            .num("all", all)
            .to_string(),
        wrong,
        told: backlog::told(&frame, &backlog),
        stats: vec![
            stat(
                "fleet-devices",
                all,
                t.say("fleet-models-n").num("n", models.len()).to_string(),
            ),
            stat("fleet-online", online, share(&frame, online, all)),
            stat(
                "fleet-with-ticket",
                sum(|m| m.with_ticket),
                share(&frame, sum(|m| m.with_ticket), all),
            ),
            (
                t.say("fleet-messages").to_string(),
                rate.now.clone(),
                t.say("fleet-per-second").to_string(),
            ),
            stat("fleet-rejected-day", refused, String::new()),
            stat("fleet-quarantine-n", sum(|m| m.quarantined), String::new()),
        ],
        models: models
            .iter()
            .filter(|counts| counts.devices > 0)
            .map(|counts| model(state, &frame, counts))
            .collect(),
        since: since(&frame, traffic.since),
        account: account(&frame, total),
        unaccounted: show.count(unaccounted(total)),
        behind: t
            .say("fleet-behind")
            .num("detection", backlog.detection.records)
            .num("series", backlog.series.records)
            .with("journal", bytes(backlog.journal_bytes))
            .to_string(),
        rejected: rejected
            .iter()
            .map(|counts| reason(&frame, counts))
            .collect(),
        quarantined: models
            .iter()
            .filter(|counts| counts.quarantined > 0)
            .map(|counts| {
                let n = t.say("fleet-quarantined").num("n", counts.quarantined);
                (parts::told(&counts.model), n.to_string())
            })
            .collect(),
        rate,
        frame,
    })
}

fn share(frame: &Frame, part: u64, all: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of devices")]
    let share = part as f64 / all.max(1) as f64;
    frame.show.percent(share)
}

/// Since when the account counts: a day at most.
fn since(frame: &Frame, since: Timestamp) -> String {
    let t = frame.t;
    if frame.show.now().since(since) >= DAY_MS {
        return t.say("fleet-last-day").to_string();
    }
    let at = frame.show.day_time(since);
    t.say("fleet-since-start").with("time", at).to_string()
}

const fn unaccounted(total: TrafficCounts) -> u64 {
    total
        .received
        .saturating_sub(total.decoded + total.duplicate + total.rejected)
}

fn account(frame: &Frame, total: TrafficCounts) -> Vec<(String, String)> {
    let t = frame.t;
    [
        (t.say("fleet-received"), total.received),
        (t.say("fleet-decoded"), total.decoded),
        (t.say("fleet-duplicate"), total.duplicate),
        (t.say("fleet-rejected"), total.rejected),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_string(), frame.show.count(count)))
    .collect()
}

/// Bytes as people read them: `3.1 GiB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut value = n as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!(
        "{value:.1}\u{a0}{}",
        UNITS.get(unit).copied().unwrap_or_default()
    )
}

fn model(state: &WebState, frame: &Frame, counts: &ModelCounts) -> ModelRow {
    let t = frame.t;
    let program = state.backend.profile(&counts.model);
    let states = t
        .say("fleet-states")
        .num("online", counts.online)
        .num("silent", counts.silent)
        .num("offline", counts.offline)
        .to_string();
    let shares = [
        (ShareKind::Normal, counts.online),
        (ShareKind::Active, counts.silent),
        (ShareKind::Blind, counts.offline),
    ]
    .map(|(kind, count)| Share { kind, count });
    let firmware = counts.firmware.as_ref().map(|(version, n)| {
        let version: String = version.chars().take(64).collect();
        let on = share(frame, *n, counts.devices);
        t.say("fleet-firmware-on")
            .with("version", version)
            .with("share", on)
            .to_string()
    });
    ModelRow {
        model: counts.model.to_string(),
        known: program.is_some(),
        name: program.map_or_else(String::new, |program| t.one(&program.name).to_owned()),
        devices: frame.show.count(counts.devices),
        meter: Markup::trusted(meter(&shares, &states)),
        states,
        tickets: frame.show.count(counts.with_ticket),
        firmware: firmware.unwrap_or_default(),
    }
}

fn reason(frame: &Frame, counts: &RejectedCounts) -> Rejected {
    Rejected {
        words: reason_words(frame.t, &counts.reason),
        reason: counts.reason.to_string(),
        count: frame.show.count(counts.count),
        mostly: counts.mostly.as_ref().map(|(device, _)| {
            let serial = device
                .split_once('/')
                .map_or(device.as_str(), |(_, serial)| serial);
            (
                format!("/devices/{device}/messages?only=rejected"),
                parts::told(serial),
            )
        }),
        newest: frame.show.when(counts.newest),
    }
}

/// A reason of refusal in plain words.
pub(super) fn reason_words(t: Texts, reason: &str) -> String {
    match reason {
        "unknown_topic" => t.say("reject-unknown-topic"),
        "unknown_kind" => t.say("reject-unknown-kind"),
        "unknown_model" => t.say("reject-unknown-model"),
        "unknown_device" => t.say("reject-unknown-device"),
        "too_large" => t.say("reject-too-large"),
        "too_many_records" => t.say("reject-too-many-records"),
        "too_deep" => t.say("reject-too-deep"),
        "invalid_utf8" => t.say("reject-invalid-utf8"),
        "invalid_json" => t.say("reject-invalid-json"),
        "invalid_cbor" => t.say("reject-invalid-cbor"),
        "invalid_shape" => t.say("reject-invalid-shape"),
        "no_time" => t.say("reject-no-time"),
        "identity_mismatch" => t.say("reject-identity-mismatch"),
        "empty" => t.say("reject-empty"),
        _ => t.say("reject-internal-error"),
    }
    .to_string()
}

/// `POST /rejected/replay`: judges refused messages once more, after a fix; of one device when it is named.
pub(super) async fn replay(State(state): State<WebState>, posted: Posted) -> Response {
    match replayed(&state, &posted).await {
        Ok(response) => response,
        Err(refusal) => refusal.on(&posted.visit, &state).await,
    }
}

async fn replayed(state: &WebState, posted: &Posted) -> Result<Response, Refusal> {
    let device = match posted.fields.get("device") {
        None => None,
        Some(name) => Some(
            name.parse()
                .map_err(|_| Refusal::no_device(name.to_owned()))?,
        ),
    };
    let filter = RejectedFilter {
        device,
        replayed: Some(false),
        limit: PAGE_LIMIT,
        ..RejectedFilter::default()
    };
    let mut positions: Vec<_> = state
        .store
        .rejected(&filter)
        .await?
        .items
        .iter()
        .map(|row| row.position)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    let count = positions.len();
    if positions.is_empty() {
        return Err(Refusal::said(
            StatusCode::CONFLICT,
            Text::new("There is nothing to replay.", "没有可重放的消息。"),
        ));
    }
    let (_, Replayed { gone, .. }) = once::replay(state, positions).await.map_err(|_| {
        Refusal::said(
            StatusCode::CONFLICT,
            Text::new(
                "They could not be replayed now. Nothing was lost; try again later.",
                "暂时无法重放。消息没有丢失，请稍后重试。",
            ),
        )
    })?;
    if gone.len() == count {
        return Err(Refusal::said(
            StatusCode::CONFLICT,
            Text::new(
                "The journal does not hold these messages any more: they are too old to be replayed.",
                "日志中已没有这些消息：时间过久，无法重放。",
            ),
        ));
    }
    let back = super::visit::own_path(posted.fields.get("return_to").or(Some("/fleet")));
    let join = if back.contains('?') { '&' } else { '?' };
    let gone = if gone.is_empty() {
        String::new()
    } else {
        format!("&gone={}", gone.len())
    };
    Ok(Redirect::to(&format!("{back}{join}saved=1{gone}")).into_response())
}
