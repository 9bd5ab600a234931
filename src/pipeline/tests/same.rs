//! Detection is a pure function of the journal: the same entries give the same lines and the same state, however they are stepped.

use super::story::*;
use super::*;
use crate::detect::Detector;

const LENGTH: usize = 1_500;
/// How often the process is killed and comes back.
const RESTARTS: usize = 100;

/// Steps all, with an effect list for each `batch` entries.
fn run(story: &[Happening], batch: usize) -> (Vec<String>, File) {
    let (mut pipeline, mut told, mut file) = (Pipeline::new(), Vec::new(), File::default());
    for some in entries(story).chunks(batch) {
        let mut effects = Effects::default();
        for entry in some {
            pipeline.step(entry, &mut effects);
        }
        told.extend(lines(&effects));
    }
    file.take(&mut pipeline);
    (told, file)
}

/// Steps all, and goes on from the file of states at every so many entries.
fn run_with_restarts(story: &[Happening], every: usize) -> (Vec<String>, File) {
    let (mut pipeline, mut told, mut file) = (Pipeline::new(), Vec::new(), File::default());
    for some in entries(story).chunks(every) {
        let mut effects = Effects::default();
        for entry in some {
            pipeline.step(entry, &mut effects);
        }
        told.extend(lines(&effects));
        file.take(&mut pipeline);
        pipeline = file.restore(&pipeline);
    }
    (told, file)
}

fn is_start(happening: Option<&Happening>) -> bool {
    happening.is_some_and(|(_, record)| matches!(record, Record::Control(Control::Started { .. })))
}

/// The story without its ticks, but for the last of each process: that one says until when the process was there.
fn without_ticks(story: &[Happening]) -> Vec<Happening> {
    (0..story.len())
        .filter(|at| {
            let last = *at + 1 == story.len() || is_start(story.get(at + 1));
            last || story[*at].1 != Record::Tick
        })
        .map(|at| story[at].clone())
        .collect()
}

/// The story with ticks anywhere.
fn with_ticks(story: &[Happening], dice: &mut Dice) -> Vec<Happening> {
    let mut told = Vec::new();
    for (at, happening) in story.iter().enumerate() {
        told.push(happening.clone());
        let Some(next) = story.get(at + 1).filter(|_| !is_start(story.get(at + 1))) else {
            continue;
        };
        // A step of the clock is no time at which anything is due.
        let steps = matches!(happening.1, Record::Control(Control::ClockStep { .. }));
        let gap = next.0.since(happening.0);
        if gap == 0 || steps {
            continue;
        }
        let mut ticks: Vec<i64> = (0..dice.roll(4)).map(|_| dice.ms(0, gap)).collect();
        ticks.sort_unstable();
        told.extend(ticks.into_iter().map(|ms| (happening.0 + ms, Record::Tick)));
    }
    told
}

#[track_caller]
fn same(seed: u64, what: &str, one: &(Vec<String>, File), other: &(Vec<String>, File)) {
    for (at, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
        assert_eq!(one, other, "seed {seed}, {what}: line {at}");
    }
    assert_eq!(one.0.len(), other.0.len(), "seed {seed}, {what}: lines");
    for ((place, bytes), (other_place, other_bytes)) in one.1.0.iter().zip(&other.1.0) {
        assert_eq!(place, other_place, "seed {seed}, {what}: rows");
        assert!(
            bytes == other_bytes,
            "seed {seed}, {what}: the row {place:?} differs"
        );
    }
    assert_eq!(one.1.0.len(), other.1.0.len(), "seed {seed}, {what}: rows");
}

#[test]
fn a_story_is_worth_telling() {
    let (told, _) = run(&story(1, 2 * LENGTH), 1);
    for word in ["opened", "worsened", "cleared", "cancelled", "reopened"] {
        let word = format!("\"change\":\"{word}\"");
        assert!(told.iter().any(|line| line.contains(&word)), "{word}");
    }
    for fault in ["hot", "live", "drift", "trips", "silent", "filter"] {
        let fault = format!("\"fault\":\"{fault}\"");
        assert!(
            told.iter().any(|line| line.contains(&fault)),
            "{fault}: {}",
            told.join("\n")
        );
    }
}

#[test]
fn batches_and_single_entries_and_restarts_give_the_same() {
    for seed in 1..=2 {
        let story = story(seed, LENGTH);
        let once = run(&story, 1);
        same(seed, "in batches", &once, &run(&story, 64));
        same(
            seed,
            "with restarts",
            &once,
            &run_with_restarts(&story, RESTARTS),
        );
    }
}

#[test]
fn a_restart_at_every_entry_gives_the_same() {
    let story = story(11, 150);
    same(
        11,
        "restarts",
        &run(&story, 1),
        &run_with_restarts(&story, 1),
    );
}

#[test]
fn ticks_change_no_result() {
    for seed in 4..=5 {
        let story = story(seed, LENGTH);
        let once = run(&story, 1);
        same(
            seed,
            "without ticks",
            &once,
            &run(&without_ticks(&story), 1),
        );
        let more = with_ticks(&story, &mut Dice(seed));
        assert!(more.len() > story.len());
        same(seed, "with more ticks", &once, &run(&more, 1));
    }
}

/// Two pipelines step the same story. One takes its snapshots at one go, the other in slices of up to three rows while entries go
/// on, with devices packed and unpacked, and some snapshots refused. After each that is saved both files hold the same rows.
#[test]
fn a_snapshot_in_slices_is_the_one_that_was_begun() {
    for seed in 21..=24 {
        let mut dice = Dice(seed);
        let mut whole = Pipeline::new();
        let mut sliced = Pipeline::with_detector(Detector::with_open_limit(2));
        let (mut wanted, mut file) = (File::default(), File::default());
        let mut under_way: Option<(File, Vec<TakenRow>)> = None;
        let (mut saved, mut copied) = (0, 0);
        for entry in entries(&story(seed, LENGTH)) {
            let mut effects = Effects::default();
            whole.step(&entry, &mut effects);
            sliced.step(&entry, &mut effects);
            let Some((begun, mut rows)) = under_way.take() else {
                if dice.roll(10) == 0 {
                    wanted.take(&mut whole);
                    under_way = Some((wanted.clone(), sliced.begin_snapshot()));
                }
                continue;
            };
            // Nothing is asked for, so this is what was about to change.
            let changing = sliced.take_slice(0);
            copied += changing.len();
            rows.extend(changing);
            let limit = usize::try_from(dice.roll(4)).expect("small");
            rows.extend(sliced.take_slice(limit));
            if dice.roll(40) == 0 {
                sliced.end_snapshot(false);
            } else if sliced.is_row_left() {
                under_way = Some((begun, rows));
            } else {
                sliced.end_snapshot(true);
                file.put(rows);
                saved += 1;
                let differ = file.differing(&begun);
                let at = entry.position;
                assert!(differ.is_empty(), "seed {seed}, at {at}: {differ:?}");
            }
        }
        assert!(saved > 20 && copied > 100, "{saved} saved, {copied} copied");
        wanted.take(&mut whole);
        file.take(&mut sliced);
        let differ = file.differing(&wanted);
        assert!(differ.is_empty(), "seed {seed}, at the end: {differ:?}");
    }
}
