//! Detection's view of devices in the words of the API.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::detect::DeviceView;
use crate::detect::FaultState;
use crate::detect::FaultView;
use crate::detect::SignalView;
use crate::profile::Program;
use crate::profile::Signal;
use crate::profile::SignalKind;
use crate::telemetry::DAY_MS;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;
use crate::web::FaultCounts;
use crate::web::LiveDevice;
use crate::web::LiveFault;
use crate::web::LiveSignal;

/// How far back a device counts in the numbers of a profile (DESIGN section 10).
const COUNTED_MS: i64 = 30 * DAY_MS;

/// A device for the API.
pub(super) fn live(view: &DeviceView, program: Option<&Program>) -> LiveDevice {
    let rule = |path: &SmolStr| {
        program.and_then(|program| program.signals.iter().find(|rule| rule.path == *path))
    };
    LiveDevice {
        signals: view
            .signals
            .iter()
            .filter_map(|signal| Some(live_signal(signal, rule(&signal.path)?)))
            .collect(),
        faults: view.faults.iter().map(live_fault).collect(),
    }
}

fn live_signal(signal: &SignalView, rule: &Signal) -> LiveSignal {
    LiveSignal {
        name: rule.name.clone(),
        path: rule.path.clone(),
        label: rule.label.clone(),
        value: signal.value.filter(|_| signal.known),
        shown: signal
            .value
            .filter(|_| signal.known)
            .map(|value| shown(value, rule)),
        unit: rule.unit.symbol.clone(),
        at: signal.at,
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
    let state = match (fault.state, &fault.blind) {
        (FaultState::Learning | FaultState::Normal, Some(_)) => "blind",
        (FaultState::Learning, None) => "learning",
        (FaultState::Normal, None) => "normal",
        (FaultState::Pending, _) => "pending",
        (FaultState::Active, _) => "active",
        (FaultState::Clearing, _) => "clearing",
    };
    LiveFault {
        fault: fault.fault.clone(),
        state: state.into(),
        stage: fault.stage,
        since: fault.since,
        why: fault.blind.as_ref().map(|why| Text::same(why)),
    }
}

/// For each fault, how the devices that were heard of within 30 days stand.
pub(super) fn fault_counts(views: &[DeviceView], now: Timestamp) -> BTreeMap<SmolStr, FaultCounts> {
    let mut counts: BTreeMap<SmolStr, FaultCounts> = BTreeMap::new();
    let recent = |view: &&DeviceView| {
        view.last_heard
            .is_some_and(|heard| now.since(heard) <= COUNTED_MS)
    };
    for fault in views.iter().filter(recent).flat_map(|view| &view.faults) {
        let count = counts.entry(fault.fault.clone()).or_default();
        match (fault.state, &fault.blind) {
            (FaultState::Learning | FaultState::Normal, Some(_)) => count.blind += 1,
            (FaultState::Learning, None) => count.learning += 1,
            (FaultState::Normal, None) => count.judged += 1,
            (FaultState::Pending, _) => {
                count.judged += 1;
                count.pending += 1;
            }
            (FaultState::Active | FaultState::Clearing, _) => {
                count.judged += 1;
                count.active += 1;
            }
        }
    }
    counts
}
