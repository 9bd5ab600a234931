//! The short way for the messages that nearly all are: a native `tele` in JSON, whose signals are plain values.
//!
//! It reads the text straight into a record, without the tree that `payload` builds for everything else. Whatever is not of that
//! form, by mistake or by right, is left to the long way, which knows every form and has the sentences for refusals.
//!
//! **Invariant:** where it gives a record, that is the record of the long way, value by value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use smol_str::SmolStr;

use super::fields::{COUNTER_LIMIT, Stamp, milliseconds};
use super::native::WireRecord;
use super::readings::{check_path, keep_last};
use crate::telemetry::{Reading, Scalar};

/// Texts up to this length stand inside a name; longer ones are looked up, so that their memory is taken once for all messages.
const INLINE_LIMIT: usize = 23;
/// Long names that are remembered. When two want the same place the newer one has it.
const NAME_LIMIT: usize = 1_024;

/// Long names of signals, each kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<SmolStr>);

/// What is remembered here changes nothing that is decided.
impl PartialEq for Names {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Names {}

impl Names {
    fn name(&mut self, text: &str) -> SmolStr {
        if text.len() <= INLINE_LIMIT {
            return SmolStr::new_inline(text);
        }
        if self.0.is_empty() {
            self.0.resize(NAME_LIMIT, SmolStr::default());
        }
        // FNV-1a.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let place = usize::try_from(hash % NAME_LIMIT as u64).unwrap_or_default();
        let Some(kept) = self.0.get_mut(place) else {
            return text.into();
        };
        if kept != text {
            *kept = text.into();
        }
        kept.clone()
    }
}

/// The record of a `tele`, or `None`: then the long way has the answer.
pub(super) fn tele(payload: &[u8], names: &mut Names) -> Option<WireRecord> {
    if payload.first() != Some(&b'{') {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut record = Tele(names).deserialize(&mut json).ok()?;
    json.end().ok()?;
    keep_last(&mut record.readings);
    Some(record)
}

/// The reason for giving up is never read.
fn long_way<E: Error>() -> E {
    E::custom("")
}

struct Tele<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Tele<'_> {
    type Value = WireRecord;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<WireRecord, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tele<'_> {
    type Value = WireRecord;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<WireRecord, A::Error> {
        let (mut at, mut seq, mut boot, mut readings) = (None, None, None, None);
        while let Some(field) = entries.next_key_seed(FieldName)? {
            // A field that stands twice is rare enough for the long way.
            match field {
                Field::Ts if at.is_none() => {
                    let Number(seconds) = entries.next_value_seed(ANumber)?;
                    at = Some(Stamp::At(milliseconds(seconds)));
                }
                Field::Seq if seq.is_none() => {
                    seq = Some(counter(entries.next_value_seed(ANumber)?)?);
                }
                Field::Boot if boot.is_none() => {
                    boot = Some(counter(entries.next_value_seed(ANumber)?)?);
                }
                Field::Signals if readings.is_none() => {
                    readings = Some(entries.next_value_seed(Signals(self.0))?);
                }
                // Of no interest, but not to be deeper than allowed either.
                Field::Other => {
                    entries.next_value_seed(Single)?;
                }
                Field::Ts | Field::Seq | Field::Boot | Field::Signals => return Err(long_way()),
            }
        }
        Ok(WireRecord {
            at,
            seq,
            boot,
            event: None,
            readings: readings.ok_or_else(long_way)?,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be an integer within the range"
)]
fn counter<E: Error>(Number(value): Number) -> Result<u64, E> {
    if (0.0..=COUNTER_LIMIT).contains(&value) && libm::floor(value) >= value {
        Ok(value as u64)
    } else {
        Err(long_way())
    }
}

enum Field {
    Ts,
    Seq,
    Boot,
    Signals,
    Other,
}

struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Field;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            "ts" => Field::Ts,
            "seq" => Field::Seq,
            "boot" => Field::Boot,
            "s" => Field::Signals,
            _ => Field::Other,
        })
    }
}

struct Number(f64);

struct ANumber;

impl<'de> DeserializeSeed<'de> for ANumber {
    type Value = Number;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times and counters are checked to lie below 2^53"
)]
impl Visitor<'_> for ANumber {
    type Value = Number;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        if value.is_finite() {
            Ok(Number(value))
        } else {
            Err(long_way())
        }
    }
}

/// The signals of a record, each with a single value.
struct Signals<'n>(&'n mut Names);

/// Most readings that room is made for beforehand: what devices send at once, more or less.
const USUAL_READINGS: usize = 8;

impl<'de> DeserializeSeed<'de> for Signals<'_> {
    type Value = Vec<Reading>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Signals<'_> {
    type Value = Vec<Reading>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of signals")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut readings = Vec::with_capacity(USUAL_READINGS);
        while let Some(path) = entries.next_key_seed(Path(&mut *self.0))? {
            let value = entries.next_value_seed(Single)?;
            readings.push(Reading { path, value });
        }
        Ok(readings)
    }
}

struct Path<'n>(&'n mut Names);

impl<'de> DeserializeSeed<'de> for Path<'_> {
    type Value = SmolStr;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SmolStr, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Path<'_> {
    type Value = SmolStr;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a signal")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<SmolStr, E> {
        check_path(path).map_err(|_| long_way())?;
        Ok(self.0.name(path))
    }
}

/// A number, a boolean, text, or no value.
struct Single;

impl<'de> DeserializeSeed<'de> for Single {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "signals are 64-bit floats by contract"
)]
impl Visitor<'_> for Single {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a single value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(if value.is_finite() {
            Scalar::Number(value)
        } else {
            Scalar::Null
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(if text.eq_ignore_ascii_case("nan") {
            Scalar::Null
        } else {
            Scalar::Text(text.into())
        })
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }
}
