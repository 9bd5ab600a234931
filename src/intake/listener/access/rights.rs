//! What a user may publish: everything, the native topics of single devices, MQTT topic filters.
//!
//! A native topic has exactly five levels. Deeper ones below `appl/v1` are nobody's but those who may publish everything: decode
//! takes the last five levels of a topic, so that `appl/v1/MODEL/SERIAL/appl/v1/…` would speak for another device.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

use super::super::super::filter;
use crate::telemetry::DeviceId;

/// The beginning of every native topic.
const NATIVE: &str = "appl/v1/";
/// Levels of a native topic: `appl/v1/MODEL/SERIAL/KIND`.
const NATIVE_LEVELS: usize = 5;
/// Says that a text is a topic filter, where it looks like a device.
const FILTER_PREFIX: &str = "topic:";

/// One thing that a user may publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `*`: every topic.
    Everything,
    /// `MODEL/SERIAL`: the native topics of one device.
    Device(DeviceId),
    /// The topics that a filter matches; written `topic:FILTER` where it looks like a device.
    Topics(SmolStr),
}

/// The text says nothing that one may publish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is nothing that one may publish; write MODEL/SERIAL for one device, an MQTT topic filter such as shop/+/status, or * for everything"
)]
pub struct WhatError(String);

impl FromStr for What {
    type Err = WhatError;

    fn from_str(text: &str) -> Result<Self, WhatError> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        if let Ok(device) = text.parse() {
            return Ok(Self::Device(device));
        }
        let topics = text.strip_prefix(FILTER_PREFIX).unwrap_or(text);
        // A shared subscription is a way to receive, and one line of the file is divided by white space.
        let usable = filter::is_valid(topics)
            && !topics.starts_with("$share/")
            && !topics.contains(|c: char| c.is_whitespace() || c.is_control());
        if !usable {
            return Err(WhatError(text.chars().take(120).collect()));
        }
        Ok(Self::Topics(topics.into()))
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => out.write_str("*"),
            Self::Device(device) => out.write_str(device.as_str()),
            // Without the prefix it would be read back as something else.
            Self::Topics(topics)
                if topics.parse::<DeviceId>().is_ok() || topics.starts_with(FILTER_PREFIX) =>
            {
                write!(out, "{FILTER_PREFIX}{topics}")
            }
            Self::Topics(topics) => out.write_str(topics),
        }
    }
}

/// All that one user may publish, ready to be asked for each message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    everything: bool,
    devices: BTreeSet<DeviceId>,
    filters: Vec<SmolStr>,
}

impl Rights {
    pub(super) fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    pub(super) fn of(all: &[What]) -> Self {
        let mut rights = Self::default();
        for what in all {
            match what {
                What::Everything => rights.everything = true,
                What::Device(device) => drop(rights.devices.insert(device.clone())),
                What::Topics(topics) => rights.filters.push(topics.clone()),
            }
        }
        rights
    }

    /// The rights of a device that a certificate names: `MODEL/SERIAL`, or a serial of any model. `None`: it names none.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        if let Ok(device) = name.parse() {
            return Some(Self::of(&[What::Device(device)]));
        }
        // A serial has the same form whatever the model.
        DeviceId::new("any", name).ok()?;
        let topics = format!("{NATIVE}+/{name}/+");
        Some(Self::of(&[What::Topics(topics.into())]))
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn allow(&self, topic: &str) -> bool {
        if topic.is_empty() {
            return false;
        }
        if self.everything {
            return true;
        }
        if let Some(rest) = topic.strip_prefix(NATIVE) {
            if topic.split('/').count() != NATIVE_LEVELS {
                return false;
            }
            if let Some((device, _kind)) = rest.rsplit_once('/')
                && self.devices.contains(device)
            {
                return true;
            }
        }
        self.filters
            .iter()
            .any(|topics| filter::covers(topics, topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(all: &[&str]) -> Rights {
        let all: Vec<What> = all
            .iter()
            .map(|what| what.parse().expect("right"))
            .collect();
        Rights::of(&all)
    }

    #[test]
    fn a_device_speaks_for_itself_alone() {
        let rights = rights(&["ts-flash5/TSF5-MADEUP-07", "tb-iq9/TBQ9-MADEUP-03"]);
        assert!(rights.allow("appl/v1/ts-flash5/TSF5-MADEUP-07/tele"));
        assert!(rights.allow("appl/v1/tb-iq9/TBQ9-MADEUP-03/state"));
        for other in [
            "appl/v1/ts-flash5/TSF5-MADEUP-08/tele",
            "appl/v1/ts-flash5/TSF5-MADEUP-07",
            "appl/v1/ts-flash5/TSF5-MADEUP-07/tele/x",
            "appl/v1/ts-flash5/TSF5-MADEUP-07/appl/v1/ts-flash5/TSF5-MADEUP-08/tele",
            "x/appl/v1/ts-flash5/TSF5-MADEUP-07/tele",
            "appl/v1/tb-iq9/TSF5-MADEUP-07/tele",
            "$SYS/x",
            "",
        ] {
            assert!(!rights.allow(other), "{other} was allowed");
        }
    }

    #[test]
    fn filters_are_those_of_mqtt_and_name_no_second_device() {
        let rights = rights(&["shop/+/status", "appl/v1/ts-flash5/#", "topic:shop/hall"]);
        assert!(rights.allow("shop/7/status"));
        assert!(rights.allow("shop/hall"));
        assert!(rights.allow("appl/v1/ts-flash5/TSF5-MADEUP-07/tele"));
        assert!(!rights.allow("shop/7/status/x"));
        assert!(!rights.allow("appl/v1/tb-iq9/TBQ9-MADEUP-03/tele"));
        assert!(!rights.allow("appl/v1/ts-flash5/appl/v1/tb-iq9/TBQ9-MADEUP-03/tele"));
    }

    #[test]
    fn a_certificate_names_a_device_by_its_serial_or_with_its_model() {
        let serial = Rights::of_name("TSF5-MADEUP-07").expect("a serial");
        assert!(serial.allow("appl/v1/ts-flash5/TSF5-MADEUP-07/tele"));
        assert!(!serial.allow("appl/v1/ts-flash5/TSF5-MADEUP-08/tele"));
        assert!(!serial.allow("appl/v1/ts-flash5/TSF5-MADEUP-07/x/tele"));
        let both = Rights::of_name("ts-flash5/TSF5-MADEUP-07").expect("a device");
        assert!(both.allow("appl/v1/ts-flash5/TSF5-MADEUP-07/tele"));
        assert!(!both.allow("appl/v1/tb-iq9/TSF5-MADEUP-07/tele"));
        for stranger in ["", "+", "#", "a b", "a/b/c", "a/+"] {
            assert!(Rights::of_name(stranger).is_none(), "{stranger}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "*",
            "ts-flash5/TSF5-MADEUP-07",
            "shop/+/status",
            "topic:shop/hall",
            "#",
        ] {
            let what: What = text.parse().expect("right");
            assert_eq!(what.to_string(), text);
        }
        for bad in ["", "a b", "a/#/b", "$share/a/b", "topic:", "a\tb", "**x#"] {
            assert!(bad.parse::<What>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn nothing_allows_nothing() {
        assert!(rights(&[]).is_nothing());
        assert!(!rights(&[]).allow("a"));
        assert!(Rights::everything().allow("$SYS/x"));
        assert!(!Rights::everything().allow(""));
    }
}
