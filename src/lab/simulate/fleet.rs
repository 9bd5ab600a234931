//! The fleet: many appliances, one stream of messages in the order in which they reach us.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::appliance::Appliance;
use super::appliance::Published;
use super::appliance::SimulatedDevice;
use super::brush::Brush;
use super::failure::Failure;
use super::failure::PlannedFailure;
use super::plan::FleetPlan;
use super::toilet::Toilet;
use crate::telemetry::Timestamp;

/// Appliances that live on for as long as someone asks for their next message.
pub struct Fleet {
    members: Vec<Member>,
    /// For each member, the earliest time at which it can have something to say.
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The next message, made already so that its time is known.
    head: Option<Published>,
}

struct Member {
    appliance: Box<dyn Appliance>,
    /// What fails in it when, for people to read.
    failures: Vec<PlannedFailure>,
}

impl Member {
    /// The earliest time at which it can have something to say.
    fn due(&self) -> Timestamp {
        let link = self.appliance.link();
        let ready = link.ready_at().unwrap_or(Timestamp::MAX);
        ready
            .min(self.appliance.next_moment())
            .min(link.next_moment())
    }

    /// Lives on by one moment, or hands out what it has to say when that comes first.
    fn step(&mut self) -> Option<Published> {
        let own = self.appliance.next_moment();
        let link = self.appliance.link().next_moment();
        if self
            .appliance
            .link()
            .ready_at()
            .is_some_and(|ready| ready <= own.min(link))
        {
            return self.appliance.link_mut().take();
        }
        if link <= own {
            self.appliance.link_mut().live();
        } else {
            self.appliance.live();
        }
        None
    }
}

impl Fleet {
    /// Builds the fleet and makes its first message.
    #[must_use]
    pub fn new(plan: FleetPlan) -> Self {
        let toilets = (0..plan.toilets)
            .map(|number| Box::new(Toilet::new(&plan, number, number)) as Box<dyn Appliance>);
        let brushes = (0..plan.brushes).map(|number| {
            Box::new(Brush::new(&plan, plan.toilets + number, number)) as Box<dyn Appliance>
        });
        let members: Vec<Member> = toilets
            .chain(brushes)
            .map(|appliance| Member {
                appliance,
                failures: Vec::new(),
            })
            .collect();
        let mut fleet = Self {
            due: BinaryHeap::with_capacity(members.len()),
            members,
            head: None,
        };
        for planned in plan.failures {
            fleet.inject(planned.device, planned.failure, planned.begins);
        }
        for (index, member) in fleet.members.iter().enumerate() {
            fleet.due.push(Reverse((member.due(), index)));
        }
        fleet.head = fleet.make();
        fleet
    }

    /// The next message of the fleet; their times rise. `None` only when there is no device at all.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless stream that is steered in between is no iterator to collect"
    )]
    pub fn next(&mut self) -> Option<Published> {
        let made = self.make();
        std::mem::replace(&mut self.head, made)
    }

    /// When the next message reaches us.
    #[must_use]
    pub fn peek_at(&self) -> Option<Timestamp> {
        self.head.as_ref().map(|head| head.at)
    }

    /// All devices, in the order of their index.
    #[must_use]
    pub fn devices(&self) -> Vec<SimulatedDevice> {
        let devices = self.members.iter().map(|member| {
            let mut device = member.appliance.link().device();
            device.failures.clone_from(&member.failures);
            device
        });
        devices.collect()
    }

    /// Lets something fail. Nothing happens when there is no such device, or the device has no such part.
    pub fn inject(&mut self, device: usize, failure: Failure, begins: Timestamp) {
        let Some(member) = self.members.get_mut(device) else {
            return;
        };
        if member.appliance.can_have(failure.kind) {
            member.appliance.ailments_mut().add(failure, begins);
            member.failures.push(PlannedFailure {
                device,
                failure,
                begins,
            });
        }
    }

    /// A person exchanged or cleaned the part: whatever had begun to fail by then is as new from then on.
    pub fn repair(&mut self, device: usize, at: Timestamp) {
        if let Some(member) = self.members.get_mut(device) {
            member.appliance.ailments_mut().end(at);
            member.failures.retain(|failure| failure.begins > at);
        }
    }

    /// Lets somebody use a device at this time, whatever the habits of its household say, so that a failure shows soon. Nothing
    /// happens when there is no such device, or it is in use or without power.
    pub fn use_at(&mut self, device: usize, at: Timestamp) {
        let Some(member) = self.members.get_mut(device) else {
            return;
        };
        member.appliance.use_at(at);
        // Its next moment may now lie before the one that was noted.
        self.due = self
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| Reverse((member.due(), index)))
            .collect();
    }

    fn make(&mut self) -> Option<Published> {
        while let Some(Reverse((_, index))) = self.due.pop() {
            let member = &mut self.members[index];
            let published = member.step();
            self.due.push(Reverse((member.due(), index)));
            if published.is_some() {
                return published;
            }
        }
        None
    }
}
