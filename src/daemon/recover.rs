//! State on disk and back: the pipeline's rows in the words of the checkpoint file.

use anyhow::Context as _;

use crate::checkpoint;
use crate::checkpoint::Checkpoints;
use crate::journal::Journal;
use crate::pipeline::Part;
use crate::pipeline::Pipeline;
use crate::pipeline::StateRow;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Keys of the rows that stand alone.
const CONTEXT: &str = "context";
const PRESENCE: &str = "presence";

/// The pipeline as of the newest snapshot; an empty one when there is none.
///
/// # Errors
/// When the snapshot cannot be read, or the journal no longer reaches back to it.
pub(super) fn load(checkpoints: &Checkpoints, journal: &Journal) -> anyhow::Result<Pipeline> {
    let Some(loaded) = checkpoints.load().context("cannot read the saved state")? else {
        anyhow::ensure!(
            journal.first() <= Position(1),
            "{} holds no state, and the journal begins at {} only: what came before cannot be replayed; put the state file back",
            checkpoints.path().display(),
            journal.first()
        );
        return Ok(Pipeline::new());
    };
    for (part, key) in &loaded.damaged {
        anyhow::ensure!(
            *part == checkpoint::Part::Detect,
            "{} is damaged (its {} part); put an older copy back, or move it away when the journal still reaches back to its beginning",
            checkpoints.path().display(),
            part.as_str()
        );
        tracing::error!(device.id = %key, "the saved state of a device is damaged; it learns anew");
    }
    let rows = loaded.rows.into_iter().filter_map(state_row).collect();
    let (pipeline, lost) = Pipeline::restore(loaded.position, loaded.received_at, rows)?;
    for sentence in lost {
        tracing::error!("{sentence}");
    }
    Ok(pipeline)
}

/// Writes what changed, in one transaction.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn save(
    checkpoints: &Checkpoints,
    position: Position,
    received_at: Timestamp,
    rows: Vec<StateRow>,
) -> anyhow::Result<()> {
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    for StateRow { part, key, bytes } in rows {
        let (part, key) = match part {
            Part::Decode => (checkpoint::Part::Decode, key),
            Part::Detect => (checkpoint::Part::Detect, key),
            Part::Desk => (checkpoint::Part::Desk, key),
            Part::Context => (checkpoint::Part::Meta, CONTEXT.to_owned()),
            Part::Presence => (checkpoint::Part::Meta, PRESENCE.to_owned()),
        };
        match bytes {
            Some(bytes) => changed.push(checkpoint::Row { part, key, bytes }),
            None => removed.push((part, key)),
        }
    }
    Ok(checkpoints.write(position, received_at, &changed, &removed)?)
}

fn state_row(row: checkpoint::Row) -> Option<StateRow> {
    let part = match (row.part, row.key.as_str()) {
        (checkpoint::Part::Decode, _) => Part::Decode,
        (checkpoint::Part::Detect, _) => Part::Detect,
        (checkpoint::Part::Desk, _) => Part::Desk,
        (checkpoint::Part::Meta, CONTEXT) => Part::Context,
        (checkpoint::Part::Meta, PRESENCE) => Part::Presence,
        (checkpoint::Part::Meta | checkpoint::Part::Series, _) => return None,
    };
    Some(StateRow {
        part,
        key: row.key,
        bytes: Some(row.bytes),
    })
}
