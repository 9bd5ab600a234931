//! Small pieces of HTML that every page uses: severities, statuses, fault states, and text that a device told.
//!
//! Each state is a shape, a word, and only then a colour: the class brings shape and colour, the word is always there.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::desk::Ticket;
use crate::desk::TicketStatus;
use crate::profile::Severity;
use crate::profile::Stage;
use crate::telemetry::WaitFor;

use super::texts::Texts;

/// Longest text of a device that a page shows; the rest is in the `title`.
const TOLD_CHARS: usize = 64;
/// Longest text that even a `title` holds.
const TITLE_CHARS: usize = 1_024;

/// HTML that is safe to show as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Markup(String);

impl Markup {
    /// HTML whose every foreign piece was escaped by the caller.
    pub(in crate::web) const fn trusted(html: String) -> Self {
        Self(html)
    }

    /// Plain text as HTML.
    pub(in crate::web) fn text(text: &str) -> Self {
        Self(escaped(text))
    }

    /// The HTML.
    pub(in crate::web) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// Text with what HTML means by `& < > " '` taken out of it.
pub(in crate::web) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Text that a device or a stranger told: escaped, its direction isolated, cut at 64 characters with the rest in the `title`.
pub(in crate::web) fn told(text: &str) -> Markup {
    let shown: String = text.chars().take(TOLD_CHARS).collect();
    if shown.len() == text.len() {
        return Markup(format!("<bdi>{}</bdi>", escaped(&shown)));
    }
    let title: String = text.chars().take(TITLE_CHARS).collect();
    Markup(format!(
        "<bdi title=\"{}\">{}…</bdi>",
        escaped(&title),
        escaped(&shown)
    ))
}

/// `S1 Safety` with its shape.
pub(in crate::web) fn severity(t: Texts, severity: Severity) -> Markup {
    let (class, word) = match severity {
        Severity::S1 => ("s1", t.say("severity-s1")),
        Severity::S2 => ("s2", t.say("severity-s2")),
        Severity::S3 => ("s3", t.say("severity-s3")),
        Severity::S4 => ("s4", t.say("severity-s4")),
    };
    Markup(format!(
        "<span class=\"sev {class}\">{}</span>",
        escaped(&word.to_string())
    ))
}

/// Where a ticket stands, and what it waits for.
pub(in crate::web) fn status(t: Texts, ticket: &Ticket) -> Markup {
    let (class, word) = match ticket.status {
        TicketStatus::New => ("new", t.say("status-new")),
        TicketStatus::Acknowledged => ("ack", t.say("status-acknowledged")),
        TicketStatus::InProgress => ("prog", t.say("status-in-progress")),
        TicketStatus::Waiting => (
            "wait",
            match ticket.waiting.as_ref().map(|waiting| waiting.reason) {
                Some(WaitFor::Customer) => t.say("status-waiting-customer"),
                Some(WaitFor::Part) => t.say("status-waiting-part"),
                Some(WaitFor::Visit) => t.say("status-waiting-visit"),
                None => t.say("status-waiting"),
            },
        ),
        TicketStatus::Resolved => ("done", t.say("status-resolved")),
        TicketStatus::Closed => ("done", t.say("status-closed")),
        TicketStatus::Cancelled => ("done", t.say("status-cancelled")),
    };
    Markup(format!(
        "<span class=\"st {class}\">{}</span>",
        escaped(&word.to_string())
    ))
}

/// The state of a fault (`learning`, `normal`, `pending`, `active`, `clearing` or `blind`), with its stage while it is active.
pub(in crate::web) fn fault_state(t: Texts, named: &str, stage: Option<Stage>) -> Markup {
    let (class, word) = match (named, stage) {
        ("learning", _) => ("learning", t.say("fault-learning")),
        ("pending", _) => ("pending", t.say("fault-pending")),
        ("active", Some(Stage::Warn)) => ("active", t.say("fault-active-warning")),
        ("active", Some(Stage::Fault)) => ("active", t.say("fault-active-fault")),
        ("active", None) => ("active", t.say("fault-active")),
        ("clearing", _) => ("pending", t.say("fault-clearing")),
        ("blind", _) => ("blind", t.say("fault-blind")),
        _ => ("normal", t.say("fault-normal")),
    };
    Markup(format!(
        "<span class=\"fs {class}\">{}</span>",
        escaped(&word.to_string())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_told_is_harmless() {
        let shown = told("<script>\u{202e}&'\"");
        assert_eq!(
            shown.as_str(),
            "<bdi>&lt;script&gt;\u{202e}&amp;&#39;&quot;</bdi>"
        );
        let long = told(&"水".repeat(10_000));
        assert!(long.as_str().starts_with("<bdi title=\"水"));
        assert!(long.as_str().len() < 4 * 1_200);
        assert!(long.as_str().ends_with("水…</bdi>"));
    }
}
