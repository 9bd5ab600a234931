//! Over which time a page of a device looks: an hour, a day, a week, a month or a year, up to now or to its last record.

use crate::telemetry::DAY_MS;
use crate::telemetry::HOUR_MS;
use crate::telemetry::Timestamp;
use crate::web::pages::frame::Frame;
use crate::web::pages::visit::Fields;

use super::subject::Subject;

/// How far back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Range {
    Hour,
    #[default]
    Day,
    Week,
    Month,
    Year,
}

/// A choice of the range.
pub(super) struct RangeLink {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) current: bool,
}

/// A range that ends at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) range: Range,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Range {
    const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The name in the address; also the end of its words' key.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Year => "1y",
        }
    }

    const fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
            Self::Year => 365 * DAY_MS,
        }
    }

    /// What the address asks for; anything else is a day.
    pub(super) fn from_name(name: Option<&str>) -> Self {
        let found = Self::ALL
            .into_iter()
            .find(|range| Some(range.name()) == name);
        found.unwrap_or_default()
    }

    /// The name in the reader's language.
    pub(super) fn words(self, frame: &Frame) -> String {
        let t = frame.t;
        match self {
            Self::Hour => t.say("device-range-1h"),
            Self::Day => t.say("device-range-24h"),
            Self::Week => t.say("device-range-7d"),
            Self::Month => t.say("device-range-30d"),
            Self::Year => t.say("device-range-1y"),
        }
        .to_string()
    }
}

impl Looked {
    /// The range that a query asks for: up to now, or up to the last record of a device that has been silent for all of it.
    pub(super) fn of(fields: &Fields, frame: &Frame, subject: &Subject) -> Self {
        let range = Range::from_name(fields.get("range"));
        let (now, newest) = (frame.show.now(), subject.newest());
        let to = if now.since(newest) > range.ms() {
            newest + 1
        } else {
            now
        };
        Self {
            range,
            from: to - range.ms(),
            to,
        }
    }

    /// Links to each range of the page at `address`.
    pub(super) fn links(self, frame: &Frame, address: &str) -> Vec<RangeLink> {
        Range::ALL
            .into_iter()
            .map(|range| RangeLink {
                address: format!("{address}?range={}", range.name()),
                name: range.words(frame),
                current: range == self.range,
            })
            .collect()
    }

    /// `24 h to 14:20`.
    pub(super) fn words(self, frame: &Frame) -> String {
        let show = &frame.show;
        let to = if show.is_today(self.to) {
            show.clock(self.to)
        } else {
            show.date_time(self.to)
        };
        frame
            .t
            .say("device-range-to")
            .with("range", self.range.words(frame))
            .with("to", to)
            .to_string()
    }
}
