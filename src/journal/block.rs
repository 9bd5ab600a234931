//! How entries become bytes: a block is what one commit, or one compressed row of a sealed segment, holds.
//!
//! A block begins with its format version; positions count up from the row's first, times are differences, a message is postcard,
//! a control is JSON (so that a release can read what another wrote with fields added). Keeps: what does not decode whole, to
//! the last byte and with the number of entries it claims, is damage and never half an answer.

use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// Format of a block; its first byte. A change of [`RawMessage`] takes a new kind of entry, not a new format.
const BLOCK_FORMAT: u8 = 1;
const KIND_MESSAGE: u8 = 1;
const KIND_CONTROL: u8 = 2;
const KIND_TICK: u8 = 3;
/// What an entry takes in memory beside its texts and payload, about.
const ENTRY_OVERHEAD: usize = 256;

/// Records, encoded by whoever appends them, so that the writer's thread only joins them.
pub(super) struct Encoded {
    bytes: Vec<u8>,
    /// Where each record ends in `bytes`.
    ends: Vec<usize>,
}

/// What the columns of a block's row say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first: Position,
    pub(super) count: u64,
    pub(super) received_first: Timestamp,
    pub(super) received_last: Timestamp,
}

/// A run of entries as bytes, not compressed.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) head: Head,
    pub(super) data: Vec<u8>,
}

impl Encoded {
    pub(super) fn new(records: &[Record]) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(records.len());
        for record in records {
            bytes = encode(bytes, record)?;
            ends.push(bytes.len());
        }
        Ok(Self { bytes, ends })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// One slice per record.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .filter_map(|(start, &end)| self.bytes.get(start..end))
    }
}

impl Head {
    /// The last position; the one before `first` when it holds nothing.
    pub(super) fn last(&self) -> Position {
        Position((self.first.0 + self.count).saturating_sub(1))
    }

    /// CRC-32 over the head and the stored bytes: SQLite itself keeps no checksum of its pages.
    pub(super) fn crc(&self, stored: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(&self.first.0.to_le_bytes());
        crc.update(&self.count.to_le_bytes());
        crc.update(&self.received_first.ms().to_le_bytes());
        crc.update(&self.received_last.ms().to_le_bytes());
        crc.update(stored);
        crc.sum()
    }
}

impl Block {
    /// An empty block whose first entry will have this place. `received_at`: not after that entry's time.
    pub(super) fn new(first: Position, received_at: Timestamp) -> Self {
        Self {
            head: Head {
                first,
                count: 0,
                received_first: received_at,
                received_last: received_at,
            },
            data: vec![BLOCK_FORMAT],
        }
    }

    /// Adds one encoded record; returns its place.
    pub(super) fn push(&mut self, received_at: Timestamp, encoded: &[u8]) -> Position {
        if self.head.count == 0 {
            self.head.received_first = received_at;
            self.head.received_last = received_at;
        }
        let delta = received_at.since(self.head.received_last).max(0);
        put_varint(&mut self.data, delta.unsigned_abs());
        self.data.extend_from_slice(encoded);
        self.head.received_last = self.head.received_last + delta;
        self.head.count += 1;
        self.head.last()
    }

    /// Adds an entry that has been decoded before.
    pub(super) fn push_entry(&mut self, entry: &Entry) -> Result<(), String> {
        let encoded = encode(Vec::new(), &entry.record)?;
        self.push(entry.received_at, &encoded);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.count == 0
    }
}

/// Reads all entries of a block.
pub(super) fn decode(head: &Head, data: &[u8]) -> Result<Vec<Entry>, String> {
    let (&format, mut rest) = data.split_first().ok_or("the block is empty")?;
    if format != BLOCK_FORMAT {
        return Err(format!(
            "the block has the format {format}, known is {BLOCK_FORMAT}"
        ));
    }
    // An entry takes two bytes at least; a wrong count must not reserve memory.
    let expected = usize::try_from(head.count).unwrap_or(usize::MAX);
    let mut entries = Vec::with_capacity(expected.min(data.len() / 2));
    let mut received_at = head.received_first;
    while !rest.is_empty() {
        let position = Position(head.first.0 + entries.len() as u64);
        let (delta, after) = take_varint(rest)
            .ok_or_else(|| format!("the time of position {position} is cut off"))?;
        received_at = received_at + i64::try_from(delta).unwrap_or(i64::MAX);
        let (record, after) =
            decode_record(after).map_err(|error| format!("position {position}: {error}"))?;
        rest = after;
        entries.push(Entry {
            position,
            received_at,
            record,
        });
    }
    if entries.len() != expected {
        let found = entries.len();
        return Err(format!("{found} entries where {expected} were written"));
    }
    Ok(entries)
}

/// What an entry takes in memory, about, in bytes.
pub(super) fn weight(entry: &Entry) -> usize {
    ENTRY_OVERHEAD
        + match &entry.record {
            Record::Message(message) => message.payload.len() + message.topic.len(),
            Record::Control(control) => match control {
                Control::Profiles { profiles, words } => {
                    let texts = profiles.iter().chain(words);
                    texts.map(|text| text.name.len() + text.text.len()).sum()
                }
                Control::Zones { zones } => zones.values().map(|zone| zone.len() * 16).sum(),
                Control::Replay { message, .. } => message.payload.len() + message.topic.len(),
                Control::Started { .. }
                | Control::SourceUp { .. }
                | Control::SourceDown { .. }
                | Control::Stalled
                | Control::ClockStep { .. }
                | Control::Settings(_)
                | Control::Device { .. }
                | Control::PartReplaced { .. }
                | Control::Ticket { .. }
                | Control::Lost { .. }
                | Control::End => ENTRY_OVERHEAD,
            },
            Record::Tick => 0,
        }
}

fn encode(mut out: Vec<u8>, record: &Record) -> Result<Vec<u8>, String> {
    match record {
        Record::Message(message) => {
            out.push(KIND_MESSAGE);
            out = postcard::to_extend(message, out).map_err(|error| error.to_string())?;
        }
        Record::Control(control) => {
            let json = serde_json::to_vec(control).map_err(|error| error.to_string())?;
            out.push(KIND_CONTROL);
            put_varint(&mut out, json.len() as u64);
            out.extend_from_slice(&json);
        }
        Record::Tick => out.push(KIND_TICK),
    }
    Ok(out)
}

fn decode_record(bytes: &[u8]) -> Result<(Record, &[u8]), String> {
    let (&kind, rest) = bytes.split_first().ok_or("cut off")?;
    match kind {
        KIND_MESSAGE => postcard::take_from_bytes::<RawMessage>(rest)
            .map(|(message, rest)| (Record::Message(message), rest))
            .map_err(|error| error.to_string()),
        KIND_CONTROL => {
            let (length, rest) = take_varint(rest).ok_or("cut off")?;
            let length = usize::try_from(length).map_err(|error| error.to_string())?;
            let (json, rest) = rest.split_at_checked(length).ok_or("cut off")?;
            serde_json::from_slice::<Control>(json)
                .map(|control| (Record::Control(control), rest))
                .map_err(|error| format!("a control that this release does not read: {error}"))
        }
        KIND_TICK => Ok((Record::Tick, rest)),
        other => Err(format!("unknown kind of entry {other}")),
    }
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}
