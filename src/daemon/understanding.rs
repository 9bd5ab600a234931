//! What the series consumer remembers of the journal while it decodes for itself: decode's memory and the profiles in force.
//!
//! It is saved together with the memory of what was made into points and the position that both hold for, a row per device as the
//! pipeline's, so that either of the two may go on with it. Leaves to others where the points go and when.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde::Serialize;

use super::handover::DecodeRow;
use super::keep::Keep;
use super::keep::Known;
use super::keep::POINTS;
use super::keep::PROFILES;
use super::stage::Place;
use crate::checkpoint::Checkpoints;
use crate::checkpoint::Loaded;
use crate::checkpoint::Part;
use crate::decode::DecodeState;
use crate::decode::Decoded;
use crate::decode::KnownModels;
use crate::pipeline::InForce;
use crate::profile::Profiles;
use crate::series::consumer::Gatherer;
use crate::series::consumer::Understood;
use crate::series::points::PointMaker;
use crate::telemetry::Control;
use crate::telemetry::DeviceId;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// Key of decode's memory in one piece, as files from before it was saved by device have it.
const IN_ONE_PIECE: &str = "decode";
/// What helps against a file that does not read.
const ADVICE: &str = "stop foremend and put an older copy of it back, or move it away: the series are then written again as far back as the journal reaches";

/// The consumer's own memory of the journal.
pub(super) struct Understanding {
    decode: DecodeState,
    in_force: InForce,
    /// The file still has decode's memory in one piece.
    is_in_one_piece: bool,
    /// Messages that were decoded.
    decoded: u64,
}

#[derive(Serialize, Deserialize)]
struct Texts {
    profiles: Vec<ProfileText>,
    words: Vec<ProfileText>,
}

/// What was saved, and for which place in the journal.
pub(super) struct Saved {
    pub(super) understanding: Understanding,
    pub(super) gatherer: Gatherer,
    pub(super) position: Position,
    pub(super) received_at: Timestamp,
}

/// The profiles in force, to be saved.
///
/// # Panics
/// Never: plain texts can be written to memory.
pub(super) fn texts(in_force: &InForce) -> Vec<u8> {
    let texts = (&in_force.texts, &in_force.words);
    postcard::to_stdvec(&texts).expect("plain texts can be written to memory")
}

impl Understanding {
    /// It has read nothing.
    pub(super) fn new() -> Self {
        Self {
            decode: DecodeState::new(),
            in_force: InForce::default(),
            is_in_one_piece: false,
            decoded: 0,
        }
    }

    /// What was saved; `None` when nothing was yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn load(checkpoints: &Checkpoints) -> anyhow::Result<Option<Saved>> {
        let loaded = checkpoints
            .load()
            .context("cannot read the series writer's state")?;
        loaded
            .map(Self::restored)
            .transpose()
            .with_context(|| format!("{} does not read", checkpoints.path().display()))
    }

    /// What a snapshot holds. A device whose row does not read is a stranger again.
    ///
    /// # Errors
    /// When anything else does not read.
    pub(super) fn restored(loaded: Loaded) -> anyhow::Result<Saved> {
        let mut understanding = Self::new();
        let mut maker = PointMaker::default();
        let mut devices = Vec::new();
        for (part, key) in loaded.damaged {
            anyhow::ensure!(
                part == Part::Decode && !key.is_empty(),
                "its row '{key}' is damaged; {ADVICE}"
            );
            tracing::error!(device.id = %key, "what the series remember of a device is damaged; they learn its clock anew");
        }
        for row in loaded.rows {
            match (row.part, row.key.as_str()) {
                (Part::Decode, "") => {
                    understanding.decode =
                        DecodeState::restore_common(&row.bytes).context(ADVICE)?;
                }
                (Part::Decode, _) => devices.push((row.key, row.bytes)),
                (Part::Series, IN_ONE_PIECE) => {
                    understanding.decode = DecodeState::restore(&row.bytes).context(ADVICE)?;
                    understanding.is_in_one_piece = true;
                }
                (Part::Series, POINTS) => {
                    maker = PointMaker::restore(&row.bytes).context(ADVICE)?;
                }
                (Part::Series, PROFILES) => {
                    let texts: Texts = postcard::from_bytes(&row.bytes).context(ADVICE)?;
                    understanding.activate(&texts.profiles, &texts.words);
                }
                _ => {}
            }
        }
        for (key, bytes) in devices {
            let device: DeviceId = key.parse().context(ADVICE)?;
            if let Err(error) = understanding.decode.restore_device(device, &bytes) {
                tracing::error!(device.id = %key, error = %error, "what the series remember of a device does not read; they learn its clock anew");
            }
        }
        Ok(Saved {
            understanding,
            gatherer: Gatherer::new(maker),
            position: loaded.position,
            received_at: loaded.received_at,
        })
    }

    /// Notes as to be saved: all of it, as of this place, with what `gatherer` remembers.
    pub(super) fn keep(&mut self, place: Place, gatherer: &Gatherer, keep: &mut Keep) {
        let known = Known {
            place,
            points: gatherer.snapshot(),
            profiles: texts(&self.in_force),
        };
        keep.whole(known, self.take_changed_rows());
    }

    /// Saves it for this place in the journal, with what `gatherer` remembers; nothing gathered may be unwritten.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn save(
        &mut self,
        gatherer: &Gatherer,
        checkpoints: &Checkpoints,
        place: Place,
    ) -> anyhow::Result<()> {
        let mut keep = Keep::default();
        self.keep(place, gatherer, &mut keep);
        let (changed, removed) = keep.rows();
        checkpoints
            .write(place.position, place.received_at, &changed, &removed)
            .context("cannot save the series writer's state")
    }

    /// How many messages it decoded since this was last asked.
    pub(super) const fn take_decoded(&mut self) -> u64 {
        std::mem::replace(&mut self.decoded, 0)
    }

    /// What the devices said in an entry.
    pub(super) fn take(&mut self, entry: &Entry) -> Vec<Understood> {
        match &entry.record {
            Record::Message(message) => self.message(entry.received_at, message),
            Record::Control(control) => {
                self.decode.control(entry.received_at, control);
                match control {
                    Control::Profiles { profiles, words } => {
                        self.activate(profiles, words);
                        Vec::new()
                    }
                    Control::Replay {
                        received_at,
                        message,
                        ..
                    } => self.message(*received_at, message),
                    _ => Vec::new(),
                }
            }
            Record::Tick => Vec::new(),
        }
    }

    /// Rows of decode's memory that changed since the last call.
    fn take_changed_rows(&mut self) -> Vec<(Part, DecodeRow)> {
        let mut rows = vec![(
            Part::Decode,
            (String::new(), Some(self.decode.common().into())),
        )];
        if std::mem::take(&mut self.is_in_one_piece) {
            rows.push((Part::Series, (IN_ONE_PIECE.to_owned(), None)));
            let all = self.decode.device_rows();
            rows.extend(
                all.map(|(device, bytes)| (Part::Decode, (device.to_string(), Some(bytes.into())))),
            );
        }
        let changed = self.decode.take_dirty().into_iter();
        rows.extend(changed.map(|(device, bytes)| {
            let bytes = bytes.map(Arc::from);
            (Part::Decode, (device.to_string(), bytes))
        }));
        rows
    }

    fn message(&mut self, received_at: Timestamp, message: &RawMessage) -> Vec<Understood> {
        self.decoded += 1;
        let (decode, models) = (&mut self.decode, KnownModels(&self.in_force.profiles));
        // As in the pipeline: a message that breaks decoding is refused alone.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decode.decode(received_at, message, &models)
        }));
        let Ok(decoded) = decoded else {
            return Vec::new();
        };
        match decoded {
            Decoded::Telemetry(telemetry) => {
                let profiles = &self.in_force.profiles;
                let program = profiles.get(telemetry.device.model()).cloned();
                vec![Understood { telemetry, program }]
            }
            Decoded::Rejected(_) | Decoded::Duplicate(_) => Vec::new(),
        }
    }

    /// Profiles that do not compile change nothing, as in the pipeline.
    fn activate(&mut self, profiles: &[ProfileText], words: &[ProfileText]) {
        if let Ok(compiled) = Profiles::compile(profiles, words) {
            self.in_force = InForce {
                profiles: Arc::new(compiled),
                texts: profiles.to_vec(),
                words: words.to_vec(),
            };
        }
    }
}
