//! `[limits]`, `[signals]` and `[events]`.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use toml_edit::Value;

use super::table::{number, numbers, string, strings, wrong_type};
use super::{Entry, Fields, duration, entries, key_name};
use crate::profile::diagnostic::{Reported, Sink, Span, suggest};
use crate::profile::lexer::Located;
use crate::profile::parser::{parse, unit};
use crate::profile::syntax::ExprKind;
use crate::profile::{Cadence, Event, Limit, Signal, SignalKind, StaleAfter, Unit};
use crate::telemetry::Text;

/// A signal with where it is defined.
pub(crate) struct SignalDef {
    /// Its name.
    pub(crate) name: Located,
    /// What it is; the hash is not worked out yet.
    pub(crate) signal: Signal,
    /// It has a label.
    pub(crate) labelled: bool,
    /// Neither a cadence nor `stale_after` is given.
    pub(crate) unpaced: bool,
}

/// An occurrence with where it is defined.
pub(crate) struct EventDef {
    /// Its name.
    pub(crate) name: Located,
    /// What it is.
    pub(crate) event: Event,
    /// It has a label.
    pub(crate) labelled: bool,
}

/// Reads one of `[limits]`.
pub(super) fn limit(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<(Located, Limit), Reported> {
    let name = key_name(entry);
    let mut limit = Limit {
        name: SmolStr::new(&entry.key),
        unit: Unit::NONE,
        default: 0.0,
        by_hw: BTreeMap::new(),
        by_region: BTreeMap::new(),
    };
    if !entry.item.is_table_like() {
        (limit.default, limit.unit) = quantity(entry, sink)?;
        return Ok((name, limit));
    }
    let mut fields = Fields::of(entry, format!("limit '{}'", entry.key), sink)?;
    let default = fields.require("default", sink)?;
    (limit.default, limit.unit) = quantity(&default, sink)?;
    for (key, list) in [("hw", &mut limit.by_hw), ("region", &mut limit.by_region)] {
        let Some(variants) = fields.take(key) else {
            continue;
        };
        let Some(table) = variants.item.as_table_like() else {
            return Err(wrong_type(
                &variants,
                "a table, as in hw.B2 = \"0.5 mA\"",
                sink,
            ));
        };
        for variant in entries(table) {
            let (value, unit) = quantity(&variant, sink)?;
            if unit.dim != limit.unit.dim {
                return Err(sink.error(
                    variant.at(),
                    format!(
                        "the default is in {}, this is in {}",
                        limit.unit.named(),
                        unit.named()
                    ),
                ));
            }
            list.insert(SmolStr::new(&variant.key), value);
        }
    }
    fields.finish(sink);
    Ok((name, limit))
}

/// Reads one of `[events]`.
pub(super) fn event(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<EventDef, Reported> {
    let mut fields = Fields::of(entry, format!("event '{}'", entry.key), sink)?;
    let from = fields.string("from", sink);
    let label = fields.maybe_text("label", sink);
    fields.finish(sink);
    let label = label?;
    Ok(EventDef {
        name: key_name(entry),
        labelled: label.is_some(),
        event: Event {
            name: SmolStr::new(&entry.key),
            path: SmolStr::new(&from?.text),
            label: label.unwrap_or_else(|| Text::same(&entry.key)),
        },
    })
}

/// Reads one of `[signals]`.
pub(super) fn signal(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<SignalDef, Reported> {
    let mut fields = Fields::of(entry, format!("signal '{}'", entry.key), sink)?;
    let from = fields.string("from", sink);
    let unit_text = fields.maybe_string("unit", sink);
    let kind = kind(&mut fields, sink);
    let label = fields.maybe_text("label", sink);
    let cadence = fields.maybe_string("cadence", sink);
    let held = fields.maybe_string("stale_after", sink);
    let scale = fields.maybe_number("scale", sink);
    let offset = fields.maybe_number("offset", sink);
    let store_text = fields.maybe_bool("store_text", sink);
    let range = fields.take("range");
    let no_value = fields.take("no_value").map(|e| numbers(&e, sink));
    let default = fields.take("default");
    let at = fields.at();
    fields.finish(sink);

    let unit = unit_text?.map(|t| unit(&t.text, t.at, sink)).transpose()?;
    let kind = kind?;
    let store_text = store_text?.unwrap_or(false);
    let numeric = matches!(kind, SignalKind::Gauge | SignalKind::Counter { .. });
    let unit = checked_unit(unit, numeric && !store_text, at, sink)?;
    let range = range.map(|e| range_of(&e, &unit, sink)).transpose()?;
    let (cadence, held) = (cadence?, held?);
    let unpaced = cadence.is_none() && held.is_none();
    let cadence = cadence_of(cadence, sink)?;
    let stale_after = stale_of(held, cadence, sink)?;
    let label = label?;
    let mut signal = Signal {
        name: SmolStr::new(&entry.key),
        path: SmolStr::new(&from?.text),
        label: label.clone().unwrap_or_else(|| Text::same(&entry.key)),
        unit,
        kind,
        scale: scale?.unwrap_or(1.0),
        offset: offset?.unwrap_or(0.0),
        range,
        no_value: no_value.transpose()?.unwrap_or_default(),
        default: None,
        cadence,
        stale_after,
        store_text,
        hash: 0,
    };
    if let SignalKind::Counter {
        roll_over: Some(roll_over),
        ..
    } = &mut signal.kind
    {
        *roll_over = signal.unit.to_base(*roll_over);
    }
    signal.default = default.map(|e| default_of(&e, &signal, sink)).transpose()?;
    Ok(SignalDef {
        name: key_name(entry),
        signal,
        labelled: label.is_some(),
        unpaced,
    })
}

fn checked_unit(
    unit: Option<Unit>,
    numeric: bool,
    at: Span,
    sink: &mut Sink<'_>,
) -> Result<Unit, Reported> {
    match unit {
        Some(unit) if numeric => Ok(unit),
        Some(unit) if unit.dim.is_none() && unit.symbol.is_empty() => Ok(unit),
        Some(_) => Err(sink.error(at, "only a number can have a unit")),
        None if numeric => Err(sink.error_with(
            at,
            "a number needs a 'unit'",
            "write unit = \"1\" for a pure number; or one of bool, enum, bits",
        )),
        None => Ok(Unit::NONE),
    }
}

fn kind(fields: &mut Fields<'_>, sink: &mut Sink<'_>) -> Result<SignalKind, Reported> {
    let boolean = fields.maybe_bool("bool", sink)?.unwrap_or(false);
    let counter = fields.maybe_bool("counter", sink)?.unwrap_or(false);
    let roll_over = fields.maybe_number("roll_over", sink)?;
    let counts_down = fields.maybe_bool("counts_down", sink)?.unwrap_or(false);
    let words = fields
        .take("enum")
        .map(|e| enum_words(&e, sink))
        .transpose()?;
    let bits = fields
        .take("bits")
        .map(|e| named_bits(&e, sink))
        .transpose()?;
    let given = u8::from(boolean)
        + u8::from(counter)
        + u8::from(words.is_some())
        + u8::from(bits.is_some());
    if given > 1 {
        return Err(sink.error(
            fields.at(),
            "a signal is one of bool, enum, bits and counter",
        ));
    }
    if !counter && (roll_over.is_some() || counts_down) {
        return Err(sink.error(
            fields.at(),
            "only a counter rolls over or counts down: write counter = true",
        ));
    }
    Ok(match (words, bits) {
        (Some(words), _) => SignalKind::Enum(words),
        (None, Some(bits)) => SignalKind::Bits(bits),
        (None, None) if boolean => SignalKind::Bool,
        // In the signal's unit until the unit is known; see `signal`.
        (None, None) if counter => SignalKind::Counter {
            roll_over,
            counts_down,
        },
        (None, None) => SignalKind::Gauge,
    })
}

fn enum_words(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<Vec<SmolStr>, Reported> {
    let mut words: Vec<SmolStr> = Vec::new();
    for word in strings(entry, sink)? {
        if words.contains(&SmolStr::new(&word.text)) {
            return Err(sink.error(word.at, format!("'{}' stands here twice", word.text)));
        }
        words.push(SmolStr::new(&word.text));
    }
    if words.is_empty() {
        return Err(sink.error(entry.at(), "an enumeration needs at least one word"));
    }
    Ok(words)
}

/// `bits = ["heater", "water"]` from bit 0, or `bits = { heater = 0, leak = 6 }`.
fn named_bits(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<BTreeMap<SmolStr, u8>, Reported> {
    let mut bits = BTreeMap::new();
    if entry.item.is_array() {
        for (index, name) in strings(entry, sink)?.iter().enumerate() {
            let bit = u8::try_from(index).ok().filter(|bit| *bit <= 52);
            let Some(bit) = bit else {
                return Err(sink.error(name.at, "bits go from 0 to 52"));
            };
            bits.insert(SmolStr::new(&name.text), bit);
        }
        return Ok(bits);
    }
    let fields = Fields::of(entry, "'bits'".to_owned(), sink)?;
    for one in fields.entries() {
        let bit = one.item.as_integer().and_then(|bit| u8::try_from(bit).ok());
        let Some(bit) = bit.filter(|bit| *bit <= 52) else {
            return Err(wrong_type(&one, "a bit from 0 to 52", sink));
        };
        bits.insert(SmolStr::new(&one.key), bit);
    }
    Ok(bits)
}

fn range_of(entry: &Entry<'_>, unit: &Unit, sink: &mut Sink<'_>) -> Result<(f64, f64), Reported> {
    let list = numbers(entry, sink)?;
    match list.as_slice() {
        [low, high] if low < high => Ok((unit.to_base(*low), unit.to_base(*high))),
        _ => Err(sink.error_with(
            entry.at(),
            "a range has a lower and a higher end",
            "expected [low, high] in the signal's unit",
        )),
    }
}

fn cadence_of(text: Option<Located>, sink: &mut Sink<'_>) -> Result<Cadence, Reported> {
    match text {
        None => Ok(Cadence::Unknown),
        Some(text) if text.text == "change" => Ok(Cadence::Change),
        Some(text) => Ok(Cadence::Ms(duration(&text, sink)?)),
    }
}

fn stale_of(
    text: Option<Located>,
    cadence: Cadence,
    sink: &mut Sink<'_>,
) -> Result<StaleAfter, Reported> {
    match (text, cadence) {
        (Some(text), _) if text.text == "never" => Ok(StaleAfter::Never),
        (Some(text), _) => Ok(StaleAfter::Ms(duration(&text, sink)?)),
        (None, Cadence::Change) => Ok(StaleAfter::Never),
        (None, Cadence::Ms(ms)) => Ok(StaleAfter::Ms(3 * ms)),
        (None, Cadence::Unknown) => Ok(StaleAfter::Instant),
    }
}

fn default_of(entry: &Entry<'_>, signal: &Signal, sink: &mut Sink<'_>) -> Result<f64, Reported> {
    match (&signal.kind, entry.item.as_value()) {
        (SignalKind::Bool, Some(Value::Boolean(truth))) => Ok(f64::from(u8::from(*truth.value()))),
        (SignalKind::Bool, _) => Err(wrong_type(entry, "true or false", sink)),
        (SignalKind::Enum(words), _) => {
            let word = string(entry, sink)?;
            #[expect(clippy::cast_precision_loss, reason = "an enumeration has a few words")]
            let index = words.iter().position(|w| *w == word.text).map(|i| i as f64);
            let known: Vec<&str> = words.iter().map(SmolStr::as_str).collect();
            index.ok_or_else(|| {
                sink.error_maybe(
                    word.at,
                    format!("'{}' is not a word of '{}'", word.text, signal.name),
                    suggest(&word.text, &known, "its words"),
                )
            })
        }
        (SignalKind::Gauge | SignalKind::Bits(_) | SignalKind::Counter { .. }, _) => {
            Ok(signal.unit.to_base(number(entry, sink)?))
        }
    }
}

/// A number, or a number with its unit in a text; in base units.
fn quantity(entry: &Entry<'_>, sink: &mut Sink<'_>) -> Result<(f64, Unit), Reported> {
    if !entry.item.is_str() {
        return Ok((number(entry, sink)?, Unit::NONE));
    }
    let expr = parse(&string(entry, sink)?, sink)?;
    match expr.kind {
        ExprKind::Number(number, unit) => {
            let unit = unit.unwrap_or(Unit::NONE);
            Ok((unit.to_base(number), unit))
        }
        _ => Err(sink.error_with(
            expr.at,
            "a limit is one number",
            "expected a number with its unit, as in \"0.75 mA\"",
        )),
    }
}
