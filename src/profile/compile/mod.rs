//! Definitions to a checked [`Program`]: names to indexes, dimensions, evaluation order, content hashes.
//!
//! Sessions, derives and faults are compiled when first needed, so that whatever a step reads stands before it; one that
//! needs itself is a cycle and is refused. A node is kept once per distinct content.

mod calls;
mod checks;
mod conditions;
mod faults;
mod functions;
mod hash;
mod label;
mod nodes;
mod quantity;
mod reads;
mod template;
mod truths;
mod uses;
mod windows;

pub(crate) use functions::is_function;

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::diagnostic::{Reported, Sink, Span, suggest};
use super::lexer::{KEYWORDS, Located};
use super::sections::{EventDef, Source};
use super::words::Words;
use super::{
    Cond, Derive, DeriveIdx, Event, EventIdx, Fault, FaultIdx, Limit, LimitIdx, Node, NodeIdx,
    Part, Program, Session, SessionIdx, Severity, Signal, SignalIdx, SlotHash, Step, Term,
};

/// Most nodes of one profile; the largest real one has 150. More are refused.
const NODE_LIMIT: usize = 4096;
/// Most bytes of state for one device, a bound that few devices come near: the largest real profile has 260 kB. A profile that
/// needs more is refused.
const STATE_LIMIT_BYTES: u64 = 512 * 1024;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A signal.
    Signal(SignalIdx),
    /// An occurrence.
    Event(EventIdx),
    /// A session kind.
    Session(SessionIdx),
    /// A derived value.
    Derive(DeriveIdx),
    /// A limit.
    Limit(LimitIdx),
}

/// Something compiled when first needed.
pub(super) enum Slot<T> {
    /// Not yet.
    Waiting,
    /// Being compiled: to need it now is a cycle.
    Busy,
    /// It has a mistake, which is written down.
    Failed,
    /// Done.
    Ready(T),
}

/// Where an expression stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Scope<'d> {
    /// A derive per session: windows are that session unless said otherwise.
    pub(super) session: Option<SessionIdx>,
    /// A derive per day: windows are that day unless said otherwise.
    pub(super) day: bool,
    /// Severity of the stage that is being judged.
    pub(super) severity: Option<Severity>,
    /// Derives that need so many values before terms on them are known.
    pub(super) requires: &'d [(DeriveIdx, NodeIdx, u32)],
    /// The fault's signs.
    pub(super) signs: &'d [Cond],
    /// Inside a fault: labels are needed.
    pub(super) fault: bool,
}

/// Compiles one profile.
pub(super) struct Compiler<'s, 'a, 'd> {
    pub(super) sink: &'s mut Sink<'a>,
    pub(super) source: &'d Source,
    pub(super) words: Option<&'d Words>,
    pub(super) names: BTreeMap<&'d str, Symbol>,
    pub(super) fault_names: BTreeMap<&'d str, FaultIdx>,
    pub(super) limits: Vec<Limit>,
    pub(super) signals: Vec<Signal>,
    pub(super) events: Vec<Event>,
    pub(super) sessions: Vec<Slot<Session>>,
    pub(super) derives: Vec<Slot<Derive>>,
    pub(super) faults: Vec<Slot<Fault>>,
    pub(super) nodes: Vec<Node>,
    pub(super) steps: Vec<Step>,
    pub(super) terms: Vec<Term>,
    pub(super) by_hash: BTreeMap<SlotHash, NodeIdx>,
    /// Names whose missing label was reported.
    pub(super) unlabelled: BTreeSet<String>,
}

/// Compiles a profile that was read; words are checked when there are any.
pub(super) fn program(
    source: &Source,
    words: Option<&Words>,
    profile_version: SmolStr,
    sink: &mut Sink<'_>,
) -> Result<Program, Reported> {
    let mut compiler = Compiler::new(source, words, sink);
    compiler.check_names();
    compiler.prepare_signals();
    for index in 0..source.sessions.len() {
        compiler.session(index, source.sessions[index].name.at).ok();
    }
    for index in 0..source.derives.len() {
        compiler.derive(index, source.derives[index].name.at).ok();
    }
    for index in 0..source.faults.len() {
        compiler.fault(index, source.faults[index].name.at).ok();
    }
    let parts = compiler.parts();
    compiler.check_whole();
    compiler.finish(parts, profile_version)
}

impl<'s, 'a, 'd> Compiler<'s, 'a, 'd> {
    fn new(source: &'d Source, words: Option<&'d Words>, sink: &'s mut Sink<'a>) -> Self {
        Self {
            sink,
            source,
            words,
            names: BTreeMap::new(),
            fault_names: BTreeMap::new(),
            limits: source.limits.iter().map(|(_, l)| l.clone()).collect(),
            signals: source.signals.iter().map(|s| s.signal.clone()).collect(),
            events: source.events.iter().map(|e| e.event.clone()).collect(),
            sessions: source.sessions.iter().map(|_| Slot::Waiting).collect(),
            derives: source.derives.iter().map(|_| Slot::Waiting).collect(),
            faults: source.faults.iter().map(|_| Slot::Waiting).collect(),
            nodes: Vec::new(),
            steps: Vec::new(),
            terms: Vec::new(),
            by_hash: BTreeMap::new(),
            unlabelled: BTreeSet::new(),
        }
    }

    /// One namespace for signals, events, sessions, derives and limits.
    fn check_names(&mut self) {
        let source = self.source;
        let mut all: Vec<(&'d Located, Symbol)> = Vec::new();
        let signals = source.signals.iter().map(|s| &s.name);
        all.extend(signals.enumerate().map(|(i, n)| (n, Symbol::Signal(i))));
        let events = source.events.iter().map(|e| &e.name);
        all.extend(events.enumerate().map(|(i, n)| (n, Symbol::Event(i))));
        let sessions = source.sessions.iter().map(|s| &s.name);
        all.extend(sessions.enumerate().map(|(i, n)| (n, Symbol::Session(i))));
        let derives = source.derives.iter().map(|d| &d.name);
        all.extend(derives.enumerate().map(|(i, n)| (n, Symbol::Derive(i))));
        let limits = source.limits.iter().map(|(n, _)| n);
        all.extend(limits.enumerate().map(|(i, n)| (n, Symbol::Limit(i))));
        for (name, symbol) in all {
            self.check_name(name);
            let other = self.names.get(name.text.as_str()).copied();
            if other.is_none() {
                self.names.insert(&name.text, symbol);
            }
            if let Some(other) = other {
                self.sink.error_with(
                    name.at,
                    format!("'{}' is already the name of {}", name.text, other.kind()),
                    "signals, events, sessions, derives and limits share one namespace",
                );
            }
        }
        for (index, fault) in source.faults.iter().enumerate() {
            self.check_name(&fault.name);
            self.fault_names.insert(&fault.name.text, index);
        }
    }

    fn check_name(&mut self, name: &Located) {
        let text = &name.text;
        let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !well_formed {
            self.sink.error_with(
                name.at,
                format!("'{text}' cannot be a name"),
                "expected a-z first, then a-z, 0-9 and _",
            );
        } else if is_function(text) {
            self.sink
                .error(name.at, format!("'{text}' is the name of a function"));
        } else if KEYWORDS.contains(&text.as_str()) || text == "signs" {
            self.sink
                .error(name.at, format!("'{text}' is a word of the language"));
        }
    }

    fn prepare_signals(&mut self) {
        for signal in &mut self.signals {
            signal.hash = hash::signal(signal);
        }
        for def in &self.source.signals {
            let of_event = |event: &EventDef| {
                def.signal
                    .path
                    .strip_prefix(event.event.path.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            };
            if def.unpaced && !self.source.events.iter().any(of_event) {
                self.sink.warning(
                    def.name.at,
                    format!(
                        "signal '{}' has neither 'cadence' nor 'stale_after': it is known at its instant only",
                        def.name.text
                    ),
                    "say how long a value holds, unless it is a field of an event",
                );
            }
        }
    }

    /// What a name stands for.
    pub(super) fn resolve(&mut self, name: &str, at: Span) -> Result<Symbol, Reported> {
        if let Some(symbol) = self.names.get(name) {
            return Ok(*symbol);
        }
        if self.source.broken.iter().any(|broken| broken == name) {
            return Err(Reported);
        }
        let known: Vec<&str> = self.names.keys().copied().collect();
        let help = if is_function(name) {
            Some(format!("write {}", functions::usage(name)))
        } else if self.fault_names.contains_key(name) {
            Some(format!("write raised({name})"))
        } else {
            suggest(name, &known, "known names")
        };
        Err(self
            .sink
            .error_maybe(at, format!("nothing is named '{name}'"), help))
    }

    fn parts(&mut self) -> Vec<Part> {
        let source = self.source;
        let mut parts = Vec::new();
        for def in &source.parts {
            let mut resets = Vec::new();
            for name in &def.resets {
                match self.resolve(&name.text, name.at) {
                    Ok(Symbol::Derive(index)) => resets.push(index),
                    Ok(other) => {
                        self.sink.error_with(
                            name.at,
                            format!("'{}' is {}", name.text, other.kind()),
                            "a part resets the baselines of derives",
                        );
                    }
                    Err(Reported) => {}
                }
            }
            parts.push(Part {
                number: SmolStr::new(&def.number.text),
                title: def.title.clone(),
                resets,
            });
        }
        parts
    }

    fn finish(self, parts: Vec<Part>, profile_version: SmolStr) -> Result<Program, Reported> {
        if self.sink.failed() {
            return Err(Reported);
        }
        let header = &self.source.header;
        Ok(Program {
            model: SmolStr::new(&header.model),
            kind: SmolStr::new(&header.kind),
            name: header.name.clone(),
            archetype: header.archetype.as_deref().map(SmolStr::new),
            maintainers: header.maintainers.iter().map(SmolStr::new).collect(),
            version: SmolStr::new(&header.version),
            profile_version,
            plausible_past_ms: header.past_ms,
            plausible_future_ms: header.future_ms,
            limits: self.limits,
            signals: self.signals,
            events: self.events,
            sessions: ready(self.sessions)?,
            derives: ready(self.derives)?,
            nodes: self.nodes,
            steps: self.steps,
            terms: self.terms,
            faults: ready(self.faults)?,
            parts,
        })
    }
}

impl Symbol {
    /// In one word.
    pub(super) fn noun(self) -> &'static str {
        let kind = self.kind();
        kind.split_once(' ').map_or(kind, |(_, noun)| noun)
    }

    /// In words.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Signal(_) => "a signal",
            Self::Event(_) => "an event",
            Self::Session(_) => "a session",
            Self::Derive(_) => "a derive",
            Self::Limit(_) => "a limit",
        }
    }
}

impl<T> Slot<T> {
    /// What is in it, once it is done.
    pub(super) fn get(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Waiting | Self::Busy | Self::Failed => None,
        }
    }
}

fn ready<T>(slots: Vec<Slot<T>>) -> Result<Vec<T>, Reported> {
    slots
        .into_iter()
        .map(|slot| match slot {
            Slot::Ready(value) => Ok(value),
            Slot::Waiting | Slot::Busy | Slot::Failed => Err(Reported),
        })
        .collect()
}
