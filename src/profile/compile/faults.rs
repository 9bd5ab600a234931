//! Faults: stages with `for`, `gate` and `requires` worked in, the default `clear`, what is reset and rechecked.

use smol_str::{SmolStr, format_smolstr};

use super::reads::Reads;
use super::uses::settle;
use super::{Compiler, Scope, Slot, Symbol, hash};
use crate::profile::diagnostic::{Reported, Span, suggest};
use crate::profile::lexer::Located;
use crate::profile::sections::{FaultDef, RecheckDef, StageDef};
use crate::profile::unit::format_ms;
use crate::profile::{
    Cond, DeriveIdx, Fault, FaultIdx, Node, NodeIdx, NodeKind, Num, Per, Recheck, SignalIdx,
    StageRule, Unit, Window, WindowFn,
};
use crate::telemetry::{DAY_MS, MINUTE_MS};

/// A default `clear` holds at least so long.
const CLEAR_LEAST_MS: i64 = 10 * MINUTE_MS;
/// Or so many values, where a fault is judged by the values of one derive.
const CLEAR_VALUES: u32 = 3;
/// A default `recheck` lasts at least so long.
const RECHECK_LEAST_MS: i64 = 3 * DAY_MS;

type Required = (DeriveIdx, NodeIdx, u32);

impl Compiler<'_, '_, '_> {
    /// Makes sure that a fault is compiled; `at` is who needs it.
    pub(super) fn fault(&mut self, index: FaultIdx, at: Span) -> Result<(), Reported> {
        match &self.faults[index] {
            Slot::Ready(_) => return Ok(()),
            Slot::Failed => return Err(Reported),
            Slot::Busy => {
                let name = &self.source.faults[index].name.text;
                return Err(self.sink.error(
                    at,
                    format!("fault '{name}' depends on itself through raised(…)"),
                ));
            }
            Slot::Waiting => {}
        }
        self.faults[index] = Slot::Busy;
        let result = self.compile_fault(index);
        let (slot, outcome) = settle(result);
        self.faults[index] = slot;
        outcome
    }

    /// The fault of this name.
    pub(super) fn fault_name(&mut self, name: &str, at: Span) -> Result<FaultIdx, Reported> {
        if let Some(index) = self.fault_names.get(name) {
            return Ok(*index);
        }
        if self.source.broken.iter().any(|broken| broken == name) {
            return Err(Reported);
        }
        let known: Vec<&str> = self.fault_names.keys().copied().collect();
        let help = suggest(name, &known, "known faults");
        Err(self
            .sink
            .error_maybe(at, format!("no fault is named '{name}'"), help))
    }

    fn compile_fault(&mut self, index: FaultIdx) -> Result<Fault, Reported> {
        let def = &self.source.faults[index];
        self.check_words(def);
        let requires = self.requires(def)?;
        let mut scope = Scope {
            requires: &requires,
            fault: true,
            ..Scope::default()
        };
        let mut signs = Vec::new();
        for (_, sign) in &def.signs {
            signs.push(self.condition(sign, &scope));
        }
        let signs: Vec<Cond> = signs.into_iter().collect::<Result<_, _>>()?;
        scope.signs = &signs;
        let warn = def.warn.as_ref().map(|stage| self.stage(stage, &scope));
        let fault = def.fault.as_ref().map(|stage| self.stage(stage, &scope));
        let (warn, fault) = (warn.transpose(), fault.transpose());
        let clear = def
            .clear
            .as_ref()
            .map(|clear| self.condition(clear, &scope));
        let clear = clear.transpose();
        let reason = self.reason(def, &scope);
        let (warn, fault) = (warn?, fault?);
        let clear = match clear? {
            Some(clear) => clear,
            None => self.default_clear(warn.as_ref(), fault.as_ref()),
        };
        let stages: Vec<&Stage> = [&warn, &fault].into_iter().flatten().collect();
        let reads = self.fault_reads(&stages, &clear);
        self.check_stages(def, &reads);
        let recheck = self.recheck(def, &reads)?;
        let sensor_of = self.signal_names(&def.sensor_of)?;
        let inhibited_by = self.inhibitors(def, index)?;
        for name in &def.absorbs {
            self.fault_name(&name.text, name.at)?;
        }
        let mut key = format!("fault {} ", def.name.text);
        for stage in &stages {
            self.cond_key(&stage.rule.when, &mut key);
            if let Some(gate) = &stage.rule.gate {
                self.cond_key(gate, &mut key);
            }
            hash::push(&mut key, &(stage.rule.keep_ms, stage.rule.latched));
        }
        self.cond_key(&clear, &mut key);
        let sensors: Vec<u64> = sensor_of.iter().map(|i| self.signals[*i].hash).collect();
        hash::push(&mut key, &(sensors, &inhibited_by));
        Ok(Fault {
            name: SmolStr::new(&def.name.text),
            code: SmolStr::new(&def.code),
            title: def.title.clone(),
            label: def.label.clone(),
            warn: warn.map(|stage| stage.rule),
            fault: fault.map(|stage| stage.rule),
            clear,
            recheck,
            reason: reason?,
            cause: SmolStr::new(&def.cause.text),
            parts: def.parts.iter().map(|p| SmolStr::new(&p.text)).collect(),
            absorbs: def.absorbs.iter().map(|a| SmolStr::new(&a.text)).collect(),
            sensor_of,
            inhibited_by,
            state: def.state,
            signals: reads.signals.iter().copied().collect(),
            nodes: reads.nodes.iter().copied().collect(),
            written: def
                .written
                .iter()
                .map(|(key, text)| (SmolStr::new_static(key), SmolStr::new(text)))
                .collect(),
            hash: hash::of_text(&key),
        })
    }

    fn stage(&mut self, def: &StageDef, scope: &Scope<'_>) -> Result<Stage, Reported> {
        let judged = Scope {
            severity: Some(def.severity),
            ..*scope
        };
        let whole = self.condition(&def.when, &judged);
        let gate = def.gate.as_ref().map(|gate| self.condition(gate, scope));
        let (whole, gate) = (whole?, gate.transpose()?);
        let when = match def.hold_ms {
            Some(hold_ms) => {
                let text = format_smolstr!("held({}, {})", def.when, format_ms(hold_ms));
                self.truth_node(
                    NodeKind::HeldFor {
                        cond: whole.clone(),
                        hold_ms,
                    },
                    text,
                )
            }
            None => whole.clone(),
        };
        Ok(Stage {
            whole,
            hold_ms: def.hold_ms.unwrap_or(0),
            text: def.when.to_string(),
            rule: StageRule {
                when,
                gate,
                severity: def.severity,
                latched: def.latched,
                action: SmolStr::new(&def.action.text),
                message: def.message.as_ref().map(|m| SmolStr::new(&m.text)),
                keep_ms: def.keep_ms,
            },
        })
    }

    /// A warning is no worse than the fault it warns of, and signs are there to be counted.
    fn check_stages(&mut self, def: &FaultDef, reads: &Reads) {
        if let (Some(warn), Some(fault)) = (&def.warn, &def.fault)
            && warn.severity < fault.severity
        {
            self.sink.error(
                def.name.at,
                format!(
                    "the warning is of severity {:?}, worse than the fault's {:?}",
                    warn.severity, fault.severity
                ),
            );
        }
        let nodes = reads.nodes.iter().filter_map(|node| self.nodes.get(*node));
        let counted = nodes
            .into_iter()
            .any(|node| matches!(node.kind, NodeKind::AtLeast { .. }));
        if let (Some((name, _)), false) = (def.signs.first(), counted) {
            self.sink.error_with(
                name.at,
                "the signs of this fault are never counted",
                "write at_least(2, signs, 7 d) in a condition",
            );
        }
    }

    fn truth_node(&mut self, kind: NodeKind, text: SmolStr) -> Cond {
        let mark = self.terms.len();
        Cond::Node(self.node(kind, Unit::NONE, text, mark))
    }

    /// The opposite of the lowest stage for twice `for`, at least 10 min or 3 values.
    fn default_clear(&mut self, warn: Option<&Stage>, fault: Option<&Stage>) -> Cond {
        let Some(lowest) = warn.or(fault) else {
            return Cond::Const(true);
        };
        let cond = Cond::Not(Box::new(lowest.whole.clone()));
        if let Some(derive) = self.judged_by_values(&lowest.whole) {
            let text = format_smolstr!(
                "held(not ({}), {CLEAR_VALUES} of {CLEAR_VALUES})",
                lowest.text
            );
            let kind = NodeKind::HeldOf {
                cond,
                derive,
                k: CLEAR_VALUES,
                n: CLEAR_VALUES,
            };
            return self.truth_node(kind, text);
        }
        let hold_ms = (2 * lowest.hold_ms).max(CLEAR_LEAST_MS);
        let text = format_smolstr!("held(not ({}), {})", lowest.text, format_ms(hold_ms));
        self.truth_node(NodeKind::HeldFor { cond, hold_ms }, text)
    }

    /// The one derive per day or session through which alone a condition sees the device.
    fn judged_by_values(&self, cond: &Cond) -> Option<DeriveIdx> {
        let mut reads = Reads::default();
        self.reads_of(cond, &mut reads);
        let [derive] = reads.derives.iter().copied().collect::<Vec<_>>()[..] else {
            return None;
        };
        let compiled = self.derives[derive].get()?;
        let only = reads.signals.iter().all(|s| compiled.signals.contains(s))
            && !self.reads_signals_itself(cond);
        (only && compiled.per != Per::Sample).then_some(derive)
    }

    fn reads_signals_itself(&self, cond: &Cond) -> bool {
        match cond {
            Cond::Signal(_)
            | Cond::Event(_)
            | Cond::Running(_)
            | Cond::Has(_)
            | Cond::Invalid(_)
            | Cond::Raised(_) => true,
            Cond::Const(_) | Cond::BaselineReady(_) => false,
            Cond::Compare { left, right, .. } => {
                self.num_reads_signals(left) || self.num_reads_signals(right)
            }
            Cond::Within {
                value, low, high, ..
            } => [value, low, high].iter().any(|n| self.num_reads_signals(n)),
            Cond::Node(node) => self.node_reads_signals(*node),
            Cond::Not(inner) | Cond::Requires { inner, .. } => self.reads_signals_itself(inner),
            Cond::All(list) | Cond::Any(list) => list.iter().any(|c| self.reads_signals_itself(c)),
        }
    }

    fn num_reads_signals(&self, num: &Num) -> bool {
        match num {
            Num::Signal(_) => true,
            Num::Const(_) | Num::Derive(_) | Num::Limit(_) => false,
            Num::Node(node, _) => self.node_reads_signals(*node),
            Num::Neg(inner) | Num::Abs(inner) => self.num_reads_signals(inner),
            Num::Binary(_, left, right) => {
                self.num_reads_signals(left) || self.num_reads_signals(right)
            }
        }
    }

    fn node_reads_signals(&self, node: NodeIdx) -> bool {
        match self.nodes.get(node).map(|node| &node.kind) {
            Some(NodeKind::Window { input, .. }) => self.num_reads_signals(input),
            Some(NodeKind::Baseline { .. }) => false,
            Some(NodeKind::HeldOf { cond, .. }) => self.reads_signals_itself(cond),
            _ => true,
        }
    }

    fn requires(&mut self, def: &FaultDef) -> Result<Vec<Required>, Reported> {
        let mut list = Vec::new();
        for require in &def.requires {
            let name = &require.derive;
            let derive = match self.resolve(&name.text, name.at)? {
                Symbol::Derive(derive) => derive,
                other => {
                    return Err(self.sink.error_with(
                        name.at,
                        format!("'{}' is {}", name.text, other.kind()),
                        "'requires' counts values of derives",
                    ));
                }
            };
            self.derive(derive, name.at)?;
            let (window, text) = match require.span_ms {
                Some(span_ms) => (Window::Span { span_ms, ago_ms: 0 }, format_ms(span_ms)),
                None => (
                    Window::Last(require.count),
                    format!("last {}", require.count),
                ),
            };
            let kind = NodeKind::Window {
                func: WindowFn::Count,
                input: Num::Derive(derive),
                window,
            };
            let text = format_smolstr!("count({}, {text})", name.text);
            let mark = self.terms.len();
            let node = self.node(kind, Unit::NONE, text, mark);
            list.push((derive, node, require.count));
        }
        Ok(list)
    }

    fn fault_reads(&self, stages: &[&Stage], clear: &Cond) -> Reads {
        let mut reads = Reads::default();
        for stage in stages {
            self.reads_of(&stage.rule.when, &mut reads);
            if let Some(gate) = &stage.rule.gate {
                self.reads_of(gate, &mut reads);
            }
        }
        self.reads_of(clear, &mut reads);
        reads
    }

    fn recheck(&mut self, def: &FaultDef, reads: &Reads) -> Result<Recheck, Reported> {
        match &def.recheck {
            Some(RecheckDef::Span(ms)) => Ok(Recheck::Span(*ms)),
            Some(RecheckDef::Sessions(count, name)) => match self.resolve(&name.text, name.at)? {
                Symbol::Session(session) => Ok(Recheck::Sessions {
                    session,
                    count: *count,
                }),
                other => Err(self.sink.error_with(
                    name.at,
                    format!("'{}' is {}", name.text, other.kind()),
                    "a recheck counts sessions, as in 5 wash, or lasts a time, as in 14 d",
                )),
            },
            None => {
                let spans = reads.nodes.iter().filter_map(|n| self.nodes.get(*n));
                let longest = spans.map(|node| self.span_of(node)).max().unwrap_or(0);
                Ok(Recheck::Span((2 * longest).max(RECHECK_LEAST_MS)))
            }
        }
    }

    /// How far back a node looks, ms.
    fn span_of(&self, node: &Node) -> i64 {
        let (window, derive) = match &node.kind {
            NodeKind::Window { input, window, .. } => match input {
                Num::Derive(derive) => (*window, Some(*derive)),
                _ => (*window, None),
            },
            NodeKind::Baseline { derive, window } => (*window, Some(*derive)),
            NodeKind::CountEvent { window, .. }
            | NodeKind::CountStarts { window, .. }
            | NodeKind::Total { window, .. } => (*window, None),
            NodeKind::HeldOf { derive, n, .. } => (Window::Last(*n), Some(*derive)),
            NodeKind::HeldFor { hold_ms, .. } => return *hold_ms,
            NodeKind::Stuck { span_ms, .. } | NodeKind::AtLeast { span_ms, .. } => return *span_ms,
            NodeKind::Duration { .. }
            | NodeKind::Before { .. }
            | NodeKind::At { .. }
            | NodeKind::Changed { .. }
            | NodeKind::Newly { .. }
            | NodeKind::Since { .. }
            | NodeKind::Age
            | NodeKind::SilentFor { .. } => return 0,
        };
        let per = derive.and_then(|d| self.derives[d].get()).map(|d| d.per);
        match window {
            Window::Span { span_ms, ago_ms } => span_ms + ago_ms,
            Window::Last(n) if per == Some(Per::Day) => i64::from(n) * DAY_MS,
            Window::Last(_) => 0,
            Window::Day => DAY_MS,
            Window::Session(session) => {
                let session = self.sessions[session].get();
                session.map_or(0, |session| session.max_ms)
            }
        }
    }

    fn signal_names(&mut self, names: &[Located]) -> Result<Vec<SignalIdx>, Reported> {
        let mut list = Vec::new();
        for name in names {
            match self.resolve(&name.text, name.at)? {
                Symbol::Signal(index) => list.push(index),
                other => {
                    return Err(self.sink.error_with(
                        name.at,
                        format!("'{}' is {}", name.text, other.kind()),
                        "'sensor_of' names signals",
                    ));
                }
            }
        }
        Ok(list)
    }

    fn inhibitors(&mut self, def: &FaultDef, own: FaultIdx) -> Result<Vec<FaultIdx>, Reported> {
        let mut list = Vec::new();
        for name in &def.inhibited_by {
            let index = self.fault_name(&name.text, name.at)?;
            let other = &self.source.faults[index];
            let mutual = other.inhibited_by.iter().any(|n| n.text == def.name.text);
            if index == own || mutual {
                return Err(self.sink.error(
                    name.at,
                    format!("'{}' and '{}' inhibit each other", def.name.text, name.text),
                ));
            }
            list.push(index);
        }
        Ok(list)
    }
}

/// A compiled stage with what the default `clear` is made of.
pub(super) struct Stage {
    /// The condition without `for`.
    whole: Cond,
    /// `for`, ms; 0 without.
    hold_ms: i64,
    /// The condition as written.
    text: String,
    /// The rule.
    rule: StageRule,
}
