//! What a seat says, in the words of its convention.

use super::Toilet;
use super::water::Sensor;
use crate::lab::simulate::chance::Chance;
use crate::lab::simulate::failure::FailureKind;
use crate::telemetry::HOUR_MS;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;

/// Litres after which the filter is used up.
const FILTER_L: f64 = 1_500.0;
/// Code that the seat shows for an open outlet sensor.
const SENSOR_CODE: &str = "E2";

impl Toilet {
    /// Everything periodic that is due: the minute's signals, with them the counters and the hourly repetition of what changes.
    pub(super) fn tell_regularly(&mut self, at: Timestamp) {
        let all = at.since(self.told.0) >= HOUR_MS;
        let counters = at.since(self.told.1) >= self.cadence.period_ms(5 * MINUTE_MS);
        if all {
            self.told.0 = at;
        }
        if counters {
            self.told.1 = at;
        }
        let idle = self.function == "idle";
        let weak = self.ailments.strength(FailureKind::Leakage, at);
        let (weeps, room_c) = (self.weeps_lpm(at), self.room_c(at));
        if idle && self.ailments.strength(FailureKind::WaterSensor, at) <= 0.6 {
            self.sensor = Sensor::Good;
        } else if idle {
            self.sensor = Sensor::Open;
        }
        let Self {
            link,
            water,
            seat,
            supply,
            count,
            chance,
            ..
        } = self;
        let (function, lid, level, occupied, arm_out) = (
            self.function,
            self.lid,
            self.level,
            self.occupied,
            self.arm_out,
        );
        let (set_c, sensor, powered_at) = (self.set_c, self.sensor, self.powered_at);
        link.tele(at, |s| {
            if idle {
                s.number("water.in_c", water.in_c + 0.03 * chance.noise(), 2);
                s.number("water.out_c", noisy(water.reads_c(sensor), chance), 2);
                s.number("water.set_c", set_c, 1);
                s.number("water.flow_lpm", weeps * (1.0 + 0.02 * chance.noise()), 3);
                s.whole("heater.power_w", 0).whole("heater.cmd_w", 0);
            }
            if !occupied {
                s.number("seat.temp_c", noisy(seat.temp_c, chance), 2);
                s.number("seat.set_c", seat.set_c, 1)
                    .number("seat.duty_pct", seat.duty_pct, 1);
            }
            s.number("leak.ma", supply.leak_ma(weak, chance), 4);
            s.number("room.c", noisy(room_c, chance), 2)
                .number("mains.v", supply.volts(), 1);
            if arm_out {
                s.flag("nozzle.out", true);
            }
            if all {
                s.text("function", function).flag("seat.occupied", occupied);
                s.text("lid.pos", lid)
                    .text("ring.pos", "closed")
                    .whole("water.level", i64::from(level));
            }
            if counters {
                s.text(
                    "fault",
                    if sensor == Sensor::Open {
                        SENSOR_CODE
                    } else {
                        ""
                    },
                );
                s.number(
                    "filter.life_pct",
                    (100.0 * (1.0 - count.litres / FILTER_L)).max(0.0),
                    1,
                );
                s.number("deo.hours", count.deo_s / 3_600.0, 2);
                s.number("rssi", -58.0 + 3.0 * chance.noise(), 0);
                s.whole("uptime_s", at.since(powered_at) / 1_000);
                s.whole("count.wash", count.washes)
                    .whole("count.dry", count.dries);
                s.whole("count.flush", count.flushes)
                    .whole("count.lid", count.lid);
                s.number("heater.on_s", water.on_s, 0)
                    .number("water.total_l", count.litres, 3);
                s.whole("heater.overheat_trips", water.trips);
            }
        });
    }

    /// The lid begins to move, or has moved in this direction.
    pub(super) fn tell_lid(&mut self, at: Timestamp, moved: Option<&str>) {
        let Self {
            link, chance, lid, ..
        } = self;
        link.tele(at, |s| {
            s.text("lid.pos", lid);
            if let Some(dir) = moved {
                s.text("lid.dir", dir)
                    .number("lid.travel_s", 2.3 + 0.05 * chance.noise(), 2);
                s.number("lid.ma", 310.0 + 8.0 * chance.noise(), 0);
            }
        });
    }

    /// Somebody sat down or rose.
    pub(super) fn tell_occupied(&mut self, at: Timestamp) {
        let Self {
            link,
            chance,
            seat,
            occupied,
            ..
        } = self;
        link.tele(at, |s| {
            s.flag("seat.occupied", *occupied)
                .number("seat.temp_c", noisy(seat.temp_c, chance), 2);
            s.number("seat.set_c", seat.set_c, 1)
                .number("seat.duty_pct", seat.duty_pct, 1);
        });
    }

    /// The seat under a sitting person.
    pub(super) fn tell_seat(&mut self, at: Timestamp) {
        let Self {
            link, chance, seat, ..
        } = self;
        link.tele(at, |s| {
            s.number("seat.temp_c", noisy(seat.temp_c, chance), 2);
            s.number("seat.set_c", seat.set_c, 1)
                .number("seat.duty_pct", seat.duty_pct, 1);
        });
    }

    pub(super) fn tell_arm_out(&mut self, at: Timestamp, seconds: f64) {
        self.link.tele(at, |s| {
            s.number("nozzle.ext_s", seconds, 2)
                .flag("nozzle.out", true);
        });
    }

    pub(super) fn tell_arm_in(&mut self, at: Timestamp, seconds: f64, retries: i64) {
        let Self {
            link,
            chance,
            level,
            ..
        } = self;
        link.tele(at, |s| {
            s.number("nozzle.ret_s", seconds, 2)
                .whole("nozzle.retries", retries);
            let pump_ma = 300.0 + 35.0 * f64::from(*level) + 4.0 * chance.noise();
            s.flag("nozzle.out", false).number("pump.ma", pump_ma, 0);
        });
    }

    pub(super) fn tell_wash_start(&mut self, at: Timestamp) {
        let (level, set_c, function) = (self.level, self.set_c, self.function);
        let blind = self.sensor == Sensor::Open;
        self.link.event(at, "wash_start", |d| {
            d.whole("level", i64::from(level)).number("set_c", set_c, 1);
        });
        if blind {
            self.link.event(at, "fault", |d| {
                d.text("code", SENSOR_CODE);
            });
        }
        self.link.tele(at, |s| {
            s.whole("water.level", i64::from(level))
                .text("function", function);
        });
    }

    /// The water path in a wash.
    pub(super) fn tell_washing(&mut self, at: Timestamp, flow_lpm: f64) {
        let Self {
            link,
            chance,
            water,
            ..
        } = self;
        let (sensor, set_c) = (self.sensor, self.set_c);
        link.tele(at, |s| {
            s.number("water.in_c", water.in_c + 0.03 * chance.noise(), 2);
            s.number("water.out_c", noisy(water.reads_c(sensor), chance), 2);
            s.number("water.set_c", set_c, 1);
            s.number(
                "water.flow_lpm",
                flow_lpm * (1.0 + 0.005 * chance.noise()),
                3,
            );
            s.number("heater.power_w", water.power_w, 0)
                .number("heater.cmd_w", water.cmd_w, 0);
        });
    }

    /// The wash is over and the arm is rinsed. Flow and power follow with the next minute: they are periodic, and a zero in the
    /// record that ends a wash would count in it.
    pub(super) fn tell_wash_stop(&mut self, at: Timestamp, since: Timestamp, litres: f64) {
        self.tell_function(at);
        self.link.event(at, "wash_stop", |d| {
            d.number("duration_s", real(at.since(since)) / 1_000.0, 1);
            d.number("litres", litres, 3);
        });
    }

    /// Another function is under way.
    pub(super) fn tell_function(&mut self, at: Timestamp) {
        let function = self.function;
        self.link.tele(at, |s| {
            s.text("function", function);
        });
    }

    /// The dryer; its first message says that it runs.
    pub(super) fn tell_drying(&mut self, at: Timestamp, begins: bool) {
        let Self {
            link,
            chance,
            dryer,
            function,
            ..
        } = self;
        link.tele(at, |s| {
            if begins {
                s.text("function", function);
            }
            s.number("dryer.air_c", noisy(dryer.air_c, chance), 2)
                .number("dryer.fan_rpm", dryer.rpm, 0);
            s.number("dryer.set_rpm", dryer.set_rpm, 0)
                .number("dryer.heater_w", dryer.heater_w, 0);
        });
    }
}

/// A temperature as a cheap sensor tells it.
fn noisy(celsius: f64, chance: &mut Chance) -> f64 {
    celsius + 0.05 * chance.noise()
}

/// A count or a span of ms as a number.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and spans lie far below 2^53"
)]
pub(super) fn real(count: i64) -> f64 {
    count as f64
}
