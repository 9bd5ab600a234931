//! The pipeline's state as of one position, taken in slices while the pipeline goes on.
//!
//! A snapshot begins between two entries. What is small, or common to all devices, is encoded at once; the devices that changed
//! since the snapshot before are marked, and each is copied when its turn comes, or just before it changes. So every row of a
//! snapshot holds for the position at which it began, and beginning one takes as long for a million devices as for one. What takes
//! long is left to the copies ([`TakenRow::into_row`]), which know nothing of the pipeline and can be worked out on any thread.

use std::sync::Arc;

use serde::Serialize;

use super::Pipeline;
use super::state::CONTEXT_FORMAT;
use super::state::Part;
use super::state::StateRow;
use crate::detect::DeviceCopy;
use crate::detect::Squeezer;
use crate::sweep::Swept as _;
use crate::telemetry::DeviceId;
use crate::telemetry::ProfileText;
use crate::telemetry::Settings;
use crate::telemetry::ZoneTable;

/// What a row takes in memory besides its bytes, about.
const ROW_BYTES: usize = 128;

/// What [`TakenRow::into_row`] works with; one for many rows.
pub type RowMaker = Squeezer;

/// One row as of the position at which its snapshot began.
#[derive(Clone, Debug)]
pub struct TakenRow {
    /// Which part.
    pub part: Part,
    /// Which row of it: the device, or empty for what is not of one device.
    pub key: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// The row goes.
    Gone,
    Bytes(Arc<[u8]>),
    /// Still to be made a row.
    Device(Box<DeviceCopy>),
}

/// What the journal said the world is like, to be written.
#[derive(Serialize)]
struct ContextOut<'a> {
    format: u8,
    settings: &'a Settings,
    profiles: &'a [ProfileText],
    words: &'a [ProfileText],
    zones: &'a ZoneTable,
}

impl TakenRow {
    fn whole(part: Part, bytes: Vec<u8>) -> Self {
        let (key, content) = (String::new(), Content::Bytes(bytes.into()));
        Self { part, key, content }
    }

    fn gone(part: Part, key: String) -> Self {
        let content = Content::Gone;
        Self { part, key, content }
    }

    /// The bytes of a row that is encoded already, shared: all but those of devices in `Part::Detect`, which take long, and rows that
    /// go.
    #[must_use]
    pub const fn shared(&self) -> Option<&Arc<[u8]>> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Gone | Content::Device(_) => None,
        }
    }

    /// Bytes that it takes in memory, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let bytes = match &self.content {
            Content::Gone => 0,
            Content::Bytes(bytes) => bytes.len(),
            Content::Device(copy) => copy.size(),
        };
        ROW_BYTES + bytes
    }

    /// The row as it is saved; some ten microseconds for a device that stood open. `None` when there is no memory for it.
    #[must_use]
    pub fn into_row(self, maker: &mut RowMaker) -> Option<StateRow> {
        let bytes = match self.content {
            Content::Gone => None,
            Content::Bytes(bytes) => Some(bytes.to_vec()),
            Content::Device(copy) => Some(copy.row(maker)?),
        };
        let (part, key) = (self.part, self.key);
        Some(StateRow { part, key, bytes })
    }
}

impl Pipeline {
    /// Begins a snapshot of what changed since the one before (of all, at the first), as of the newest entry. Returns the rows that
    /// are made at once; the others come with [`Self::take_slice`]. One that is still under way comes to nothing.
    ///
    /// # Panics
    /// Never: what is encoded are plain data with string keys.
    pub fn begin_snapshot(&mut self) -> Vec<TakenRow> {
        let context = postcard::to_stdvec(&ContextOut {
            format: CONTEXT_FORMAT,
            settings: &self.context.settings,
            profiles: &self.context.profile_texts,
            words: &self.context.word_texts,
            zones: &self.context.zones,
        });
        let context = context.expect("plain data with string keys always encodes");
        let mut rows = vec![
            TakenRow::whole(Part::Context, context),
            TakenRow::whole(Part::Decode, self.decode.common()),
            TakenRow::whole(Part::Detect, self.detect.common()),
            TakenRow::whole(Part::Desk, self.desk.snapshot()),
        ];
        if self.presences.is_whole_saved() {
            rows.push(TakenRow::gone(Part::Presence, String::new()));
        }
        for (part, gone) in [
            (Part::Decode, self.decode.begin_snapshot()),
            (Part::Detect, self.detect.begin_snapshot()),
            (Part::Presence, self.presences.begin_sweep()),
        ] {
            let gone = gone.into_iter().map(|device| device.to_string());
            rows.extend(gone.map(|key| TakenRow::gone(part, key)));
        }
        rows
    }

    /// Rows of the snapshot under way: all of devices that changed since it began, and of up to `limit` others.
    pub fn take_slice(&mut self, mut limit: usize) -> Vec<TakenRow> {
        let encoded = |part| {
            move |(device, bytes): (DeviceId, Arc<[u8]>)| TakenRow {
                part,
                key: device.to_string(),
                content: Content::Bytes(bytes),
            }
        };
        let decode = self.decode.take_slice(&mut limit);
        let presences = self.presences.take_slice(&mut limit);
        let detect = self.detect.take_slice(&mut limit);
        let mut rows: Vec<TakenRow> = decode.into_iter().map(encoded(Part::Decode)).collect();
        rows.extend(presences.into_iter().map(encoded(Part::Presence)));
        rows.extend(detect.into_iter().map(|(device, copy)| TakenRow {
            part: Part::Detect,
            key: device.to_string(),
            content: Content::Device(Box::new(copy)),
        }));
        rows
    }

    /// A row of the snapshot under way is not taken yet.
    #[must_use]
    pub fn is_row_left(&self) -> bool {
        self.decode.is_row_left() || self.presences.is_left() || self.detect.is_row_left()
    }

    /// The snapshot under way is on the disk, or came to nothing: then the next one has all of its rows.
    pub fn end_snapshot(&mut self, is_saved: bool) {
        self.decode.end_snapshot(is_saved);
        self.presences.end_snapshot(is_saved);
        self.detect.end_snapshot(is_saved);
    }

    /// A whole snapshot at one go: the rows that changed since the one before (all, at the first), as they are saved.
    ///
    /// # Panics
    /// When there is no memory for it.
    pub fn take_changed_rows(&mut self) -> Vec<StateRow> {
        let mut rows = self.begin_snapshot();
        rows.extend(self.take_slice(usize::MAX));
        self.end_snapshot(true);
        let mut maker = RowMaker::default();
        let rows = rows.into_iter();
        rows.map(|row| row.into_row(&mut maker).expect("memory for a row"))
            .collect()
    }
}
