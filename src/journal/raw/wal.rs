//! SQLite's write-ahead log as bytes: its frames, which of them count, and whether it ends as it should.
//!
//! The format is SQLite's own (sqlite.org/fileformat2.html, section 4). Keeps: a frame counts when its checksums and those of
//! all before it fit and a commit closes it, as SQLite judges; what follows then may only be left over from an earlier round.

use super::PAGE;
use super::be32;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The lowest bit says in which order of bytes the checksums are.
const MAGIC: u32 = 0x377f_0682;

/// One page in the log.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Frame {
    /// Which page of the file it replaces; the first is 1.
    pub(in crate::journal) page: u32,
    /// Where its content begins in the log.
    pub(in crate::journal) at: usize,
}

/// A write-ahead log, looked through.
#[derive(Debug, Default)]
pub(in crate::journal) struct Wal {
    /// Every frame that lies whole in the file, whether it counts or not.
    pub(in crate::journal) frames: Vec<Frame>,
    /// The first so many of them count.
    pub(in crate::journal) committed: usize,
    /// Why it does not end as a log should.
    pub(in crate::journal) damage: Option<String>,
}

/// What the log's header says.
struct Header {
    big_endian: bool,
    round: u32,
    salts: (u32, u32),
    sums: (u32, u32),
}

impl Wal {
    pub(in crate::journal) fn parse(bytes: &[u8]) -> Self {
        let mut wal = Self::default();
        let mut at = HEADER;
        while let Some(page) = be32(bytes, at)
            && at + FRAME_HEADER + PAGE <= bytes.len()
        {
            let content = at + FRAME_HEADER;
            wal.frames.push(Frame { page, at: content });
            at = content + PAGE;
        }
        // A log that the system made longer and never wrote to holds nothing.
        if bytes.iter().all(|byte| *byte == 0) {
            return wal;
        }
        let Some(header) = header(bytes) else {
            wal.damage = Some("the write-ahead log has no valid beginning".to_owned());
            return wal;
        };
        wal.count(bytes, &header);
        wal.damage = wal.rest(bytes, &header);
        wal
    }

    /// How many frames count: up to the last commit before the first checksum that does not fit.
    fn count(&mut self, bytes: &[u8], header: &Header) {
        let mut sums = header.sums;
        for (index, frame) in self.frames.iter().enumerate() {
            let start = frame.at - FRAME_HEADER;
            let word = |at| be32(bytes, start + at).unwrap_or(0);
            let (Some(head), Some(content)) = (
                bytes.get(start..start + 8),
                bytes.get(frame.at..frame.at + PAGE),
            ) else {
                return;
            };
            sums = sum(header.big_endian, sums, head);
            sums = sum(header.big_endian, sums, content);
            let fits = (word(8), word(12)) == header.salts && (word(16), word(20)) == sums;
            if !fits || frame.page == 0 {
                return;
            }
            if word(4) != 0 {
                self.committed = index + 1;
            }
        }
    }

    /// Whether what follows the last commit is of earlier rounds: their salts count up, one by one.
    fn rest(&self, bytes: &[u8], header: &Header) -> Option<String> {
        let committed = self.committed;
        let what = "a process that was killed while it wrote leaves this, and the next start puts it right; else it is damage";
        for (index, frame) in self.frames.iter().enumerate().skip(committed) {
            let start = frame.at - FRAME_HEADER;
            let word = |at| be32(bytes, start + at).unwrap_or(0);
            let age = header.salts.0.wrapping_sub(word(8));
            let earlier =
                age > 0 && age <= header.round && word(12) != header.salts.1 && frame.page != 0;
            if !earlier {
                return Some(format!(
                    "the write-ahead log has {committed} whole frames, and frame {} belongs to no whole commit ({what})",
                    index + 1
                ));
            }
        }
        let end = HEADER + self.frames.len() * (FRAME_HEADER + PAGE);
        (bytes.len() != end).then(|| {
            format!(
                "the write-ahead log ends {} bytes into a frame ({what})",
                bytes.len().saturating_sub(end)
            )
        })
    }
}

fn header(bytes: &[u8]) -> Option<Header> {
    let magic = be32(bytes, 0)?;
    if magic & !1 != MAGIC {
        return None;
    }
    let big_endian = magic & 1 == 1;
    let sums = sum(big_endian, (0, 0), bytes.get(..24)?);
    let valid = (be32(bytes, 24)?, be32(bytes, 28)?) == sums && be32(bytes, 8)? as usize == PAGE;
    valid.then_some(Header {
        big_endian,
        round: be32(bytes, 12)?,
        salts: (be32(bytes, 16)?, be32(bytes, 20)?),
        sums,
    })
}

/// SQLite's running checksum over pairs of words.
fn sum(big_endian: bool, (mut first, mut second): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |four: &[u8]| {
        let four: [u8; 4] = four.try_into().unwrap_or_default();
        if big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    };
    for eight in bytes.chunks_exact(8) {
        let (one, two) = eight.split_at(4);
        first = first.wrapping_add(word(one)).wrapping_add(second);
        second = second.wrapping_add(word(two)).wrapping_add(first);
    }
    (first, second)
}
