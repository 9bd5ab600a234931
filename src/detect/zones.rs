//! Local days, by the offsets that the journal carries.
//!
//! Leaves tzdata to whoever wrote the table. Invariant: an unknown zone counts as the site's, an unknown site's as UTC.

use smol_str::SmolStr;

use crate::telemetry::{DAY_MS, Identity, ZoneTable};

/// The zones in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Zones {
    site: SmolStr,
    table: ZoneTable,
}

impl Zones {
    /// From the settings and the journalled table.
    pub(super) fn new(site: &str, table: &ZoneTable) -> Self {
        Self {
            site: site.into(),
            table: table.clone(),
        }
    }

    /// The number of the device's local day at this moment.
    pub(super) fn day(&self, identity: &Identity, t: i64) -> i64 {
        (t + self.offset(identity, t)).div_euclid(DAY_MS)
    }

    /// The moment at which that local day ends.
    pub(super) fn day_end(&self, identity: &Identity, day: i64) -> i64 {
        let local = (day + 1) * DAY_MS;
        let guess = local - self.offset(identity, local);
        local - self.offset(identity, guess)
    }

    /// Milliseconds that local time is ahead of UTC.
    fn offset(&self, identity: &Identity, t: i64) -> i64 {
        let zone = identity
            .tz
            .as_ref()
            .and_then(|tz| self.table.get(tz))
            .or_else(|| self.table.get(&self.site));
        let Some(steps) = zone else { return 0 };
        let place = steps.partition_point(|(from, _)| from.ms() <= t);
        let step = place
            .checked_sub(1)
            .map_or(steps.first(), |at| steps.get(at));
        step.map_or(0, |(_, seconds)| i64::from(*seconds) * 1000)
    }
}
