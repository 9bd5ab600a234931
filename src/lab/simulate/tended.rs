//! A fleet with a diary of everything that was done to it, so that it can be lived through once more, byte for byte.
//!
//! A device's counters and chance depend on all that it went through. Whoever goes on with a fleet after a restart makes it anew
//! from its [`Diary`] and leaves out what was said already.

use serde::Deserialize;
use serde::Serialize;

use super::appliance::Published;
use super::appliance::SimulatedDevice;
use super::failure::Failure;
use super::fleet::Fleet;
use super::plan::Cadence;
use super::plan::FleetPlan;
use super::story;
use crate::telemetry::Timestamp;

/// The seed, the span of the story, and every deed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diary {
    /// Seed of the fleet.
    pub seed: u64,
    /// When it was switched on.
    pub from: Timestamp,
    /// Where its story ends: what fails by itself was planned for this time.
    pub story_until: Timestamp,
    /// Seats.
    pub toilets: usize,
    /// Toothbrushes.
    pub brushes: usize,
    /// What was done, in order.
    pub deeds: Vec<Deed>,
}

/// Something that was done to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// After how many messages of the fleet.
    pub after: u64,
    /// To which device.
    pub device: usize,
    /// What.
    pub what: What,
    /// When it takes effect.
    pub at: Timestamp,
}

/// What can be done to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Something begins to fail.
    Fails(Failure),
    /// It is repaired.
    Repaired,
    /// Somebody uses it.
    Used,
}

impl Diary {
    /// A fleet that nothing was done to yet.
    #[must_use]
    pub const fn new(
        seed: u64,
        (toilets, brushes): (usize, usize),
        from: Timestamp,
        story_until: Timestamp,
    ) -> Self {
        Self {
            seed,
            from,
            story_until,
            toilets,
            brushes,
            deeds: Vec::new(),
        }
    }
}

/// A fleet and its diary.
pub struct Tended {
    fleet: Fleet,
    taken: u64,
    diary: Diary,
}

impl Tended {
    /// The fleet as it was before its first message.
    #[must_use]
    pub fn new(diary: Diary) -> Self {
        let Diary {
            seed,
            from,
            story_until,
            toilets,
            brushes,
            ..
        } = diary;
        let plan = FleetPlan {
            seed,
            from,
            toilets,
            brushes,
            cadence: Cadence::SlowLink,
            failures: story::failures((toilets, brushes), from, story_until),
        };
        Self {
            fleet: Fleet::new(plan),
            taken: 0,
            diary,
        }
    }

    /// The fleet of a diary as it is at this time: it lives through everything again, and what it says by then is left out.
    #[must_use]
    pub fn again(diary: Diary, until: Timestamp) -> Self {
        let deeds = diary.deeds.clone();
        let mut tended = Self::new(diary);
        for deed in deeds {
            while tended.taken < deed.after {
                tended.next();
            }
            tended.carry_out(&deed);
        }
        while tended.peek_at().is_some_and(|at| at <= until) {
            tended.next();
        }
        tended
    }

    /// The next message.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless stream that is steered in between is no iterator to collect"
    )]
    pub fn next(&mut self) -> Option<Published> {
        self.taken += 1;
        self.fleet.next()
    }

    /// When the next message reaches us.
    #[must_use]
    pub fn peek_at(&self) -> Option<Timestamp> {
        self.fleet.peek_at()
    }

    /// All devices.
    #[must_use]
    pub fn devices(&self) -> Vec<SimulatedDevice> {
        self.fleet.devices()
    }

    /// What was done so far.
    #[must_use]
    pub const fn diary(&self) -> &Diary {
        &self.diary
    }

    /// Does something to a device, and notes it.
    pub fn tend(&mut self, device: usize, what: What, at: Timestamp) {
        let deed = Deed {
            after: self.taken,
            device,
            what,
            at,
        };
        self.carry_out(&deed);
        self.diary.deeds.push(deed);
    }

    fn carry_out(&mut self, deed: &Deed) {
        match deed.what {
            What::Fails(failure) => self.fleet.inject(deed.device, failure, deed.at),
            What::Repaired => self.fleet.repair(deed.device, deed.at),
            What::Used => self.fleet.use_at(deed.device, deed.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FailureKind;
    use super::*;
    use crate::telemetry::DAY_MS;
    use crate::telemetry::HOUR_MS;

    #[test]
    fn a_fleet_made_anew_from_its_diary_goes_on_where_it_was() {
        let from: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
        let until = from + DAY_MS;
        let mut tended = Tended::new(Diary::new(5, (3, 0), from, until));
        let failure = Failure {
            kind: FailureKind::ValveLeak,
            ripens_ms: HOUR_MS,
        };
        while tended.peek_at().is_some_and(|at| at <= until) {
            let at = tended.peek_at().expect("a next one");
            tended.next();
            match tended.taken {
                500 => tended.tend(1, What::Fails(failure), at),
                700 => tended.tend(0, What::Used, at + 5_000),
                900 => tended.tend(1, What::Repaired, at),
                _ => {}
            }
        }
        assert_eq!(tended.diary().deeds.len(), 3);
        let text = serde_json::to_string(tended.diary()).expect("text");
        let diary: Diary = serde_json::from_str(&text).expect("the diary");
        let mut again = Tended::again(diary, until);
        for _ in 0..500 {
            assert_eq!(again.next(), tended.next());
        }
    }
}
