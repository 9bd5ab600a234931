//! How an appliance speaks: topics, counters, its clock, and the link that breaks and comes back.
//!
//! The appliance says what is true at a true time; the link turns it into what reaches us. What is said while the link is down
//! is kept and follows as `batch`.
//!
//! **Invariant:** what one link sends never goes back in time.

use std::collections::VecDeque;

use bytes::Bytes;
use smol_str::SmolStr;
use smol_str::format_smolstr;

use super::appliance::Published;
use super::appliance::Quirk;
use super::appliance::SimulatedDevice;
use super::chance::Chance;
use super::json::Object;
use crate::telemetry::DeviceId;
use crate::telemetry::Timestamp;

/// The way from the device to us, ms: shortest and longest.
const LATENCY_MS: (i64, i64) = (40, 350);

/// Who an appliance is, for its link.
pub(super) struct Nameplate {
    /// Index in the fleet.
    pub(super) device: usize,
    /// Model and serial.
    pub(super) id: DeviceId,
    /// Firmware.
    pub(super) fw: &'static str,
    /// The payload of `ident`.
    pub(super) ident: Bytes,
    /// IANA name of its zone.
    pub(super) tz: &'static str,
    /// How it tries its listeners.
    pub(super) quirk: Quirk,
}

struct Topics {
    state: SmolStr,
    ident: SmolStr,
    tele: SmolStr,
    event: SmolStr,
}

/// The link of one appliance.
pub(super) struct Link {
    plate: Nameplate,
    topics: Topics,
    boot: i64,
    seq: i64,
    chance: Chance,
    out: VecDeque<Published>,
    last_at: Timestamp,
    scratch: Vec<u8>,
}

impl Link {
    pub(super) fn new(plate: Nameplate, chance: Chance, boot: i64) -> Self {
        let topic = |kind| format_smolstr!("appl/v1/{}/{kind}", plate.id);
        Self {
            topics: Topics {
                state: topic("state"),
                ident: topic("ident"),
                tele: topic("tele"),
                event: topic("event"),
            },
            plate,
            boot,
            seq: 0,
            chance,
            out: VecDeque::new(),
            last_at: Timestamp::MIN,
            scratch: Vec::with_capacity(1_024),
        }
    }

    /// The device as others see it; what fails in it is the fleet's to add.
    pub(super) fn device(&self) -> SimulatedDevice {
        SimulatedDevice {
            id: self.plate.id.clone(),
            will_topic: self.topics.state.clone(),
            will_payload: Bytes::from_static(br#"{"online":false}"#),
            tz: self.plate.tz,
            quirk: self.plate.quirk,
            failures: Vec::new(),
        }
    }

    /// When the first message that waits here reaches us.
    pub(super) fn ready_at(&self) -> Option<Timestamp> {
        self.out.front().map(|published| published.at)
    }

    /// The first message that waits here.
    pub(super) fn take(&mut self) -> Option<Published> {
        self.out.pop_front()
    }

    /// When something happens to the link next.
    pub(super) fn next_moment(&self) -> Timestamp {
        Timestamp::MAX
    }

    /// Lives through its next moment.
    pub(super) fn live(&mut self) {}

    /// Says that it is there and who it is.
    pub(super) fn hello(&mut self, at: Timestamp) {
        let mut object = Object::open(&mut self.scratch);
        object.flag("online", true).seconds("ts", at.ms());
        object.text("fw", self.plate.fw).whole("boot", self.boot);
        object.close();
        let state = self.topics.state.clone();
        self.send(at, state, true);
        self.scratch.extend_from_slice(&self.plate.ident);
        let ident = self.topics.ident.clone();
        self.send(at, ident, true);
    }

    /// Tells signals.
    pub(super) fn tele(&mut self, at: Timestamp, fill: impl FnOnce(&mut Object<'_>)) {
        let mut record = self.record(at);
        record.object("s", fill);
        record.close();
        let topic = self.topics.tele.clone();
        self.send(at, topic, false);
    }

    /// Tells an event with its fields.
    pub(super) fn event(&mut self, at: Timestamp, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut record = self.record(at);
        record.text("e", name).object("d", fill);
        record.close();
        let topic = self.topics.event.clone();
        self.send(at, topic, false);
    }

    fn record(&mut self, at: Timestamp) -> Object<'_> {
        self.seq += 1;
        let mut object = Object::open(&mut self.scratch);
        object.seconds("ts", at.ms()).whole("seq", self.seq);
        object
    }

    /// Sends what stands in the scratch buffer.
    fn send(&mut self, at: Timestamp, topic: SmolStr, retain: bool) {
        let arrives = at + self.chance.span_ms(LATENCY_MS.0, LATENCY_MS.1);
        self.last_at = self.last_at.max(arrives);
        self.out.push_back(Published {
            at: self.last_at,
            device: self.plate.device,
            topic,
            payload: Bytes::copy_from_slice(&self.scratch),
            retain,
            qos: 1,
        });
        self.scratch.clear();
    }
}
