//! Windows: which values a function looks at.

use super::{Compiler, Scope, Symbol};
use crate::profile::diagnostic::{Reported, Span};
use crate::profile::sections::span_ms;
use crate::profile::syntax::{Argument, Expr, ExprKind};
use crate::profile::{Dim, Window};

/// Longest window by number of values; more need not be kept to judge wear. Longer ones are refused.
const LAST_LIMIT: f64 = 1000.0;

impl Compiler<'_, '_, '_> {
    /// The window after the first `fixed` arguments, or the scope's own.
    pub(super) fn window(
        &mut self,
        arguments: &[Argument],
        fixed: usize,
        call_at: Span,
        scope: &Scope<'_>,
    ) -> Result<Window, Reported> {
        let given = arguments.iter().filter(|a| a.name.is_none()).nth(fixed);
        let window = match given {
            Some(argument) => self.written_window(&argument.value)?,
            None => match (scope.session, scope.day) {
                (Some(session), _) => Window::Session(session),
                (None, true) => Window::Day,
                (None, false) => {
                    return Err(self.sink.error_with(
                        call_at,
                        "this needs a window",
                        "write 7 d, last 5 or the name of a session as its last argument",
                    ));
                }
            },
        };
        self.shifted(window, arguments)
    }

    /// Whether an argument can only be a window.
    pub(super) fn is_window(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Last(_) => true,
            ExprKind::Number(_, Some(unit)) => unit.dim == Dim::TIME,
            ExprKind::Name(name) => {
                matches!(self.names.get(name.as_str()), Some(Symbol::Session(_)))
            }
            _ => false,
        }
    }

    /// `3 of 5` and `last 5`: a whole number within bounds.
    pub(super) fn whole(&mut self, number: f64, at: Span) -> Result<u32, Reported> {
        if (1.0..=LAST_LIMIT).contains(&number) && is_whole(number) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be a whole number within 1 and the limit"
            )]
            return Ok(number as u32);
        }
        Err(self.sink.error_with(
            at,
            format!("{number} is not a number of values"),
            format!("expected a whole number from 1 to {LAST_LIMIT}"),
        ))
    }

    fn written_window(&mut self, expr: &Expr) -> Result<Window, Reported> {
        match &expr.kind {
            ExprKind::Last(number) => Ok(Window::Last(self.whole(*number, expr.at)?)),
            ExprKind::Number(..) => Ok(Window::Span {
                span_ms: span_ms(expr, self.sink)?,
                ago_ms: 0,
            }),
            ExprKind::Name(name) => match self.resolve(name, expr.at)? {
                Symbol::Session(index) => {
                    self.session(index, expr.at)?;
                    Ok(Window::Session(index))
                }
                other => Err(self.sink.error_with(
                    expr.at,
                    format!("'{name}' is {}, not a window", other.kind()),
                    "write 7 d, last 5 or the name of a session",
                )),
            },
            _ => Err(self.sink.error_with(
                expr.at,
                format!("'{expr}' is not a window"),
                "write 7 d, last 5 or the name of a session",
            )),
        }
    }

    fn shifted(&mut self, window: Window, arguments: &[Argument]) -> Result<Window, Reported> {
        let ago = arguments.iter().find(|a| a.name.as_deref() == Some("ago"));
        let Some(ago) = ago else {
            return Ok(window);
        };
        let ago_ms = span_ms(&ago.value, self.sink)?;
        match window {
            Window::Span { span_ms, .. } => Ok(Window::Span { span_ms, ago_ms }),
            Window::Last(_) | Window::Session(_) | Window::Day => Err(self.sink.error_with(
                ago.value.at,
                "only a window of time can be shifted by 'ago'",
                "write the window as a time, as in 14 d, ago = 2 d",
            )),
        }
    }
}

#[expect(
    clippy::float_cmp,
    reason = "a whole number equals its truncation exactly"
)]
fn is_whole(number: f64) -> bool {
    libm::trunc(number) == number
}
