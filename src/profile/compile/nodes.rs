//! Arguments that are names, and the nodes that calls become.

use smol_str::{SmolStr, ToSmolStr};

use super::quantity::Quantity;
use super::{Compiler, NODE_LIMIT, Scope, Symbol};
use crate::profile::diagnostic::{Reported, Span};
use crate::profile::syntax::{Expr, ExprKind};
use crate::profile::{
    DeriveIdx, EventIdx, Field, Node, NodeIdx, NodeKind, Num, SessionIdx, SignalIdx, Unit, Window,
};

impl Compiler<'_, '_, '_> {
    /// A signal of any kind, or a number.
    pub(super) fn any_value(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<Num, Reported> {
        if let ExprKind::Name(name) = &x.kind
            && let Symbol::Signal(index) = self.resolve(name, x.at)?
        {
            if self.signals[index].store_text {
                return Err(self
                    .sink
                    .error(x.at, format!("'{name}' is text that is only stored")));
            }
            self.needs_label(Symbol::Signal(index), x.at, scope);
            return Ok(Num::Signal(index));
        }
        Ok(self.quantity(x, scope)?.num)
    }

    pub(super) fn signal_name(
        &mut self,
        x: &Expr,
        scope: &Scope<'_>,
    ) -> Result<SignalIdx, Reported> {
        match self.symbol_of(x, "a signal")? {
            Symbol::Signal(index) => {
                self.needs_label(Symbol::Signal(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a signal")),
        }
    }

    pub(super) fn event_name(&mut self, x: &Expr, scope: &Scope<'_>) -> Result<EventIdx, Reported> {
        match self.symbol_of(x, "an event")? {
            Symbol::Event(index) => {
                self.needs_label(Symbol::Event(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "an event")),
        }
    }

    pub(super) fn session_name(&mut self, x: &Expr) -> Result<SessionIdx, Reported> {
        match self.symbol_of(x, "a session")? {
            Symbol::Session(index) => {
                self.session(index, x.at)?;
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a session")),
        }
    }

    pub(super) fn derive_name(
        &mut self,
        x: &Expr,
        scope: &Scope<'_>,
    ) -> Result<DeriveIdx, Reported> {
        match self.symbol_of(x, "a derive")? {
            Symbol::Derive(index) => {
                self.derive(index, x.at)?;
                self.needs_label(Symbol::Derive(index), x.at, scope);
                Ok(index)
            }
            other => Err(self.wrong_kind(x, other, "a derive")),
        }
    }

    pub(super) fn symbol_of(&mut self, x: &Expr, wanted: &str) -> Result<Symbol, Reported> {
        match &x.kind {
            ExprKind::Name(name) => self.resolve(name, x.at),
            _ => Err(self
                .sink
                .error(x.at, format!("expected the name of {wanted}"))),
        }
    }

    pub(super) fn wrong_kind(&mut self, x: &Expr, found: Symbol, wanted: &str) -> Reported {
        self.sink.error_with(
            x.at,
            format!("'{x}' is {}", found.kind()),
            format!("expected the name of {wanted}"),
        )
    }

    pub(super) fn needs_time(&mut self, window: Window, expr: &Expr) -> Result<(), Reported> {
        match window {
            Window::Last(_) => Err(self.sink.error_with(
                expr.at,
                "occurrences and times have no 'last n'",
                "write a window of time or a session",
            )),
            Window::Span { .. } | Window::Session(_) | Window::Day => Ok(()),
        }
    }

    pub(super) fn simple(&mut self, kind: NodeKind, expr: &Expr) -> Quantity {
        let mark = self.terms.len();
        let node = self.node(kind, Unit::seconds(), expr.to_smolstr(), mark);
        Quantity {
            label: super::label::age(),
            ..Quantity::plain(Num::Node(node, Field::Value), Unit::seconds(), expr.at)
        }
    }

    /// A node over values: it keeps what the values are.
    pub(super) fn of_values(
        &mut self,
        kind: NodeKind,
        value: Quantity,
        expr: &Expr,
        mark: usize,
    ) -> Quantity {
        let label = super::label::of_node(self, &kind, &value.label);
        let node = self.node(kind, value.unit.clone(), expr.to_smolstr(), mark);
        Quantity {
            num: Num::Node(node, Field::Value),
            label,
            at: expr.at,
            ..value
        }
    }

    pub(super) fn windowed(
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
        let hash = self.hash_of(&kind);
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
