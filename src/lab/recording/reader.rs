//! Reading a recording line by line, plain or compressed.
//!
//! **Invariant:** times never go back: a `tst` before the one of an earlier line is raised to it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::line::parse;
use crate::telemetry::{Position, Record, Timestamp};

/// Longest line in bytes: the largest payload, every byte escaped, has 1.5 MiB; a control with a few hundred profile files some
/// more. A longer line is reported and skipped without being held.
const LINE_LIMIT: u64 = 16 * 1024 * 1024;

/// The recording itself could not be read; bad lines are [`SkippedLine`]s.
#[derive(Debug, thiserror::Error)]
#[error("the recording could not be read on from line {line}")]
pub struct RecordingError {
    /// The first line that is missing.
    pub line: u64,
    /// What the operating system or the decompressor said.
    #[source]
    pub source: io::Error,
}

/// A record of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Number of its line, from 1.
    pub line: u64,
    /// Where it lay in the journal that it was exported from.
    pub position: Option<Position>,
    /// When it was received; never before that of an earlier line.
    pub received_at: Timestamp,
    /// The record.
    pub record: Record,
}

/// A line that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedLine {
    /// Its number, from 1.
    pub line: u64,
    /// Why: a fragment that fits after "line 7 was skipped: ".
    pub reason: String,
}

/// The lines of a recording in file order: records and, where a line could not be read, why.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    line: u64,
    latest: Timestamp,
    failed: bool,
}

/// Opens a file; a name that ends in `.gz` or `.zst` is decompressed.
///
/// # Errors
/// When the file cannot be opened.
pub fn open(path: &Path) -> Result<Lines<Box<dyn BufRead + Send>>, RecordingError> {
    let failed = |source| RecordingError { line: 1, source };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let ending = path
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let reader: Box<dyn BufRead + Send> = if ending.eq_ignore_ascii_case("gz") {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file)))
    } else if ending.eq_ignore_ascii_case("zst") {
        let decoder = zstd::stream::read::Decoder::with_buffer(file).map_err(failed)?;
        Box::new(BufReader::new(decoder))
    } else {
        Box::new(file)
    };
    Ok(Lines::new(reader))
}

impl<R: BufRead> Lines<R> {
    /// The lines of plain text.
    pub const fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            line: 0,
            latest: Timestamp::MIN,
            failed: false,
        }
    }

    /// Fills the buffer with the next line; `None` at the end, `Some(false)` when the line was too long to hold.
    fn next_line(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        let mut bounded = self.reader.by_ref().take(LINE_LIMIT + 1);
        if bounded.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.len() as u64 <= LINE_LIMIT || self.buffer.ends_with(b"\n") {
            return Ok(Some(true));
        }
        self.buffer = Vec::new();
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(Some(false));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(false));
            }
        }
    }

    fn read(&mut self) -> Result<Recorded, SkippedLine> {
        let skipped = |reason| SkippedLine {
            line: self.line,
            reason,
        };
        let parsed = parse(content(&self.buffer)).map_err(skipped)?;
        self.latest = self.latest.max(parsed.tst);
        Ok(Recorded {
            line: self.line,
            position: parsed.position,
            received_at: self.latest,
            record: parsed.record,
        })
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    /// After an error there is nothing more.
    type Item = Result<Result<Recorded, SkippedLine>, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.next_line() {
                Ok(None) => return None,
                Ok(Some(true)) if content(&self.buffer).is_empty() => {}
                Ok(Some(true)) => return Some(Ok(self.read())),
                Ok(Some(false)) => {
                    return Some(Ok(Err(SkippedLine {
                        line: self.line,
                        reason: format!("it is longer than {LINE_LIMIT} bytes"),
                    })));
                }
                Err(source) => {
                    self.failed = true;
                    let line = self.line + 1;
                    return Some(Err(RecordingError { line, source }));
                }
            }
        }
        None
    }
}

/// Without a byte order mark and white space around.
fn content(line: &[u8]) -> &[u8] {
    line.strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(line)
        .trim_ascii()
}
