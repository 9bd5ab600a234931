//! `[sessions]` and `[derive]`.

use super::table::{count, string, wrong_type};
use super::{Entry, Fields, duration, expression, key_name};
use crate::profile::diagnostic::{Reported, Sink};
use crate::profile::lexer::Located;
use crate::profile::parser::unit;
use crate::profile::syntax::Expr;
use crate::profile::{AtMax, BaselineRule, Unit};
use crate::telemetry::{DAY_MS, Text};

/// A session kind, its conditions still trees.
pub(crate) struct SessionDef {
    /// Name.
    pub(crate) name: Located,
    /// Starts it.
    pub(crate) start: Expr,
    /// Ends it.
    pub(crate) end: Expr,
    /// Discards it.
    pub(crate) abort: Option<Expr>,
    /// Longest time, ms.
    pub(crate) max_ms: i64,
    /// What happens then.
    pub(crate) at_max: AtMax,
}

/// When a derive gives values.
pub(crate) enum PerDef {
    /// At every sample.
    Sample,
    /// Once a day.
    Day,
    /// Once for each session of this name.
    Session(Located),
}

/// A derived value, its expressions still trees.
pub(crate) struct DeriveDef {
    /// Name.
    pub(crate) name: Located,
    /// For people.
    pub(crate) label: Text,
    /// It has a label.
    pub(crate) labelled: bool,
    /// Unit it is shown in.
    pub(crate) unit: Option<(Located, Unit)>,
    /// When it gives a value.
    pub(crate) per: PerDef,
    /// The value.
    pub(crate) value: Expr,
    /// Where it gives one at all.
    pub(crate) filter: Option<Expr>,
    /// Splits its baseline.
    pub(crate) mode: Option<Expr>,
    /// How its baseline is learnt.
    pub(crate) baseline: Option<BaselineRule>,
}

/// Reads one of `[sessions]`.
pub(super) fn session(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<SessionDef, Reported> {
    let mut fields = Fields::of(entry, format!("session '{}'", entry.key), sink)?;
    let start = fields
        .require("start", sink)
        .and_then(|e| expression(&e, sink));
    let end = fields
        .require("end", sink)
        .and_then(|e| expression(&e, sink));
    let abort = fields
        .take("abort")
        .map(|e| expression(&e, sink))
        .transpose();
    let max = fields.string("max", sink).and_then(|t| duration(&t, sink));
    let at_max = fields
        .string("at_max", sink)
        .and_then(|text| match text.text.as_str() {
            "drop" => Ok(AtMax::Drop),
            "close" => Ok(AtMax::Close),
            "restart" => Ok(AtMax::Restart),
            other => Err(sink.error_with(
                text.at,
                format!("at_max cannot be '{other}'"),
                "expected drop, close or restart",
            )),
        });
    fields.finish(sink);
    Ok(SessionDef {
        name: key_name(entry),
        start: start?,
        end: end?,
        abort: abort?,
        max_ms: max?,
        at_max: at_max?,
    })
}

/// Reads one of `[derive]`.
pub(super) fn derive(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<DeriveDef, Reported> {
    let mut fields = Fields::of(entry, format!("derive '{}'", entry.key), sink)?;
    let per = fields
        .string("per", sink)
        .map(|text| match text.text.as_str() {
            "sample" => PerDef::Sample,
            "day" => PerDef::Day,
            _ => PerDef::Session(text),
        });
    let value = fields
        .require("value", sink)
        .and_then(|e| expression(&e, sink));
    let unit = fields.maybe_string("unit", sink).and_then(|text| {
        text.map(|t| unit(&t.text, t.at, sink).map(|unit| (t, unit)))
            .transpose()
    });
    let filter = fields
        .take("where")
        .map(|e| expression(&e, sink))
        .transpose();
    let mode = fields
        .take("mode")
        .map(|e| expression(&e, sink))
        .transpose();
    let baseline = fields
        .take("baseline")
        .map(|e| baseline(&e, sink))
        .transpose();
    let label = fields.maybe_text("label", sink);
    fields.finish(sink);
    let label = label?;
    Ok(DeriveDef {
        name: key_name(entry),
        labelled: label.is_some(),
        label: label.unwrap_or_else(|| Text::same(&entry.key)),
        unit: unit?,
        per: per?,
        value: value?,
        filter: filter?,
        mode: mode?,
        baseline: baseline?,
    })
}

fn baseline(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<BaselineRule, Reported> {
    let mut fields = Fields::of(entry, "'baseline'".to_owned(), sink)?;
    let samples = fields
        .require("samples", sink)
        .and_then(|e| count(&e, sink));
    let days = fields.take("days").map(|e| days(&e, sink)).transpose();
    fields.finish(sink);
    Ok(BaselineRule {
        samples: samples?,
        span_ms: days?.unwrap_or(0),
    })
}

/// A number of days, or a time.
fn days(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<i64, Reported> {
    if entry.item.is_str() {
        let text = string(entry, sink)?;
        return duration(&text, sink);
    }
    let days = count(entry, sink)?;
    if days > 366 {
        return Err(wrong_type(entry, "at most 366 days", sink));
    }
    Ok(i64::from(days) * DAY_MS)
}
