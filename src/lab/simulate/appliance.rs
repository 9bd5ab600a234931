//! The frame of an appliance in the fleet, and what it hands out.

use bytes::Bytes;
use smol_str::SmolStr;

use super::failure::Ailments;
use super::link::Link;
use crate::telemetry::DeviceId;
use crate::telemetry::RawMessage;
use crate::telemetry::Timestamp;

/// One MQTT message of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// When it reaches us.
    pub at: Timestamp,
    /// Whose it is: the index of the device in the fleet.
    pub device: usize,
    /// The MQTT topic.
    pub topic: SmolStr,
    /// The payload.
    pub payload: Bytes,
    /// To be published with the retain flag.
    pub retain: bool,
    /// Quality of service to be published with.
    pub qos: u8,
}

impl Published {
    /// The message as intake would have taken it live over this source: not a retained copy, whatever its flag asks of a broker.
    #[must_use]
    pub fn into_message(self, source: &str) -> RawMessage {
        RawMessage {
            source: source.into(),
            topic: self.topic,
            payload: self.payload,
            qos: self.qos,
            dup: false,
            retained: false,
            queued: false,
            content_type: None,
            oversize: None,
        }
    }
}

/// What makes a device a trial for those who listen to it, besides failing parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// None; a short loss of the link now and then, as everywhere.
    Ordinary,
    /// Loses its link for hours to days and sends what it kept afterwards.
    BadLink,
    /// Its clock is wrong, steadily.
    WrongClock,
    /// Its clock jumps and is set right again.
    ClockJumps,
    /// Sends a message twice more often than others.
    Repeats,
    /// Now and then sends what nobody can read.
    Malformed,
}

/// A device as the fleet knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedDevice {
    /// Model and serial.
    pub id: DeviceId,
    /// Topic of its last will.
    pub will_topic: SmolStr,
    /// Payload of its last will; it is retained, quality of service 1.
    pub will_payload: Bytes,
    /// IANA name of its time zone.
    pub tz: &'static str,
    /// How it tries its listeners.
    pub quirk: Quirk,
    /// What fails when, as planned and injected; what was repaired is not among them any more.
    pub failures: Vec<super::PlannedFailure>,
}

/// An appliance that lives from moment to moment.
///
/// The fleet calls [`Self::live`] whenever the next moment of all the fleet is this one's, and takes what the link has to send.
pub(super) trait Appliance: Send {
    /// How it speaks.
    fn link(&self) -> &Link;

    /// How it speaks.
    fn link_mut(&mut self) -> &mut Link;

    /// When something happens to it next, by true time. Rises from call to call of [`Self::live`].
    fn next_moment(&self) -> Timestamp;

    /// Lives through its next moment, and tells the link what it would say.
    fn live(&mut self);

    /// What fails in it.
    fn ailments_mut(&mut self) -> &mut Ailments;

    /// Whether such a failure is one of its own.
    fn can_have(&self, kind: super::FailureKind) -> bool;

    /// Somebody uses it at this time, whatever the habits say; not while it is in use or without power.
    fn use_at(&mut self, at: Timestamp);
}
