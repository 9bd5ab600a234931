//! A wire value to what the profile says it means.
//!
//! Tolerant of the ways in which devices write numbers and truth values; never gives a value that is not finite.

use super::{Signal, SignalKind};
use crate::telemetry::Scalar;

/// Largest bit field: above 2^53 a number no longer holds every bit.
const BITS_LIMIT: f64 = 9_007_199_254_740_992.0;

/// What a wire value means for a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SignalValue {
    /// A value in base units (truth 0 or 1, the index of a word, a bit field).
    Value(f64),
    /// The device says that there is no value, or nothing the signal could mean.
    NoValue,
    /// Outside the signal's range, in base units: no value, and `invalid` at once.
    OutOfRange(f64),
}

impl Signal {
    /// Reads a wire value: numbers also as text, truth also as words or numbers, words of an enumeration also by index.
    pub fn read(&self, value: &Scalar) -> SignalValue {
        if self.store_text {
            return SignalValue::NoValue;
        }
        let Some(number) = self.wire_value(value) else {
            return SignalValue::NoValue;
        };
        let base = self.unit.to_base(number);
        if !base.is_finite() {
            return SignalValue::NoValue;
        }
        match self.range {
            Some((low, high)) if base < low || base > high => SignalValue::OutOfRange(base),
            _ => SignalValue::Value(base),
        }
    }

    /// The number in the signal's own unit for the series: truth 0 or 1, the index of a word. `None` when there is no value.
    pub fn wire_value(&self, value: &Scalar) -> Option<f64> {
        match &self.kind {
            SignalKind::Bool => truth(value).map(|truth| f64::from(u8::from(truth))),
            SignalKind::Enum(words) => word(value, words),
            SignalKind::Bits(_) => bits(value).filter(|n| !self.no_value.contains(n)),
            SignalKind::Gauge | SignalKind::Counter { .. } => {
                let number = number(value).filter(|n| !self.no_value.contains(n))?;
                Some(number * self.scale + self.offset).filter(|n| n.is_finite())
            }
        }
    }
}

fn number(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Number(number) => Some(*number).filter(|n| n.is_finite()),
        Scalar::Text(text) => text.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        Scalar::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Scalar::Null => None,
    }
}

fn truth(value: &Scalar) -> Option<bool> {
    match value {
        Scalar::Bool(truth) => Some(*truth),
        Scalar::Number(number) => match *number {
            1.0 => Some(true),
            0.0 => Some(false),
            _ => None,
        },
        Scalar::Null => None,
        Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" | "1.0" => Some(true),
            "false" | "off" | "no" | "0" | "0.0" => Some(false),
            _ => None,
        },
    }
}

fn word(value: &Scalar, words: &[smol_str::SmolStr]) -> Option<f64> {
    let index = match value {
        Scalar::Text(text) => {
            let text = text.trim();
            words
                .iter()
                .position(|w| w == text)
                .or_else(|| words.iter().position(|w| w.eq_ignore_ascii_case(text)))
                .or_else(|| text.parse::<usize>().ok())
        }
        Scalar::Number(number) if *number >= 0.0 && is_whole(*number) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a cast saturates, and an index beyond the words gives none"
            )]
            Some(*number as usize)
        }
        Scalar::Bool(_) | Scalar::Number(_) | Scalar::Null => None,
    };
    #[expect(clippy::cast_precision_loss, reason = "an enumeration has a few words")]
    index.filter(|i| *i < words.len()).map(|i| i as f64)
}

fn bits(value: &Scalar) -> Option<f64> {
    let number = match value {
        Scalar::Text(text) => {
            let text = text.trim();
            match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                #[expect(clippy::cast_precision_loss, reason = "limited to 2^53 below")]
                Some(digits) => u64::from_str_radix(digits, 16).ok().map(|n| n as f64)?,
                None => number(value)?,
            }
        }
        Scalar::Number(_) | Scalar::Bool(_) | Scalar::Null => number(value)?,
    };
    (is_whole(number) && (0.0..=BITS_LIMIT).contains(&number)).then_some(number)
}

#[expect(
    clippy::float_cmp,
    reason = "a whole number equals its truncation exactly"
)]
fn is_whole(number: f64) -> bool {
    libm::trunc(number) == number
}
