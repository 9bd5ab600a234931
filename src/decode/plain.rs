//! Plain JSON or CBOR of any shape: every value is a sample at its dotted path.
//!
//! The source setting names the model and serial (in the topic) and, where there is one, the path of the time. A payload of this
//! kind has no record counter, no events and no presence.

use smol_str::SmolStr;

use super::fields::{Stamp, milliseconds};
use super::native::{Content, WireRecord};
use super::payload::Node;
use super::readings::{Nesting, flatten};
use crate::telemetry::{Reading, RejectReason, Rejection, Scalar, Timestamp};

/// A number from here on counts milliseconds: as seconds it would lie in the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Reads a payload; `time` is the path of its time.
///
/// # Errors
/// `invalid_shape`, `too_deep`.
pub(super) fn read(time: Option<&str>, node: Node) -> Result<Content, Rejection> {
    let object = match node {
        Node::Object(object) => object,
        other => {
            return Err(Rejection::new(
                RejectReason::InvalidShape,
                format!(
                    "the payload is {}; expected an object of named values",
                    other.kind()
                ),
            ));
        }
    };
    let mut readings = flatten(None, object, Nesting::PLAIN)?;
    let at = time.and_then(|path| take_time(path, &mut readings));
    Ok(Content::Single(WireRecord {
        at,
        seq: None,
        boot: None,
        event: None,
        readings,
    }))
}

/// Takes the time out of the samples: it is not one of them.
fn take_time(path: &str, readings: &mut Vec<Reading>) -> Option<Stamp> {
    let index = readings.iter().position(|reading| reading.path == path)?;
    match readings.remove(index).value {
        Scalar::Null => None,
        Scalar::Number(number) => Some(of_number(number)),
        Scalar::Text(text) => Some(of_text(&text)),
        Scalar::Bool(_) => Some(Stamp::Unreadable),
    }
}

fn of_number(number: f64) -> Stamp {
    Stamp::At(milliseconds(if number.abs() < MILLISECONDS_FROM {
        number
    } else {
        number / 1_000.0
    }))
}

/// A number in writing, or RFC 3339 with its offset to UTC; a local time without one is not guessed at.
fn of_text(text: &SmolStr) -> Stamp {
    if let Ok(number) = text.trim().parse::<f64>()
        && number.is_finite()
    {
        return of_number(number);
    }
    text.trim()
        .parse::<Timestamp>()
        .map_or(Stamp::Unreadable, |time| Stamp::At(time.ms()))
}
