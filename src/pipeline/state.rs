//! The pipeline's state as rows, and back into a pipeline.
//!
//! Leaves to `snapshot` which rows are made when. Invariant: state is saved bit for bit, so that a restored pipeline goes on exactly
//! as the one that was saved.

use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::Pipeline;
use super::controls::first_mistake;
use super::presence::Presences;
use crate::decode::DecodeState;
use crate::desk::Desk;
use crate::detect::DetectOut;
use crate::profile::Profiles;
use crate::telemetry::DeviceId;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::Settings;
use crate::telemetry::Timestamp;
use crate::telemetry::ZoneTable;

/// Format of the context row; raised whenever it changes.
pub(super) const CONTEXT_FORMAT: u8 = 1;

/// Which part of the pipeline a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Boots, clocks, duplicates: one row per device, and one with an empty key for what is common.
    Decode,
    /// One row per device, and, as in `Decode`, one for all with an empty key.
    Detect,
    /// Open tickets, counters, timers.
    Desk,
    /// Settings, profiles, zones.
    Context,
    /// Presence of devices, one row each. An empty key is the row of all that earlier releases wrote.
    Presence,
}

/// One row of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// Which part.
    pub part: Part,
    /// Which row of it: the device, or empty for what is not of one device.
    pub key: String,
    /// Its content; `None` removes the row.
    pub bytes: Option<Vec<u8>>,
}

/// A saved state cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the saved {part:?} state cannot be read ({why}); start with an empty state file to replay the journal from its beginning"
)]
pub struct StateError {
    /// Which part.
    pub part: Part,
    /// Why.
    pub why: String,
}

/// What the journal said the world is like, read.
#[derive(Deserialize)]
struct ContextRow {
    format: u8,
    settings: Settings,
    profiles: Vec<ProfileText>,
    words: Vec<ProfileText>,
    zones: ZoneTable,
}

impl Pipeline {
    /// The pipeline as it was at `position`, and what could not be restored of single devices (those return to Learning).
    ///
    /// # Errors
    /// When a part other than a single device cannot be read.
    pub fn restore(
        position: Position,
        received_at: Timestamp,
        rows: Vec<StateRow>,
    ) -> Result<(Self, Vec<String>), StateError> {
        let mut pipeline = Self::new();
        let mut devices = Vec::new();
        for StateRow { part, key, bytes } in rows {
            let Some(bytes) = bytes else { continue };
            let wrong = |why: String| StateError { part, why };
            match part {
                Part::Context => pipeline
                    .restore_context(received_at, &bytes)
                    .map_err(wrong)?,
                Part::Decode if key.is_empty() => {
                    pipeline.decode = DecodeState::restore_common(&bytes)
                        .map_err(|error| wrong(error.to_string()))?;
                }
                Part::Detect if key.is_empty() => {
                    (pipeline.detect.restore_common(&bytes))
                        .map_err(|error| wrong(error.to_string()))?;
                }
                Part::Desk => {
                    pipeline.desk =
                        Desk::restore(&bytes).map_err(|error| wrong(error.to_string()))?;
                }
                Part::Presence if key.is_empty() => {
                    pipeline.presences = Presences::restore_whole(&bytes).map_err(wrong)?;
                }
                Part::Decode | Part::Detect | Part::Presence => devices.push((part, key, bytes)),
            }
        }
        let mut lost = Vec::new();
        for (part, key, bytes) in devices {
            if let Err(why) = pipeline.restore_device(part, &key, &bytes) {
                lost.push(format!(
                    "{key}: its state could not be read ({why}); it learns anew"
                ));
            }
        }
        pipeline.position = position;
        pipeline.last = Some(received_at);
        Ok((pipeline, lost))
    }

    fn restore_device(&mut self, part: Part, key: &str, bytes: &[u8]) -> Result<(), String> {
        let device = DeviceId::from_str(key).map_err(|error| error.to_string())?;
        match part {
            Part::Decode => {
                let restored = self.decode.restore_device(device, bytes);
                restored.map_err(|error| error.to_string())
            }
            Part::Presence => self.presences.restore(device, bytes),
            Part::Detect | Part::Desk | Part::Context => {
                let restored = self.detect.restore(&device, bytes);
                restored.map_err(|error| error.to_string())
            }
        }
    }

    /// The profiles must be in force before devices are restored into them.
    fn restore_context(&mut self, received_at: Timestamp, bytes: &[u8]) -> Result<(), String> {
        let row: ContextRow = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
        if row.format != CONTEXT_FORMAT {
            return Err(format!(
                "format {}, this version reads {CONTEXT_FORMAT}",
                row.format
            ));
        }
        if !row.profiles.is_empty() {
            let profiles = Profiles::compile(&row.profiles, &row.words)
                .map_err(|mistakes| first_mistake(&mistakes))?;
            self.context.profiles = Arc::new(profiles);
            self.detect.activate(
                received_at,
                &self.context.profiles,
                &mut DetectOut::default(),
            );
        }
        self.detect.zones(&row.settings.timezone, &row.zones);
        self.context.settings = row.settings;
        self.context.profile_texts = row.profiles;
        self.context.word_texts = row.words;
        self.context.zones = row.zones;
        Ok(())
    }
}
