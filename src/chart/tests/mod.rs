//! Charts as others see them: labels that do not overlap, classes, odd numbers, hostile text.

mod lines;

mod pictures;

use super::*;
use crate::telemetry::{DAY_MS, HOUR_MS};

/// Midnight of 18 January 2026 in Shanghai.
pub(super) const START: Timestamp = Timestamp::from_ms(1_768_665_600_000);
pub(super) const SHANGHAI: [(Timestamp, i32); 1] = [(Timestamp::from_ms(0), 8 * 3600)];

/// Limescale as in the guide: two months, a rise over both limits.
pub(super) fn scale_points() -> Vec<ChartPoint> {
    (0..133)
        .map(|wash| {
            let rise = f64::from((wash - 60).max(0)) * 3.65;
            let noise = f64::from((wash * 37) % 17) - 8.0;
            let at = START + i64::from(wash) * 10 * HOUR_MS + HOUR_MS;
            ChartPoint::single(at, 418.0 + rise + noise)
        })
        .collect()
}

pub(super) fn limits() -> [LimitLine; 2] {
    [
        LimitLine {
            level: Level::Warning,
            value: 543.0,
            relative_pct: Some(30.0),
            bad_above: true,
        },
        LimitLine {
            level: Level::Fault,
            value: 669.0,
            relative_pct: Some(60.0),
            bad_above: true,
        },
    ]
}

pub(super) fn chart(points: &[ChartPoint], lang: Lang) -> LineChart<'_> {
    LineChart {
        lang,
        name: match lang {
            Lang::En => "Heat needed per kelvin",
            Lang::Zh => "每升温 1 K 的热耗",
        },
        unit: "J/K",
        zone: Zone(&SHANGHAI),
        from: START,
        to: START + 58 * DAY_MS,
        points,
        gap_ms: None,
        blind: &[],
        band: None,
        limits: &[],
        held: &[],
        marks: &[],
        from_zero: false,
    }
}

pub(super) const SIZES: [Size; 3] = [Size::Wide, Size::Half, Size::Narrow];
pub(super) const LANGS: [Lang; 2] = [Lang::En, Lang::Zh];

/// An element's attribute.
pub(super) fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = element.find(&format!(" {name}=\""))? + name.len() + 3;
    element[start..].split('"').next()
}

/// The elements of a picture with this name, one a line.
pub(super) fn elements<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name} ");
    svg.lines().filter(|line| line.starts_with(&open)).collect()
}

/// Every text of a chart with the box that it needs at the largest font size that pages use.
pub(super) fn boxes(svg: &str, font: f64) -> Vec<(String, labels::Area)> {
    elements(svg, "text")
        .into_iter()
        .map(|element| {
            let coordinate = |name| -> f64 {
                let text = attribute(element, name).expect("a coordinate");
                text.parse().expect("a number")
            };
            let (x, y) = (coordinate("x"), coordinate("y"));
            let text = element.split_once('>').expect("an end").1;
            let text = text.strip_suffix("</text>").expect("an end").to_owned();
            let wide = labels::width(&text, font);
            let x0 = match attribute(element, "text-anchor") {
                Some("middle") => x - wide / 2.0,
                Some("end") => x - wide,
                _ => x,
            };
            let area = labels::Area {
                x0,
                y0: y - font * 0.8,
                x1: x0 + wide,
                y1: y + font * 0.2,
            };
            (text, area)
        })
        .collect()
}

/// No two labels of a line chart lie on one another, and none leaves the picture.
pub(super) fn assert_labels_are_apart(svg: &str, size: Size) {
    let font = if size == Size::Narrow { 13.0 } else { 14.0 };
    let view = attribute(svg, "viewBox").expect("a view");
    let sides: Vec<f64> = view
        .split(' ')
        .map(|side| side.parse().expect("a number"))
        .collect();
    let boxes = boxes(svg, font);
    for (at, (text, area)) in boxes.iter().enumerate() {
        assert!(
            area.x0 >= -1.0
                && area.y0 >= -1.0
                && area.x1 <= sides[2] + 1.0
                && area.y1 <= sides[3] + 1.0,
            "{text:?} leaves the picture: {area:?}"
        );
        for (other, meets) in &boxes[at + 1..] {
            assert!(!area.meets(meets), "{text:?} lies on {other:?}\n{svg}");
        }
    }
}
