//! Recordings: journal records as text, one a line, so that anyone can make one with `mosquitto_sub -F %j`.
//!
//! Reads what stock tools write (native convention, section 5) and writes what `journal export` keeps. What the messages mean is
//! left to decode. Nothing is held but the current line.
//!
//! Beyond the convention an exported line carries `position`, `queued` and `oversize` where they say something, so that replaying
//! an exported journal finds what live detection had.
//!
//! **Invariant:** a record that was written is read back equal; a line that cannot be read is reported with its number and
//! stops nothing.

mod ahead;

mod line;

mod reader;

mod tst;

mod writer;

#[cfg(test)]
mod tests;

pub use ahead::{LinesAhead, ReadAhead};
pub use reader::{Lines, Recorded, RecordingError, SkippedLine, open};
pub use tst::parse_tst;
pub use writer::{RecordingWriter, line_of};
