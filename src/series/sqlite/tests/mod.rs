//! The embedded store on its own: against a model of what it must hold, and in all that can happen to its file.

mod mishaps;
mod model;
mod old_format;
