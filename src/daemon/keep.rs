//! What of the series consumer is to be saved: rows that changed, and the place in the journal that all of them hold for.
//!
//! While the consumer decodes for itself, it knows rows and place at once. While the pipeline does it, a snapshot of the pipeline
//! begins at a place, where the consumer notes what it knows itself, and its rows come later. Keeps: what is to be saved is the
//! state as of one place; a place without all of its rows is never offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::handover::DecodeRow;
use super::stage::Place;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::telemetry::Position;

/// Key of the row of what was made into points.
pub(super) const POINTS: &str = "points";
/// Key of the row of the profiles in force.
pub(super) const PROFILES: &str = "profiles";

/// Rows by their keys; `None` is to be removed.
type Rows = BTreeMap<(Part, String), Option<Arc<[u8]>>>;

/// What the consumer itself knows as of a place.
pub(super) struct Known {
    /// The place.
    pub(super) place: Place,
    /// Memory of what was made into points.
    pub(super) points: Vec<u8>,
    /// The profiles in force.
    pub(super) profiles: Vec<u8>,
}

/// What is not on the disk yet.
#[derive(Default)]
pub(super) struct Keep {
    /// Changed since what is on the disk, as of the place that is complete; without one as of some place before.
    rows: Rows,
    complete: Option<Known>,
    /// A snapshot of the pipeline began here,
    begun: Option<Known>,
    /// and of its rows these have come.
    coming: Rows,
}

impl Keep {
    /// Everything that changed, and the place it holds for.
    pub(super) fn whole(
        &mut self,
        known: Known,
        rows: impl IntoIterator<Item = (Part, DecodeRow)>,
    ) {
        let rows = rows.into_iter();
        self.rows
            .extend(rows.map(|(part, (key, bytes))| ((part, key), bytes)));
        self.complete = Some(known);
        self.begun = None;
        self.coming.clear();
    }

    /// A snapshot of the pipeline begins; its rows are yet to come.
    pub(super) fn begun(&mut self, known: Known) {
        self.begun = Some(known);
    }

    /// Rows of the snapshot that began.
    pub(super) fn coming(&mut self, rows: Vec<DecodeRow>) {
        if self.begun.is_some() {
            let rows = rows.into_iter();
            self.coming
                .extend(rows.map(|(key, bytes)| ((Part::Decode, key), bytes)));
        }
    }

    /// The snapshot that began here has all its rows.
    pub(super) fn complete(&mut self, position: Position) {
        if let Some(known) = self.begun.take_if(|known| known.place.position == position) {
            self.rows.append(&mut self.coming);
            self.complete = Some(known);
        }
    }

    /// The newest place that can be saved, once all points up to it are written.
    pub(super) fn place(&self) -> Option<Place> {
        self.complete.as_ref().map(|known| known.place)
    }

    /// Rows to be written for that place, and those to be removed.
    pub(super) fn rows(&self) -> (Vec<Row>, Vec<(Part, String)>) {
        let row = |part, key: &str, bytes: &[u8]| Row {
            part,
            key: key.to_owned(),
            bytes: bytes.to_vec(),
        };
        let mut changed = Vec::with_capacity(self.rows.len() + 2);
        let mut removed = Vec::new();
        for ((part, key), bytes) in &self.rows {
            match bytes {
                Some(bytes) => changed.push(row(*part, key, bytes)),
                None => removed.push((*part, key.clone())),
            }
        }
        if let Some(known) = &self.complete {
            changed.push(row(Part::Series, POINTS, &known.points));
            changed.push(row(Part::Series, PROFILES, &known.profiles));
        }
        (changed, removed)
    }

    /// The file has it.
    pub(super) fn saved(&mut self) {
        self.rows.clear();
        self.complete = None;
    }
}
