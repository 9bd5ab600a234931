//! Fault profiles.
mod program;

pub use program::*;
