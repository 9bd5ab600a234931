//! Which span of time a ticket's charts show, and what happened in it: shading, markers, choices of the reader.
//!
//! Pure: it gets the present with the call. Device times are used for what the device did, the journal's for what people did.

use crate::chart::Held;
use crate::chart::Level;
use crate::chart::Mark;
use crate::chart::MarkKind;
use crate::chart::Span;
use crate::store::TimelineEntry;
use crate::telemetry::DAY_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;

use super::gather::Gathered;

/// Around a sudden fault at least so much is shown on either side.
const NEAR_LEAST_MS: i64 = MINUTE_MS;
/// And at most so much.
const NEAR_MOST_MS: i64 = DAY_MS;
/// What happens after a ticket was closed is of interest for so long.
const AFTERMATH_MS: i64 = 7 * DAY_MS;
/// A device of which the first message is not known.
const ALL_MOST_MS: i64 = 400 * DAY_MS;

/// What the reader chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// The moments around the fault.
    Near,
    /// So many days up to the newest value.
    Days(i64),
    /// Since the device was first heard of.
    All,
}

impl Range {
    /// The choices: for values of uses and days, and for signals.
    pub(super) const fn choices(per_use: bool) -> [Self; 3] {
        if per_use {
            [Self::Days(14), Self::Days(60), Self::All]
        } else {
            [Self::Near, Self::Days(1), Self::Days(14)]
        }
    }

    /// What was chosen, else what shows the fault best.
    pub(super) fn chosen(name: Option<&str>, per_use: bool) -> Self {
        let choices = Self::choices(per_use);
        let found = choices
            .into_iter()
            .find(|range| Some(range.name().as_str()) == name);
        found.unwrap_or(if per_use { choices[1] } else { choices[0] })
    }

    /// Its name in the address.
    pub(super) fn name(self) -> String {
        match self {
            Self::Near => "near".to_owned(),
            Self::Days(days) => format!("{days}d"),
            Self::All => "all".to_owned(),
        }
    }

    /// From when to when.
    pub(super) fn span(self, all: &Gathered, now: Timestamp) -> Span {
        let ticket = &all.ticket;
        if self == Self::Near {
            let size = ticket.event_time.since(ticket.first_event_time);
            let around = size.clamp(NEAR_LEAST_MS, NEAR_MOST_MS);
            return Span {
                from: ticket.first_event_time - around,
                to: ticket.event_time + around,
            };
        }
        let heard = all.device.as_ref().map_or(now, |device| device.last_seen);
        let wanted = match ticket.closed_at {
            Some(closed) => heard.min(closed + AFTERMATH_MS),
            None => heard,
        };
        // What is shown ends with the newest value, but never before the fault.
        let to = wanted.min(now).max(ticket.event_time + MINUTE_MS);
        let wanted = match self {
            Self::Days(days) => to - days * DAY_MS,
            Self::Near | Self::All => to - ALL_MOST_MS,
        };
        // Nothing is known from before the device was first heard of.
        let first = all.device.as_ref().map(|device| device.first_seen);
        let from = wanted.max(first.unwrap_or(wanted));
        Span {
            from: from.min(ticket.first_event_time - MINUTE_MS),
            to,
        }
    }
}

/// When the fault held, by the story of the ticket. A latched one stays raised after the condition is over: only its rise is known.
pub(super) fn held(all: &Gathered, latched: bool, to: Timestamp) -> Vec<Held> {
    let ticket = &all.ticket;
    if latched {
        return vec![Held {
            span: Span {
                from: ticket.first_event_time,
                to: ticket.event_time,
            },
            level: level_of(ticket.stage.as_str()),
        }];
    }
    let mut found = Vec::new();
    let mut open: Option<(Timestamp, Level)> = None;
    for line in &all.timeline {
        let next = match line.change.as_str() {
            "opened" | "worsened" | "eased" => stage(line).or(open.map(|(_, level)| level)),
            "reopened" if line.by.is_none() => {
                stage(line).or_else(|| Some(level_of(ticket.stage.as_str())))
            }
            "cleared" | "cancelled" => None,
            _ => continue,
        };
        end(&mut found, open.take(), line.event_time);
        open = next.map(|level| (line.event_time, level));
    }
    end(&mut found, open, to);
    found
}

fn end(found: &mut Vec<Held>, open: Option<(Timestamp, Level)>, to: Timestamp) {
    if let Some((from, level)) = open
        && from < to
    {
        found.push(Held {
            span: Span { from, to },
            level,
        });
    }
}

fn stage(line: &TimelineEntry) -> Option<Level> {
    line.changed.get("stage")?.as_str().map(level_of)
}

fn level_of(stage: &str) -> Level {
    if stage == "fault" {
        Level::Fault
    } else {
        Level::Warning
    }
}

/// The vertical lines: what changed the ticket for the better or worse.
pub(super) fn marks(all: &Gathered) -> Vec<Mark> {
    let mut marks: Vec<Mark> = all
        .timeline
        .iter()
        .filter_map(|line| {
            let fitted = line
                .changed
                .get("fitted")
                .and_then(|fitted| fitted.as_array())
                .is_some_and(|fitted| !fitted.is_empty());
            let (at, kind) = match (line.change.as_str(), line.what.as_str()) {
                ("opened", _) => (line.event_time, MarkKind::Opened),
                ("worsened", _) => (line.event_time, MarkKind::Worsened),
                ("cleared", _) => (line.event_time, MarkKind::Cleared),
                ("reopened", _) if line.by.is_none() => (line.event_time, MarkKind::Reopened),
                ("acted", "resolve") if fitted => (line.at, MarkKind::Replaced),
                ("acted", "resolve") => (line.at, MarkKind::Resolved),
                _ => return None,
            };
            Some(Mark { at, kind })
        })
        .collect();
    marks.sort_by_key(|mark| mark.at);
    marks
}
