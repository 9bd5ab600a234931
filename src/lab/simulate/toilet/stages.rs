//! A visit from the lid to the lid, and power that goes and comes: what happens next, and when.

use super::Toilet;
use super::household::Wash;
use super::tell::real;
use super::water::Given;
use super::water::Harm;
use super::water::Sensor;
use crate::lab::simulate::failure::FailureKind;
use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::SECOND_MS;
use crate::telemetry::Timestamp;

/// Above this water hurts, °C, and a person stops the wash after so many seconds of it.
const HURTS: (f64, f64) = (44.0, 5.5);
/// How long the arm is rinsed after a wash, ms, with so much water, L/min.
const RINSE: (i64, f64) = (6 * SECOND_MS, 0.3);
/// How long a person waits before the next may come, ms.
const PAUSE_MS: i64 = 20 * SECOND_MS;
/// After so long without power the broker publishes the will, ms.
const WILL_AFTER_MS: i64 = 90 * SECOND_MS;
/// Insulation at which the safety plug trips, and how often it does then, by telling (every minute or two).
const TRIPS: (f64, f64) = (0.97, 0.004);

/// What the seat is about to do when its moment comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// Nobody is there; the visit begins.
    Waits,
    /// The lid has opened.
    LidOpen,
    /// A standing person leaves.
    Stands,
    /// The person sits until then.
    Sits { until: Timestamp },
    /// The arm has come out after so many seconds and retries; the wash begins.
    ArmOut { seconds: f64, retries: i64 },
    /// Water flows.
    Washes(Washing),
    /// The arm is rinsed.
    Cleans { retries: i64 },
    /// The arm has gone in.
    ArmIn { seconds: f64, retries: i64 },
    /// Air blows until then.
    Dries { until: Timestamp },
    /// The person rises.
    Rises,
    /// The lid has closed.
    LidClosed,
    /// Power is lost, and the broker has not noticed yet; it returns then.
    Gone { until: Timestamp, tripped: bool },
    /// Power returns.
    Off { boots: bool, tripped: bool },
}

/// A wash under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Washing {
    since: Timestamp,
    until: Timestamp,
    flow_lpm: f64,
    litres: f64,
    /// The heater's switch does not open this time.
    stuck: bool,
    /// How long the water has hurt, s.
    hurts_s: f64,
    /// How long the sensor's contact stays loose, s.
    loose_s: f64,
    /// Retries of the arm on its way out.
    retries: i64,
}

impl Toilet {
    fn then(&mut self, stage: Stage, at: Timestamp) {
        self.stage = stage;
        self.stage_at = at;
    }

    /// Goes through the moment of the stage.
    pub(super) fn go_on(&mut self, at: Timestamp) {
        match self.stage {
            Stage::Waits => {
                self.lid = "moving";
                self.tell_lid(at, None);
                let travel_ms = self.chance.span_ms(2_100, 2_500);
                self.then(Stage::LidOpen, at + travel_ms);
            }
            Stage::LidOpen => {
                self.lid = "open";
                self.count.lid += 1;
                self.tell_lid(at, Some("open"));
                let settle_ms = self.chance.span_ms(3 * SECOND_MS, 12 * SECOND_MS);
                match self.visit.sits_ms {
                    Some(ms) => {
                        let until = at + settle_ms + ms;
                        self.then(Stage::Sits { until }, at + settle_ms);
                    }
                    None => self.then(Stage::Stands, at + 4 * settle_ms),
                }
            }
            Stage::Stands => self.leave(at),
            Stage::Sits { until } => self.sit(at, until),
            Stage::ArmOut { seconds, retries } => self.begin_wash(at, seconds, retries),
            Stage::Washes(wash) => self.wash(at, wash),
            Stage::Cleans { retries } => self.end_rinse(at, retries),
            Stage::ArmIn { seconds, retries } => {
                self.arm_out = false;
                self.tell_arm_in(at, seconds, retries);
                if self.visit.dries_ms > 0 {
                    let room_c = self.room_c(at);
                    self.dryer.start(room_c);
                    let until = at + self.visit.dries_ms;
                    self.then(Stage::Dries { until }, at + SECOND_MS);
                } else {
                    self.then(Stage::Rises, at + 15 * SECOND_MS);
                }
            }
            Stage::Dries { until } => self.dry(at, until),
            Stage::Rises => {
                self.occupied = false;
                self.tell_occupied(at);
                self.leave(at);
            }
            Stage::LidClosed => {
                self.lid = "closed";
                self.count.lid += 1;
                self.tell_lid(at, Some("close"));
                self.wait(at);
            }
            Stage::Gone { until, tripped } => {
                self.link.will(at);
                self.then(
                    Stage::Off {
                        boots: true,
                        tripped,
                    },
                    until,
                );
            }
            Stage::Off { boots, tripped } => self.power_up(at, boots, tripped),
        }
    }

    /// Nobody is there until the next visit.
    fn wait(&mut self, at: Timestamp) {
        self.visit = self.home.next(at + PAUSE_MS);
        let next = self.visit.at;
        self.then(Stage::Waits, next);
    }

    /// Flushes, and lets the lid down.
    fn leave(&mut self, at: Timestamp) {
        self.count.flushes += 1;
        let after_ms = self.chance.span_ms(4 * SECOND_MS, 15 * SECOND_MS);
        self.then(Stage::LidClosed, at + after_ms);
    }

    fn sit(&mut self, at: Timestamp, until: Timestamp) {
        if !self.occupied {
            self.occupied = true;
            self.tell_occupied(at);
        } else if at < until {
            self.tell_seat(at);
        }
        if at < until {
            let next = at + self.cadence.period_ms(10 * SECOND_MS);
            self.then(Stage::Sits { until }, next.min(until));
            return;
        }
        self.count.deo_s += real(self.visit.sits_ms.unwrap_or(0)) / 1_000.0;
        if self.visit.wash.is_some() {
            let stiff = self.ailments.strength(FailureKind::NozzleSlow, at);
            let travel = self.arm.drive(true, stiff, &mut self.chance);
            let (seconds, retries) = (travel.seconds, travel.retries);
            self.then(Stage::ArmOut { seconds, retries }, at + ms(seconds));
        } else {
            self.then(Stage::Rises, at + 20 * SECOND_MS);
        }
    }

    fn begin_wash(&mut self, at: Timestamp, seconds: f64, retries: i64) {
        let Some(Wash {
            level,
            set_c,
            lasts_ms,
        }) = self.visit.wash
        else {
            self.then(Stage::Rises, at);
            return;
        };
        self.arm_out = true;
        self.tell_arm_out(at, seconds);
        (self.level, self.set_c) = (level, set_c);
        self.function = "wash";
        self.count.washes += 1;
        let scale = self.ailments.strength(FailureKind::Limescale, at);
        let new = super::FLOWS[usize::from(level.clamp(1, 5)) - 1];
        let stuck = self.ailments.strength(FailureKind::HeaterStuckOn, at);
        let wash = Washing {
            since: at,
            until: at + lasts_ms,
            flow_lpm: new
                * self.flow_unit
                * (1.0 - 0.3 * scale)
                * (1.0 + 0.006 * self.chance.noise()),
            litres: 0.0,
            stuck: self.chance.happens(stuck),
            hurts_s: 0.0,
            loose_s: 0.0,
            retries,
        };
        self.feel(at, 0.0);
        self.water.open(self.sensor);
        // The first look at a wash is the water that stood in the heater, with valve and heater just on.
        let (given, harm) = self.given(at, wash);
        self.water.flow(0.1, given, harm);
        self.tell_wash_start(at);
        self.tell_washing(at, wash.flow_lpm);
        self.then(Stage::Washes(wash), at + self.cadence.period_ms(SECOND_MS));
    }

    fn given(&self, at: Timestamp, wash: Washing) -> (Given, Harm) {
        let given = Given {
            mains_c: self.place.water_c(at),
            volts: self.supply.volts(),
            room_c: self.room_c(at),
            set_c: self.set_c,
            flow_lpm: wash.flow_lpm,
        };
        let harm = Harm {
            scale: self.ailments.strength(FailureKind::Limescale, at),
            weak: self.ailments.strength(FailureKind::HeaterWeak, at),
            stuck: wash.stuck,
            sensor: self.sensor,
        };
        (given, harm)
    }

    /// The state of the sensor's contact: first it jumps, in the end it is open. Gives how long it stays loose, s.
    fn feel(&mut self, at: Timestamp, loose_s: f64) -> f64 {
        let worn = self.ailments.strength(FailureKind::WaterSensor, at);
        let step_s = real(self.cadence.period_ms(SECOND_MS)) / 1_000.0;
        if worn > 0.6 {
            self.sensor = Sensor::Open;
        } else if loose_s > 0.0 {
            return loose_s - step_s;
        } else if worn > 0.0 && self.chance.happens(0.03 + 0.2 * worn) {
            self.sensor = Sensor::Loose(self.chance.between(26.0, 42.0));
            return 2.0 - step_s;
        } else {
            self.sensor = Sensor::Good;
        }
        0.0
    }

    fn wash(&mut self, at: Timestamp, mut wash: Washing) {
        let step_ms = self.cadence.period_ms(SECOND_MS);
        let seconds = real(step_ms) / 1_000.0;
        let (given, harm) = self.given(at, wash);
        self.water.flow(seconds, given, harm);
        wash.litres += wash.flow_lpm * seconds / 60.0;
        self.count.litres += wash.flow_lpm * seconds / 60.0;
        if self.water.out_c > HURTS.0 {
            wash.hurts_s += seconds;
        }
        wash.loose_s = self.feel(at, wash.loose_s);
        self.tell_washing(at, wash.flow_lpm);
        if at < wash.until && wash.hurts_s < HURTS.1 {
            self.then(Stage::Washes(wash), at + step_ms);
            return;
        }
        // The main relay opens: from here on even a stuck switch heats no longer.
        self.water.close();
        self.sensor = if self.sensor == Sensor::Open {
            Sensor::Open
        } else {
            Sensor::Good
        };
        self.function = "self_clean";
        self.tell_wash_stop(at, wash.since, wash.litres);
        self.then(
            Stage::Cleans {
                retries: wash.retries,
            },
            at + RINSE.0,
        );
    }

    fn end_rinse(&mut self, at: Timestamp, before: i64) {
        let seconds = real(RINSE.0) / 1_000.0;
        let given = Given {
            mains_c: self.place.water_c(at),
            volts: self.supply.volts(),
            room_c: self.room_c(at),
            set_c: 0.0,
            flow_lpm: RINSE.1,
        };
        self.water.flow(seconds, given, Harm::default());
        self.water.close();
        self.count.litres += RINSE.1 * seconds / 60.0;
        self.function = "idle";
        self.tell_function(at);
        let stiff = self.ailments.strength(FailureKind::NozzleSlow, at);
        let travel = self.arm.drive(false, stiff, &mut self.chance);
        let (seconds, retries) = (travel.seconds, before + travel.retries);
        self.then(Stage::ArmIn { seconds, retries }, at + ms(seconds));
    }

    fn dry(&mut self, at: Timestamp, until: Timestamp) {
        if at < until {
            let begins = self.function != "dry";
            self.function = "dry";
            let slow = self.ailments.strength(FailureKind::DryerFan, at);
            let step_ms = self.cadence.period_ms(SECOND_MS);
            let room_c = self.room_c(at);
            self.dryer
                .live(real(step_ms) / 1_000.0, room_c, slow, &mut self.chance);
            self.tell_drying(at, begins);
            self.then(Stage::Dries { until }, at + step_ms);
        } else {
            self.dryer.stop();
            self.function = "idle";
            self.count.dries += 1;
            self.tell_function(at);
            self.then(Stage::Rises, at + 10 * SECOND_MS);
        }
    }

    /// A minute or two have gone by: tells what is told regularly, and sees whether the power stays.
    pub(super) fn tick(&mut self, at: Timestamp) {
        self.supply.live(&mut self.chance);
        self.tell_regularly(at);
        self.tick_at = at + self.cadence.period_ms(MINUTE_MS);
        if self.stage != Stage::Waits {
            return;
        }
        let weak = self.ailments.strength(FailureKind::Leakage, at);
        let trips = weak >= TRIPS.0 && self.chance.happens(TRIPS.1);
        if trips || at >= self.next_power_cut {
            let lasts_ms = if trips {
                self.chance.span_ms(HOUR_MS, 5 * HOUR_MS)
            } else {
                self.chance.span_ms(3 * MINUTE_MS, 50 * MINUTE_MS)
            };
            self.next_power_cut = at + self.chance.span_ms(20 * DAY_MS, 90 * DAY_MS);
            self.link.switch_off();
            self.tick_at = Timestamp::MAX;
            let until = at + lasts_ms;
            self.then(
                Stage::Gone {
                    until,
                    tripped: trips,
                },
                at + WILL_AFTER_MS,
            );
        }
    }

    fn power_up(&mut self, at: Timestamp, boots: bool, tripped: bool) {
        self.powered_at = at;
        self.told = (Timestamp::MIN, Timestamp::MIN);
        self.link.switch_on(at, boots);
        if boots {
            self.link.event(at, "power_up", |_| {});
        }
        if tripped {
            self.link.event(at, "rcd_trip", |_| {});
        }
        self.tick_at = at + SECOND_MS;
        self.wait(at);
    }
}

/// Seconds as ms.
#[expect(clippy::cast_possible_truncation, reason = "travel times are seconds")]
fn ms(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}
