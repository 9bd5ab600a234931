//! From tickets to cases: what one caller sees is one row, and rows are grouped by when they need someone.
//!
//! Pure: it reads no clock and no store. A case is the open tickets of one device; its most severe ticket names it.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::store::QueueLine;
use crate::telemetry::Timestamp;

/// When a case needs someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::web) enum Group {
    /// Safety, or urgent and nobody has it.
    Now,
    /// Everything else that can be worked on.
    Next,
    /// It waits for a customer, a part or a visit.
    Waiting,
    /// Repaired, and watched.
    Watched,
}

impl Group {
    /// Every group, most urgent first.
    pub(in crate::web) const ALL: [Self; 4] = [Self::Now, Self::Next, Self::Waiting, Self::Watched];
}

/// The open tickets of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Case {
    /// Most severe first; never empty.
    pub(in crate::web) lines: Vec<QueueLine>,
    /// When it needs someone.
    pub(in crate::web) group: Group,
}

/// What a reader wants to see of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Wish {
    /// Assigned to this person.
    pub(in crate::web) mine: Option<SmolStr>,
    /// Assigned to nobody.
    pub(in crate::web) nobody: bool,
    /// Only this group.
    pub(in crate::web) group: Option<Group>,
    /// `S1` to `S3`.
    pub(in crate::web) severity: Option<SmolStr>,
    /// Model.
    pub(in crate::web) model: Option<SmolStr>,
    /// Region.
    pub(in crate::web) region: Option<SmolStr>,
    /// Ticket id, serial or the end of one.
    pub(in crate::web) find: Option<String>,
    /// Oldest first rather than most urgent first.
    pub(in crate::web) oldest: bool,
}

impl Case {
    /// The ticket that names the case.
    pub(in crate::web) fn lead(&self) -> Option<&QueueLine> {
        self.lines.first()
    }

    /// When its oldest ticket was opened.
    pub(in crate::web) fn since(&self) -> Timestamp {
        let opened = self.lines.iter().map(|line| line.opened_at);
        opened.min().unwrap_or(Timestamp::MIN)
    }

    /// Nobody has it.
    pub(in crate::web) fn is_nobodys(&self) -> bool {
        self.lines.iter().all(|line| line.assignee.is_none())
    }

    /// Safety, and nobody has taken it.
    pub(in crate::web) fn is_hot(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.severity == "S1" && line.status == "new")
    }
}

/// How much a ticket asks of someone: what is being watched or waits names a case only when nothing else does.
fn weight(line: &QueueLine) -> (u8, SmolStr, Timestamp) {
    let idle = match line.status.as_str() {
        "resolved" => 2,
        "waiting" => 1,
        _ => 0,
    };
    (idle, line.severity.clone(), line.opened_at)
}

fn group(lines: &[QueueLine]) -> Group {
    let all = |status: &str| lines.iter().all(|line| line.status == status);
    let idle = |line: &QueueLine| matches!(line.status.as_str(), "waiting" | "resolved");
    if all("resolved") {
        Group::Watched
    } else if lines.iter().all(idle) {
        Group::Waiting
    } else if lines.iter().any(|line| {
        !idle(line) && (line.severity == "S1" || (line.severity == "S2" && line.status == "new"))
    }) {
        Group::Now
    } else {
        Group::Next
    }
}

/// Tickets as cases: grouped, and inside a group most urgent first.
pub(in crate::web) fn cases(lines: Vec<QueueLine>) -> Vec<Case> {
    let mut by_device: BTreeMap<SmolStr, Vec<QueueLine>> = BTreeMap::new();
    for line in lines {
        by_device.entry(line.device.clone()).or_default().push(line);
    }
    let mut cases: Vec<Case> = by_device
        .into_values()
        .map(|mut lines| {
            lines.sort_by_cached_key(weight);
            let group = group(&lines);
            Case { lines, group }
        })
        .collect();
    cases.sort_by_cached_key(|case| {
        let severity = case.lead().map(|line| line.severity.clone());
        (case.group, severity, case.since())
    });
    cases
}

/// The cases that a reader wants, in the order that the reader wants.
pub(in crate::web) fn wanted(cases: &[Case], wish: &Wish) -> Vec<Case> {
    let mut kept: Vec<Case> = cases
        .iter()
        .filter(|case| matches(case, wish))
        .cloned()
        .collect();
    if wish.oldest {
        kept.sort_by_key(|case| (case.group, case.since()));
    }
    kept
}

fn matches(case: &Case, wish: &Wish) -> bool {
    let any = |wanted: &Option<SmolStr>, of: &dyn Fn(&QueueLine) -> Option<SmolStr>| {
        wanted.as_ref().is_none_or(|wanted| {
            case.lines
                .iter()
                .any(|line| of(line).as_ref() == Some(wanted))
        })
    };
    wish.group.is_none_or(|group| case.group == group)
        && (!wish.nobody || case.is_nobodys())
        && any(&wish.mine, &|line| line.assignee.clone())
        && any(&wish.severity, &|line| Some(line.severity.clone()))
        && any(&wish.model, &|line| Some(line.model.clone()))
        && any(&wish.region, &|line| line.region.clone())
        && wish.find.as_ref().is_none_or(|find| found(case, find))
}

/// Ticket id, serial, or at least four characters of a serial's end.
fn found(case: &Case, find: &str) -> bool {
    let find = find.trim().to_ascii_lowercase();
    case.lines.iter().any(|line| {
        let device = line.device.to_ascii_lowercase();
        let serial = device.split_once('/').map_or("", |(_, serial)| serial);
        line.id.eq_ignore_ascii_case(&find)
            || device == find
            || serial == find
            || (find.chars().count() >= 4 && serial.ends_with(&find))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, device: &str, severity: &str, status: &str, at: i64) -> QueueLine {
        QueueLine {
            id: id.into(),
            device: device.into(),
            model: "ts-flash5".into(),
            severity: severity.into(),
            status: status.into(),
            assignee: None,
            region: None,
            opened_at: Timestamp::from_ms(at),
        }
    }

    fn ids(cases: &[Case]) -> Vec<&str> {
        let leads = cases.iter().filter_map(Case::lead);
        leads.map(|line| line.id.as_str()).collect()
    }

    #[test]
    fn a_device_is_one_row_and_its_worst_ticket_names_it() {
        let cases = cases(vec![
            line("T-1", "m/A", "S3", "new", 1),
            line("T-2", "m/A", "S2", "acknowledged", 2),
            line("T-3", "m/B", "S1", "new", 3),
        ]);
        assert_eq!(ids(&cases), ["T-3", "T-2"]);
        assert_eq!(cases[1].lines.len(), 2);
        assert_eq!(cases[1].since(), Timestamp::from_ms(1));
    }

    #[test]
    fn groups_tell_when_someone_is_needed() {
        let of = |severity, status| cases(vec![line("T-1", "m/A", severity, status, 1)])[0].group;
        assert_eq!(of("S1", "in_progress"), Group::Now);
        assert_eq!(of("S2", "new"), Group::Now);
        assert_eq!(of("S2", "acknowledged"), Group::Next);
        assert_eq!(of("S3", "new"), Group::Next);
        assert_eq!(of("S1", "waiting"), Group::Waiting);
        assert_eq!(of("S1", "resolved"), Group::Watched);
    }

    #[test]
    fn a_waiting_ticket_does_not_hide_one_that_needs_someone() {
        let cases = cases(vec![
            line("T-1", "m/A", "S2", "waiting", 1),
            line("T-2", "m/A", "S3", "new", 2),
        ]);
        assert_eq!(ids(&cases), ["T-2"]);
        assert_eq!(cases[0].group, Group::Next);
    }

    #[test]
    fn filters_and_search_keep_whole_cases() {
        let all = cases(vec![
            line("T-1", "m/TSF5-000123", "S3", "new", 1),
            line("T-2", "m/TSF5-000123", "S2", "new", 2),
            line("T-3", "m/TSF5-000999", "S3", "new", 3),
        ]);
        let wish = |find: &str| Wish {
            find: Some(find.to_owned()),
            ..Wish::default()
        };
        assert_eq!(ids(&wanted(&all, &wish("0123"))), ["T-2"]);
        assert_eq!(ids(&wanted(&all, &wish("t-3"))), ["T-3"]);
        assert!(wanted(&all, &wish("123")).is_empty());
        let severe = Wish {
            severity: Some("S3".into()),
            oldest: true,
            ..Wish::default()
        };
        assert_eq!(ids(&wanted(&all, &severe)), ["T-2", "T-3"]);
    }
}
