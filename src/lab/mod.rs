//! The engineers' bench: tools that run the daemon's own decoding, detection and decisions over made-up or recorded data.
//!
//! It leaves everything that decides to the stages themselves.

pub mod recording;

pub mod replay;

pub mod simulate;

mod cases;

pub use cases::{CaseResult, ReadFile, run_case, run_cases};
