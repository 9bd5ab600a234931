//! The sections of a profile file: TOML to plain definitions with places, strict about every key.
//!
//! Expressions are parsed to trees here; names are resolved and units checked by the compiler. A section with a mistake is
//! reported and left out, so that one run lists the mistakes of all sections.

mod faults;
mod header;
mod signals;
mod stages;
mod table;
mod uses;

pub(crate) use faults::{FaultDef, RecheckDef, StageDef};
pub(crate) use header::{Header, PartDef};
pub(crate) use signals::{EventDef, SignalDef};
pub(crate) use table::{Entry, Fields, entries, located_text, string, strings, wrong_type};
pub(crate) use uses::{DeriveDef, PerDef, SessionDef};

use toml_edit::Document;

use super::Limit;
use super::diagnostic::{Reported, Sink, Span};
use super::lexer::Located;
use super::parser::parse;
use super::syntax::{Expr, ExprKind};

/// Largest profile or words file, in bytes; real ones have 20 kB. Larger ones are refused.
pub(crate) const FILE_LIMIT: usize = 1 << 20;
/// Longest time anywhere in a profile: two years. Longer ones are refused.
pub(crate) const SPAN_LIMIT_MS: i64 = 731 * 86_400_000;
/// Most entries of one section; real profiles have at most 60. More are refused.
const SECTION_LIMIT: usize = 512;

/// A profile file, read.
pub(crate) struct Source {
    /// `[profile]`.
    pub(crate) header: Header,
    /// `[limits]`.
    pub(crate) limits: Vec<(Located, Limit)>,
    /// `[signals]`.
    pub(crate) signals: Vec<SignalDef>,
    /// `[events]`.
    pub(crate) events: Vec<EventDef>,
    /// `[sessions]`.
    pub(crate) sessions: Vec<SessionDef>,
    /// `[derive]`.
    pub(crate) derives: Vec<DeriveDef>,
    /// `[fault.NAME]`.
    pub(crate) faults: Vec<FaultDef>,
    /// `[parts.NAME]`.
    pub(crate) parts: Vec<PartDef>,
    /// `[[case]]`.
    pub(crate) cases: Vec<CaseDef>,
    /// Names of entries that were left out because of a mistake in them.
    pub(crate) broken: Vec<String>,
}

/// A `[[case]]`, its lines still unread.
pub(crate) struct CaseDef {
    /// Name.
    pub(crate) name: Located,
    /// What happens.
    pub(crate) given: Vec<Located>,
    /// What is expected of it.
    pub(crate) expect: Vec<Located>,
}

/// Parses a file as TOML.
pub(crate) fn document<'t>(sink: &mut Sink<'t>) -> Result<Document<&'t str>, Reported> {
    let text = sink.text();
    if text.len() > FILE_LIMIT {
        return Err(sink.error(
            Span::default(),
            format!("the file is larger than {FILE_LIMIT} bytes"),
        ));
    }
    Document::parse(text).map_err(|error| {
        let at = Span::of(error.span());
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        sink.error(at, format!("this is not TOML: {message}"))
    })
}

/// Reads a profile file.
pub(crate) fn read(sink: &mut Sink<'_>) -> Result<Source, Reported> {
    let document = document(sink)?;
    let root = document.as_table();
    let mut fields = Fields::of_table(root, Span::default(), "a profile".to_owned());
    let header = fields
        .require("profile", sink)
        .and_then(|entry| header::header(&entry, sink));
    let broken = &mut Vec::new();
    let mut source = Source {
        limits: section(&mut fields, "limits", (sink, broken), signals::limit),
        signals: section(&mut fields, "signals", (sink, broken), signals::signal),
        events: section(&mut fields, "events", (sink, broken), signals::event),
        sessions: section(&mut fields, "sessions", (sink, broken), uses::session),
        derives: section(&mut fields, "derive", (sink, broken), uses::derive),
        faults: section(&mut fields, "fault", (sink, broken), faults::fault),
        parts: section(&mut fields, "parts", (sink, broken), header::part),
        cases: Vec::new(),
        header: Header::default(),
        broken: Vec::new(),
    };
    source.broken.append(broken);
    if let Some(entry) = fields.take("case") {
        source.cases = cases(&entry, sink);
    }
    for later in ["identify", "lot_watch"] {
        if let Some(entry) = fields.take(later) {
            sink.error(
                entry.key_at,
                format!("[{later}] is not part of this version"),
            );
        }
    }
    fields.finish(sink);
    if let Ok(header) = header {
        source.header = header;
    }
    Ok(source)
}

/// A name as the key of an entry.
pub(crate) fn key_name(entry: &Entry<'_>) -> Located {
    Located {
        text: entry.key.clone(),
        at: entry.key_at,
        inner: None,
    }
}

/// A time, in ms.
pub(crate) fn duration(text: &Located, sink: &mut Sink<'_>) -> Result<i64, Reported> {
    let expr = parse(text, sink)?;
    span_ms(&expr, sink)
}

/// A literal time, in ms.
pub(crate) fn span_ms(expr: &Expr, sink: &mut Sink<'_>) -> Result<i64, Reported> {
    let ExprKind::Number(number, unit) = &expr.kind else {
        return Err(sink.error_with(
            expr.at,
            "this is not a time",
            "expected a number with a unit of time, as in 30 s or 7 d",
        ));
    };
    let Some(unit) = unit.as_ref().filter(|u| u.dim == super::Dim::TIME) else {
        let message = unit.as_ref().map_or_else(
            || "this time has no unit".to_owned(),
            |unit| format!("a time cannot be in {}", unit.named()),
        );
        return Err(sink.error_with(
            expr.at,
            message,
            "expected a unit of time: ms, s, min, h, d, wk",
        ));
    };
    let ms = libm::round(unit.to_base(*number) * 1000.0);
    #[expect(clippy::cast_precision_loss, reason = "the limit is far below 2^53")]
    let limit = SPAN_LIMIT_MS as f64;
    if ms < 1.0 || ms > limit {
        return Err(sink.error_with(
            expr.at,
            "this time is out of bounds",
            "expected at least 1 ms and at most 731 d",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to lie within 1 and the limit"
    )]
    Ok(ms as i64)
}

/// An expression in a text.
pub(crate) fn expression(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Expr, Reported> {
    let text = string(entry, sink)?;
    parse(&text, sink)
}

fn section<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    (sink, broken): (&mut Sink<'_>, &mut Vec<String>),
    read: fn(&Entry<'_>, &mut Sink<'_>) -> Result<T, Reported>,
) -> Vec<T> {
    let Some(entry) = fields.take(key) else {
        return Vec::new();
    };
    let Ok(table) = Fields::of(&entry, format!("[{key}]"), sink) else {
        return Vec::new();
    };
    let entries = table.entries();
    if entries.len() > SECTION_LIMIT {
        sink.error(
            entry.key_at,
            format!("[{key}] has more than {SECTION_LIMIT} entries"),
        );
        return Vec::new();
    }
    let mut list = Vec::new();
    for entry in &entries {
        match read(entry, sink) {
            Ok(one) => list.push(one),
            Err(Reported) => broken.push(entry.key.clone()),
        }
    }
    list
}

fn cases(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Vec<CaseDef> {
    let Some(list) = entry.item.as_array_of_tables() else {
        sink.error_with(
            entry.key_at,
            "'case' is not a list of tables",
            "write [[case]]",
        );
        return Vec::new();
    };
    let mut cases = Vec::new();
    for table in list {
        let at = table.span().map_or(entry.key_at, |range| Span {
            start: range.start,
            end: range.start,
        });
        let mut fields = Fields::of_table(table, at, "[[case]]".to_owned());
        let name = fields.string("name", sink);
        let given = fields
            .require("given", sink)
            .and_then(|e| strings(&e, sink));
        let expect = fields
            .require("expect", sink)
            .and_then(|e| strings(&e, sink));
        fields.finish(sink);
        if let (Ok(name), Ok(given), Ok(expect)) = (name, given, expect) {
            cases.push(CaseDef {
                name,
                given,
                expect,
            });
        }
    }
    cases
}
