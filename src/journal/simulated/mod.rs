//! The journal on a modelled disk, stepped on the caller's thread: for simulations of everything around it.
//!
//! What is above the disk (places, times, groups, segments, recovery, reading, cursors, budget) is the journal itself; what the disk
//! may do to it stands in `disk`.

mod disk;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use crate::telemetry::Timestamp;

use super::Clock;
use super::Journal;
use super::JournalError;
use super::JournalOptions;
use super::disk::Disk;
use super::files::lock;
use super::running::Running;
use super::running::Shared;
use super::writer::Step;
use super::writer::Writer;

pub(crate) use disk::ModelDisk;
pub(crate) use disk::WriteFault;

/// A wall clock and a monotonic one that only a simulation moves.
#[derive(Clone, Default)]
pub(crate) struct ModelClock(Arc<Mutex<(i64, i64)>>);

/// A journal whose writer works when it is told to.
pub(crate) struct SteppedJournal {
    journal: Journal,
    writer: Writer,
}

impl ModelClock {
    pub(crate) fn at(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new((wall.ms(), 0))))
    }

    /// Time goes by for both clocks.
    pub(crate) fn pass(&self, ms: i64) {
        let mut clocks = lock(&self.0);
        clocks.0 += ms;
        clocks.1 += ms;
    }

    /// Someone sets the wall clock.
    pub(crate) fn step(&self, ms: i64) {
        lock(&self.0).0 += ms;
    }
}

impl Clock for ModelClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(lock(&self.0).0)
    }

    fn monotonic_ms(&self) -> i64 {
        lock(&self.0).1
    }
}

impl SteppedJournal {
    /// Opens the journal on this disk as a new process does.
    pub(crate) fn open(disk: &ModelDisk, options: JournalOptions) -> Result<Self, JournalError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let (shared, writer) = Shared::open(Path::new("journal"), options, disk)?;
        let running = Running {
            shared,
            threads: Mutex::default(),
        };
        let running = Arc::new(running);
        Ok(Self {
            journal: Journal { running },
            writer,
        })
    }

    /// The handle that everyone else has.
    pub(crate) fn handle(&self) -> &Journal {
        &self.journal
    }

    /// One step of the writer, after what the housekeeper was called for, but for sealing: the model has no packed files. The
    /// pause after a failure, if it failed.
    pub(crate) fn step(&mut self) -> Result<(), std::time::Duration> {
        let shared = &self.journal.running.shared;
        if std::mem::take(&mut lock(&shared.keeper.call).wanted) {
            shared.make_room();
        }
        match self.writer.step() {
            Step::Written { .. } | Step::Idle => Ok(()),
            Step::Refused { pause, .. } => Err(pause),
        }
    }
}
