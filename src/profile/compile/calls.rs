//! Function calls to nodes.

use super::functions::Function;
use super::quantity::Quantity;
use super::{Compiler, Scope, Symbol};
use crate::profile::diagnostic::Reported;
use crate::profile::sections::span_ms;
use crate::profile::syntax::{Argument, Expr, ExprKind};
use crate::profile::{Dim, NodeKind, Num, NumOp, SignalKind, Unit, Window, WindowFn};
use crate::telemetry::{DAY_MS, HOUR_MS, MINUTE_MS};

impl Compiler<'_, '_, '_> {
    /// A call that gives a number; the number of its arguments is checked.
    pub(super) fn number_call(
        &mut self,
        function: &Function,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let first = arguments.first().map(|a| &a.value);
        match (function.name, first) {
            ("age", _) => Ok(self.simple(NodeKind::Age, expr)),
            ("duration", Some(x)) => {
                let session = self.session_name(x)?;
                let mut value = self.simple(NodeKind::Duration { session }, expr);
                value.label = self.session_label(session);
                Ok(value)
            }
            ("since", Some(x)) => {
                let event = self.event_name(x, scope)?;
                let mut value = self.simple(NodeKind::Since { event }, expr);
                value.label = self.events[event].label.clone();
                Ok(value)
            }
            ("silent_for", Some(x)) => {
                let signal = self.signal_name(x, scope)?;
                let mut value = self.simple(NodeKind::SilentFor { signal }, expr);
                value.label = self.signals[signal].label.clone();
                value.path = Some(self.signals[signal].path.clone());
                Ok(value)
            }
            ("abs", Some(x)) => {
                let mut value = self.number(x, scope)?;
                if value.unit.dim.absolute {
                    return Err(self.sink.error(
                        x.at,
                        "a temperature in °C has no sign; take a difference first",
                    ));
                }
                value.num = Num::Abs(Box::new(value.num));
                value.ranged = None;
                Ok(value)
            }
            ("before" | "at", Some(x)) => self.around_start(function, x, arguments, expr, scope),
            ("count", Some(x)) => self.count(x, arguments, expr, scope),
            ("total", Some(x)) => {
                let mark = self.terms.len();
                let cond = self.condition(x, scope)?;
                let window = self.window(arguments, 1, expr.at, scope)?;
                self.needs_time(window, expr)?;
                let kind = NodeKind::Total { cond, window };
                let label = super::label::of_expr(self, x);
                Ok(self.windowed(kind, Unit::seconds(), expr, mark, label))
            }
            ("baseline", _) => Err(self.sink.error_with(
                expr.at,
                "baseline(…) needs a field",
                "write .ratio, .delta, .z, .value, .up, .down or .ready after it",
            )),
            ("min" | "max", Some(x)) if self.is_pair(arguments) => {
                self.pair(function.name, x, arguments, expr, scope)
            }
            ("quantile", Some(x)) => self.quantile(x, arguments, expr, scope),
            ("last", Some(x)) if arguments.len() == 1 && scope.session.is_none() && !scope.day => {
                self.over_window("last", x, Window::Last(1), expr, scope)
            }
            (_, Some(x)) => {
                let window = self.window(arguments, 1, expr.at, scope)?;
                self.over_window(function.name, x, window, expr, scope)
            }
            (_, None) => Err(self.sink.error(expr.at, "an argument is missing")),
        }
    }

    fn is_pair(&self, arguments: &[Argument]) -> bool {
        arguments
            .get(1)
            .is_some_and(|second| second.name.is_none() && !self.is_window(&second.value))
    }

    fn pair(
        &mut self,
        name: &str,
        left: &Expr,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let Some(right) = arguments.get(1) else {
            return Err(Reported);
        };
        let left = self.number(left, scope)?;
        let right = self.number(&right.value, scope)?;
        self.same_dim(&left, &right, "cannot compare", expr.at)?;
        let op = if name == "min" {
            NumOp::Min
        } else {
            NumOp::Max
        };
        let lead = if left.is_constant() {
            right.clone()
        } else {
            left.clone()
        };
        Ok(Quantity {
            num: Num::Binary(op, Box::new(left.num), Box::new(right.num)),
            ranged: None,
            at: expr.at,
            ..lead
        })
    }

    fn quantile(
        &mut self,
        x: &Expr,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let Some(share) = arguments.get(1) else {
            return Err(Reported);
        };
        let share_at = share.value.at;
        let given = self.number(&share.value, scope)?;
        let share = match given.num {
            Num::Const(share) if (0.0..=1.0).contains(&share) => share,
            _ => {
                return Err(self.sink.error_with(
                    share_at,
                    "this is not a share",
                    "expected a number from 0 % to 100 %",
                ));
            }
        };
        let window = self.window(arguments, 2, expr.at, scope)?;
        let mark = self.terms.len();
        let value = self.number(x, scope)?;
        let kind = NodeKind::Window {
            func: WindowFn::Quantile(share),
            input: value.num.clone(),
            window,
        };
        Ok(self.of_values(kind, value, expr, mark))
    }

    fn over_window(
        &mut self,
        name: &str,
        x: &Expr,
        window: Window,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        if name == "increase" {
            return self.increase(x, window, expr, scope);
        }
        let mark = self.terms.len();
        let picks = matches!(name, "last" | "first" | "min" | "max");
        let value = if picks {
            self.quantity(x, scope)?
        } else {
            self.number(x, scope)?
        };
        let dim = value.unit.dim;
        if dim.absolute && matches!(name, "sum" | "integral") {
            return Err(self.sink.error_with(
                x.at,
                format!("temperatures in °C have no {name}"),
                "take a difference first",
            ));
        }
        let (func, unit) = match name {
            "last" => (WindowFn::Last, None),
            "first" => (WindowFn::First, None),
            "mean" => (WindowFn::Mean, None),
            "median" => (WindowFn::Median, None),
            "min" => (WindowFn::Min, None),
            "max" => (WindowFn::Max, None),
            "sum" => (WindowFn::Sum, None),
            "integral" => {
                let unit = Unit::of_dim(dim.times(Dim::TIME));
                (WindowFn::Integral, Some(unit))
            }
            "rate" => (WindowFn::Rate, Some(per_time(&value.unit, window))),
            _ => (WindowFn::Slope, Some(per_time(&value.unit, window))),
        };
        let kind = NodeKind::Window {
            func,
            input: value.num.clone(),
            window,
        };
        let Some(unit) = unit else {
            let ranged = if name == "sum" { None } else { value.ranged };
            let mut value = self.of_values(kind, value, expr, mark);
            value.ranged = ranged;
            return Ok(value);
        };
        let per_time = matches!(func, WindowFn::Rate | WindowFn::Slope);
        let value = Quantity { unit, ..value };
        let mut value = self.of_values(kind, value, expr, mark);
        value.ranged = None;
        value.slope = per_time;
        Ok(value)
    }

    fn increase(
        &mut self,
        x: &Expr,
        window: Window,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let index = self.signal_name(x, scope)?;
        let signal = self.signals[index].clone();
        let SignalKind::Counter {
            roll_over,
            counts_down,
        } = signal.kind
        else {
            return Err(self.sink.error_with(
                x.at,
                format!("'{}' is not a counter", signal.name),
                "write counter = true at the signal",
            ));
        };
        let kind = NodeKind::Window {
            func: WindowFn::Increase {
                roll_over,
                counts_down,
            },
            input: Num::Signal(index),
            window,
        };
        let mark = self.terms.len();
        let value = self.signal_value(index, x.at, scope)?;
        let mut value = self.of_values(kind, value, expr, mark);
        value.ranged = None;
        Ok(value)
    }

    fn count(
        &mut self,
        x: &Expr,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let window = self.window(arguments, 1, expr.at, scope)?;
        let mark = self.terms.len();
        let symbol = match &x.kind {
            ExprKind::Name(name) => Some(self.resolve(name, x.at)?),
            _ => None,
        };
        let label = super::label::of_expr(self, x);
        if let Some(Symbol::Event(event)) = symbol {
            self.needs_label(Symbol::Event(event), x.at, scope);
            self.needs_time(window, expr)?;
            let kind = NodeKind::CountEvent { event, window };
            return Ok(self.windowed(kind, Unit::NONE, expr, mark, label));
        }
        if self.is_condition(x) {
            let cond = self.condition(x, scope)?;
            self.needs_time(window, expr)?;
            let kind = NodeKind::CountStarts { cond, window };
            return Ok(self.windowed(kind, Unit::NONE, expr, mark, label));
        }
        let value = self.quantity(x, scope)?;
        let kind = NodeKind::Window {
            func: WindowFn::Count,
            input: value.num.clone(),
            window,
        };
        Ok(self.windowed(kind, Unit::NONE, expr, mark, label))
    }

    /// Whether an expression gives truth, by its shape and names.
    fn is_condition(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Truth(_)
            | ExprKind::Not(_)
            | ExprKind::All(_)
            | ExprKind::Any(_)
            | ExprKind::Compare(..)
            | ExprKind::In(..) => true,
            ExprKind::Call(name, _) => super::functions::find(name).is_some_and(|f| f.truth),
            ExprKind::Field(_, field) => field == "ready",
            ExprKind::Name(name) => match self.names.get(name.as_str()) {
                Some(Symbol::Signal(index)) => self.signals[*index].kind == SignalKind::Bool,
                Some(Symbol::Event(_) | Symbol::Session(_)) => true,
                _ => false,
            },
            _ => false,
        }
    }

    fn around_start(
        &mut self,
        function: &Function,
        x: &Expr,
        arguments: &[Argument],
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Quantity, Reported> {
        let (Some(session), Some(time)) = (scope.session, arguments.get(1)) else {
            return Err(self.sink.error_with(
                expr.at,
                format!("'{}' has no session to look at here", function.name),
                "it stands in a derive per session",
            ));
        };
        let ms = span_ms(&time.value, self.sink)?;
        let mark = self.terms.len();
        let value = self.number(x, scope)?;
        let ranged = value.ranged;
        let input = value.num.clone();
        let kind = if function.name == "before" {
            NodeKind::Before {
                input,
                max_age_ms: ms,
                session,
            }
        } else {
            NodeKind::At {
                input,
                offset_ms: ms,
                session,
            }
        };
        let mut value = self.of_values(kind, value, expr, mark);
        value.ranged = ranged;
        Ok(value)
    }
}

/// A change per time is shown per the largest unit that fits into the window.
fn per_time(unit: &Unit, window: Window) -> Unit {
    let ms = match window {
        Window::Span { span_ms, .. } => span_ms,
        Window::Last(_) | Window::Day => DAY_MS,
        Window::Session(_) => MINUTE_MS,
    };
    let (symbol, scale) = if ms >= DAY_MS {
        ("d", 86_400.0)
    } else if ms >= HOUR_MS {
        ("h", 3600.0)
    } else if ms >= MINUTE_MS {
        ("min", 60.0)
    } else {
        ("s", 1.0)
    };
    unit.per(symbol, scale, Dim::TIME)
}
