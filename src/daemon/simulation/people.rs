//! What people do: they work on tickets, take devices out of service, and put profiles in force.

use super::neighbours::Neighbours;
use crate::daemon::announce::World;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::TicketAction;
use crate::telemetry::Verdict;

/// Somebody acts on a ticket, if there is one.
pub(super) fn ticket(around: &mut Neighbours, acted: usize) -> Option<Control> {
    let number = around.chance.below(100);
    let ticket = around.store.ticket(number)?;
    let resolve = TicketAction::Resolve {
        verdict: Verdict::ConfirmedFault,
        parts: Vec::new(),
        note: None,
    };
    let actions = [
        TicketAction::Acknowledge,
        TicketAction::Start,
        resolve,
        TicketAction::Close,
        TicketAction::Reopen { reason: None },
    ];
    let action = around.chance.of(&actions).clone();
    Some(Control::Ticket {
        ticket: ticket.id.clone(),
        action,
        by: "technician-7".into(),
        expected_version: Some(ticket.version),
        key: Some(format!("k{acted}").into()),
    })
}

/// A device is taken out of service, or named as one of ours.
pub(super) fn registry(around: &mut Neighbours) -> Control {
    let serial = *around.chance.of(&["A", "B", "C", "D"]);
    let actions = [DeviceAction::Retire, DeviceAction::Adopt];
    Control::Device {
        device: format!("x-2/{serial}").parse().expect("a device"),
        action: around.chance.of(&actions).clone(),
        by: "agent-1".into(),
    }
}

/// Other profiles are put in force; the next start goes back to the first ones.
pub(super) fn profiles() -> Control {
    let World {
        mut profiles,
        words,
        ..
    } = Neighbours::world();
    for profile in &mut profiles {
        profile.text = profile.text.replace("version = \"1\"", "version = \"2\"");
    }
    Control::Profiles { profiles, words }
}
