//! The engineers' bench: tools that run the daemon's own decoding, detection and decisions over recorded messages.

pub mod recording;

pub mod replay;
