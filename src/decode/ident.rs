//! The `ident` message: what a device says it is.
//!
//! **Invariant:** an identity is taken only when its serial and model are those of the topic.

use smol_str::SmolStr;

use super::fields::{TEXT_LIMIT, short_text, text, unlike};
use super::payload::{Node, Object, take};
use super::readings::brief;
use crate::telemetry::{DeviceId, Identity, RejectReason, Rejection, Scalar};

/// Most lots of parts (native convention, section 3). More are rejected as `invalid_shape`.
pub(super) const LOTS_LIMIT: usize = 16;

/// Reads an identity; `device` is `model/serial` of the topic.
///
/// # Errors
/// `identity_mismatch`, `invalid_shape`.
pub(super) fn read(device: &str, mut object: Object) -> Result<Identity, Rejection> {
    let (model, serial) = device.split_once('/').unwrap_or((device, ""));
    same(&object, "serial", serial)?;
    same(&object, "model", model)?;
    let lots = take(&mut object, "lots");
    let mut identity = Identity {
        hw: text(&object, "hw")?,
        fw: text(&object, "fw")?,
        made: date(&object, "made")?,
        batch: text(&object, "batch")?,
        first_use: date(&object, "first_use")?,
        region: text(&object, "region")?,
        tz: text(&object, "tz")?,
        site: text(&object, "site")?,
        via: text(&object, "via")?,
        ..Identity::default()
    };
    if let Some(via) = &identity.via
        && DeviceId::new("gateway", via).is_err()
    {
        return Err(shape(format!(
            "via is {}; expected the serial of a gateway",
            brief(via)
        )));
    }
    match lots {
        None | Some(Node::Scalar(Scalar::Null)) => {}
        Some(Node::Object(lots)) => {
            for (part, lot) in &lots {
                let name = format!("lots.{}", part.chars().take(40).collect::<String>());
                if part.is_empty() || part.len() > TEXT_LIMIT {
                    return Err(shape(format!(
                        "lots: {} is no name of a part; expected 1 to {TEXT_LIMIT} bytes",
                        brief(part)
                    )));
                }
                if let Some(lot) = short_text(&name, lot)? {
                    identity.lots.insert(part.clone(), lot);
                }
                if identity.lots.len() > LOTS_LIMIT {
                    return Err(shape(format!(
                        "lots has {} entries; at most {LOTS_LIMIT}",
                        lots.len()
                    )));
                }
            }
        }
        Some(other) => return Err(unlike("lots", &other, "an object of part and lot")),
    }
    Ok(identity)
}

fn same(object: &Object, field: &str, expected: &str) -> Result<(), Rejection> {
    match text(object, field)? {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(Rejection::new(
            RejectReason::IdentityMismatch,
            format!(
                "{field} is {}, but the topic says {}",
                brief(&found),
                brief(expected)
            ),
        )),
        None => Err(shape(format!(
            "{field} is missing; expected {} as in the topic",
            brief(expected)
        ))),
    }
}

/// An ISO 8601 calendar date: a year, a month, a day, or a day with a time.
fn date(object: &Object, field: &str) -> Result<Option<SmolStr>, Rejection> {
    let Some(found) = text(object, field)? else {
        return Ok(None);
    };
    let day = found.split(['T', ' ']).next().unwrap_or_default();
    // A year or a month alone is a date to begin with.
    let whole = match day.len() {
        4 => format!("{day}-01-01"),
        7 => format!("{day}-01"),
        _ => day.to_owned(),
    };
    if chrono::NaiveDate::parse_from_str(&whole, "%Y-%m-%d").is_ok() {
        Ok(Some(found))
    } else {
        Err(shape(format!(
            "{field} is {}; expected an ISO 8601 date such as 2026-01-14",
            brief(&found)
        )))
    }
}

fn shape(sentence: String) -> Rejection {
    Rejection::new(RejectReason::InvalidShape, sentence)
}
