//! Function calls that give truth, and baselines.

use smol_str::{SmolStr, ToSmolStr};

use super::functions::Function;
use super::quantity::Quantity;
use super::{Compiler, Scope};
use crate::profile::diagnostic::{Reported, suggest};
use crate::profile::sections::span_ms;
use crate::profile::syntax::{Argument, Expr, ExprKind};
use crate::profile::{Cond, DeriveIdx, Field, NodeIdx, NodeKind, Num, SignalKind, Unit, Window};

impl Compiler<'_, '_, '_> {
    /// `baseline(x, w)`: its node and its derive.
    pub(super) fn baseline(
        &mut self,
        function: &Function,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<(NodeIdx, DeriveIdx), Reported> {
        let Some(x) = arguments.first().map(|a| &a.value) else {
            return Err(self
                .sink
                .error(expr.at, format!("write {}", function.usage)));
        };
        let derive = self.derive_name(x, scope)?;
        if self.source.derives[derive].baseline.is_none() {
            let name = &self.source.derives[derive].name.text;
            return Err(self.sink.error_with(
                x.at,
                format!("derive '{name}' learns no baseline"),
                "write baseline = { samples = 20 } at the derive",
            ));
        }
        let window = if arguments.len() > 1 {
            self.window(arguments, 1, expr.at, scope)?
        } else {
            Window::Last(1)
        };
        let mark = self.terms.len();
        let kind = NodeKind::Baseline { derive, window };
        let unit = self.derive_unit(derive);
        Ok((self.node(kind, unit, expr.to_smolstr(), mark), derive))
    }

    /// A field of a baseline.
    pub(super) fn baseline_field(
        &mut self,
        function: &Function,
        arguments: &[Argument],
        field: &str,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let inner = Expr::clone(expr);
        let call = match &inner.kind {
            ExprKind::Field(call, _) => call.as_ref(),
            _ => &inner,
        };
        let (node, derive) = self.baseline(function, arguments, call, scope)?;
        let own = self.derive_unit(derive);
        let relative = matches!(field, "ratio" | "up" | "down");
        if relative && own.dim.absolute {
            return Err(self.sink.error_with(
                expr.at,
                format!("a temperature in °C has no .{field}"),
                "write .delta",
            ));
        }
        let (which, unit) = match field {
            "ratio" => (Field::Ratio, Unit::NONE),
            "z" => (Field::Z, Unit::NONE),
            "up" => (Field::Up, Unit::percent()),
            "down" => (Field::Down, Unit::percent()),
            "value" => (Field::Frozen, own),
            "delta" if own.dim.absolute => (Field::Delta, Unit::of_dim(own.dim.difference())),
            "delta" => (Field::Delta, own),
            "ready" => {
                return Err(self
                    .sink
                    .error(expr.at, ".ready is true or false, not a number"));
            }
            other => {
                let known = ["ratio", "delta", "z", "value", "up", "down", "ready"];
                return Err(self.sink.error_maybe(
                    expr.at,
                    format!("baseline(…) has no field '{other}'"),
                    suggest(other, &known, "its fields"),
                ));
            }
        };
        let def = &self.source.derives[derive];
        Ok(Quantity {
            label: super::label::of_field(&def.label, which),
            path: Some(smol_str::format_smolstr!("derive.{}", def.name.text)),
            baseline: Some(node),
            ..Quantity::plain(Num::Node(node, which), unit, expr.at)
        })
    }

    /// A call that gives truth; the number of its arguments is checked.
    pub(super) fn truth_call(
        &mut self,
        function: &Function,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Cond, Reported> {
        let (Some(x), second) = (
            arguments.first().map(|a| &a.value),
            arguments.get(1).map(|a| &a.value),
        ) else {
            return Err(self.sink.error(expr.at, "an argument is missing"));
        };
        let mark = self.terms.len();
        let kind = match (function.name, second) {
            ("has", _) => return Ok(Cond::Has(self.signal_name(x, scope)?)),
            ("invalid", _) => return self.invalid(x, scope),
            ("raised", _) => return self.raised(x),
            ("changed", _) => NodeKind::Changed {
                input: self.any_value(x, scope)?,
            },
            ("stuck", Some(time)) => NodeKind::Stuck {
                span_ms: span_ms(time, self.sink)?,
                input: self.any_value(x, scope)?,
            },
            ("newly", Some(bit)) => self.newly(x, bit, scope)?,
            ("held", Some(how)) => self.held(x, how, scope)?,
            _ => self.at_least(arguments, scope)?,
        };
        let node = self.node(kind, Unit::NONE, expr.to_smolstr(), mark);
        Ok(Cond::Node(node))
    }

    fn invalid(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<Cond, Reported> {
        let signal = self.signal_name(x, scope)?;
        if self.signals[signal].range.is_none() {
            return Err(self.sink.error_with(
                x.at,
                format!(
                    "'{}' has no range to be outside of",
                    self.signals[signal].name
                ),
                "write range = [low, high] at the signal",
            ));
        }
        Ok(Cond::Invalid(signal))
    }

    fn raised(&mut self, x: &Expr) -> Result<Cond, Reported> {
        let ExprKind::Name(name) = &x.kind else {
            return Err(self.sink.error(x.at, "raised(…) takes the name of a fault"));
        };
        let index = self.fault_name(name, x.at)?;
        self.fault(index, x.at)?;
        Ok(Cond::Raised(index))
    }

    fn newly(&mut self, x: &Expr, bit: &Expr, scope: &Scope<'_>) -> Result<NodeKind, Reported> {
        let signal = self.signal_name(x, scope)?;
        let SignalKind::Bits(bits) = &self.signals[signal].kind else {
            let name = &self.signals[signal].name;
            return Err(self
                .sink
                .error(x.at, format!("'{name}' is not a bit field")));
        };
        let (ExprKind::Word(name) | ExprKind::Name(name)) = &bit.kind else {
            return Err(self.sink.error(bit.at, "expected the name of a bit"));
        };
        let Some(number) = bits.get(name.as_str()) else {
            let known: Vec<&str> = bits.keys().map(SmolStr::as_str).collect();
            let help = suggest(name, &known, "its bits");
            return Err(self
                .sink
                .error_maybe(bit.at, format!("there is no bit '{name}'"), help));
        };
        Ok(NodeKind::Newly {
            signal,
            bit: *number,
        })
    }

    fn held(&mut self, x: &Expr, how: &Expr, scope: &Scope<'_>) -> Result<NodeKind, Reported> {
        let cond = self.condition(x, scope)?;
        let ExprKind::Of(k, n) = how.kind else {
            return Ok(NodeKind::HeldFor {
                cond,
                hold_ms: span_ms(how, self.sink)?,
            });
        };
        let (k, n) = (self.whole(k, how.at)?, self.whole(n, how.at)?);
        if k > n {
            return Err(self
                .sink
                .error(how.at, format!("{k} of {n} can never be reached")));
        }
        let derives = self.derives_in(&cond);
        match derives.as_slice() {
            [derive] => Ok(NodeKind::HeldOf {
                cond,
                derive: *derive,
                k,
                n,
            }),
            [] => Err(self.sink.error_with(
                x.at,
                "no derive is read here, so there are no values to count",
                "write a time, as in held(c, 3 s), or read one derive",
            )),
            _ => Err(self.sink.error_with(
                x.at,
                "more than one derive is read here; whose values count?",
                "write one held(…) for each derive",
            )),
        }
    }

    fn at_least(
        &mut self,
        arguments: &[Argument],
        scope: &Scope<'_>,
    ) -> Result<NodeKind, Reported> {
        let [number, signs, span] = arguments else {
            return Err(Reported);
        };
        let ExprKind::Number(n, None) = number.value.kind else {
            return Err(self
                .sink
                .error(number.value.at, "expected a number of signs"));
        };
        let n = self.whole(n, number.value.at)?;
        if !matches!(&signs.value.kind, ExprKind::Name(name) if name == "signs") {
            return Err(self.sink.error_with(
                signs.value.at,
                "expected the word signs",
                "it means all sign.NAME of this fault",
            ));
        }
        if scope.signs.len() < n as usize {
            return Err(self.sink.error_with(
                number.value.at,
                format!("this fault has {} signs", scope.signs.len()),
                "write sign.NAME = \"condition\" for each",
            ));
        }
        Ok(NodeKind::AtLeast {
            n,
            signs: scope.signs.to_vec(),
            span_ms: span_ms(&span.value, self.sink)?,
        })
    }
}
