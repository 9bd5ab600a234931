//! Conditions: logic, comparisons and what a reason says about them.

use smol_str::{SmolStr, ToSmolStr};

use super::quantity::Quantity;
use super::{Compiler, Scope, Symbol};
use crate::profile::diagnostic::{Reported, Span, suggest};
use crate::profile::syntax::{Expr, ExprKind};
use crate::profile::{CompareOp, Cond, Num, SignalIdx, SignalKind, Term, TermIdx};
use crate::telemetry::Text;

impl Compiler<'_, '_, '_> {
    /// Something that is true, false or unknown.
    pub(super) fn condition(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Cond, Reported> {
        match &expr.kind {
            ExprKind::Truth(truth) => Ok(Cond::Const(*truth)),
            ExprKind::Not(inner) => Ok(Cond::Not(Box::new(self.condition(inner, scope)?))),
            ExprKind::All(list) => Ok(Cond::All(self.conditions(list, scope)?)),
            ExprKind::Any(list) => Ok(Cond::Any(self.conditions(list, scope)?)),
            ExprKind::Name(name) => self.named_condition(name, expr.at, scope),
            ExprKind::Call(name, arguments) => {
                let function = self.function(name, arguments, expr.at)?;
                if !function.truth {
                    return Err(self.needs_truth(expr));
                }
                self.truth_call(function, arguments, expr, scope)
            }
            ExprKind::Field(inner, field) => match &inner.kind {
                ExprKind::Call(name, arguments) if name == "baseline" && field == "ready" => {
                    let function = self.function(name, arguments, inner.at)?;
                    let (node, _) = self.baseline(function, arguments, inner, scope)?;
                    Ok(Cond::BaselineReady(node))
                }
                _ => {
                    self.quantity(expr, scope)?;
                    Err(self.needs_truth(expr))
                }
            },
            ExprKind::Compare(op, left, right) => self.compare(op, left, right, expr, scope),
            ExprKind::In(value, low, high) => self.within(value, low, high, expr, scope),
            ExprKind::Number(..)
            | ExprKind::Word(_)
            | ExprKind::Negative(_)
            | ExprKind::Arithmetic(..)
            | ExprKind::Range(..)
            | ExprKind::Of(..)
            | ExprKind::Last(_) => Err(self.needs_truth(expr)),
        }
    }

    fn conditions(&mut self, list: &[Expr], scope: &Scope<'_>) -> Result<Vec<Cond>, Reported> {
        let all: Vec<_> = list.iter().map(|one| self.condition(one, scope)).collect();
        all.into_iter().collect()
    }

    fn needs_truth(&mut self, expr: &Expr) -> Reported {
        let shown = match &expr.kind {
            ExprKind::Word(_) => expr.to_string(),
            _ => format!("'{expr}'"),
        };
        self.sink.error_with(
            expr.at,
            format!("{shown} is not true or false"),
            "compare it with a value",
        )
    }

    fn named_condition(
        &mut self,
        name: &str,
        at: Span,
        scope: &Scope<'_>,
    ) -> Result<Cond, Reported> {
        let symbol = self.resolve(name, at)?;
        match symbol {
            Symbol::Signal(index) => {
                if self.signals[index].kind == SignalKind::Bool {
                    self.needs_label(symbol, at, scope);
                    return Ok(Cond::Signal(index));
                }
                Err(self.not_a_condition(name, symbol, at))
            }
            Symbol::Event(index) => {
                self.needs_label(symbol, at, scope);
                Ok(Cond::Event(index))
            }
            Symbol::Session(index) => {
                self.session(index, at)?;
                Ok(Cond::Running(index))
            }
            Symbol::Derive(_) | Symbol::Limit(_) => Err(self.not_a_condition(name, symbol, at)),
        }
    }

    fn not_a_condition(&mut self, name: &str, symbol: Symbol, at: Span) -> Reported {
        self.sink.error_with(
            at,
            format!("'{name}' is {}, not a condition", symbol.kind()),
            "compare it with a value",
        )
    }

    fn compare(
        &mut self,
        op: &str,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Cond, Reported> {
        if let Some(cond) = self.with_truth(op, left, right, expr, scope)? {
            return Ok(cond);
        }
        if let Some(cond) = self.with_word(op, left, right, expr, scope)? {
            return Ok(cond);
        }
        let (left, right) = (self.number(left, scope), self.number(right, scope));
        let (mut left, mut right) = (left?, right?);
        self.same_dim(&left, &right, "cannot compare", expr.at)?;
        let mut op = compare_op(op);
        if left.is_constant() && !right.is_constant() {
            std::mem::swap(&mut left, &mut right);
            op = op.mirrored();
        }
        self.check_limit(op, &left, &right, scope)?;
        if left.slope && right.is_constant() {
            left.unit = right.unit.clone();
        }
        let term = self.term(&left, expr, op.symbol());
        let reads = [&left.num, &right.num];
        let cond = Cond::Compare {
            op,
            left: left.num.clone(),
            right: right.num.clone(),
            term,
        };
        Ok(self.required(cond, &reads, scope))
    }

    fn within(
        &mut self,
        value: &Expr,
        low: &Expr,
        high: &Expr,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Cond, Reported> {
        let value = self.number(value, scope)?;
        let low = self.number(low, scope)?;
        let high = self.number(high, scope)?;
        self.same_dim(&value, &low, "cannot compare", expr.at)?;
        self.same_dim(&value, &high, "cannot compare", expr.at)?;
        if let (Num::Const(from), Num::Const(to)) = (&low.num, &high.num)
            && from > to
        {
            return Err(self.sink.error(
                low.at.to(high.at),
                "the lower end of the range is above the higher one",
            ));
        }
        self.check_limit(CompareOp::GreaterOrEqual, &value, &low, scope)?;
        self.check_range(&value, &high)?;
        let term = self.term(&value, expr, "in");
        let reads = [&value.num, &low.num, &high.num];
        let cond = Cond::Within {
            value: value.num.clone(),
            low: low.num.clone(),
            high: high.num.clone(),
            term,
        };
        Ok(self.required(cond, &reads, scope))
    }

    /// `wet == true`.
    fn with_truth(
        &mut self,
        op: &str,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Option<Cond>, Reported> {
        let (truth, other) = match (&left.kind, &right.kind) {
            (ExprKind::Truth(truth), _) => (*truth, right),
            (_, ExprKind::Truth(truth)) => (*truth, left),
            _ => return Ok(None),
        };
        let wanted = match op {
            "==" => truth,
            "!=" => !truth,
            _ => {
                return Err(self
                    .sink
                    .error(expr.at, "true and false are compared with == or !="));
            }
        };
        let cond = self.condition(other, scope)?;
        Ok(Some(if wanted {
            cond
        } else {
            Cond::Not(Box::new(cond))
        }))
    }

    /// `function == 'wash'`.
    fn with_word(
        &mut self,
        op: &str,
        left: &Expr,
        right: &Expr,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Option<Cond>, Reported> {
        let (word, other) = match (&left.kind, &right.kind) {
            (ExprKind::Word(word), _) => ((word, left.at), right),
            (_, ExprKind::Word(word)) => ((word, right.at), left),
            _ => return Ok(None),
        };
        let value = self.quantity(other, scope)?;
        let Some(signal) = value.words else {
            return Err(self.sink.error_with(
                expr.at,
                format!(
                    "cannot compare {} with the word '{}'",
                    value.unit.named(),
                    word.0
                ),
                "only an enumeration is compared with words",
            ));
        };
        let op = match op {
            "==" => CompareOp::Equal,
            "!=" => CompareOp::NotEqual,
            _ => {
                return Err(self.sink.error(expr.at, "words are compared with == or !="));
            }
        };
        let index = self.word_index(signal, word.0, word.1)?;
        let term = self.term(&value, expr, op.symbol());
        let reads = [&value.num];
        let cond = Cond::Compare {
            op,
            left: value.num.clone(),
            right: Num::Const(index),
            term,
        };
        Ok(Some(self.required(cond, &reads, scope)))
    }

    fn word_index(&mut self, signal: SignalIdx, word: &str, at: Span) -> Result<f64, Reported> {
        let signal = &self.signals[signal];
        let SignalKind::Enum(words) = &signal.kind else {
            return Err(Reported);
        };
        #[expect(clippy::cast_precision_loss, reason = "an enumeration has a few words")]
        let index = words.iter().position(|w| w == word).map(|i| i as f64);
        let known: Vec<&str> = words.iter().map(SmolStr::as_str).collect();
        index.ok_or_else(|| {
            let help = suggest(word, &known, "its words");
            self.sink.error_maybe(
                at,
                format!("'{word}' is not a word of '{}'", signal.name),
                help,
            )
        })
    }

    fn term(&mut self, value: &Quantity, expr: &Expr, op: &str) -> TermIdx {
        let label = if value.label.is_empty() {
            Text::same(&expr.to_string())
        } else {
            value.label.clone()
        };
        self.terms.push(Term {
            text: expr.to_smolstr(),
            signal: value.path.clone(),
            label,
            unit: value.unit.clone(),
            op: SmolStr::new(op),
            baseline: value.baseline,
        });
        self.terms.len() - 1
    }

    /// Wraps a term on a derive of `requires`.
    fn required(&self, cond: Cond, reads: &[&Num], scope: &Scope<'_>) -> Cond {
        let mut cond = cond;
        for (derive, node, count) in scope.requires {
            if reads.iter().any(|num| self.mentions(num, *derive)) {
                cond = Cond::Requires {
                    node: *node,
                    count: *count,
                    inner: Box::new(cond),
                };
            }
        }
        cond
    }
}

impl CompareOp {
    /// As written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// The same comparison with its sides swapped.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

fn compare_op(op: &str) -> CompareOp {
    match op {
        "==" => CompareOp::Equal,
        "!=" => CompareOp::NotEqual,
        "<" => CompareOp::Less,
        "<=" => CompareOp::LessOrEqual,
        ">" => CompareOp::Greater,
        _ => CompareOp::GreaterOrEqual,
    }
}
