//! The line chart: one signal over time with its limits, its own normal, when a condition held, and what happened.
//!
//! `trace` makes the line, `captions` its labels, `story` the sentence for those who cannot see it. Order of drawing: held
//! shading, normal band, grid, axis, limits, markers, signal, last point, texts.

mod captions;

mod layout;

mod story;

mod trace;

use super::canvas::{Canvas, Sheet, draw};
use super::role::Role;
use super::{Level, LimitLine, LineChart, Size};

use layout::Layout;
use trace::Trace;

pub use story::story;

/// The chart as an `svg` element, with its story as the label.
#[must_use]
pub fn line(chart: &LineChart<'_>, size: Size) -> String {
    let layout = Layout::new(chart, size);
    let trace = Trace::new(chart, &layout);
    let labels = captions::place(chart, &layout, &trace);
    let told = story(chart);
    let sheet = Sheet {
        width: layout.width,
        height: layout.height,
        class: match size {
            Size::Wide | Size::Half => "wide",
            Size::Narrow => "narrow",
        },
        label: Some(&told),
        extra: "",
    };
    draw(&sheet, |canvas| {
        ground(canvas, chart, &layout);
        for line in chart.limits.iter().filter(|line| drawn(line)) {
            let role = match line.level {
                Level::Warning => Role::Warn,
                Level::Fault => Role::Limit,
            };
            let y = layout.y(line.value);
            canvas.path(role, &[(layout.left, y), (layout.right, y)]);
        }
        for (at, mark) in layout.marks.iter().enumerate() {
            let top = layout.mark_top(at);
            canvas.path(Role::Mark, &[(mark.x, top), (mark.x, layout.bottom)]);
        }
        for outline in &trace.ranges {
            canvas.area(Role::Range, outline);
        }
        for run in &trace.runs {
            canvas.path(Role::Line, run);
        }
        if let Some(end) = trace.last {
            canvas.dot(Role::Now, end, 5.0);
        }
        labels.write(canvas);
    })
}

/// It has a place on the axis.
fn drawn(line: &LimitLine) -> bool {
    super::scale::drawable(line.value)
}

/// Shading, band, grid and axis.
fn ground(canvas: &mut Canvas<'_>, chart: &LineChart<'_>, layout: &Layout) {
    let (top, bottom) = (layout.top, layout.bottom);
    let held = layout.held(chart);
    for (level, role) in [
        (Level::Warning, Role::Held),
        (Level::Fault, Role::HeldFault),
    ] {
        for (_, from, to) in held.iter().filter(|(of, ..)| *of == level) {
            canvas.rect(role, (*from, top), (*to, bottom));
        }
    }
    if let Some((low, high)) = chart.band {
        let (upper, lower) = (layout.y(high), layout.y(low));
        canvas.rect(
            Role::Band,
            (layout.left, upper),
            (layout.right, lower.max(upper + 1.0)),
        );
    }
    for tick in &layout.scale.ticks {
        let y = layout.y(*tick);
        canvas.path(Role::Grid, &[(layout.left, y), (layout.right, y)]);
    }
    canvas.path(Role::Axis, &[(layout.left, bottom), (layout.right, bottom)]);
    for (x, _) in &layout.times {
        canvas.path(Role::Axis, &[(*x, bottom), (*x, bottom + 4.0)]);
    }
    for (_, from, to) in &held {
        canvas.path(Role::Mark, &[(*from, top + 0.5), (*to, top + 0.5)]);
    }
}
