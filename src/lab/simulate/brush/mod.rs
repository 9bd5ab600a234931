//! A toothbrush with a dock that speaks for it: the handle's cell and drive, its person, and what happens from moment to moment.
//!
//! `life` goes through days and sessions, `tell` writes the messages, `cell` is the physics of the battery, `person` the habits.
//! What each failure does physically stands in [`Brush::wear`] and beside what it touches.

mod cell;
mod life;
mod person;
mod tell;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;

use self::cell::Cell;
use self::cell::Use;
use self::cell::Wear;
use self::life::Doing;
use self::life::Session;
use self::person::Person;
use super::appliance::Appliance;
use super::appliance::Quirk;
use super::chance::Chance;
use super::failure::Ailments;
use super::failure::FailureKind;
use super::json::Object;
use super::link::Link;
use super::link::Nameplate;
use super::place::PLACES;
use super::place::Place;
use super::plan::Cadence;
use super::plan::FleetPlan;
use crate::telemetry::DAY_MS;
use crate::telemetry::DeviceId;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

const MODEL: &str = "tb-iq9";

/// A production batch: its name, hardware, firmware, and how many days before the plan begins it was made.
struct Batch {
    name: &'static str,
    hw: &'static str,
    fw: &'static str,
    days: i64,
}

const BATCHES: [Batch; 3] = [
    Batch {
        name: "Q9-2508",
        hw: "A1",
        fw: "2.3.0",
        days: 270,
    },
    Batch {
        name: "Q9-2510",
        hw: "A2",
        fw: "2.3.0",
        days: 200,
    },
    Batch {
        name: "Q9-2601",
        hw: "A2",
        fw: "2.4.1",
        days: 120,
    },
];
/// Lots of cells and of docks.
const LOTS: ([&str; 3], [&str; 2]) = (["C2506", "C2509", "C2512"], ["D0411", "D0418"]);
/// What a new brush head is good for: days and seconds of brushing.
const HEAD: (f64, f64) = (90.0, 21_600.0);
/// Frequency of a new drive, Hz: 31,000 strokes a minute.
const DRIVE_HZ: f64 = 258.0;

/// The brush head that is on.
struct Head {
    /// Days that it had left when it was put on.
    days: f64,
    since: Timestamp,
    /// Seconds of brushing that it has left.
    brushing_s: f64,
    /// It is an old one that somebody put back on.
    worn: bool,
    /// How long after its end this person replaces it, days.
    tolerated: f64,
}

/// What the handle and the dock count.
struct Counters {
    sessions: i64,
    motor_s: f64,
    charges: i64,
    dock_restarts: i64,
}

/// One brush with its dock.
pub(super) struct Brush {
    link: Link,
    ailments: Ailments,
    chance: Chance,
    cadence: Cadence,
    place: &'static Place,
    person: Person,
    /// How much warmer than usual this bathroom is, K.
    warmer_k: f64,
    cell: Cell,
    using: Use,
    /// Up to when the cell has lived.
    lived: Timestamp,
    docked: bool,
    charging: bool,
    session: Option<Session>,
    mode: &'static str,
    /// How much more than usual this drive draws, and its frequency when new.
    drive: (f64, f64),
    /// It measures its frequency.
    tells_hz: bool,
    head: Head,
    count: Counters,
    powered_at: Timestamp,
    /// When the changing signals were last told in full.
    told: Timestamp,
    /// What comes, the earliest first; what is planned for the same instant in the order of planning.
    agenda: BinaryHeap<Reverse<(Timestamp, u64, Doing)>>,
    planned: u64,
}

impl Brush {
    /// The brush with this index in the fleet; `number` counts the brushes from 0.
    pub(super) fn new(plan: &FleetPlan, device: usize, number: usize) -> Self {
        let mut chance = Chance::new(plan.seed, device, 1);
        let place = &PLACES[(number + 3) % PLACES.len()];
        let from = plan.from + chance.span_ms(0, MINUTE_MS);
        let named = nameplate(plan.from, device, number, place, &mut chance);
        let boot = chance.span_ms(1, 9);
        let person = Person::new(place, from, Chance::new(plan.seed, device, 2));
        let warmer_k = 0.7 * chance.noise();
        let cell = Cell::new(place.room_c(from) + warmer_k, &mut chance);
        let sessions = chance.span_ms(100, 500);
        let days = chance.between(50.0, 88.0);
        let mut brush = Self {
            link: Link::new(named, plan.seed, from, boot),
            ailments: Ailments::default(),
            cadence: plan.cadence,
            place,
            person,
            warmer_k,
            cell,
            using: Use::Rest,
            lived: from,
            docked: false,
            charging: false,
            session: None,
            mode: "daily",
            drive: (1.0 + 0.02 * chance.noise(), DRIVE_HZ + 1.2 * chance.noise()),
            tells_hz: number.is_multiple_of(2),
            head: Head {
                days,
                since: from,
                brushing_s: HEAD.1 * days / HEAD.0,
                worn: false,
                tolerated: chance.between(3.0, 9.0),
            },
            count: Counters {
                sessions,
                motor_s: 112.0 * real(sessions),
                charges: sessions / 18,
                dock_restarts: chance.span_ms(0, 12),
            },
            powered_at: from,
            told: Timestamp::MIN,
            agenda: BinaryHeap::new(),
            planned: 0,
            chance,
        };
        brush.plan(from, Doing::SwitchOn);
        brush
    }

    fn plan(&mut self, at: Timestamp, doing: Doing) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, doing)));
    }

    fn strength(&self, kind: FailureKind, at: Timestamp) -> f64 {
        self.ailments.strength(kind, at)
    }

    fn room_c(&self, at: Timestamp) -> f64 {
        self.place.room_c(at) + self.warmer_k
    }

    /// How far the handle and its dock are from new.
    fn wear(&self, at: Timestamp) -> Wear {
        let dead = self.strength(FailureKind::DockDead, at);
        Wear {
            capacity: 1.0 - 0.5 * self.strength(FailureKind::CellFades, at),
            resistance: 1.0 + 1.8 * self.strength(FailureKind::CellResists, at),
            drain: 0.045 * self.strength(FailureKind::WaterInHandle, at),
            heat_k: 28.0 * self.strength(FailureKind::ChargesHot, at),
            // A coil that weakens, and then breaks.
            dock: if dead > 0.85 {
                0.0
            } else {
                (1.0 - dead) * (1.0 - dead)
            },
        }
    }

    /// The cell lives up to now.
    fn rest(&mut self, at: Timestamp) {
        let (room_c, wear) = (self.room_c(at), self.wear(at));
        self.cell
            .live(at.since(self.lived), self.using, room_c, wear);
        self.lived = at;
    }
}

/// The first brushes of a fleet show every quirk once, others than the seats beside them.
const fn quirk(number: usize) -> Quirk {
    match number % 20 {
        2 | 15 => Quirk::BadLink,
        8 => Quirk::WrongClock,
        10 => Quirk::Repeats,
        12 => Quirk::ClockJumps,
        14 => Quirk::Malformed,
        _ => Quirk::Ordinary,
    }
}

fn nameplate(
    from: Timestamp,
    device: usize,
    number: usize,
    place: &'static Place,
    chance: &mut Chance,
) -> Nameplate {
    let serial = format!("TBQ9-DEMO-{:03}", number + 1);
    let batch = chance.pick(&BATCHES);
    let made = from - batch.days * DAY_MS - chance.span_ms(0, 12 * DAY_MS);
    let first_use = made + chance.span_ms(15 * DAY_MS, 60 * DAY_MS);
    let (cell, dock) = (*chance.pick(&LOTS.0), *chance.pick(&LOTS.1));
    let mut ident = Vec::new();
    let mut object = Object::open(&mut ident);
    object.text("serial", &serial).text("model", MODEL);
    object.text("hw", batch.hw).text("fw", batch.fw);
    object
        .text("made", &made.to_string()[..10])
        .text("batch", batch.name);
    object.object("lots", |lots| {
        lots.text("cell", cell).text("dock", dock);
    });
    object.text("first_use", &first_use.to_string()[..10]);
    object
        .text("region", place.region)
        .text("tz", place.tz)
        .text("site", "home");
    object.close();
    Nameplate {
        device,
        id: DeviceId::new(MODEL, &serial)
            .unwrap_or_else(|error| unreachable!("serials are made here: {error}")),
        fw: batch.fw,
        ident: Bytes::from(ident),
        tz: place.tz,
        zone_ms: place.zone_ms(),
        quirk: quirk(number),
    }
}

impl Appliance for Brush {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    fn next_moment(&self) -> Timestamp {
        self.agenda
            .peek()
            .map_or(Timestamp::MAX, |Reverse((at, _, _))| *at)
    }

    fn live(&mut self) {
        if let Some(Reverse((at, _, doing))) = self.agenda.pop() {
            self.rest(at);
            self.happens(at, doing);
        }
    }

    fn ailments_mut(&mut self) -> &mut Ailments {
        &mut self.ailments
    }

    fn can_have(&self, kind: FailureKind) -> bool {
        FailureKind::BRUSH.contains(&kind)
    }

    fn use_at(&mut self, at: Timestamp) {
        if self.session.is_none() {
            self.plan(at.max(self.lived + SECOND_MS), Doing::TakeUp);
        }
    }
}

/// A whole number as a real one.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and spans of ms lie far below 2^53"
)]
const fn real(whole: i64) -> f64 {
    whole as f64
}

/// The whole number below.
#[expect(
    clippy::cast_possible_truncation,
    reason = "counts and days are small; a cast saturates"
)]
fn whole(real: f64) -> i64 {
    libm::floor(real) as i64
}
