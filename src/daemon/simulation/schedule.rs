//! A schedule: who does what in which order, drawn from a seed; then all faults end, and everything must come to rest.

use super::judge;
use super::neighbours::Neighbours;
use super::people;
use super::process::Process;
use super::publishers::Publisher;
use super::series::Mood;
use super::snapshots::SnapshotFault;
use super::store::StoreFault;
use crate::journal::simulated::WriteFault;
use crate::telemetry::Control;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;

/// Rounds in which everything must have come to rest once all faults have ended: two minutes of backing off, with what was queued.
const ROUNDS: usize = 400;
/// Time that goes by in such a round.
const ROUND_MS: i64 = 1_000;
/// Bytes of a journal that is often full.
const TIGHT_BYTES: u64 = 7_000;
const HOUR_MS: i64 = 3_600_000;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Publish,
    Send,
    Intake,
    Journal,
    Work,
    Save,
    Series,
    Outbox,
    Tick,
    Person,
    Registry,
    Profiles,
    Pass,
    SetClock,
    BreakLine,
    Kill,
    CutPower,
    Stop,
    DiskFault,
    SlowDisk,
    ReadFault,
    StoreFault,
    SnapshotFault,
    LoseSnapshot,
    SeriesMood,
    Repair,
}

/// How often each happens, in parts of the sum.
const USUAL: [(Act, usize); 10] = [
    (Act::Publish, 14),
    (Act::Send, 14),
    (Act::Intake, 12),
    (Act::Journal, 16),
    (Act::Work, 26),
    (Act::Save, 8),
    (Act::Series, 12),
    (Act::Outbox, 3),
    (Act::Tick, 4),
    (Act::Person, 4),
];
const TROUBLE: [(Act, usize); 16] = [
    (Act::Pass, 9),
    (Act::SetClock, 1),
    (Act::BreakLine, 2),
    (Act::Kill, 2),
    (Act::CutPower, 2),
    (Act::Stop, 1),
    (Act::DiskFault, 4),
    (Act::SlowDisk, 1),
    (Act::ReadFault, 1),
    (Act::StoreFault, 3),
    (Act::SnapshotFault, 1),
    (Act::LoseSnapshot, 1),
    (Act::SeriesMood, 3),
    (Act::Repair, 2),
    (Act::Registry, 1),
    (Act::Profiles, 1),
];

/// A run of one schedule.
pub(super) struct Schedule {
    around: Neighbours,
    process: Option<Process>,
    /// What happened, to be shown when it went wrong.
    pub(super) story: Vec<String>,
    published: i64,
    acted: usize,
    /// The byte budget is small, and the journal forgets.
    is_tight: bool,
}

impl Schedule {
    pub(super) fn new(seed: u64) -> Self {
        let mut around = Neighbours::new(seed);
        // What the journal has forgotten cannot be replayed: there no state is lost.
        let is_tight = around.chance.percent(15);
        if is_tight {
            around.max_bytes = TIGHT_BYTES;
        }
        Self {
            around,
            process: None,
            story: Vec::new(),
            published: 0,
            acted: 0,
            is_tight,
        }
    }

    /// Troubles, then rest, then the judgement.
    pub(super) fn run(&mut self) {
        let acts = 30 + self.around.chance.below(70);
        for _ in 0..acts {
            if self.process.is_none() {
                self.start();
            }
            let act = self.draw();
            self.act(act);
        }
        self.story.push("all faults end".to_owned());
        self.around.repair();
        self.come_to_rest();
        let process = self.process.take().expect("it runs at the end");
        if let Err(error) = process.stop(&mut self.around) {
            panic!("it could not stop: {error:#}");
        }
        judge::judge(&mut self.around);
    }

    fn draw(&mut self) -> Act {
        let sum = |acts: &[(Act, usize)]| acts.iter().map(|(_, part)| part).sum::<usize>();
        let mut drawn = self.around.chance.below(sum(&USUAL) + sum(&TROUBLE));
        for (act, part) in USUAL.iter().chain(&TROUBLE) {
            if drawn < *part {
                return *act;
            }
            drawn -= part;
        }
        Act::Work
    }

    fn start(&mut self) {
        match Process::start(&mut self.around) {
            Ok(process) => {
                self.story
                    .push(format!("start at {}", process.journal().last()));
                self.process = Some(process);
                for line in 0..2 {
                    self.connect(line);
                }
            }
            Err(error) => self.story.push(format!("cannot start: {error:#}")),
        }
    }

    fn connect(&mut self, index: usize) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.lines[index].connect();
        self.around.publishers[index].connect();
        let source = ["plant", "listener"][index].into();
        let up = Record::Control(Control::SourceUp { source });
        // A full journal may refuse it; the daemon does not insist either.
        process.append(vec![up], |_| {}).ok();
    }

    fn act(&mut self, act: Act) {
        self.story.push(format!("{act:?}"));
        match act {
            Act::Publish => self.publish(),
            Act::Send => self.send(),
            Act::Intake => self.intake(),
            Act::Journal | Act::Work | Act::Save | Act::Series | Act::Outbox | Act::Tick => {
                let times = 1 + self.around.chance.below(4);
                for _ in 0..times {
                    self.step(act);
                }
            }
            Act::Person | Act::Registry | Act::Profiles => self.people(act),
            Act::Pass => {
                let span = *self
                    .around
                    .chance
                    .of(&[50, 1_500, 12_000, 40_000, 1_900_000]);
                let ms = self.around.chance.between(1, span);
                self.around.clock.pass(ms);
            }
            Act::SetClock => {
                let ms = self.around.chance.between(-9 * HOUR_MS, 9 * HOUR_MS);
                self.around.clock.step(ms);
            }
            Act::BreakLine => {
                let index = self.around.chance.below(2);
                if let Some(process) = &mut self.process {
                    process.lines[index].disconnect();
                }
                self.connect(index);
            }
            Act::Kill => self.process = None,
            Act::CutPower => {
                self.process = None;
                let Neighbours { disk, chance, .. } = &mut self.around;
                disk.cut_power(|most| chance.below(most + 1));
            }
            Act::Stop => {
                if let Some(process) = self.process.take()
                    && let Err(error) = process.stop(&mut self.around)
                {
                    self.story.push(format!("could not stop well: {error:#}"));
                }
            }
            Act::DiskFault
            | Act::SlowDisk
            | Act::ReadFault
            | Act::StoreFault
            | Act::SnapshotFault
            | Act::LoseSnapshot
            | Act::SeriesMood
            | Act::Repair => self.trouble(act),
        }
    }

    /// A stage does one thing; an error of it is the end of the process.
    fn step(&mut self, act: Act) {
        let (Some(process), around) = (&mut self.process, &mut self.around) else {
            return;
        };
        let result = match act {
            Act::Journal => {
                process.journal_step(around);
                Ok(false)
            }
            Act::Work => process.worker_step(around),
            Act::Save => {
                process.saver_step(around);
                Ok(false)
            }
            Act::Series => process.series_step(around),
            Act::Outbox => {
                process.outbox_step(around);
                Ok(false)
            }
            _ => {
                process.tick_if_due(around);
                Ok(false)
            }
        };
        if let Err(error) = result {
            self.story.push(format!("the daemon stops: {error:#}"));
            self.process = None;
        }
    }

    fn trouble(&mut self, act: Act) {
        let around = &mut self.around;
        let chance = &mut around.chance;
        match act {
            Act::DiskFault => {
                let faults = [
                    WriteFault::Full,
                    WriteFault::Torn,
                    WriteFault::NotSynced,
                    WriteFault::AnswerLost,
                ];
                let count = 1 + chance.below(3);
                let planned: Vec<_> = (0..count).map(|_| *chance.of(&faults)).collect();
                self.story.push(format!("{planned:?}"));
                around.disk.plan(&planned);
                if chance.percent(10) {
                    around.disk.fail_cursors(1);
                }
            }
            Act::SlowDisk => around.disk.slow_down(chance.between(1, 8_000)),
            Act::ReadFault => around.disk.fail_reads(1),
            Act::StoreFault => {
                let fault = *chance.of(&[StoreFault::Before, StoreFault::After]);
                self.story.push(format!("{fault:?}"));
                around.store.plan(fault);
            }
            Act::SnapshotFault => {
                let faults = [
                    SnapshotFault::Piece,
                    SnapshotFault::Before,
                    SnapshotFault::After,
                ];
                let fault = *chance.of(&faults);
                let files = [&mut around.state, &mut around.series_state];
                let index = chance.below(2);
                self.story.push(format!("{fault:?} of file {index}"));
                for (number, file) in files.into_iter().enumerate() {
                    if number == index {
                        file.plan(fault);
                    }
                }
            }
            Act::LoseSnapshot if !self.is_tight => {
                self.process = None;
                match chance.below(5) {
                    0 => around.state.lose(),
                    1 => around.state.put_back(),
                    2 => around.state.damage(),
                    3 => around.series_state.lose(),
                    _ => around.series_state.put_back(),
                }
            }
            Act::SeriesMood => {
                let moods = [
                    Mood::Works,
                    Mood::Refuses,
                    Mood::Hangs,
                    Mood::CutsAnswer,
                    Mood::TakesHalf,
                    Mood::Stops,
                ];
                let mood = *chance.of(&moods);
                self.story.push(format!("{mood:?}"));
                around.series.set(mood);
            }
            _ => around.repair(),
        }
    }

    /// A device says something.
    fn publish(&mut self) {
        self.published += 1;
        let number = self.published;
        let chance = &mut self.around.chance;
        let line = chance.below(2);
        let serial = [["A", "B"], ["C", "D"]][line][chance.below(2)];
        let values = match chance.below(10) {
            0 => format!("{{\"n\":{number},"),
            1 => format!(
                "{{\"boot\":1,\"seq\":{number},\"s\":{{\"leak\":{}}}}}",
                chance.between(0, 12)
            ),
            2 | 3 => format!(
                "{{\"boot\":1,\"seq\":{number},\"s\":{{\"temp\":{}}}}}",
                chance.between(52, 70)
            ),
            _ => format!(
                "{{\"boot\":1,\"seq\":{number},\"s\":{{\"temp\":{}}}}}",
                chance.between(20, 49)
            ),
        };
        let source = ["plant", "listener"][line];
        self.around.publishers[line].give(RawMessage {
            source: source.into(),
            topic: format!("appl/v1/x-2/{serial}/tele").into(),
            payload: values.into(),
            qos: 1,
            dup: false,
            retained: false,
            queued: false,
            content_type: None,
            oversize: None,
        });
    }

    /// What publishers have to say goes over the wire.
    fn send(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        if !process.is_up() {
            return;
        }
        for (line, publisher) in process.lines.iter_mut().zip(&mut self.around.publishers) {
            for _ in 0..2 {
                if let Some((message, id)) = publisher.send() {
                    line.receive(message, id);
                }
            }
        }
    }

    /// Intake hands on what came, and acknowledges what is durable.
    fn intake(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let mut broken = Vec::new();
        let both = process.lines.iter_mut().zip(&mut self.around.publishers);
        for (index, (line, publisher)) in both.enumerate() {
            line.work();
            for id in line.acknowledged() {
                if let Err(why) = publisher.acknowledge(id) {
                    panic!("{why}");
                }
            }
            if line.is_over() {
                broken.push(index);
            }
        }
        // The journal refused what came over it: a later message must not overtake, so it begins anew, as the source does.
        for index in broken {
            self.story.push(format!("line {index} has to end"));
            if let Some(process) = &mut self.process {
                process.lines[index].disconnect();
            }
            self.connect(index);
        }
    }

    /// A person does something, of which the journal is told.
    fn people(&mut self, act: Act) {
        let Some(process) = &mut self.process else {
            self.acted += usize::from(act == Act::Person);
            return;
        };
        let record = match act {
            Act::Registry => Some(people::registry(&mut self.around)),
            Act::Profiles => Some(people::profiles()),
            _ => {
                self.acted += 1;
                people::ticket(&mut self.around, self.acted)
            }
        };
        // What a full journal refuses, the person is told.
        let record = record.map(Record::Control).into_iter().collect::<Vec<_>>();
        if !record.is_empty() {
            process.append(record, |_| {}).ok();
        }
    }

    /// Everyone works in turn until nothing is left to do.
    fn come_to_rest(&mut self) {
        for _ in 0..ROUNDS {
            if self.process.is_none() {
                self.start();
            }
            self.send();
            self.intake();
            for act in [Act::Journal, Act::Journal, Act::Tick, Act::Outbox] {
                self.step(act);
            }
            let mut rests = true;
            for _ in 0..8 {
                let (Some(process), around) = (&mut self.process, &mut self.around) else {
                    break;
                };
                let worker = process.worker_step(around);
                process.saver_step(around);
                let series = process.series_step(around);
                match (worker, series) {
                    (Ok(worker), Ok(_)) => rests = worker,
                    (Err(error), _) | (_, Err(error)) => {
                        panic!("the daemon stops though nothing is wrong: {error:#}")
                    }
                }
            }
            self.around.clock.pass(ROUND_MS);
            self.intake();
            if rests && self.is_at_rest() {
                return;
            }
        }
        let journal = self
            .process
            .as_ref()
            .map(|process| process.journal().stats());
        panic!("it does not come to rest within {ROUNDS} rounds; the journal: {journal:?}");
    }

    fn is_at_rest(&self) -> bool {
        let done = self.around.publishers.iter().all(Publisher::is_done);
        let process = self.process.as_ref();
        done && self.around.store.is_delivered() && process.is_some_and(Process::is_idle)
    }
}
