//! *Act*: what can be done with the ticket now, with one next sensible move; and what a person wrote that was not taken.
//!
//! Leaves doing it to `act`. Invariant: at most one primary button, and only moves that the desk allows at this status.

use smol_str::SmolStr;

use crate::desk::Change;
use crate::desk::CountsAs;
use crate::desk::TicketStatus;
use crate::desk::allowed;
use crate::desk::counts_as;
use crate::telemetry::BasicAction;
use crate::telemetry::Verdict;
use crate::web::pages::frame::Frame;
use crate::web::pages::visit::Fields;

use super::gather::Gathered;
use super::story::verdict_words;

/// A choice in a form: value, words, chosen.
type Choice = (String, String, bool);

/// What became of a form that was sent just now.
#[derive(Clone, Debug, Default)]
pub(in crate::web::pages) struct Tried {
    /// What it said.
    pub(in crate::web::pages) fields: Fields,
    /// What was wrong with it.
    pub(in crate::web::pages) mistake: Option<String>,
    /// The ticket was changed meanwhile.
    pub(in crate::web::pages) stale: bool,
    /// It is on its way to the store.
    pub(in crate::web::pages) taken: bool,
}

/// The panel.
pub(super) struct Forms {
    pub(super) version: u64,
    /// Action and words of the one primary button; that of resolving stands in its own form.
    pub(super) primary: Option<(&'static str, String)>,
    /// Resolving is the next move.
    pub(super) resolve_next: bool,
    pub(super) start: bool,
    pub(super) assign: bool,
    /// Not the reader's own yet.
    pub(super) assign_me: bool,
    pub(super) wait: bool,
    pub(super) resolve: bool,
    pub(super) close: bool,
    pub(super) reopen: bool,
    pub(super) assignee: Option<SmolStr>,
    pub(super) people: Vec<SmolStr>,
    /// Groups of verdicts: heading, then value, words, chosen.
    pub(super) verdicts: Vec<(String, Vec<Choice>)>,
    /// Part number, name, ticked.
    pub(super) parts: Vec<(SmolStr, String, bool)>,
    /// Value, words, chosen.
    pub(super) waits: Vec<(&'static str, String, bool)>,
    /// Earliest and latest day of a wait.
    pub(super) days: (String, String),
    tried: Tried,
    status: TicketStatus,
}

impl Forms {
    /// What can be done now.
    pub(super) fn new(frame: &Frame, all: &Gathered, tried: Tried) -> Self {
        let t = frame.t;
        let ticket = &all.ticket;
        let may: Vec<BasicAction> = allowed(ticket.status).collect();
        let can = |action| may.contains(&action);
        let worsened = ticket.last_change == Change::Worsened;
        let primary = match ticket.status {
            TicketStatus::New => Some(("acknowledge", t.say("ticket-act-acknowledge"))),
            TicketStatus::InProgress if worsened => {
                Some(("acknowledge", t.say("ticket-act-acknowledge")))
            }
            TicketStatus::Acknowledged => Some(("start", t.say("ticket-act-start"))),
            TicketStatus::Waiting => Some(("start", t.say("ticket-act-go-on"))),
            TicketStatus::Resolved => Some(("close", t.say("ticket-act-close"))),
            TicketStatus::InProgress | TicketStatus::Closed | TicketStatus::Cancelled => None,
        };
        let primary = primary.map(|(action, words)| (action, words.to_string()));
        let is_primary = |name| primary.as_ref().is_some_and(|(action, _)| *action == name);
        let reader = frame.reader.as_ref();
        let chosen = |name: &str, value: &str| tried.fields.all(name).any(|sent| sent == value);
        Self {
            version: ticket.version,
            resolve_next: primary.is_none() && can(BasicAction::Resolve),
            start: can(BasicAction::Start) && !is_primary("start"),
            assign: can(BasicAction::Assign),
            assign_me: can(BasicAction::Assign) && ticket.assignee.as_ref() != reader,
            wait: can(BasicAction::Wait),
            resolve: can(BasicAction::Resolve),
            close: can(BasicAction::Close) && !is_primary("close"),
            reopen: can(BasicAction::Reopen),
            assignee: ticket.assignee.clone(),
            people: all.people.clone(),
            verdicts: verdicts(frame, &chosen),
            parts: ticket
                .parts
                .iter()
                .map(|part| {
                    (
                        part.clone(),
                        part_name(frame, all, part),
                        chosen("parts", part),
                    )
                })
                .collect(),
            waits: [
                ("customer", t.say("ticket-wait-customer")),
                ("part", t.say("ticket-wait-part")),
                ("visit", t.say("ticket-wait-visit")),
            ]
            .map(|(name, words)| (name, words.to_string(), chosen("for", name)))
            .into(),
            days: days(frame),
            primary,
            tried,
            status: ticket.status,
        }
    }

    /// The mistake in the form of this action.
    pub(super) fn mistake(&self, action: &str) -> Option<&str> {
        let mistake = self.tried.mistake.as_deref()?;
        (self.tried.fields.get("action") == Some(action)).then_some(mistake)
    }

    /// A mistake in a form that is no longer there, or that has no place of its own.
    pub(super) fn other_mistake(&self) -> Option<&str> {
        let mistake = self.tried.mistake.as_deref()?;
        let action = self.tried.fields.get("action").unwrap_or_default();
        let has_place = match action {
            "wait" => self.wait,
            "resolve" => self.resolve,
            "assign" => self.assign,
            "comment" => true,
            _ => false,
        };
        (!has_place).then_some(mistake)
    }

    /// What the person wrote into a field of this action's form.
    pub(super) fn kept(&self, action: &str, field: &str) -> &str {
        if self.tried.fields.get("action") == Some(action) {
            self.tried.fields.get(field).unwrap_or_default()
        } else {
            ""
        }
    }

    /// Someone was faster.
    pub(super) const fn stale(&self) -> bool {
        self.tried.stale
    }

    /// The action is on its way.
    pub(super) const fn taken(&self) -> bool {
        self.tried.taken
    }

    /// What the person wrote in a form that came too late.
    pub(super) fn own_text(&self) -> Option<&str> {
        let written = ["text", "note", "reason"];
        written
            .into_iter()
            .find_map(|field| self.tried.fields.get(field))
            .filter(|_| self.tried.stale)
    }

    /// The form of waiting stands open.
    pub(super) fn wait_open(&self) -> bool {
        self.mistake("wait").is_some()
    }

    /// The form of resolving stands open.
    pub(super) fn resolve_open(&self) -> bool {
        self.resolve_next || self.mistake("resolve").is_some()
    }

    /// The ticket is over.
    pub(super) const fn is_over(&self) -> bool {
        !self.status.is_open()
    }
}

/// The verdicts by what they count as.
fn verdicts(frame: &Frame, chosen: &impl Fn(&str, &str) -> bool) -> Vec<(String, Vec<Choice>)> {
    const VERDICTS: [Verdict; 10] = [
        Verdict::ConfirmedFault,
        Verdict::Consumable,
        Verdict::UserEducation,
        Verdict::Environment,
        Verdict::KnownProblem,
        Verdict::NoFaultFound,
        Verdict::SensorError,
        Verdict::Unreachable,
        Verdict::Declined,
        Verdict::Duplicate,
    ];
    let t = frame.t;
    [
        (CountsAs::Right, t.say("ticket-counts-right")),
        (CountsAs::Wrong, t.say("ticket-counts-wrong")),
        (CountsAs::Nothing, t.say("ticket-counts-nothing")),
    ]
    .map(|(group, heading)| {
        let of_group = VERDICTS.iter().filter(|one| counts_as(**one) == group);
        let options = of_group.map(|verdict| {
            let name = name_of(*verdict);
            let words = verdict_words(t, &name);
            let is_chosen = chosen("verdict", &name);
            (name, words, is_chosen)
        });
        (heading.to_string(), options.collect())
    })
    .into()
}

/// A verdict's name in the API and in forms.
fn name_of(verdict: Verdict) -> String {
    match serde_json::to_value(verdict) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}

/// What a part is called; empty when nobody named it.
pub(super) fn part_name(frame: &Frame, all: &Gathered, number: &str) -> String {
    let parts = all
        .program
        .as_ref()
        .map_or(&[][..], |program| &program.parts);
    parts
        .iter()
        .find(|part| part.number == number)
        .map_or_else(String::new, |part| frame.t.one(&part.title).to_owned())
}

/// Today and a year from now, as a date field wants them.
fn days(frame: &Frame) -> (String, String) {
    let day = |at| frame.show.iso_day(at);
    let now = frame.show.now();
    (
        day(now),
        day(now + crate::desk::WAIT_LIMIT_MS - crate::telemetry::DAY_MS),
    )
}
