//! Single fields of an envelope: times, counters, booleans and names.
//!
//! Numbers may stand as text and booleans in several forms (native convention, section 2); a missing field and one without a
//! value (`null`, `"nan"`) are the same. What cannot be read refuses the message, with the field's name and what was expected.

use smol_str::{SmolStr, format_smolstr};

use super::payload::{Node, Object, get};
use super::readings::brief;
use crate::telemetry::{RejectReason, Rejection, Scalar, Timestamp};

/// Largest `seq` and `boot`: above it a 64-bit float, and so many a JSON writer, counts wrongly.
pub(super) const COUNTER_LIMIT: f64 = 9_007_199_254_740_992.0;
/// Longest text of an envelope (firmware, lots, regions) in bytes; the longest seen in the field has 40.
pub(super) const TEXT_LIMIT: usize = 128;

/// The time a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// Milliseconds since 1970 by the device's clock.
    At(i64),
    /// It named a time that says nothing without a zone, or is no time at all: receipt counts, flagged.
    Unreadable,
}

impl Stamp {
    /// The time in ms since 1970.
    pub(super) const fn ms(self) -> Option<i64> {
        match self {
            Self::At(ms) => Some(ms),
            Self::Unreadable => None,
        }
    }
}

/// Seconds since 1970, rounded to a millisecond.
pub(super) fn stamp(object: &Object, field: &str) -> Result<Option<Stamp>, Rejection> {
    match get(object, field) {
        None | Some(Node::Scalar(Scalar::Null)) => Ok(None),
        Some(node) => match number(node) {
            Some(seconds) => Ok(Some(Stamp::At(milliseconds(seconds)))),
            None => Err(unlike(field, node, "seconds since 1970 as a number")),
        },
    }
}

/// `round(seconds * 1000)`, kept inside what [`Timestamp`] can say.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "clamped to the range before"
)]
pub(super) fn milliseconds(seconds: f64) -> i64 {
    let (low, high) = (Timestamp::MIN.ms() as f64, Timestamp::MAX.ms() as f64);
    libm::round(seconds * 1_000.0).clamp(low, high) as i64
}

/// An integer from 0 to 2^53.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be an integer within the range"
)]
pub(super) fn counter(object: &Object, field: &str) -> Result<Option<u64>, Rejection> {
    match get(object, field) {
        None | Some(Node::Scalar(Scalar::Null)) => Ok(None),
        Some(node) => match number(node) {
            Some(value)
                if (0.0..=COUNTER_LIMIT).contains(&value) && libm::floor(value) >= value =>
            {
                Ok(Some(value as u64))
            }
            _ => Err(unlike(field, node, "an integer from 0 to 2^53")),
        },
    }
}

/// A truth value in any of its usual forms.
pub(super) fn boolean(object: &Object, field: &str) -> Result<Option<bool>, Rejection> {
    let Some(node) = get(object, field) else {
        return Ok(None);
    };
    let value = match node {
        Node::Scalar(Scalar::Null) => return Ok(None),
        Node::Scalar(Scalar::Bool(value)) => Some(*value),
        Node::Scalar(Scalar::Number(number)) => of_number(*number),
        Node::Scalar(Scalar::Text(text)) => of_text(text),
        Node::Array(_) | Node::Object(_) => None,
    };
    match value {
        Some(value) => Ok(Some(value)),
        None => Err(unlike(field, node, "true or false")),
    }
}

fn of_number(number: f64) -> Option<bool> {
    if number == 0.0 {
        Some(false)
    } else if (number - 1.0).abs() < f64::EPSILON {
        Some(true)
    } else {
        None
    }
}

fn of_text(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "on", "1", "yes", "online"]) {
        Some(true)
    } else if is(["false", "off", "0", "no", "offline"]) {
        Some(false)
    } else {
        None
    }
}

/// A short text; a number is taken as it would be written.
pub(super) fn text(object: &Object, field: &str) -> Result<Option<SmolStr>, Rejection> {
    match get(object, field) {
        None => Ok(None),
        Some(node) => short_text(field, node),
    }
}

/// The same of a value in hand.
pub(super) fn short_text(field: &str, node: &Node) -> Result<Option<SmolStr>, Rejection> {
    match node {
        Node::Scalar(Scalar::Null) => Ok(None),
        Node::Scalar(Scalar::Text(text)) if text.len() <= TEXT_LIMIT => Ok(Some(text.clone())),
        Node::Scalar(Scalar::Text(text)) => Err(shape(format!(
            "{field}: {} bytes of text; at most {TEXT_LIMIT}",
            text.len()
        ))),
        Node::Scalar(Scalar::Number(number)) => Ok(Some(digits(*number))),
        other => Err(unlike(field, other, "text")),
    }
}

/// A finite number, also as text.
pub(super) fn number(node: &Node) -> Option<f64> {
    match node {
        Node::Scalar(Scalar::Number(number)) => Some(*number),
        Node::Scalar(Scalar::Text(text)) => text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite()),
        _ => None,
    }
}

/// A number as text: as a person would write it, or with an exponent where that would take hundreds of digits.
fn digits(number: f64) -> SmolStr {
    let size = number.abs();
    if size == 0.0 || (1.0 / COUNTER_LIMIT..=COUNTER_LIMIT * 2.0).contains(&size) {
        format_smolstr!("{number}")
    } else {
        format_smolstr!("{number:e}")
    }
}

/// The sentence for a field of another form.
pub(super) fn unlike(field: &str, node: &Node, expected: &str) -> Rejection {
    let found = match node {
        Node::Scalar(Scalar::Number(number)) => digits(*number).to_string(),
        Node::Scalar(Scalar::Bool(value)) => value.to_string(),
        Node::Scalar(Scalar::Text(text)) => brief(text),
        other => other.kind().to_owned(),
    };
    shape(format!("{field} is {found}; expected {expected}"))
}

fn shape(sentence: String) -> Rejection {
    Rejection::new(RejectReason::InvalidShape, sentence)
}
