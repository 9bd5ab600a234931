//! The demo's past: fleet, pipeline and files at once, each on a thread of its own.
//!
//! The fleet lives ahead of the pipeline by two slices at most, since people at the desk order repairs; the pipeline ahead of the
//! files by a few chapters. The past ends when it has come up with the clock.

use std::path::Path;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;

use crate::daemon::KeptReplay;
use crate::daemon::clock;
use crate::intake::listener;
use crate::lab::replay::World;
use crate::lab::simulate::history::Chapter;
use crate::lab::simulate::history::Living;
use crate::lab::simulate::history::Played;
use crate::lab::simulate::history::Slice;
use crate::lab::simulate::people::Repair;
use crate::lab::simulate::tended::Diary;
use crate::lab::simulate::tended::Tended;
use crate::pipeline::Pipeline;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Slices that wait for the pipeline.
const SLICES: usize = 1;
/// Chapters that wait for the files; each is a slice of two hours.
const CHAPTERS: usize = 8;
/// So close to the clock the past is over.
const CAUGHT_UP_MS: i64 = SECOND_MS;

/// Makes the past of a fleet in this directory, up to now. Gives the fleet as it then is.
///
/// # Errors
/// When the directory is not empty or cannot be written.
pub(super) fn make(
    dir: &Path,
    world: World,
    diary: Diary,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Tended> {
    let (from, seed) = (diary.from, diary.seed);
    let mut kept = KeptReplay::create(dir)?;
    let (slices, slices_in) = sync_channel(SLICES);
    // As many as can be under way without waiting: the fleet asks for those of the slice before the last.
    let (orders, orders_in) = sync_channel(SLICES + 2);
    let (chapters, chapters_in) = sync_channel(CHAPTERS);
    let (fleet, pipeline) = std::thread::scope(|scope| {
        let living = scope.spawn(move || live(Living::new(Tended::new(diary)), &slices, &orders_in));
        let playing = scope.spawn(move || {
            let (played, beginning) = Played::new(world, seed, listener::SOURCE, from);
            play(played, beginning, slices_in, &orders, &chapters)
        });
        // An error ends the other threads too: their channels close.
        let written = keep(&mut kept, chapters_in, from, progress);
        let panicked = |_| anyhow::anyhow!("a thread of the demo's past panicked");
        let fleet = living.join().map_err(panicked)?.into_fleet();
        let pipeline = playing.join().map_err(panicked)?;
        written?;
        anyhow::Ok((fleet, pipeline))
    })?;
    kept.finish(pipeline)?;
    Ok(fleet)
}

/// Lives slice by slice until the clock is reached, or nobody listens any more.
fn live(mut living: Living, slices: &SyncSender<Slice>, orders: &Receiver<Vec<Repair>>) -> Living {
    for number in 0_u64.. {
        if number >= 2 {
            let Ok(repairs) = orders.recv() else { break };
            living.repair(repairs);
        }
        let now = clock::wall();
        if now.since(living.at()) < CAUGHT_UP_MS {
            break;
        }
        if slices.send(living.slice(now)).is_err() {
            break;
        }
    }
    living
}

/// Plays what comes until the fleet has reached the clock.
fn play(
    mut played: Played,
    beginning: Chapter,
    slices: Receiver<Slice>,
    orders: &SyncSender<Vec<Repair>>,
    chapters: &SyncSender<(Timestamp, Chapter)>,
) -> Pipeline {
    let mut until = Timestamp::MIN;
    let mut alive = chapters.send((until, beginning)).is_ok();
    for slice in slices {
        until = slice.until;
        let mut chapter = played.play(slice);
        let repairs = std::mem::take(&mut chapter.repairs);
        // The fleet asks for no more orders when it is done.
        orders.try_send(repairs).ok();
        alive = alive && chapters.send((until, chapter)).is_ok();
        if !alive {
            break;
        }
    }
    if alive {
        chapters.send((until, played.finish(until))).ok();
    }
    played.into_pipeline()
}

/// Writes chapters as they come.
fn keep(
    kept: &mut KeptReplay,
    chapters: mpsc::Receiver<(Timestamp, Chapter)>,
    from: Timestamp,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<()> {
    for (until, chapter) in chapters {
        kept.take_texts(chapter.texts)?;
        kept.take(chapter.entries, chapter.effects)?;
        let ms = |until: Timestamp| u64::try_from(until.since(from)).unwrap_or(0);
        progress(ms(until), ms(clock::wall()));
    }
    Ok(())
}
