//! The smaller parts of a seat: heated ring, dryer, spray arm, insulation, mains and room.

use super::super::chance::Chance;

/// How fast the seat follows its heating, s.
const SEAT: f64 = 1_000.0;
/// How far above the room the seat heating alone brings the seat, K.
const SEAT_RISE: f64 = 36.0;
/// How fast the dryer's air follows its heater, s.
const AIR: f64 = 6.0;
/// Power of the dryer's heater, W, and how far it heats the air at full speed, K.
const DRYER: (f64, f64) = (260.0, 27.0);
/// Air at which the dryer's heater is cut off, and on again, °C (a standard asks for less than 85 °C with one fault).
const AIR_CUT: (f64, f64) = (84.0, 70.0);

/// The heated seat.
pub(super) struct Seat {
    /// Surface, °C.
    pub(super) temp_c: f64,
    /// Wish of the household, °C; 0: off.
    pub(super) set_c: f64,
    /// How much of the time the heating draws current, measured, %.
    pub(super) duty_pct: f64,
}

impl Seat {
    pub(super) fn new(room_c: f64, chance: &mut Chance) -> Self {
        // In a warm bathroom people leave the heating off.
        let set_c: f64 = if room_c > 25.5 {
            0.0
        } else {
            *chance.pick(&[33.0, 34.0, 35.0, 36.0])
        };
        let mut seat = Self {
            temp_c: set_c.max(room_c),
            set_c,
            duty_pct: 0.0,
        };
        seat.live(0.0, room_c, 0.0);
        seat
    }

    /// So many seconds; `stuck`: how far the heating has failed to switch off, 0 to 1.
    pub(super) fn live(&mut self, seconds: f64, room_c: f64, stuck: f64) {
        let wish = self.set_c.max(room_c);
        let hottest = room_c + SEAT_RISE;
        let aim = wish + (hottest - wish).max(0.0) * stuck;
        self.temp_c += (aim - self.temp_c) * (1.0 - libm::exp(-seconds / SEAT));
        self.duty_pct = (100.0 * (aim - room_c) / SEAT_RISE).clamp(0.0, 100.0);
    }
}

impl Seat {
    /// So many seconds without power.
    pub(super) fn cool(&mut self, seconds: f64, room_c: f64) {
        self.temp_c += (room_c - self.temp_c) * (1.0 - libm::exp(-seconds / SEAT));
        self.duty_pct = 0.0;
    }
}

/// The dryer.
pub(super) struct Dryer {
    /// Air, °C.
    pub(super) air_c: f64,
    /// Speed of the fan, rpm.
    pub(super) rpm: f64,
    /// Speed that is wanted, rpm.
    pub(super) set_rpm: f64,
    /// Drawn by the heater, W.
    pub(super) heater_w: f64,
    cut: bool,
}

impl Dryer {
    pub(super) fn new(room_c: f64, chance: &mut Chance) -> Self {
        Self {
            air_c: room_c,
            rpm: 0.0,
            set_rpm: *chance.pick(&[4_800.0, 5_200.0, 5_600.0]),
            heater_w: 0.0,
            cut: false,
        }
    }

    /// A drying begins.
    pub(super) fn start(&mut self, room_c: f64) {
        self.air_c = room_c;
        self.cut = false;
    }

    /// So many seconds of drying; `slow`: how far the fan has failed, 0 to 1.
    pub(super) fn live(&mut self, seconds: f64, room_c: f64, slow: f64, chance: &mut Chance) {
        let share = (1.0 - 0.62 * slow) * (1.0 + 0.006 * chance.noise());
        self.rpm = self.set_rpm * share;
        if self.air_c > AIR_CUT.0 {
            self.cut = true;
        } else if self.air_c < AIR_CUT.1 {
            self.cut = false;
        }
        self.heater_w = if self.cut { 0.0 } else { DRYER.0 };
        let aim = room_c + DRYER.1 / share * (self.heater_w / DRYER.0);
        self.air_c += (aim - self.air_c) * (1.0 - libm::exp(-seconds / AIR));
    }

    /// Off.
    pub(super) fn stop(&mut self) {
        self.rpm = 0.0;
        self.heater_w = 0.0;
    }
}

/// One way of the spray arm.
pub(super) struct Travel {
    /// How long it took, s.
    pub(super) seconds: f64,
    /// How often it tried again.
    pub(super) retries: i64,
}

/// The spray arm.
pub(super) struct Arm {
    out_s: f64,
    in_s: f64,
}

impl Arm {
    pub(super) fn new(chance: &mut Chance) -> Self {
        Self {
            out_s: chance.between(2.6, 3.1),
            in_s: chance.between(3.0, 3.5),
        }
    }

    /// Drives out or in; `stiff`: how far it has failed, 0 to 1.
    pub(super) fn drive(&self, out: bool, stiff: f64, chance: &mut Chance) -> Travel {
        let new = if out { self.out_s } else { self.in_s };
        let retries = if chance.happens(1.6 * (stiff - 0.35)) {
            chance.span_ms(1, 3).max(if stiff > 0.7 { 2 } else { 1 })
        } else {
            0
        };
        Travel {
            seconds: new * (1.0 + 2.3 * stiff) * (1.0 + 0.02 * chance.noise()),
            retries,
        }
    }
}

/// The electrical side: mains, and what flows where it should not.
pub(super) struct Supply {
    new_ma: f64,
    /// Moist days: wanders slowly around 0, mA.
    moist_ma: f64,
    /// The neighbourhood's load: wanders slowly around 0, V.
    load_v: f64,
}

impl Supply {
    pub(super) fn new(chance: &mut Chance) -> Self {
        Self {
            new_ma: chance.between(0.09, 0.16),
            moist_ma: 0.0,
            load_v: 0.0,
        }
    }

    /// A minute or two go by.
    pub(super) fn live(&mut self, chance: &mut Chance) {
        // Returns to the middle within hours, so that no trend of weeks comes from it.
        self.moist_ma += -0.01 * self.moist_ma + 0.000_8 * chance.noise();
        self.load_v += -0.02 * self.load_v + 0.4 * chance.noise();
    }

    /// Mains voltage, V.
    pub(super) fn volts(&self) -> f64 {
        224.0 + self.load_v.clamp(-8.0, 8.0)
    }

    /// Leakage current, mA; `weak`: how far the insulation has failed, 0 to 1.
    pub(super) fn leak_ma(&self, weak: f64, chance: &mut Chance) -> f64 {
        let new = self.new_ma * self.volts() / 224.0 + self.moist_ma;
        (new + 0.82 * weak + 0.003 * chance.noise()).max(0.0)
    }
}
