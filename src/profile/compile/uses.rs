//! Sessions and derives, compiled when first needed.

use smol_str::SmolStr;

use super::reads::Reads;
use super::{Compiler, Scope, Slot, Symbol, hash};
use crate::profile::diagnostic::{Reported, Span};
use crate::profile::sections::PerDef;
use crate::profile::{Derive, DeriveIdx, Per, Session, SessionIdx, Step, Unit};

impl Compiler<'_, '_, '_> {
    /// Makes sure that a session is compiled; `at` is who needs it.
    pub(super) fn session(&mut self, index: SessionIdx, at: Span) -> Result<(), Reported> {
        match &self.sessions[index] {
            Slot::Ready(_) => return Ok(()),
            Slot::Failed => return Err(Reported),
            Slot::Busy => {
                let name = &self.source.sessions[index].name.text;
                return Err(self
                    .sink
                    .error(at, format!("session '{name}' depends on itself")));
            }
            Slot::Waiting => {}
        }
        self.sessions[index] = Slot::Busy;
        let result = self.compile_session(index);
        let (slot, outcome) = settle(result);
        self.sessions[index] = slot;
        if outcome.is_ok() {
            self.steps.push(Step::Session(index));
        }
        outcome
    }

    /// Makes sure that a derive is compiled; `at` is who needs it.
    pub(super) fn derive(&mut self, index: DeriveIdx, at: Span) -> Result<(), Reported> {
        match &self.derives[index] {
            Slot::Ready(_) => return Ok(()),
            Slot::Failed => return Err(Reported),
            Slot::Busy => {
                let name = &self.source.derives[index].name.text;
                return Err(self
                    .sink
                    .error(at, format!("derive '{name}' depends on itself")));
            }
            Slot::Waiting => {}
        }
        self.derives[index] = Slot::Busy;
        let result = self.compile_derive(index);
        let (slot, outcome) = settle(result);
        self.derives[index] = slot;
        if outcome.is_ok() {
            self.steps.push(Step::Derive(index));
        }
        outcome
    }

    /// Unit in which a derive is shown.
    pub(super) fn derive_unit(&self, index: DeriveIdx) -> Unit {
        self.derives[index]
            .get()
            .map_or(Unit::NONE, |derive| derive.unit.clone())
    }

    fn compile_session(&mut self, index: SessionIdx) -> Result<Session, Reported> {
        let def = &self.source.sessions[index];
        let scope = Scope::default();
        let start = self.condition(&def.start, &scope);
        let end = self.condition(&def.end, &scope);
        let abort = def
            .abort
            .as_ref()
            .map(|abort| self.condition(abort, &scope))
            .transpose();
        let (start, end, abort) = (start?, end?, abort?);
        let mut key = "session ".to_owned();
        self.cond_key(&start, &mut key);
        self.cond_key(&end, &mut key);
        if let Some(abort) = &abort {
            self.cond_key(abort, &mut key);
        }
        hash::push(&mut key, &(def.max_ms, def.at_max));
        Ok(Session {
            name: SmolStr::new(&def.name.text),
            start,
            end,
            abort,
            max_ms: def.max_ms,
            at_max: def.at_max,
            hash: hash::of_text(&key),
        })
    }

    fn per(&mut self, per: &PerDef) -> Result<Per, Reported> {
        match per {
            PerDef::Sample => Ok(Per::Sample),
            PerDef::Day => Ok(Per::Day),
            PerDef::Session(name) => match self.resolve(&name.text, name.at)? {
                Symbol::Session(session) => {
                    self.session(session, name.at)?;
                    Ok(Per::Session(session))
                }
                other => Err(self.sink.error_with(
                    name.at,
                    format!("'{}' is {}", name.text, other.kind()),
                    "expected sample, day or the name of a session",
                )),
            },
        }
    }

    fn compile_derive(&mut self, index: DeriveIdx) -> Result<Derive, Reported> {
        let def = &self.source.derives[index];
        let per = self.per(&def.per)?;
        let scope = Scope {
            session: match per {
                Per::Session(session) => Some(session),
                Per::Sample | Per::Day => None,
            },
            day: per == Per::Day,
            ..Scope::default()
        };
        let value = self.number(&def.value, &scope);
        let filter = def.filter.as_ref().map(|c| self.condition(c, &scope));
        let mode = def.mode.as_ref().map(|m| self.any_value(m, &scope));
        let (value, filter, mode) = (value?, filter.transpose()?, mode.transpose()?);
        let mut unit = value.unit.clone();
        if let Some((text, written)) = &def.unit {
            if written.dim != unit.dim {
                return Err(self.sink.error(
                    text.at,
                    format!(
                        "derive '{}' gives {}, not {}",
                        def.name.text,
                        unit.named(),
                        written.named()
                    ),
                ));
            }
            unit = written.clone();
        }
        let mut reads = Reads::default();
        let mut key = "derive ".to_owned();
        self.reads_of_num(&value.num, &mut reads);
        self.num_key(&value.num, &mut key);
        if let Some(filter) = &filter {
            self.reads_of(filter, &mut reads);
            key.push_str("where");
            self.cond_key(filter, &mut key);
        }
        if let Some(mode) = &mode {
            self.reads_of_num(mode, &mut reads);
            key.push_str("mode");
            self.num_key(mode, &mut key);
        }
        if let Per::Session(session) = per {
            self.reads_of(&crate::profile::Cond::Running(session), &mut reads);
            let hash = self.sessions[session].get().map_or(0, |one| one.hash);
            hash::push(&mut key, &("per", hash));
        } else {
            hash::push(&mut key, &per);
        }
        hash::push(&mut key, &def.baseline);
        Ok(Derive {
            name: SmolStr::new(&def.name.text),
            label: def.label.clone(),
            unit,
            per,
            value: value.num,
            filter,
            mode,
            baseline: def.baseline,
            signals: reads.signals.into_iter().collect(),
            hash: hash::of_text(&key),
        })
    }
}

/// What a slot holds afterwards, and how it went.
pub(super) fn settle<T>(result: Result<T, Reported>) -> (Slot<T>, Result<(), Reported>) {
    match result {
        Ok(value) => (Slot::Ready(value), Ok(())),
        Err(Reported) => (Slot::Failed, Err(Reported)),
    }
}
