//! Where received messages go: the journal, seen from here.
//!
//! A small trait of its own, so that this edge knows no other edge, and so that a test can hold back or refuse what it was given.

use std::time::Duration;

use crate::telemetry::Record;

/// Called exactly once, with what became of the records: durable, or why not.
pub type Done = Box<dyn FnOnce(Result<(), SinkError>) + Send>;

/// Takes records in order and makes them durable.
pub trait Sink: Send + Sync {
    /// Hands over records. May block while the journal's queue is full: it is called from a thread of its own.
    /// `done` may run on any thread, at once or later, in the order of the calls.
    fn append(&self, records: Vec<Record>, done: Done);

    /// How long a message took from its receipt until it was durable and acknowledged. A sample: while one is measured, no other
    /// is, so that the clock is read once per commit and not once per message. Whoever does not watch leaves it out.
    fn acknowledged(&self, _took: Duration) {}
}

/// Why records were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The journal has no room: nothing may be acknowledged until it has. Try again later.
    #[error("the journal is full; the broker has to queue")]
    Full,
    /// A write failed; the journal may recover. Try again later.
    #[error("the journal could not write")]
    Failed,
    /// The journal is closed: the daemon is stopping.
    #[error("the journal is closed")]
    Closed,
}
