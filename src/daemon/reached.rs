//! How far the files beside the journal have come, read without opening them for work: for who mends a journal.
//!
//! Keeps: nothing is written; a file that is not there or cannot be read knows nothing, and says so.

use std::path::Path;

use anyhow::Context as _;

use super::series_state_path;
use super::state_path;
use super::store_path;
use crate::checkpoint::Checkpoints;
use crate::store::Store;
use crate::store::StoreError;
use crate::telemetry::Position;

/// The last position that each file of a data directory knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Effects are in the store up to here.
    pub store: Option<Position>,
    /// The pipeline's saved state.
    pub state: Option<Position>,
    /// The series writer's saved state.
    pub series: Option<Position>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

impl Reached {
    /// Who stands where.
    #[must_use]
    pub fn used(&self) -> Vec<(String, Position)> {
        let named = [
            ("the store", self.store),
            ("the saved state", self.state),
            ("the series writer's state", self.series),
        ];
        let known = named.into_iter();
        known
            .filter_map(|(who, position)| Some((who.to_owned(), position?)))
            .collect()
    }
}

/// Looks how far the files of a data directory have come.
///
/// # Errors
/// When nothing can be read at all, for want of a runtime.
pub fn reached(data: &Path) -> anyhow::Result<Reached> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let mut reached = Reached::default();
    let store = store_path(data);
    if store.is_file() {
        let position = runtime.block_on(async {
            let store = Store::open_to_read(&store).await?;
            let position = store.position();
            store.close().await;
            Ok::<_, StoreError>(position)
        });
        reached.store = reached.told(&store, position);
    }
    reached.state = reached.snapshot(&state_path(data));
    reached.series = reached.snapshot(&series_state_path(data));
    Ok(reached)
}

impl Reached {
    fn snapshot(&mut self, path: &Path) -> Option<Position> {
        if !path.is_file() {
            return None;
        }
        let loaded = Checkpoints::open_to_read(path).and_then(|state| state.load());
        self.told(path, loaded)?.map(|loaded| loaded.position)
    }

    fn told<T, E: std::fmt::Display>(&mut self, path: &Path, read: Result<T, E>) -> Option<T> {
        let unread = |error: E| {
            format!(
                "how far {} has come cannot be read: {error}",
                path.display()
            )
        };
        read.map_err(|error| self.unread.push(unread(error))).ok()
    }
}
