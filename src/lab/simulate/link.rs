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
use super::clock::Clock;
use super::json::Object;
use super::outage::Outage;
use super::outage::Turn;
use crate::telemetry::DeviceId;
use crate::telemetry::Timestamp;

/// The way from the device to us, ms: shortest and longest.
const LATENCY_MS: (i64, i64) = (40, 350);
/// What a device keeps while it is offline, in records (about two weeks of a seat at the slow cadence); the oldest go first.
const KEPT_LIMIT: usize = 20_000;
/// Most records of one batch, and most bytes of them: well inside the convention's 1,000 and 256 KiB.
const BATCH_LIMIT: (usize, usize) = (400, 128 * 1_024);
/// The will of every device.
const WILL: &[u8] = br#"{"online":false}"#;
/// How often a message is sent twice: where it is a quirk, and elsewhere (an acknowledgement that was lost).
const REPEATED: (f64, f64) = (0.01, 0.000_5);
/// How often a faulty sender sends what nobody can read.
const MALFORMED: f64 = 0.002;

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
    /// So far east of UTC that zone is, ms.
    pub(super) zone_ms: i64,
    /// How it tries its listeners.
    pub(super) quirk: Quirk,
}

struct Topics {
    state: SmolStr,
    ident: SmolStr,
    tele: SmolStr,
    event: SmolStr,
    batch: SmolStr,
    /// A kind that the convention does not have.
    status: SmolStr,
}

/// Where a message of a link goes.
#[derive(Clone, Copy)]
enum Kind {
    State,
    Ident,
    Tele,
    Event,
    Batch,
    Status,
}

/// The link of one appliance.
pub(super) struct Link {
    plate: Nameplate,
    topics: Topics,
    boot: i64,
    seq: i64,
    clock: Clock,
    outage: Outage,
    chance: Chance,
    /// The device has power and its link is up.
    up: bool,
    /// The device has no power: it says nothing and keeps nothing.
    dark: bool,
    /// Records that wait for the link.
    kept: VecDeque<Bytes>,
    out: VecDeque<Published>,
    last_at: Timestamp,
    scratch: Vec<u8>,
}

impl Link {
    /// The link of a device that is switched on for the `boot`th time at `from`.
    pub(super) fn new(plate: Nameplate, seed: u64, from: Timestamp, boot: i64) -> Self {
        let topic = |kind| format_smolstr!("appl/v1/{}/{kind}", plate.id);
        let chance = |stream| Chance::new(seed, plate.device, stream);
        Self {
            topics: Topics {
                state: topic("state"),
                ident: topic("ident"),
                tele: topic("tele"),
                event: topic("event"),
                batch: topic("batch"),
                status: topic("status"),
            },
            clock: Clock::new(plate.quirk, from, plate.zone_ms, chance(101)),
            outage: Outage::new(plate.quirk, from, chance(102)),
            chance: chance(103),
            plate,
            boot,
            seq: 0,
            up: false,
            dark: true,
            kept: VecDeque::new(),
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
            will_payload: Bytes::from_static(WILL),
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
        self.outage.next_moment()
    }

    /// Lives through its next moment. A device without power has no link to lose: it comes back with its power.
    pub(super) fn live(&mut self) {
        let Some((at, turn)) = self.outage.turn() else {
            return;
        };
        match turn {
            _ if self.dark => {}
            Turn::Lost => self.up = false,
            Turn::Will if !self.up => self.will(at),
            Turn::Back if !self.up => self.connect(at),
            // It was switched off and on in between, and is back already.
            Turn::Will | Turn::Back => {}
        }
    }

    /// The device has power again, or for the first time: it connects and says who it is.
    pub(super) fn switch_on(&mut self, at: Timestamp, boot: bool) {
        if boot {
            self.boot += 1;
            self.seq = 0;
        }
        self.dark = false;
        self.connect(at);
    }

    /// The device loses its power.
    pub(super) fn switch_off(&mut self) {
        self.up = false;
        self.dark = true;
    }

    /// The broker publishes the will of a device that is gone.
    pub(super) fn will(&mut self, at: Timestamp) {
        self.scratch.clear();
        self.scratch.extend_from_slice(WILL);
        self.send(at, Kind::State);
    }

    /// Tells signals.
    pub(super) fn tele(&mut self, at: Timestamp, fill: impl FnOnce(&mut Object<'_>)) {
        let mut record = self.record(at);
        record.object("s", fill);
        record.close();
        self.deliver(at, Kind::Tele);
    }

    /// Tells an event with its fields.
    pub(super) fn event(&mut self, at: Timestamp, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut record = self.record(at);
        record.text("e", name).object("d", fill);
        record.close();
        self.deliver(at, Kind::Event);
    }

    fn record(&mut self, at: Timestamp) -> Object<'_> {
        self.seq += 1;
        let ts = self.clock.shows(at);
        self.scratch.clear();
        let mut object = Object::open(&mut self.scratch);
        object.seconds("ts", ts).whole("seq", self.seq);
        if !self.up {
            // It will come in a batch, perhaps after another restart.
            object.whole("boot", self.boot);
        }
        object
    }

    /// Sends the record in the scratch buffer, or keeps it for later.
    fn deliver(&mut self, at: Timestamp, kind: Kind) {
        if self.dark {
            return;
        }
        if !self.up {
            if self.kept.len() == KEPT_LIMIT {
                self.kept.pop_front();
            }
            self.kept.push_back(Bytes::copy_from_slice(&self.scratch));
            return;
        }
        if self.plate.quirk == Quirk::Malformed && self.chance.happens(MALFORMED) {
            self.garble(at);
        }
        self.send(at, kind);
        let repeated = if self.plate.quirk == Quirk::Repeats {
            REPEATED.0
        } else {
            REPEATED.1
        };
        if self.chance.happens(repeated) {
            self.send(at, kind);
        }
    }

    fn connect(&mut self, at: Timestamp) {
        self.up = true;
        let ts = self.clock.shows(at);
        self.scratch.clear();
        let mut object = Object::open(&mut self.scratch);
        object.flag("online", true).seconds("ts", ts);
        object.text("fw", self.plate.fw).whole("boot", self.boot);
        object.close();
        self.send(at, Kind::State);
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.plate.ident);
        self.send(at, Kind::Ident);
        while !self.kept.is_empty() {
            self.send_batch(at, ts);
        }
    }

    /// Sends the oldest of what was kept.
    fn send_batch(&mut self, at: Timestamp, ts: i64) {
        self.scratch.clear();
        let mut object = Object::open(&mut self.scratch);
        object.seconds("sent", ts);
        object.close();
        self.scratch.pop();
        self.scratch.extend_from_slice(b",\"recs\":[");
        for count in 0..BATCH_LIMIT.0 {
            if self.scratch.len() > BATCH_LIMIT.1 {
                break;
            }
            let Some(record) = self.kept.pop_front() else {
                break;
            };
            if count > 0 {
                self.scratch.push(b',');
            }
            self.scratch.extend_from_slice(&record);
        }
        self.scratch.extend_from_slice(b"]}");
        self.send(at, Kind::Batch);
    }

    /// Sends something that nobody can read: torn off, not UTF-8, or of a kind that does not exist.
    fn garble(&mut self, at: Timestamp) {
        let whole = self.scratch.len();
        let (payload, kind) = match self.chance.span_ms(0, 2) {
            0 => (
                Bytes::copy_from_slice(&self.scratch[..whole / 2]),
                Kind::Tele,
            ),
            1 => (Bytes::from_static(b"{\"ts\":\xff\xfe\x00}"), Kind::Tele),
            _ => (Bytes::from_static(br#"{"ok":true}"#), Kind::Status),
        };
        self.push(at, kind, payload);
    }

    /// Sends what stands in the scratch buffer.
    fn send(&mut self, at: Timestamp, kind: Kind) {
        let payload = Bytes::copy_from_slice(&self.scratch);
        self.push(at, kind, payload);
    }

    fn push(&mut self, at: Timestamp, kind: Kind, payload: Bytes) {
        let arrives = at + self.chance.span_ms(LATENCY_MS.0, LATENCY_MS.1);
        self.last_at = self.last_at.max(arrives);
        let (topic, retain) = match kind {
            Kind::State => (&self.topics.state, true),
            Kind::Ident => (&self.topics.ident, true),
            Kind::Tele => (&self.topics.tele, false),
            Kind::Event => (&self.topics.event, false),
            Kind::Batch => (&self.topics.batch, false),
            Kind::Status => (&self.topics.status, false),
        };
        self.out.push_back(Published {
            at: self.last_at,
            device: self.plate.device,
            topic: topic.clone(),
            payload,
            retain,
            qos: 1,
        });
    }
}
