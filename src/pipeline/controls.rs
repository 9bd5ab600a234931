//! Controls: what a person, the registry, the settings or the daemon itself did.
//!
//! Leaves what they mean for a device or a ticket to the stages. Invariant: whatever a control carries it carries by content, so
//! that nothing here looks anywhere else.

use std::sync::Arc;

use super::Pipeline;
use super::effects::Answer;
use super::effects::Effects;
use super::effects::Standing;
use super::heard::Said;
use crate::desk::DeskOut;
use crate::desk::Request;
use crate::detect::DetectOut;
use crate::profile::Diagnostic;
use crate::profile::Level;
use crate::profile::Profiles;
use crate::telemetry::Control;
use crate::telemetry::DeviceAction;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Timestamp;

impl Pipeline {
    pub(super) fn control(
        &mut self,
        position: Position,
        now: Timestamp,
        control: &Control,
        effects: &mut Effects,
    ) {
        self.decode.control(now, control);
        match control {
            Control::Settings(settings) => {
                self.decode.configure(settings);
                self.context.settings = settings.clone();
                self.detect.zones(&settings.timezone, &self.context.zones);
            }
            Control::Zones { zones } => {
                self.context.zones.clone_from(zones);
                self.detect.zones(&self.context.settings.timezone, zones);
            }
            Control::Profiles { profiles, words } => self.activate(now, profiles, words, effects),
            Control::SourceUp { .. } | Control::SourceDown { .. } | Control::ClockStep { .. } => {
                let mut out = DetectOut::default();
                self.detect.control(now, control, &mut out);
                self.settle(now, out, effects);
                if let Control::SourceUp { source } = control {
                    effects
                        .devices
                        .extend(self.presences.source_up(now, source));
                }
            }
            Control::Device { device, action, .. } => {
                // A replaced part and a retirement reach detection as commands of the desk.
                if let DeviceAction::Set { .. } = action {
                    let mut out = DetectOut::default();
                    self.detect.control(now, control, &mut out);
                    self.settle(now, out, effects);
                }
                self.device_action(now, device, action, effects);
                effects.answers.push((position, Answer::Device));
            }
            Control::PartReplaced { device, part, lot } => {
                let action = DeviceAction::PartReplaced {
                    part: part.clone(),
                    lot: lot.clone(),
                };
                self.device_action(now, device, &action, effects);
            }
            Control::Ticket {
                ticket,
                action,
                by,
                expected_version,
                key,
            } => {
                let mut answer = DeskOut::default();
                let request = Request {
                    ticket,
                    action,
                    by,
                    expected_version: *expected_version,
                    key: key.as_deref(),
                };
                self.desk.act(now, &request, &mut answer);
                effects.answers.extend(
                    answer
                        .reply
                        .take()
                        .map(|reply| (position, Answer::Ticket(reply))),
                );
                self.take_desk(now, answer, effects);
            }
            Control::Replay {
                position: rejected,
                received_at,
                message,
            } => {
                if self.message((*rejected, *received_at), now, message, None, effects) {
                    effects.replayed.push(*rejected);
                }
            }
            Control::Started { .. } | Control::Stalled | Control::Lost { .. } | Control::End => {}
        }
    }

    fn device_action(
        &mut self,
        now: Timestamp,
        device: &DeviceId,
        action: &DeviceAction,
        effects: &mut Effects,
    ) {
        match action {
            DeviceAction::Set { identity } => effects
                .devices
                .push(self.presences.set_identity(now, device, identity)),
            DeviceAction::Retire => {
                if let Some(hearing) = &mut effects.hearing {
                    hearing.note(Said::Retired(device.clone()));
                }
                effects
                    .devices
                    .extend(self.presences.stand(now, device, Standing::Retired));
            }
            DeviceAction::Adopt => {
                effects
                    .devices
                    .extend(self.presences.stand(now, device, Standing::InService));
            }
            DeviceAction::PartReplaced { .. } => {}
        }
        let mut answer = DeskOut::default();
        self.desk.device(now, device, action, &mut answer);
        self.take_desk(now, answer, effects);
    }

    /// Puts profiles in force. Texts that do not compile change nothing: the daemon checks them before it journals them, so that
    /// this happens only with a recording made by a newer version.
    fn activate(
        &mut self,
        now: Timestamp,
        profiles: &[ProfileText],
        words: &[ProfileText],
        effects: &mut Effects,
    ) {
        match Profiles::compile(profiles, words) {
            Ok(compiled) => {
                self.context.profiles = Arc::new(compiled);
                self.context.profile_texts = profiles.to_vec();
                self.context.word_texts = words.to_vec();
                if let Some(hearing) = &mut effects.hearing {
                    hearing.note(Said::Profiles(Box::new(self.in_force())));
                }
                let mut out = DetectOut::default();
                self.detect.activate(now, &self.context.profiles, &mut out);
                self.settle(now, out, effects);
            }
            Err(mistakes) => {
                effects.alerts.push(format!(
                    "profiles were not activated, the ones before stay in force: {}",
                    first_mistake(&mistakes)
                ));
            }
        }
    }
}

/// The first of the diagnostics that kept profiles from being compiled; warnings did not.
pub(super) fn first_mistake(mistakes: &[Diagnostic]) -> String {
    mistakes
        .iter()
        .find(|mistake| mistake.level == Level::Error)
        .map_or_else(String::new, ToString::to_string)
}
