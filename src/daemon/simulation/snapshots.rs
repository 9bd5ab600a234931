//! A checkpoint file on plain memory: one snapshot is one transaction, however long it is open; it can fail at any piece of it or
//! lose its answer; and the file can be lost, damaged, or put back from an older copy. A crash takes what is not committed.

use std::collections::BTreeMap;

use crate::checkpoint::Loaded;
use crate::checkpoint::Part;
use crate::checkpoint::Row;
use crate::daemon::saver::StateFile;
use crate::daemon::stage::Place;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// What goes wrong with the next snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SnapshotFault {
    /// The next piece of it is refused.
    Piece,
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
    /// What is written of a snapshot that is not committed.
    open: Option<Open>,
}

#[derive(Default)]
struct Open {
    changed: Vec<Row>,
    removed: Vec<(Part, String)>,
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
        let is_written = matches!(fault, None | Some(SnapshotFault::After));
        anyhow::ensure!(is_written, "nothing was saved");
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

    /// Who wrote is no more.
    pub(super) fn crash(&mut self) {
        self.open = None;
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

impl StateFile for ModelSnapshots {
    fn begin(&mut self) -> anyhow::Result<()> {
        self.open = Some(Open::default());
        Ok(())
    }

    fn put(&mut self, changed: &[Row], removed: &[(Part, String)]) -> anyhow::Result<()> {
        if self.fault == Some(SnapshotFault::Piece) {
            self.fault = None;
            anyhow::bail!("a piece was refused");
        }
        let open = self.open.as_mut().expect("it was begun");
        open.changed.extend_from_slice(changed);
        open.removed.extend_from_slice(removed);
        Ok(())
    }

    fn commit(&mut self, place: Place) -> anyhow::Result<()> {
        let Open { changed, removed } = self.open.take().expect("it was begun");
        let keys: BTreeMap<_, _> = changed
            .iter()
            .map(|row| ((row.part, &row.key), ()))
            .collect();
        assert_eq!(keys.len(), changed.len(), "a row was taken twice");
        self.write(place.position, place.received_at, &changed, &removed)
    }

    fn roll_back(&mut self) {
        self.open = None;
    }
}
