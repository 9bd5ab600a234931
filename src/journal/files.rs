//! Reading entries across live and sealed segments, with a bounded cache.
//!
//! Keeps: an answer is a run of entries without a hole, all of them durable; a reader holds no transaction between two reads,
//! so it never stands in the writer's way.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::telemetry::Entry;
use crate::telemetry::Position;

use super::block;
use super::catalog::Catalog;
use super::catalog::Segment;
use super::disk::Disk;
use super::disk::Reading;
use super::error::JournalError;
use super::options::CACHE_BYTES;
use super::options::OPEN_FILES;
use super::options::READ_AHEAD_BYTES;
use super::segment::Kind;

/// What a cached span takes beside its entries, about, in bytes.
const SPAN_OVERHEAD: usize = 256;
/// A segment may be sealed between looking it up and opening it; then it is looked up again.
const LOOKUPS: usize = 3;

/// The files of one journal, for readers.
pub(super) struct Files {
    pub(super) dir: PathBuf,
    pub(super) id: String,
    pub(super) disk: Arc<dyn Disk>,
    /// Whether this process owns the journal; else it changes nothing, not even at the end.
    owned: bool,
    catalog: Mutex<Catalog>,
    open: Mutex<VecDeque<Box<dyn Reading>>>,
    cache: Mutex<Cache>,
}

/// Decoded entries by their first position; the one put in first leaves first.
#[derive(Default)]
struct Cache {
    spans: BTreeMap<Position, Arc<Span>>,
    order: VecDeque<Position>,
    bytes: usize,
}

/// A run of entries without a hole.
struct Span {
    entries: Vec<Entry>,
    bytes: usize,
}

/// Locks; a thread that panicked while it held the lock left whole data behind, for nothing here panics half-way.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    pub(super) fn new(
        dir: &Path,
        id: String,
        disk: Arc<dyn Disk>,
        catalog: Catalog,
        owned: bool,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            id,
            disk,
            owned,
            catalog: Mutex::new(catalog),
            open: Mutex::default(),
            cache: Mutex::default(),
        }
    }

    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        lock(&self.catalog)
    }

    /// Entries from `from` on, at most so many and so many bytes of memory, at least one if there is one.
    pub(super) fn read(
        &self,
        from: Position,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        let (first, last) = {
            let catalog = self.catalog();
            (catalog.first(), catalog.last())
        };
        let mut next = if from.0 == 0 { first } else { from };
        if next < first {
            return Err(JournalError::Gone { from, first });
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        while next <= last && entries.len() < max_entries && bytes < max_bytes {
            let span = match self.span(next) {
                Ok(span) => span,
                Err(error) if entries.is_empty() => return Err(error),
                // What was read is whole; the next read begins at the trouble and tells it.
                Err(_) => break,
            };
            let skip = usize::try_from(next.0 - span.first().0).unwrap_or(usize::MAX);
            for entry in span.entries.iter().skip(skip) {
                if entry.position > last || entries.len() == max_entries || bytes >= max_bytes {
                    break;
                }
                bytes += block::weight(entry);
                next = entry.position.next();
                entries.push(entry.clone());
            }
        }
        Ok(entries)
    }

    /// Keeps what the writer has just committed: live readers ask for it next.
    pub(super) fn remember(&self, entries: Vec<Entry>) {
        if let Some(span) = Span::new(entries) {
            lock(&self.cache).put(Arc::new(span));
        }
    }

    /// Closes readers' files of a segment that goes away.
    pub(super) fn forget(&self, path: &Path) {
        lock(&self.open).retain(|opened| opened.path() != path);
    }

    /// The entries around a position that the catalog holds.
    fn span(&self, position: Position) -> Result<Arc<Span>, JournalError> {
        if let Some(span) = lock(&self.cache).get(position) {
            return Ok(span);
        }
        let mut lookups = 0;
        loop {
            let segment = self.catalog().holding(position).cloned();
            let Some(segment) = segment else {
                let first = self.catalog().first();
                let from = position;
                return Err(JournalError::Gone { from, first });
            };
            lookups += 1;
            match self.load(&segment, position) {
                Ok(span) => {
                    let span = Arc::new(span);
                    lock(&self.cache).put(Arc::clone(&span));
                    return Ok(span);
                }
                Err(JournalError::Sqlite { path, .. }) if !path.exists() && lookups < LOOKUPS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads some blocks from the file.
    fn load(&self, segment: &Segment, position: Position) -> Result<Span, JournalError> {
        let path = segment.path(&self.dir);
        let opened = self.opened(&path, segment)?;
        let mut entries: Vec<Entry> = Vec::new();
        for stored in opened.blocks(position, READ_AHEAD_BYTES)? {
            let (first, last) = (stored.head.first, stored.head.last());
            if entries
                .last()
                .is_some_and(|one| one.position.next() != first)
            {
                break;
            }
            let decoded = stored
                .unpack()
                .and_then(|(head, data)| block::decode(&head, &data));
            match decoded {
                Ok(decoded) => entries.extend(decoded),
                // What is whole before the damage is still an answer; the next read meets the damage first.
                Err(_) if !entries.is_empty() => break,
                Err(detail) => return Err(opened.damaged(first, Some(last), detail)),
            }
        }
        entries.retain(|entry| entry.position < segment.end());
        let holds = entries.last().is_some_and(|one| one.position >= position);
        match Span::new(entries) {
            Some(span) if holds => {
                self.put_back(opened);
                Ok(span)
            }
            Some(_) | None => {
                let detail = format!("position {position} is not there");
                Err(opened.damaged(position, Some(segment.last()), detail))
            }
        }
    }

    fn opened(&self, path: &Path, segment: &Segment) -> Result<Box<dyn Reading>, JournalError> {
        let mut open = lock(&self.open);
        let kept = open.iter().position(|opened| opened.path() == path);
        if let Some(opened) = kept.and_then(|index| open.remove(index)) {
            return Ok(opened);
        }
        drop(open);
        // The index of a write-ahead log is shared memory, which a reader writes to as well.
        let live = segment.kind == Kind::Live;
        let opened = self.disk.open(path, &self.id, live)?;
        if self.owned {
            opened.leave_log()?;
        }
        Ok(opened)
    }

    fn put_back(&self, opened: Box<dyn Reading>) {
        let current = self
            .catalog()
            .holding(opened.first())
            .map(|segment| segment.path(&self.dir));
        if current.as_deref() != Some(opened.path()) {
            return;
        }
        let mut open = lock(&self.open);
        open.push_back(opened);
        if open.len() > OPEN_FILES {
            open.pop_front();
        }
    }
}

impl Span {
    fn new(entries: Vec<Entry>) -> Option<Self> {
        entries.first()?;
        let bytes = SPAN_OVERHEAD + entries.iter().map(block::weight).sum::<usize>();
        Some(Self { entries, bytes })
    }

    fn first(&self) -> Position {
        self.entries
            .first()
            .map_or(Position(0), |entry| entry.position)
    }

    fn last(&self) -> Position {
        self.entries
            .last()
            .map_or(Position(0), |entry| entry.position)
    }
}

impl Cache {
    fn get(&self, position: Position) -> Option<Arc<Span>> {
        let (_, span) = self.spans.range(..=position).next_back()?;
        (position <= span.last()).then(|| Arc::clone(span))
    }

    fn put(&mut self, span: Arc<Span>) {
        let first = span.first();
        self.bytes += span.bytes;
        if let Some(old) = self.spans.insert(first, span) {
            self.bytes -= old.bytes;
        } else {
            self.order.push_back(first);
        }
        while self.bytes > CACHE_BYTES && self.order.len() > 1 {
            let oldest = self.order.pop_front();
            if let Some(old) = oldest.and_then(|oldest| self.spans.remove(&oldest)) {
                self.bytes -= old.bytes;
            }
        }
    }
}
