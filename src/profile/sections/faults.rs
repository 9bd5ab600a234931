//! `[fault.NAME]`.

use super::stages::Staged;
use super::table::{located_text, string, strings, text};
use super::{Entry, Fields, duration, expression, key_name, span_ms};
use crate::profile::diagnostic::{Reported, Sink, suggest};
use crate::profile::lexer::Located;
use crate::profile::parser::parse;
use crate::profile::syntax::Expr;
use crate::profile::{RuleState, Severity, Stage};
use crate::telemetry::Text;

/// A fault, its conditions still trees.
pub(crate) struct FaultDef {
    /// Name.
    pub(crate) name: Located,
    /// Short code.
    pub(crate) code: String,
    /// For people.
    pub(crate) title: Text,
    /// A shorter or fuller name, where the title does not serve.
    pub(crate) label: Option<Text>,
    /// The early stage.
    pub(crate) warn: Option<StageDef>,
    /// The fault stage.
    pub(crate) fault: Option<StageDef>,
    /// When it is over.
    pub(crate) clear: Option<Expr>,
    /// Derives that need so many values.
    pub(crate) requires: Vec<RequireDef>,
    /// What is watched after a repair.
    pub(crate) recheck: Option<RecheckDef>,
    /// The sentence in both languages.
    pub(crate) reason: Option<(Located, Located)>,
    /// Signs, for `at_least`.
    pub(crate) signs: Vec<(Located, Expr)>,
    /// Word for the cause.
    pub(crate) cause: Located,
    /// Part numbers.
    pub(crate) parts: Vec<Located>,
    /// Names of faults.
    pub(crate) absorbs: Vec<Located>,
    /// Names of signals.
    pub(crate) sensor_of: Vec<Located>,
    /// Names of faults.
    pub(crate) inhibited_by: Vec<Located>,
    /// Whether it may open tickets.
    pub(crate) state: RuleState,
    /// Its conditions as they stand in the profile, by key.
    pub(crate) written: Vec<(&'static str, String)>,
}

/// A stage, its condition still a tree.
pub(crate) struct StageDef {
    /// Its condition.
    pub(crate) when: Expr,
    /// `for`, ms.
    pub(crate) hold_ms: Option<i64>,
    /// Where it is judged at all.
    pub(crate) gate: Option<Expr>,
    /// Stays raised at least so long, ms.
    pub(crate) keep_ms: i64,
    /// Severity.
    pub(crate) severity: Severity,
    /// Latched.
    pub(crate) latched: bool,
    /// Word for what a person is to do.
    pub(crate) action: Located,
    /// Word of the customer message.
    pub(crate) message: Option<Located>,
}

/// `leak_day = 7` or `rint = "8 in 14 d"`.
pub(crate) struct RequireDef {
    /// Name of the derive.
    pub(crate) derive: Located,
    /// So many values.
    pub(crate) count: u32,
    /// Within, ms.
    pub(crate) span_ms: Option<i64>,
}

/// `5 wash` or `14 d`.
pub(crate) enum RecheckDef {
    /// So many sessions.
    Sessions(u32, Located),
    /// So long, ms.
    Span(i64),
}

struct Ticket {
    cause: Located,
    action: Staged<Located>,
    message: Staged<Located>,
    parts: Vec<Located>,
    absorbs: Vec<Located>,
}

struct Keys {
    hold: Staged<i64>,
    gate: Staged<Expr>,
    keep: Staged<i64>,
    severity: Staged<Severity>,
    latched: Staged<bool>,
}

/// Reads one of `[fault]`.
pub(super) fn fault(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<FaultDef, Reported> {
    let what = format!("fault '{}'", entry.key);
    let mut fields = Fields::of(entry, what, sink)?;
    let written = as_written(entry);
    let code = fields.string("code", sink);
    let title = fields.require("title", sink).and_then(|e| text(&e, sink));
    let label = fields.maybe_text("label", sink);
    let conditions = conditions(&mut fields, sink);
    let keys = keys(&mut fields, sink);
    let clear = fields
        .take("clear")
        .map(|e| expression(&e, sink))
        .transpose();
    let requires = fields
        .take("requires")
        .map(|e| requires(&e, sink))
        .transpose();
    let recheck = fields
        .take("recheck")
        .map(|e| recheck(&e, sink))
        .transpose();
    let reason = fields
        .take("reason")
        .map(|e| located_text(&e, sink))
        .transpose();
    let signs = fields.take("sign").map(|e| signs(&e, sink)).transpose();
    let sensor_of = fields
        .take("sensor_of")
        .map(|e| strings(&e, sink))
        .transpose();
    let inhibited = fields
        .take("inhibited_by")
        .map(|e| strings(&e, sink))
        .transpose();
    let state = fields.take("state").map(|e| state(&e, sink)).transpose();
    let ticket = fields
        .require("ticket", sink)
        .and_then(|e| ticket(&e, sink));
    fields.finish(sink);

    let [warn, fault] = conditions?;
    let (keys, ticket) = (keys?, ticket?);
    check_stages(&keys, &ticket, [warn.is_some(), fault.is_some()], sink);
    let warn = warn
        .map(|when| stage(when, Stage::Warn, entry, (&keys, &ticket), sink))
        .transpose();
    let fault = fault
        .map(|when| stage(when, Stage::Fault, entry, (&keys, &ticket), sink))
        .transpose();
    Ok(FaultDef {
        name: key_name(entry),
        code: code?.text,
        title: title?,
        label: label?,
        warn: warn?,
        fault: fault?,
        clear: clear?,
        requires: requires?.unwrap_or_default(),
        recheck: recheck?,
        reason: reason?,
        signs: signs?.unwrap_or_default(),
        cause: ticket.cause,
        parts: ticket.parts,
        absorbs: ticket.absorbs,
        sensor_of: sensor_of?.unwrap_or_default(),
        inhibited_by: inhibited?.unwrap_or_default(),
        state: state?.unwrap_or(RuleState::Live),
        written,
    })
}

/// The conditions that decide, for those who want to read the rule itself.
fn as_written(entry: &Entry<'_>) -> Vec<(&'static str, String)> {
    let text = |key: &'static str| {
        let value = entry.item.get(key)?.as_str()?;
        Some((key, value.to_owned()))
    };
    ["gate", "when", "warn", "fault", "clear"]
        .into_iter()
        .filter_map(text)
        .collect()
}

fn conditions(fields: &mut Fields<'_>, sink: &mut Sink<'_>) -> Result<[Option<Expr>; 2], Reported> {
    let when = fields.take("when");
    let warn = fields.take("warn");
    let fault = fields.take("fault");
    match (when, warn, fault) {
        (Some(when), None, None) => Ok([None, Some(expression(&when, sink)?)]),
        (Some(when), ..) => Err(sink.error_with(
            when.key_at,
            "'when' stands beside 'warn' or 'fault'",
            "write 'when' for one stage, or 'warn' and 'fault' for two",
        )),
        (None, None, None) => {
            Err(sink.error(fields.at(), "a fault needs 'when', or 'warn' and 'fault'"))
        }
        (None, warn, fault) => {
            let warn = warn.map(|e| expression(&e, sink)).transpose();
            let fault = fault.map(|e| expression(&e, sink)).transpose();
            Ok([warn?, fault?])
        }
    }
}

fn keys(fields: &mut Fields<'_>, sink: &mut Sink<'_>) -> Result<Keys, Reported> {
    let time = |entry: &Entry<'_>, sink: &mut Sink<'_>| {
        let text = string(entry, sink)?;
        duration(&text, sink)
    };
    let hold = Staged::read(fields, "for", sink, time);
    let gate = Staged::read(fields, "gate", sink, expression);
    let keep = Staged::read(fields, "keep", sink, time);
    let severity = Staged::read(fields, "severity", sink, severity);
    let latched = Staged::read(fields, "latched", sink, |entry, sink| {
        let truth = entry.item.as_bool();
        truth.ok_or_else(|| super::wrong_type(entry, "true or false", sink))
    });
    Ok(Keys {
        hold: hold?,
        gate: gate?,
        keep: keep?,
        severity: severity?,
        latched: latched?,
    })
}

fn ticket(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Ticket, Reported> {
    let mut fields = Fields::of(entry, "'ticket'".to_owned(), sink)?;
    let cause = fields.string("cause", sink);
    let action = Staged::read(&mut fields, "action", sink, string);
    let message = Staged::read(&mut fields, "message", sink, string);
    let parts = fields.take("parts").map(|e| strings(&e, sink)).transpose();
    let absorbs = fields
        .take("absorbs")
        .map(|e| strings(&e, sink))
        .transpose();
    fields.finish(sink);
    Ok(Ticket {
        cause: cause?,
        action: action?,
        message: message?,
        parts: parts?.unwrap_or_default(),
        absorbs: absorbs?.unwrap_or_default(),
    })
}

fn check_stages(keys: &Keys, ticket: &Ticket, has: [bool; 2], sink: &mut Sink<'_>) {
    keys.hold.check("for", has, sink);
    keys.gate.check("gate", has, sink);
    keys.keep.check("keep", has, sink);
    keys.severity.check("severity", has, sink);
    keys.latched.check("latched", has, sink);
    ticket.action.check("action", has, sink);
    ticket.message.check("message", has, sink);
}

fn stage(
    when: Expr,
    stage: Stage,
    entry: &Entry<'_>,
    (keys, ticket): (&Keys, &Ticket),
    sink: &mut Sink<'_>,
) -> Result<StageDef, Reported> {
    let name = match stage {
        Stage::Warn => "warn",
        Stage::Fault => "fault",
    };
    let mut missing = |key: &str| {
        sink.error(
            entry.key_at,
            format!(
                "fault '{}' has no '{key}' for its stage '{name}'",
                entry.key
            ),
        )
    };
    let severity = keys.severity.of(stage).ok_or_else(|| missing("severity"));
    let action = ticket.action.of(stage).ok_or_else(|| missing("action"));
    Ok(StageDef {
        when,
        hold_ms: keys.hold.of(stage),
        gate: keys.gate.of(stage),
        keep_ms: keys.keep.of(stage).unwrap_or(0),
        severity: severity?,
        latched: keys.latched.of(stage).unwrap_or(false),
        action: action?,
        message: ticket.message.of(stage),
    })
}

fn severity(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Severity, Reported> {
    let text = string(entry, sink)?;
    match text.text.as_str() {
        "S1" => Ok(Severity::S1),
        "S2" => Ok(Severity::S2),
        "S3" => Ok(Severity::S3),
        "S4" => Ok(Severity::S4),
        other => Err(sink.error_with(
            text.at,
            format!("'{other}' is not a severity"),
            "expected S1, S2, S3 or S4",
        )),
    }
}

fn state(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<RuleState, Reported> {
    let text = string(entry, sink)?;
    match text.text.as_str() {
        "live" => Ok(RuleState::Live),
        "shadow" => Ok(RuleState::Shadow),
        "off" => Ok(RuleState::Off),
        other => Err(sink.error_maybe(
            text.at,
            format!("'{other}' is not a state"),
            suggest(other, &["live", "shadow", "off"], "expected one of"),
        )),
    }
}

fn signs(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Vec<(Located, Expr)>, Reported> {
    let fields = Fields::of(entry, "'sign'".to_owned(), sink)?;
    let mut list = Vec::new();
    for one in fields.entries() {
        list.push((key_name(&one), expression(&one, sink)?));
    }
    Ok(list)
}

fn requires(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Vec<RequireDef>, Reported> {
    let fields = Fields::of(entry, "'requires'".to_owned(), sink)?;
    let mut list = Vec::new();
    for one in fields.entries() {
        let derive = key_name(&one);
        if !one.item.is_str() {
            list.push(RequireDef {
                derive,
                count: super::table::count(&one, sink)?,
                span_ms: None,
            });
            continue;
        }
        let text = string(&one, sink)?;
        let parts = text.text.split_once(" in ");
        let count = parts.and_then(|(count, _)| count.trim().parse::<u32>().ok());
        let (Some((before, _)), Some(count)) = (parts, count.filter(|n| *n > 0)) else {
            return Err(sink.error_with(
                text.at,
                format!("'{}' does not say how many values are needed", text.text),
                "expected a number, or \"8 in 14 d\"",
            ));
        };
        let span = parse(&text.part(before.len() + 4, text.text.len()), sink)?;
        list.push(RequireDef {
            derive,
            count,
            span_ms: Some(span_ms(&span, sink)?),
        });
    }
    Ok(list)
}

fn recheck(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<RecheckDef, Reported> {
    let text = string(entry, sink)?;
    if let Some((count, name)) = text.text.split_once(' ')
        && let Ok(count) = count.parse::<u32>()
        && count > 0
        && crate::profile::Unit::parse(name).is_err()
    {
        let start = text.text.len() - name.len();
        let name = text.part(start, text.text.len());
        return Ok(RecheckDef::Sessions(count, name));
    }
    Ok(RecheckDef::Span(duration(&text, sink)?))
}
