//! `[[case]]`: what happens to a device, and what is expected of its faults.
//!
//! Lines are parsed and checked here; running them is left to the lab. Wire values are in the form a device would send:
//! a signal's own unit before `scale` and `offset`.

mod read;

pub(super) use read::cases;

use smol_str::SmolStr;

use super::{DeriveIdx, EventIdx, FaultIdx, SessionIdx, SignalIdx, Stage};
use crate::telemetry::Scalar;

/// A test of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which model.
    pub model: SmolStr,
    /// What it shows.
    pub name: String,
    /// File and line where it stands.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What happens, in the order of the lines.
    pub given: Vec<Given>,
    /// What is expected.
    pub expect: Vec<Expect>,
}

/// One line of `given`.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// At each of these instants the device says this, in one record.
    At {
        /// When.
        when: When,
        /// What it says.
        says: Vec<Say>,
    },
    /// A table of readings beside the profile.
    Csv {
        /// File name, relative to the profile.
        file: String,
    },
}

/// Instants, in ms from the start of the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The first.
    pub from_ms: i64,
    /// The last is at or before this.
    pub to_ms: i64,
    /// Spacing; 0 for a single instant.
    pub every_ms: i64,
}

/// What a device says at an instant.
#[derive(Clone, Debug, PartialEq)]
pub enum Say {
    /// A sample.
    Sample {
        /// Of which signal.
        signal: SignalIdx,
        /// Its wire value.
        value: Wire,
    },
    /// An occurrence.
    Event {
        /// Which.
        event: EventIdx,
    },
    /// A whole session at whose end the derives have these values (base units), whatever their expressions would give.
    Session {
        /// Which.
        session: SessionIdx,
        /// The forced values.
        derives: Vec<(DeriveIdx, Wire)>,
    },
}

/// A value that may change over the instants of its line.
#[derive(Clone, Debug, PartialEq)]
pub enum Wire {
    /// The same at each instant.
    Fixed(Scalar),
    /// From the first value at the first instant to the second at the last, in a straight line.
    Ramp(f64, f64),
}

/// What is expected of a fault over the whole case. Times in ms from the start of the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It is never raised.
    Quiet {
        /// Which.
        fault: FaultIdx,
    },
    /// It is raised, or worsens, to this stage (any, if none is named), and first does so within this time.
    Raised {
        /// Which.
        fault: FaultIdx,
        /// To which stage.
        stage: Option<Stage>,
        /// From and to, both counting.
        within_ms: Option<(i64, i64)>,
    },
    /// It was raised, and is cleared, at the latest at this time.
    Cleared {
        /// Which.
        fault: FaultIdx,
        /// At the latest.
        by_ms: Option<i64>,
    },
    /// At the end of the case it is neither raised nor judged quiet: its stages read unknown.
    Unknown {
        /// Which.
        fault: FaultIdx,
    },
}

impl When {
    /// The instants, in ms from the start of the case.
    pub fn instants(self) -> impl Iterator<Item = i64> {
        let count = if self.every_ms > 0 {
            (self.to_ms - self.from_ms) / self.every_ms
        } else {
            0
        };
        (0..=count).map(move |index| self.from_ms + index * self.every_ms)
    }
}

impl Wire {
    /// The value at an instant of its line.
    pub fn at(&self, at_ms: i64, when: When) -> Scalar {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Ramp(from, to) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "times of a case are far below 2^53 ms"
                )]
                let (done, whole) = (
                    (at_ms - when.from_ms) as f64,
                    (when.to_ms - when.from_ms).max(1) as f64,
                );
                Scalar::Number(from + (to - from) * (done / whole).clamp(0.0, 1.0))
            }
        }
    }
}
