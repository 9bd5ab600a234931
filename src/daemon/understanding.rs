//! What the series consumer remembers of the journal to turn its entries into points: decode's memory and the profiles in force.
//!
//! It is saved together with the memory of what was made into points and the position that both hold for. Leaves to others where
//! the points go and when.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde::Serialize;

use crate::checkpoint::Checkpoints;
use crate::checkpoint::Loaded;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::decode::DecodeState;
use crate::decode::Decoded;
use crate::decode::KnownModels;
use crate::profile::Profiles;
use crate::series::consumer::Gatherer;
use crate::series::consumer::Understood;
use crate::series::points::PointMaker;
use crate::telemetry::Control;
use crate::telemetry::Entry;
use crate::telemetry::Position;
use crate::telemetry::ProfileText;
use crate::telemetry::RawMessage;
use crate::telemetry::Record;
use crate::telemetry::Timestamp;

/// The consumer's own memory of the journal.
pub(super) struct Understanding {
    decode: DecodeState,
    profiles: Arc<Profiles>,
    texts: Texts,
}

#[derive(Default, Serialize, Deserialize)]
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

impl Understanding {
    /// It has read nothing.
    pub(super) fn new() -> Self {
        Self {
            decode: DecodeState::new(),
            profiles: Arc::default(),
            texts: Texts::default(),
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
        loaded.map(Self::restored).transpose()
    }

    /// What a snapshot holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn restored(loaded: Loaded) -> anyhow::Result<Saved> {
        let mut understanding = Self::new();
        let mut maker = PointMaker::default();
        for row in loaded.rows {
            match row.key.as_str() {
                "decode" => understanding.decode = DecodeState::restore(&row.bytes)?,
                "points" => maker = PointMaker::restore(&row.bytes)?,
                "profiles" => understanding.texts = postcard::from_bytes(&row.bytes)?,
                _ => {}
            }
        }
        understanding.compile();
        Ok(Saved {
            understanding,
            gatherer: Gatherer::new(maker),
            position: loaded.position,
            received_at: loaded.received_at,
        })
    }

    /// Saves it for this place in the journal, with what `gatherer` remembers; nothing gathered may be unwritten.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn save(
        &self,
        gatherer: &Gatherer,
        checkpoints: &Checkpoints,
        position: Position,
        received_at: Timestamp,
    ) -> anyhow::Result<()> {
        checkpoints
            .write(position, received_at, &self.rows(gatherer)?, &[])
            .context("cannot save the series writer's state")
    }

    /// What is saved.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn rows(&self, gatherer: &Gatherer) -> anyhow::Result<[Row; 3]> {
        let row = |key: &str, bytes| Row {
            part: Part::Series,
            key: key.into(),
            bytes,
        };
        Ok([
            row("decode", self.decode.snapshot()),
            row("points", gatherer.snapshot()),
            row("profiles", postcard::to_stdvec(&self.texts)?),
        ])
    }

    /// What the devices said in an entry.
    pub(super) fn take(&mut self, entry: &Entry) -> Vec<Understood> {
        match &entry.record {
            Record::Message(message) => self.message(entry.received_at, message),
            Record::Control(control) => {
                self.decode.control(entry.received_at, control);
                match control {
                    Control::Profiles { profiles, words } => {
                        self.texts = Texts {
                            profiles: profiles.clone(),
                            words: words.clone(),
                        };
                        self.compile();
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

    fn message(&mut self, received_at: Timestamp, message: &RawMessage) -> Vec<Understood> {
        let (decode, models) = (&mut self.decode, KnownModels(&self.profiles));
        // As in the pipeline: a message that breaks decoding is refused alone.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decode.decode(received_at, message, &models)
        }));
        let Ok(decoded) = decoded else {
            return Vec::new();
        };
        match decoded {
            Decoded::Telemetry(telemetry) => {
                let program = self.profiles.get(telemetry.device.model()).cloned();
                vec![Understood { telemetry, program }]
            }
            Decoded::Rejected(_) | Decoded::Duplicate(_) => Vec::new(),
        }
    }

    /// Profiles that do not compile change nothing, as in the pipeline.
    fn compile(&mut self) {
        if let Ok(profiles) = Profiles::compile(&self.texts.profiles, &self.texts.words) {
            self.profiles = Arc::new(profiles);
        }
    }
}
