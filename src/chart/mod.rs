//! Charts as SVG text: the line chart of evidence, and the small ones (bullet, sparkline, meter, whisker).
//!
//! Plain numbers go in, text comes out: pages, mail and chat all show the same picture. Everything is drawn by plotters' SVG
//! backend in one colour per role, the light one; then each element gets the class of its role, so that a page's style sheet
//! decides and a mail without one keeps the light colours. Leaves to others which values are shown, and what stands around the
//! picture. Invariants: the same input gives the same text; no number, however odd, breaks a chart; two labels never lie on
//! one another; every text is escaped.

mod calendar;

mod canvas;

mod labels;

mod line;

mod number;

mod role;

mod scale;

mod small;

mod words;

#[cfg(test)]
mod tests;

use crate::telemetry::{Lang, Timestamp};

pub use calendar::{Zone, day_label, moment_label};
pub use line::{line, story};
pub use number::{number, quantity, relative};
pub use small::{Bullet, BulletLevel, Share, ShareKind, bullet, meter, sparkline, whisker};
pub use words::span_words;

/// One value, or what lies in a span of time that begins at `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// When.
    pub at: Timestamp,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
}

impl ChartPoint {
    /// One value.
    #[must_use]
    pub const fn single(at: Timestamp, value: f64) -> Self {
        Self {
            at,
            min: value,
            max: value,
            mean: value,
        }
    }
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From here, inclusive.
    pub from: Timestamp,
    /// To here.
    pub to: Timestamp,
}

/// Which of the two stages of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The early sign.
    Warning,
    /// The fault itself.
    Fault,
}

/// A limit that the value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitLine {
    /// Of which stage.
    pub level: Level,
    /// Where, in the chart's unit.
    pub value: f64,
    /// The same relative to the own normal, in percent, where that is how it is written.
    pub relative_pct: Option<f64>,
    /// What lies above is bad; else what lies below.
    pub bad_above: bool,
}

/// A time in which a condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// When.
    pub span: Span,
    /// Of which stage.
    pub level: Level,
}

/// What a vertical line marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// The ticket was opened.
    Opened,
    /// It became worse.
    Worsened,
    /// It was taken up again.
    Reopened,
    /// A part was replaced.
    Replaced,
    /// The condition ended.
    Cleared,
    /// The work was done.
    Resolved,
}

/// A vertical line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MarkKind,
}

/// What a line chart shows.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart<'a> {
    /// Language of its words.
    pub lang: Lang,
    /// Name of the signal, in that language.
    pub name: &'a str,
    /// Its unit; empty for pure numbers.
    pub unit: &'a str,
    /// Local time of the device.
    pub zone: Zone<'a>,
    /// Left end of the axis.
    pub from: Timestamp,
    /// Right end of the axis.
    pub to: Timestamp,
    /// In rising time; what is not a number is left out.
    pub points: &'a [ChartPoint],
    /// Values further apart than this, in ms, are not joined.
    pub gap_ms: Option<i64>,
    /// Spans that nobody saw: gaps, never a bridge.
    pub blind: &'a [Span],
    /// The device's own normal: lower and upper end.
    pub band: Option<(f64, f64)>,
    /// At most one of each level is drawn well.
    pub limits: &'a [LimitLine],
    /// When a condition held.
    pub held: &'a [Held],
    /// In rising time.
    pub marks: &'a [Mark],
    /// The axis starts at zero: for counts and flows that can be zero.
    pub from_zero: bool,
}

/// For which width a line chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 760 wide: the main column.
    Wide,
    /// 640 wide: half a page.
    Half,
    /// 360 wide: phones; labels stand inside.
    Narrow,
}
