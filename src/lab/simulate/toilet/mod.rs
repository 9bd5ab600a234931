//! A smart toilet seat with an instantaneous heater: its parts, its people, and what it does from moment to moment.
//!
//! `stages` goes through a visit, `tell` writes the messages, `water` and `parts` are the physics, `household` the people.

mod household;
mod parts;
mod stages;
mod tell;
mod water;

use bytes::Bytes;

use self::household::Household;
use self::household::Visit;
use self::parts::Arm;
use self::parts::Dryer;
use self::parts::Seat;
use self::parts::Supply;
use self::stages::Stage;
use self::water::Sensor;
use self::water::Water;
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

const MODEL: &str = "ts-flash5";

/// A production batch: its name, hardware, firmware, and how many days before the plan begins it was made.
struct Batch {
    name: &'static str,
    hw: &'static str,
    fw: &'static str,
    days: i64,
}

const BATCHES: [Batch; 3] = [
    Batch {
        name: "F5-2509",
        hw: "B1",
        fw: "1.4.2",
        days: 250,
    },
    Batch {
        name: "F5-2511",
        hw: "B2",
        fw: "1.4.2",
        days: 190,
    },
    Batch {
        name: "F5-2602",
        hw: "B2",
        fw: "1.5.0",
        days: 110,
    },
];
/// Lots of heaters and of boards.
const LOTS: ([&str; 3], [&str; 2]) = (["H2507", "H2511", "H2601"], ["P0932", "P0947"]);
/// Flow at each water level of a new seat, L/min.
const FLOWS: [f64; 5] = [0.38, 0.44, 0.5, 0.55, 0.6];

/// What the seat counts.
struct Counters {
    washes: i64,
    dries: i64,
    flushes: i64,
    lid: i64,
    litres: f64,
    deo_s: f64,
}

/// One seat.
pub(super) struct Toilet {
    link: Link,
    ailments: Ailments,
    chance: Chance,
    cadence: Cadence,
    place: &'static Place,
    home: Household,
    /// How much warmer than usual this bathroom is, K.
    warmer_k: f64,
    /// How much more than usual flows here: pressure and production.
    flow_unit: f64,
    water: Water,
    seat: Seat,
    dryer: Dryer,
    arm: Arm,
    supply: Supply,
    count: Counters,
    stage: Stage,
    stage_at: Timestamp,
    /// The visit that is under way, or comes next.
    visit: Visit,
    tick_at: Timestamp,
    /// Up to when seat and resting water have lived.
    lived: Timestamp,
    function: &'static str,
    lid: &'static str,
    occupied: bool,
    arm_out: bool,
    level: u8,
    set_c: f64,
    sensor: Sensor,
    /// When the changing signals, and the counters, were last told in full.
    told: (Timestamp, Timestamp),
    powered_at: Timestamp,
    next_power_cut: Timestamp,
}

impl Toilet {
    /// The seat with this index in the fleet; `number` counts the seats from 0.
    pub(super) fn new(plan: &FleetPlan, device: usize, number: usize) -> Self {
        let mut chance = Chance::new(plan.seed, device, 1);
        let place = &PLACES[number % PLACES.len()];
        let from = plan.from + chance.span_ms(0, MINUTE_MS);
        let quirk = quirk(number);
        let named = nameplate(plan.from, device, number, place, quirk, &mut chance);
        let boot = chance.span_ms(1, 20);
        let mut home = Household::new(place, from, Chance::new(plan.seed, device, 2));
        let warmer_k = 0.7 * chance.noise();
        let room_c = place.room_c(from) + warmer_k;
        let visit = home.next(from);
        let washes = chance.span_ms(60, 900);
        Self {
            link: Link::new(named, plan.seed, from, boot),
            ailments: Ailments::default(),
            cadence: plan.cadence,
            place,
            home,
            warmer_k,
            flow_unit: 1.0 + 0.03 * chance.noise(),
            water: Water::new(room_c, &mut chance),
            seat: Seat::new(room_c, &mut chance),
            dryer: Dryer::new(room_c, &mut chance),
            arm: Arm::new(&mut chance),
            supply: Supply::new(&mut chance),
            count: Counters {
                washes,
                dries: washes / 3,
                flushes: washes * 4,
                lid: washes * 8,
                litres: 0.45 * tell::real(washes),
                deo_s: 300.0 * tell::real(washes),
            },
            stage: Stage::Off {
                boots: false,
                tripped: false,
            },
            stage_at: from,
            level: visit.wash.map_or(3, |wash| wash.level),
            set_c: visit.wash.map_or(38.0, |wash| wash.set_c),
            visit,
            tick_at: Timestamp::MAX,
            lived: from,
            function: "idle",
            lid: "closed",
            occupied: false,
            arm_out: false,
            sensor: Sensor::Good,
            told: (Timestamp::MIN, Timestamp::MIN),
            powered_at: from,
            next_power_cut: from + chance.span_ms(10 * DAY_MS, 90 * DAY_MS),
            chance,
        }
    }

    fn room_c(&self, at: Timestamp) -> f64 {
        self.place.room_c(at) + self.warmer_k
    }

    /// What the weeping valve lets through, L/min.
    fn weeps_lpm(&self, at: Timestamp) -> f64 {
        0.32 * self.ailments.strength(FailureKind::ValveLeak, at)
    }

    /// Seat and resting water live up to now. Water that flows lives in its stage.
    fn rest(&mut self, at: Timestamp) {
        let seconds = tell::real(at.since(self.lived)) / 1_000.0;
        self.lived = at;
        let room_c = self.room_c(at);
        let powered = !matches!(self.stage, Stage::Off { .. } | Stage::Gone { .. });
        let stuck = self.ailments.strength(FailureKind::SeatOverheats, at);
        if powered {
            self.seat.live(seconds, room_c, stuck);
        } else {
            self.seat.cool(seconds, room_c);
        }
        if !matches!(self.stage, Stage::Washes { .. } | Stage::Cleans { .. }) {
            let weeps = self.weeps_lpm(at);
            self.water
                .rest(seconds, room_c, self.place.water_c(at), weeps);
            self.count.litres += weeps * seconds / 60.0;
        }
    }
}

/// The first seats of a fleet show every quirk once; in a large one, six of twenty-four are not ordinary.
const fn quirk(number: usize) -> Quirk {
    match number % 24 {
        4 | 17 => Quirk::BadLink,
        5 => Quirk::WrongClock,
        6 => Quirk::ClockJumps,
        7 => Quirk::Malformed,
        9 => Quirk::Repeats,
        _ => Quirk::Ordinary,
    }
}

fn nameplate(
    from: Timestamp,
    device: usize,
    number: usize,
    place: &'static Place,
    quirk: Quirk,
    chance: &mut Chance,
) -> Nameplate {
    let serial = format!("TSF5-DEMO-{:03}", number + 1);
    let batch = chance.pick(&BATCHES);
    let made = from - batch.days * DAY_MS - chance.span_ms(0, 12 * DAY_MS);
    let first_use = made + chance.span_ms(20 * DAY_MS, 70 * DAY_MS);
    let (heater, board) = (*chance.pick(&LOTS.0), *chance.pick(&LOTS.1));
    let mut ident = Vec::new();
    let mut object = Object::open(&mut ident);
    object.text("serial", &serial).text("model", MODEL);
    object.text("hw", batch.hw).text("fw", batch.fw);
    object
        .text("made", &made.to_string()[..10])
        .text("batch", batch.name);
    object.object("lots", |lots| {
        lots.text("heater", heater).text("board", board);
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
        quirk,
    }
}

impl Appliance for Toilet {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    fn next_moment(&self) -> Timestamp {
        self.stage_at.min(self.tick_at)
    }

    fn live(&mut self) {
        if self.stage_at <= self.tick_at {
            let at = self.stage_at;
            self.rest(at);
            self.go_on(at);
        } else {
            let at = self.tick_at;
            self.rest(at);
            self.tick(at);
        }
    }

    fn ailments_mut(&mut self) -> &mut Ailments {
        &mut self.ailments
    }

    fn can_have(&self, kind: FailureKind) -> bool {
        FailureKind::TOILET.contains(&kind)
    }

    fn use_at(&mut self, at: Timestamp) {
        if self.stage == Stage::Waits {
            let at = at.max(self.lived + SECOND_MS);
            self.visit = self.home.comes(at);
            self.stage_at = at;
        }
    }
}
