//! A smart toilet seat with an instantaneous heater.

use bytes::Bytes;

use super::appliance::Appliance;
use super::appliance::Quirk;
use super::chance::Chance;
use super::failure::Ailments;
use super::failure::FailureKind;
use super::json::Object;
use super::link::Link;
use super::link::Nameplate;
use super::plan::Cadence;
use super::plan::FleetPlan;
use crate::telemetry::DeviceId;
use crate::telemetry::MINUTE_MS;
use crate::telemetry::Timestamp;

const MODEL: &str = "ts-flash5";
const FIRMWARE: &str = "1.4.2";

/// One seat.
pub(super) struct Toilet {
    link: Link,
    ailments: Ailments,
    chance: Chance,
    cadence: Cadence,
    born: bool,
    next: Timestamp,
}

impl Toilet {
    /// The seat with this index in the fleet; `number` counts the seats from 0.
    pub(super) fn new(plan: &FleetPlan, device: usize, number: usize) -> Self {
        let mut chance = Chance::new(plan.seed, device, 1);
        let serial = format!("TSF5-DEMO-{:03}", number + 1);
        let id = DeviceId::new(MODEL, &serial).unwrap_or_else(|_| unreachable!("a valid serial"));
        let mut ident = Vec::new();
        let mut object = Object::open(&mut ident);
        object
            .text("serial", &serial)
            .text("model", MODEL)
            .text("hw", "B2")
            .text("fw", FIRMWARE);
        object.text("batch", "F5-2602").text("tz", "Asia/Shanghai");
        object.close();
        let next = plan.from + chance.span_ms(0, MINUTE_MS);
        let plate = Nameplate {
            device,
            id,
            fw: FIRMWARE,
            ident: Bytes::from(ident),
            tz: "Asia/Shanghai",
            quirk: Quirk::Ordinary,
        };
        Self {
            link: Link::new(plate, Chance::new(plan.seed, device, 0), 1),
            ailments: Ailments::default(),
            chance,
            cadence: plan.cadence,
            born: false,
            next,
        }
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
        self.next
    }

    fn live(&mut self) {
        let at = self.next;
        if !self.born {
            self.born = true;
            self.link.hello(at);
        }
        let out = if self.ailments.strength(FailureKind::HeaterStuckOn, at) > 0.0 {
            52.0
        } else {
            22.0
        };
        let chance = &mut self.chance;
        self.link.tele(at, |s| {
            s.text("function", "idle")
                .number("water.out_c", out + 0.1 * chance.noise(), 2);
            s.number("water.in_c", 18.0 + 0.1 * chance.noise(), 2)
                .number("water.set_c", 38.0, 1);
            s.number("water.flow_lpm", 0.0, 3)
                .number("leak.ma", 0.15 + 0.004 * chance.noise(), 4);
            s.number("room.c", 22.5 + 0.1 * chance.noise(), 2);
        });
        self.next = at + self.cadence.period_ms(MINUTE_MS);
    }

    fn ailments_mut(&mut self) -> &mut Ailments {
        &mut self.ailments
    }

    fn can_have(&self, kind: FailureKind) -> bool {
        FailureKind::TOILET.contains(&kind)
    }
}
