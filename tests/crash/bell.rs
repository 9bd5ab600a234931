//! Rings when something was promised to somebody: the moment at which a kill finds out whether it was promised too early.

use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Rings; clones ring the same bell.
#[derive(Clone)]
pub(crate) struct Bell(SyncSender<()>);

/// Hears it.
pub(crate) struct Ear(Receiver<()>);

/// A bell, and who hears it.
pub(crate) fn bell() -> (Bell, Ear) {
    let (bell, ear) = sync_channel(1);
    (Bell(bell), Ear(ear))
}

impl Bell {
    pub(crate) fn ring(&self) {
        // Nobody may be listening just now.
        self.0.try_send(()).ok();
    }
}

impl Ear {
    /// Waits for the next ring, at most so long.
    pub(crate) fn next(&self, most: Duration) {
        self.0.try_recv().ok();
        self.0.recv_timeout(most).ok();
    }
}
