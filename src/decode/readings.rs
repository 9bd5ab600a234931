//! Objects of a payload flattened to readings with dotted paths.
//!
//! `{"water":{"out_c":37.8},"zones":[1,2]}` gives `water.out_c`, `zones.0`, `zones.1`. Which path means what is left to the
//! profile.
//!
//! **Invariant:** no path stands twice among the readings of one record; the last one of the wire counts.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::payload::{Node, Object};
use crate::telemetry::{Reading, RejectReason, Rejection};

/// Most elements of one array (native convention, section 3). A longer one is rejected as `invalid_shape`.
pub(super) const ARRAY_LIMIT: usize = 64;
/// Longest path in bytes: several times the longest of any known appliance. A longer one is rejected as `invalid_shape`.
pub(super) const PATH_LIMIT: usize = 128;
/// Up to here comparing each with each is faster than building a map.
const FEW: usize = 24;

/// How far a convention lets values nest.
#[derive(Clone, Copy)]
pub(super) struct Nesting {
    /// Levels of objects below a signal's name.
    depth: usize,
    /// What arrays may hold.
    elements: Elements,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Elements {
    Scalars,
    Anything,
}

impl Nesting {
    /// Native convention, section 3: objects to a depth of 4, arrays of scalars.
    pub(super) const NATIVE: Self = Self {
        depth: 4,
        elements: Elements::Scalars,
    };
    /// Payloads that were not made for us: whatever the payload's own depth limit leaves.
    pub(super) const PLAIN: Self = Self {
        depth: 8,
        elements: Elements::Anything,
    };
}

/// The readings of an object; `prefix` (an event's name) stands in front of each path.
///
/// # Errors
/// `too_deep` and `invalid_shape`, naming the path.
pub(super) fn flatten(
    prefix: Option<&str>,
    object: Object,
    nesting: Nesting,
) -> Result<Vec<Reading>, Rejection> {
    let mut readings = Vec::with_capacity(object.len());
    let mut path = String::new();
    for (name, node) in object {
        match (prefix, node) {
            (None, Node::Scalar(value)) => {
                check_path(&name)?;
                readings.push(Reading { path: name, value });
            }
            (_, node) => {
                path.clear();
                if let Some(prefix) = prefix {
                    path.push_str(prefix);
                    path.push('.');
                }
                if name.is_empty() {
                    return Err(unnamed());
                }
                path.push_str(&name);
                walk(&mut path, node, nesting.depth, nesting, &mut readings)?;
            }
        }
    }
    keep_last(&mut readings);
    Ok(readings)
}

fn walk(
    path: &mut String,
    node: Node,
    depth_left: usize,
    nesting: Nesting,
    readings: &mut Vec<Reading>,
) -> Result<(), Rejection> {
    let length = path.len();
    match node {
        Node::Scalar(value) => {
            check_path(path)?;
            readings.push(Reading {
                path: SmolStr::new(&*path),
                value,
            });
        }
        Node::Object(object) => {
            let depth_left = one_less(path, depth_left)?;
            for (name, node) in object {
                path.push('.');
                path.push_str(&name);
                if name.is_empty() {
                    return Err(unnamed());
                }
                walk(path, node, depth_left, nesting, readings)?;
                path.truncate(length);
            }
        }
        Node::Array(nodes) => {
            if nodes.len() > ARRAY_LIMIT {
                return Err(shape(format!(
                    "{}: an array of {} elements; at most {ARRAY_LIMIT}",
                    brief(path),
                    nodes.len()
                )));
            }
            for (index, node) in nodes.into_iter().enumerate() {
                let nested = !matches!(node, Node::Scalar(_));
                if nested && nesting.elements == Elements::Scalars {
                    return Err(shape(format!(
                        "{}.{index}: {} inside an array; expected a number, a boolean or text",
                        brief(path),
                        node.kind()
                    )));
                }
                let depth_left = if nested {
                    one_less(path, depth_left)?
                } else {
                    depth_left
                };
                path.push('.');
                path.push_str(&index.to_string());
                walk(path, node, depth_left, nesting, readings)?;
                path.truncate(length);
            }
        }
    }
    Ok(())
}

fn one_less(path: &str, depth_left: usize) -> Result<usize, Rejection> {
    depth_left.checked_sub(1).ok_or_else(|| {
        Rejection::new(
            RejectReason::TooDeep,
            format!("{}: nested deeper than allowed", brief(path)),
        )
    })
}

/// Whether a path may name a reading.
///
/// # Errors
/// `invalid_shape`.
pub(super) fn check_path(path: &str) -> Result<(), Rejection> {
    if path.is_empty() {
        return Err(unnamed());
    }
    if path.len() > PATH_LIMIT {
        return Err(shape(format!(
            "the path {} has {} bytes; at most {PATH_LIMIT}",
            brief(path),
            path.len()
        )));
    }
    let plain = path.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !plain && path.chars().any(char::is_control) {
        return Err(shape(format!(
            "the path {} holds a control character",
            brief(path)
        )));
    }
    Ok(())
}

fn unnamed() -> Rejection {
    shape("a value has an empty name; expected the name of a signal".to_owned())
}

fn shape(sentence: String) -> Rejection {
    Rejection::new(RejectReason::InvalidShape, sentence)
}

/// A name for a sentence: quoted, made printable, cut to 60 characters.
pub(super) fn brief(text: &str) -> String {
    let cut: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let dots = if text.chars().nth(60).is_some() {
        "…"
    } else {
        ""
    };
    format!("'{cut}{dots}'")
}

/// Of readings with the same path the last one stays.
pub(super) fn keep_last(readings: &mut Vec<Reading>) {
    if readings.len() <= FEW {
        let mut at = 0;
        while at < readings.len() {
            let (before, rest) = readings.split_at(at + 1);
            let again = before
                .last()
                .is_some_and(|this| rest.iter().any(|later| later.path == this.path));
            if again {
                readings.remove(at);
            } else {
                at += 1;
            }
        }
        return;
    }
    let last: BTreeMap<SmolStr, usize> = readings
        .iter()
        .enumerate()
        .map(|(at, reading)| (reading.path.clone(), at))
        .collect();
    if last.len() < readings.len() {
        let mut at = 0;
        readings.retain(|reading| {
            let keep = last.get(&reading.path) == Some(&at);
            at += 1;
            keep
        });
    }
}
