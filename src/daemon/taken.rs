//! A batch that the worker handed over, on its way into points: the beginning of it may be gathered already, and a full batch of
//! points may cut it anywhere.
//!
//! Pure. Keeps: an entry is gathered once, and [`Taken::gather`] stops between two entries.

use std::collections::VecDeque;

use super::handover::Batch;
use super::stage::Place;
use crate::pipeline::Heard;
use crate::pipeline::InForce;
use crate::pipeline::Said;
use crate::series::consumer::Gatherer;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// What is left of a batch of the worker.
pub(super) struct Taken {
    heard: VecDeque<Heard>,
    through: Place,
}

impl From<Batch> for Taken {
    fn from(batch: Batch) -> Self {
        Self {
            heard: batch.heard.into(),
            through: batch.through,
        }
    }
}

impl Taken {
    /// Gathers what it tells, by `now`, until all of it is taken or no more fits; `read` goes along. What was told up to `behind` is
    /// gathered already, except which profiles are in force. True when all of it is taken.
    pub(super) fn gather(
        &mut self,
        now: Timestamp,
        behind: Position,
        in_force: &mut Box<InForce>,
        gatherer: &mut Gatherer,
        read: &mut Place,
    ) -> bool {
        loop {
            let next = self.heard.front().map(|heard| heard.position);
            if next.is_some_and(|next| next > read.position) && gatherer.is_full() {
                return false;
            }
            let Some(heard) = self.heard.pop_front() else {
                break;
            };
            let is_new = heard.position > behind;
            match heard.said {
                // Also what was gathered before: the profiles handed over with the beginning may be older.
                Said::Profiles(newer) => *in_force = newer,
                Said::Message(telemetry) if is_new => {
                    let program = in_force.profiles.get(telemetry.device.model());
                    gatherer.said(&telemetry, program.map(AsRef::as_ref));
                }
                Said::Retired(device) if is_new => gatherer.retired(&device),
                Said::Message(_) | Said::Retired(_) => {}
            }
            if heard.position > read.position {
                gatherer.took(now, heard.position);
                *read = Place {
                    position: heard.position,
                    received_at: heard.received_at,
                };
            }
        }
        // What tells nothing was taken as well.
        if self.through.position > read.position {
            gatherer.took(now, self.through.position);
            *read = self.through;
        }
        true
    }
}
