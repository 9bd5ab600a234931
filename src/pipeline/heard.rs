//! What decode understood, for whoever goes on with it beside detection, so that a message need not be decoded again.
//!
//! Only who asks for it pays: [`Effects::hearing`](super::Effects::hearing) is `None` otherwise. What is heard is moved out, not
//! copied. Keeps: an entry is heard of in journal order, after the entries before it.

use std::sync::Arc;

use crate::profile::Profiles;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Telemetry;
use crate::telemetry::Timestamp;

/// Profiles in force, and the texts that they were compiled from.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// Compiled.
    pub profiles: Arc<Profiles>,
    /// The profile files, as journalled.
    pub texts: Vec<ProfileText>,
    /// The files of words that they share.
    pub words: Vec<ProfileText>,
}

/// What one entry told.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The entry.
    pub position: Position,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it told.
    pub said: Said,
}

/// What an entry can tell.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly everything that is heard are messages; a box would cost each an allocation"
)]
pub enum Said {
    /// A device spoke and was understood.
    Message(Telemetry),
    /// A device was taken out of service.
    Retired(DeviceId),
    /// Other profiles are in force from here on.
    Profiles(Box<InForce>),
}

/// Notes what entries tell.
#[derive(Debug, Default)]
pub struct Hearing {
    position: Position,
    received_at: Timestamp,
    heard: Vec<Heard>,
}

impl Hearing {
    /// With room for what so many entries tell.
    #[must_use]
    pub fn of_entries(entries: usize) -> Self {
        Self {
            heard: Vec::with_capacity(entries),
            ..Self::default()
        }
    }

    /// What was heard, in journal order.
    #[must_use]
    pub fn into_heard(self) -> Vec<Heard> {
        self.heard
    }

    /// From here on this entry speaks.
    pub(super) const fn listen_to(&mut self, entry: &Entry) {
        self.position = entry.position;
        self.received_at = entry.received_at;
    }

    pub(super) fn note(&mut self, said: Said) {
        self.heard.push(Heard {
            position: self.position,
            received_at: self.received_at,
            said,
        });
    }

    pub(super) fn append(&mut self, later: Self) {
        self.heard.extend(later.heard);
    }
}
