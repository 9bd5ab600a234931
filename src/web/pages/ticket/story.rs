//! The timeline: what happened to the ticket, newest first, in words.
//!
//! Each line of the audit tells what changed; what people wrote is shown as they wrote it, and only escaped.

use serde_json::Value;

use crate::store::TimelineEntry;
use crate::telemetry::Lang;
use crate::telemetry::Timestamp;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Markup;
use crate::web::pages::show::Show;
use crate::web::pages::texts::Sentence;
use crate::web::pages::texts::Texts;

use super::gather::Gathered;

/// One thing that happened.
pub(super) struct Moment {
    /// The severity changed.
    pub(super) big: bool,
    pub(super) title: String,
    pub(super) when: Markup,
    /// Who did it.
    pub(super) who: Option<String>,
    /// What else there is to say.
    pub(super) details: Vec<String>,
    /// What the person wrote.
    pub(super) text: Option<String>,
}

/// The story, newest first.
pub(super) fn story(frame: &Frame, all: &Gathered) -> Vec<Moment> {
    let lines = all.timeline.iter().rev();
    lines.map(|line| moment(frame, all, line)).collect()
}

/// One line of it.
pub(super) fn moment(frame: &Frame, all: &Gathered, line: &TimelineEntry) -> Moment {
    let (t, show) = (frame.t, frame.show);
    let mut details = Vec::new();
    let change = line.change.as_str();
    if matches!(change, "opened" | "worsened" | "reopened")
        && let Some(reason) = words(&line.changed, "reason", t.lang())
    {
        details.push(reason.to_owned());
    }
    if change == "opened" {
        let version = t.say("ticket-story-profile");
        details.push(
            version
                .with("version", &all.ticket.profile_version)
                .to_string(),
        );
        if all.ticket.late {
            details.push(t.say("ticket-late").to_string());
        }
    }
    if let Some(fitted) = line.changed.get("fitted").and_then(Value::as_array) {
        let parts: Vec<&str> = fitted.iter().filter_map(Value::as_str).collect();
        if !parts.is_empty() {
            let fitted = t.say("ticket-story-fitted");
            details.push(fitted.with("parts", parts.join(", ")).to_string());
        }
    }
    if line.erased {
        details.push(t.say("ticket-story-erased").to_string());
    }
    Moment {
        big: matches!(change, "opened" | "worsened"),
        title: title(t, &show, line),
        when: show.when(line.at),
        who: line
            .by
            .as_ref()
            .map(|by| t.say("ticket-story-by").with("who", by).to_string()),
        details,
        text: line.text.clone(),
    }
}

fn title(t: Texts, show: &Show, line: &TimelineEntry) -> String {
    let severity = || line.changed.get("severity").and_then(Value::as_str);
    let why = why(t, line);
    let joined = |said: String| match &why {
        Some(why) => t
            .say("ticket-story-why")
            .with("what", said)
            .with("why", why)
            .to_string(),
        None => said,
    };
    match line.change.as_str() {
        "opened" => t
            .say("ticket-story-opened")
            .with("severity", severity().unwrap_or_default())
            .to_string(),
        "worsened" => match severity() {
            Some(severity) => t
                .say("ticket-story-worsened-to")
                .with("severity", severity)
                .to_string(),
            None => t.say("ticket-story-worsened").to_string(),
        },
        "eased" => t.say("ticket-story-eased").to_string(),
        "cleared" => t.say("ticket-story-cleared").to_string(),
        "cancelled" => joined(t.say("ticket-story-cancelled").to_string()),
        "reopened" => joined(t.say("ticket-story-reopened").to_string()),
        _ => acted(t, show, line)
            .or(why)
            .unwrap_or_else(|| line.what.to_string()),
    }
}

/// What a person did.
fn acted(t: Texts, show: &Show, line: &TimelineEntry) -> Option<String> {
    let said = match line.what.as_str() {
        "acknowledge" => t.say("ticket-story-acknowledged"),
        "assign" => match line.changed.get("assignee").and_then(Value::as_str) {
            Some(name) => t.say("ticket-story-assigned").with("name", name),
            None => t.say("ticket-story-assigned-again"),
        },
        "start" => t.say("ticket-story-started"),
        "wait" => waiting(t, show, line),
        "comment" => t.say("ticket-story-commented"),
        "resolve" => match line.changed.get("verdict").and_then(Value::as_str) {
            Some(verdict) => t
                .say("ticket-story-resolved-as")
                .with("verdict", verdict_words(t, verdict)),
            None => t.say("ticket-story-resolved"),
        },
        "close" => t.say("ticket-story-closed"),
        _ => return None,
    };
    Some(said.to_string())
}

fn waiting(t: Texts, show: &Show, line: &TimelineEntry) -> Sentence<'static> {
    let waiting = line.changed.get("waiting");
    let until = waiting
        .and_then(|waiting| waiting.get("until"))
        .and_then(Value::as_str)
        .and_then(|until| until.parse::<Timestamp>().ok())
        .map_or_else(|| "–".to_owned(), |until| show.date(until));
    let reason = waiting.and_then(|waiting| waiting.get("for"));
    match reason.and_then(Value::as_str) {
        Some("part") => t.say("ticket-story-wait-part"),
        Some("visit") => t.say("ticket-story-wait-visit"),
        _ => t.say("ticket-story-wait-customer"),
    }
    .with("until", until)
}

/// Why Foremend itself did something.
fn why(t: Texts, line: &TimelineEntry) -> Option<String> {
    let linked = line.changed.get("linked").and_then(Value::as_str);
    let said = match line.what.as_str() {
        "cleared" => t.say("ticket-why-cleared"),
        "raised_again" => t.say("ticket-why-raised-again"),
        "repair_did_not_help" => t.say("ticket-why-no-help"),
        "recheck_passed" => t.say("ticket-why-recheck-passed"),
        "unverified" => t.say("ticket-why-unverified"),
        "rule_withdrawn" => t.say("ticket-why-withdrawn"),
        "absorbed" => t
            .say("ticket-why-absorbed")
            .with("id", linked.unwrap_or("–")),
        "sensor_verdict" => t.say("ticket-why-sensor").with("id", linked.unwrap_or("–")),
        "device_retired" => t.say("ticket-why-retired"),
        "wait_over" => t.say("ticket-why-wait-over"),
        "notice_repeated" => t.say("ticket-why-repeated"),
        _ => return None,
    };
    Some(said.to_string())
}

/// A verdict in words.
pub(super) fn verdict_words(t: Texts, verdict: &str) -> String {
    let said = match verdict {
        "confirmed_fault" => t.say("verdict-confirmed-fault"),
        "consumable" => t.say("verdict-consumable"),
        "user_education" => t.say("verdict-user-education"),
        "environment" => t.say("verdict-environment"),
        "no_fault_found" => t.say("verdict-no-fault-found"),
        "sensor_error" => t.say("verdict-sensor-error"),
        "unreachable" => t.say("verdict-unreachable"),
        "declined" => t.say("verdict-declined"),
        "duplicate" => t.say("verdict-duplicate"),
        "known_problem" => t.say("verdict-known-problem"),
        other => return other.to_owned(),
    };
    said.to_string()
}

fn words<'a>(changed: &'a Value, field: &str, lang: Lang) -> Option<&'a str> {
    let lang = match lang {
        Lang::En => "en",
        Lang::Zh => "zh",
    };
    changed.get(field)?.get(lang)?.as_str()
}
