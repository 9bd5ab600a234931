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

/// Makes the past of a fleet in this directory, up to what `now` says at the end. Gives the fleet as it then is.
///
/// # Errors
/// When the directory is not empty or cannot be written.
pub(super) fn make(
    dir: &Path,
    world: World,
    diary: Diary,
    now: fn() -> Timestamp,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Tended> {
    let (from, seed) = (diary.from, diary.seed);
    let mut kept = KeptReplay::create(dir)?;
    let (slices, slices_in) = sync_channel(SLICES);
    // As many as can be under way without waiting: the fleet asks for those of the slice before the last.
    let (orders, orders_in) = sync_channel(SLICES + 2);
    let (chapters, chapters_in) = sync_channel(CHAPTERS);
    let (fleet, pipeline) = std::thread::scope(|scope| {
        let living =
            scope.spawn(move || live(Living::new(Tended::new(diary)), now, &slices, &orders_in));
        let playing = scope.spawn(move || {
            let (played, beginning) = Played::new(world, seed, listener::SOURCE, from);
            play(played, beginning, slices_in, &orders, &chapters)
        });
        // An error ends the other threads too: their channels close.
        let written = keep(&mut kept, chapters_in, &mut |until| {
            let ms = |until: Timestamp| u64::try_from(until.since(from)).unwrap_or(0);
            progress(ms(until), ms(now()));
        });
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
fn live(
    mut living: Living,
    now: fn() -> Timestamp,
    slices: &SyncSender<Slice>,
    orders: &Receiver<Vec<Repair>>,
) -> Living {
    for number in 0_u64.. {
        if number >= 2 {
            let Ok(repairs) = orders.recv() else { break };
            living.repair(repairs);
        }
        let now = now();
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
    progress: &mut dyn FnMut(Timestamp),
) -> anyhow::Result<()> {
    for (until, chapter) in chapters {
        kept.take_texts(chapter.texts)?;
        kept.take(chapter.entries, chapter.effects)?;
        progress(until);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::daemon::store_path;
    use crate::daemon::zone_table;
    use crate::desk::Ticket;
    use crate::lab::simulate::history::play_through;
    use crate::store::Store;
    use crate::store::TicketFilter;
    use crate::telemetry::DAY_MS;
    use crate::telemetry::Settings;

    /// A Wednesday.
    fn now() -> Timestamp {
        Timestamp::from_ms(1_773_216_000_000)
    }

    fn world() -> World {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/device-profiles");
        let (profiles, words) = config::read_profiles(Path::new(folder)).expect("profiles");
        World {
            settings: Settings::default(),
            zones: zone_table(now()),
            profiles,
            words,
        }
    }

    fn diary() -> Diary {
        Diary::new(3, (4, 0), now() - 3 * DAY_MS, now())
    }

    /// The newest state of each ticket, told by one thread.
    fn told() -> Vec<Ticket> {
        let mut living = Living::new(Tended::new(diary()));
        let (mut played, beginning) = Played::new(world(), 3, listener::SOURCE, diary().from);
        let mut tickets: Vec<Ticket> = Vec::new();
        play_through(&mut living, (&mut played, beginning), now(), |chapter| {
            for change in chapter.effects.changes {
                match tickets
                    .iter_mut()
                    .find(|known| known.id == change.ticket.id)
                {
                    Some(known) => *known = change.ticket,
                    None => tickets.push(change.ticket),
                }
            }
            Ok::<(), std::convert::Infallible>(())
        })
        .expect("played");
        tickets
    }

    #[test]
    fn a_past_made_by_three_threads_is_that_of_one_and_its_texts_are_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let fleet = make(&data, world(), diary(), now, &mut |_, _| {}).expect("made");
        assert!(fleet.peek_at().is_some_and(|at| at > now()));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (mut kept, texts) = runtime.block_on(async {
            let store = Store::open_to_read(&store_path(&data))
                .await
                .expect("a store");
            let filter = TicketFilter {
                limit: 200,
                ..TicketFilter::default()
            };
            let tickets = store.tickets(&filter).await.expect("tickets").items;
            let mut texts = 0;
            for ticket in &tickets {
                for line in store.timeline(&ticket.id).await.expect("a timeline") {
                    if line.what == "comment" {
                        assert!(line.text.is_some(), "{} has lost a comment", ticket.id);
                        texts += 1;
                    }
                }
            }
            (tickets, texts)
        });
        let number = |ticket: &Ticket| ticket.id[2..].parse::<u32>().expect("a number");
        kept.sort_by_key(number);
        assert_eq!(kept, told());
        assert!(kept.len() >= 5, "{} tickets", kept.len());
        assert!(texts >= 3, "{texts} texts");
    }
}
