//! The lines of a case, parsed and checked against the compiled profile.

use smol_str::SmolStr;

use super::{Case, Expect, Given, Say, When, Wire};
use crate::profile::diagnostic::{Reported, Sink, Span, did_you_mean, suggest};
use crate::profile::lexer::Located;
use crate::profile::parser::{parse, parse_list};
use crate::profile::sections::{CaseDef, Source, span_ms};
use crate::profile::syntax::{Argument, Expr, ExprKind};
use crate::profile::{Dim, FaultIdx, Per, Program, SignalIdx, SignalKind, Stage, Unit};
use crate::telemetry::Scalar;

/// Most instants of one line; a year of minutes. Lines with more are refused.
const INSTANTS_LIMIT: i64 = 600_000;

/// Checks every case of a profile.
pub(in crate::profile) fn cases(
    source: &Source,
    program: &Program,
    sink: &mut Sink<'_>,
) -> Vec<Case> {
    let mut reader = Reader { program, sink };
    source
        .cases
        .iter()
        .filter_map(|def| reader.case(def).ok())
        .collect()
}

struct Reader<'p, 's, 'a> {
    program: &'p Program,
    sink: &'s mut Sink<'a>,
}

impl Reader<'_, '_, '_> {
    fn case(&mut self, def: &CaseDef) -> Result<Case, Reported> {
        let given: Vec<_> = def.given.iter().map(|line| self.given(line)).collect();
        let expect: Vec<_> = def.expect.iter().map(|line| self.expect(line)).collect();
        Ok(Case {
            model: self.program.model.clone(),
            name: def.name.text.clone(),
            file: self.sink.file().to_owned(),
            line: self.sink.line(def.name.at),
            given: given.into_iter().collect::<Result<_, _>>()?,
            expect: expect.into_iter().collect::<Result<_, _>>()?,
        })
    }

    fn given(&mut self, line: &Located) -> Result<Given, Reported> {
        if let Some(file) = line.text.strip_prefix("csv ") {
            let file = file.trim().to_owned();
            return Ok(Given::Csv { file });
        }
        let Some(colon) = line.text.find(':') else {
            return Err(self.sink.error_with(
                line.at,
                "this line has no time",
                "write \"0 s: out = 37.8 °C\", \"0 s..60 s every 1 s: …\" or \"csv file.csv\"",
            ));
        };
        let when = self.when(&line.part(0, colon))?;
        let rest = line.part(colon + 1, line.text.len());
        let arguments = parse_list(&rest, self.sink)?;
        let mut says = Vec::new();
        for argument in &arguments {
            says.push(self.say(argument)?);
        }
        Ok(Given::At { when, says })
    }

    fn when(&mut self, text: &Located) -> Result<When, Reported> {
        let every = text.text.find(" every ");
        let span = text.part(0, every.unwrap_or(text.text.len()));
        let expr = parse(&span, self.sink)?;
        let (from_ms, to_ms) = self.instant_or_range(&expr)?;
        let every_ms = match every {
            Some(at) => {
                let part = text.part(at + " every ".len(), text.text.len());
                let every = parse(&part, self.sink)?;
                span_ms(&every, self.sink)?
            }
            None if from_ms == to_ms => 0,
            None => {
                return Err(self.sink.error_with(
                    text.at,
                    "a span of instants needs their spacing",
                    "write \"11 s..60 s every 1 s: …\"",
                ));
            }
        };
        if every_ms > 0 && (to_ms - from_ms) / every_ms > INSTANTS_LIMIT {
            return Err(self.sink.error(
                text.at,
                format!("this line has more than {INSTANTS_LIMIT} instants"),
            ));
        }
        Ok(When {
            from_ms,
            to_ms,
            every_ms,
        })
    }

    fn instant_or_range(&mut self, expr: &Expr) -> Result<(i64, i64), Reported> {
        let ExprKind::Range(low, high) = &expr.kind else {
            let at = self.instant(expr)?;
            return Ok((at, at));
        };
        let (from, to) = (self.instant(low)?, self.instant(high)?);
        if from > to {
            return Err(self.sink.error(expr.at, "this span ends before it starts"));
        }
        Ok((from, to))
    }

    /// A time from the start of the case; unlike other times it may be 0.
    fn instant(&mut self, expr: &Expr) -> Result<i64, Reported> {
        match &expr.kind {
            ExprKind::Number(number, Some(unit)) if *number == 0.0 && unit.dim == Dim::TIME => {
                Ok(0)
            }
            _ => span_ms(expr, self.sink),
        }
    }

    fn say(&mut self, argument: &Argument) -> Result<Say, Reported> {
        let at = argument.value.at;
        if let Some(name) = &argument.name {
            let signal = self.signal(name, argument.at)?;
            let value = self.value(signal, &argument.value)?;
            return Ok(Say::Sample { signal, value });
        }
        match &argument.value.kind {
            ExprKind::Name(name) => {
                let events = &self.program.events;
                if let Some(event) = events.iter().position(|e| e.name == *name) {
                    return Ok(Say::Event { event });
                }
                let known: Vec<&str> = events.iter().map(|e| e.name.as_str()).collect();
                let help = if self.program.signals.iter().any(|s| s.name == *name) {
                    Some(format!("write {name} = value"))
                } else {
                    suggest(name, &known, "known events")
                };
                Err(self
                    .sink
                    .error_maybe(at, format!("no event is named '{name}'"), help))
            }
            ExprKind::Call(name, arguments) => self.session(name, arguments, at),
            _ => Err(self.sink.error_with(
                at,
                "this says nothing",
                "write a signal = value, an event, or session(derive = value)",
            )),
        }
    }

    fn session(&mut self, name: &str, arguments: &[Argument], at: Span) -> Result<Say, Reported> {
        let sessions = &self.program.sessions;
        let Some(session) = sessions.iter().position(|s| s.name == *name) else {
            let help = did_you_mean(name, sessions.iter().map(|s| s.name.as_str()));
            return Err(self
                .sink
                .error_maybe(at, format!("no session is named '{name}'"), help));
        };
        let mut derives = Vec::new();
        for argument in arguments {
            let Some(derive_name) = &argument.name else {
                return Err(self.sink.error_with(
                    argument.value.at,
                    "expected a derive with its value",
                    "write session(derive = value)",
                ));
            };
            let own = |per: Per| per == Per::Session(session);
            let derive = self
                .program
                .derives
                .iter()
                .position(|d| d.name == *derive_name && own(d.per));
            let Some(derive) = derive else {
                let known = self.program.derives.iter().filter(|d| own(d.per));
                let help = did_you_mean(derive_name, known.map(|d| d.name.as_str()));
                return Err(self.sink.error_maybe(
                    argument.at,
                    format!("'{derive_name}' is no derive of the session '{name}'"),
                    help,
                ));
            };
            let unit = self.program.derives[derive].unit.clone();
            let value = self.numeric(&argument.value, &unit, |base| base)?;
            derives.push((derive, value));
        }
        Ok(Say::Session { session, derives })
    }

    fn signal(&mut self, name: &str, at: Span) -> Result<SignalIdx, Reported> {
        let signals = &self.program.signals;
        signals.iter().position(|s| s.name == *name).ok_or_else(|| {
            let help = did_you_mean(name, signals.iter().map(|s| s.name.as_str()));
            self.sink
                .error_maybe(at, format!("no signal is named '{name}'"), help)
        })
    }

    fn value(&mut self, signal: SignalIdx, expr: &Expr) -> Result<Wire, Reported> {
        let signal = &self.program.signals[signal];
        match (&signal.kind, &expr.kind) {
            (_, ExprKind::Name(name)) if name == "null" => Ok(Wire::Fixed(Scalar::Null)),
            (SignalKind::Bool, ExprKind::Truth(truth)) => Ok(Wire::Fixed(Scalar::Bool(*truth))),
            (SignalKind::Bool, _) => Err(self.sink.error_with(
                expr.at,
                format!("'{}' is true or false", signal.name),
                "write true, false or null",
            )),
            (SignalKind::Enum(words), ExprKind::Word(word)) => {
                if words.iter().any(|w| w == word) {
                    return Ok(Wire::Fixed(Scalar::Text(SmolStr::new(word))));
                }
                let known: Vec<&str> = words.iter().map(SmolStr::as_str).collect();
                Err(self.sink.error_maybe(
                    expr.at,
                    format!("'{word}' is not a word of '{}'", signal.name),
                    suggest(word, &known, "its words"),
                ))
            }
            (SignalKind::Enum(_), _) => Err(self.sink.error_with(
                expr.at,
                format!("'{}' is an enumeration", signal.name),
                "write one of its words in quotes",
            )),
            (_, ExprKind::Word(text)) if signal.store_text => {
                Ok(Wire::Fixed(Scalar::Text(SmolStr::new(text))))
            }
            (SignalKind::Gauge | SignalKind::Counter { .. } | SignalKind::Bits(_), _) => {
                let (scale, offset, unit) = (signal.scale, signal.offset, signal.unit.clone());
                let own = unit.clone();
                self.numeric(expr, &unit, move |base| {
                    (own.from_base(base) - offset) / scale
                })
            }
        }
    }

    /// A number with its unit, or `ramp(a..b)`.
    fn numeric(
        &mut self,
        expr: &Expr,
        unit: &Unit,
        wire: impl Fn(f64) -> f64,
    ) -> Result<Wire, Reported> {
        if let ExprKind::Call(name, arguments) = &expr.kind
            && name == "ramp"
            && let [argument] = arguments.as_slice()
            && let ExprKind::Range(low, high) = &argument.value.kind
        {
            let (low, high) = (self.base(low, unit)?, self.base(high, unit)?);
            return Ok(Wire::Ramp(wire(low), wire(high)));
        }
        Ok(Wire::Fixed(Scalar::Number(wire(self.base(expr, unit)?))))
    }

    fn base(&mut self, expr: &Expr, unit: &Unit) -> Result<f64, Reported> {
        let ExprKind::Number(number, written) = &expr.kind else {
            return Err(self.sink.error_with(
                expr.at,
                "expected a value",
                "write a number with its unit, or ramp(a..b)",
            ));
        };
        let written = written.clone().unwrap_or(Unit::NONE);
        if written.dim != unit.dim {
            return Err(self.sink.error(
                expr.at,
                format!("this is in {}, expected {}", written.named(), unit.named()),
            ));
        }
        Ok(written.to_base(*number))
    }

    fn expect(&mut self, line: &Located) -> Result<Expect, Reported> {
        let (verb, rest) = line.text.split_once(' ').unwrap_or((&line.text, ""));
        let (name, rest) = match rest.split_once(' ') {
            Some((name, rest)) => (name, Some(rest)),
            None => (rest, None),
        };
        let name_start = verb.len() + 1;
        let name_at = line.span(
            name_start.min(line.text.len()),
            (name_start + name.len()).min(line.text.len()),
        );
        let (name, stage) = match name.split_once('.') {
            Some((name, "warn")) => (name, Some(Stage::Warn)),
            Some((name, "fault")) => (name, Some(Stage::Fault)),
            Some((_, other)) => {
                return Err(self.sink.error_with(
                    name_at,
                    format!("there is no stage '{other}'"),
                    "expected .warn or .fault",
                ));
            }
            None => (name, None),
        };
        let fault = self.fault(name, stage, name_at)?;
        let tail_start = line.text.len() - rest.map_or(0, str::len);
        let tail = rest.map(|_| line.part(tail_start, line.text.len()));
        match (verb, tail) {
            ("quiet", None) if stage.is_none() => Ok(Expect::Quiet { fault }),
            ("unknown", None) if stage.is_none() => Ok(Expect::Unknown { fault }),
            ("raised", None) => Ok(Expect::Raised {
                fault,
                stage,
                within_ms: None,
            }),
            ("raised", Some(tail)) if tail.text.starts_with("within ") => {
                let span = parse(&tail.part("within ".len(), tail.text.len()), self.sink)?;
                Ok(Expect::Raised {
                    fault,
                    stage,
                    within_ms: Some(self.instant_or_range(&span)?),
                })
            }
            ("cleared", None) if stage.is_none() => Ok(Expect::Cleared { fault, by_ms: None }),
            ("cleared", Some(tail)) if stage.is_none() && tail.text.starts_with("by ") => {
                let by = parse(&tail.part("by ".len(), tail.text.len()), self.sink)?;
                Ok(Expect::Cleared {
                    fault,
                    by_ms: Some(self.instant(&by)?),
                })
            }
            _ => Err(self.sink.error_with(
                line.at,
                "this is not an expectation",
                "write \"quiet X\", \"raised X.warn within 20 d..30 d\", \"cleared X by 50 d\" or \"unknown X\"",
            )),
        }
    }

    fn fault(&mut self, name: &str, stage: Option<Stage>, at: Span) -> Result<FaultIdx, Reported> {
        let faults = &self.program.faults;
        let Some(index) = faults.iter().position(|f| f.name == *name) else {
            let known: Vec<&str> = faults.iter().map(|f| f.name.as_str()).collect();
            return Err(self.sink.error_maybe(
                at,
                format!("no fault is named '{name}'"),
                suggest(name, &known, "known faults"),
            ));
        };
        let missing = match stage {
            Some(Stage::Warn) => faults[index].warn.is_none(),
            Some(Stage::Fault) => faults[index].fault.is_none(),
            None => false,
        };
        if missing {
            return Err(self
                .sink
                .error(at, format!("fault '{name}' has no such stage")));
        }
        Ok(index)
    }
}
