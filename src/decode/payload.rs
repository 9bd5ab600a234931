//! A payload, JSON or CBOR, as one small tree.
//!
//! One pass over the bytes with a serde visitor of our own for both formats: names and short texts stand inline, so that a
//! usual message costs one allocation per object. What the names mean is left to the conventions.
//!
//! **Invariant:** no tree is deeper than [`DEPTH_LIMIT`], holds a number that is not finite, or grows beyond a small multiple of
//! the payload, whose length the caller has bounded.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use smol_str::SmolStr;

use crate::telemetry::{RejectReason, Rejection, Scalar};

/// Deepest nesting of a whole payload. A batch record's signal needs nine levels (native convention, section 3); the rest is room
/// for plain payloads. Deeper ones are rejected as `too_deep`.
pub(super) const DEPTH_LIMIT: usize = 16;

/// Marks our own refusal inside a parser's error text, so that it is told apart from the parser's.
const TOO_DEEP: &str = "nested deeper than 16 levels";
/// The same for a value that has no JSON counterpart.
const NO_SCALAR: &str =
    "a byte string where a number, a boolean, text, an array or an object was expected";

/// A value of a payload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A single value.
    Scalar(Scalar),
    /// Values in order.
    Array(Vec<Node>),
    /// Named values in the order of the wire; a name may stand twice, and the last one counts.
    Object(Object),
}

/// The named values of an object, as the wire had them.
pub(super) type Object = Vec<(SmolStr, Node)>;

impl Node {
    /// What it is, for sentences.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(Scalar::Number(_)) => "a number",
            Self::Scalar(Scalar::Bool(_)) => "a boolean",
            Self::Scalar(Scalar::Text(_)) => "text",
            Self::Scalar(Scalar::Null) => "no value",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// The last value of that name, as JSON readers have it.
pub(super) fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Node> {
    object
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, node)| node)
}

/// The same, moved out; the object must not be asked for that name again.
pub(super) fn take(object: &mut Object, name: &str) -> Option<Node> {
    let at = object.iter().rposition(|(key, _)| key == name)?;
    Some(object.swap_remove(at).1)
}

/// Reads a payload: CBOR when its content type or its first byte says so, else JSON.
///
/// # Errors
/// `invalid_utf8`, `invalid_json`, `invalid_cbor`, `too_deep`, `invalid_shape`, each with the place in bytes.
pub(super) fn parse(payload: &[u8], content_type: Option<&str>) -> Result<Node, Rejection> {
    if is_cbor(payload, content_type) {
        parse_cbor(payload)
    } else {
        parse_json(payload)
    }
}

/// Native convention, section 1: the content type `application/cbor`, or a first byte of 0xA0-0xBF (a CBOR map; no JSON text
/// in UTF-8 can start with it).
fn is_cbor(payload: &[u8], content_type: Option<&str>) -> bool {
    let named = content_type.is_some_and(|name| {
        let name = name.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("application/cbor")
    });
    named
        || payload
            .first()
            .is_some_and(|byte| (0xA0..=0xBF).contains(byte))
}

fn parse_json(payload: &[u8]) -> Result<Node, Rejection> {
    let text = std::str::from_utf8(payload).map_err(|error| {
        Rejection::new(
            RejectReason::InvalidUtf8,
            format!(
                "the payload is not UTF-8 text: the byte at offset {} begins no character; expected JSON in UTF-8, or CBOR",
                error.valid_up_to()
            ),
        )
    })?;
    // Some writers put a byte order mark in front; RFC 8259 lets a reader skip it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        let offset = offset_of(text, error.line(), error.column());
        let sentence = error.to_string();
        if sentence.contains(TOO_DEEP) || sentence.contains("recursion limit") {
            return too_deep(offset);
        }
        Rejection::new(
            RejectReason::InvalidJson,
            format!(
                "not JSON near byte {offset} of {}: {sentence}",
                payload.len()
            ),
        )
    })
}

fn parse_cbor(payload: &[u8]) -> Result<Node, Rejection> {
    let mut rest = payload;
    // Tags count as levels there, so its own limit lies above ours.
    let parsed = ciborium::de::from_reader_with_recursion_limit(&mut rest, 2 * DEPTH_LIMIT);
    let read = payload.len() - rest.len();
    let (reason, sentence) = match parsed {
        Ok(node) if rest.is_empty() => return Ok(node),
        Ok(_) => (
            RejectReason::InvalidCbor,
            format!(
                "{} bytes follow the CBOR item, which ends at byte {read}",
                rest.len()
            ),
        ),
        Err(ciborium::de::Error::Io(_)) => (
            RejectReason::InvalidCbor,
            format!(
                "the CBOR item is cut off: the payload ends at byte {}",
                payload.len()
            ),
        ),
        Err(ciborium::de::Error::Syntax(offset)) => (
            RejectReason::InvalidCbor,
            format!("not CBOR at byte {offset} of {}", payload.len()),
        ),
        Err(ciborium::de::Error::Semantic(_, text)) if text.contains(TOO_DEEP) => {
            return Err(too_deep(read));
        }
        Err(ciborium::de::Error::Semantic(_, text)) => (
            RejectReason::InvalidShape,
            format!("CBOR that no JSON could say, before byte {read}: {text}"),
        ),
        Err(ciborium::de::Error::RecursionLimitExceeded) => return Err(too_deep(read)),
    };
    Err(Rejection::new(reason, sentence))
}

fn too_deep(offset: usize) -> Rejection {
    Rejection::new(
        RejectReason::TooDeep,
        format!("{TOO_DEEP} near byte {offset}"),
    )
}

/// The byte that a line and a column (both from 1, the column in bytes) point at.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column.saturating_sub(1)).min(text.len())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(0).deserialize(deserializer)
    }
}

/// Reads one value at a depth.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn below<E: Error>(self) -> Result<Self, E> {
        if self.0 < DEPTH_LIMIT {
            Ok(Self(self.0 + 1))
        } else {
            Err(E::custom(TOO_DEEP))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "signals are 64-bit floats by contract; counters are checked to lie below 2^53"
)]
impl<'de> Visitor<'de> for Level {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number, a boolean, text, an array or an object")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Number(value as f64)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Number(value as f64)))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Number(value as f64)))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Number(value as f64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(if value.is_finite() {
            Scalar::Number(value)
        } else {
            Scalar::Null
        }))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(if text.eq_ignore_ascii_case("nan") {
            Scalar::Null
        } else {
            Scalar::Text(text.into())
        }))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Node, E> {
        Err(E::custom(NO_SCALAR))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Null))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let level = self.below()?;
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element_seed(level)? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let level = self.below()?;
        let mut object = Object::new();
        while let Some(name) = entries.next_key_seed(Name)? {
            object.push((name, entries.next_value_seed(level)?));
        }
        Ok(Node::Object(object))
    }

    /// How the CBOR reader shows a tag: it says more about the value than JSON could, and is skipped.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (_, content) = tagged.variant::<IgnoredAny>()?;
        content.tuple_variant(2, Tagged(self.below()?))
    }
}

/// Reads the name of a value. Asks for anything, since the CBOR reader gives long and chunked texts to none who ask for text.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = SmolStr;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SmolStr, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Name {
    type Value = SmolStr;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name as text")
    }

    fn visit_str<E>(self, name: &str) -> Result<SmolStr, E> {
        Ok(name.into())
    }

    /// Without the number itself, which can have 300 digits.
    fn visit_f64<E: Error>(self, _: f64) -> Result<SmolStr, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }
}

/// The tag and the value of a CBOR tag.
struct Tagged(Level);

impl<'de> Visitor<'de> for Tagged {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a tag and its value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let _tag: Option<u64> = items.next_element()?;
        items
            .next_element_seed(self.0)?
            .ok_or_else(|| A::Error::custom("a tag without a value"))
    }
}
