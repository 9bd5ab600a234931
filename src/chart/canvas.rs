//! Drawing with plotters' SVG backend, and making its text fit a page.
//!
//! The backend has whole pixels, so everything is drawn ten times as large and divided again: coordinates with one decimal. It
//! writes attributes; each element gets the class of its colour's role beside them. Text sizes and fonts are left to the style
//! sheet. Invariant: every text and attribute is escaped here or by the backend; control characters never reach the picture.

use std::fmt::Write as _;

use plotters::prelude::{DrawingBackend, IntoFont as _, IntoTextStyle as _, RGBAColor, SVGBackend};
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::role::{Role, of_colour};

/// Drawn so many times as large as shown.
const FINE: f64 = 10.0;
/// No coordinate lies further out; charts are some hundred units wide.
const FAR: f64 = 100_000.0;
/// Font size for readers without a style sheet, user units; the style sheet's own is the same.
const FONT_SIZE: &str = "11.5";

/// On which side of its point a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The opening tag of a picture.
pub(super) struct Sheet<'a> {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Class of the `svg` element; empty for none.
    pub(super) class: &'a str,
    /// What a screen reader says; `None` hides the picture from it, since the number stands beside it.
    pub(super) label: Option<&'a str>,
    /// Further attributes, written by this module's callers and never from data.
    pub(super) extra: &'static str,
}

/// What is drawn on.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws a picture.
pub(super) fn draw(sheet: &Sheet<'_>, paint: impl FnOnce(&mut Canvas<'_>)) -> String {
    let mut raw = String::new();
    let size = (pixel(sheet.width), pixel(sheet.height));
    let mut canvas = Canvas {
        backend: SVGBackend::with_string(&mut raw, (size.0.unsigned_abs(), size.1.unsigned_abs())),
    };
    paint(&mut canvas);
    // Writing into a String cannot fail.
    canvas.backend.present().ok();
    drop(canvas);
    classed(sheet, &raw)
}

fn pixel(value: f64) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped far inside of i32; a cast of NaN gives 0"
    )]
    let whole = (value.clamp(-FAR, FAR) * FINE).round() as i32;
    whole
}

fn at((x, y): (f64, f64)) -> (i32, i32) {
    (pixel(x), pixel(y))
}

fn style(role: Role, filled: bool, width: f64) -> ShapeStyle {
    let look = role.look();
    let (r, g, b) = look.rgb;
    ShapeStyle {
        color: RGBAColor(r, g, b, look.alpha),
        filled,
        stroke_width: pixel(width).unsigned_abs(),
    }
}

impl Canvas<'_> {
    /// A filled rectangle, from its upper left to its lower right corner.
    pub(super) fn rect(&mut self, role: Role, from: (f64, f64), to: (f64, f64)) {
        let style = style(role, true, 0.0);
        self.backend.draw_rect(at(from), at(to), &style, true).ok();
    }

    /// A line through points; a single point becomes a short stroke.
    pub(super) fn path(&mut self, role: Role, points: &[(f64, f64)]) {
        let width = if role == Role::Line { 2.0 } else { 1.5 };
        let style = style(role, false, width);
        match points {
            [] => {}
            [(x, y)] => {
                let ends = [at((x - 1.0, *y)), at((x + 1.0, *y))];
                self.backend.draw_path(ends, &style).ok();
            }
            many => {
                let points: Vec<(i32, i32)> = many.iter().map(|point| at(*point)).collect();
                self.backend.draw_path(points, &style).ok();
            }
        }
    }

    /// A straight line.
    pub(super) fn stroke(&mut self, role: Role, from: (f64, f64), to: (f64, f64)) {
        let width = if role == Role::Grid { 1.0 } else { 1.5 };
        let style = style(role, false, width);
        self.backend.draw_line(at(from), at(to), &style).ok();
    }

    /// A filled outline.
    pub(super) fn area(&mut self, role: Role, points: &[(f64, f64)]) {
        let points: Vec<(i32, i32)> = points.iter().map(|point| at(*point)).collect();
        let style = style(role, true, 0.0);
        self.backend.fill_polygon(points, &style).ok();
    }

    /// A filled dot.
    pub(super) fn dot(&mut self, role: Role, center: (f64, f64), radius: f64) {
        let style = style(role, true, 0.0);
        let radius = pixel(radius).unsigned_abs();
        self.backend
            .draw_circle(at(center), radius, &style, true)
            .ok();
    }

    /// A text whose baseline is at `y`.
    pub(super) fn text(&mut self, role: Role, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (red, green, blue) = role.look().rgb;
        let side = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = ("sans-serif", 10)
            .into_font()
            .color(&RGBAColor(red, green, blue, 1.0))
            .pos(Pos::new(side, VPos::Bottom))
            .into_text_style(&(0, 0));
        self.backend
            .draw_text(&printable(text), &style, at((x, y)))
            .ok();
    }
}

/// Without control characters, line breaks among them: the backend's lines stay lines.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// The backend's text with classes, shown size and our own opening tag.
fn classed(sheet: &Sheet<'_>, raw: &str) -> String {
    let mut out = opening(sheet);
    let mut in_text = false;
    for line in raw.lines() {
        if in_text {
            out.push_str(line);
            in_text = false;
        } else if let Some(tag) = line.strip_prefix('<') {
            if tag.starts_with("svg") {
                continue;
            }
            if tag.starts_with('/') {
                out.push_str(line);
                out.push('\n');
            } else {
                in_text = tag.starts_with("text");
                element(&mut out, tag);
            }
        }
    }
    out
}

fn opening(sheet: &Sheet<'_>) -> String {
    let mut out = String::from("<svg");
    if !sheet.class.is_empty() {
        attribute(&mut out, "class", sheet.class);
    }
    let view = format!("0 0 {} {}", decimal(sheet.width), decimal(sheet.height));
    attribute(&mut out, "viewBox", &view);
    match sheet.label {
        Some(label) => {
            out.push_str(" role=\"img\"");
            attribute(&mut out, "aria-label", &escaped(&printable(label)));
        }
        None => out.push_str(" aria-hidden=\"true\""),
    }
    out.push_str(sheet.extra);
    out.push_str(">\n");
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn attribute(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    write!(out, " {name}=\"{value}\"").ok();
}

/// One element of the backend: `rect x="460" … fill="#D3E6DF" stroke="none"/>`.
fn element(out: &mut String, tag: &str) {
    let name_end = tag.find([' ', '/', '>']).unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at(name_end);
    let mut attributes: Vec<(&str, &str)> = Vec::new();
    // Values are escaped: a quotation mark always ends one.
    while let Some((key, after)) = rest.trim_start().split_once("=\"") {
        let Some((value, after)) = after.split_once('"') else {
            break;
        };
        attributes.push((key, value));
        rest = after;
    }
    let look = attributes
        .iter()
        .filter(|(key, _)| matches!(*key, "fill" | "stroke"))
        .find_map(|(_, value)| of_colour(value));
    out.push('<');
    out.push_str(name);
    if let Some(look) = look
        && !look.class.is_empty()
    {
        attribute(out, "class", look.class);
    }
    for (key, value) in attributes {
        match key {
            // Sizes and fonts are the style sheet's; the baseline stands at y.
            "dy" | "font-family" => {}
            "font-size" => attribute(out, key, FONT_SIZE),
            "opacity" if value == "1" => {}
            "text-anchor" if value == "start" => {}
            "stroke" | "fill" if value == "none" && name != "polyline" => {}
            "stroke-width" if value == "0" => {}
            "x" | "y" | "width" | "height" | "x1" | "y1" | "x2" | "y2" | "cx" | "cy" | "r"
            | "stroke-width" => {
                attribute(out, key, &shrunk(value));
            }
            "points" => attribute(out, key, &shrunk_points(value)),
            _ => attribute(out, key, value),
        }
    }
    if let Some(look) = look {
        out.push_str(look.extra);
    }
    out.push_str(if name == "text" { ">" } else { "/>\n" });
}

/// A whole number of the backend, as shown.
fn shrunk(value: &str) -> String {
    value
        .parse()
        .map_or_else(|_| "0".to_owned(), |value: f64| decimal(value / FINE))
}

fn shrunk_points(points: &str) -> String {
    let mut out = String::with_capacity(points.len());
    let mut last = "";
    for pair in points.split_whitespace() {
        if pair == last {
            continue;
        }
        last = pair;
        if let Some((x, y)) = pair.split_once(',') {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&shrunk(x));
            out.push(',');
            out.push_str(&shrunk(y));
        }
    }
    out
}

/// With one decimal, or none.
fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0" } else { text }.to_owned()
}
