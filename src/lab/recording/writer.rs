//! Writing journal entries as lines of a recording.

use std::io::{self, Write};

use serde::Serialize;

use super::tst::format_tst;
use crate::telemetry::{Control, Entry, Position, RawMessage, Record, Timestamp};

#[derive(Serialize)]
struct MessageLine<'a> {
    tst: String,
    topic: &'a str,
    qos: u8,
    retain: u8,
    payloadlen: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hex: Option<String>,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    dup: u8,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    queued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oversize: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

#[derive(Serialize)]
struct ControlLine<'a> {
    tst: String,
    control: &'a Control,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

/// The line of an entry, without its end; `None` for a tick, which replaying does not need.
///
/// # Errors
/// When a control cannot be said in JSON; none of ours is so.
pub fn line_of(entry: &Entry) -> Result<Option<String>, serde_json::Error> {
    let position = Some(entry.position);
    match &entry.record {
        Record::Message(message) => message_line(entry.received_at, message, position).map(Some),
        Record::Control(control) => control_line(entry.received_at, control, position).map(Some),
        Record::Tick => Ok(None),
    }
}

fn message_line(
    at: Timestamp,
    message: &RawMessage,
    position: Option<Position>,
) -> Result<String, serde_json::Error> {
    let payload = std::str::from_utf8(&message.payload).ok();
    serde_json::to_string(&MessageLine {
        tst: format_tst(at),
        topic: &message.topic,
        qos: message.qos,
        retain: u8::from(message.retained),
        payloadlen: message.payload.len(),
        payload,
        payload_hex: payload.is_none().then(|| to_hex(&message.payload)),
        source: &message.source,
        content_type: message.content_type.as_deref(),
        dup: u8::from(message.dup),
        queued: message.queued,
        oversize: message.oversize,
        position,
    })
}

fn control_line(
    at: Timestamp,
    control: &Control,
    position: Option<Position>,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&ControlLine {
        tst: format_tst(at),
        control,
        position,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Writes a recording.
pub struct RecordingWriter<W> {
    to: W,
    /// The tick that was left out last, if nothing came after it.
    ticked: Option<Timestamp>,
}

impl<W: Write> RecordingWriter<W> {
    /// Writes to a file, a pipe or memory; buffering is the caller's choice.
    pub const fn new(to: W) -> Self {
        Self { to, ticked: None }
    }

    /// Writes one entry; `false` for a tick, which is left out. The last tick before a process ended, before the journal took
    /// nothing for a while, or before records that are lost, is no mere tick: it says until when somebody was there. It becomes an
    /// end line.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn write(&mut self, entry: &Entry) -> io::Result<bool> {
        let Some(line) = line_of(entry)? else {
            self.ticked = Some(entry.received_at);
            return Ok(false);
        };
        let ticked = self.ticked.take();
        let away = matches!(
            entry.record,
            Record::Control(Control::Started { .. } | Control::Stalled | Control::Lost { .. })
        );
        if let Some(at) = ticked.filter(|_| away) {
            self.control(at, &Control::End)?;
        }
        self.line(&line).map(|()| true)
    }

    /// Writes a message that lies in no journal: what a simulation or a table made.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn message(&mut self, at: Timestamp, message: &RawMessage) -> io::Result<()> {
        let line = message_line(at, message, None)?;
        self.line(&line)
    }

    /// Writes a control that lies in no journal.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn control(&mut self, at: Timestamp, control: &Control) -> io::Result<()> {
        let line = control_line(at, control, None)?;
        self.line(&line)
    }

    /// Writes the last line: replaying fires what is due up to here. Returns the target, flushed.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn end(mut self, at: Timestamp) -> io::Result<W> {
        self.control(at, &Control::End)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.to.write_all(line.as_bytes())?;
        self.to.write_all(b"\n")
    }
}
