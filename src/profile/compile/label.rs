//! What a term is called in words, in both languages.

use smol_str::{SmolStr, format_smolstr};

use super::{Compiler, Symbol};
use crate::profile::syntax::{Expr, ExprKind};
use crate::profile::unit::format_ms as time;
use crate::profile::{Field, NodeKind, SessionIdx, Window, WindowFn};
use crate::telemetry::Text;

impl Compiler<'_, '_, '_> {
    /// What a session is called.
    pub(super) fn session_label(&self, session: SessionIdx) -> Text {
        let name = &self.source.sessions[session].name.text;
        Text::new(format!("duration of {name}"), format!("{name} 时长"))
    }
}

/// Label and wire path of the first thing that an expression names.
pub(super) fn of_expr(compiler: &Compiler<'_, '_, '_>, expr: &Expr) -> (Text, Option<SmolStr>) {
    match &expr.kind {
        ExprKind::Name(name) => match compiler.names.get(name.as_str()) {
            Some(Symbol::Signal(index)) => {
                let signal = &compiler.signals[*index];
                (signal.label.clone(), Some(signal.path.clone()))
            }
            Some(Symbol::Event(index)) => {
                let event = &compiler.events[*index];
                (event.label.clone(), Some(event.path.clone()))
            }
            Some(Symbol::Derive(index)) => {
                let def = &compiler.source.derives[*index];
                let path = format_smolstr!("derive.{}", def.name.text);
                (def.label.clone(), Some(path))
            }
            Some(Symbol::Session(_)) => (Text::same(name), None),
            Some(Symbol::Limit(_)) | None => (Text::default(), None),
        },
        ExprKind::Call(_, arguments) => first(compiler, arguments.iter().map(|a| &a.value)),
        ExprKind::Field(inner, _) | ExprKind::Negative(inner) | ExprKind::Not(inner) => {
            of_expr(compiler, inner)
        }
        ExprKind::All(list) | ExprKind::Any(list) => first(compiler, list.iter()),
        ExprKind::Arithmetic(_, left, right)
        | ExprKind::Compare(_, left, right)
        | ExprKind::Range(left, right) => {
            first(compiler, [left.as_ref(), right.as_ref()].into_iter())
        }
        ExprKind::In(value, ..) => of_expr(compiler, value),
        ExprKind::Number(..)
        | ExprKind::Word(_)
        | ExprKind::Truth(_)
        | ExprKind::Of(..)
        | ExprKind::Last(_) => (Text::default(), None),
    }
}

/// What the device's age is called.
pub(super) fn age() -> Text {
    Text::new("age of the device", "设备使用时长")
}

/// A value against its own baseline.
pub(super) fn of_field(label: &Text, field: Field) -> Text {
    let (en, zh) = match field {
        Field::Value => ("", ""),
        Field::Ratio => (", of its own baseline", "（与初期之比）"),
        Field::Delta => (", change since new", "（较初期变化）"),
        Field::Z => (", spreads from its baseline", "（偏离初期的离散倍数）"),
        Field::Up => (", rise since new", "（较初期上升）"),
        Field::Down => (", fall since new", "（较初期下降）"),
        Field::Frozen => (", when new", "（初期）"),
    };
    Text::new(format!("{}{en}", label.en), format!("{}{zh}", label.zh))
}

/// What a function over values is called.
pub(super) fn of_node(compiler: &Compiler<'_, '_, '_>, kind: &NodeKind, label: &Text) -> Text {
    let (en, zh, window) = match kind {
        NodeKind::Window { func, window, .. } => {
            let (en, zh) = function(*func);
            (en, zh, Some(*window))
        }
        NodeKind::CountEvent { window, .. } | NodeKind::CountStarts { window, .. } => {
            ("times", "次数", Some(*window))
        }
        NodeKind::Total { window, .. } => ("total time", "累计时长", Some(*window)),
        NodeKind::Before { .. } => ("before the start", "开始前", None),
        NodeKind::At { offset_ms, .. } => {
            return Text::new(
                format!("{}, {} after the start", label.en, time(*offset_ms)),
                format!("{}（开始后 {}）", label.zh, time(*offset_ms)),
            );
        }
        _ => return label.clone(),
    };
    let (over, over_zh) = window.map_or_else(Default::default, |w| window_words(compiler, w));
    Text::new(
        format!("{}, {en}{over}", label.en),
        format!("{}（{over_zh}{zh}）", label.zh),
    )
}

fn first<'e>(
    compiler: &Compiler<'_, '_, '_>,
    list: impl Iterator<Item = &'e Expr>,
) -> (Text, Option<SmolStr>) {
    list.map(|one| of_expr(compiler, one))
        .find(|(label, _)| !label.is_empty())
        .unwrap_or_default()
}

fn function(func: WindowFn) -> (&'static str, &'static str) {
    match func {
        WindowFn::Last => ("newest", "最新值"),
        WindowFn::First => ("first", "首个值"),
        WindowFn::Mean => ("mean", "平均值"),
        WindowFn::Median => ("median", "中位数"),
        WindowFn::Min => ("lowest", "最低值"),
        WindowFn::Max => ("highest", "最高值"),
        WindowFn::Sum => ("sum", "合计"),
        WindowFn::Count => ("number of values", "数据个数"),
        WindowFn::Quantile(_) => ("quantile", "分位数"),
        WindowFn::Increase { .. } => ("increase", "增量"),
        WindowFn::Integral => ("integral", "积分"),
        WindowFn::Rate => ("rate of change", "变化率"),
        WindowFn::Slope => ("slope", "趋势斜率"),
    }
}

fn window_words(compiler: &Compiler<'_, '_, '_>, window: Window) -> (String, String) {
    match window {
        Window::Span { span_ms, ago_ms: 0 } => {
            let span = time(span_ms);
            (format!(" in {span}"), format!("{span} 内"))
        }
        Window::Span { span_ms, ago_ms } => {
            let (span, ago) = (time(span_ms), time(ago_ms));
            (
                format!(" in {span}, {ago} ago"),
                format!("{ago} 前的 {span} 内"),
            )
        }
        Window::Last(n) => (format!(" of the last {n}"), format!("最近 {n} 个的")),
        Window::Session(session) => {
            let name = &compiler.source.sessions[session].name.text;
            (format!(" during {name}"), format!("{name} 期间"))
        }
        Window::Day => (" of the day".to_owned(), "当天".to_owned()),
    }
}
