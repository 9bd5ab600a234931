//! Rules that a profile must keep beyond its grammar: limits within ranges, labels, words.

use super::quantity::Quantity;
use super::{Compiler, Scope, Symbol};
use crate::profile::diagnostic::{Reported, Span, did_you_mean};
use crate::profile::lexer::Located;
use crate::profile::sections::{FaultDef, StageDef};
use crate::profile::{CompareOp, LimitIdx, Num, NumOp, Severity, Unit};

/// Least distance in K of an S1 limit on a temperature from the edge of its range: a drifting sensor must still reach it.
const EDGE_KELVIN: f64 = 20.0;
/// The same for other quantities, as a share of the range.
const EDGE_SHARE: f64 = 0.3;

impl Compiler<'_, '_, '_> {
    /// A limit must lie where the sensor can deliver it; an S1 limit well inside.
    pub(super) fn check_limit(
        &mut self,
        op: CompareOp,
        value: &Quantity,
        limit: &Quantity,
        scope: &Scope<'_>,
    ) -> Result<(), Reported> {
        self.check_range(value, limit)?;
        let Some((low, high)) = value.ranged.and_then(|index| self.signals[index].range) else {
            return Ok(());
        };
        if scope.severity != Some(Severity::S1) {
            return Ok(());
        }
        let unit = &value.unit;
        let temperature = unit.dim == Unit::celsius().dim;
        let least = if temperature {
            EDGE_KELVIN
        } else {
            EDGE_SHARE * (high - low)
        };
        for number in self.constants(&limit.num) {
            let (room, edge) = match op {
                CompareOp::Greater | CompareOp::GreaterOrEqual => (high - number, high),
                CompareOp::Less | CompareOp::LessOrEqual => (number - low, low),
                CompareOp::Equal | CompareOp::NotEqual => continue,
            };
            if room < least {
                let rule = if temperature {
                    "at least 20 K".to_owned()
                } else {
                    format!("at least 30 % of it ({})", unit.format(least))
                };
                return Err(self.sink.error_with(
                    limit.at,
                    format!(
                        "an S1 limit of {} is too near to the edge of the range, {}",
                        unit.format(number),
                        unit.format(edge)
                    ),
                    format!("an S1 limit needs {rule} to the edge: widen 'range' to what the sensor can deliver"),
                ));
            }
        }
        Ok(())
    }

    /// A limit outside the range can never be reached.
    pub(super) fn check_range(
        &mut self,
        value: &Quantity,
        limit: &Quantity,
    ) -> Result<(), Reported> {
        let Some(index) = value.ranged else {
            return Ok(());
        };
        let Some((low, high)) = self.signals[index].range else {
            return Ok(());
        };
        for number in self.constants(&limit.num) {
            if number < low || number > high {
                let unit = &value.unit;
                return Err(self.sink.error_with(
                    limit.at,
                    format!(
                        "{} is outside the range of '{}'",
                        unit.format(number),
                        self.signals[index].name
                    ),
                    format!(
                        "its sensor delivers {} to {}",
                        unit.format(low),
                        unit.format(high)
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Every value that a constant can have: a limit may vary by hardware and region. Empty when it is not constant.
    fn constants(&self, num: &Num) -> Vec<f64> {
        match num {
            Num::Const(value) => vec![*value],
            Num::Limit(index) => self.variants(*index),
            Num::Neg(inner) => self.constants(inner).iter().map(|v| -v).collect(),
            Num::Abs(inner) => self.constants(inner).iter().map(|v| v.abs()).collect(),
            Num::Binary(op, left, right) => {
                let (left, right) = (self.constants(left), self.constants(right));
                let mut all = Vec::new();
                for a in &left {
                    for b in right.iter().take(64) {
                        all.push(match op {
                            NumOp::Add => a + b,
                            NumOp::Sub => a - b,
                            NumOp::Mul => a * b,
                            NumOp::Div => a / b,
                            NumOp::Min => a.min(*b),
                            NumOp::Max => a.max(*b),
                        });
                    }
                }
                all.truncate(64);
                all
            }
            Num::Signal(_) | Num::Derive(_) | Num::Node(..) => Vec::new(),
        }
    }

    fn variants(&self, index: LimitIdx) -> Vec<f64> {
        let limit = &self.limits[index];
        let mut all = vec![limit.default];
        all.extend(limit.by_hw.values());
        all.extend(limit.by_region.values());
        all
    }

    /// What a fault uses needs words for the reason sentence.
    pub(super) fn needs_label(&mut self, symbol: Symbol, at: Span, scope: &Scope<'_>) {
        if !scope.fault {
            return;
        }
        let source = self.source;
        let (labelled, name) = match symbol {
            Symbol::Signal(index) => {
                let def = &source.signals[index];
                (def.labelled, &def.name)
            }
            Symbol::Event(index) => {
                let def = &source.events[index];
                (def.labelled, &def.name)
            }
            Symbol::Derive(index) => {
                let def = &source.derives[index];
                (def.labelled, &def.name)
            }
            Symbol::Session(_) | Symbol::Limit(_) => return,
        };
        if !labelled && self.unlabelled.insert(name.text.clone()) {
            self.sink.error_with(
                at,
                format!("the {} '{}' is used by a fault and has no label", symbol.noun(), name.text),
                "write label = { en = \"…\", zh = \"…\" } where it is defined: the reason sentence needs words",
            );
        }
    }

    /// Causes, actions, messages and parts must be words of `words/`; stop-use texts fit their severity.
    pub(super) fn check_words(&mut self, def: &FaultDef) {
        let Some(words) = self.words else {
            return;
        };
        if words.cause(&def.cause.text).is_none() {
            self.unknown_word("cause", &def.cause, words.cause_names());
        }
        for stage in [&def.warn, &def.fault].into_iter().flatten() {
            self.check_stage_words(stage);
        }
        let source = self.source;
        for part in &def.parts {
            let own = source.parts.iter().any(|p| p.number.text == part.text);
            if !own && words.part(&part.text).is_none() {
                let known = source.parts.iter().map(|p| p.number.text.as_str());
                let help = did_you_mean(&part.text, known.chain(words.part_names()));
                let help = help.unwrap_or_else(|| "write [parts.NUMBER] with a title".to_owned());
                self.sink
                    .warning(part.at, format!("part '{}' has no title", part.text), help);
            }
        }
    }

    fn check_stage_words(&mut self, stage: &StageDef) {
        let Some(words) = self.words else {
            return;
        };
        let action = words.action(&stage.action.text).is_some();
        if !action {
            self.unknown_word("action", &stage.action, words.action_names());
        }
        let mut known = action;
        if let Some(message) = &stage.message
            && words.message(&message.text).is_none()
        {
            self.unknown_word("message", message, words.message_names());
            known = false;
        }
        if !known {
            return;
        }
        let message = stage.message.as_ref();
        let stops = |word: &Located| words.stops_use(&word.text);
        match stage.severity {
            Severity::S1 => {
                if !stops(&stage.action) && !message.is_some_and(stops) {
                    self.sink.error_with(
                        stage.action.at,
                        "a stage of severity S1 does not tell the customer to stop using the appliance",
                        "choose an action or a message that is marked stop_use = true",
                    );
                }
            }
            Severity::S2 => {}
            Severity::S3 | Severity::S4 => {
                for word in [Some(&stage.action), message].into_iter().flatten() {
                    if stops(word) {
                        self.sink.error_with(
                            word.at,
                            format!("'{}' tells the customer to stop using the appliance, at severity {:?}", word.text, stage.severity),
                            "stop-use texts are for S1 and S2",
                        );
                    }
                }
            }
        }
    }

    fn unknown_word<'w>(
        &mut self,
        what: &str,
        word: &Located,
        known: impl Iterator<Item = &'w str>,
    ) {
        let help = did_you_mean(&word.text, known)
            .unwrap_or_else(|| "add it to a file of words/".to_owned());
        self.sink.error_with(
            word.at,
            format!("there is no {what} '{}' in words", word.text),
            help,
        );
    }

    /// What can only be seen once everything is compiled.
    pub(super) fn check_whole(&mut self) {
        let bytes: u64 = self.nodes.iter().map(|n| u64::from(n.state_bytes)).sum();
        if bytes > super::STATE_LIMIT_BYTES {
            self.sink.error_with(
                Span::default(),
                format!("the state of one device takes up to {bytes} bytes"),
                format!(
                    "at most {} are allowed: shorten windows, or put them into derives per day",
                    super::STATE_LIMIT_BYTES
                ),
            );
        }
        let mut codes: Vec<&str> = Vec::new();
        for fault in &self.source.faults {
            if codes.contains(&fault.code.as_str()) {
                self.sink.error(
                    fault.name.at,
                    format!("code '{}' belongs to another fault already", fault.code),
                );
            }
            codes.push(&fault.code);
        }
    }
}
