//! Trees of expressions, and the one form in which they are written back.
//!
//! Leaves parsing to `parser`. A tree is never deeper than [`NESTING_LIMIT`], so that walking it cannot exhaust the stack.

use std::fmt;

use super::Unit;
use super::diagnostic::Span;

/// Deepest nesting of an expression; the deepest real one has 9. Deeper ones are refused.
pub(crate) const NESTING_LIMIT: usize = 48;

/// A piece of an expression with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// What it is.
    pub(crate) kind: ExprKind,
    /// Where it stands.
    pub(crate) at: Span,
    /// Levels below it.
    pub(crate) depth: usize,
}

/// What a piece of an expression is.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    /// A number, with its unit if it has one.
    Number(f64, Option<Unit>),
    /// A word of an enumeration.
    Word(String),
    /// `true` or `false`.
    Truth(bool),
    /// A name.
    Name(String),
    /// A function call; an argument may be named (`ago = 2 d`).
    Call(String, Vec<Argument>),
    /// `.up` and the like.
    Field(Box<Expr>, String),
    /// A sign.
    Negative(Box<Expr>),
    /// Not.
    Not(Box<Expr>),
    /// And; at least two.
    All(Vec<Expr>),
    /// Or; at least two.
    Any(Vec<Expr>),
    /// `+ - * /`.
    Arithmetic(&'static str, Box<Expr>, Box<Expr>),
    /// `== != < <= > >=`.
    Compare(&'static str, Box<Expr>, Box<Expr>),
    /// `x in low..high`.
    In(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `low..high`, where no value stands before it (cases).
    Range(Box<Expr>, Box<Expr>),
    /// `3 of 5`.
    Of(f64, f64),
    /// `last 5`.
    Last(f64),
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    /// Its name, where it is given.
    pub(crate) name: Option<String>,
    /// Where it starts.
    pub(crate) at: Span,
    /// Its value.
    pub(crate) value: Expr,
}

impl Expr {
    /// With its place and the levels below it.
    pub(crate) fn new(kind: ExprKind, at: Span, depth: usize) -> Self {
        Self { kind, at, depth }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_expr(self, 0, out)
    }
}

/// How tightly a piece binds: an inner piece that binds less stands in brackets.
fn binding(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Any(_) => 1,
        ExprKind::All(_) => 2,
        ExprKind::Not(_) => 3,
        ExprKind::Compare(..) | ExprKind::In(..) | ExprKind::Range(..) => 4,
        ExprKind::Arithmetic("+" | "-", ..) => 5,
        ExprKind::Arithmetic(..) => 6,
        ExprKind::Negative(_) => 7,
        _ => 8,
    }
}

fn write_expr(expr: &Expr, outer: u8, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let own = binding(&expr.kind);
    if own < outer {
        out.write_str("(")?;
        write_kind(&expr.kind, own, out)?;
        return out.write_str(")");
    }
    write_kind(&expr.kind, own, out)
}

fn write_kind(kind: &ExprKind, own: u8, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match kind {
        ExprKind::Number(number, None) => write!(out, "{number}"),
        ExprKind::Number(number, Some(unit)) => write!(out, "{number} {}", unit.symbol),
        ExprKind::Word(word) => write!(out, "'{word}'"),
        ExprKind::Truth(truth) => write!(out, "{truth}"),
        ExprKind::Name(name) => out.write_str(name),
        ExprKind::Call(name, arguments) => write_call(name, arguments, out),
        ExprKind::Field(inner, name) => {
            write_expr(inner, own, out)?;
            write!(out, ".{name}")
        }
        ExprKind::Negative(inner) => {
            out.write_str("-")?;
            write_expr(inner, own, out)
        }
        ExprKind::Not(inner) => {
            out.write_str("not ")?;
            write_expr(inner, own, out)
        }
        ExprKind::All(list) => write_chain(" and ", list, own, out),
        ExprKind::Any(list) => write_chain(" or ", list, own, out),
        ExprKind::Arithmetic(op, left, right) | ExprKind::Compare(op, left, right) => {
            write_expr(left, own, out)?;
            write!(out, " {op} ")?;
            write_expr(right, own + 1, out)
        }
        ExprKind::In(value, low, high) => {
            write_expr(value, own + 1, out)?;
            out.write_str(" in ")?;
            write_range(low, high, own, out)
        }
        ExprKind::Range(low, high) => write_range(low, high, own, out),
        ExprKind::Of(some, of) => write!(out, "{some} of {of}"),
        ExprKind::Last(number) => write!(out, "last {number}"),
    }
}

fn write_range(low: &Expr, high: &Expr, own: u8, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let (ExprKind::Number(from, Some(unit)), ExprKind::Number(to, Some(other))) =
        (&low.kind, &high.kind)
        && unit == other
    {
        return write!(out, "{from}..{to} {}", unit.symbol);
    }
    write_expr(low, own + 1, out)?;
    out.write_str("..")?;
    write_expr(high, own + 1, out)
}

fn write_chain(word: &str, list: &[Expr], own: u8, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, one) in list.iter().enumerate() {
        if index > 0 {
            out.write_str(word)?;
        }
        write_expr(one, own + 1, out)?;
    }
    Ok(())
}

fn write_call(name: &str, arguments: &[Argument], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(out, "{name}(")?;
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        if let Some(name) = &argument.name {
            write!(out, "{name} = ")?;
        }
        write_expr(&argument.value, 0, out)?;
    }
    out.write_str(")")
}
