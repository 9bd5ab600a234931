//! Function calls to nodes.

use smol_str::{SmolStr, ToSmolStr};

use super::functions::Function;
use super::quantity::Quantity;
use super::{Compiler, NODE_LIMIT, Scope, Symbol, hash};
use crate::profile::diagnostic::{Reported, Span, suggest};
use crate::profile::sections::span_ms;
use crate::profile::syntax::{Argument, Expr, ExprKind};
use crate::profile::{
    Cond, DeriveIdx, Dim, EventIdx, Field, Node, NodeIdx, NodeKind, Num, NumOp, SessionIdx,
    SignalIdx, SignalKind, Unit, Window, WindowFn,
};
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
        let share = self.number(&share.value, scope)?;
        let share = match share.num {
            Num::Const(share) if (0.0..=1.0).contains(&share) && share_is_plain(&share) => share,
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
        let slope = matches!(func, WindowFn::Rate | WindowFn::Slope);
        let value = Quantity { unit, ..value };
        let mut value = self.of_values(kind, value, expr, mark);
        value.ranged = None;
        value.slope = slope;
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

    /// A signal of any kind, or a number.
    fn any_value(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<Num, Reported> {
        if let ExprKind::Name(name) = &x.kind
            && let Symbol::Signal(index) = self.resolve(name, x.at)?
        {
            self.needs_label(Symbol::Signal(index), x.at, scope);
            return Ok(Num::Signal(index));
        }
        Ok(self.quantity(x, scope)?.num)
    }

    fn signal_name(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<SignalIdx, Reported> {
        match self.symbol_of(x, "a signal")? {
            Symbol::Signal(index) => {
                self.needs_label(Symbol::Signal(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a signal")),
        }
    }

    fn event_name(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<EventIdx, Reported> {
        match self.symbol_of(x, "an event")? {
            Symbol::Event(index) => {
                self.needs_label(Symbol::Event(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "an event")),
        }
    }

    fn session_name(&mut self, x: &Expr) -> Result<SessionIdx, Reported> {
        match self.symbol_of(x, "a session")? {
            Symbol::Session(index) => {
                self.session(index, x.at)?;
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a session")),
        }
    }

    fn derive_name(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<DeriveIdx, Reported> {
        match self.symbol_of(x, "a derive")? {
            Symbol::Derive(index) => {
                self.derive(index, x.at)?;
                self.needs_label(Symbol::Derive(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a derive")),
        }
    }

    fn symbol_of(&mut self, x: &Expr, wanted: &str) -> Result<Symbol, Reported> {
        match &x.kind {
            ExprKind::Name(name) => self.resolve(name, x.at),
            _ => Err(self
                .sink
                .error(x.at, format!("expected the name of {wanted}"))),
        }
    }

    fn wrong_kind(&mut self, x: &Expr, found: Symbol, wanted: &str) -> Reported {
        self.sink.error_with(
            x.at,
            format!("'{x}' is {}", found.kind()),
            format!("expected the name of {wanted}"),
        )
    }

    fn needs_time(&mut self, window: Window, expr: &Expr) -> Result<(), Reported> {
        match window {
            Window::Last(_) => Err(self.sink.error_with(
                expr.at,
                "occurrences and times have no 'last n'",
                "write a window of time or a session",
            )),
            Window::Span { .. } | Window::Session(_) | Window::Day => Ok(()),
        }
    }

    fn simple(&mut self, kind: NodeKind, expr: &Expr) -> Quantity {
        let mark = self.terms.len();
        let node = self.node(kind, Unit::seconds(), expr.to_smolstr(), mark);
        Quantity {
            label: super::label::age(),
            ..Quantity::plain(Num::Node(node, Field::Value), Unit::seconds(), expr.at)
        }
    }

    /// A node over values: it keeps what the values are.
    fn of_values(&mut self, kind: NodeKind, value: Quantity, expr: &Expr, mark: usize) -> Quantity {
        let label = super::label::of_node(self, &kind, &value.label);
        let node = self.node(kind, value.unit.clone(), expr.to_smolstr(), mark);
        Quantity {
            num: Num::Node(node, Field::Value),
            label,
            at: expr.at,
            ..value
        }
    }

    fn windowed(
        &mut self,
        kind: NodeKind,
        unit: Unit,
        expr: &Expr,
        mark: usize,
        (label, path): (crate::telemetry::Text, Option<SmolStr>),
    ) -> Quantity {
        let label = super::label::of_node(self, &kind, &label);
        let node = self.node(kind, unit.clone(), expr.to_smolstr(), mark);
        Quantity {
            label,
            path,
            ..Quantity::plain(Num::Node(node, Field::Value), unit, expr.at)
        }
    }

    /// Adds a node, or finds the one with the same content; then the terms made since `mark` go.
    pub(super) fn node(
        &mut self,
        kind: NodeKind,
        unit: Unit,
        text: SmolStr,
        mark: usize,
    ) -> NodeIdx {
        let hash = self.hash_of(&hash::Keyed::Node(&kind));
        if let Some(known) = self.by_hash.get(&hash) {
            self.terms.truncate(mark);
            return *known;
        }
        if self.nodes.len() >= NODE_LIMIT {
            self.sink.error(
                Span::default(),
                format!("the profile has more than {NODE_LIMIT} function calls"),
            );
            return 0;
        }
        let signals = self.signals_of_node(&kind);
        let (stale_ms, sampled) = self.freshness(&signals);
        let state_bytes = self.state_bytes(&kind);
        let index = self.nodes.len();
        self.nodes.push(Node {
            kind,
            text,
            unit,
            signals,
            stale_ms,
            sampled,
            state_bytes,
            hash,
        });
        self.steps.push(crate::profile::Step::Node(index));
        self.by_hash.insert(hash, index);
        index
    }
}

fn share_is_plain(share: &f64) -> bool {
    share.is_finite()
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
