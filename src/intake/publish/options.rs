//! What a person says about a table, checked word by word.

use std::str::FromStr;

/// Something was said that means nothing here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    /// A mapping without its two halves.
    #[error("'{0}' is not a pair; expected {1}")]
    Pair(String, &'static str),
    /// A speed that is none.
    #[error("'{0}' is not a speed; expected a number above 0 (2 is twice as fast), or max")]
    Speed(String),
    /// An unknown word.
    #[error("'{given}' is not one of {expected}")]
    Word {
        /// What was said.
        given: String,
        /// What could be said.
        expected: &'static str,
    },
}

/// What the columns of a table mean.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// The model, fixed or from a column.
    pub model: Cell,
    /// The serial, fixed or from a column.
    pub serial: Cell,
    /// What a row becomes.
    pub kind: Kind,
    /// The column with the time; `None`: the one called `ts`, `time`, `timestamp` or `datetime`.
    pub time: Option<String>,
    /// Column and wire path of each value. Empty: every column that means nothing else, under its own name.
    pub columns: Vec<(String, String)>,
    /// Wire path and value of what every row says.
    pub constants: Vec<(String, String)>,
}

/// A value that is the same for all rows, or stands in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The same for all rows.
    Fixed(String),
    /// In the column of this name.
    Column(String),
}

/// What a row becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signals at one instant.
    Tele,
    /// An occurrence of this name; the values become its fields.
    Event(Cell),
}

/// Where the stamps go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamps {
    /// The first one becomes the present, the others keep their (scaled) distance to it.
    #[default]
    Now,
    /// They stay as they are.
    Keep,
}

impl FromStr for Stamps {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "now" => Ok(Self::Now),
            "keep" => Ok(Self::Keep),
            _ => Err(OptionError::Word {
                given: text.into(),
                expected: "now, keep",
            }),
        }
    }
}

/// How fast a table is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many times as fast as its stamps.
    Times(f64),
    /// As fast as the broker takes it.
    Max,
}

impl FromStr for Speed {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix('x').unwrap_or(text);
        match number.parse::<f64>() {
            Ok(factor) if (SPEED_LEAST..=SPEED_MOST).contains(&factor) => Ok(Self::Times(factor)),
            _ => Err(OptionError::Speed(text.into())),
        }
    }
}

/// Bounds of the speed: beyond them a wait would overflow, or every stamp would be the same.
const SPEED_LEAST: f64 = 1e-6;
/// See [`SPEED_LEAST`].
const SPEED_MOST: f64 = 1e9;

/// Takes `left=right` apart, at the first `=`; `expected` says in the error what the halves are, such as `COLUMN=PATH`.
///
/// # Errors
/// When a half is missing.
pub fn parse_pair(text: &str, expected: &'static str) -> Result<(String, String), OptionError> {
    match text.split_once('=') {
        Some((left, right)) if !left.trim().is_empty() && !right.trim().is_empty() => {
            Ok((left.trim().into(), right.trim().into()))
        }
        _ => Err(OptionError::Pair(text.into(), expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_above_zero_or_max() {
        assert_eq!("2".parse(), Ok(Speed::Times(2.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for bad in ["0", "-1", "nan", "inf", "1e-30", "fast", ""] {
            assert!(bad.parse::<Speed>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_pair_has_two_halves() {
        assert_eq!(
            parse_pair("T out = water.out_c", "COLUMN=PATH"),
            Ok(("T out".into(), "water.out_c".into()))
        );
        for bad in ["x", "=x", "x=", " = "] {
            let error = parse_pair(bad, "COLUMN=PATH").expect_err("refused");
            assert!(error.to_string().contains("COLUMN=PATH"));
        }
    }
}
