//! The end of the daemon's parts: waiting for each as long as it may take, and saying what did not end well.
//!
//! Leaves the order of a stop to `daemon` itself.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinError;
use tokio::task::JoinHandle;

use crate::journal::Journal;
use crate::store::Store;

/// How long a stop waits for each part; what is not done then is done after the next start.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Waits until everything that was handed to the journal is durable, such as the word that a source is down: else it came too
/// late for the state that a stop saves.
pub(super) async fn written(journal: Journal) {
    let (done, durable) = tokio::sync::oneshot::channel();
    let told = Box::new(move |result| drop(done.send(result)));
    if journal.append_async(Vec::new(), told).await.is_ok() {
        // The journal says so itself when it cannot write.
        drop(durable.await);
    }
}

/// The last to be closed.
pub(super) async fn close(store: Store, journal: Journal) -> anyhow::Result<()> {
    store.close().await;
    Ok(tokio::task::spawn_blocking(move || journal.close()).await?)
}

/// Waits for the worker to end, but not for ever.
pub(super) async fn last_of_worker(worker: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    match tokio::time::timeout(STOP_LIMIT, worker).await {
        Ok(ended) => ended.context("the worker did not end well")?,
        Err(_) => Err(anyhow::anyhow!(
            "the worker did not finish within {STOP_LIMIT:?}; the journal has what is left"
        )),
    }
}

/// Why a part that must not end did.
pub(super) fn part_error(
    part: &str,
    ended: Result<anyhow::Result<()>, JoinError>,
) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("{part} ended by itself"),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    }
}

/// Waits for a part to end, but not for ever.
pub(super) async fn within<T>(what: &str, mut task: JoinHandle<T>) {
    match tokio::time::timeout(STOP_LIMIT, &mut task).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(error = %error, "{what} did not end well"),
        Err(_) => {
            tracing::warn!("{what} did not end within {STOP_LIMIT:?}; going on without it");
            task.abort();
        }
    }
}
