//! What a fleet shall be: how many of what, from when, how talkative, and what fails.

use super::failure::PlannedFailure;
use crate::telemetry::Timestamp;

/// A fleet before it lives. Devices are numbered from 0: the toilets first, then the brushes.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetPlan {
    /// Equal seeds (with all else equal) give equal bytes.
    pub seed: u64,
    /// When the first of them is switched on; the others follow within a minute.
    pub from: Timestamp,
    /// How many smart toilet seats.
    pub toilets: usize,
    /// How many toothbrushes.
    pub brushes: usize,
    /// How often they speak.
    pub cadence: Cadence,
    /// What fails. A failure that the device cannot have, or of a device that is not there, is left out.
    pub failures: Vec<PlannedFailure>,
}

/// How often periodic signals are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// As the native convention says.
    Full,
    /// Every second periodic message is left out, as the convention allows a slow link.
    SlowLink,
}

impl Cadence {
    /// The time between two messages of a signal whose cadence in the convention is `nominal_ms`.
    pub(super) const fn period_ms(self, nominal_ms: i64) -> i64 {
        match self {
            Self::Full => nominal_ms,
            Self::SlowLink => 2 * nominal_ms,
        }
    }
}
