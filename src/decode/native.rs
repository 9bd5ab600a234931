//! The native convention: the fields of `state`, `tele`, `event`, `batch` and `ident`.
//!
//! Reads a payload's tree into what it says, with the device's own times and counters as they stand. Times, duplicates and
//! devices are judged elsewhere.
//!
//! **Invariant:** a record of a batch that cannot be used is refused alone, with its index; anything else that is wrong refuses
//! the message.

use smol_str::SmolStr;

use super::fields::{Stamp, boolean, counter, stamp, text};
use super::ident;
use super::payload::{Node, Object, take};
use super::readings::{Nesting, PATH_LIMIT, brief, flatten};
use super::topic::Kind;
use crate::telemetry::{
    Availability, BadRecord, Identity, Reading, RejectReason, Rejection, Scalar,
};

/// Most records of one batch (native convention, section 1). More are rejected as `too_many_records`.
pub(super) const BATCH_LIMIT: usize = 1_000;

/// What a message says, before times and duplicates are judged.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    /// The empty payload that deletes a retained message: it says nothing.
    Nothing,
    /// Presence.
    State {
        /// What it says.
        availability: Availability,
        /// The device's time.
        at: Option<Stamp>,
        /// The device's record counter.
        seq: Option<u64>,
    },
    /// Identity.
    Ident(Identity),
    /// One record.
    Single(WireRecord),
    /// Back-fill.
    Batch(WireBatch),
}

/// One record as the wire had it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WireRecord {
    /// The device's time; `None` when it gave none.
    pub(super) at: Option<Stamp>,
    /// The device's record counter.
    pub(super) seq: Option<u64>,
    /// The restart counter that stood in the record itself (or in its batch).
    pub(super) boot: Option<u64>,
    /// The occurrence's name.
    pub(super) event: Option<SmolStr>,
    /// The samples.
    pub(super) readings: Vec<Reading>,
}

/// A batch as the wire had it.
#[derive(Debug, PartialEq)]
pub(super) struct WireBatch {
    /// The device's time when it sent the batch.
    pub(super) sent: Option<i64>,
    /// The records that could be read, in the order of the wire; each has a time.
    pub(super) records: Vec<WireRecord>,
    /// The others.
    pub(super) bad: Vec<BadRecord>,
}

/// Reads a payload of one of the five kinds; `device` is `model/serial` of the topic.
///
/// # Errors
/// `invalid_shape`, `too_deep`, `too_many_records`, `identity_mismatch`, with the field.
pub(super) fn read(kind: Kind, device: &str, node: Node) -> Result<Content, Rejection> {
    let mut object = match node {
        Node::Object(object) => object,
        other => {
            return Err(shape(format!(
                "the payload is {}; expected an object such as {}",
                other.kind(),
                example(kind)
            )));
        }
    };
    match kind {
        Kind::State => state(&object),
        Kind::Tele => tele(object).map(Content::Single),
        Kind::Event => event(object).map(Content::Single),
        Kind::Batch => batch(&mut object).map(Content::Batch),
        Kind::Ident => ident::read(device, object).map(Content::Ident),
    }
}

fn state(object: &Object) -> Result<Content, Rejection> {
    let online = boolean(object, "online")?.ok_or_else(|| shape(missing("online", Kind::State)))?;
    Ok(Content::State {
        availability: Availability {
            online,
            fw: text(object, "fw")?,
            boot: counter(object, "boot")?,
        },
        at: stamp(object, "ts")?,
        seq: counter(object, "seq")?,
    })
}

fn tele(mut object: Object) -> Result<WireRecord, Rejection> {
    let mut record = envelope(&object)?;
    record.readings = match take(&mut object, "s") {
        Some(Node::Object(signals)) => flatten(None, signals, Nesting::NATIVE)?,
        Some(other) => return Err(unlike("s", &other, "an object of signals")),
        None => return Err(shape(missing("s", Kind::Tele))),
    };
    Ok(record)
}

fn event(mut object: Object) -> Result<WireRecord, Rejection> {
    let mut record = envelope(&object)?;
    let Some(name) = text(&object, "e")? else {
        return Err(shape(missing("e", Kind::Event)));
    };
    record.readings = occurrence(&name, &mut object)?;
    record.event = Some(name);
    Ok(record)
}

/// The fields of an occurrence, under its name.
fn occurrence(name: &SmolStr, object: &mut Object) -> Result<Vec<Reading>, Rejection> {
    if name.is_empty() || name.len() > PATH_LIMIT || name.chars().any(char::is_control) {
        return Err(shape(format!(
            "e: {} is no name of an event; expected 1 to {PATH_LIMIT} bytes of printable text",
            brief(name)
        )));
    }
    match take(object, "d") {
        Some(Node::Object(fields)) => flatten(Some(name), fields, Nesting::NATIVE),
        None | Some(Node::Scalar(Scalar::Null)) => Ok(Vec::new()),
        Some(other) => Err(unlike("d", &other, "an object of fields")),
    }
}

fn batch(object: &mut Object) -> Result<WireBatch, Rejection> {
    let nodes = match take(object, "recs") {
        Some(Node::Array(nodes)) => nodes,
        Some(other) => return Err(unlike("recs", &other, "an array of records")),
        None => return Err(shape(missing("recs", Kind::Batch))),
    };
    if nodes.len() > BATCH_LIMIT {
        return Err(Rejection::new(
            RejectReason::TooManyRecords,
            format!(
                "recs: {} records; at most {BATCH_LIMIT} in a batch",
                nodes.len()
            ),
        ));
    }
    let boot = counter(object, "boot")?;
    let mut batch = WireBatch {
        sent: stamp(object, "sent")?.and_then(Stamp::ms),
        records: Vec::with_capacity(nodes.len()),
        bad: Vec::new(),
    };
    for (index, node) in (0..).zip(nodes) {
        match batch_record(node) {
            Ok(mut record) => {
                record.boot = record.boot.or(boot);
                batch.records.push(record);
            }
            Err(mut rejection) => {
                rejection.detail = format!("recs[{index}]: {}", rejection.detail);
                batch.bad.push(BadRecord { index, rejection });
            }
        }
    }
    Ok(batch)
}

fn batch_record(node: Node) -> Result<WireRecord, Rejection> {
    let mut object = match node {
        Node::Object(object) => object,
        other => return Err(shape(format!("{}; expected an object", other.kind()))),
    };
    let mut record = envelope(&object)?;
    if record.at.is_none() {
        return Err(Rejection::new(
            RejectReason::NoTime,
            "ts is missing; a record of a batch needs its own time, in seconds since 1970",
        ));
    }
    record.event = text(&object, "e")?;
    let signals = take(&mut object, "s");
    if record.event.is_none() && signals.is_none() {
        return Err(shape(
            "neither s nor e; expected signals ({\"ts\":…,\"s\":{…}}) or an event ({\"ts\":…,\"e\":…})".to_owned(),
        ));
    }
    record.readings = match signals {
        Some(Node::Object(signals)) => flatten(None, signals, Nesting::NATIVE)?,
        Some(other) => return Err(unlike("s", &other, "an object of signals")),
        None => Vec::new(),
    };
    if let Some(name) = record.event.clone() {
        record.readings.append(&mut occurrence(&name, &mut object)?);
    }
    Ok(record)
}

/// The common fields.
fn envelope(object: &Object) -> Result<WireRecord, Rejection> {
    Ok(WireRecord {
        at: stamp(object, "ts")?,
        seq: counter(object, "seq")?,
        boot: counter(object, "boot")?,
        event: None,
        readings: Vec::new(),
    })
}

fn missing(field: &str, kind: Kind) -> String {
    format!("{field} is missing; expected such as {}", example(kind))
}

fn unlike(field: &str, node: &Node, expected: &str) -> Rejection {
    shape(format!("{field} is {}; expected {expected}", node.kind()))
}

fn shape(sentence: String) -> Rejection {
    Rejection::new(RejectReason::InvalidShape, sentence)
}

const fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::State => r#"{"online":true}"#,
        Kind::Tele => r#"{"ts":1760000000,"s":{"water.out_c":37.8}}"#,
        Kind::Event => r#"{"ts":1760000000,"e":"session_end","d":{"duration_s":128}}"#,
        Kind::Batch => r#"{"sent":1760086400,"recs":[{"ts":1760000000,"s":{}}]}"#,
        Kind::Ident => r#"{"serial":"TSF5-000123","model":"model-a"}"#,
    }
}
