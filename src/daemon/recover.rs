//! State on disk and back: the pipeline's rows in the words of the checkpoint file.

use std::path::Path;

use anyhow::Context as _;

use super::state_path;
use crate::checkpoint;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::Checkpoints;
use crate::checkpoint::Loaded;
use crate::journal::Journal;
use crate::pipeline::Part;
use crate::pipeline::Pipeline;
use crate::pipeline::StateRow;
use crate::telemetry::Position;
use crate::telemetry::Timestamp;

/// Key of the row that stands alone,
const CONTEXT: &str = "context";
/// and of the one in which earlier releases kept the presence of all devices.
const PRESENCE: &str = "presence";

/// The pipeline as of the newest snapshot; an empty one when there is none.
///
/// # Errors
/// When the snapshot cannot be read, the journal no longer reaches back to it, or the store is behind it and cannot be caught up.
pub(super) fn load(
    checkpoints: &Checkpoints,
    journal: &Journal,
    store: Position,
) -> anyhow::Result<Pipeline> {
    let loaded = checkpoints.load().context("cannot read the saved state")?;
    resume(loaded, checkpoints.path(), journal.first(), store)
}

/// The pipeline that goes on from a snapshot that was read from `path`, with a journal that begins at `first` and a store that has
/// everything up to `store`.
///
/// # Errors
/// As [`load`].
pub(super) fn resume(
    loaded: Option<Loaded>,
    path: &Path,
    first: Position,
    store: Position,
) -> anyhow::Result<Pipeline> {
    // A state that is ahead of the store: the store was lost or is an older copy, and effects are missing in it.
    if let Some(ahead) = loaded.as_ref().filter(|loaded| loaded.position > store) {
        anyhow::ensure!(
            first <= Position(1),
            "the store ends at {store}, but {} at {}, and the journal begins at {} only: tickets are missing in the store; put the right store file back",
            path.display(),
            ahead.position,
            first
        );
        tracing::warn!(store = %store, state = %ahead.position, "the store is behind the saved state; the whole journal is replayed");
        return Ok(Pipeline::new());
    }
    let Some(loaded) = loaded else {
        anyhow::ensure!(
            first <= Position(1),
            "{} holds no state, and the journal begins at {} only: what came before cannot be replayed; put the state file back",
            path.display(),
            first
        );
        return Ok(Pipeline::new());
    };
    restored(loaded, path)
}

/// The pipeline of a snapshot that was read from this file.
fn restored(loaded: Loaded, path: &Path) -> anyhow::Result<Pipeline> {
    for (part, key) in &loaded.damaged {
        anyhow::ensure!(
            *part == checkpoint::Part::Detect,
            "{} is damaged (its {} part); put an older copy back, or move it away when the journal still reaches back to its beginning",
            path.display(),
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

/// Copies the newest snapshot of a data directory to a file of its own, with the id of the journal that it belongs to. Returns the
/// last position that is in it.
///
/// # Errors
/// When the file is there already, or there is no snapshot yet.
pub fn export_base(data: &Path, journal_id: &str, to: &Path) -> anyhow::Result<Position> {
    anyhow::ensure!(
        !to.exists(),
        "{} exists already; name a new file for the base",
        to.display()
    );
    let state = state_path(data);
    let loaded = Checkpoints::open_to_read(&state)?.load()?;
    let Loaded {
        position,
        received_at,
        rows,
        damaged,
    } = loaded.with_context(|| {
        format!(
            "{} holds no state yet; export without --base",
            state.display()
        )
    })?;
    anyhow::ensure!(
        damaged.is_empty(),
        "{} is damaged and makes no base; foremend run says what is wrong with it",
        state.display()
    );
    Checkpoints::open(to, journal_id)?.write(position, received_at, &rows, &[])?;
    Ok(position)
}

/// The pipeline as it was when a base was exported.
///
/// # Errors
/// When the file is no base, or cannot be read.
pub fn load_base(file: &Path) -> anyhow::Result<Pipeline> {
    let loaded = Checkpoints::open_to_read(file)?
        .load()?
        .with_context(|| format!("{} holds no state", file.display()))?;
    restored(loaded, file)
}

/// Writes a whole snapshot at one go.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn save(
    checkpoints: &Checkpoints,
    (position, received_at): (Position, Timestamp),
    rows: Vec<StateRow>,
) -> Result<(), CheckpointError> {
    let (changed, removed) = in_file(rows);
    checkpoints.write(position, received_at, &changed, &removed)
}

pub(super) type InFile = (Vec<checkpoint::Row>, Vec<(checkpoint::Part, String)>);

/// Rows in the words of the file: changed and removed.
pub(super) fn in_file(rows: Vec<StateRow>) -> InFile {
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    for StateRow { part, key, bytes } in rows {
        let (part, key) = match part {
            Part::Decode => (checkpoint::Part::Decode, key),
            Part::Detect => (checkpoint::Part::Detect, key),
            Part::Desk => (checkpoint::Part::Desk, key),
            Part::Context => (checkpoint::Part::Meta, CONTEXT.to_owned()),
            Part::Presence if key.is_empty() => (checkpoint::Part::Meta, PRESENCE.to_owned()),
            Part::Presence => (checkpoint::Part::Presence, key),
        };
        match bytes {
            Some(bytes) => changed.push(checkpoint::Row { part, key, bytes }),
            None => removed.push((part, key)),
        }
    }
    (changed, removed)
}

fn state_row(row: checkpoint::Row) -> Option<StateRow> {
    let (part, key) = match (row.part, row.key.as_str()) {
        (checkpoint::Part::Decode, _) => (Part::Decode, row.key),
        (checkpoint::Part::Detect, _) => (Part::Detect, row.key),
        (checkpoint::Part::Desk, _) => (Part::Desk, row.key),
        (checkpoint::Part::Meta, CONTEXT) => (Part::Context, row.key),
        (checkpoint::Part::Meta, PRESENCE) => (Part::Presence, String::new()),
        (checkpoint::Part::Presence, _) => (Part::Presence, row.key),
        (checkpoint::Part::Meta | checkpoint::Part::Series, _) => return None,
    };
    let bytes = Some(row.bytes);
    Some(StateRow { part, key, bytes })
}
