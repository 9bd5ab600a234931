//! The forms of what lies in the file: sealed blocks, their hourly cells, and the log of fresh points.
//!
//! Leaves the file itself to the parent. Invariant: what is read is bit for bit what was written, or an error; never a panic.

mod bytes;
mod columns;

pub(super) mod block;
pub(super) mod cells;
pub(super) mod log;

pub(super) use bytes::Damaged;
