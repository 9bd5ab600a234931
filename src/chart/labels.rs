//! Where the texts of a chart stand: each has places in order of preference, and takes the first that is free.
//!
//! The width of a text is estimated, generously: the fonts of a page are not known here. Invariant: two labels never lie on one
//! another and none leaves the picture; a label without a free place is left out (the table below the chart has its number).

use super::canvas::{Anchor, Canvas};
use super::role::Role;

/// Height of a line over its font size.
const LINE_HEIGHT: f64 = 1.2;
/// Free space between two labels, user units.
const AIR: f64 = 1.5;

/// Free space above and below a label of several lines.
const BLOCK_AIR: f64 = 5.0;

/// A rectangle, upper left to lower right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

impl Area {
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.x0 < other.x1 && other.x0 < self.x1 && self.y0 < other.y1 && other.y0 < self.y1
    }

    fn inside(&self, other: &Self) -> bool {
        self.x0 >= other.x0 && self.x1 <= other.x1 && self.y0 >= other.y0 && self.y1 <= other.y1
    }
}

/// A place for a label: its point and the side of the point on which it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) anchor: Anchor,
}

impl Place {
    pub(super) const fn new(x: f64, y: f64, anchor: Anchor) -> Self {
        Self { x, y, anchor }
    }
}

/// A line of a label.
pub(super) type Words<'a> = (Role, &'a str);

/// The labels of one picture.
pub(super) struct Labels {
    font: f64,
    picture: Area,
    taken: Vec<Area>,
    placed: Vec<(Role, Place, String)>,
}

impl Labels {
    /// For a picture of this size and texts of at most this font size, user units.
    pub(super) fn new(width: f64, height: f64, font: f64) -> Self {
        Self {
            font,
            picture: Area {
                x0: 0.0,
                y0: 0.0,
                x1: width,
                y1: height,
            },
            taken: Vec::new(),
            placed: Vec::new(),
        }
    }

    /// How wide a text is at most.
    pub(super) fn width(&self, text: &str) -> f64 {
        width(text, self.font)
    }

    /// Distance of the lines of one label.
    pub(super) fn line(&self) -> f64 {
        self.font * LINE_HEIGHT
    }

    /// The area of a label of one or more lines, its first baseline at the place.
    fn area(&self, lines: &[Words<'_>], place: Place) -> Area {
        let width = lines
            .iter()
            .map(|(_, text)| self.width(text))
            .fold(0.0, f64::max);
        let left = match place.anchor {
            Anchor::Start => place.x,
            Anchor::Middle => place.x - width / 2.0,
            Anchor::End => place.x - width,
        };
        let mut below = 0.0;
        for _ in lines.iter().skip(1) {
            below += self.line();
        }
        Area {
            x0: left,
            y0: place.y - self.font * 0.85,
            x1: left + width,
            y1: place.y + below + self.font * 0.28,
        }
    }

    /// Places a label at the first of these places that is free and that `fits` likes; tells whether there was one.
    pub(super) fn place(
        &mut self,
        lines: &[Words<'_>],
        places: &[Place],
        fits: impl Fn(&Area) -> bool,
    ) -> bool {
        if lines.iter().all(|(_, text)| text.is_empty()) {
            return false;
        }
        for place in places {
            let area = self.area(lines, *place);
            let free = self.taken.iter().all(|taken| !taken.meets(&area));
            if !free || !area.inside(&self.picture) || !fits(&area) {
                continue;
            }
            // Labels of several lines stand apart, so that their lines are not read together.
            let above = if lines.len() > 1 { BLOCK_AIR } else { 0.0 };
            self.taken.push(Area {
                x0: area.x0 - AIR,
                x1: area.x1 + AIR,
                y0: area.y0 - above,
                y1: area.y1 + above,
            });
            let mut y = place.y;
            for (role, text) in lines {
                self.placed
                    .push((*role, Place { y, ..*place }, (*text).to_owned()));
                y += self.line();
            }
            return true;
        }
        false
    }

    /// Writes them all.
    pub(super) fn write(&self, canvas: &mut Canvas<'_>) {
        for (role, place, text) in &self.placed {
            canvas.text(*role, (place.x, place.y), place.anchor, text);
        }
    }
}

/// A generous estimate of a text's width: Chinese letters are square, Latin ones between a third and the whole of it.
pub(super) fn width(text: &str, font: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|letter| match letter {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '(' | ')'
            | '[' | ']' | ' ' | '\u{a0}' | '/' => 0.36,
            'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' => 0.92,
            'A'..='Z' => 0.72,
            letter if letter < '\u{2e80}' => 0.6,
            _ => 1.02,
        })
        .sum();
    ems * font
}
