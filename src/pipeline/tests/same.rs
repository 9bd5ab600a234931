//! Detection is a pure function of the journal: the same entries give the same lines and the same state, however they are stepped.

use super::story::*;
use super::*;

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
