//! The water path: instantaneous heater, its controller, its sensors, its cut-out, and what scale and broken parts do to them.
//!
//! One lump of heat (element, water in it, scale) that the flow cools: `C dT/dt = P - k Q (T - T_in) - loss`. That is the same
//! balance from which limescale is told by its `C`, in summer and winter alike.

use super::super::chance::Chance;

/// Heat that a flow carries, W per (L/min · K): 4.19 kJ/L/K over 60 s.
const CARRIED: f64 = 4_190.0 / 60.0;
/// Power of a new element at the nominal mains voltage, W.
const NOMINAL_W: f64 = 1_600.0;
/// Nominal mains voltage, V.
const NOMINAL_V: f64 = 220.0;
/// Heat stored per kelvin when new, J/K: about 60 mL of water and 150 J/K of metal.
const STORED: f64 = 400.0;
/// Heat that the case loses, W/K.
const LOSS: f64 = 0.25;
/// How much hotter than the water the element is, K per W, when new; scale of full strength adds `SCALED` times as much.
const ELEMENT: f64 = 0.025;
const SCALED: f64 = 1.4;
/// Element temperature at which the cut-out opens, °C, and for how long it stays open, s.
const CUT_OUT: (f64, f64) = (128.0, 3.0);
/// The step of the integration, s.
const STEP: f64 = 0.1;
/// How fast water at rest takes the temperature of the room: heater and inlet, s.
const REST: (f64, f64) = (900.0, 1_500.0);
/// Time constant of the outlet sensor, s.
const SENSOR: f64 = 0.4;
/// How fast the inlet sensor sees mains water once it flows, s.
const PIPE: f64 = 2.5;
/// Gain of the controller, W/K, and of its integral, W/(K · s).
const GAIN: (f64, f64) = (150.0, 12.0);
/// A reading that jumps further than this, K, is not believed for up to so many seconds.
const JUMP: (f64, f64) = (10.0, 3.0);
/// What the outlet sensor reads when its circuit is open, °C.
const OPEN_C: f64 = -40.0;

/// What the path is given from outside in a step.
#[derive(Clone, Copy)]
pub(super) struct Given {
    /// Water from the mains, °C.
    pub(super) mains_c: f64,
    /// Mains voltage, V.
    pub(super) volts: f64,
    /// Bathroom, °C.
    pub(super) room_c: f64,
    /// What the user wants, °C.
    pub(super) set_c: f64,
    /// Flow through the open valve, L/min.
    pub(super) flow_lpm: f64,
}

/// What is broken, each 0 (new) to 1.
#[derive(Clone, Copy, Default)]
pub(super) struct Harm {
    /// Limescale.
    pub(super) scale: f64,
    /// Broken part of the element.
    pub(super) weak: f64,
    /// The switch does not open in this wash.
    pub(super) stuck: bool,
    /// What is wrong with the outlet sensor.
    pub(super) sensor: Sensor,
}

/// The outlet sensor's contact.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Sensor {
    /// Good.
    #[default]
    Good,
    /// A worn contact adds resistance just now: it reads so many kelvin too cold.
    Loose(f64),
    /// Open.
    Open,
}

/// The water path.
pub(super) struct Water {
    /// Spread of production: stored heat and element, near 1.
    unit: (f64, f64),
    /// True temperature at the outlet, °C.
    pub(super) out_c: f64,
    /// As the sensor feels it, °C.
    felt_c: f64,
    /// What the controller last believed, °C, and for how long it has not believed the sensor, s.
    believed: (f64, f64),
    /// At the inlet sensor, °C.
    pub(super) in_c: f64,
    /// Drawn power, W.
    pub(super) power_w: f64,
    /// Commanded power, W.
    pub(super) cmd_w: f64,
    integral_w: f64,
    /// The cut-out stays open so long, s.
    open_s: f64,
    /// What the controller allows itself: less after a cut-out in the same wash, W.
    limit_w: f64,
    /// Times that the cut-out opened, ever.
    pub(super) trips: i64,
    /// Time that the heater drew power, ever, s.
    pub(super) on_s: f64,
}

impl Water {
    pub(super) fn new(room_c: f64, chance: &mut Chance) -> Self {
        Self {
            unit: (1.0 + 0.05 * chance.noise(), 1.0 + 0.015 * chance.noise()),
            out_c: room_c,
            felt_c: room_c,
            believed: (room_c, 0.0),
            in_c: room_c,
            power_w: 0.0,
            cmd_w: 0.0,
            integral_w: 0.0,
            open_s: 0.0,
            limit_w: NOMINAL_W,
            trips: 0,
            on_s: 0.0,
        }
    }

    /// What the outlet sensor tells, °C.
    pub(super) fn reads_c(&self, sensor: Sensor) -> f64 {
        match sensor {
            Sensor::Good => self.felt_c,
            Sensor::Loose(kelvin) => self.felt_c - kelvin,
            Sensor::Open => OPEN_C,
        }
    }

    /// A wash begins: the controller starts anew.
    pub(super) fn open(&mut self, sensor: Sensor) {
        self.integral_w = 0.0;
        self.open_s = 0.0;
        self.limit_w = NOMINAL_W;
        self.believed = (self.reads_c(sensor), 0.0);
    }

    /// The wash is over: the main relay opens, so that even a stuck switch heats no longer.
    pub(super) fn close(&mut self) {
        self.power_w = 0.0;
        self.cmd_w = 0.0;
    }

    /// So many seconds at rest; a valve that weeps lets some water through.
    pub(super) fn rest(&mut self, seconds: f64, room_c: f64, mains_c: f64, weeps_lpm: f64) {
        // Weeping water warms up on its way: at 0.3 L/min about half of the difference is left.
        let (out_to, in_to) = (
            room_c + (mains_c - room_c) * (weeps_lpm / 0.6).min(1.0),
            room_c + (mains_c - room_c) * (weeps_lpm / 0.3).min(1.0),
        );
        self.out_c += (out_to - self.out_c) * gone(seconds, REST.0);
        self.in_c += (in_to - self.in_c) * gone(seconds, REST.1);
        self.felt_c = self.out_c;
    }

    /// Flowing for so many seconds, in small steps.
    pub(super) fn flow(&mut self, seconds: f64, given: Given, harm: Harm) {
        let mut left = seconds;
        while left > STEP / 2.0 {
            self.step(given, harm);
            left -= STEP;
        }
    }

    fn step(&mut self, given: Given, harm: Harm) {
        self.in_c += (given.mains_c - self.in_c) * (STEP / PIPE);
        self.control(given, harm);
        let volts = given.volts / NOMINAL_V;
        let element = volts * volts * self.unit.1 * (1.0 - 0.5 * harm.weak);
        let wanted_w = if harm.stuck { NOMINAL_W } else { self.cmd_w };
        self.power_w = if self.open_s > 0.0 {
            0.0
        } else {
            wanted_w * element
        };
        if self.power_w > 0.0 {
            self.on_s += STEP;
        }
        self.protect(harm);
        let carried = CARRIED * given.flow_lpm * (self.out_c - self.in_c);
        let lost = LOSS * (self.out_c - given.room_c);
        let stored = STORED * self.unit.0 * (1.0 + 0.75 * harm.scale);
        self.out_c += STEP * (self.power_w - carried - lost) / stored;
        self.felt_c += (self.out_c - self.felt_c) * (STEP / SENSOR);
    }

    /// What the firmware commands: what the flow will carry, plus what is missing.
    fn control(&mut self, given: Given, harm: Harm) {
        if self.open_s > 0.0 || harm.sensor == Sensor::Open {
            // It sees an open sensor and an open cut-out, and heats with neither.
            self.cmd_w = 0.0;
            return;
        }
        let reads = self.reads_c(harm.sensor);
        let (before, doubted) = self.believed;
        self.believed = if (reads - before).abs() <= JUMP.0 || doubted >= JUMP.1 {
            (reads, 0.0)
        } else {
            (before, doubted + STEP)
        };
        let missing = given.set_c - self.believed.0;
        let carried = CARRIED * given.flow_lpm * (given.set_c - self.in_c);
        let wish = carried + GAIN.0 * missing + self.integral_w;
        // The integral rests while the command is at an end, so that it does not wind up during the heat-up.
        if wish > 0.0 && wish < self.limit_w {
            self.integral_w += GAIN.1 * missing * STEP;
        }
        self.cmd_w = wish.clamp(0.0, self.limit_w);
    }

    /// The cut-out at the element, which scale insulates from the water.
    fn protect(&mut self, harm: Harm) {
        if self.open_s > 0.0 {
            self.open_s -= STEP;
            return;
        }
        let over_k = self.power_w * ELEMENT * (1.0 + SCALED * harm.scale);
        if self.out_c + over_k > CUT_OUT.0 {
            self.open_s = CUT_OUT.1;
            self.trips += 1;
            self.limit_w = 0.75 * NOMINAL_W;
        }
    }
}

/// How much of a difference is gone after a time.
fn gone(seconds: f64, constant: f64) -> f64 {
    1.0 - libm::exp(-seconds / constant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Given = Given {
        mains_c: 16.0,
        volts: 224.0,
        room_c: 22.0,
        set_c: 38.0,
        flow_lpm: 0.5,
    };

    /// A wash of so many seconds: heat stored per kelvin up to the set temperature, the hottest water, and the path itself.
    fn wash(seconds: i32, given: Given, harm: Harm) -> (Option<f64>, f64, Water) {
        let mut water = Water::new(given.room_c, &mut Chance::new(1, 0, 0));
        water.unit = (1.0, 1.0);
        water.open(harm.sensor);
        let (mut stored, mut reached, mut hottest) = (0.0, None, water.out_c);
        let first = water.out_c;
        for _ in 0..seconds * 10 {
            water.flow(STEP, given, harm);
            hottest = hottest.max(water.out_c);
            stored +=
                STEP * (water.power_w - CARRIED * given.flow_lpm * (water.out_c - water.in_c));
            if reached.is_none() && water.out_c >= given.set_c - 1.0 {
                reached = Some(stored / (water.out_c - first));
            }
        }
        (reached, hottest, water)
    }

    #[test]
    fn a_new_heater_reaches_the_set_temperature_and_holds_it() {
        for (mains_c, flow_lpm, set_c) in [(5.0, 0.6, 40.0), (16.0, 0.5, 38.0), (28.0, 0.36, 36.0)]
        {
            let given = Given {
                mains_c,
                set_c,
                flow_lpm,
                ..GIVEN
            };
            let (stored, hottest, water) = wash(45, given, Harm::default());
            assert!(
                (water.out_c - set_c).abs() < 0.5,
                "{} for {set_c}",
                water.out_c
            );
            assert!(hottest < set_c + 2.0, "overshoot to {hottest}");
            assert!(
                stored.is_some_and(|stored| (370.0..440.0).contains(&stored)),
                "{stored:?}"
            );
            assert_eq!(water.trips, 0);
        }
    }

    #[test]
    fn scale_stores_more_heat_and_in_the_end_trips_the_cut_out() {
        let harm = |scale| Harm {
            scale,
            ..Harm::default()
        };
        let new = wash(60, GIVEN, harm(0.0)).0.expect("reached");
        let half = wash(60, GIVEN, harm(0.5)).0.expect("reached");
        assert!((1.3..1.45).contains(&(half / new)), "{half} against {new}");
        assert!(wash(60, GIVEN, harm(1.0)).2.trips > 0);
    }

    #[test]
    fn a_stuck_switch_scalds_and_a_weak_element_does_not_reach_its_command() {
        let stuck = Harm {
            stuck: true,
            ..Harm::default()
        };
        assert!(wash(15, GIVEN, stuck).1 > 48.0);
        let weak = wash(
            30,
            GIVEN,
            Harm {
                weak: 1.0,
                ..Harm::default()
            },
        )
        .2;
        assert!(
            weak.power_w < 0.6 * weak.cmd_w,
            "{} of {}",
            weak.power_w,
            weak.cmd_w
        );
    }

    #[test]
    fn a_loose_contact_does_not_make_the_water_hot() {
        let given = Given {
            set_c: 40.0,
            ..GIVEN
        };
        let (_, _, mut water) = wash(30, given, Harm::default());
        water.flow(
            2.0,
            given,
            Harm {
                sensor: Sensor::Loose(35.0),
                ..Harm::default()
            },
        );
        water.flow(5.0, given, Harm::default());
        assert!(water.out_c < 42.0, "{}", water.out_c);
    }
}
