//! The engineers' bench: the same detection over made-up or recorded data.
//!
//! It leaves everything that decides to the stages themselves.

mod cases;

pub use cases::{CaseResult, ReadFile, run_case, run_cases};
