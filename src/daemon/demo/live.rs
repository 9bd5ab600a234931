//! The demo's fleet as it goes on: its own life, what a visitor is to watch, and what the visitor repairs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::directory;
use crate::daemon::clock;
use crate::intake::devices::Message;
use crate::intake::devices::Script;
use crate::intake::devices::Speaker;
use crate::intake::devices::Will;
use crate::lab::simulate::FailureKind;
use crate::lab::simulate::Published;
use crate::lab::simulate::Quirk;
use crate::lab::simulate::SimulatedDevice;
use crate::lab::simulate::story;
use crate::lab::simulate::story::Scene;
use crate::lab::simulate::tended::Diary;
use crate::lab::simulate::tended::Tended;
use crate::lab::simulate::tended::What;
use crate::telemetry::DeviceId;
use crate::telemetry::Text;
use crate::telemetry::Timestamp;

/// Something that will happen to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// To which.
    pub device: DeviceId,
    /// What, in plain words.
    pub told: Text,
    /// The fault that should be raised for it.
    pub fault: &'static str,
}

/// A scene with its device and its time.
struct Planned {
    at: Timestamp,
    device: usize,
    act: Act,
    scene: Scene,
}

/// The fleet as a script: what it says, with scenes and repairs done to it in between.
pub(super) struct Directed {
    fleet: Tended,
    data: PathBuf,
    scenes: VecDeque<Planned>,
    repaired: mpsc::Receiver<DeviceId>,
    devices: BTreeMap<DeviceId, usize>,
}

impl Directed {
    /// A fleet whose scenes are counted from `start` on; each takes a device of its own, with which nothing is wrong if there is one.
    pub(super) fn new(
        fleet: Tended,
        data: PathBuf,
        repaired: mpsc::Receiver<DeviceId>,
        start: Timestamp,
    ) -> Self {
        let devices = fleet.devices();
        let toilets = fleet.diary().toilets;
        let mut taken = BTreeSet::new();
        let scenes = story::scenes().into_iter().filter_map(|scene| {
            let kind = scene.failure.kind;
            let seats = FailureKind::TOILET.contains(&kind);
            let free = devices.iter().enumerate().filter(|(index, about)| {
                let failed = about.failures.iter();
                (*index < toilets) == seats
                    && about.quirk != Quirk::BadLink
                    && !taken.contains(index)
                    && !failed.into_iter().any(|failed| failed.failure.kind == kind)
            });
            // In a small fleet something is wrong with each; then the one with the least.
            let (device, about) = free.min_by_key(|(_, about)| about.failures.len())?;
            taken.insert(device);
            Some(Planned {
                at: start + scene.after_ms,
                device,
                act: Act {
                    device: about.id.clone(),
                    told: kind.told(),
                    fault: kind.fault(),
                },
                scene,
            })
        });
        let scenes = scenes.collect();
        let ids = devices.into_iter().map(|device| device.id);
        Self {
            devices: ids.zip(0..).collect(),
            scenes,
            fleet,
            data,
            repaired,
        }
    }

    /// What is still to come, with how long from `now`, ms.
    pub(super) fn acts(&self, now: Timestamp) -> Vec<(i64, Act)> {
        let acts = self.scenes.iter();
        acts.map(|planned| (planned.at.since(now), planned.act.clone()))
            .collect()
    }

    /// What was done to the fleet so far.
    pub(super) const fn diary(&self) -> &Diary {
        self.fleet.diary()
    }

    fn direct(&mut self, now: Timestamp) {
        let known = self.fleet.diary().deeds.len();
        while let Some(planned) = self.scenes.pop_front_if(|planned| planned.at <= now) {
            let (device, scene) = (planned.device, planned.scene);
            self.fleet.tend(device, What::Fails(scene.failure), now);
            if let Some(after) = scene.used_after_ms {
                self.fleet.tend(device, What::Used, now + after);
            }
        }
        while let Ok(device) = self.repaired.try_recv() {
            if let Some(device) = self.devices.get(&device) {
                self.fleet.tend(*device, What::Repaired, now);
            }
        }
        // Without its diary the fleet could not go on at the next start; a disk that is full has louder witnesses.
        if self.fleet.diary().deeds.len() > known
            && let Err(error) = directory::save(&self.data, self.fleet.diary())
        {
            tracing::warn!(error = %error, "the fleet's diary cannot be written");
        }
    }
}

impl Script for Directed {
    fn next_at(&mut self) -> Option<Timestamp> {
        self.direct(clock::wall());
        self.fleet.peek_at()
    }

    fn next(&mut self) -> Option<Message> {
        self.fleet.next().map(message)
    }
}

/// Devices of a fleet as MQTT clients.
#[must_use]
pub fn speakers(devices: &[SimulatedDevice]) -> Vec<Speaker> {
    let speakers = devices.iter().map(|device| Speaker {
        client_id: device.id.serial().to_owned(),
        will: Will {
            topic: device.will_topic.clone(),
            payload: device.will_payload.clone(),
        },
    });
    speakers.collect()
}

/// A message of a fleet for the wire.
#[must_use]
pub fn message(published: Published) -> Message {
    Message {
        speaker: published.device,
        topic: published.topic,
        payload: published.payload,
        retain: published.retain,
    }
}
