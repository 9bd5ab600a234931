//! The log of fresh points: the values of one write as they came, so that confirming it takes one row.
//!
//! Leaves reading the log back in order to `tail`. Invariant: entries keep their order, so that the later value of an instant wins.

use smol_str::SmolStr;

use crate::telemetry::FieldValue;

use super::bytes::{Damaged, Input, put_bytes, put_signed};

/// One value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Fresh {
    /// Number of the series.
    pub(in super::super) series: i64,
    /// When, ms.
    pub(in super::super) at: i64,
    /// What.
    pub(in super::super) value: FieldValue,
}

/// Bytes of the values of one write.
pub(in super::super) fn pack(entries: &[Fresh]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 12);
    let mut before = 0;
    for entry in entries {
        put_signed(&mut out, entry.series);
        // Fields of one point share their instant.
        put_signed(&mut out, entry.at.wrapping_sub(before));
        before = entry.at;
        match &entry.value {
            FieldValue::Float(number) => {
                out.push(NUMBER);
                out.extend_from_slice(&number.to_le_bytes());
            }
            FieldValue::Text(text) => {
                out.push(TEXT);
                put_bytes(&mut out, text.as_bytes());
            }
        }
    }
    out
}

/// Reads what [`pack`] wrote.
pub(in super::super) fn unpack(bytes: &[u8]) -> Result<Vec<Fresh>, Damaged> {
    let mut input = Input::new(bytes);
    let mut entries = Vec::new();
    let mut before: i64 = 0;
    while !input.is_empty() {
        let series = input.signed()?;
        let at = before.wrapping_add(input.signed()?);
        before = at;
        let value = match input.byte()? {
            NUMBER => FieldValue::Float(input.double()?),
            TEXT => {
                let text = std::str::from_utf8(input.run()?).map_err(|_| Damaged)?;
                FieldValue::Text(SmolStr::from(text))
            }
            _ => return Err(Damaged),
        };
        entries.push(Fresh { series, at, value });
    }
    Ok(entries)
}

/// Mark of a number.
const NUMBER: u8 = 0;
/// Mark of a text.
const TEXT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_their_order() {
        let fresh = |series, at, value| Fresh { series, at, value };
        let entries = [
            fresh(7, 1_772_366_400_000, FieldValue::Float(-0.0)),
            fresh(7, 1_772_366_400_000, FieldValue::Text("水\n".into())),
            fresh(1, i64::MIN, FieldValue::Float(f64::MAX)),
            fresh(2, i64::MAX, FieldValue::Text("".into())),
        ];
        let bytes = pack(&entries);
        assert_eq!(unpack(&bytes).unwrap(), entries);
        assert!(unpack(&bytes[..bytes.len() - 1]).is_err());
        assert_eq!(unpack(&[]).unwrap(), []);
    }
}
