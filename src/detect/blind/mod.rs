//! Why a fault cannot be judged now: what is missing, stale, out of range, in its way, or still being learnt.
//!
//! `words` says it in both languages. Invariant: it reads the state and changes nothing; a reason is given only for
//! what really makes the condition unknown.

mod words;

use smol_str::SmolStr;

use crate::detect::body::{NEVER, Pass};
use crate::detect::derive::Mode;
use crate::detect::device::Device;
use crate::detect::eval::Eval;
use crate::detect::fault::{eval, held_back};
use crate::detect::node::{self, NodeState};
use crate::detect::plan::Plan;
use crate::profile::{
    Cond, DeriveIdx, Fault, FaultIdx, Field, NodeIdx, NodeKind, Num, Per, SignalIdx, Window,
};
use crate::telemetry::{Text, Timestamp};

/// Why a fault cannot be judged now.
#[derive(Clone, Debug, PartialEq)]
pub enum Blind {
    /// A fault of our own froze the device; it is judged again after the next activation of profiles.
    Frozen,
    /// Another fault of the device keeps it from being judged.
    HeldBack {
        /// Name of that fault.
        fault: SmolStr,
        /// Its title.
        title: Text,
    },
    /// It is judged in another situation only: outside its gate, its session, or where its derived value is not made.
    NotNow {
        /// What is looked at then, in words; empty when the gate itself says no.
        label: Text,
    },
    /// The signal was never told.
    Unseen {
        /// Wire path.
        signal: SmolStr,
        /// In words.
        label: Text,
    },
    /// The signal was told last so long ago that it no longer counts, or without a value.
    Stale {
        /// Wire path.
        signal: SmolStr,
        /// In words.
        label: Text,
        /// When it was told last, by the device's time.
        at: Timestamp,
    },
    /// The signal's newest reading is outside what its sensor can deliver.
    Invalid {
        /// Wire path.
        signal: SmolStr,
        /// In words.
        label: Text,
        /// When it was told, by the device's time.
        at: Timestamp,
    },
    /// Too few values so far; waiting helps.
    Learning(Learning),
    /// A function that gives nothing now, such as a rate over one value.
    NoResult {
        /// As written in the profile.
        term: SmolStr,
        /// What it reads, in words.
        label: Text,
    },
}

/// How far learning is.
#[derive(Clone, Debug, PartialEq)]
pub struct Learning {
    /// Whose values are counted: `derive.NAME`, or a function as written in the profile.
    pub what: SmolStr,
    /// In words.
    pub label: Text,
    /// Values so far.
    pub have: u32,
    /// Values needed.
    pub need: u32,
    /// When it is over if values go on coming as they did, by the device's time; `None` before the second value.
    pub ready_at: Option<Timestamp>,
}

impl Blind {
    /// The kind of reason, as counted and as named in the API.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::HeldBack { .. } => "held_back",
            Self::NotNow { .. } => "not_now",
            Self::Unseen { .. } => "no_signal",
            Self::Stale { .. } => "stale",
            Self::Invalid { .. } => "invalid",
            Self::Learning(_) => "learning",
            Self::NoResult { .. } => "no_result",
        }
    }

    /// How far learning is, when that is the reason.
    #[must_use]
    pub const fn learning(&self) -> Option<&Learning> {
        match self {
            Self::Learning(learning) => Some(learning),
            _ => None,
        }
    }
}

/// Why this fault of the device is not known now.
pub(super) fn why(device: &Device, plan: &Plan, pass: &Pass, at: FaultIdx, fault: &Fault) -> Blind {
    if device.head.frozen {
        return Blind::Frozen;
    }
    let by = held_back(plan, &device.body, at).and_then(|by| plan.program.faults.get(by));
    if let Some(by) = by {
        return Blind::HeldBack {
            fault: by.name.clone(),
            title: by.title.clone(),
        };
    }
    let mut look = Look {
        eval: eval(plan, &device.body, pass, at),
        found: Vec::new(),
    };
    for stage in [&fault.warn, &fault.fault].into_iter().flatten() {
        if let Some(gate) = &stage.gate {
            if look.eval.cond(gate) == Some(false) {
                look.found.push(Blind::NotNow {
                    label: Text::default(),
                });
                continue;
            }
            look.cond(gate);
        }
        look.cond(&stage.when);
    }
    // Learning goes first: until it is over nothing else that comes back would help.
    let learning = look
        .found
        .iter()
        .position(|found| found.learning().is_some());
    let chosen = learning.unwrap_or(0);
    if chosen < look.found.len() {
        return look.found.swap_remove(chosen);
    }
    // It was not known at the last look, and what was missing has come since: the next look judges it.
    Blind::NoResult {
        term: SmolStr::default(),
        label: fault.title.clone(),
    }
}

/// Collects what makes a condition unknown.
struct Look<'a> {
    eval: Eval<'a>,
    found: Vec<Blind>,
}

impl<'a> Look<'a> {
    fn plan(&self) -> &'a Plan {
        self.eval.plan
    }

    fn cond(&mut self, cond: &Cond) {
        if self.eval.cond(cond).is_some() {
            return;
        }
        match cond {
            Cond::Signal(signal) | Cond::Invalid(signal) => self.signal(*signal),
            Cond::Compare { left, right, .. } => {
                self.num(left);
                self.num(right);
            }
            Cond::Within {
                value, low, high, ..
            } => [value, low, high].into_iter().for_each(|num| self.num(num)),
            Cond::Node(node) => self.node(*node),
            Cond::Not(inner) => self.cond(inner),
            Cond::All(all) | Cond::Any(all) => all.iter().for_each(|inner| self.cond(inner)),
            Cond::Requires { node, count, inner } => self.requires(*node, *count, inner),
            Cond::Const(_)
            | Cond::Event(_)
            | Cond::Running(_)
            | Cond::BaselineReady(_)
            | Cond::Has(_)
            | Cond::Raised(_) => {}
        }
    }

    fn requires(&mut self, node: NodeIdx, count: u32, inner: &Cond) {
        let have = whole(self.eval.node(node, Field::Value).unwrap_or(0.0));
        if have >= count {
            return self.cond(inner);
        }
        let Some(rule) = self.plan().program.nodes.get(node) else {
            return;
        };
        let derive = match &rule.kind {
            NodeKind::Window { input, .. } => derive_of(input),
            _ => None,
        };
        let oldest = self.eval.body.nodes.get(node).and_then(node::since);
        let ready_at = oldest.and_then(|first| self.ready(first, have, count, 0));
        let (what, label) = match derive.and_then(|derive| self.plan().program.derives.get(derive))
        {
            Some(derive) => (name_of(&derive.name), derive.label.clone()),
            None => (rule.text.clone(), Text::same(&rule.text)),
        };
        self.found.push(Blind::Learning(Learning {
            what,
            label,
            have,
            need: count,
            ready_at,
        }));
    }

    fn num(&mut self, num: &Num) {
        if self.eval.num(num).is_some() {
            return;
        }
        match num {
            Num::Signal(signal) => self.signal(*signal),
            Num::Derive(derive) => self.derive(*derive),
            Num::Node(node, _) => self.node(*node),
            Num::Neg(inner) | Num::Abs(inner) => self.num(inner),
            Num::Binary(_, left, right) => {
                self.num(left);
                self.num(right);
            }
            Num::Const(_) | Num::Limit(_) => {}
        }
    }

    fn signal(&mut self, at: SignalIdx) {
        let plan = self.plan();
        let (Some(rule), Some(state)) =
            (plan.program.signals.get(at), self.eval.body.signals.get(at))
        else {
            return;
        };
        let (signal, label) = (rule.path.clone(), rule.label.clone());
        self.found.push(if state.at <= NEVER {
            Blind::Unseen { signal, label }
        } else {
            let at = Timestamp::from_ms(state.at);
            if state.invalid {
                Blind::Invalid { signal, label, at }
            } else {
                Blind::Stale { signal, label, at }
            }
        });
    }

    /// A derive without a value: its signals are not there, it has not had its first session or day, or its `where` says no.
    fn derive(&mut self, at: DeriveIdx) {
        let plan = self.plan();
        let (Some(rule), Some(state)) =
            (plan.program.derives.get(at), self.eval.body.derives.get(at))
        else {
            return;
        };
        if rule.per == Per::Sample {
            let before = self.found.len();
            for signal in &rule.signals {
                if self.eval.signal(*signal).is_none() {
                    self.signal(*signal);
                }
            }
            if self.found.len() == before {
                self.found.push(Blind::NotNow {
                    label: rule.label.clone(),
                });
            }
        } else if state.at <= NEVER || state.at <= self.eval.since {
            self.found.push(Blind::Learning(Learning {
                what: name_of(&rule.name),
                label: rule.label.clone(),
                have: 0,
                need: 1,
                ready_at: None,
            }));
        } else {
            self.found.push(Blind::NotNow {
                label: rule.label.clone(),
            });
        }
    }

    fn node(&mut self, at: NodeIdx) {
        let plan = self.plan();
        let (Some(rule), Some(slot)) = (plan.program.nodes.get(at), self.eval.body.nodes.get(at))
        else {
            return;
        };
        let before = self.found.len();
        match &rule.kind {
            NodeKind::HeldFor { cond, .. } => self.cond(cond),
            NodeKind::HeldOf {
                cond, derive, k, ..
            } => {
                self.cond(cond);
                if self.found.len() == before
                    && let (NodeState::HeldOf(held), Some(rule)) =
                        (&slot.state, plan.program.derives.get(*derive))
                {
                    let have = held.samples();
                    let first = held.first();
                    self.found.push(Blind::Learning(Learning {
                        what: name_of(&rule.name),
                        label: rule.label.clone(),
                        have,
                        need: *k,
                        ready_at: first.and_then(|first| self.ready(first, have, *k, 0)),
                    }));
                }
            }
            NodeKind::Baseline { derive, .. } => self.baseline(*derive),
            NodeKind::AtLeast { signs, .. } => signs.iter().for_each(|sign| self.cond(sign)),
            NodeKind::Window { window, input, .. } => {
                if self.outside(window) {
                    self.found.push(Blind::NotNow {
                        label: self.label(&rule.signals),
                    });
                } else {
                    self.num(input);
                }
            }
            NodeKind::Duration { .. } | NodeKind::Before { .. } | NodeKind::At { .. } => {
                self.found.push(Blind::NotNow {
                    label: self.label(&rule.signals),
                });
            }
            NodeKind::Changed { input } | NodeKind::Stuck { input, .. } => self.num(input),
            NodeKind::Newly { signal, .. } | NodeKind::SilentFor { signal } => {
                if self.eval.signal(*signal).is_none() {
                    self.signal(*signal);
                }
            }
            NodeKind::CountEvent { .. }
            | NodeKind::CountStarts { .. }
            | NodeKind::Total { .. }
            | NodeKind::Since { .. }
            | NodeKind::Age => {}
        }
        if self.found.len() == before {
            self.found.push(Blind::NoResult {
                term: rule.text.clone(),
                label: self.label(&rule.signals),
            });
        }
    }

    /// The window looks at a session that does not run.
    fn outside(&self, window: &Window) -> bool {
        matches!(window, Window::Session(session)
            if self.eval.body.sessions.get(*session).is_none_or(|state| state.start.is_none()))
    }

    /// A baseline that compares nothing: the mode that is furthest tells how far.
    fn baseline(&mut self, at: DeriveIdx) {
        let plan = self.plan();
        let (Some(rule), Some(state)) =
            (plan.program.derives.get(at), self.eval.body.derives.get(at))
        else {
            return;
        };
        let need = rule.baseline.map_or(1, |baseline| baseline.samples);
        let span_ms = rule.baseline.map_or(0, |baseline| baseline.span_ms);
        let furthest = state
            .modes
            .iter()
            .filter_map(|(_, mode)| match mode {
                Mode::Learning { first, seen, .. } => Some((*seen, *first)),
                Mode::Frozen(_) => None,
            })
            .max_by_key(|(seen, _)| *seen);
        let frozen = state
            .modes
            .iter()
            .any(|(_, mode)| matches!(mode, Mode::Frozen(_)));
        let (have, ready_at) = match furthest {
            // Known already, but no value was compared with it yet.
            _ if frozen => (0, None),
            Some((seen, first)) => (seen, self.ready(first, seen, need, span_ms)),
            None => (0, None),
        };
        self.found.push(Blind::Learning(Learning {
            what: name_of(&rule.name),
            label: rule.label.clone(),
            have: have.min(need),
            need: if frozen { 1 } else { need },
            ready_at,
        }));
    }

    /// When the last value comes if they go on as they came since the first, and not before `span_ms` are over.
    fn ready(&self, first: i64, have: u32, need: u32, span_ms: i64) -> Option<Timestamp> {
        let between = i64::from(have.checked_sub(1).filter(|gaps| *gaps > 0)?);
        let gone = self.eval.pass.t - first;
        let by_values = gone.saturating_mul(i64::from(need.saturating_sub(1))) / between;
        let ready = first + by_values.max(span_ms);
        Some(Timestamp::from_ms(ready.max(self.eval.pass.t)))
    }

    fn label(&self, signals: &[SignalIdx]) -> Text {
        signals
            .first()
            .and_then(|first| self.plan().program.signals.get(*first))
            .map(|signal| signal.label.clone())
            .unwrap_or_default()
    }
}

/// The derive whose values a number is.
fn derive_of(num: &Num) -> Option<DeriveIdx> {
    match num {
        Num::Derive(derive) => Some(*derive),
        Num::Neg(inner) | Num::Abs(inner) => derive_of(inner),
        _ => None,
    }
}

/// A derive as the series and the evidence name it.
pub(super) fn name_of(derive: &str) -> SmolStr {
    smol_str::format_smolstr!("derive.{derive}")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of values; the cast saturates"
)]
fn whole(count: f64) -> u32 {
    count as u32
}
