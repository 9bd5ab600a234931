//! What can fail in an appliance, and how far each failure has come.
//!
//! A failure ripens: from its first sign to its full strength it takes the time that the plan gives. What a strength does
//! physically stands with the appliance.

use crate::telemetry::Text;
use crate::telemetry::Timestamp;

/// A physical failure. Each names the fault of the shipped profiles that it should raise.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum FailureKind {
    /// Toilet: limescale in the heater path.
    Limescale,
    /// Toilet: the heater's switch no longer opens; scalding water.
    HeaterStuckOn,
    /// Toilet: part of the heating element is broken.
    HeaterWeak,
    /// Toilet: the outlet temperature sensor loses contact.
    WaterSensor,
    /// Toilet: the seat heating does not switch off.
    SeatOverheats,
    /// Toilet: the inlet valve weeps.
    ValveLeak,
    /// Toilet: the spray arm is stiff.
    NozzleSlow,
    /// Toilet: the insulation weakens.
    Leakage,
    /// Toilet: the dryer's fan is slow.
    DryerFan,
    /// Brush: the cell holds less and less.
    CellFades,
    /// Brush: the cell's resistance rises.
    CellResists,
    /// Brush: a loose contact stops the motor.
    CutsOff,
    /// Brush: the coil of the dock weakens and breaks.
    DockDead,
    /// Brush: the coil heats the cell.
    ChargesHot,
    /// Brush: water gets past the seal.
    WaterInHandle,
    /// Brush: the drive wears out.
    DriveWears,
    /// Brush: the pressure sensor sticks.
    PressureSticks,
    /// Brush: the button sticks.
    ButtonSticks,
    /// Brush: an old head was put back on, and goes on wearing.
    HeadWorn,
}

impl FailureKind {
    /// All that a toilet can have.
    pub const TOILET: [Self; 9] = [
        Self::HeaterStuckOn,
        Self::HeaterWeak,
        Self::Limescale,
        Self::WaterSensor,
        Self::SeatOverheats,
        Self::ValveLeak,
        Self::NozzleSlow,
        Self::Leakage,
        Self::DryerFan,
    ];

    /// All that a brush can have.
    pub const BRUSH: [Self; 10] = [
        Self::CellResists,
        Self::CutsOff,
        Self::CellFades,
        Self::DockDead,
        Self::ChargesHot,
        Self::WaterInHandle,
        Self::DriveWears,
        Self::PressureSticks,
        Self::ButtonSticks,
        Self::HeadWorn,
    ];

    /// The name of the fault that the shipped profile raises for it.
    #[must_use]
    pub const fn fault(self) -> &'static str {
        match self {
            Self::Limescale => "scale",
            Self::HeaterStuckOn => "water_over_temp",
            Self::HeaterWeak => "heater_weak",
            Self::WaterSensor => "ntc_fault",
            Self::SeatOverheats => "seat_over_temp",
            Self::ValveLeak => "valve_leak",
            Self::NozzleSlow => "nozzle_slow",
            Self::Leakage => "leakage",
            Self::DryerFan => "dryer_fan",
            Self::CellFades => "capacity_fade",
            Self::CellResists => "rint_high",
            Self::CutsOff => "early_cutoff",
            Self::DockDead => "no_charge",
            Self::ChargesHot => "charge_hot",
            Self::WaterInHandle => "water_ingress",
            Self::DriveWears => "drive_wear",
            Self::PressureSticks => "pressure_stuck",
            Self::ButtonSticks => "button_fault",
            Self::HeadWorn => "head_due",
        }
    }

    /// What happens, in plain words.
    #[must_use]
    pub fn told(self) -> Text {
        match self {
            Self::Limescale => Text::new("limescale grows in the heater", "加热器内水垢增多"),
            Self::HeaterStuckOn => Text::new(
                "the water heater no longer switches off",
                "水加热器无法关断",
            ),
            Self::HeaterWeak => Text::new("part of the water heater breaks", "水加热器部分断路"),
            Self::WaterSensor => Text::new(
                "the outlet temperature sensor loses contact",
                "出水温度传感器接触不良",
            ),
            Self::SeatOverheats => Text::new(
                "the seat heating no longer switches off",
                "座圈加热无法关断",
            ),
            Self::ValveLeak => Text::new("the inlet valve begins to weep", "进水阀开始渗漏"),
            Self::NozzleSlow => Text::new("the spray arm becomes stiff", "喷嘴伸缩卡滞"),
            Self::Leakage => Text::new("the insulation weakens", "绝缘逐渐下降"),
            Self::DryerFan => Text::new("the dryer's fan slows down", "烘干风机变慢"),
            Self::CellFades => Text::new("the battery holds less and less", "电池容量逐渐下降"),
            Self::CellResists => Text::new("the battery's resistance rises", "电池内阻逐渐升高"),
            Self::CutsOff => Text::new("a loose contact stops the motor", "接触不良导致电机停转"),
            Self::DockDead => Text::new("the coil of the dock breaks", "底座线圈断路"),
            Self::ChargesHot => Text::new("the battery heats up while charging", "充电时电池发热"),
            Self::WaterInHandle => Text::new("water gets into the handle", "手柄开始进水"),
            Self::DriveWears => Text::new("the drive wears out", "驱动逐渐磨损"),
            Self::PressureSticks => Text::new("the pressure sensor sticks", "压力传感器卡滞"),
            Self::ButtonSticks => Text::new("the button sticks", "按键卡滞"),
            Self::HeadWorn => Text::new("an old brush head wears out", "旧刷头继续磨损"),
        }
    }
}

/// A failure and how fast it ripens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What fails.
    pub kind: FailureKind,
    /// From the first sign to full strength, ms. 0: at once.
    pub ripens_ms: i64,
}

/// A failure of one device in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFailure {
    /// Index of the device: toilets first, then brushes.
    pub device: usize,
    /// What fails, how fast.
    pub failure: Failure,
    /// When it begins.
    pub begins: Timestamp,
}

/// The failures of one device, past and to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Ailments(Vec<Ailment>);

#[derive(Clone, Copy, Debug)]
struct Ailment {
    failure: Failure,
    begins: Timestamp,
    /// When the part was exchanged; from then on it is as new.
    ends: Timestamp,
}

impl Ailments {
    /// One more.
    pub(super) fn add(&mut self, failure: Failure, begins: Timestamp) {
        self.0.push(Ailment {
            failure,
            begins,
            ends: Timestamp::MAX,
        });
    }

    /// Whatever has begun before is over from then on.
    pub(super) fn end(&mut self, at: Timestamp) {
        for ailment in &mut self.0 {
            if ailment.begins <= at {
                ailment.ends = ailment.ends.min(at);
            }
        }
    }

    /// How far a failure has come: 0 none, 1 full strength.
    pub(super) fn strength(&self, kind: FailureKind, at: Timestamp) -> f64 {
        let strengths = self.0.iter().filter_map(|ailment| {
            let runs = ailment.failure.kind == kind && ailment.begins <= at && at < ailment.ends;
            runs.then(|| ailment.strength(at))
        });
        strengths.fold(0.0, f64::max)
    }
}

impl Ailment {
    #[expect(clippy::cast_precision_loss, reason = "spans of ms lie far below 2^53")]
    fn strength(&self, at: Timestamp) -> f64 {
        let age = at.since(self.begins) as f64;
        if self.failure.ripens_ms <= 0 {
            return 1.0;
        }
        (age / self.failure.ripens_ms as f64).min(1.0)
    }
}
