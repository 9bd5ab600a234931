//! The housekeeper: seals closed segments and removes what nobody needs.
//!
//! Leaves writing to the writer; they meet only in the catalog. Keeps: at every moment each position lies in exactly one valid
//! file, whatever crashes; nothing is removed that a consumer, or one of the newest two base checkpoints, still needs; the
//! newest segment is never removed, for it tells which position comes next.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::Held;
use super::block;
use super::block::Block;
use super::catalog::Segment;
use super::error::JournalError;
use super::files::lock;
use super::options::HOUSEKEEPING;
use super::options::RESERVE_PART;
use super::options::SEALED_BLOCK_BYTES;
use super::queue::Space;
use super::running::Shared;
use super::segment;
use super::segment::Kind;
use super::segment::Opened;
use super::segment::file_name;
use super::writer::Chain;

/// The housekeeper's thread: until the journal closes.
pub(super) fn run(shared: &Arc<Shared>) {
    loop {
        shared.tidy();
        let mut call = lock(&shared.keeper.call);
        while !call.wanted && !call.closed {
            let waited = shared.keeper.called.wait_timeout(call, HOUSEKEEPING);
            let (back, timeout) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
            call = back;
            if timeout.timed_out() {
                break;
            }
        }
        call.wanted = false;
        if call.closed {
            return;
        }
    }
}

impl Shared {
    /// Seals what is closed, removes what may go, and sees whether there is space.
    pub(super) fn tidy(&self) {
        let sealing = lock(&self.keeper.sealing);
        loop {
            let closed = self
                .files
                .catalog()
                .iter()
                .find(|one| sealable(one))
                .cloned();
            let Some(segment) = closed else { break };
            let Err(error) = self.seal(&segment) else {
                continue;
            };
            tracing::error!(error = %Chain(&error), first = %segment.first, "a segment cannot be sealed and stays as it is");
            if !matches!(error, JournalError::Damaged { .. }) {
                // Trouble of the machine, such as a full disk: again at the next round.
                break;
            }
            if let Some(segment) = self.files.catalog().get_mut(segment.first) {
                segment.unsealable = true;
            }
        }
        drop(sealing);
        self.make_room();
    }

    /// Sees whether the byte budget is used up; for the writer, after each commit.
    pub(super) fn check_budget(&self) {
        let over = self.files.catalog().bytes() >= self.options.max_bytes;
        if over || self.queue.space_now() != Space::Everything {
            self.make_room();
        }
    }

    /// Removes what may go, then says what there is room for. One at a time, so that the later answer is the newer one.
    pub(super) fn make_room(&self) {
        let _one_at_a_time = lock(&self.keeper.retaining);
        self.retain();
        let max = self.options.max_bytes;
        let bytes = self.files.catalog().bytes();
        let space = self.space(bytes);
        self.tell_held();
        let before = self.queue.set_space(space);
        if before == space {
            return;
        }
        match space {
            Space::Everything => {
                tracing::info!(bytes, max_bytes = max, "the journal has space again");
            }
            Space::ControlsOnly | Space::Nothing => {
                let nobody = "nobody; the newest segments alone are too large";
                let held = lock(&self.cursors).hold();
                let (position, holder) = held.map_or_else(
                    || (Position(0), nobody.to_owned()),
                    |(position, holder)| (position, holder.to_string()),
                );
                tracing::error!(
                    bytes,
                    max_bytes = max,
                    held_by = holder,
                    held_from = %position,
                    "the journal has reached its byte budget and may remove nothing: no message is acknowledged until there is space"
                );
            }
        }
    }

    /// What there is room for when the files have so many bytes.
    fn space(&self, bytes: u64) -> Space {
        let max = self.options.max_bytes;
        if bytes < max {
            Space::Everything
        } else if bytes - max < max / RESERVE_PART {
            Space::ControlsOnly
        } else {
            Space::Nothing
        }
    }

    /// Removes whole segments, the oldest first, that are too old or over the budget and that nobody needs.
    fn retain(&self) {
        loop {
            let Some(segment) = self.removable() else {
                return;
            };
            let path = segment.path(&self.files.dir);
            self.files.catalog().remove(segment.first);
            self.files.forget(&path);
            match self.files.disk.remove(&path) {
                Ok(()) => tracing::info!(
                    first = %segment.first,
                    last = %segment.last(),
                    bytes = segment.bytes,
                    "a journal segment was removed"
                ),
                Err(error) => {
                    // It is found again at the next start.
                    tracing::error!(error = %Chain(&error), "a journal segment cannot be removed");
                }
            }
        }
    }

    /// What should go by age or bytes, and is still needed.
    pub(super) fn held(&self) -> Option<Held> {
        let (position, holder) = lock(&self.cursors).hold()?;
        let catalog = self.files.catalog();
        let now = catalog.received_last()?;
        let mut over = catalog.bytes().saturating_sub(self.room());
        let mut bytes = 0;
        let newest = catalog.len().saturating_sub(1);
        for segment in catalog.iter().take(newest) {
            if !segment.closed || !(over > 0 || self.is_old(segment, now)) {
                break;
            }
            over = over.saturating_sub(segment.bytes);
            if segment.last() > position {
                bytes += segment.bytes;
            }
        }
        (bytes > 0).then_some(Held {
            holder,
            position,
            bytes,
        })
    }

    /// Says once that retention is held up, and once that it goes on.
    fn tell_held(&self) {
        let held = self.held();
        let told = &self.keeper.held;
        match (told.swap(held.is_some(), Ordering::Relaxed), held) {
            (false, Some(held)) => tracing::warn!(
                bytes = held.bytes,
                held_by = %held.holder,
                held_from = %held.position,
                "the journal keeps what is old or too much, because someone has not read it; when the byte budget is used up, nothing is acknowledged any more"
            ),
            (true, None) => tracing::info!("nobody holds up the journal's retention any more"),
            (false, None) | (true, Some(_)) => {}
        }
    }

    fn is_old(&self, segment: &Segment, now: Timestamp) -> bool {
        let age = now.since(segment.received_last).max(0).unsigned_abs();
        u128::from(age) > self.options.max_age.as_millis()
    }

    /// The live segment has room to grow before the budget is met.
    fn room(&self) -> u64 {
        let options = &self.options;
        options.max_bytes.saturating_sub(options.seal_at_bytes())
    }

    /// The oldest segment, if it may and should go.
    fn removable(&self) -> Option<Segment> {
        let in_need = self.space(self.files.catalog().bytes()) == Space::Nothing;
        let cursors = lock(&self.cursors);
        let hold = if in_need {
            cursors.hold_in_need()
        } else {
            cursors.hold()
        };
        drop(cursors);
        let catalog = self.files.catalog();
        let oldest = catalog.iter().next()?;
        let free = hold.is_none_or(|(position, _)| oldest.last() <= position);
        if !oldest.closed || !free || catalog.len() < 2 {
            return None;
        }
        let now = catalog.received_last()?;
        let over = catalog.bytes() > self.room();
        (over || self.is_old(oldest, now)).then(|| oldest.clone())
    }

    /// Packs a closed segment into a new file that takes its place, unless retention removed it meanwhile.
    fn seal(&self, closed: &Segment) -> Result<(), JournalError> {
        let dir = &self.files.dir;
        let live = closed.path(dir);
        let sealing = dir.join(file_name(closed.first, Kind::Sealing));
        segment::remove(&sealing)?;
        let packed = pack(&live, &sealing, &self.files.id, closed)
            .and_then(|()| self.put_in_place(closed.first, &sealing));
        match packed {
            Ok(true) => {}
            Ok(false) => return segment::remove(&sealing),
            Err(error) => {
                segment::remove(&sealing)?;
                let gone = self.files.catalog().get_mut(closed.first).is_none();
                return if gone { Ok(()) } else { Err(error) };
            }
        }
        // The new name must be on the disk before the old file goes.
        segment::sync_dir(dir)?;
        self.files.forget(&live);
        segment::remove(&live)
    }

    /// Gives the packed file its name. Under the lock of the catalog, for retention must not remove the segment at that moment:
    /// its packed file would come back. Returns whether the segment was still there.
    fn put_in_place(&self, first: Position, sealing: &Path) -> Result<bool, JournalError> {
        let bytes = fs::metadata(sealing)
            .map_err(|error| JournalError::io("reading", sealing, error))?
            .len();
        let mut catalog = self.files.catalog();
        let Some(segment) = catalog.get_mut(first) else {
            return Ok(false);
        };
        let sealed = self.files.dir.join(file_name(first, Kind::Sealed));
        fs::rename(sealing, &sealed)
            .map_err(|error| JournalError::io("renaming", sealing, error))?;
        segment.kind = Kind::Sealed;
        segment.bytes = bytes;
        Ok(true)
    }
}

fn sealable(segment: &Segment) -> bool {
    segment.kind == Kind::Live && segment.closed && !segment.unsealable && segment.count > 0
}

/// Writes the entries of a closed segment, as far as they count, to a new file in large compressed blocks; fsynced.
fn pack(live: &Path, sealing: &Path, journal: &str, closed: &Segment) -> Result<(), JournalError> {
    let from = Opened::open(live, journal, true)?;
    let to = segment::create(sealing, journal, false)?;
    let failed = |source| JournalError::sqlite("writing", sealing, source);
    to.execute_batch("BEGIN").map_err(failed)?;
    let mut next = closed.first;
    let mut block = Block::new(next, closed.received_first);
    while next < closed.end() {
        for stored in from.blocks(next, SEALED_BLOCK_BYTES)? {
            let (first, last) = (stored.head.first, stored.head.last());
            if first >= closed.end() {
                break;
            }
            let damaged = |detail| from.damaged(first, Some(last), detail);
            if first != next {
                return Err(damaged(format!("expected position {next} here")));
            }
            let (head, data) = stored.unpack().map_err(damaged)?;
            for entry in block::decode(&head, &data).map_err(damaged)? {
                block.push_entry(&entry).map_err(damaged)?;
            }
            next = last.next();
            if block.data.len() >= SEALED_BLOCK_BYTES {
                segment::insert(&to, &block, true).map_err(failed)?;
                block = Block::new(next, block.head.received_last);
            }
        }
    }
    if !block.is_empty() {
        segment::insert(&to, &block, true).map_err(failed)?;
    }
    to.execute_batch("COMMIT").map_err(failed)?;
    to.close().map_err(|(_, source)| failed(source))?;
    fs::File::options()
        .write(true)
        .open(sealing)
        .and_then(|file| file.sync_all())
        .map_err(|error| JournalError::io("syncing", sealing, error))
}
