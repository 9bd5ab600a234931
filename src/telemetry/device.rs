//! Which device: `model/serial`, and what it says about itself.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// Longest model name, in bytes.
const MODEL_LIMIT: usize = 32;
/// Longest serial, in bytes.
const SERIAL_LIMIT: usize = 64;

/// One installed device, named `model/serial` everywhere: in code, API, database and recordings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

/// The text does not name a device.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "'{0}' does not name a device; expected model/serial, with a model of [a-z0-9-] (at most 32) and a serial of [A-Za-z0-9._:-] (at most 64)"
)]
pub struct DeviceIdError(String);

impl DeviceId {
    /// Joins a model and a serial.
    ///
    /// # Errors
    /// When either has another form than the native convention allows.
    pub fn new(model: &str, serial: &str) -> Result<Self, DeviceIdError> {
        let model_ok = !model.is_empty()
            && model.len() <= MODEL_LIMIT
            && model
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let serial_ok = !serial.is_empty()
            && serial.len() <= SERIAL_LIMIT
            && serial
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'));
        if model_ok && serial_ok {
            Ok(Self(format!("{model}/{serial}").into()))
        } else {
            Err(DeviceIdError(
                format!("{model}/{serial}").chars().take(120).collect(),
            ))
        }
    }

    /// The model: which profile judges this device.
    #[must_use]
    pub fn model(&self) -> &str {
        self.0.split_once('/').map_or("", |(model, _)| model)
    }

    /// The serial, unique within the model.
    #[must_use]
    pub fn serial(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, serial)| serial)
    }

    /// `model/serial`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Looked up by `model/serial` as it stands in a topic, without making an id first.
impl Borrow<str> for DeviceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        let (model, serial) = text.split_once('/').unwrap_or((text, ""));
        Self::new(model, serial)
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a device (or the registry) says it is: the retained `ident` message of the native convention.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Hardware revision.
    pub hw: Option<SmolStr>,
    /// Firmware version.
    pub fw: Option<SmolStr>,
    /// Date of manufacture, ISO 8601.
    pub made: Option<SmolStr>,
    /// Production batch of the whole device.
    pub batch: Option<SmolStr>,
    /// Lot of each part, by part kind; at most 16.
    pub lots: BTreeMap<SmolStr, SmolStr>,
    /// Date of first use, ISO 8601.
    pub first_use: Option<SmolStr>,
    /// Sales or installation region.
    pub region: Option<SmolStr>,
    /// IANA name of the device's time zone.
    pub tz: Option<SmolStr>,
    /// Kind of place it stands in.
    pub site: Option<SmolStr>,
    /// Serial of the gateway that speaks for it.
    pub via: Option<SmolStr>,
}

impl Identity {
    /// Takes over every field that `newer` names; lots are replaced part by part.
    pub fn merge(&mut self, newer: &Self) {
        let fields = [
            (&mut self.hw, &newer.hw),
            (&mut self.fw, &newer.fw),
            (&mut self.made, &newer.made),
            (&mut self.batch, &newer.batch),
            (&mut self.first_use, &newer.first_use),
            (&mut self.region, &newer.region),
            (&mut self.tz, &newer.tz),
            (&mut self.site, &newer.site),
            (&mut self.via, &newer.via),
        ];
        for (field, newer) in fields {
            if newer.is_some() {
                field.clone_from(newer);
            }
        }
        self.lots.extend(
            newer
                .lots
                .iter()
                .map(|(part, lot)| (part.clone(), lot.clone())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_splits_into_model_and_serial() {
        let id: DeviceId = "ts-flash5/TSF5-000123".parse().expect("a valid id");
        assert_eq!((id.model(), id.serial()), ("ts-flash5", "TSF5-000123"));
    }

    #[test]
    fn an_id_with_a_wrong_part_is_refused() {
        for text in [
            "",
            "ts-flash5",
            "ts-flash5/",
            "TS/1",
            "a/b/c",
            "a/b c",
            "a/\u{7f}",
        ] {
            assert!(text.parse::<DeviceId>().is_err(), "{text:?} was taken");
        }
    }
}
