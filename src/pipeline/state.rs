//! The pipeline's whole state as rows, and back.
//!
//! All rows of a snapshot hold for one position of the journal. Rows are written only for what changed since the snapshot before;
//! state is saved bit for bit, so that a restored pipeline goes on exactly as the one that was saved.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
const CONTEXT_FORMAT: u8 = 1;

/// Which part of the pipeline a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Aliases, boots, clocks, duplicates.
    Decode,
    /// One row per device, and, as in `Decode`, one for all with an empty key.
    Detect,
    /// Open tickets, counters, timers.
    Desk,
    /// Settings, profiles, zones.
    Context,
    /// Presence of devices.
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

#[derive(Serialize, Deserialize)]
struct ContextRow {
    format: u8,
    settings: Settings,
    profiles: Vec<ProfileText>,
    words: Vec<ProfileText>,
    zones: ZoneTable,
}

impl Pipeline {
    /// The rows that changed since the last call (all, at the first).
    ///
    /// # Panics
    /// Never: what is encoded are plain data with string keys.
    pub fn take_changed_rows(&mut self) -> Vec<StateRow> {
        let context = ContextRow {
            format: CONTEXT_FORMAT,
            settings: self.context.settings.clone(),
            profiles: self.context.profile_texts.clone(),
            words: self.context.word_texts.clone(),
            zones: self.context.zones.clone(),
        };
        let whole = |part, bytes| StateRow {
            part,
            key: String::new(),
            bytes: Some(bytes),
        };
        let encoded = "plain data with string keys always encodes";
        let mut rows = vec![
            whole(Part::Context, postcard::to_stdvec(&context).expect(encoded)),
            whole(Part::Decode, self.decode.common()),
            whole(Part::Detect, self.detect.common()),
            whole(Part::Desk, self.desk.snapshot()),
            whole(
                Part::Presence,
                postcard::to_stdvec(&self.presences).expect(encoded),
            ),
        ];
        let of_device = |part| {
            move |(device, bytes): (DeviceId, _)| StateRow {
                part,
                key: device.to_string(),
                bytes,
            }
        };
        rows.extend(
            self.decode
                .take_dirty()
                .into_iter()
                .map(of_device(Part::Decode)),
        );
        rows.extend(
            self.detect
                .take_dirty()
                .into_iter()
                .map(of_device(Part::Detect)),
        );
        rows
    }

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
                Part::Presence => {
                    pipeline.presences = postcard::from_bytes::<Presences>(&bytes)
                        .map_err(|error| wrong(error.to_string()))?;
                }
                Part::Decode | Part::Detect => devices.push((part, key, bytes)),
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
        if part == Part::Decode {
            self.decode
                .restore_device(device, bytes)
                .map_err(|error| error.to_string())
        } else {
            self.detect
                .restore(&device, bytes)
                .map_err(|error| error.to_string())
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
