//! Which source setting a topic belongs to, and what its parts say.
//!
//! MQTT topic filters (MQTT 5, section 4.7), the parts of a native topic, and the topic templates of plain sources. A setting
//! that cannot be used (an unknown convention, a template without a serial) claims its topics all the same and rejects them with
//! the reason, so that a mistake in the settings shows up rather than being skipped in silence.
//!
//! **Invariant:** the first setting whose filter matches decides, in the order of the settings.

use super::readings::brief;
use crate::telemetry::{RejectReason, Rejection, SourceSetting};

/// What a topic says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// Foremend's own convention.
    Native {
        /// `model/serial`, as it stands in the topic.
        device: &'a str,
        /// The kind of message.
        kind: Kind,
    },
    /// Plain JSON or CBOR.
    Plain {
        /// `model/serial`, put together by the template.
        device: String,
        /// The path of the time in the payload.
        time: Option<&'a str>,
    },
}

impl Route<'_> {
    /// `model/serial`.
    pub(super) fn device(&self) -> &str {
        match self {
            Self::Native { device, .. } => device,
            Self::Plain { device, .. } => device,
        }
    }
}

/// The five kinds of native messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Presence.
    State,
    /// Samples of one instant.
    Tele,
    /// An occurrence.
    Event,
    /// Offline back-fill.
    Batch,
    /// Identity.
    Ident,
}

impl Kind {
    fn of(level: &str) -> Option<Self> {
        match level {
            "state" => Some(Self::State),
            "tele" => Some(Self::Tele),
            "event" => Some(Self::Event),
            "batch" => Some(Self::Batch),
            "ident" => Some(Self::Ident),
            _ => None,
        }
    }
}

/// Finds the route of a topic.
///
/// # Errors
/// `unknown_topic`, `unknown_kind`.
pub(super) fn route<'a>(
    sources: &'a [SourceSetting],
    topic: &'a str,
) -> Result<Route<'a>, Rejection> {
    let Some(source) = sources.iter().find(|source| matches(&source.filter, topic)) else {
        return Err(unknown(format!(
            "no source setting claims the topic {}; expected one matching {}",
            brief(topic),
            filters(sources)
        )));
    };
    match source.convention.as_str() {
        "native" => native(topic),
        "json" => plain(source, topic),
        other => Err(unknown(format!(
            "the source setting of {} names the convention {}; expected 'native' or 'json'",
            brief(&source.filter),
            brief(other)
        ))),
    }
}

/// Whether an MQTT topic filter matches a topic name.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    // MQTT 5, 4.7.2: what a broker says about itself is not meant by a leading wildcard.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match topic_levels.next() {
            Some(_) if level == "+" => {}
            Some(name) if name == level => {}
            Some(_) | None => return false,
        }
    }
    topic_levels.next().is_none()
}

/// The device of a native topic whose kind is none: it is refused, and yet belongs to that device.
pub(super) fn device_without_kind<'a>(
    sources: &'a [SourceSetting],
    topic: &'a str,
) -> Option<&'a str> {
    let source = sources
        .iter()
        .find(|source| matches(&source.filter, topic))?;
    let native = source.convention == "native";
    native
        .then(|| native_parts(topic).ok())
        .flatten()
        .map(|(device, _)| device)
}

/// The last five levels; a bridge between brokers may have put more in front.
fn native(topic: &str) -> Result<Route<'_>, Rejection> {
    let (device, kind) = native_parts(topic)?;
    let kind = Kind::of(kind).ok_or_else(|| {
        Rejection::new(
            RejectReason::UnknownKind,
            format!(
                "{} is no kind of message; expected state, tele, event, batch or ident",
                brief(kind)
            ),
        )
    })?;
    Ok(Route::Native { device, kind })
}

/// Device and kind as they stand there.
fn native_parts(topic: &str) -> Result<(&str, &str), Rejection> {
    let form = || {
        unknown(format!(
            "the topic {} has the wrong parts; expected appl/v1/<model>/<serial>/<kind>",
            brief(topic)
        ))
    };
    let (front, kind) = topic.rsplit_once('/').ok_or_else(form)?;
    let (front, serial) = front.rsplit_once('/').ok_or_else(form)?;
    let (prefix, model) = front.rsplit_once('/').ok_or_else(form)?;
    if prefix != "appl/v1" && !prefix.ends_with("/appl/v1") {
        return Err(form());
    }
    let device = topic
        .get(prefix.len() + 1..prefix.len() + 2 + model.len() + serial.len())
        .ok_or_else(form)?;
    Ok((device, kind))
}

/// A template's levels are literal text, `+` (anything), a trailing `#`, or text around one `{model}` or `{serial}`.
fn plain<'a>(source: &'a SourceSetting, topic: &str) -> Result<Route<'a>, Rejection> {
    let Some(template) = source.topic.as_deref() else {
        return Err(unknown(format!(
            "the source setting of {} has no topic template; expected one with {{serial}}, such as shop/{{serial}}/status",
            brief(&source.filter)
        )));
    };
    let mut parts = Parts {
        model: source.model.as_deref(),
        serial: None,
    };
    if !parts.read(template, topic) {
        return Err(unknown(format!(
            "the topic {} does not have the form {}",
            brief(topic),
            brief(template)
        )));
    }
    match (parts.model, parts.serial) {
        (Some(model), Some(serial)) => Ok(Route::Plain {
            device: format!("{model}/{serial}"),
            time: source.time.as_deref(),
        }),
        (None, _) => Err(unknown(format!(
            "the topic template {} names no {{model}}, and the source setting gives none",
            brief(template)
        ))),
        (_, None) => Err(unknown(format!(
            "the topic template {} names no {{serial}}",
            brief(template)
        ))),
    }
}

/// What a template found in a topic.
struct Parts<'a> {
    model: Option<&'a str>,
    serial: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn read(&mut self, template: &'a str, topic: &'a str) -> bool {
        let mut topic_levels = topic.split('/');
        for level in template.split('/') {
            if level == "#" {
                return true;
            }
            let Some(name) = topic_levels.next() else {
                return false;
            };
            if !self.read_level(level, name) {
                return false;
            }
        }
        topic_levels.next().is_none()
    }

    fn read_level(&mut self, level: &str, name: &'a str) -> bool {
        for (word, slot) in [("{model}", &mut self.model), ("{serial}", &mut self.serial)] {
            if let Some((before, after)) = level.split_once(word) {
                *slot = name
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after));
                return slot.is_some();
            }
        }
        level == "+" || level == name
    }
}

fn filters(sources: &[SourceSetting]) -> String {
    let mut list: Vec<String> = sources
        .iter()
        .take(5)
        .map(|source| brief(&source.filter))
        .collect();
    if sources.len() > list.len() {
        list.push("…".into());
    }
    list.join(", ")
}

fn unknown(sentence: String) -> Rejection {
    Rejection::new(RejectReason::UnknownTopic, sentence)
}
