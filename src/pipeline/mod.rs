//! decode + detect + desk as one pure function over journal entries.
//!
//! [`Pipeline::step`] takes one entry and appends what it caused to [`Effects`]. It reads nothing but its own state and the entry,
//! so the same journal gives the same effects: live, after a crash, in a backtest. Before an entry is applied, everything that was
//! due by its time fires, stamped with its own due time, in (due, device, fault) order; results therefore do not depend on how
//! often anyone looked.
//!
//! A panic in decode is the rejection `internal_error`; one in detect (caught there) or desk freezes that device and raises an alert. Either
//! follows from the entry alone, so that a replay agrees and no message can crash-loop the daemon.

mod controls;
mod effects;
mod heard;
mod presence;
mod snapshot;
mod state;

#[cfg(test)]
pub(crate) mod tests;

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::decode::DecodeState;
use crate::decode::DecodeView;
use crate::decode::Decoded;
use crate::decode::KnownModels;
use crate::decode::ReadPayload;
use crate::desk::Desk;
use crate::desk::DeskOut;
use crate::detect::DetectOut;
use crate::detect::Detector;
use crate::detect::DeviceView;
use crate::detect::OpenDevices;
use crate::detect::Standings;
use crate::detect::panic_text;
use crate::profile::Profiles;
use crate::telemetry::Control;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::RejectReason;
use crate::telemetry::Rejection;
use crate::telemetry::Settings;
use crate::telemetry::Telemetry;
use crate::telemetry::Timestamp;
use crate::telemetry::ZoneTable;

pub use effects::{Answer, Counts, Effects, Presence, Rejected, Standing};
pub use heard::{Heard, Hearing, InForce, Said};
pub use snapshot::{RowMaker, TakenRow};
pub use state::{Part, StateError, StateRow};

use presence::Presences;

/// Desk and detection may answer each other (a recheck that fails at once, an absorbed fault); no honest exchange is longer.
const EXCHANGE_LIMIT: usize = 16;

/// The pure middle of Foremend.
pub struct Pipeline {
    decode: DecodeState,
    detect: Detector,
    desk: Desk,
    context: Context,
    presences: Presences,
    /// Receipt of the newest entry.
    last: Option<Timestamp>,
    /// Place of the newest entry.
    position: Position,
}

/// What the journal said the world is like: settings, profiles, zones.
#[derive(Clone, Default)]
struct Context {
    settings: Settings,
    profile_texts: Vec<ProfileText>,
    word_texts: Vec<ProfileText>,
    profiles: Arc<Profiles>,
    zones: ZoneTable,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipeline {
    /// A pipeline that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut decode = DecodeState::new();
        decode.configure(&Settings::default());
        Self {
            decode,
            detect: Detector::new(),
            desk: Desk::new(),
            context: Context::default(),
            presences: Presences::default(),
            last: None,
            position: Position::default(),
        }
    }

    /// The pipeline that uses this detector, for tests of what a fault in it does.
    #[doc(hidden)]
    #[must_use]
    pub fn with_detector(detect: Detector) -> Self {
        Self {
            detect,
            ..Self::new()
        }
    }

    /// At most so many devices stand open in detection from here on; it changes no result.
    pub fn set_open_limit(&mut self, limit: usize) {
        self.detect.set_open_limit(limit);
    }

    /// How many devices stand open in detection, and how often one was unpacked.
    #[must_use]
    pub fn open_devices(&self) -> OpenDevices {
        self.detect.open_devices()
    }

    /// Place of the newest entry it has seen.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Receipt of the newest entry it has seen.
    #[must_use]
    pub const fn last_received_at(&self) -> Option<Timestamp> {
        self.last
    }

    /// The profiles in force.
    #[must_use]
    pub const fn profiles(&self) -> &Arc<Profiles> {
        &self.context.profiles
    }

    /// The profile files in force, as journalled: profiles, then shared words.
    #[must_use]
    pub fn profile_texts(&self) -> (&[ProfileText], &[ProfileText]) {
        (&self.context.profile_texts, &self.context.word_texts)
    }

    /// The profiles in force with their texts.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        InForce {
            profiles: Arc::clone(&self.context.profiles),
            texts: self.context.profile_texts.clone(),
            words: self.context.word_texts.clone(),
        }
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.context.settings
    }

    /// The zone offsets in force.
    #[must_use]
    pub const fn zones(&self) -> &ZoneTable {
        &self.context.zones
    }

    /// What detection knows of a device.
    #[must_use]
    pub fn device(&self, device: &DeviceId) -> Option<DeviceView> {
        self.detect.view(device)
    }

    /// What decoding remembers of a device: its clock and its restarts.
    #[must_use]
    pub fn decoding(&self, device: &DeviceId) -> Option<DecodeView> {
        self.decode.view(device)
    }

    /// When a device was heard of, and what it says it is; its counts are those since it was last written.
    #[must_use]
    pub fn presence(&self, device: &DeviceId) -> Option<&Presence> {
        self.presences.get(device)
    }

    /// The devices that detection knows.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.detect.devices()
    }

    /// How the faults of the devices of a model stand, of at most `limit` devices after `after` in order.
    #[must_use]
    pub fn standings(&self, model: &str, after: Option<&DeviceId>, limit: usize) -> Vec<Standings> {
        self.detect.standings(model, after, limit)
    }

    /// When something falls due without another entry; a `Tick` is wanted then.
    #[must_use]
    pub fn next_due(&mut self) -> Option<Timestamp> {
        earlier(self.detect.next_due(), self.desk.next_due())
    }

    fn earliest_due(&self) -> Option<Timestamp> {
        earlier(self.detect.earliest_due(), self.desk.next_due())
    }

    /// Applies one entry.
    pub fn step(&mut self, entry: &Entry, effects: &mut Effects) {
        self.step_read(entry, None, effects);
    }

    /// Applies one entry whose message's payload may have been read ahead; the effects are those of [`Self::step`].
    pub fn step_read(&mut self, entry: &Entry, read: Option<ReadPayload>, effects: &mut Effects) {
        let now = entry.received_at;
        if let Some(hearing) = &mut effects.hearing {
            hearing.listen_to(entry);
        }
        if let Record::Control(
            away @ (Control::Started { .. } | Control::Stalled | Control::Lost { .. }),
        ) = &entry.record
        {
            // Before anything is asked what is due: our own absence proves nothing. What was due before it, is.
            if let Some(last) = self.last {
                self.fire_due(last, effects);
            }
            if matches!(away, Control::Started { .. }) {
                self.detect.started(self.last, now);
            } else {
                self.detect.stalled(self.last, now);
            }
        }
        self.fire_due(now, effects);
        match &entry.record {
            Record::Message(message) => {
                self.message((entry.position, now), now, message, read, effects);
            }
            Record::Control(control) => self.control(entry.position, now, control, effects),
            Record::Tick => {}
        }
        self.last = Some(now);
        self.position = entry.position;
    }

    /// Fires everything that is due by `now`, in order.
    fn fire_due(&mut self, now: Timestamp, effects: &mut Effects) {
        while let Some(due) = self.earliest_due().filter(|due| *due <= now) {
            let mut out = DetectOut::default();
            if self.detect.earliest_due() == Some(due) {
                self.detect.fire(due, &mut out);
            }
            self.settle(due, out, effects);
            if self.desk.next_due() == Some(due) {
                let mut out = DeskOut::default();
                self.desk.fire(due, &mut out);
                self.take_desk(due, out, effects);
            }
        }
    }

    /// `received_at` is when the message came; it lies before `now` only when a rejected one is replayed. True when it was used,
    /// now or before.
    fn message(
        &mut self,
        (position, received_at): (Position, Timestamp),
        now: Timestamp,
        message: &RawMessage,
        read: Option<ReadPayload>,
        effects: &mut Effects,
    ) -> bool {
        effects.counts.received += 1;
        match self.understand(received_at, message, read) {
            Decoded::Telemetry(mut telemetry) => {
                effects.counts.decoded += 1;
                if received_at < now {
                    self.outdate(received_at, now, &mut telemetry);
                }
                self.apply((position, received_at), now, message, &telemetry, effects);
                if let Some(hearing) = &mut effects.hearing {
                    hearing.note(Said::Message(telemetry));
                }
                true
            }
            Decoded::Duplicate(device) => {
                effects.counts.duplicate += 1;
                effects
                    .devices
                    .extend(self.presences.repeated(now, &device));
                true
            }
            Decoded::Rejected(rejection) => {
                effects.counts.rejected += 1;
                effects.counts.rejected_by.push(rejection.reason);
                let device = self.decode.device_of(message);
                if let Some(device) = &device {
                    let stranger = rejection.reason == RejectReason::UnknownDevice;
                    effects.devices.extend(self.presences.refused(
                        now,
                        &message.source,
                        device,
                        stranger,
                    ));
                }
                let message = message.clone();
                effects.rejected.push(Rejected {
                    position,
                    received_at,
                    index: None,
                    device,
                    rejection,
                    message,
                });
                false
            }
        }
    }

    /// A replayed message is old news, however fresh it was when it came: what it tells is judged like any other late data, and
    /// whether the device was on the air then says nothing of now.
    fn outdate(&self, received_at: Timestamp, now: Timestamp, telemetry: &mut Telemetry) {
        let lag = telemetry.lag_ms.unwrap_or(0);
        telemetry.lag_ms = Some(lag.saturating_add(now.since(received_at)));
        let heard_since = self
            .presences
            .get(&telemetry.device)
            .is_some_and(|presence| presence.last_seen > received_at);
        if heard_since {
            telemetry.availability = None;
        }
    }

    /// Decodes; a panic is a refusal of this message alone.
    fn understand(
        &mut self,
        received_at: Timestamp,
        message: &RawMessage,
        read: Option<ReadPayload>,
    ) -> Decoded {
        let decode = &mut self.decode;
        let models = KnownModels(&self.context.profiles);
        catch_unwind(AssertUnwindSafe(|| {
            decode.decode_read(received_at, message, read, &models)
        }))
        .unwrap_or_else(|panic| {
            let detail = format!("decoding failed: {}", panic_text(panic.as_ref()));
            Decoded::Rejected(Rejection::new(RejectReason::InternalError, detail))
        })
    }

    fn apply(
        &mut self,
        (position, received_at): (Position, Timestamp),
        now: Timestamp,
        message: &RawMessage,
        telemetry: &Telemetry,
        effects: &mut Effects,
    ) {
        for bad in &telemetry.bad_records {
            effects.counts.records_rejected += 1;
            effects
                .counts
                .records_rejected_by
                .push(bad.rejection.reason);
            effects.rejected.push(Rejected {
                position,
                received_at,
                index: Some(bad.index),
                device: Some(telemetry.device.clone()),
                rejection: bad.rejection.clone(),
                message: message.clone(),
            });
        }
        effects
            .devices
            .extend(self.presences.heard(now, &message.source, telemetry));
        let mut out = DetectOut::default();
        self.detect.apply(now, &message.source, telemetry, &mut out);
        self.settle(now, out, effects);
    }

    /// Lets desk and detection answer each other until both are quiet.
    fn settle(&mut self, now: Timestamp, mut out: DetectOut, effects: &mut Effects) {
        for _ in 0..EXCHANGE_LIMIT {
            effects.derived.append(&mut out.derived);
            effects.alerts.append(&mut out.alerts);
            if out.events.is_empty() {
                return;
            }
            let mut answer = DeskOut::default();
            for event in std::mem::take(&mut out.events) {
                let desk = &mut self.desk;
                let program = self
                    .context
                    .profiles
                    .get(event.device.model())
                    .map(Arc::as_ref);
                let done = catch_unwind(AssertUnwindSafe(|| {
                    desk.fault(&event, program, &mut answer);
                }));
                if let Err(panic) = done {
                    self.detect.freeze(&event.device, panic.as_ref(), &mut out);
                    effects.alerts.append(&mut out.alerts);
                }
            }
            effects.changes.append(&mut answer.changes);
            for (device, command) in answer.commands {
                self.detect.command(now, &device, &command, &mut out);
            }
        }
        effects.alerts.push(format!(
            "desk and detection did not settle within {EXCHANGE_LIMIT} rounds"
        ));
    }

    fn take_desk(&mut self, now: Timestamp, mut answer: DeskOut, effects: &mut Effects) {
        effects.changes.append(&mut answer.changes);
        let mut out = DetectOut::default();
        for (device, command) in answer.commands {
            self.detect.command(now, &device, &command, &mut out);
        }
        self.settle(now, out, effects);
    }
}

/// The earlier of two moments that may not come.
fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
