//! Understanding messages: a topic and a payload become telemetry, a rejection with its reason, or a repetition.
//!
//! Decode knows *envelopes*, not appliances: where a convention puts device, time, counter, path and value. What a path means is
//! the profile's, what follows from it detection's. Pure: the time of receipt comes in, and nothing is read from anywhere.
//!
//! | limit | is | over it |
//! |---|---|---|
//! | payload | 256 KiB | `too_large` |
//! | nesting of a payload; of a signal's value | 16; 4 (plain payloads 8) | `too_deep` |
//! | records of a batch | 1,000 | `too_many_records` |
//! | elements of an array | 64 | `invalid_shape` |
//! | path, event name, text of `ident` and `state` | 128 bytes | `invalid_shape` |
//! | lots of an `ident` | 16 | `invalid_shape` |
//! | new devices a second | 100 | `unknown_device`, can be replayed |
//! | devices | 2,000,000 | `unknown_device` |
//! | ranges of counters per boot, boots per device | 8, 2 | the oldest are forgotten; what they held counts as new |
//! | hashes per source | 4,096 in an hour | the oldest are forgotten |
//! | restarts remembered per device | 4 | the oldest is forgotten |
//!
//! An empty payload on `state` or `ident` is how MQTT deletes a retained message: it is accepted and says nothing, neither
//! presence nor identity, since a deletion by an administrator does not mean that the device is off the air.
//!
//! **Invariant:** every message gives exactly one [`Decoded`], whatever its bytes; a message that is rejected or a repetition
//! changes nothing that a later one is judged by.

mod topic;

mod payload;

mod fields;

mod readings;

mod native;

mod quick;

mod ident;

mod plain;

mod clock;

mod duplicates;

mod devices;

mod records;

mod snapshot;

mod understand;

mod ahead;

#[cfg(test)]
mod tests;

use crate::profile::Profiles;
use crate::telemetry::{
    Control, DAY_MS, DeviceAction, DeviceId, MINUTE_MS, RawMessage, RejectReason, Rejection,
    Settings, Telemetry, Timestamp,
};

pub use ahead::{PayloadReader, ReadPayload};
pub use clock::ClockView;
use clock::Window;
use devices::Devices;
use duplicates::Recent;
use native::Content;
use quick::Names;
use records::Arrival;
pub use snapshot::RestoreError;
use topic::{Kind, Route};
pub use understand::{
    Context, Hint, HintName, Understanding, UnderstoodReading, UnderstoodRecord, understand,
};

/// Largest payload (native convention, section 1). Larger ones are rejected as `too_large`; intake keeps only their beginning.
pub const PAYLOAD_LIMIT: usize = 256 * 1024;
/// Where the times of a gateway may lie, which has no profile (DESIGN, section 6).
const GATEWAY_WINDOW: Window = Window {
    past_ms: 45 * DAY_MS,
    future_ms: 10 * MINUTE_MS,
};
/// The model of docks and bridges that speak for several devices.
const GATEWAY: &str = "gateway";

/// What decoding must know of the models.
pub trait Models {
    /// How far before and after receipt a device time of this model may lie, in ms; `None` when no profile knows the model.
    fn plausible(&self, model: &str) -> Option<(i64, i64)>;
}

/// Which models decode may accept, and how far their clocks may be off: those of the profiles.
pub struct KnownModels<'a>(pub &'a Profiles);

impl Models for KnownModels<'_> {
    fn plausible(&self, model: &str) -> Option<(i64, i64)> {
        self.0
            .get(model)
            .map(|program| (program.plausible_past_ms, program.plausible_future_ms))
    }
}

/// What decoding remembers of a device, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeView {
    /// What its clock is worth.
    pub clock: ClockView,
    /// When which restart counter was first told, rising; the newest four.
    pub restarts: Vec<(Timestamp, u64)>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is telemetry; a box would cost each an allocation"
)]
pub enum Decoded {
    /// It was understood.
    Telemetry(Telemetry),
    /// It was refused, with the reason.
    Rejected(Rejection),
    /// All of it had been received before.
    Duplicate(DeviceId),
}

/// What decoding remembers from message to message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeState {
    settings: Settings,
    devices: Devices,
    recent: Recent,
    /// By how much our own clock was stepped ahead in all, ms.
    stepped_ms: i64,
    /// Spares memory; decides nothing, and is not saved.
    names: Names,
}

impl Default for DecodeState {
    fn default() -> Self {
        Self::new()
    }
}

impl DecodeState {
    /// Nothing known yet; the settings are the default ones until [`Control::Settings`] comes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            settings: Settings::default(),
            devices: Devices::default(),
            recent: Recent::default(),
            stepped_ms: 0,
            names: Names::default(),
        }
    }

    /// The settings that hold from here on.
    pub fn configure(&mut self, settings: &Settings) {
        self.settings = settings.clone();
    }

    /// Takes in what people, the registry and the daemon did.
    pub fn control(&mut self, _received_at: Timestamp, control: &Control) {
        match control {
            Control::Settings(settings) => self.configure(settings),
            Control::Device { device, action, .. } => match action {
                // Who stands in the registry is no stranger.
                DeviceAction::Adopt | DeviceAction::Set { .. } => self.devices.adopt(device),
                DeviceAction::Retire => self.devices.retire(device),
                DeviceAction::PartReplaced { .. } => {}
            },
            // A step back shows in no time of receipt: those never go back.
            Control::ClockStep { from, to } => {
                self.stepped_ms = self.stepped_ms.saturating_add(to.since(*from).max(0));
            }
            Control::Started { .. }
            | Control::SourceUp { .. }
            | Control::SourceDown { .. }
            | Control::Stalled
            | Control::Profiles { .. }
            | Control::Zones { .. }
            | Control::PartReplaced { .. }
            | Control::Ticket { .. }
            | Control::Replay { .. }
            | Control::Lost { .. }
            | Control::End => {}
        }
    }

    /// Understands one message.
    pub fn decode(
        &mut self,
        received_at: Timestamp,
        message: &RawMessage,
        models: &dyn Models,
    ) -> Decoded {
        self.decode_read(received_at, message, None, models)
    }

    /// Understands one message whose payload may have been read ahead; the result is that of [`Self::decode`].
    pub fn decode_read(
        &mut self,
        received_at: Timestamp,
        message: &RawMessage,
        read: Option<ReadPayload>,
        models: &dyn Models,
    ) -> Decoded {
        match self.understand(received_at, message, read, models) {
            Ok(decoded) => decoded,
            Err(rejection) => Decoded::Rejected(rejection),
        }
    }

    /// What is remembered of a device; `None` for a stranger.
    #[must_use]
    pub fn view(&self, device: &DeviceId) -> Option<DecodeView> {
        self.devices.get(device).map(|device| DecodeView {
            clock: device.clock.view(),
            restarts: device.restarts().to_vec(),
        })
    }

    /// Whose message this is, as far as its topic tells.
    #[must_use]
    pub fn device_of(&self, message: &RawMessage) -> Option<DeviceId> {
        let (sources, topic) = (&self.settings.sources, &message.topic);
        let device = match topic::route(sources, topic) {
            Ok(route) => route.device().parse(),
            Err(_) => topic::device_without_kind(sources, topic)?.parse(),
        };
        device.ok()
    }

    fn understand(
        &mut self,
        received_at: Timestamp,
        message: &RawMessage,
        read: Option<ReadPayload>,
        models: &dyn Models,
    ) -> Result<Decoded, Rejection> {
        let route = topic::route(&self.settings.sources, &message.topic)?;
        let device = route.device();
        let stranger = self.devices.stranger(device)?;
        let window = window(device, models)?;
        check_size(message)?;
        let content = match read.and_then(|read| read.by(&route)) {
            Some(content) => content?,
            None => content(&route, message, &mut self.names)?,
        };
        let (id, known, new_device) =
            self.devices
                .admit(received_at, device, stranger, self.settings.adopt_unknown)?;
        known.clock.follow(self.stepped_ms);
        let arrival = Arrival {
            received_at,
            message,
            window,
            is_batch: matches!(content, Content::Batch(_)),
        };
        let mut telemetry = Telemetry {
            device: id,
            retained: message.retained,
            batch: false,
            lag_ms: None,
            records: Vec::new(),
            availability: None,
            identity: None,
            bad_records: Vec::new(),
            duplicate_records: 0,
            seq_restarted: false,
            new_device,
        };
        Ok(
            if arrival.apply(content, known, &mut self.recent, &mut telemetry) {
                Decoded::Telemetry(telemetry)
            } else {
                Decoded::Duplicate(telemetry.device)
            },
        )
    }
}

fn window(device: &str, models: &dyn Models) -> Result<Window, Rejection> {
    let model = device.split('/').next().unwrap_or_default();
    if model == GATEWAY {
        return Ok(GATEWAY_WINDOW);
    }
    match models.plausible(model) {
        Some((past_ms, future_ms)) => Ok(Window { past_ms, future_ms }),
        None => Err(Rejection::new(
            RejectReason::UnknownModel,
            format!(
                "no profile knows the model {}; expected one of device-profiles",
                readings::brief(model)
            ),
        )),
    }
}

fn check_size(message: &RawMessage) -> Result<(), Rejection> {
    let length = message.payload.len() as u64;
    let length = message.oversize.unwrap_or(length).max(length);
    if message.oversize.is_some() || length > PAYLOAD_LIMIT as u64 {
        return Err(Rejection::new(
            RejectReason::TooLarge,
            format!("the payload has {length} bytes; at most {PAYLOAD_LIMIT}"),
        ));
    }
    Ok(())
}

/// What the payload says.
fn content(
    route: &Route<'_>,
    message: &RawMessage,
    names: &mut Names,
) -> Result<Content, Rejection> {
    match short_way(route, message, names) {
        Some(record) => Ok(Content::Single(record)),
        None => long_way(route, message),
    }
}

/// The record of a plain native `tele`, as nearly all messages are.
fn short_way(
    route: &Route<'_>,
    message: &RawMessage,
    names: &mut Names,
) -> Option<native::WireRecord> {
    let is_tele = matches!(
        route,
        Route::Native {
            kind: Kind::Tele,
            ..
        }
    );
    if !is_tele || message.content_type.is_some() {
        return None;
    }
    quick::tele(&message.payload, names)
}

fn long_way(route: &Route<'_>, message: &RawMessage) -> Result<Content, Rejection> {
    if message.payload.is_empty() {
        return match route {
            Route::Native {
                kind: Kind::State | Kind::Ident,
                ..
            } => Ok(Content::Nothing),
            Route::Native { .. } | Route::Plain { .. } => Err(Rejection::new(
                RejectReason::Empty,
                "the payload is empty; expected an object (an empty payload deletes a retained message, which means something on state and ident only)",
            )),
        };
    }
    let node = payload::parse(&message.payload, message.content_type.as_deref())?;
    match route {
        Route::Native { kind, .. } => native::read(*kind, route.device(), node),
        Route::Plain { time, .. } => plain::read(*time, node),
    }
}
