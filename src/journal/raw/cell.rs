//! One row of the table `blocks` as bytes: a cell of a leaf page and the overflow pages that it goes on in.
//!
//! The format is SQLite's own (sqlite.org/fileformat2.html, section 1.6 and 2.1). Says only whether bytes have the shape of such
//! a row; whether they are one, its checksum says.

use std::ops::Range;

use crate::journal::block::Head;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::PAGE;
use super::be32;

/// Columns of the table, the key among them.
const COLUMNS: usize = 7;
/// Content of an overflow page: the first four bytes name the next page.
pub(super) const OVERFLOW: usize = PAGE - 4;
/// The most of a row that stays in its leaf page, and the least that does when it flows over.
const LOCAL_MAX: usize = PAGE - 35;
const LOCAL_MIN: usize = (PAGE - 12) * 32 / 255 - 23;

/// Bytes with the shape of a row.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) head: Head,
    pub(super) crc: u32,
    /// Size before compression; 0: not compressed.
    pub(super) unpacked: usize,
    /// Bytes of the column `data`.
    pub(super) length: usize,
    /// The part of `data` that lies in the leaf page.
    pub(super) local: Range<usize>,
    /// The page where the rest begins, when there is a rest.
    pub(super) overflow: Option<u32>,
    /// Where the cell ends in the leaf page.
    pub(super) end: usize,
}

impl Cell {
    /// The row whose cell begins at `at`, if the bytes there have that shape.
    pub(super) fn parse(page: &[u8], at: usize) -> Option<Self> {
        let (payload, next) = varint(page, at)?;
        let (first, start) = varint(page, next)?;
        let payload = usize::try_from(payload).ok()?;
        // The header has one byte for its own length and one per column, except for those of `data`.
        let header = usize::from(*page.get(start)?);
        if *page.get(start + 1)? != 0 || !(COLUMNS + 1..=COLUMNS + 9).contains(&header) {
            return None;
        }
        let mut at = start + 2;
        let mut value = start + header;
        let mut integers = [0_i64; COLUMNS - 2];
        for integer in &mut integers {
            let (kind, size) = integer_kind(*page.get(at)?)?;
            *integer = match kind {
                Kind::Constant(number) => number,
                Kind::Stored => signed(page.get(value..value + size)?),
            };
            value += size;
            at += 1;
        }
        let (kind, after) = varint(page, at)?;
        if kind < 12 || kind % 2 != 0 || after != start + header {
            return None;
        }
        let length = usize::try_from((kind - 12) / 2).ok()?;
        if value - start + length != payload {
            return None;
        }
        let stays = local_size(payload);
        let [count, received_first, received_last, crc, unpacked] = integers;
        let head = Head {
            first: Position(first),
            count: u64::try_from(count).ok()?,
            received_first: Timestamp::from_ms(received_first),
            received_last: Timestamp::from_ms(received_last),
        };
        let unpacked = usize::try_from(unpacked).ok()?;
        // An entry takes two bytes at least.
        let most = (unpacked.max(length) / 2) as u64;
        if head.count == 0 || head.count > most || first > i64::MAX.unsigned_abs() - most {
            return None;
        }
        let end = start + stays;
        let overflow = if stays < payload {
            Some(be32(page, end)?)
        } else {
            None
        };
        (end <= page.len()).then_some(Self {
            head,
            crc: u32::try_from(crc).ok()?,
            unpacked,
            length,
            local: value..end,
            overflow,
            end: end + if overflow.is_some() { 4 } else { 0 },
        })
    }
}

/// How much of a row of this size stays in its leaf page.
fn local_size(payload: usize) -> usize {
    if payload <= LOCAL_MAX {
        return payload;
    }
    let fitting = LOCAL_MIN + (payload - LOCAL_MIN) % OVERFLOW;
    if fitting <= LOCAL_MAX {
        fitting
    } else {
        LOCAL_MIN
    }
}

enum Kind {
    Constant(i64),
    Stored,
}

/// What the byte of an integer column says, and how many bytes its value takes.
const fn integer_kind(byte: u8) -> Option<(Kind, usize)> {
    Some(match byte {
        1..=4 => (Kind::Stored, byte as usize),
        5 => (Kind::Stored, 6),
        6 => (Kind::Stored, 8),
        8 => (Kind::Constant(0), 0),
        9 => (Kind::Constant(1), 0),
        _ => return None,
    })
}

fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1_i64 } else { 0 };
    bytes
        .iter()
        .fold(start, |value, &byte| (value << 8) | i64::from(byte))
}

/// SQLite's variable-length number: seven bits a byte, the highest first, eight in the ninth.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for index in 0..8 {
        let byte = *bytes.get(at + index)?;
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    let last = *bytes.get(at + 8)?;
    Some(((value << 8) | u64::from(last), at + 9))
}
