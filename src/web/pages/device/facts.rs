//! What is known of a device: what it says it is, how it is connected, what its clock is worth, and what was done with it.
//!
//! Only what is known is listed. Whatever it told itself is escaped and cut.

use std::cmp::Reverse;

use crate::desk::Ticket;
use crate::desk::TicketStatus;
use crate::telemetry::Identity;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;
use crate::telemetry::Verdict;
use crate::web::LiveConnection;
use crate::web::backend::LiveClock;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::pages::parts::Markup;
use crate::web::pages::parts::escaped;

use super::subject::Subject;

/// Clients that are listed; a device has one, two while it moves to another gateway.
const CONNECTIONS_SHOWN: usize = 4;
/// Lines of the record.
const RECORD_LINES: usize = 12;
/// A clock counts as right within this, ms; a lag below it is the network's.
const RIGHT_MS: i64 = 2 * SECOND_MS;

/// A fact: its name and what it is.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: Markup,
}

/// Everything that is known, in the order of a type plate.
pub(super) fn facts(frame: &Frame, subject: &Subject, connections: &[LiveConnection]) -> Vec<Fact> {
    let t = frame.t;
    let identity = &subject.row.identity;
    let mut facts = Facts {
        frame,
        list: Vec::new(),
    };
    let model = escaped(subject.id.model());
    let mut model = format!("<a href=\"/profiles/{model}\">{model}</a>");
    if let Some(hw) = &identity.hw {
        let hw = parts::told(hw).to_string();
        // The words around it are ours; what it told was escaped.
        let words = escaped(&t.say("device-hardware").with("hw", "\u{1}").to_string());
        model.push_str(&words.replace('\u{1}', &hw));
    }
    facts.add("device-fact-model", Markup::trusted(model));
    facts.told("device-fact-firmware", identity.fw.as_deref());
    facts.plate(identity);
    facts.told("device-fact-region", identity.region.as_deref());
    facts.told("device-fact-place", identity.site.as_deref());
    facts.told("device-fact-first-use", identity.first_use.as_deref());
    let seen = frame.show.when(subject.row.first_seen);
    facts.add("device-fact-first-seen", seen);
    facts.told("device-fact-via", identity.via.as_deref());
    if let Some(live) = &subject.live {
        if !live.source.is_empty() {
            facts.told("device-fact-source", Some(&live.source));
        }
        for connection in connections.iter().take(CONNECTIONS_SHOWN) {
            facts.add("device-fact-client", client(frame, connection));
        }
        facts.add("device-fact-clock", clock(frame, live.clock));
        if let Some((at, boot)) = live.restarts.last() {
            let words = t
                .say("device-boot")
                .num("boot", *boot)
                .with("when", frame.show.date(*at));
            facts.add(
                "device-fact-restarts",
                frame.show.time(*at, &words.to_string()),
            );
        }
    }
    facts.told("device-fact-zone", identity.tz.as_deref());
    if subject.row.seq_restarts > 0 {
        let words = t
            .say("device-seq-restarts")
            .num("n", subject.row.seq_restarts);
        facts.add("device-fact-counter", Markup::text(&words.to_string()));
    }
    let row = &subject.row;
    let counts = t
        .say("device-counts")
        .num("messages", row.messages)
        .num("rejected", row.rejected)
        .num("duplicates", row.duplicates);
    facts.add("device-fact-messages", Markup::text(&counts.to_string()));
    facts.list
}

struct Facts<'a> {
    frame: &'a Frame,
    list: Vec<Fact>,
}

impl Facts<'_> {
    fn add(&mut self, key: &'static str, value: Markup) {
        self.list.push(Fact {
            name: self.frame.t.say(key).to_string(),
            value,
        });
    }

    /// When and of what it was made.
    fn plate(&mut self, identity: &Identity) {
        let made = [identity.made.as_deref(), identity.batch.as_deref()];
        let made: Vec<String> = made
            .into_iter()
            .flatten()
            .map(|part| parts::told(part).to_string())
            .collect();
        if !made.is_empty() {
            self.add("device-fact-made", Markup::trusted(made.join(", ")));
        }
        let lots: Vec<String> = identity
            .lots
            .iter()
            .map(|(part, lot)| format!("{} {}", parts::told(part), parts::told(lot)))
            .collect();
        if !lots.is_empty() {
            self.add("device-fact-lots", Markup::trusted(lots.join("<br>")));
        }
    }

    fn told(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(key, parts::told(value));
        }
    }
}

/// A client that speaks for it: its name, how it speaks, since when, and what it may not do.
fn client(frame: &Frame, connection: &LiveConnection) -> Markup {
    let (t, show) = (frame.t, &frame.show);
    let key = if connection.tls {
        "device-client-tls"
    } else {
        "device-client"
    };
    let how = t
        .say(key)
        .with("protocol", &connection.protocol)
        .with("when", show.day_time(connection.since))
        .num("messages", connection.messages)
        .num("subscriptions", connection.subscriptions_granted)
        .to_string();
    let how = show.time(connection.since, &how);
    let denied = if connection.denied > 0 {
        let words = t.say("device-client-denied").num("n", connection.denied);
        format!("<small>{}</small>", escaped(&words.to_string()))
    } else {
        String::new()
    };
    let name = parts::told(&connection.client_id);
    Markup::trusted(format!("{name}<small>{how}</small>{denied}"))
}

/// How right its clock is.
fn clock(frame: &Frame, clock: LiveClock) -> Markup {
    let (t, show) = (frame.t, &frame.show);
    let text = if clock.offset_ms != 0 {
        let key = if clock.offset_ms < 0 {
            "device-clock-ahead"
        } else {
            "device-clock-behind"
        };
        t.say(key).with("by", show.duration(clock.offset_ms.abs()))
    } else if clock.suspect {
        t.say("device-clock-suspect")
    } else {
        match clock.lags_ms {
            // What arrives a moment late is the way it took; only what lies before its receipt or far behind is the clock.
            Some((low, high)) => {
                let off = (-low).max(0).max(high);
                let within = off.max(RIGHT_MS / 2) + SECOND_MS - 1;
                t.say("device-clock-right")
                    .with("within", show.duration(within))
            }
            None => t.say("device-clock-unknown"),
        }
    };
    Markup::text(&text.to_string())
}

/// Something that happened to the device.
pub(super) struct Line {
    at: Timestamp,
    pub(super) when: Markup,
    pub(super) what: Markup,
}

/// What happened to it, newest first: tickets that ended, restarts, its first message.
pub(super) fn record(frame: &Frame, subject: &Subject, tickets: &[Ticket]) -> Vec<Line> {
    let (t, show) = (frame.t, &frame.show);
    let line = |at: Timestamp, what: Markup| Line {
        at,
        when: show.time(at, &show.date(at)),
        what,
    };
    let mut lines: Vec<Line> = tickets
        .iter()
        .filter_map(|ticket| {
            let at = ticket.closed_at.or(ticket.resolved_at)?;
            Some(line(at, ended(frame, ticket)))
        })
        .collect();
    let restarts = subject.live.iter().flat_map(|live| &live.restarts);
    lines.extend(restarts.map(|(at, boot)| {
        let text = t.say("device-record-restart").num("boot", *boot);
        line(*at, Markup::text(&text.to_string()))
    }));
    let first = t.say("device-record-first").to_string();
    lines.push(line(subject.row.first_seen, Markup::text(&first)));
    lines.sort_by_key(|line| Reverse(line.at));
    lines.truncate(RECORD_LINES);
    lines
}

/// How a ticket ended: verdict and fitted parts.
fn ended(frame: &Frame, ticket: &Ticket) -> Markup {
    let t = frame.t;
    let how = match (ticket.verdict, ticket.status) {
        (Some(found), _) => verdict(frame, found),
        (None, TicketStatus::Cancelled) => t.say("status-cancelled").to_string(),
        (None, _) => t.say("status-closed").to_string(),
    };
    let mut text = t
        .say("device-record-ended")
        .with("title", t.one(&ticket.title))
        .with("how", how)
        .to_string();
    if !ticket.fitted.is_empty() {
        let fitted = ticket.fitted.join(", ");
        text.push_str(
            &t.say("device-record-fitted")
                .with("parts", fitted)
                .to_string(),
        );
    }
    Markup::trusted(format!(
        "{} (<a class=\"nb\" href=\"/tickets/{1}\">{1}</a>)",
        escaped(&text),
        escaped(&ticket.id)
    ))
}

/// A verdict in words.
pub(super) fn verdict(frame: &Frame, verdict: Verdict) -> String {
    let t = frame.t;
    match verdict {
        Verdict::ConfirmedFault => t.say("device-verdict-confirmed-fault"),
        Verdict::Consumable => t.say("device-verdict-consumable"),
        Verdict::UserEducation => t.say("device-verdict-user-education"),
        Verdict::Environment => t.say("device-verdict-environment"),
        Verdict::NoFaultFound => t.say("device-verdict-no-fault-found"),
        Verdict::SensorError => t.say("device-verdict-sensor-error"),
        Verdict::Unreachable => t.say("device-verdict-unreachable"),
        Verdict::Declined => t.say("device-verdict-declined"),
        Verdict::Duplicate => t.say("device-verdict-duplicate"),
        Verdict::KnownProblem => t.say("device-verdict-known-problem"),
    }
    .to_string()
}
