//! Where appliances stand: zone, mains water and rooms through the year.
//!
//! Only zones without daylight saving time, so that a fixed offset is the whole truth.

use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;

/// The coldest day of the year in the northern hemisphere, in days since its beginning (late January).
const COLDEST_DAY: f64 = 25.0;

/// A place. Temperatures are plausible round figures for its climate, °C and K.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    /// Sales region, as `ident` tells it.
    pub(super) region: &'static str,
    /// IANA name of its zone.
    pub(super) tz: &'static str,
    /// So far east of UTC, h.
    hours: i64,
    /// Mains water over the year, and how far winter and summer differ from that.
    water: (f64, f64),
    /// Bathroom over the year, and how far winter and summer differ from that.
    room: (f64, f64),
}

const fn place(
    region: &'static str,
    tz: &'static str,
    hours: i64,
    water: (f64, f64),
    room: (f64, f64),
) -> Place {
    Place {
        region,
        tz,
        hours,
        water,
        room,
    }
}

/// The places that the fleet knows.
pub(super) const PLACES: [Place; 8] = [
    place("CN-GD", "Asia/Shanghai", 8, (23.0, 6.0), (24.0, 4.0)),
    place("CN-SH", "Asia/Shanghai", 8, (17.5, 9.0), (21.5, 5.0)),
    place("CN-BJ", "Asia/Shanghai", 8, (14.5, 8.0), (22.5, 2.5)),
    place("CN-SC", "Asia/Shanghai", 8, (17.0, 7.0), (20.5, 5.0)),
    place("CN-XJ", "Asia/Urumqi", 6, (11.0, 5.0), (22.0, 2.0)),
    place("HK", "Asia/Hong_Kong", 8, (23.0, 5.5), (24.5, 4.0)),
    place("SG", "Asia/Singapore", 8, (27.5, 0.7), (27.5, 0.7)),
    place("JP-13", "Asia/Tokyo", 9, (16.0, 8.0), (21.0, 4.5)),
];

impl Place {
    /// So far east of UTC, ms.
    pub(super) const fn zone_ms(&self) -> i64 {
        self.hours * HOUR_MS
    }

    /// Mains water, °C.
    pub(super) fn water_c(&self, at: Timestamp) -> f64 {
        self.water.0 - self.water.1 * winter(at)
    }

    /// Bathroom, °C: warmest in the late afternoon.
    pub(super) fn room_c(&self, at: Timestamp) -> f64 {
        let day = share(at.ms() + self.zone_ms() - 16 * HOUR_MS, DAY_MS);
        self.room.0 - self.room.1 * winter(at) + 0.9 * libm::cos(std::f64::consts::TAU * day)
    }

    /// Midnight at which the local day of an instant began.
    pub(super) const fn midnight(&self, at: Timestamp) -> Timestamp {
        let local = at.ms() + self.zone_ms();
        Timestamp::from_ms(local - local.rem_euclid(DAY_MS) - self.zone_ms())
    }
}

/// 1 on the coldest day, −1 on the warmest.
fn winter(at: Timestamp) -> f64 {
    // A year of 365.25 days from 1970 on; a day more or less does not matter here.
    const YEAR_MS: i64 = 365 * DAY_MS + 6 * HOUR_MS;
    libm::cos(std::f64::consts::TAU * (share(at.ms(), YEAR_MS) - COLDEST_DAY / 365.25))
}

/// How much of a period has gone by, 0..1.
#[expect(
    clippy::cast_precision_loss,
    reason = "periods of ms lie far below 2^53"
)]
fn share(ms: i64, period_ms: i64) -> f64 {
    ms.rem_euclid(period_ms) as f64 / period_ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_is_cold_in_winter_and_midnight_is_local() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let place = &PLACES[1];
        let (winter, summer) = (at("2026-01-25T00:00:00Z"), at("2026-07-26T00:00:00Z"));
        assert!(place.water_c(winter) < 9.0 && place.water_c(summer) > 26.0);
        assert_eq!(
            place.midnight(at("2026-03-01T15:59:59Z")),
            at("2026-02-28T16:00:00Z")
        );
        assert_eq!(
            place.midnight(at("2026-03-01T16:00:00Z")),
            at("2026-03-01T16:00:00Z")
        );
    }
}
