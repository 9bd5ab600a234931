//! A fleet's past, played through the pipeline with people at their desk: the two halves, to be run on one thread or two.
//!
//! [`Living`] makes the fleet's messages slice by slice; [`Played`] plays a slice and says what people ordered to be repaired. The
//! fleet lives at most two slices ahead: what is ordered in one slice is told to it before it lives through the next but one, and
//! no repair is earlier. So the past is equal however the threads run. It writes nothing; keeping it is the caller's.

use std::collections::BTreeMap;

use super::appliance::Published;
use super::people::LEAD_MS;
use super::people::People;
use super::people::Repair;
use super::tended::Tended;
use super::tended::What;
use crate::lab::replay::ProfilesFrom;
use crate::lab::replay::Replayer;
use crate::lab::replay::World;
use crate::pipeline::Effects;
use crate::pipeline::Pipeline;
use crate::telemetry::Control;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// Length of a slice: half of the shortest time between order and repair.
pub const SLICE_MS: i64 = LEAD_MS / 2;

/// Messages of a span of time.
#[derive(Debug)]
pub struct Slice {
    /// Where it ends.
    pub until: Timestamp,
    /// In rising time, all up to its end.
    pub messages: Vec<Published>,
}

/// What playing a slice brought.
#[derive(Debug, Default)]
pub struct Chapter {
    /// The entries as they would lie in a journal of their own.
    pub entries: Vec<Entry>,
    /// What they caused.
    pub effects: Effects,
    /// Texts that the entries name, by blob id.
    pub texts: Vec<(smol_str::SmolStr, String)>,
    /// What is to be repaired, for the fleet.
    pub repairs: Vec<Repair>,
}

/// The fleet's half.
pub struct Living {
    fleet: Tended,
    devices: BTreeMap<DeviceId, usize>,
    at: Timestamp,
    /// Ordered, not yet done. What is ordered for after the end never happens: nobody works on in a past that is over.
    ordered: Vec<Repair>,
}

impl Living {
    /// A fleet that begins to live.
    #[must_use]
    pub fn new(fleet: Tended) -> Self {
        let devices = fleet.devices().into_iter().map(|device| device.id);
        Self {
            devices: devices.zip(0..).collect(),
            at: fleet.diary().from,
            fleet,
            ordered: Vec::new(),
        }
    }

    /// Where the next slice begins.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Lives through the next slice, which ends at `until` or before.
    pub fn slice(&mut self, until: Timestamp) -> Slice {
        let until = until.min(self.at + SLICE_MS);
        for repair in self.ordered.extract_if(.., |repair| repair.at <= until) {
            if let Some(device) = self.devices.get(&repair.device) {
                self.fleet.tend(*device, What::Repaired, repair.at);
            }
        }
        let mut messages = Vec::new();
        while self.fleet.peek_at().is_some_and(|at| at <= until) {
            messages.extend(self.fleet.next());
        }
        self.at = until;
        Slice { until, messages }
    }

    /// Takes what was ordered.
    pub fn repair(&mut self, repairs: Vec<Repair>) {
        self.ordered.extend(repairs);
    }

    /// The fleet as it is now.
    #[must_use]
    pub fn into_fleet(self) -> Tended {
        self.fleet
    }
}

/// The pipeline's half.
pub struct Played {
    player: Replayer,
    people: People,
    source: &'static str,
}

impl Played {
    /// A pipeline in this world that hears the fleet over `source`, from `from` on.
    #[must_use]
    pub fn new(world: World, seed: u64, source: &'static str, from: Timestamp) -> (Self, Chapter) {
        let mut replayer = Replayer::new(Some(world), ProfilesFrom::World);
        replayer.remember();
        let mut played = Self {
            player: replayer,
            people: People::new(seed),
            source,
        };
        let mut chapter = Chapter::default();
        let beginning = [
            Control::Started {
                version: env!("CARGO_PKG_VERSION").into(),
            },
            Control::SourceUp {
                source: source.into(),
            },
        ];
        for control in beginning {
            played.feed(from, Record::Control(control), &mut chapter);
        }
        (played, chapter)
    }

    /// Plays a slice, with everything that people do up to its end.
    pub fn play(&mut self, slice: Slice) -> Chapter {
        let mut chapter = Chapter::default();
        for published in slice.messages {
            let at = published.at;
            self.act_until(at, &mut chapter);
            let message = published.into_message(self.source);
            self.feed(at, Record::Message(message), &mut chapter);
        }
        self.act_until(slice.until, &mut chapter);
        chapter
    }

    /// Fires what is due up to the end.
    pub fn finish(&mut self, until: Timestamp) -> Chapter {
        let mut chapter = Chapter::default();
        self.player.finish(until, &mut chapter.effects);
        chapter.entries = self.player.take_played();
        chapter
    }

    /// The pipeline as it is after everything that was played.
    #[must_use]
    pub fn into_pipeline(self) -> Pipeline {
        self.player.into_pipeline()
    }

    fn act_until(&mut self, until: Timestamp, chapter: &mut Chapter) {
        while self.people.next_at().is_some_and(|at| at <= until) {
            if let Some(deed) = self.people.act() {
                chapter.texts.extend(deed.text);
                self.feed(deed.at, Record::Control(deed.control), chapter);
            }
        }
    }

    fn feed(&mut self, at: Timestamp, record: Record, chapter: &mut Chapter) {
        let known = chapter.effects.changes.len();
        self.player.feed(at, record, &mut chapter.effects);
        chapter.entries.append(&mut self.player.take_played());
        for change in chapter.effects.changes.iter().skip(known) {
            chapter.repairs.extend(self.people.watch(change));
        }
    }
}

/// Plays a whole past on this thread, slice by slice, and hands each chapter to `keep`.
///
/// # Errors
/// What `keep` returns.
pub fn play_through<E>(
    living: &mut Living,
    (played, beginning): (&mut Played, Chapter),
    until: Timestamp,
    mut keep: impl FnMut(Chapter) -> Result<(), E>,
) -> Result<(), E> {
    keep(beginning)?;
    let mut waiting: [Vec<Repair>; 2] = Default::default();
    while living.at() < until {
        let [first, second] = &mut waiting;
        living.repair(std::mem::replace(first, std::mem::take(second)));
        let mut chapter = played.play(living.slice(until));
        let [_, second] = &mut waiting;
        *second = std::mem::take(&mut chapter.repairs);
        keep(chapter)?;
    }
    keep(played.finish(until))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tended::Diary;
    use super::*;
    use crate::desk::TicketChange;
    use crate::desk::TicketKind;
    use crate::desk::TicketStatus;
    use crate::desk::change_line;
    use crate::telemetry::DAY_MS;
    use crate::telemetry::HOUR_MS;
    use crate::telemetry::Verdict;

    /// The whole past of so many seats, ending on a Wednesday afternoon in China.
    fn past(seed: u64, fleet: (usize, usize), days: i64) -> Vec<TicketChange> {
        let until = Timestamp::from_ms(1_773_216_000_000);
        let from = until - days * DAY_MS;
        let world = super::super::tests::world();
        let mut living = Living::new(Tended::new(Diary::new(seed, fleet, from, until)));
        let (mut played, beginning) = Played::new(world, seed, "listener", from);
        let mut changes = Vec::new();
        play_through(&mut living, (&mut played, beginning), until, |chapter| {
            assert!(
                chapter.effects.alerts.is_empty(),
                "{:?}",
                chapter.effects.alerts
            );
            changes.extend(chapter.effects.changes);
            Ok::<(), std::convert::Infallible>(())
        })
        .expect("played");
        changes
    }

    fn lines(changes: &[TicketChange]) -> Vec<String> {
        let texts = changes.iter().map(|change| {
            let line = change_line(change).unwrap_or_default();
            format!("{} {} {:?} {line}", change.at, change.what, change.by)
        });
        texts.collect()
    }

    #[test]
    fn equal_seeds_give_an_equal_past() {
        let one = past(11, (2, 1), 2);
        assert_eq!(lines(&one), lines(&past(11, (2, 1), 2)));
        assert_ne!(lines(&one), lines(&past(12, (2, 1), 2)));
        assert!(one.iter().any(|change| change.by.is_some()), "nobody works");
    }

    /// The whole default demo; `cargo test --release -- --ignored the_desk_of_a_month`, a quarter of a minute. The others are small.
    #[test]
    #[ignore = "thirty days of forty devices take minutes without optimisation"]
    fn the_desk_of_a_month_is_at_work() {
        let changes = past(1, (24, 16), 30);
        let end = Timestamp::from_ms(1_773_216_000_000);
        let mut tickets = BTreeMap::new();
        let mut open = BTreeMap::new();
        for change in &changes {
            let ticket = &change.ticket;
            let key = (ticket.device.clone(), ticket.fault.clone());
            if ticket.is_open() {
                let other = open.insert(key, ticket.id.clone());
                assert!(
                    other.is_none_or(|other| other == ticket.id),
                    "two open: {ticket:?}"
                );
            } else if open.get(&key) == Some(&ticket.id) {
                open.remove(&key);
            }
            tickets.insert(ticket.id.clone(), ticket.clone());
        }
        let all: Vec<_> = tickets
            .values()
            .filter(|ticket| ticket.kind == TicketKind::Ticket)
            .collect();
        for ticket in &all {
            let (id, severity, status) = (&ticket.id, ticket.severity, ticket.status);
            let opened = end.since(ticket.opened_at) / HOUR_MS;
            println!(
                "{id} {severity:?} {status} {} {} {opened} h ago {:?} {:?}",
                ticket.device, ticket.fault, ticket.assignee, ticket.verdict
            );
        }
        let count = |status: TicketStatus| {
            let these = all.iter().filter(|ticket| ticket.status == status);
            these.count()
        };
        let still_open = all.iter().filter(|ticket| ticket.is_open());
        let mut severities: Vec<_> = still_open.clone().map(|ticket| ticket.severity).collect();
        severities.sort_unstable();
        severities.dedup();
        assert!((8..=16).contains(&still_open.count()), "open");
        assert!(severities.len() >= 3, "{severities:?}");
        assert!(count(TicketStatus::Closed) >= 8, "closed");
        assert!(count(TicketStatus::New) >= 1, "new");
        assert!(
            changes
                .iter()
                .any(|change| change.what == "repair_did_not_help")
        );
        let verdicts = changes.iter().filter(|change| change.what == "resolve");
        let (mut right, mut wrong) = (0, 0);
        for change in verdicts {
            match change.ticket.verdict {
                Some(Verdict::ConfirmedFault) => right += 1,
                _ => wrong += 1,
            }
        }
        println!("{right} confirmed, {wrong} not");
        assert!(right > 3 * wrong && wrong >= 1, "{right} to {wrong}");
    }
}
