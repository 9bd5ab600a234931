//! Finds every whole block in the bytes of a segment file and its write-ahead log.
//!
//! First along the leaf pages as SQLite would see them, then along pages that it would not, last at every byte that belongs to no
//! block found so far. Where the chain of a row's overflow pages is broken, the pages beside it are tried: a segment is written in
//! one direction, so that they lie together. Keeps: what is found was proved by its checksum and decoded; a better view wins.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::journal::block;
use crate::journal::block::Head;
use crate::journal::segment::Stored;
use crate::telemetry::Position;

use super::PAGE;
use super::be16;
use super::be32;
use super::cell::Cell;
use super::cell::OVERFLOW;
use super::wal::Wal;

/// First byte of a leaf page of a table.
const LEAF: u8 = 0x0d;
/// Where the pointers to the cells begin in a leaf page.
const POINTERS: usize = 8;
/// Cells that are not whole, remembered for the reasons of losses; a thoroughly broken file has more than anyone reads.
const TORN_LIMIT: usize = 10_000;
/// How far around its leaf page the rest of a row is looked for when nothing points to it: a leaf holds eight rows that flow over.
const BESIDE: u32 = 64;
/// Rows with more overflow pages than this are looked for only where they should be: each try reads them whole.
const SEARCHED_PAGES: usize = 32;
/// Length of a journal's id.
const ID: usize = 32;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Main,
    Wal,
}

/// Bytes of one of the two files.
#[derive(Clone, Debug)]
struct Piece {
    of: In,
    range: Range<usize>,
}

/// A block that is whole, and where its bytes lie.
#[derive(Clone, Debug)]
pub(in crate::journal) struct Whole {
    pub(in crate::journal) head: Head,
    crc: u32,
    unpacked: usize,
    pieces: Vec<Piece>,
    /// How far from what SQLite would see it was found; the lowest counts.
    pub(in crate::journal) rank: u8,
}

/// What has the shape of a block and is none.
#[derive(Clone, Debug)]
pub(in crate::journal) struct Torn {
    pub(in crate::journal) head: Head,
    pub(in crate::journal) detail: String,
}

/// What a segment's files hold.
#[derive(Debug, Default)]
pub(in crate::journal) struct Found {
    /// In the order in which they were found, so by rank.
    pub(in crate::journal) wholes: Vec<Whole>,
    pub(in crate::journal) torn: Vec<Torn>,
    /// The journal's id, as the file says.
    pub(in crate::journal) id: Option<String>,
}

/// The two files of a segment.
#[derive(Clone, Copy)]
pub(in crate::journal) struct Files<'a> {
    pub(in crate::journal) main: &'a [u8],
    pub(in crate::journal) wal: &'a [u8],
}

/// Which content a page number means.
#[derive(Default)]
struct View {
    in_wal: BTreeMap<u32, usize>,
}

struct Scanner<'a> {
    files: Files<'a>,
    /// As SQLite sees it, without the log, and with everything in the log.
    views: [View; 3],
    /// Bytes of whole blocks, in each file: beginning and end.
    used: [BTreeMap<usize, usize>; 2],
    seen: BTreeSet<(Position, u64, u32)>,
    /// Cells that were tried in every way, by head, beginning of the rest and their bytes in the leaf: a log repeats its pages.
    tried: BTreeMap<(Position, u32, Option<u32>, u32), String>,
    /// The page at which the row found last ends: the next one's pages follow.
    last_page: u32,
    found: Found,
}

/// The journal's id, as the files of a segment say.
pub(in crate::journal) fn id(files: Files<'_>) -> Option<String> {
    Scanner::new(files, &Wal::parse(files.wal)).found.id
}

/// Looks through the files of one segment.
pub(in crate::journal) fn scan(files: Files<'_>) -> Found {
    let wal = Wal::parse(files.wal);
    let mut scanner = Scanner::new(files, &wal);
    scanner.as_sqlite_sees_it();
    scanner.other_leaves(&wal);
    scanner.every_byte(&wal);
    scanner.found
}

impl Whole {
    /// The block as it lies in its row.
    pub(in crate::journal) fn stored(&self, files: Files<'_>) -> Stored {
        let mut data = Vec::new();
        for piece in &self.pieces {
            data.extend_from_slice(
                files
                    .bytes(piece.of)
                    .get(piece.range.clone())
                    .unwrap_or(&[]),
            );
        }
        Stored::new(self.head, self.crc, self.unpacked, data)
    }

    /// Every range of bytes that the block lies in: in the file, then in its log.
    #[cfg(test)]
    pub(in crate::journal) fn ranges(&self) -> [Vec<Range<usize>>; 2] {
        [In::Main, In::Wal].map(|of| {
            let own = self.pieces.iter().filter(|piece| piece.of == of);
            own.map(|piece| piece.range.clone()).collect()
        })
    }
}

impl<'a> Files<'a> {
    const fn bytes(self, of: In) -> &'a [u8] {
        match of {
            In::Main => self.main,
            In::Wal => self.wal,
        }
    }
}

impl View {
    /// Where a page's content begins.
    fn page(&self, number: u32) -> (In, usize) {
        self.in_wal.get(&number).map_or_else(
            || (In::Main, (number.max(1) as usize - 1) * PAGE),
            |at| (In::Wal, *at),
        )
    }
}

impl<'a> Scanner<'a> {
    fn new(files: Files<'a>, wal: &Wal) -> Self {
        let mut views = [View::default(), View::default(), View::default()];
        let [current, _, anything] = &mut views;
        for (index, frame) in wal.frames.iter().enumerate() {
            if index < wal.committed {
                current.in_wal.insert(frame.page, frame.at);
            }
            anything.in_wal.insert(frame.page, frame.at);
        }
        let mut scanner = Self {
            files,
            views,
            used: Default::default(),
            seen: BTreeSet::new(),
            tried: BTreeMap::new(),
            last_page: 0,
            found: Found::default(),
        };
        scanner.found.id = scanner.id(wal);
        scanner
    }

    fn as_sqlite_sees_it(&mut self) {
        let in_file = self.files.main.len().div_ceil(PAGE);
        let [current, ..] = &self.views;
        let in_log = current.in_wal.last_key_value().map_or(0, |(page, _)| *page);
        let pages = u32::try_from(in_file).unwrap_or(u32::MAX).max(in_log);
        for number in 1..=pages {
            let [current, ..] = &self.views;
            let (of, at) = current.page(number);
            self.leaf(of, at, number, 0);
        }
    }

    /// Pages that the log has replaced, or that no commit has closed.
    fn other_leaves(&mut self, wal: &Wal) {
        for frame in &wal.frames {
            self.leaf(In::Wal, frame.at, frame.page, 1);
        }
        for index in 0..self.files.main.len().div_ceil(PAGE) {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            self.leaf(In::Main, index * PAGE, number, 1);
        }
    }

    fn every_byte(&mut self, wal: &Wal) {
        for frame in &wal.frames {
            self.free_bytes(In::Wal, frame.at, frame.page);
        }
        // A page that was cut off with its frame.
        let end = wal.frames.last().map_or(0, |frame| frame.at + PAGE);
        self.free_bytes(In::Wal, end, 1);
        for index in 0..self.files.main.len().div_ceil(PAGE) {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            self.free_bytes(In::Main, index * PAGE, number);
        }
    }

    /// The cells of a leaf page, where it says that they are.
    fn leaf(&mut self, of: In, start: usize, number: u32, rank: u8) {
        let page = self.page(of, start);
        if page.first() != Some(&LEAF) {
            return;
        }
        let count = be16(page, 3).unwrap_or(0).min(PAGE / 2);
        let cells: Vec<usize> = (0..count)
            .filter_map(|index| be16(page, POINTERS + 2 * index))
            .collect();
        for at in cells {
            let Some(cell) = Cell::parse(self.page(of, start), at) else {
                continue;
            };
            let head = cell.head;
            if let Some(detail) = self.take(of, start, at, number, &cell, rank).err()
                && self.found.torn.len() < TORN_LIMIT
            {
                self.found.torn.push(Torn { head, detail });
            }
        }
    }

    /// Whatever has the shape of a row, in what belongs to no block.
    fn free_bytes(&mut self, of: In, start: usize, number: u32) {
        let end = start + self.page(of, start).len();
        let mut at = start;
        while at < end {
            let used = self.used_by(of).range(..=at).next_back();
            if let Some((_, &until)) = used.filter(|(_, until)| **until > at) {
                at = until;
                continue;
            }
            let next = self.used_by(of).range(at..end).next();
            let free = next.map_or(end, |(next, _)| *next);
            let mut after = free;
            while at < free {
                let cell = Cell::parse(self.page(of, start), at - start);
                if let Some(cell) = cell
                    && self.take(of, start, at - start, number, &cell, 2).is_ok()
                {
                    after = cell.end + start;
                    break;
                }
                at += 1;
            }
            at = after;
        }
    }

    /// Proves a cell to be a block, and takes it.
    fn take(
        &mut self,
        of: In,
        start: usize,
        at: usize,
        number: u32,
        cell: &Cell,
        rank: u8,
    ) -> Result<(), String> {
        let key = (cell.head.first, cell.head.count, cell.crc);
        // A log repeats its leaf pages with every commit; one whole copy is enough.
        if self.seen.contains(&key) {
            self.used_by_mut(of).insert(start + at, start + cell.end);
            return Ok(());
        }
        let pieces = self.prove(of, start, number, cell)?;
        self.used_by_mut(of).insert(start + at, start + cell.end);
        for piece in pieces.iter().skip(1) {
            // With the number of the next page before it.
            let used = self.used_by_mut(piece.of);
            used.insert(piece.range.start - 4, piece.range.start - 4 + PAGE);
        }
        self.seen.insert(key);
        self.found.wholes.push(Whole {
            head: cell.head,
            crc: cell.crc,
            unpacked: cell.unpacked,
            pieces,
            rank,
        });
        Ok(())
    }

    /// The bytes of the block, if there is a way to read it whole.
    fn prove(
        &mut self,
        of: In,
        start: usize,
        number: u32,
        cell: &Cell,
    ) -> Result<Vec<Piece>, String> {
        let local = Piece {
            of,
            range: start + cell.local.start..start + cell.local.end,
        };
        let rest = cell.length.saturating_sub(cell.local.len());
        let Some(overflow) = cell.overflow else {
            let pieces = vec![local];
            return self.check(cell, &pieces).map(|()| pieces);
        };
        let count = rest.div_ceil(OVERFLOW);
        let mut own = flate2::Crc::new();
        own.update(self.files.bytes(of).get(local.range.clone()).unwrap_or(&[]));
        let tried = (cell.head.first, cell.crc, cell.overflow, own.sum());
        if let Some(why) = self.tried.get(&tried) {
            return Err(why.clone());
        }
        // Without a log there is one way to see the file.
        let views = if self.files.wal.is_empty() {
            1
        } else {
            self.views.len()
        };
        let mut why = Err("its pages are not there".to_owned());
        for (chained, first) in self.ways(number, count, overflow) {
            for view in 0..views {
                let Some(pieces) = self.follow(view, &local, rest, first, chained) else {
                    continue;
                };
                let checked = self.check(cell, &pieces);
                if checked.is_ok() {
                    let pages = u32::try_from(count).unwrap_or(u32::MAX);
                    self.last_page = first.saturating_add(pages).saturating_sub(1).max(number);
                    return Ok(pieces);
                }
                why = checked.map(|()| Vec::new());
            }
        }
        if let Err(why) = &why
            && self.tried.len() < TORN_LIMIT
        {
            self.tried.insert(tried, why.clone());
        }
        why
    }

    /// Where the rest of a row may begin, and whether its pages name each other: as they say; as they lie; where it should be.
    fn ways(&self, number: u32, count: usize, overflow: u32) -> Vec<(bool, u32)> {
        let pages = u32::try_from(count).unwrap_or(u32::MAX);
        let mut ways = vec![(true, overflow), (false, overflow)];
        let mut beside = |first: u32| ways.push((false, first));
        // Its pages are taken before the leaf that it then begins, or behind those of the row before it.
        for back in 0..3 {
            beside(number.saturating_sub(pages).saturating_sub(back));
        }
        for on in 1..9 {
            beside(self.last_page.saturating_add(on));
        }
        for on in 1..4 {
            beside(number.saturating_add(on));
        }
        if count <= SEARCHED_PAGES {
            for first in number.saturating_sub(BESIDE)..number.saturating_add(BESIDE) {
                beside(first);
            }
        }
        ways.retain(|(_, first)| *first > 1);
        ways
    }

    /// The pieces of a row whose rest begins at a page.
    fn follow(
        &self,
        view: usize,
        local: &Piece,
        rest: usize,
        first: u32,
        chained: bool,
    ) -> Option<Vec<Piece>> {
        let view = self.views.get(view)?;
        let mut pieces = vec![local.clone()];
        let (mut left, mut next) = (rest, first);
        while left > 0 {
            let (of, at) = view.page(next);
            let here = left.min(OVERFLOW);
            let bytes = self.files.bytes(of);
            if next == 0 || at + 4 + here > bytes.len() {
                return None;
            }
            pieces.push(Piece {
                of,
                range: at + 4..at + 4 + here,
            });
            left -= here;
            next = if chained {
                be32(bytes, at)?
            } else {
                next.checked_add(1)?
            };
        }
        Some(pieces)
    }

    fn check(&self, cell: &Cell, pieces: &[Piece]) -> Result<(), String> {
        let whole = Whole {
            head: cell.head,
            crc: cell.crc,
            unpacked: cell.unpacked,
            pieces: pieces.to_vec(),
            rank: 0,
        };
        let (head, data) = whole.stored(self.files).unpack()?;
        block::decode(&head, &data).map(|_| ())
    }

    /// A page's content; less than a page where the file is cut off.
    fn page(&self, of: In, start: usize) -> &[u8] {
        let bytes = self.files.bytes(of);
        let end = (start + PAGE).min(bytes.len());
        bytes.get(start..end).unwrap_or(&[])
    }

    const fn used_by(&self, of: In) -> &BTreeMap<usize, usize> {
        let [main, wal] = &self.used;
        match of {
            In::Main => main,
            In::Wal => wal,
        }
    }

    const fn used_by_mut(&mut self, of: In) -> &mut BTreeMap<usize, usize> {
        let [main, wal] = &mut self.used;
        match of {
            In::Main => main,
            In::Wal => wal,
        }
    }

    /// The journal's id: it stands behind its name in the table `meta`, which a new file holds in its first pages.
    fn id(&self, wal: &Wal) -> Option<String> {
        const NAME: &[u8] = b"journal";
        const PAGES: usize = 8;
        let frames = wal.frames.iter().take(PAGES);
        let mut pages: Vec<&[u8]> = frames.map(|frame| self.page(In::Wal, frame.at)).collect();
        pages.extend((0..PAGES).map(|index| self.page(In::Main, index * PAGE)));
        pages.iter().find_map(|page| {
            page.windows(NAME.len() + ID).find_map(|window| {
                let id = window.strip_prefix(NAME)?;
                let hex = id
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                hex.then(|| String::from_utf8_lossy(id).into_owned())
            })
        })
    }
}
