//! Numeric expressions: names, arithmetic and their dimensions.
//!
//! °C minus °C is K, °C plus or minus K is °C, nothing else mixes. Every refusal names both units.

use smol_str::{SmolStr, format_smolstr};

use super::{Compiler, Scope, Symbol, functions};
use crate::profile::diagnostic::{Reported, Span, did_you_mean};
use crate::profile::syntax::{Expr, ExprKind};
use crate::profile::{NodeIdx, Num, NumOp, SignalIdx, SignalKind, Unit};
use crate::telemetry::Text;

/// A checked numeric expression.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    /// What is computed.
    pub(super) num: Num,
    /// Its dimension, and the unit in which it is shown.
    pub(super) unit: Unit,
    /// The words, when it is a word of this enumeration.
    pub(super) words: Option<SignalIdx>,
    /// What it mainly reads, in words.
    pub(super) label: Text,
    /// Wire path of what it mainly reads, or `derive.NAME`.
    pub(super) path: Option<SmolStr>,
    /// Node whose frozen baseline stands behind it.
    pub(super) baseline: Option<NodeIdx>,
    /// It lies within the range of this signal.
    pub(super) ranged: Option<SignalIdx>,
    /// A change per time: shown in the unit of what it is compared with.
    pub(super) slope: bool,
    /// Where it stands.
    pub(super) at: Span,
}

impl Quantity {
    /// With no label and no place in the world.
    pub(super) fn plain(num: Num, unit: Unit, at: Span) -> Self {
        Self {
            num,
            unit,
            words: None,
            label: Text::default(),
            path: None,
            baseline: None,
            ranged: None,
            slope: false,
            at,
        }
    }

    /// It reads nothing of the device.
    pub(super) fn is_constant(&self) -> bool {
        is_constant(&self.num)
    }
}

impl Compiler<'_, '_, '_> {
    /// A number, or a word of an enumeration.
    pub(super) fn quantity(
        &mut self,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        match &expr.kind {
            ExprKind::Number(number, unit) => {
                let unit = unit.clone().unwrap_or(Unit::NONE);
                let num = Num::Const(unit.to_base(*number));
                Ok(Quantity::plain(num, unit, expr.at))
            }
            ExprKind::Name(name) => self.named(name, expr.at, scope),
            ExprKind::Call(name, arguments) => {
                let function = self.function(name, arguments, expr.at)?;
                if function.truth {
                    return Err(self.needs_number(expr));
                }
                self.number_call(function, arguments, expr, scope)
            }
            ExprKind::Field(inner, field) => self.field(inner, field, expr, scope),
            ExprKind::Negative(inner) => {
                let mut value = self.number(inner, scope)?;
                if value.unit.dim.absolute {
                    return Err(self.sink.error(
                        expr.at,
                        "a temperature in °C has no sign to change; take a difference first",
                    ));
                }
                value.num = Num::Neg(Box::new(value.num));
                value.ranged = None;
                Ok(value)
            }
            ExprKind::Arithmetic(op, left, right) => {
                let left = self.number(left, scope)?;
                let right = self.number(right, scope)?;
                self.arithmetic(op, left, right, expr.at)
            }
            ExprKind::Word(word) => Err(self.sink.error_with(
                expr.at,
                format!("the word '{word}' stands alone"),
                "compare an enumeration with it, as in function == 'wash'",
            )),
            ExprKind::Of(..) | ExprKind::Last(_) => Err(self.sink.error_with(
                expr.at,
                format!("'{expr}' is not a value"),
                "it stands inside held(…) or as a window",
            )),
            ExprKind::Range(..) => Err(self.sink.error_with(
                expr.at,
                format!("the range {expr} stands alone"),
                "write x in a..b",
            )),
            ExprKind::Truth(_)
            | ExprKind::Not(_)
            | ExprKind::All(_)
            | ExprKind::Any(_)
            | ExprKind::Compare(..)
            | ExprKind::In(..) => Err(self.needs_number(expr)),
        }
    }

    /// A number; words of enumerations are refused.
    pub(super) fn number(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Quantity, Reported> {
        let value = self.quantity(expr, scope)?;
        if value.words.is_some() {
            return Err(self.sink.error_with(
                expr.at,
                format!("'{expr}' is a word of an enumeration, not a number"),
                "compare it with == or !=",
            ));
        }
        Ok(value)
    }

    /// Checks that two sides have the same dimension.
    pub(super) fn same_dim(
        &mut self,
        left: &Quantity,
        right: &Quantity,
        what: &str,
        at: Span,
    ) -> Result<(), Reported> {
        if left.unit.dim == right.unit.dim {
            return Ok(());
        }
        let help = hint(&left.unit, &right.unit);
        Err(self.sink.error_maybe(
            at,
            format!("{what} {} with {}", left.unit.named(), right.unit.named()),
            help,
        ))
    }

    fn needs_number(&mut self, expr: &Expr) -> Reported {
        self.sink.error_with(
            expr.at,
            format!("'{expr}' is true or false, not a number"),
            "count(…) and total(…) make numbers of conditions",
        )
    }

    fn named(&mut self, name: &str, at: Span, scope: &Scope<'_>) -> Result<Quantity, Reported> {
        match self.resolve(name, at)? {
            Symbol::Signal(index) => self.signal_value(index, at, scope),
            Symbol::Derive(index) => {
                self.derive(index, at)?;
                self.needs_label(Symbol::Derive(index), at, scope);
                let def = &self.source.derives[index];
                let Some(derive) = self.derives[index].get() else {
                    return Err(Reported);
                };
                let ranged = match derive.value {
                    Num::Signal(signal) => Some(signal),
                    _ => None,
                };
                Ok(Quantity {
                    label: def.label.clone(),
                    path: Some(format_smolstr!("derive.{}", def.name.text)),
                    ranged,
                    ..Quantity::plain(Num::Derive(index), derive.unit.clone(), at)
                })
            }
            Symbol::Limit(index) => {
                let unit = self.limits[index].unit.clone();
                Ok(Quantity::plain(Num::Limit(index), unit, at))
            }
            Symbol::Event(_) => Err(self.sink.error_with(
                at,
                format!("the event '{name}' is not a number"),
                format!("write count({name}, 7 d) or since({name})"),
            )),
            Symbol::Session(_) => Err(self.sink.error_with(
                at,
                format!("the session '{name}' is not a number"),
                format!("write duration({name})"),
            )),
        }
    }

    /// The value of a signal, by its kind.
    pub(super) fn signal_value(
        &mut self,
        index: SignalIdx,
        at: Span,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        self.needs_label(Symbol::Signal(index), at, scope);
        let signal = &self.signals[index];
        let name = signal.name.clone();
        if signal.store_text {
            return Err(self
                .sink
                .error(at, format!("'{name}' is text that is only stored")));
        }
        let words = match &signal.kind {
            SignalKind::Enum(_) => Some(index),
            SignalKind::Gauge | SignalKind::Counter { .. } => None,
            SignalKind::Bool => {
                return Err(self.sink.error_with(
                    at,
                    format!("'{name}' is true or false, not a number"),
                    format!("write {name} or not {name}"),
                ));
            }
            SignalKind::Bits(_) => {
                return Err(self.sink.error_with(
                    at,
                    format!("'{name}' is a bit field, not a number"),
                    format!("write newly({name}, 'bit')"),
                ));
            }
        };
        Ok(Quantity {
            words,
            label: signal.label.clone(),
            path: Some(signal.path.clone()),
            ranged: words.is_none().then_some(index),
            ..Quantity::plain(Num::Signal(index), signal.unit.clone(), at)
        })
    }

    fn field(
        &mut self,
        inner: &Expr,
        field: &str,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        match &inner.kind {
            ExprKind::Call(name, arguments) if name == "baseline" => {
                let function = self.function(name, arguments, inner.at)?;
                self.baseline_field(function, arguments, field, expr, scope)
            }
            ExprKind::Call(name, _) if functions::LATER.contains(&name.as_str()) => {
                Err(self.not_yet(name, inner.at))
            }
            ExprKind::Name(name) => {
                let whole = format!("{name}.{field}");
                let alias = self.signals.iter().find(|s| s.path == whole);
                let help = alias.map_or_else(
                    || "only baseline(…) has fields".to_owned(),
                    |signal| format!("write its name, '{}'", signal.name),
                );
                Err(self
                    .sink
                    .error_with(expr.at, format!("'{name}' has no field '{field}'"), help))
            }
            _ => Err(self.sink.error_with(
                expr.at,
                format!("'{inner}' has no field '{field}'"),
                "only baseline(…) has fields",
            )),
        }
    }

    fn arithmetic(
        &mut self,
        op: &str,
        left: Quantity,
        right: Quantity,
        at: Span,
    ) -> Result<Quantity, Reported> {
        let (num_op, unit) = match op {
            "+" => (NumOp::Add, sum_unit(&left.unit, &right.unit)),
            "-" => (NumOp::Sub, difference_unit(&left.unit, &right.unit)),
            "*" => (NumOp::Mul, product_unit(&left.unit, &right.unit, false)),
            _ => (NumOp::Div, product_unit(&left.unit, &right.unit, true)),
        };
        let Some(unit) = unit else {
            let (one, other) = (left.unit.named(), right.unit.named());
            let message = match op {
                "+" => format!("cannot add {other} to {one}"),
                "-" => format!("cannot subtract {other} from {one}"),
                "*" => format!("cannot multiply {one} by {other}"),
                _ => format!("cannot divide {one} by {other}"),
            };
            let help = hint(&left.unit, &right.unit);
            return Err(self.sink.error_maybe(at, message, help));
        };
        let lead = if left.is_constant() {
            right.clone()
        } else {
            left.clone()
        };
        Ok(Quantity {
            num: Num::Binary(num_op, Box::new(left.num), Box::new(right.num)),
            unit,
            ranged: None,
            at,
            ..lead
        })
    }

    /// The function of this name, with as many arguments as it takes.
    pub(super) fn function(
        &mut self,
        name: &str,
        arguments: &[crate::profile::syntax::Argument],
        at: Span,
    ) -> Result<&'static functions::Function, Reported> {
        if functions::LATER.contains(&name) {
            return Err(self.not_yet(name, at));
        }
        let Some(function) = functions::find(name) else {
            let help = did_you_mean(name, functions::names());
            return Err(self
                .sink
                .error_maybe(at, format!("there is no function '{name}'"), help));
        };
        let positional = arguments.iter().filter(|a| a.name.is_none()).count();
        if positional < function.least || positional > function.most {
            return Err(self.sink.error_with(
                at,
                format!("'{name}' is given {}", arguments_in_words(positional)),
                format!("write {}", function.usage),
            ));
        }
        for argument in arguments {
            if let Some(other) = argument.name.as_deref().filter(|n| *n != "ago") {
                return Err(self.sink.error_with(
                    argument.value.at,
                    format!("'{name}' has no argument '{other}'"),
                    format!("write {}", function.usage),
                ));
            }
        }
        Ok(function)
    }

    fn not_yet(&mut self, name: &str, at: Span) -> Reported {
        self.sink
            .error(at, format!("'{name}' is not part of this version"))
    }
}

fn arguments_in_words(count: usize) -> String {
    match count {
        0 => "no argument".to_owned(),
        1 => "1 argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

/// Nothing of the device is read.
pub(super) fn is_constant(num: &Num) -> bool {
    match num {
        Num::Const(_) | Num::Limit(_) => true,
        Num::Signal(_) | Num::Derive(_) | Num::Node(..) => false,
        Num::Neg(inner) | Num::Abs(inner) => is_constant(inner),
        Num::Binary(_, left, right) => is_constant(left) && is_constant(right),
    }
}

fn sum_unit(left: &Unit, right: &Unit) -> Option<Unit> {
    if left.dim.exponents != right.dim.exponents {
        return None;
    }
    match (left.dim.absolute, right.dim.absolute) {
        (true, true) => None,
        (false, true) => Some(right.clone()),
        _ => Some(left.clone()),
    }
}

fn difference_unit(left: &Unit, right: &Unit) -> Option<Unit> {
    if left.dim.exponents != right.dim.exponents {
        return None;
    }
    match (left.dim.absolute, right.dim.absolute) {
        (true, true) => Some(Unit::of_dim(left.dim.difference())),
        (false, true) => None,
        _ => Some(left.clone()),
    }
}

fn product_unit(left: &Unit, right: &Unit, divided: bool) -> Option<Unit> {
    if left.dim.absolute || right.dim.absolute {
        return None;
    }
    if right.dim.is_none() {
        return Some(left.clone());
    }
    if left.dim.is_none() && !divided {
        return Some(right.clone());
    }
    Some(Unit::of_dim(if divided {
        left.dim.divided_by(right.dim)
    } else {
        left.dim.times(right.dim)
    }))
}

fn hint(left: &Unit, right: &Unit) -> Option<String> {
    let celsius = left.dim.absolute || right.dim.absolute;
    if celsius && [left, right].iter().any(|unit| unit.symbol == "C") {
        return Some("C is the coulomb; a temperature is written in °C".to_owned());
    }
    if left.dim.exponents == right.dim.exponents && left.dim.absolute != right.dim.absolute {
        return Some("°C is a temperature, K a difference of two".to_owned());
    }
    celsius.then(|| {
        "°C minus °C is K, °C plus or minus K is °C; nothing else mixes with °C".to_owned()
    })
}
