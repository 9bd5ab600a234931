//! What is remembered of one device for its profile: signals, sessions, derives, nodes, faults.
//!
//! Leaves evaluation to `eval`, change to `node`, `session`, `derive` and `fault`. Invariant: each list is as long as the list of
//! the program it belongs to, and no number in it is NaN.

use serde::{Deserialize, Serialize};

use super::bits::Bits;
use super::derive::DeriveState;
use super::fault::FaultSlot;
use super::node::NodeState;
use super::plan::Plan;
use super::session::SessionState;
use super::signal::SignalState;
use crate::profile::{DeriveIdx, EventIdx};
use crate::telemetry::Identity;

/// A moment before all others.
pub(super) const NEVER: i64 = i64::MIN / 4;

/// When an occurrence was last told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EventState {
    /// By the device's time; [`NEVER`] before the first.
    pub(super) at: i64,
}

impl Default for EventState {
    fn default() -> Self {
        Self { at: NEVER }
    }
}

/// A node with what it last gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeSlot {
    /// What it remembers.
    pub(super) state: NodeState,
    /// What it gave: a number, or 1 and 0 for truth; `None` is unknown.
    pub(super) out: Option<f64>,
    /// How many values stand behind it.
    pub(super) samples: u32,
    /// When it changes by time alone, by the device's time; `None`: look again at the next pass.
    pub(super) valid_until: Option<i64>,
}

/// All slots of a device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Body {
    /// By signal.
    pub(super) signals: Vec<SignalState>,
    /// By event.
    pub(super) events: Vec<EventState>,
    /// By session kind.
    pub(super) sessions: Vec<SessionState>,
    /// By derive.
    pub(super) derives: Vec<DeriveState>,
    /// By node.
    pub(super) nodes: Vec<NodeSlot>,
    /// By fault.
    pub(super) faults: Vec<FaultSlot>,
    /// Limits, resolved for hardware and region, in base units.
    #[serde(skip)]
    pub(super) limits: Vec<f64>,
    /// The device is on the air, as far as it said.
    pub(super) online: bool,
    /// First record ever, by the device's time.
    pub(super) first_seen: i64,
}

impl Body {
    /// It has no rules.
    pub(super) fn is_empty(&self) -> bool {
        self.signals.is_empty() && self.nodes.is_empty() && self.faults.is_empty()
    }

    /// Nothing remembered.
    pub(super) fn new(plan: &Plan, identity: &Identity) -> Self {
        let program = &plan.program;
        let mut body = Self {
            signals: vec![SignalState::default(); program.signals.len()],
            events: vec![EventState::default(); program.events.len()],
            sessions: vec![SessionState::default(); program.sessions.len()],
            derives: vec![DeriveState::default(); program.derives.len()],
            nodes: program.nodes.iter().map(NodeSlot::new).collect(),
            faults: vec![FaultSlot::default(); program.faults.len()],
            limits: Vec::new(),
            online: true,
            first_seen: NEVER,
        };
        body.resolve_limits(plan, identity);
        body
    }

    /// Chooses the limits for this hardware and region; hardware goes before region.
    pub(super) fn resolve_limits(&mut self, plan: &Plan, identity: &Identity) {
        self.limits = plan
            .program
            .limits
            .iter()
            .map(|limit| {
                let by_hw = identity.hw.as_ref().and_then(|hw| limit.by_hw.get(hw));
                let by_region = identity
                    .region
                    .as_ref()
                    .and_then(|region| limit.by_region.get(region));
                by_hw.or(by_region).copied().unwrap_or(limit.default)
            })
            .collect();
    }
}

/// One look at everything: at a record, or at a moment at which something comes due.
#[derive(Clone, Debug, Default)]
pub(super) struct Pass {
    /// The device's time, ms.
    pub(super) t: i64,
    /// The journal's time, ms.
    pub(super) j: i64,
    /// The device's time without blind spans, ms: what holds and totals count.
    pub(super) run: i64,
    /// Signals that this record carries, not late.
    pub(super) touched: Bits,
    /// The occurrence that this record tells.
    pub(super) event: Option<EventIdx>,
    /// Derives that gave a value in this pass.
    pub(super) valued: Bits,
    /// Session kinds that ended in this pass and count.
    pub(super) ended: Bits,
    /// Older than the device's newest record, but not late for the signals it carries: only what they feed is looked at.
    pub(super) past: bool,
    /// Everything is looked at. Else only what the record touches, and what changes by time alone: all other rules would give
    /// what they gave.
    pub(super) whole: bool,
    /// The local day ends here.
    pub(super) day_ends: bool,
    /// Day number of this moment where it matters.
    pub(super) day: i64,
    /// Silence proves nothing: the gateway is down or we were away.
    pub(super) muted: bool,
    /// Decided from late data.
    pub(super) late: bool,
    /// A case of a profile says what these derives gave at the end of a session (base units); others of it gave nothing.
    pub(super) forced: Vec<(DeriveIdx, f64)>,
}

impl Pass {
    /// An empty pass with room for a plan's indexes.
    pub(super) fn for_plan(plan: &Plan) -> Self {
        Self {
            touched: Bits::with_room(plan.program.signals.len()),
            valued: Bits::with_room(plan.program.derives.len()),
            ended: Bits::with_room(plan.program.sessions.len()),
            whole: true,
            ..Self::default()
        }
    }

    /// Forgets what the record carried; the moment stays.
    pub(super) fn settle(&mut self) {
        self.touched.clear();
        self.valued.clear();
        self.ended.clear();
        self.forced.clear();
        self.event = None;
        self.past = false;
        self.whole = true;
        self.day_ends = false;
    }

    /// A rule that reads these gives what it gave, by all that came in; time may still change it.
    pub(super) fn leaves(&self, deps: &super::plan::Deps) -> bool {
        !self.whole && !self.past && !deps.timed && !deps.instant && !self.reaches(deps)
    }

    /// A rule that reads these was touched by what came in.
    pub(super) fn reaches(&self, deps: &super::plan::Deps) -> bool {
        deps.signals.meets(&self.touched)
            || deps.derives.meets(&self.valued)
            || self.event.is_some_and(|event| deps.events.has(event))
    }
}
