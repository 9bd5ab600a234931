//! The decode state on disk: one row for what is common, one row per device, or both in one.
//!
//! Each row begins with its format version; the rest is postcard. A row of another version is refused by name, never guessed at.
//!
//! **Invariant:** a state that was saved and restored decides exactly as the one that went on.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::DecodeState;
use super::devices::Device;
use super::duplicates::Recent;
use crate::sweep::Swept;
use crate::telemetry::{DeviceId, Settings};

/// Grows with every change of what the rows hold.
const FORMAT: u8 = 1;

/// A saved state could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RestoreError {
    /// It was saved by another version of the program.
    #[error("the saved decode state has format {0}; expected {FORMAT}")]
    Format(u8),
    /// Its bytes are damaged.
    #[error("the saved decode state is damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize)]
struct CommonOut<'a> {
    settings: &'a Settings,
    second: i64,
    strangers: u32,
    recent: &'a Recent,
    stepped_ms: i64,
}

#[derive(Deserialize)]
struct CommonIn {
    settings: Settings,
    second: i64,
    strangers: u32,
    recent: Recent,
    stepped_ms: i64,
}

impl DecodeState {
    /// The whole state in one piece.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let devices: Vec<(&DeviceId, &Device)> = self.devices.iter().collect();
        write(&(self.common_out(), devices))
    }

    /// The state as [`Self::snapshot`] saved it.
    ///
    /// # Errors
    /// When the bytes have another format or are damaged.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let (common, devices): (CommonIn, Vec<(DeviceId, Device)>) = read(bytes)?;
        let mut state = Self::from_common(common);
        for (id, device) in devices {
            state.devices.put(id, device);
        }
        Ok(state)
    }

    /// What belongs to no single device; small, and changed by nearly every message.
    #[must_use]
    pub fn common(&self) -> Vec<u8> {
        write(&self.common_out())
    }

    /// A state without devices, as [`Self::common`] saved it; [`Self::restore_device`] adds them.
    ///
    /// # Errors
    /// When the bytes have another format or are damaged.
    pub fn restore_common(bytes: &[u8]) -> Result<Self, RestoreError> {
        read(bytes).map(Self::from_common)
    }

    /// The rows of the devices that changed since the last call, `None` for a forgotten one, in order of their names.
    pub fn take_dirty(&mut self) -> Vec<(DeviceId, Option<Vec<u8>>)> {
        self.devices
            .take_all()
            .into_iter()
            .map(|(id, row)| (id, row.map(|row| row.to_vec())))
            .collect()
    }

    /// The rows of all devices, in order of their names.
    pub fn device_rows(&self) -> impl Iterator<Item = (&DeviceId, Vec<u8>)> {
        self.devices.iter().map(|(id, device)| (id, write(device)))
    }

    /// Begins a snapshot of the devices that changed since the one before; returns those whose rows go. What [`Self::take_slice`]
    /// hands out from here on is as of now.
    pub fn begin_snapshot(&mut self) -> Vec<DeviceId> {
        self.devices.begin_sweep()
    }

    /// The rows of devices that have changed since, and of further ones as long as `limit`, which goes down with
    /// each, lets it.
    pub fn take_slice(&mut self, limit: &mut usize) -> Vec<(DeviceId, Arc<[u8]>)> {
        self.devices.take_slice(limit)
    }

    /// A row of the snapshot under way is not handed out yet.
    #[must_use]
    pub fn is_row_left(&self) -> bool {
        self.devices.is_left()
    }

    /// The snapshot is on the disk, or came to nothing: then the next one has its rows.
    pub fn end_snapshot(&mut self, is_saved: bool) {
        if is_saved {
            self.devices.sweep_saved();
        } else {
            self.devices.sweep_refused();
        }
    }

    /// Puts one device back.
    ///
    /// # Errors
    /// When the bytes have another format or are damaged; the device then is a stranger.
    pub fn restore_device(&mut self, id: DeviceId, bytes: &[u8]) -> Result<(), RestoreError> {
        self.devices.put(id, read(bytes)?);
        Ok(())
    }

    fn common_out(&self) -> CommonOut<'_> {
        CommonOut {
            settings: &self.settings,
            second: self.devices.second,
            strangers: self.devices.strangers,
            recent: &self.recent,
            stepped_ms: self.stepped_ms,
        }
    }

    fn from_common(common: CommonIn) -> Self {
        let mut state = Self::new();
        state.settings = common.settings;
        state.devices.second = common.second;
        state.devices.strangers = common.strangers;
        state.recent = common.recent;
        state.stepped_ms = common.stepped_ms;
        state
    }
}

/// A row.
pub(super) fn write<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("plain values in memory always serialise")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RestoreError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => {
            postcard::from_bytes(rest).map_err(|error| RestoreError::Damaged(error.to_string()))
        }
        Some((&other, _)) => Err(RestoreError::Format(other)),
        None => Err(RestoreError::Damaged("it is empty".into())),
    }
}
