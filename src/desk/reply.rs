//! What a person asks of a ticket and what the desk answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::telemetry::{BasicAction, DAY_MS, Text, TicketAction, Timestamp};

use super::TicketStatus;
use super::moves::allowed;

/// How far ahead a wait may end: longer than any part was ever on order; beyond it the ticket is better closed.
pub const WAIT_LIMIT_MS: i64 = 366 * DAY_MS;

/// Most parts that one resolve may name; no appliance of this kind has more that a visit replaces. More are refused.
pub const PARTS_LIMIT: usize = 32;

/// A person's action on a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which ticket.
    pub ticket: &'a str,
    /// What to do.
    pub action: &'a TicketAction,
    /// Who asks.
    pub by: &'a str,
    /// The version that the person saw; another one is refused.
    pub expected_version: Option<u64>,
    /// Repeating the same key of the same person on the same ticket gives the same reply and changes nothing.
    pub key: Option<&'a str>,
}

/// The answer to a person's action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done {
        /// Which ticket.
        ticket: SmolStr,
        /// Its version now.
        version: u64,
    },
    /// Not done, and nothing changed.
    Refused(Refusal),
}

/// Why an action was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such ticket.
    UnknownTicket {
        /// What was asked for.
        ticket: SmolStr,
    },
    /// It ended so long ago that it can no longer be changed.
    TooOld {
        /// Which ticket.
        ticket: SmolStr,
    },
    /// The person saw an older version.
    Stale {
        /// The version now.
        current: u64,
    },
    /// The status does not allow it; [`allowed`] lists what it does.
    NotAllowed {
        /// The ticket's status.
        status: TicketStatus,
        /// What was asked for.
        action: BasicAction,
    },
    /// Another ticket is open for the same fault of the same device.
    AnotherOpen {
        /// That ticket.
        ticket: SmolStr,
    },
    /// A wait must end after now and within [`WAIT_LIMIT_MS`].
    WaitUntil {
        /// What was asked for.
        until: Timestamp,
    },
    /// More parts than [`PARTS_LIMIT`].
    TooManyParts {
        /// How many.
        parts: usize,
    },
}

impl Refusal {
    /// The reason for people, in both languages.
    #[must_use]
    pub fn text(&self) -> Text {
        match self {
            Self::UnknownTicket { ticket } => Text::new(
                format!("there is no ticket {ticket}"),
                format!("没有工单 {ticket}"),
            ),
            Self::TooOld { ticket } => Text::new(
                format!("{ticket} ended more than 14 days ago and can no longer be changed"),
                format!("{ticket} 结束已超过 14 天，不能再更改"),
            ),
            Self::Stale { current } => Text::new(
                format!("the ticket was changed meanwhile; its version is now {current}"),
                format!("工单已被更改，当前版本为 {current}"),
            ),
            Self::NotAllowed { status, action } => {
                let moves: Vec<&str> = allowed(*status).map(BasicAction::as_str).collect();
                let moves = moves.join(", ");
                Text::new(
                    format!(
                        "{} is not allowed while the ticket is {status}; allowed: {moves}",
                        action.as_str()
                    ),
                    format!(
                        "工单状态为 {status} 时不能执行 {}；可执行：{moves}",
                        action.as_str()
                    ),
                )
            }
            Self::AnotherOpen { ticket } => Text::new(
                format!("{ticket} is open for the same fault of this device"),
                format!("该设备的同一故障已有未结工单 {ticket}"),
            ),
            Self::WaitUntil { until } => Text::new(
                format!("a wait until {until} does not end between now and a year from now"),
                format!("等待截止时间 {until} 不在现在起一年之内"),
            ),
            Self::TooManyParts { parts } => Text::new(
                format!("{parts} parts were named; at most {PARTS_LIMIT} are taken"),
                format!("填写了 {parts} 个备件，最多 {PARTS_LIMIT} 个"),
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text().en)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_illegal_move_names_status_action_and_what_is_allowed() {
        let refusal = Refusal::NotAllowed {
            status: TicketStatus::Closed,
            action: BasicAction::Start,
        };
        assert_eq!(
            refusal.to_string(),
            "start is not allowed while the ticket is closed; allowed: comment, reopen"
        );
    }
}
