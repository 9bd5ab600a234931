//! What is looked after while the daemon runs and belongs to nobody else: gauges, the series store's health and retention, what the
//! log held back, the service manager's one line.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::backend::backlog;
use super::clock;
use super::logging;
use super::readiness;
use super::series::Stores;
use super::shared::Shared;
use super::systemd;
use crate::config::Config;
use crate::journal::Journal;
use crate::series::Series;
use crate::series::SeriesStatus;
use crate::series::SeriesStore as _;
use crate::store::SERIES_CHANNEL;

/// How often numbers that nobody reports are looked up, and old points are forgotten.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often, in looks, a series store that was not ready is asked again for its bucket.
const BUCKET_EVERY: u32 = 10;
/// How often, in looks, the series store is told how long to keep points.
const KEEP_EVERY: u32 = 3_600;
/// How often, in looks, the store is counted: its indexes are read through for that.
const COUNT_EVERY: u32 = 15;
/// How often, in looks, the service manager is told how it goes.
const STATUS_EVERY: u32 = 5;

/// Looks after what nobody else does: gauges, the series store's health, its retention.
pub(super) async fn keep(
    stores: Stores,
    config: Config,
    shared: Arc<Shared>,
    status: watch::Receiver<SeriesStatus>,
) {
    let Stores {
        journal,
        store,
        series,
    } = stores;
    let mut told = String::new();
    let mut bucket_ready = false;
    let mut dropped = 0;
    let retention = config
        .influxdb
        .as_ref()
        .map_or(config.series.retention, |influxdb| influxdb.retention);
    for look in 0_u32.. {
        shared.look_at_traffic(clock::wall());
        let journal_now = journal.stats();
        let bytes = i64::try_from(journal_now.bytes).unwrap_or(i64::MAX);
        shared.metrics.journal_bytes.set(bytes);
        let held = journal_now.held.as_ref();
        shared
            .metrics
            .held(held.map(|held| (held.holder.name(), held.bytes)));
        shared.look_at_backlog(clock::monotonic_ms(), journal_now.last);
        let gone = store.outbox_dropped();
        if gone > dropped {
            shared.metrics.dropped(SERIES_CHANNEL, gone - dropped);
            tracing::warn!(
                dropped = gone,
                "the series store has been away for so long that the oldest derived values were let go; a replay works them out again"
            );
            dropped = gone;
        }
        if look % COUNT_EVERY == 0 {
            match store.counts().await {
                Ok(counts) => shared.metrics.gauges.set(&counts),
                Err(error) => {
                    tracing::warn!(error = %error, "the store cannot be counted; its gauges stay as they were");
                }
            }
        }
        if look % STATUS_EVERY == 0 {
            let now = line(&journal, &shared);
            if now != told {
                systemd::status(&now);
                told = now;
            }
        }
        logging::tell_held_back(false);
        if look % KEEP_EVERY == 0 || (!bucket_ready && look % BUCKET_EVERY == 0) {
            bucket_ready = ensure_series(&series, retention).await;
        }
        match &*status.borrow() {
            SeriesStatus::Working => shared.well("series"),
            SeriesStatus::Retrying { reason } | SeriesStatus::Stopped { reason } => {
                shared.trouble("series", reason);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How it goes, in one line.
fn line(journal: &Journal, shared: &Shared) -> String {
    let troubles: Vec<String> = readiness::checks(journal, shared, &backlog(journal, shared))
        .into_iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if troubles.is_empty() {
        "ready".to_owned()
    } else {
        format!("not ready: {}", troubles.join("; "))
    }
}

/// Creates the bucket where it is missing and sets how long points are kept.
async fn ensure_series(series: &Series, retention: Option<Duration>) -> bool {
    if let Series::Influx(influx) = series
        && let Err(error) = influx.ensure_bucket().await
    {
        tracing::warn!(error = %error, "InfluxDB is not ready; tickets do not wait for it");
        return false;
    }
    match series.keep(retention, clock::wall()).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = %error, "the series store does not take its retention; trying again");
            false
        }
    }
}
