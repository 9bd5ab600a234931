//! The lithium cell of a handle: its charge, voltage, resistance and heat, and the gauge that shows it in whole points.
//!
//! Round figures of a 14500 cell. What wears it out comes in from outside; it leaves saying so to `tell`.

use super::real;
use crate::lab::simulate::chance::Chance;

/// Voltage at rest over charge, in steps of a tenth, V.
const OPEN_V: [f64; 11] = [
    3.05, 3.48, 3.60, 3.67, 3.72, 3.78, 3.85, 3.92, 4.00, 4.08, 4.18,
];
/// Charging current of a good dock, A.
const CHARGE_A: f64 = 0.3;
/// From this charge on the current falls; and the share of it with which charging ends.
const TAPER: (f64, f64) = (0.8, 0.06);
/// A cell that stands full on its dock is charged again below this.
const TOPPED_UP: f64 = 0.96;
/// The slow part of the voltage (diffusion, surface charge): its resistance, Ω, and how fast it follows, s.
const SLOW: (f64, f64) = (0.12, 600.0);
/// How fast the handle follows the room, s.
const THERMAL: f64 = 900.0;
/// Warmth of a full charging current, and of a running motor, K.
const WARMTH: (f64, f64) = (6.0, 3.0);
/// Longest step of the physics, s.
const STEP: f64 = 60.0;
/// How much a cell's resistance rises for each kelvin below 25 °C.
const COLD: f64 = 0.012;

/// What draws from the cell, or fills it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Use {
    /// Nothing but its own loss.
    Rest,
    /// It stands on the dock.
    Dock,
    /// The motor runs with so many mA.
    Run(f64),
}

/// How far the handle and its dock are from new. All of it is as new at 1, 1, 0, 0, 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wear {
    /// Share of the capacity that is left.
    pub(super) capacity: f64,
    /// Resistance, times that when new.
    pub(super) resistance: f64,
    /// Lost at rest beyond the cell's own loss, share of a full cell a day.
    pub(super) drain: f64,
    /// Warmth that a charging coil adds, K.
    pub(super) heat_k: f64,
    /// Share of its current that the dock gives.
    pub(super) dock: f64,
}

/// What the handle measures at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// Whole points.
    pub(super) pct: i64,
    pub(super) mv: f64,
    /// Negative: discharging.
    pub(super) ma: f64,
    pub(super) temp_c: f64,
    /// Seconds of brushing left.
    pub(super) runtime_s: f64,
}

/// The cell.
pub(super) struct Cell {
    /// Share of the present capacity.
    charge: f64,
    slow_v: f64,
    temp_c: f64,
    /// Full on this dock: no more current until it has lost some of it.
    topped: bool,
    /// Capacity when new, mAh.
    new_mah: f64,
    /// Resistance when new at 25 °C, Ω.
    new_ohm: f64,
    /// Its own loss at rest, share a day.
    loss: f64,
}

impl Cell {
    pub(super) fn new(room_c: f64, chance: &mut Chance) -> Self {
        Self {
            charge: chance.between(0.55, 0.98),
            slow_v: 0.0,
            temp_c: room_c,
            topped: false,
            new_mah: chance.between(640.0, 720.0),
            new_ohm: chance.between(0.105, 0.125),
            loss: chance.between(0.001, 0.004),
        }
    }

    /// What the gauge shows, whole points.
    #[expect(clippy::cast_possible_truncation, reason = "0 to 100")]
    pub(super) fn pct(&self) -> i64 {
        (self.charge * 100.0 + 0.5) as i64
    }

    /// Nothing more goes in.
    pub(super) const fn is_full(&self) -> bool {
        self.topped
    }

    /// So much time goes by.
    pub(super) fn live(&mut self, ms: i64, what: Use, room_c: f64, wear: Wear) {
        let mut left = real(ms) / 1_000.0;
        while left > 0.0 {
            let step = if what == Use::Rest {
                left
            } else {
                left.min(STEP)
            };
            self.step(step, what, room_c, wear);
            left -= step;
        }
    }

    /// What it measures now.
    pub(super) fn reading(&self, what: Use, wear: Wear, chance: &mut Chance) -> Reading {
        let amps = self.amps(what, wear);
        let cold = 1.0 + COLD * (25.0 - self.temp_c).max(-10.0);
        let volts = self.open_v() + self.slow_v + amps * self.new_ohm * wear.resistance * cold;
        Reading {
            pct: self.pct(),
            mv: 1_000.0 * volts + 0.8 * chance.noise(),
            ma: 1_000.0 * amps
                + if amps == 0.0 {
                    0.0
                } else {
                    2.0 * chance.noise()
                },
            temp_c: self.temp_c + 0.1 * chance.noise(),
            runtime_s: 3_600.0 * self.charge * self.new_mah * wear.capacity / 700.0,
        }
    }

    fn step(&mut self, seconds: f64, what: Use, room_c: f64, wear: Wear) {
        let amps = self.amps(what, wear);
        let full_as = 3.6 * self.new_mah * wear.capacity;
        let lost = (self.loss + wear.drain) * seconds / 86_400.0;
        self.charge = (self.charge + amps * seconds / full_as - lost).clamp(0.0, 1.0);
        self.topped =
            what == Use::Dock && (self.charge >= 1.0 || self.topped && self.charge >= TOPPED_UP);
        self.slow_v += (amps * SLOW.0 - self.slow_v) * (1.0 - libm::exp(-seconds / SLOW.1));
        let warmth = match what {
            Use::Dock if amps > 0.0 => WARMTH.0 * amps / CHARGE_A + wear.heat_k,
            Use::Rest | Use::Dock => 0.0,
            Use::Run(_) => WARMTH.1,
        };
        let aim = room_c + warmth;
        self.temp_c += (aim - self.temp_c) * (1.0 - libm::exp(-seconds / THERMAL));
    }

    /// Into the cell, A.
    pub(super) fn amps(&self, what: Use, wear: Wear) -> f64 {
        match what {
            Use::Rest => 0.0,
            Use::Run(ma) => -ma / 1_000.0,
            Use::Dock if self.is_full() => 0.0,
            Use::Dock => {
                let room = (1.0 - self.charge) / (1.0 - TAPER.0);
                CHARGE_A * wear.dock * (room + TAPER.1).min(1.0)
            }
        }
    }

    /// Voltage at rest, V.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 9"
    )]
    fn open_v(&self) -> f64 {
        let tenth = (self.charge * 10.0).clamp(0.0, 9.999);
        let (at, rest) = (tenth as usize, tenth - libm::floor(tenth));
        OPEN_V[at] + (OPEN_V[at + 1] - OPEN_V[at]) * rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::HOUR_MS;

    const NEW: Wear = Wear {
        capacity: 1.0,
        resistance: 1.0,
        drain: 0.0,
        heat_k: 0.0,
        dock: 1.0,
    };

    fn cell(charge: f64) -> Cell {
        let mut cell = Cell::new(24.0, &mut Chance::new(7, 0, 0));
        cell.charge = charge;
        cell
    }

    #[test]
    fn a_charge_takes_about_three_hours() {
        let mut cell = cell(0.1);
        cell.live(2 * HOUR_MS, Use::Dock, 24.0, NEW);
        assert!(!cell.is_full() && cell.pct() > 80, "{}", cell.pct());
        assert!(cell.temp_c < 33.0);
        cell.live(2 * HOUR_MS, Use::Dock, 24.0, NEW);
        assert!(cell.is_full());
        assert_eq!(cell.pct(), 100);
    }

    #[test]
    fn load_sags_by_current_and_resistance_and_cold_adds_to_it() {
        let mut chance = Chance::new(1, 0, 0);
        let (mut sag, cell) = (Vec::new(), cell(0.6));
        for wear in [
            NEW,
            Wear {
                resistance: 2.0,
                ..NEW
            },
        ] {
            let rest = cell.reading(Use::Rest, wear, &mut chance);
            let load = cell.reading(Use::Run(700.0), wear, &mut chance);
            assert!(rest.ma == 0.0 && load.ma < -650.0);
            sag.push(rest.mv - load.mv);
        }
        assert!((70.0..95.0).contains(&sag[0]), "{sag:?}");
        assert!((sag[1] / sag[0] - 2.0).abs() < 0.1, "{sag:?}");
    }

    #[test]
    fn two_minutes_take_three_to_four_points() {
        let mut cell = cell(0.6);
        cell.live(120_000, Use::Run(700.0), 24.0, NEW);
        assert!((0.562..0.57).contains(&cell.charge), "{}", cell.charge);
    }
}
