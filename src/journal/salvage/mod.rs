//! `journal salvage`: a new journal out of all that is whole in a damaged one, and exactly what is not.
//!
//! Two rounds over the files: one finds what is whole, one writes it. Keeps: the damaged files are only read; every entry that is
//! whole keeps its position and its time; what is lost is named by positions, times, file and reason, stands in the new journal
//! as [`crate::telemetry::Control::Lost`], and its positions are not used again.

mod cover;

mod source;

mod write;

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

use crate::telemetry::Position;
use crate::telemetry::Timestamp;

use super::cursors::Cursors;
use super::error::JournalError;
use super::open;
use super::segment::sync_dir;
use super::writer::Chain;

use cover::Range;
use source::Listing;
use source::Segment;
use write::SegmentWriter;

/// The most positions that are filled before the first file or behind the last whole entry because someone claims them; a damaged
/// number would claim any number. What claims more is not believed, and named.
const FILL_LIMIT: u64 = 100_000_000;

/// What was saved and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvageReport {
    /// The journal's id, which the new one keeps.
    pub id: String,
    /// Entries that were saved.
    pub saved: u64,
    /// First and last position of the new journal, lost ones among them; none when nothing is whole: then nothing was written.
    pub positions: Option<(Position, Position)>,
    /// One per segment, in the order of positions.
    pub segments: Vec<SalvagedSegment>,
    /// What is lost, in the order of positions.
    pub lost: Vec<Loss>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// What became of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedSegment {
    /// Its first position.
    pub first: Position,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// Entries saved from it.
    pub saved: u64,
    /// Positions of it that are lost.
    pub lost: u64,
}

/// A run of positions that is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// First lost position.
    pub first: Position,
    /// Last lost position.
    pub last: Position,
    /// When the last whole entry before them was received.
    pub after: Option<Timestamp>,
    /// When the first whole entry after them was received.
    pub before: Option<Timestamp>,
    /// The file where they should be; none when there is no such file.
    pub file: Option<PathBuf>,
    /// Why they are lost.
    pub reason: String,
}

impl SalvageReport {
    /// How many positions are lost.
    #[must_use]
    pub fn lost_positions(&self) -> u64 {
        let counts = self.lost.iter().map(|loss| loss.last.0 + 1 - loss.first.0);
        counts.sum()
    }

    /// True when nothing is lost.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.lost.is_empty()
    }
}

/// What the first round found in a segment.
struct Plan {
    first: Position,
    /// The position after its last one.
    end: u64,
    paths: Vec<PathBuf>,
    saved: u64,
    /// Lost positions: the first, the one after the last, and why.
    holes: Vec<(u64, u64, String)>,
    runs: Runs,
}

/// Runs of whole entries, by their first position: the one after the last, and when the first and the last were received.
type Runs = BTreeMap<u64, (u64, Timestamp, Timestamp)>;

/// Writes what is whole of the journal in `dir` to the new directory `into`. `used` says who else knows up to which position the
/// journal went: those are not used again.
///
/// # Errors
/// When a process has the journal open, `into` holds something already, or a file cannot be read or written at all.
pub fn salvage(
    dir: &Path,
    into: &Path,
    used: &[(String, Position)],
) -> Result<SalvageReport, JournalError> {
    let _quiet = nobody_writes(dir)?;
    check_empty(into)?;
    let listing = source::list(dir)?;
    let mut notes = Vec::new();
    let (found, trouble) = source::id(dir, &listing);
    if found.is_none() && listing.is_empty() {
        return Err(JournalError::Absent {
            dir: dir.to_owned(),
        });
    }
    notes.extend(trouble);
    let id = found.unwrap_or_else(|| {
        notes.push("no file tells the journal's id; the new journal has one of its own, and store and state do not fit it".to_owned());
        open::new_id()
    });
    let plans = plan(&listing, &id, &mut notes)?;
    let saved: u64 = plans.iter().map(|plan| plan.saved).sum();
    if saved == 0 {
        notes.push("nothing is whole, and nothing was written".to_owned());
        return Ok(report(id, &plans, notes));
    }
    fs::create_dir_all(into).map_err(|error| JournalError::io("creating", into, error))?;
    let mut cursors = copy_cursors(dir, into, &id, &mut notes)?;
    let plans = reach(plans, &mut cursors, used, &mut notes)?;
    drop(cursors);
    write(&plans, into, &id)?;
    sync_dir(into)?;
    open::write_id(into, &id)?;
    Ok(report(id, &plans, notes))
}

/// Holds the directory's lock, so that no daemon begins meanwhile. The lock file is not written to.
fn nobody_writes(dir: &Path) -> Result<Option<File>, JournalError> {
    let path = dir.join(open::LOCK_FILE);
    let Ok(file) = File::open(&path) else {
        return Ok(None);
    };
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(Some(file)),
        Err(fs4::TryLockError::WouldBlock) => Err(JournalError::InUse {
            dir: dir.to_owned(),
            pid: fs::read_to_string(&path)
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }),
        Err(fs4::TryLockError::Error(error)) => Err(JournalError::io("locking", &path, error)),
    }
}

fn check_empty(into: &Path) -> Result<(), JournalError> {
    match fs::read_dir(into) {
        Ok(mut files) => match files.next() {
            None => Ok(()),
            Some(_) => Err(JournalError::Occupied {
                dir: into.to_owned(),
            }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(JournalError::io("reading", into, error)),
    }
}

/// The first round.
fn plan(listing: &Listing, id: &str, notes: &mut Vec<String>) -> Result<Vec<Plan>, JournalError> {
    let mut plans: Vec<Plan> = Vec::new();
    let firsts: Vec<Position> = listing.keys().copied().collect();
    for (index, (&first, paths)) in listing.iter().enumerate() {
        let next = firsts.get(index + 1).copied();
        let segment = Segment::read(paths, id, first, next)?;
        notes.extend(segment.troubles().iter().cloned());
        let whole_end = segment.cover.end().unwrap_or(first.0);
        let end = next.map_or_else(|| segment.claimed_end(whole_end), |next| next.0);
        let holes = segment.cover.holes(first.0, end).into_iter();
        let mut plan = Plan {
            first,
            end,
            paths: paths.clone(),
            saved: 0,
            holes: holes
                .map(|(from, until)| (from, until, segment.reason(from, until)))
                .collect(),
            runs: BTreeMap::new(),
        };
        for range in segment.cover.ranges() {
            plan.take(&segment, range);
        }
        plans.push(plan);
    }
    Ok(plans)
}

impl Plan {
    fn take(&mut self, segment: &Segment, range: Range) {
        let entries = segment.entries(range);
        let (Some(oldest), Some(newest)) = (entries.first(), entries.last()) else {
            return;
        };
        self.saved += entries.len() as u64;
        let (from, to) = (oldest.received_at, newest.received_at);
        match self.runs.last_entry() {
            Some(mut run) if run.get().0 == range.first => {
                let run = run.get_mut();
                (run.0, run.2) = (range.end, to);
            }
            _ => {
                self.runs.insert(range.first, (range.end, from, to));
            }
        }
    }
}

/// Takes the consumers' positions over, as far as they can be read.
fn copy_cursors(
    dir: &Path,
    into: &Path,
    id: &str,
    notes: &mut Vec<String>,
) -> Result<Cursors, JournalError> {
    let names = ["cursors", "cursors-wal"];
    for name in names {
        let bytes = super::raw::file::read(&dir.join(name));
        let copied = bytes.and_then(|bytes| fs::write(into.join(name), bytes.data));
        copied.map_err(|error| JournalError::io("copying", &dir.join(name), error))?;
    }
    match Cursors::open(into, id) {
        Ok(cursors) => Ok(cursors),
        Err(error) => {
            notes.push(format!(
                "how far the consumers were cannot be read ({}); they go on from their own state",
                Chain(&error)
            ));
            for name in [names.as_slice(), &["cursors-shm"]].concat() {
                // Whatever is left of it is written anew below.
                drop(fs::remove_file(into.join(name)));
            }
            Cursors::open(into, id)
        }
    }
}

/// Extends the plans to every position that someone knows: before the first file, and behind the last whole entry.
fn reach(
    mut plans: Vec<Plan>,
    cursors: &mut Cursors,
    used: &[(String, Position)],
    notes: &mut Vec<String>,
) -> Result<Vec<Plan>, JournalError> {
    let Some((begin, end)) = plans
        .first()
        .zip(plans.last())
        .map(|(a, b)| (a.first.0, b.end))
    else {
        return Ok(plans);
    };
    let believed = |position: Position| {
        position.0 >= begin.saturating_sub(FILL_LIMIT) && position.0 <= end + FILL_LIMIT
    };
    let doubt = |who: &str, position: Position| {
        format!(
            "{who} stands at position {position}, far from the journal's {begin} to {end}: that is not believed"
        )
    };
    let mut known: Vec<Position> = Vec::new();
    for (consumer, position) in cursors.all().clone() {
        if believed(position) {
            known.push(position);
        } else {
            notes.push(doubt(&format!("the consumer '{consumer}'"), position));
            cursors.remove(&consumer)?;
        }
    }
    known.extend(
        cursors
            .bases()
            .iter()
            .copied()
            .filter(|base| believed(*base)),
    );
    let held = known.iter().min().map_or(begin, |held| held.next().0);
    for (who, position) in used {
        if believed(*position) {
            known.push(*position);
        } else {
            notes.push(doubt(who, *position));
        }
    }
    let reached = known.iter().max().map_or(end, |reached| reached.next().0);
    if let Some(last) = plans.last_mut().filter(|last| last.end < reached) {
        let why = "others know that the journal went up to here; nothing of it is left".to_owned();
        last.holes.push((last.end, reached, why));
        last.end = reached;
    }
    if held < begin {
        let why = "no file of these positions is here".to_owned();
        let missing = Plan {
            first: Position(held),
            end: begin,
            paths: Vec::new(),
            saved: 0,
            holes: vec![(held, begin, why)],
            runs: BTreeMap::new(),
        };
        plans.insert(0, missing);
    }
    Ok(plans)
}

/// The second round.
fn write(plans: &[Plan], into: &Path, id: &str) -> Result<(), JournalError> {
    let runs = all_runs(plans);
    let mut newest = received_from(&runs, 0).unwrap_or_default();
    for (index, plan) in plans.iter().enumerate() {
        if plan.first.0 >= plan.end {
            continue;
        }
        let next = plans.get(index + 1).map(|next| next.first);
        let segment = Segment::read(&plan.paths, id, plan.first, next)?;
        let mut writer = SegmentWriter::create(into, id, plan.first, newest)?;
        let mut holes = plan.holes.iter().peekable();
        let mut lose = |writer: &mut SegmentWriter, before: u64| {
            while let Some((_, until, _)) = holes.next_if(|(from, ..)| *from < before) {
                let after = received_from(&runs, *until).unwrap_or_else(|| writer.newest());
                writer.lose(Position(*until), after)?;
            }
            Ok::<(), JournalError>(())
        };
        for range in segment.cover.ranges() {
            lose(&mut writer, range.first)?;
            for entry in segment.entries(range) {
                writer.push(entry)?;
            }
        }
        lose(&mut writer, u64::MAX)?;
        newest = writer.newest();
        writer.finish()?;
    }
    Ok(())
}

fn all_runs(plans: &[Plan]) -> Runs {
    let runs = plans.iter().flat_map(|plan| &plan.runs);
    runs.map(|(first, run)| (*first, *run)).collect()
}

/// When the first whole entry at or behind a position was received.
fn received_from(runs: &Runs, position: u64) -> Option<Timestamp> {
    runs.range(position..).next().map(|(_, &(_, from, _))| from)
}

fn report(id: String, plans: &[Plan], notes: Vec<String>) -> SalvageReport {
    let runs = all_runs(plans);
    let loss = |plan: &Plan, (from, until, reason): &(u64, u64, String)| Loss {
        first: Position(*from),
        last: Position(until - 1),
        after: runs.range(..*from).next_back().map(|(_, &(_, _, to))| to),
        before: received_from(&runs, *until),
        file: plan.paths.first().cloned(),
        reason: reason.clone(),
    };
    let ends = plans.first().zip(plans.last());
    let saved = plans.iter().map(|plan| plan.saved).sum();
    SalvageReport {
        id,
        saved,
        positions: ends
            .filter(|_| saved > 0)
            .map(|(first, last)| (first.first, Position(last.end.saturating_sub(1)))),
        segments: plans
            .iter()
            .map(|plan| SalvagedSegment {
                first: plan.first,
                files: plan.paths.clone(),
                saved: plan.saved,
                lost: plan.holes.iter().map(|(from, until, _)| until - from).sum(),
            })
            .collect(),
        lost: plans
            .iter()
            .flat_map(|plan| plan.holes.iter().map(|hole| loss(plan, hole)))
            .collect(),
        notes,
    }
}
