//! What the service manager is told: ready, reloading, stopping, alive, and one line on how it goes.
//!
//! Everything here does nothing where no service manager listens (`NOTIFY_SOCKET` is not set). The watchdog is fed only while the
//! thread that owns the pipeline shows signs of life: a daemon that answers and no longer decides is what it is for.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::shared::Shared;

/// How much longer a start may take from now on, whenever it has got on.
const START_EXTENSION: Duration = Duration::from_mins(2);
/// Looks at the pipeline in one period of the watchdog.
const LOOKS_PER_PERIOD: u32 = 4;

/// The web answers, brokers are being connected, devices are let in.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(&status.replace('\n', " "))]);
}

/// The start has got on, and takes some more time.
pub(super) fn starting(status: &str) {
    let microseconds = u32::try_from(START_EXTENSION.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::ExtendTimeoutUsec(microseconds),
        NotifyState::Status(status),
    ]);
}

/// Settings are being read again; [`ready`] follows in any case.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock for the service manager"),
    }
}

/// The stop has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Feeds the watchdog for as long as the pipeline lives, if the service manager wants it.
pub(super) async fn feed_watchdog(shared: Arc<Shared>) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut look = tokio::time::interval(period / LOOKS_PER_PERIOD);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_alive = true;
    loop {
        look.tick().await;
        let still_for = shared.pipeline_still_for();
        let is_alive = still_for < period / 2;
        if is_alive {
            tell(&[NotifyState::Watchdog]);
        } else if was_alive {
            tracing::error!(
                seconds = still_for.as_secs(),
                "the pipeline shows no sign of life; the service manager will restart us"
            );
        }
        was_alive = is_alive;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
