//! Reading segment files without SQLite: for files that SQLite refuses, and without changing a byte of them.
//!
//! A block is found by the shape of its row and proved by its own checksum, wherever it lies: in a page, in the write-ahead log,
//! in a page that nothing points to any more. Leaves to `salvage` which of the blocks count. Keeps: nothing is written; what
//! is returned as whole was decoded to its last entry; bytes that belong to a whole block are never read as something else, so
//! that no payload can pose as a block beside it.

pub(super) mod cell;

pub(super) mod file;

pub(super) mod scan;

pub(super) mod wal;

/// Size of a page: SQLite's default, which segment files never change.
pub(super) const PAGE: usize = 4096;

/// Four bytes as a number, the highest first.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// Two bytes as a number, the highest first.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_be_bytes(two.try_into().ok()?)))
}
