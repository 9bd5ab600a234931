//! The expression language's grammar: tokens to a tree.
//!
//! Binding, from loose to tight: `or`, `and`, `not`, comparisons and `in`, `+ -`, `* /`, sign, `.field`. Names are not resolved and
//! units not mixed here. Nesting is bounded, so no text can exhaust the stack.

use super::Unit;
use super::diagnostic::{Reported, Sink, Span, did_you_mean};
use super::lexer::{KEYWORDS, Located, Token, TokenKind, tokens};
use super::syntax::{Argument, Expr, ExprKind, NESTING_LIMIT};
use super::unit::{UnitError, spellings};

/// Parses a whole expression.
pub(crate) fn parse(source: &Located, sink: &mut Sink<'_>) -> Result<Expr, Reported> {
    let list = tokens(source, sink)?;
    let mut parser = Parser {
        list,
        at: 0,
        nesting: 0,
        sink,
    };
    let expr = parser.any()?;
    match parser.kind() {
        TokenKind::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

/// Parses a list of values and named values, as a case's line gives them: `out = 61 °C, rcd_trip`.
pub(crate) fn parse_list(source: &Located, sink: &mut Sink<'_>) -> Result<Vec<Argument>, Reported> {
    let list = tokens(source, sink)?;
    let mut parser = Parser {
        list,
        at: 0,
        nesting: 0,
        sink,
    };
    let mut arguments = vec![parser.argument()?];
    while parser.symbol(",") {
        arguments.push(parser.argument()?);
    }
    match parser.kind() {
        TokenKind::End => Ok(arguments),
        _ => Err(parser.unexpected("',' or the end")),
    }
}

struct Parser<'s, 'a> {
    list: Vec<Token>,
    at: usize,
    nesting: usize,
    sink: &'s mut Sink<'a>,
}

impl Parser<'_, '_> {
    fn kind(&self) -> &TokenKind {
        self.list.get(self.at).map_or(&TokenKind::End, |t| &t.kind)
    }

    fn span(&self) -> Span {
        self.list
            .get(self.at)
            .or(self.list.last())
            .map_or(Span::default(), |token| token.at)
    }

    fn step(&mut self) {
        self.at = (self.at + 1).min(self.list.len().saturating_sub(1));
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let found = matches!(self.kind(), TokenKind::Symbol(s) if *s == wanted);
        if found {
            self.step();
        }
        found
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.kind(), TokenKind::Name(s) if s == wanted);
        if found {
            self.step();
        }
        found
    }

    fn unexpected(&mut self, expected: &str) -> Reported {
        let (found, help) = match self.kind().clone() {
            TokenKind::End => ("the expression ends here".to_owned(), None),
            TokenKind::Number(n) => (format!("unexpected number {n}"), None),
            TokenKind::Unit(u) => (format!("unexpected unit '{u}'"), None),
            TokenKind::Name(n) => (format!("unexpected '{n}'"), None),
            TokenKind::Quoted(t) => (format!("unexpected text '{t}'"), None),
            TokenKind::Symbol(s) => (format!("unexpected '{s}'"), spelled(s)),
        };
        let help = help.map_or_else(
            || format!("expected {expected}"),
            |write| format!("write {write}"),
        );
        self.sink.error_with(self.span(), found, help)
    }

    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        self.nesting += 1;
        if self.nesting > NESTING_LIMIT {
            return Err(self.too_deep(self.span()));
        }
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    fn too_deep(&mut self, at: Span) -> Reported {
        self.sink.error_with(
            at,
            format!("the expression is nested deeper than {NESTING_LIMIT} levels"),
            "put parts of it into derives",
        )
    }

    fn build(&mut self, kind: ExprKind, at: Span, inner: usize) -> Result<Expr, Reported> {
        if inner >= NESTING_LIMIT {
            return Err(self.too_deep(at));
        }
        Ok(Expr::new(kind, at, inner + 1))
    }

    fn any(&mut self) -> Result<Expr, Reported> {
        self.chain("or", Self::all, ExprKind::Any)
    }

    fn all(&mut self) -> Result<Expr, Reported> {
        self.chain("and", Self::not, ExprKind::All)
    }

    fn chain(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Result<Expr, Reported>,
        kind: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, Reported> {
        let first = operand(self)?;
        let mut list = vec![first];
        while self.word(word) {
            list.push(operand(self)?);
        }
        if list.len() == 1 {
            return list.pop().ok_or(Reported);
        }
        let at = list[0].at.to(list[list.len() - 1].at);
        let depth = list.iter().map(|one| one.depth).max().unwrap_or(0);
        self.build(kind(list), at, depth)
    }

    fn not(&mut self) -> Result<Expr, Reported> {
        let start = self.span();
        if self.word("not") {
            let inner = self.nested(Self::not)?;
            let (at, depth) = (start.to(inner.at), inner.depth);
            return self.build(ExprKind::Not(Box::new(inner)), at, depth);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, Reported> {
        let left = self.sum()?;
        if self.word("in") {
            return self.membership(left);
        }
        let Some(op) = self.compare_op() else {
            if self.symbol("..") {
                let mut low = left;
                let high = self.sum()?;
                adopt_unit(&mut low, &high);
                let (at, depth) = (low.at.to(high.at), low.depth.max(high.depth));
                return self.build(ExprKind::Range(Box::new(low), Box::new(high)), at, depth);
            }
            return Ok(left);
        };
        let right = self.sum()?;
        if self.compare_op().is_some() {
            self.at = self.at.saturating_sub(1);
            return Err(self.sink.error_with(
                self.span(),
                "comparisons do not chain",
                "write a <= x and x <= b, or x in a..b",
            ));
        }
        let (at, depth) = (left.at.to(right.at), left.depth.max(right.depth));
        self.build(
            ExprKind::Compare(op, Box::new(left), Box::new(right)),
            at,
            depth,
        )
    }

    fn membership(&mut self, value: Expr) -> Result<Expr, Reported> {
        let mut low = self.sum()?;
        if !self.symbol("..") {
            return Err(self.unexpected("'..', as in x in 40..90 %"));
        }
        let high = self.sum()?;
        adopt_unit(&mut low, &high);
        let at = value.at.to(high.at);
        let depth = value.depth.max(low.depth).max(high.depth);
        self.build(
            ExprKind::In(Box::new(value), Box::new(low), Box::new(high)),
            at,
            depth,
        )
    }

    fn compare_op(&mut self) -> Option<&'static str> {
        ["==", "!=", "<", "<=", ">", ">="]
            .into_iter()
            .find(|op| self.symbol(op))
    }

    fn sum(&mut self) -> Result<Expr, Reported> {
        self.arithmetic(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Result<Expr, Reported> {
        self.arithmetic(&["*", "/"], Self::sign)
    }

    fn arithmetic(
        &mut self,
        ops: &[&'static str],
        operand: fn(&mut Self) -> Result<Expr, Reported>,
    ) -> Result<Expr, Reported> {
        let mut left = operand(self)?;
        loop {
            let Some(op) = ops.iter().find(|op| self.symbol(op)) else {
                return Ok(left);
            };
            let right = operand(self)?;
            let (at, depth) = (left.at.to(right.at), left.depth.max(right.depth));
            left = self.build(
                ExprKind::Arithmetic(op, Box::new(left), Box::new(right)),
                at,
                depth,
            )?;
        }
    }

    fn sign(&mut self) -> Result<Expr, Reported> {
        let start = self.span();
        if self.symbol("-") {
            let inner = self.nested(Self::sign)?;
            let (at, depth) = (start.to(inner.at), inner.depth);
            return match inner.kind {
                ExprKind::Number(number, unit) => {
                    Ok(Expr::new(ExprKind::Number(-number, unit), at, depth))
                }
                _ => self.build(ExprKind::Negative(Box::new(inner)), at, depth),
            };
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expr, Reported> {
        let mut expr = self.primary()?;
        while self.symbol(".") {
            let end = self.span();
            let TokenKind::Name(name) = self.kind().clone() else {
                return Err(self.unexpected("a field such as .up"));
            };
            self.step();
            let (at, depth) = (expr.at.to(end), expr.depth);
            expr = self.build(ExprKind::Field(Box::new(expr), name), at, depth)?;
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, Reported> {
        let at = self.span();
        match self.kind().clone() {
            TokenKind::Number(number) => self.number(number),
            TokenKind::Quoted(word) => {
                self.step();
                Ok(Expr::new(ExprKind::Word(word), at, 1))
            }
            TokenKind::Name(name) => self.name(name),
            TokenKind::Symbol("(") => {
                self.step();
                let inner = self.nested(Self::any)?;
                let end = self.span();
                if !self.symbol(")") {
                    return Err(self.unexpected("')'"));
                }
                Ok(Expr::new(inner.kind, at.to(end), inner.depth))
            }
            TokenKind::Unit(_) | TokenKind::Symbol(_) | TokenKind::End => {
                Err(self.unexpected("a value"))
            }
        }
    }

    fn number(&mut self, number: f64) -> Result<Expr, Reported> {
        let at = self.span();
        self.step();
        if let TokenKind::Unit(text) = self.kind().clone() {
            let unit_at = self.span();
            self.step();
            let unit = unit(&text, unit_at, self.sink)?;
            return Ok(Expr::new(
                ExprKind::Number(number, Some(unit)),
                at.to(unit_at),
                1,
            ));
        }
        if self.word("of") {
            let end = self.span();
            let TokenKind::Number(of) = self.kind().clone() else {
                return Err(self.unexpected("a number, as in 3 of 5"));
            };
            self.step();
            return Ok(Expr::new(ExprKind::Of(number, of), at.to(end), 1));
        }
        Ok(Expr::new(ExprKind::Number(number, None), at, 1))
    }

    fn name(&mut self, name: String) -> Result<Expr, Reported> {
        let at = self.span();
        match name.as_str() {
            "true" | "false" => {
                self.step();
                return Ok(Expr::new(ExprKind::Truth(name == "true"), at, 1));
            }
            "last" => {
                if let Some(Token {
                    kind: TokenKind::Number(number),
                    at: end,
                }) = self.list.get(self.at + 1).cloned()
                {
                    self.step();
                    self.step();
                    return Ok(Expr::new(ExprKind::Last(number), at.to(end), 1));
                }
            }
            word if KEYWORDS.contains(&word) => return Err(self.unexpected("a value")),
            _ => {}
        }
        self.step();
        if self.symbol("(") {
            return self.nested(|parser| parser.call(name, at));
        }
        Ok(Expr::new(ExprKind::Name(name), at, 1))
    }

    fn call(&mut self, name: String, start: Span) -> Result<Expr, Reported> {
        let mut arguments = Vec::new();
        let mut depth = 0;
        loop {
            let end = self.span();
            if self.symbol(")") {
                return self.build(ExprKind::Call(name, arguments), start.to(end), depth);
            }
            if !arguments.is_empty() && !self.symbol(",") {
                return Err(self.unexpected("',' or ')'"));
            }
            let argument = self.argument()?;
            depth = depth.max(argument.value.depth);
            arguments.push(argument);
        }
    }

    fn argument(&mut self) -> Result<Argument, Reported> {
        let named = self.list.get(self.at + 1).map(|token| &token.kind);
        let at = self.span();
        let mut name = None;
        if let (TokenKind::Name(word), Some(TokenKind::Symbol("="))) = (self.kind().clone(), named)
        {
            name = Some(word);
            self.step();
            self.step();
        }
        let value = self.any()?;
        Ok(Argument { name, at, value })
    }
}

/// Reads a unit, or says what is wrong with it.
pub(crate) fn unit(text: &str, at: Span, sink: &mut Sink<'_>) -> Result<Unit, Reported> {
    Unit::parse(text).map_err(|error| match error {
        UnitError::Unknown(part) => {
            let help = did_you_mean(&part, spellings()).or_else(|| {
                text.contains(['/', '*'])
                    .then(|| "write spaces around / and * between values".to_owned())
            });
            sink.error_maybe(at, format!("unknown unit '{part}'"), help)
        }
        UnitError::CelsiusInProduct => sink.error_with(
            at,
            format!("°C cannot be part of the unit '{text}'"),
            "write K: a difference of temperatures",
        ),
        UnitError::TooComplex => sink.error(at, format!("the unit '{text}' has too many factors")),
    })
}

/// In `40..90 %` the first number takes the unit of the second.
fn adopt_unit(low: &mut Expr, high: &Expr) {
    if let (ExprKind::Number(_, unit @ None), ExprKind::Number(_, Some(other))) =
        (&mut low.kind, &high.kind)
    {
        *unit = Some(other.clone());
    }
}

fn spelled(symbol: &str) -> Option<&'static str> {
    match symbol {
        "&&" => Some("and"),
        "||" => Some("or"),
        "!" => Some("not"),
        "=" => Some("=="),
        _ => None,
    }
}
