//! Detection's view of devices in the words of the API.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::shared::Known;
use crate::detect::Blind;
use crate::detect::DeriveView;
use crate::detect::FaultState;
use crate::detect::FaultView;
use crate::detect::SignalView;
use crate::pipeline::Presence;
use crate::profile::Per;
use crate::profile::Program;
use crate::profile::Signal;
use crate::profile::SignalKind;
use crate::profile::StaleAfter;
use crate::telemetry::DeviceId;
use crate::telemetry::Timestamp;
use crate::web::LiveClock;
use crate::web::LiveDerive;
use crate::web::LiveDevice;
use crate::web::LiveFault;
use crate::web::LiveSignal;
use crate::web::SignalState;
use crate::web::Unwritten;

/// A device for the API.
pub(super) fn live(known: &Known, program: Option<&Program>, now: Timestamp) -> LiveDevice {
    let (view, clock) = (&known.view, known.decoding.clock);
    let rule = |path: &SmolStr| {
        program.and_then(|program| program.signals.iter().find(|rule| rule.path == *path))
    };
    LiveDevice {
        signals: view
            .signals
            .iter()
            .filter_map(|signal| Some(live_signal(signal, rule(&signal.path)?, now)))
            .collect(),
        derives: view
            .derives
            .iter()
            .filter_map(|derive| live_derive(derive, program?))
            .collect(),
        faults: view.faults.iter().map(live_fault).collect(),
        last_event: view.last_event,
        source: view.source.clone(),
        frozen: view.frozen,
        clock: LiveClock {
            offset_ms: clock.offset_ms,
            lags_ms: clock.lags_ms,
            at: clock.at,
            suspect: clock.suspect,
        },
        restarts: known.decoding.restarts.clone(),
    }
}

/// What the store does not know yet.
pub(super) fn unwritten(heard: Vec<Option<Presence>>) -> BTreeMap<DeviceId, Unwritten> {
    let since = |presence: Presence| {
        let unwritten = Unwritten {
            last_seen: presence.last_seen,
            messages: presence.messages,
            rejected: presence.rejected,
            duplicates: presence.duplicates,
            seq_restarts: presence.seq_restarts,
        };
        (presence.device, unwritten)
    };
    heard.into_iter().flatten().map(since).collect()
}

fn live_signal(signal: &SignalView, rule: &Signal, now: Timestamp) -> LiveSignal {
    let last_shown = signal.value.map(|value| shown(value, rule));
    LiveSignal {
        name: rule.name.clone(),
        path: rule.path.clone(),
        label: rule.label.clone(),
        value: signal.value.filter(|_| signal.known),
        shown: last_shown.clone().filter(|_| signal.known),
        unit: rule.unit.symbol.clone(),
        at: signal.at,
        last: signal.value,
        last_shown,
        state: signal_state(signal, rule, now),
    }
}

fn live_derive(derive: &DeriveView, program: &Program) -> Option<LiveDerive> {
    let rule = program
        .derives
        .iter()
        .find(|rule| rule.name == derive.name)?;
    Some(LiveDerive {
        name: rule.name.clone(),
        label: rule.label.clone(),
        unit: rule.unit.symbol.clone(),
        value: derive.value,
        at: derive.at,
        normal: derive.normal,
        stored: rule.per != Per::Sample,
    })
}

/// Detection looked when the device last spoke; a person looks now.
fn signal_state(signal: &SignalView, rule: &Signal, now: Timestamp) -> SignalState {
    let Some(at) = signal.at else {
        return SignalState::Never;
    };
    let over = matches!(rule.stale_after, StaleAfter::Ms(ms) if now.since(at) >= ms);
    if signal.invalid {
        SignalState::Invalid
    } else if over || !signal.known {
        SignalState::Stale
    } else {
        SignalState::Fresh
    }
}

/// A value as people read it: words for enumerations and truth, else number and unit.
fn shown(value: f64, rule: &Signal) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index of a short list; anything else finds no word"
    )]
    let index = value as usize;
    match &rule.kind {
        SignalKind::Bool => (value != 0.0).to_string(),
        SignalKind::Enum(words) => words
            .get(index)
            .map_or_else(|| value.to_string(), ToString::to_string),
        SignalKind::Gauge | SignalKind::Bits(_) | SignalKind::Counter { .. } => {
            rule.unit.format(rule.unit.to_base(value))
        }
    }
}

fn live_fault(fault: &FaultView) -> LiveFault {
    LiveFault {
        fault: fault.fault.clone(),
        state: state(fault.state, fault.blind.as_ref()).into(),
        stage: fault.stage,
        since: fault.since,
        why: fault.blind.as_ref().map(Blind::text),
        blind: fault.blind.clone(),
        stages: fault.stages.clone(),
        rechecking: fault.rechecking,
        shadow: fault.shadow,
    }
}

/// What people call the state: a fault that only needs more values is learning, one that more values would not help is blind.
pub(super) const fn state(state: FaultState, blind: Option<&Blind>) -> &'static str {
    match (state, blind) {
        (FaultState::Learning | FaultState::Normal, Some(Blind::Learning(_)))
        | (FaultState::Learning, None) => "learning",
        (FaultState::Learning | FaultState::Normal, Some(_)) => "blind",
        (FaultState::Normal, None) => "normal",
        (FaultState::Pending, _) => "pending",
        (FaultState::Active, _) => "active",
        (FaultState::Clearing, _) => "clearing",
    }
}
