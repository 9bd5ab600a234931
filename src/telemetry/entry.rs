//! What the journal holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Control, RawMessage, Timestamp};

/// The place of a record in the journal. Grows by one, starts at 1, is never used twice; 0 stands before the first record.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position(pub u64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

/// One record of the journal: the only input of detection.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A message of a device.
    Message(RawMessage),
    /// Something that a person, the registry, the settings or the daemon itself did.
    Control(Control),
    /// Time went by.
    Tick,
}

/// A record with its place and its time, as the journal's writer gave them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// When the journal took it; never goes back from one entry to the next.
    pub received_at: Timestamp,
    /// What it is.
    pub record: Record,
}
