//! A checkpoint file on plain memory: one snapshot is one transaction, which can fail or lose its answer; and the file can be
//! lost, damaged, or put back from an older copy.

use std::collections::BTreeMap;

use crate::checkpoint::Loaded;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// What goes wrong with the next snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SnapshotFault {
    /// Nothing is written.
    Before,
    /// It is written, and the answer is an error.
    After,
}

/// The rows of a snapshot by their keys.
pub(super) type Rows = BTreeMap<(Part, String), Vec<u8>>;

#[derive(Clone)]
struct Snapshot {
    position: Position,
    received_at: Timestamp,
    rows: Rows,
}

/// A checkpoint file.
#[derive(Default)]
pub(super) struct ModelSnapshots {
    newest: Option<Snapshot>,
    older: Option<Snapshot>,
    is_damaged: bool,
    fault: Option<SnapshotFault>,
}

impl ModelSnapshots {
    pub(super) fn plan(&mut self, fault: SnapshotFault) {
        self.fault = Some(fault);
    }

    pub(super) fn repair(&mut self) {
        self.fault = None;
    }

    /// The file is gone.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// Someone put the copy of a snapshot before back.
    pub(super) fn put_back(&mut self) {
        self.newest.clone_from(&self.older);
    }

    /// A row that everything needs does not read.
    pub(super) fn damage(&mut self) {
        self.is_damaged = self.newest.is_some();
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.newest.as_ref().map(|snapshot| snapshot.position)
    }

    pub(super) fn rows(&self) -> Option<&Rows> {
        self.newest.as_ref().map(|snapshot| &snapshot.rows)
    }

    pub(super) fn write(
        &mut self,
        position: Position,
        received_at: Timestamp,
        changed: &[Row],
        removed: &[(Part, String)],
    ) -> anyhow::Result<()> {
        let fault = self.fault.take();
        anyhow::ensure!(fault != Some(SnapshotFault::Before), "nothing was saved");
        let before = self.newest.take();
        let mut rows = before
            .as_ref()
            .map(|one| one.rows.clone())
            .unwrap_or_default();
        self.older = before;
        for key in removed {
            rows.remove(key);
        }
        for row in changed {
            rows.insert((row.part, row.key.clone()), row.bytes.clone());
        }
        self.newest = Some(Snapshot {
            position,
            received_at,
            rows,
        });
        anyhow::ensure!(fault.is_none(), "it was saved, and nobody knows");
        Ok(())
    }

    pub(super) fn load(&self) -> Option<Loaded> {
        let Snapshot {
            position,
            received_at,
            rows,
        } = self.newest.clone()?;
        let rows = rows
            .into_iter()
            .map(|((part, key), bytes)| Row { part, key, bytes });
        let damaged = self.is_damaged.then_some((Part::Desk, String::new()));
        Some(Loaded {
            position,
            received_at,
            rows: rows.collect(),
            damaged: damaged.into_iter().collect(),
        })
    }
}
