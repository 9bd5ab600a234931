//! The small pictures: distance from a limit, a signal's last day, shares of a whole, a share with its likely range.
//!
//! Each is a function from numbers to SVG text. Leaves the numbers in words, which stand beside each picture, to the page.

use super::canvas::{Anchor, Canvas, Sheet, draw};
use super::labels::width;
use super::number::with_unit;
use super::role::Role;
use super::scale::{Scale, drawable};
use crate::telemetry::Lang;

/// Width of a bullet, user units.
const BULLET: f64 = 260.0;
/// Where its fault limit stands, so that limits align down a page.
const BULLET_LIMIT: f64 = 200.0;
/// Where the only limit stands when it is a warning.
const BULLET_WARN: f64 = 100.0;
/// A bar is never thinner: it must be seen.
const BAR_LEAST: f64 = 3.0;
/// Width of a meter and the gap between its shares.
const METER: f64 = 400.0;
const METER_GAP: f64 = 1.5;
/// A share above zero is never thinner.
const SHARE_LEAST: f64 = 1.5;
/// Most points of a sparkline: one a unit of its width.
const SPARK_POINTS: usize = 150;

/// How bad a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulletLevel {
    /// Within its limits.
    Fine,
    /// Over the warning limit.
    Warning,
    /// Over the fault limit.
    Fault,
}

/// How far a value is from its limit. All numbers are in one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bullet<'a> {
    /// The left edge: the own normal, or zero.
    pub origin: f64,
    /// The value; `None` draws limits alone.
    pub now: Option<f64>,
    /// Warning limit.
    pub warn: Option<f64>,
    /// Fault limit.
    pub fault: Option<f64>,
    /// Decides the bar's colour.
    pub level: BulletLevel,
    /// What a screen reader says: name, value, limits.
    pub label: &'a str,
}

/// A bullet: the fault limit always at the same place, linear from the left edge.
#[must_use]
pub fn bullet(bullet: &Bullet<'_>) -> String {
    let sheet = Sheet {
        width: BULLET,
        height: 24.0,
        class: "bullet",
        label: Some(bullet.label),
        extra: "",
    };
    // Falling values run to the right as well: towards their limit.
    let unit = match (bullet.fault, bullet.warn) {
        (Some(fault), _) => (fault - bullet.origin) / BULLET_LIMIT,
        (None, Some(warn)) => (warn - bullet.origin) / BULLET_WARN,
        (None, None) => 0.0,
    };
    let place = |value: f64| {
        let x = (value - bullet.origin) / unit;
        x.is_finite().then(|| x.clamp(0.0, BULLET))
    };
    draw(&sheet, |canvas| {
        canvas.rect(Role::Track, (0.0, 6.0), (BULLET, 18.0));
        if let Some(x) = bullet.now.and_then(place) {
            let role = match bullet.level {
                BulletLevel::Fine => Role::BarOk,
                BulletLevel::Warning => Role::BarWarn,
                BulletLevel::Fault => Role::BarBad,
            };
            canvas.rect(role, (0.0, 9.0), (x.max(BAR_LEAST), 15.0));
        }
        if let Some(x) = bullet.warn.and_then(place) {
            canvas.stroke(Role::Warn, (x, 2.0), (x, 22.0));
        }
        if let Some(x) = bullet.fault.and_then(place) {
            canvas.stroke(Role::Limit, (x, 0.0), (x, 24.0));
        }
    })
}

/// A signal without an axis, in its own range. `None` is a gap. It is hidden from screen readers: the number stands beside it.
#[must_use]
pub fn sparkline(values: &[Option<f64>]) -> String {
    const WIDTH: f64 = 150.0;
    const HEIGHT: f64 = 32.0;
    let sheet = Sheet {
        width: WIDTH,
        height: HEIGHT,
        class: "",
        label: None,
        extra: " width=\"150\" height=\"32\"",
    };
    // Every n-th bucket keeps its last value: the dot at the end is the newest one.
    let step = values.len().div_ceil(SPARK_POINTS).max(1);
    let values: Vec<Option<f64>> = values
        .chunks(step)
        .map(|chunk| {
            chunk
                .iter()
                .rev()
                .find_map(|value| value.filter(|value| drawable(*value)))
        })
        .collect();
    let scale = Scale::of(values.iter().flatten().copied(), false);
    let last = values.len().saturating_sub(1).max(1);
    let points: Vec<Option<(f64, f64)>> = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "at most as many as it has units"
            )]
            let share = at as f64 / last as f64;
            value.map(|value| {
                (
                    2.0 + share * (WIDTH - 8.0),
                    28.0 - scale.share(value) * 24.0,
                )
            })
        })
        .collect();
    draw(&sheet, |canvas| {
        for run in points.split(Option::is_none) {
            let run: Vec<(f64, f64)> = run.iter().flatten().copied().collect();
            canvas.path(Role::Line, &run);
        }
        if let Some(end) = points.iter().rev().flatten().next() {
            canvas.dot(Role::Now, *end, 3.5);
        }
    })
}

/// What a share of a meter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareKind {
    /// Judged, and nothing is wrong.
    Normal,
    /// About to rise.
    Pending,
    /// Raised.
    Active,
    /// Not judged yet.
    Learning,
    /// Cannot be judged.
    Blind,
}

/// A share of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Of what kind.
    pub kind: ShareKind,
    /// How many.
    pub count: u64,
}

/// Shares of a whole as one bar, in the order given. `label` is what a screen reader says: the counts in words.
#[must_use]
pub fn meter(shares: &[Share], label: &str) -> String {
    let sheet = Sheet {
        width: METER,
        height: 10.0,
        class: "meter",
        label: Some(label),
        extra: " preserveAspectRatio=\"none\"",
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of devices")]
    let sizes: Vec<(ShareKind, f64)> = shares
        .iter()
        .filter(|share| share.count > 0)
        .map(|share| (share.kind, share.count as f64))
        .collect();
    let total: f64 = sizes.iter().map(|(_, size)| size).sum();
    #[expect(clippy::cast_precision_loss, reason = "a handful of shares")]
    let room = METER - (METER_GAP + SHARE_LEAST) * sizes.len() as f64;
    draw(&sheet, |canvas| {
        let mut x = 0.0;
        for (kind, size) in sizes {
            let role = match kind {
                ShareKind::Normal => Role::ShareNormal,
                ShareKind::Pending => Role::SharePending,
                ShareKind::Active => Role::ShareActive,
                ShareKind::Learning => Role::ShareLearning,
                ShareKind::Blind => Role::ShareBlind,
            };
            let end = x + SHARE_LEAST + size / total * room;
            canvas.rect(role, (x, 0.0), (end, 10.0));
            x = end + METER_GAP;
        }
    })
}

/// A share in percent with its likely range, on 0 to 100 %. `label` is what a screen reader says.
#[must_use]
pub fn whisker(percent: f64, (low, high): (f64, f64), lang: Lang, label: &str) -> String {
    let sheet = Sheet {
        width: 380.0,
        height: 20.0,
        class: "whisk",
        label: Some(label),
        extra: "",
    };
    let (left, right) = (with_unit("0", "%", lang), with_unit("100", "%", lang));
    let (start, end) = (34.0, 380.0 - width(&right, 11.5) - 6.0);
    let place = |percent: f64| start + percent.clamp(0.0, 100.0) / 100.0 * (end - start);
    draw(&sheet, |canvas: &mut Canvas<'_>| {
        canvas.rect(Role::Track, (start, 5.0), (end, 15.0));
        for x in [place(low), place(high)] {
            canvas.path(Role::Line, &[(x, 3.0), (x, 17.0)]);
        }
        canvas.path(Role::Line, &[(place(low), 10.0), (place(high), 10.0)]);
        canvas.dot(Role::Now, (place(percent), 10.0), 5.5);
        canvas.text(Role::Plain, (0.0, 14.0), Anchor::Start, &left);
        canvas.text(Role::Plain, (380.0, 14.0), Anchor::End, &right);
    })
}
