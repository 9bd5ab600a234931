//! Detection.
mod event;

pub use event::{DerivedValue, DetectCommand, Evidence, FaultEvent, FaultEventKind};
