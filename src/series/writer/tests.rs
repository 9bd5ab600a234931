//! The writer on a store of plain memory that misbehaves as told; nothing waits.
