//! A case as a row: one sentence of why, whose, since when, and who has it.

use smol_str::SmolStr;

use crate::desk::Change;
use crate::desk::Ticket;
use crate::profile::Severity;
use crate::web::WebState;

use super::cases::Case;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::refusal::Refusal;

/// What a row shows.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The ticket that names the case.
    pub(super) id: SmolStr,
    /// Every ticket of the case, for actions on it: `T-1 T-4`.
    pub(super) ids: String,
    pub(super) hot: bool,
    pub(super) severity: Markup,
    pub(super) title: String,
    pub(super) reason: String,
    /// Tags beside the title.
    pub(super) kinds: Vec<String>,
    pub(super) serial: Markup,
    /// Ticket, model, region.
    pub(super) about: Markup,
    /// What happened last, and when.
    pub(super) latest: String,
    pub(super) latest_at: Markup,
    pub(super) status: Markup,
    pub(super) who: String,
    pub(super) nobody: bool,
    pub(super) age: Markup,
    pub(super) opened: String,
}

/// The rows of these cases, in their order; a case whose ticket went away meanwhile has none.
pub(super) async fn rows(
    state: &WebState,
    frame: &Frame,
    cases: &[&Case],
) -> Result<Vec<Row>, Refusal> {
    let ids: Vec<SmolStr> = cases
        .iter()
        .flat_map(|case| case.lines.iter().take(3))
        .map(|line| line.id.clone())
        .collect();
    let mut tickets = std::collections::BTreeMap::new();
    for some in ids.chunks(crate::store::PAGE_LIMIT) {
        tickets.extend(state.store.tickets_by_id(some).await?);
    }
    let row = |case: &&Case| {
        let lead = tickets.get(&case.lead()?.id)?;
        let others = case.lines.iter().skip(1);
        let others: Vec<&Ticket> = others.filter_map(|line| tickets.get(&line.id)).collect();
        Some(one(frame, case, lead, &others))
    };
    Ok(cases.iter().filter_map(row).collect())
}

fn one(frame: &Frame, case: &Case, lead: &Ticket, others: &[&Ticket]) -> Row {
    let (t, show) = (frame.t, &frame.show);
    let mut kinds: Vec<String> = others
        .iter()
        .map(|ticket| {
            t.say("queue-kind-also")
                .with("title", t.one(&ticket.title))
                .with("severity", short(ticket.severity))
                .to_string()
        })
        .collect();
    if case.lines.len() > 3 {
        kinds.push(
            t.say("queue-kind-more")
                .num("n", case.lines.len() - 3)
                .to_string(),
        );
    }
    if lead.last_change == Change::Reopened {
        kinds.insert(0, t.say("queue-kind-reopened").to_string());
    }
    if lead.late {
        kinds.push(t.say("queue-kind-late").to_string());
    }
    let (latest, latest_at) = latest(frame, lead);
    let mut about = vec![lead.id.to_string(), parts::escaped(lead.device.model())];
    about.extend(
        lead.region
            .as_ref()
            .map(|region| parts::told(region).to_string()),
    );
    Row {
        id: lead.id.clone(),
        ids: case
            .lines
            .iter()
            .map(|line| line.id.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        hot: lead.severity == Severity::S1 && case.is_hot(),
        severity: parts::severity(t, lead.severity),
        title: t.one(&lead.title).to_owned(),
        reason: t.one(&lead.reason).to_owned(),
        kinds,
        serial: parts::told(lead.device.serial()),
        about: Markup::trusted(about.join(t.say("frame-between").to_string().as_str())),
        latest,
        latest_at,
        status: parts::status(t, lead),
        who: lead
            .assignee
            .as_ref()
            .map_or_else(|| t.say("frame-nobody").to_string(), ToString::to_string),
        nobody: lead.assignee.is_none(),
        age: show.age(lead.opened_at),
        opened: show.brief(lead.opened_at),
    }
}

fn short(severity: Severity) -> &'static str {
    match severity {
        Severity::S1 => "S1",
        Severity::S2 => "S2",
        Severity::S3 => "S3",
        Severity::S4 => "S4",
    }
}

/// What happened last that says something about the appliance, or until when it waits.
fn latest(frame: &Frame, ticket: &Ticket) -> (String, Markup) {
    let (t, show) = (frame.t, &frame.show);
    if let Some(waiting) = &ticket.waiting {
        let until = show.brief(waiting.until);
        return (
            t.say("queue-until").with("until", until).to_string(),
            Markup::default(),
        );
    }
    let (word, at) = match (ticket.cleared_at, ticket.last_change) {
        (Some(at), _) => (t.say("queue-latest-cleared"), at),
        (None, Change::Worsened) => (t.say("queue-latest-worsened"), ticket.updated_at),
        (None, Change::Reopened) => (t.say("queue-latest-reopened"), ticket.updated_at),
        (None, Change::Eased) => (t.say("queue-latest-eased"), ticket.updated_at),
        (None, _) if ticket.status == crate::desk::TicketStatus::New => {
            (t.say("queue-latest-unseen"), ticket.opened_at)
        }
        (None, _) => (t.say("queue-latest-acted"), ticket.updated_at),
    };
    (word.to_string(), show.time(at, &show.day_time(at)))
}
