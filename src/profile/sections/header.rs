//! `[profile]` and `[parts.NAME]`.

use super::table::{strings, text};
use super::{Entry, Fields, duration, key_name};
use crate::profile::diagnostic::{Reported, Sink};
use crate::profile::lexer::Located;
use crate::telemetry::{DAY_MS, DeviceId, MINUTE_MS, Text};

/// `[profile]`.
#[derive(Default)]
pub(crate) struct Header {
    /// Model.
    pub(crate) model: String,
    /// Kind of appliance.
    pub(crate) kind: String,
    /// Name for people.
    pub(crate) name: Text,
    /// The real device that it is modelled on.
    pub(crate) archetype: Option<String>,
    /// Its maintainers' version.
    pub(crate) version: String,
    /// Who keeps it.
    pub(crate) maintainers: Vec<String>,
    /// ms before receipt.
    pub(crate) past_ms: i64,
    /// ms after receipt.
    pub(crate) future_ms: i64,
}

/// `[parts.NAME]`.
pub(crate) struct PartDef {
    /// Part number.
    pub(crate) number: Located,
    /// For people.
    pub(crate) title: Text,
    /// Names of derives.
    pub(crate) resets: Vec<Located>,
}

/// Reads `[profile]`.
pub(super) fn header(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Header, Reported> {
    let mut fields = Fields::of(entry, "[profile]".to_owned(), sink)?;
    let model = fields.string("model", sink);
    let kind = fields.string("kind", sink);
    let name = fields.require("name", sink).and_then(|e| text(&e, sink));
    let version = fields.string("version", sink);
    let archetype = fields.maybe_string("archetype", sink);
    let maintainers = fields
        .take("maintainers")
        .map(|e| strings(&e, sink))
        .transpose();
    let plausible = fields
        .take("plausible")
        .map(|e| plausible(&e, sink))
        .transpose();
    fields.finish(sink);
    let model = model?;
    if DeviceId::new(&model.text, "x").is_err() {
        return Err(sink.error_with(
            model.at,
            format!("'{}' is not a model's name", model.text),
            "expected at most 32 of a-z, 0-9 and -",
        ));
    }
    let (past_ms, future_ms) = plausible?.unwrap_or((45 * DAY_MS, 10 * MINUTE_MS));
    Ok(Header {
        model: model.text,
        kind: kind?.text,
        name: name?,
        archetype: archetype?.map(|a| a.text),
        version: version?.text,
        maintainers: maintainers?
            .unwrap_or_default()
            .into_iter()
            .map(|m| m.text)
            .collect(),
        past_ms,
        future_ms,
    })
}

/// Reads one of `[parts]`.
pub(super) fn part(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<PartDef, Reported> {
    let mut fields = Fields::of(entry, format!("[parts.{}]", entry.key), sink)?;
    let title = fields.require("title", sink).and_then(|e| text(&e, sink));
    let resets = fields.take("resets").map(|e| strings(&e, sink)).transpose();
    fields.finish(sink);
    Ok(PartDef {
        number: key_name(entry),
        title: title?,
        resets: resets?.unwrap_or_default(),
    })
}

fn plausible(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<(i64, i64), Reported> {
    let mut fields = Fields::of(entry, "'plausible'".to_owned(), sink)?;
    let past = fields.maybe_string("past", sink)?;
    let future = fields.maybe_string("future", sink)?;
    fields.finish(sink);
    let past = past.map(|t| duration(&t, sink)).transpose()?;
    let future = future.map(|t| duration(&t, sink)).transpose()?;
    Ok((
        past.unwrap_or(45 * DAY_MS),
        future.unwrap_or(10 * MINUTE_MS),
    ))
}
