//! What stands above every page of a device: presence, model, one sentence, and the links to its pages.

use crate::profile::Severity;
use crate::profile::Stage;
use crate::store::DeviceStanding;
use crate::telemetry::MINUTE_MS;
use crate::web::backend::LiveFault;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;

use super::subject::Subject;

/// A device that said it is online is called silent after so long: three times the slowest regular message of the native convention.
pub(super) const SILENT_MS: i64 = 15 * MINUTE_MS;
/// Faults that the sentence names; more are counted.
const NAMED_LIMIT: usize = 3;

/// Above every page of a device.
pub(super) struct Head {
    pub(super) model: String,
    pub(super) serial: Markup,
    pub(super) title: String,
    pub(super) presence: Markup,
    /// Model, region.
    pub(super) about: Markup,
    pub(super) lead: String,
    pub(super) tabs: Vec<Tab>,
    /// The page of the device itself.
    pub(super) address: String,
}

/// A link of the tab bar.
pub(super) struct Tab {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) count: Option<String>,
    pub(super) current: bool,
}

/// The pages of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Overview,
    Tickets,
    Messages,
}

impl Head {
    /// The head of one of its pages.
    pub(super) fn new(frame: &Frame, subject: &Subject, page: Page) -> Self {
        let t = frame.t;
        let row = &subject.row;
        let address = subject.address();
        let tab = |of: Page, path: &str, key: &'static str, count: Option<String>| Tab {
            address: format!("{address}{path}"),
            name: t.say(key).to_string(),
            count,
            current: of == page,
        };
        let open = (row.open_tickets > 0).then(|| frame.show.count(row.open_tickets));
        let refused = (row.rejected > 0).then(|| {
            let n = row.rejected;
            t.say("device-tab-rejected").num("n", n).to_string()
        });
        let mut about = vec![format!(
            "<a href=\"/profiles/{0}\">{0}</a>",
            parts::escaped(subject.id.model())
        )];
        about.extend(
            row.identity
                .region
                .as_ref()
                .map(|region| parts::told(region).to_string()),
        );
        Self {
            model: subject.id.model().to_owned(),
            serial: parts::told(subject.id.serial()),
            title: subject.id.serial().to_owned(),
            presence: presence(frame, subject),
            about: Markup::trusted(about.join(&t.say("frame-between").to_string())),
            lead: lead(frame, subject),
            tabs: vec![
                tab(Page::Overview, "", "device-tab-overview", None),
                tab(Page::Tickets, "/tickets", "device-tab-tickets", open),
                tab(Page::Messages, "/messages", "device-tab-messages", refused),
            ],
            address,
        }
    }
}

/// Whether it is there, as a shape and words.
fn presence(frame: &Frame, subject: &Subject) -> Markup {
    let (t, show, row) = (frame.t, &frame.show, &subject.row);
    let gone = show.now().since(row.last_seen);
    let (class, key) = match (row.standing, row.online) {
        (DeviceStanding::Retired, _) => ("blind", "device-retired"),
        (DeviceStanding::Quarantined, _) => ("pending", "device-quarantined"),
        (DeviceStanding::InService, Some(false)) => ("blind", "device-offline"),
        (DeviceStanding::InService, _) if gone > SILENT_MS => ("blind", "device-silent"),
        (DeviceStanding::InService, Some(true)) => ("normal", "device-online"),
        (DeviceStanding::InService, None) => ("normal", "device-heard"),
    };
    let text = t.say(key).with("age", show.duration(gone)).to_string();
    let time = show.time(row.last_seen, &text);
    Markup::trusted(format!("<span class=\"fs {class}\">{time}</span>"))
}

/// The sentence that would do on the telephone.
fn lead(frame: &Frame, subject: &Subject) -> String {
    let t = frame.t;
    match subject.row.standing {
        DeviceStanding::Retired => return t.say("device-lead-retired").to_string(),
        DeviceStanding::Quarantined => return t.say("device-lead-quarantined").to_string(),
        DeviceStanding::InService => {}
    }
    let (Some(live), Some(_)) = (&subject.live, &subject.program) else {
        return if subject.program.is_none() {
            t.say("device-lead-no-profile")
                .with("model", subject.id.model())
                .to_string()
        } else {
            t.say("device-lead-nothing").to_string()
        };
    };
    if live.frozen {
        return t.say("device-lead-frozen").to_string();
    }
    let active: Vec<&LiveFault> = live
        .faults
        .iter()
        .filter(|fault| fault.state == "active")
        .collect();
    let mut sentences = vec![if active.is_empty() {
        t.say("device-lead-none").to_string()
    } else {
        let names: Vec<String> = active
            .iter()
            .take(NAMED_LIMIT)
            .map(|fault| named(frame, subject, fault))
            .collect();
        let mut list = names.join(&t.say("device-lead-comma").to_string());
        if active.len() > NAMED_LIMIT {
            list.push('…');
        }
        t.say("device-lead-active")
            .num("n", active.len())
            .with("list", list)
            .to_string()
    }];
    let count = |state: &str| live.faults.iter().filter(|f| f.state == state).count();
    let others: Vec<String> = [
        ("pending", "device-lead-pending"),
        ("clearing", "device-lead-clearing"),
        ("normal", "device-lead-normal"),
        ("learning", "device-lead-learning"),
        ("blind", "device-lead-blind"),
    ]
    .into_iter()
    .map(|(state, key)| (count(state), key))
    .filter(|(count, _)| *count > 0)
    .map(|(count, key)| t.say(key).num("n", count).to_string())
    .collect();
    if !others.is_empty() {
        let list = others.join(&t.say("device-lead-comma").to_string());
        sentences.push(if active.is_empty() {
            t.say("device-lead-all")
                .with("list", capital(&list))
                .to_string()
        } else {
            t.say("device-lead-others").with("list", list).to_string()
        });
    }
    sentences.join(&t.say("device-lead-space").to_string())
}

/// With a capital letter, as a sentence begins.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(rest)
        .collect()
}

/// `Limescale in the heater path (S2)`.
fn named(frame: &Frame, subject: &Subject, fault: &LiveFault) -> String {
    let rules = subject.program.as_ref().map(|program| &program.faults[..]);
    let rule = rules
        .unwrap_or_default()
        .iter()
        .find(|rule| rule.name == fault.fault);
    let Some(rule) = rule else {
        return fault.fault.to_string();
    };
    let stage = match fault.stage {
        Some(Stage::Warn) => rule.warn.as_ref(),
        Some(Stage::Fault) => rule.fault.as_ref(),
        None => None,
    };
    let severity = stage
        .map(|stage| stage.severity)
        .map_or("", Severity::as_str);
    let t = frame.t;
    t.say("device-lead-fault")
        .with("title", t.one(&rule.title))
        .with("severity", severity)
        .to_string()
}
