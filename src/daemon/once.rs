//! A message is decoded once while the series keep up, and what becomes of it is the same whoever decoded it.

use super::feed::Feed;
use super::feed::Task;
use super::handover::Batch;
use super::handover::Room;
use super::handover::handover;
use super::keep::Keep;
use super::snapshot::Limits;
use super::stage::Place;
use super::stage::Stage;
use super::understanding::Understanding;
use crate::checkpoint::Loaded;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::decode::DecodeState;
use crate::decode::KnownModels;
use crate::pipeline::InForce;
use crate::pipeline::Pipeline;
use crate::profile::Profiles;
use crate::series::consumer::Gatherer;
use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Point;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

const MESSAGES: u64 = 500;
/// Entries that the series read for themselves before the worker begins.
const ALONE: u64 = 11;

fn profiles() -> Vec<ProfileText> {
    vec![ProfileText {
        name: "x-2.toml".into(),
        text: include_str!("simulation/appliance.toml").into(),
    }]
}

fn message(number: u64) -> RawMessage {
    let payload = format!(
        "{{\"boot\":1,\"seq\":{number},\"s\":{{\"temp\":{},\"other\":{number}}}}}",
        20 + number % 20
    );
    RawMessage {
        source: "plant".into(),
        topic: format!("appl/v1/x-2/S{}/tele", number % 7).into(),
        payload: payload.into(),
        qos: 1,
        dup: false,
        retained: false,
        queued: false,
        content_type: None,
        oversize: None,
    }
}

/// Profiles, then messages, one a second.
fn journal() -> Vec<Entry> {
    let profiles = Record::Control(Control::Profiles {
        profiles: profiles(),
        words: Vec::new(),
    });
    let messages = (1..=MESSAGES).map(|number| Record::Message(message(number)));
    (1..)
        .zip(std::iter::once(profiles).chain(messages))
        .map(|(position, record)| Entry {
            position: Position(position),
            received_at: Timestamp::from_ms(
                1_772_323_200_000 + i64::try_from(position).unwrap() * SECOND_MS,
            ),
            record,
        })
        .collect()
}

fn part(entries: &[Entry], from: u64, to: u64) -> &[Entry] {
    let index = |position| usize::try_from(position).unwrap();
    &entries[index(from - 1)..index(to)]
}

/// Lets the series do everything they can; returns what they decoded for themselves.
fn series(
    feed: &mut Feed,
    now: i64,
    entries: &[Entry],
    [durable, pipeline]: [u64; 2],
    points: &mut Vec<Point>,
) -> u64 {
    let mut decoded = 0;
    loop {
        match feed.task(now, Position(durable), Position(pipeline)) {
            Task::Read {
                from,
                entries: limit,
            } => {
                let end = durable.min(from.0 + limit as u64 - 1);
                feed.gather(part(entries, from.0, end).to_vec(), now);
            }
            Task::Take => feed.take(now),
            Task::Write => {
                let batch = feed.drain().expect("something to write");
                points.extend(batch.points);
                feed.written(batch.through);
            }
            Task::Save(place) => {
                feed.saved(place.position);
                feed.tried_to_save(now, now);
            }
            Task::Restore => panic!("nothing broke off"),
            Task::Rest => return decoded,
        }
        decoded += feed.take_decoded();
    }
}

#[test]
fn a_message_is_decoded_once_while_the_series_keep_up() {
    let entries = journal();
    let last = entries.len() as u64;
    let (giver, taker) = handover(Room::default());
    let mut stage = Stage::new(Pipeline::new(), Position(0), giver, Limits::default(), 0);
    let mut feed = Feed::new(None, Position(0), taker, 0);
    let mut points = Vec::new();
    // The worker has done nothing yet: they begin alone, and ask.
    let alone = series(&mut feed, 0, &entries, [ALONE, 0], &mut points);
    assert_eq!(alone, ALONE - 1, "all but the profiles are messages");
    let mut by_themselves = 0;
    let mut now = 0;
    for from in (1..=last).step_by(20) {
        let to = last.min(from + 19);
        now += 2 * SECOND_MS;
        stage.step(part(&entries, from, to), now);
        by_themselves += series(&mut feed, now, &entries, [to, to], &mut points);
        assert!(feed.is_attached(), "from {from} on");
    }
    series(
        &mut feed,
        now + 2 * SECOND_MS,
        &entries,
        [last, last],
        &mut points,
    );
    assert_eq!(by_themselves, 0, "the pipeline decoded these already");
    assert_eq!(feed.position(), Position(last));

    let mut alone = Understanding::new();
    let mut gatherer = Gatherer::default();
    gatherer.gather(Timestamp::MIN, &entries, &mut |entry| alone.take(entry));
    let expected = gatherer.drain().expect("entries").points;
    assert_eq!(expected.len() as u64, MESSAGES);
    assert_eq!(points, expected);
}

#[test]
fn a_snapshot_of_a_place_that_was_gathered_before_is_not_saved() {
    let entries = journal();
    let (mut giver, taker) = handover(Room::default());
    let mut feed = Feed::new(None, Position(0), taker, 0);
    // Alone they came further than the pipeline.
    series(&mut feed, 0, &entries, [ALONE, 0], &mut Vec::new());
    assert!(giver.is_open(Position(2), InForce::default));
    let through = Place {
        position: Position(5),
        received_at: Timestamp::from_ms(0),
    };
    giver.batch(Batch {
        after: Position(2),
        through,
        heard: Vec::new(),
    });
    giver.begun(through);
    giver.rows(&Pipeline::new().begin_snapshot());
    giver.complete();
    let now = 2 * SECOND_MS;
    series(&mut feed, now, &entries, [ALONE, 5], &mut Vec::new());
    assert!(feed.is_attached());
    let later = now + 60 * SECOND_MS;
    let task = feed.task(later, Position(ALONE), Position(5));
    assert!(
        matches!(task, Task::Save(place) if place.position == Position(ALONE)),
        "{task:?}"
    );
    let saved = feed.rows().0;
    let common = saved.iter().find(|row| row.key.is_empty());
    assert!(common.is_some(), "what is common to all devices");
    let earlier = DecodeState::new().common();
    assert!(
        common.is_none_or(|row| row.bytes != earlier),
        "of an earlier place"
    );
}

#[test]
fn a_state_in_one_piece_is_read_and_saved_by_device() {
    let compiled = Profiles::compile(&profiles(), &[]).expect("they compile");
    let mut decode = DecodeState::new();
    let at = Timestamp::from_ms(1_772_323_200_000);
    for number in 1..=20 {
        decode.decode(at, &message(number), &KnownModels(&compiled));
    }
    let row = |part, key: &str, bytes| Row {
        part,
        key: key.into(),
        bytes,
    };
    let texts = (profiles(), Vec::<ProfileText>::new());
    let before = Loaded {
        position: Position(20),
        received_at: at,
        rows: vec![
            row(Part::Series, "decode", decode.snapshot()),
            row(Part::Series, "points", Gatherer::default().snapshot()),
            row(
                Part::Series,
                "profiles",
                postcard::to_stdvec(&texts).unwrap(),
            ),
        ],
        damaged: Vec::new(),
    };
    let mut saved = Understanding::restored(before).expect("it reads");
    let mut keep = Keep::default();
    let place = Place {
        position: saved.position,
        received_at: saved.received_at,
    };
    saved.understanding.keep(place, &saved.gatherer, &mut keep);
    let (rows, removed) = keep.rows();
    assert_eq!(removed, [(Part::Series, "decode".to_owned())]);
    let devices = rows
        .iter()
        .filter(|row| row.part == Part::Decode && !row.key.is_empty());
    assert_eq!(devices.count(), 7);
    let after = Loaded {
        position: saved.position,
        received_at: saved.received_at,
        rows,
        damaged: Vec::new(),
    };
    let mut again = Understanding::restored(after).expect("it reads");
    for number in 15..30 {
        let entry = Entry {
            position: Position(number),
            received_at: at,
            record: Record::Message(message(number)),
        };
        let told = |understanding: &mut Understanding| {
            let understood = understanding.take(&entry);
            understood
                .into_iter()
                .map(|understood| understood.telemetry)
                .collect::<Vec<_>>()
        };
        let (one, other) = (
            told(&mut saved.understanding),
            told(&mut again.understanding),
        );
        assert_eq!(one.is_empty(), number <= 20, "a repetition tells nothing");
        assert_eq!(one, other);
    }
}
